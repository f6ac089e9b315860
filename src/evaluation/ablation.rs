//! An ablation as one table: each variant of an experiment against its base, paired by fold and seed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::EvaluationError;
use super::compare::{Comparison, compare_to_baseline};
use super::evaluate::{Evaluation, Level, VariantEvaluation};
use super::intervals::Interval;
use super::metrics::{Direction, Metric};

/// Metrics that variants are compared by unless asked otherwise: ranking, decisions, probabilities.
pub const ABLATION_METRICS: [Metric; 3] = [Metric::AucRoc, Metric::BalancedAccuracy, Metric::LogLoss];

/// Verdict of a comparison at its level of confidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The change makes the metric better.
    Better,
    /// The change makes the metric worse.
    Worse,
    /// The data cannot tell: this is not evidence that the change does nothing.
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// One variant against the base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AblationRow {
    /// Variant minus base.
    pub comparison: Comparison,
    /// The variant's own mean over folds.
    pub mean: Option<f64>,
    /// By the p-value corrected for the number of variants.
    pub verdict: Verdict,
}

/// All variants against the base on one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ablation {
    /// Metric that is compared.
    pub metric: Metric,
    /// Unit that is counted.
    pub level: Level,
    /// Name of the base.
    pub base: String,
    /// The base's mean over folds.
    pub base_mean: Option<f64>,
    /// One row per variant.
    pub rows: Vec<AblationRow>,
    /// Level of the intervals; verdicts are at one minus it.
    pub coverage: f64,
}

impl Ablation {
    /// Compares each of `variants` with `base`. Variants without predictions (all of their replicas diverged) are left
    /// out.
    ///
    /// # Errors
    /// As [`compare`](super::compare()); the base has to be there.
    pub fn new(
        evaluation: &Evaluation,
        base: &str,
        variants: &[&str],
        metric: Metric,
        level: Level,
    ) -> Result<Self, EvaluationError> {
        let coverage = evaluation.options.bootstrap.level;
        let baseline = evaluation.variant(base).ok_or(EvaluationError::NoPredictions {
            part: evaluation.options.part,
        })?;
        let others: Vec<&VariantEvaluation> = variants.iter().filter_map(|name| evaluation.variant(name)).collect();
        let comparisons = compare_to_baseline(&others, baseline, metric, level, coverage)?;
        let mean = |variant: &VariantEvaluation| variant.mean.get(&level)?.get(&metric)?.estimate;
        let row = |(comparison, variant): (Comparison, &&VariantEvaluation)| AblationRow {
            verdict: verdict(&comparison, 1.0 - coverage),
            mean: mean(variant),
            comparison,
        };
        Ok(Self {
            metric,
            level,
            base: base.into(),
            base_mean: mean(baseline),
            rows: comparisons.into_iter().zip(&others).map(row).collect(),
            coverage,
        })
    }

    /// One table per metric of [`ABLATION_METRICS`], by test subject; none without variants, or where the base has no
    /// predictions to compare with.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn all(evaluation: &Evaluation, base: &str, variants: &[&str]) -> Result<Vec<Self>, EvaluationError> {
        if variants.is_empty() || evaluation.variant(base).is_none() {
            return Ok(Vec::new());
        }
        ABLATION_METRICS
            .iter()
            .map(|&metric| Self::new(evaluation, base, variants, metric, Level::Subject))
            .collect()
    }

    fn cells(&self) -> Vec<[String; 7]> {
        let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.3}"));
        let signed = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:+.3}"));
        let percent = 100.0 * self.coverage;
        let mut cells = vec![[
            "variant".into(),
            self.metric.heading().into(),
            "delta".into(),
            format!("low {percent} %"),
            format!("high {percent} %"),
            "p (Holm)".into(),
            "verdict".into(),
        ]];
        let none = || "".to_owned();
        cells.push([
            self.base.clone(),
            number(self.base_mean),
            none(),
            none(),
            none(),
            none(),
            none(),
        ]);
        for row in &self.rows {
            let Interval {
                estimate, low, high, ..
            } = row.comparison.interval;
            cells.push([
                row.comparison.a.clone(),
                number(row.mean),
                signed(estimate),
                signed(low),
                signed(high),
                number(row.comparison.holm_p),
                row.verdict.to_string(),
            ]);
        }
        cells
    }

    fn footnote(&self) -> String {
        let pairs = self
            .rows
            .iter()
            .map(|row| row.comparison.interval.num_items)
            .max()
            .unwrap_or(0);
        format!(
            "Delta: variant minus {}, paired over {pairs} folds, seeds averaged within a fold; corrected t interval, p \
             corrected for {} comparisons.",
            self.base,
            self.rows.len()
        )
    }

    /// The table as GitHub-flavoured Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        for (index, cells) in self.cells().iter().enumerate() {
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
            if index == 0 {
                text.push_str("|:---|---:|---:|---:|---:|---:|:---|\n");
            }
        }
        format!("{text}\n{}\n", self.footnote())
    }
}

/// The table as plain text.
impl fmt::Display for Ablation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = self.cells();
        let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..7).map(width).collect();
        for (index, row) in cells.iter().enumerate() {
            let mut line = format!("{:<w$}", row[0], w = widths[0]);
            for column in 1..6 {
                line.push_str(&format!("  {:>w$}", row[column], w = widths[column]));
            }
            line.push_str(&format!("  {}", row[6]));
            writeln!(formatter, "{}", line.trim_end())?;
            if index == 0 {
                writeln!(formatter, "{}", "-".repeat(widths.iter().sum::<usize>() + 12))?;
            }
        }
        writeln!(formatter, "{}", self.footnote())
    }
}

fn verdict(comparison: &Comparison, alpha: f64) -> Verdict {
    let p = comparison.holm_p.or(comparison.p);
    match (p, comparison.interval.estimate) {
        (Some(p), Some(difference)) if p < alpha => {
            let higher = comparison.metric.direction() == Direction::Higher;
            if (difference > 0.0) == higher {
                Verdict::Better
            } else {
                Verdict::Worse
            }
        }
        _ => Verdict::Inconclusive,
    }
}
