//! The closed set of metrics, and their values for one set of scores.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::EvaluationError;
use super::calibration::{Binning, brier, brier_of_last_class, expected_calibration_error, log_loss};
use super::curves::{auc_roc, average_precision};
use super::prediction::{Scores, predicted_class};
use crate::cohort::split::Part;

macro_rules! metrics {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $heading:literal;)*) => {
        /// A metric. Serialised as its name; ordered as declared, which is the order of tables.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "&'static str", try_from = "String")]
        pub enum Metric { $($(#[$doc])* $variant,)* }

        impl Metric {
            /// Every metric, in order.
            pub const ALL: &'static [Metric] = &[$(Metric::$variant,)*];

            /// The name in configs and files.
            pub fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name,)* }
            }

            /// The heading in tables, at most eight characters.
            pub fn heading(self) -> &'static str {
                match self { $(Metric::$variant => $heading,)* }
            }
        }
    };
}

metrics! {
    /// Share of items predicted right.
    Accuracy, "accuracy", "acc";
    /// Mean recall over the classes that are present among the targets.
    BalancedAccuracy, "balanced_accuracy", "bal acc";
    /// Two classes: precision of the last class. A division by zero is 0.
    Precision, "precision", "prec";
    /// Two classes: recall (sensitivity) of the last class. A division by zero is 0.
    Recall, "recall", "recall";
    /// Two classes: recall of the first class, TN / (TN + FP). A division by zero is 0.
    Specificity, "specificity", "spec";
    /// Two classes: F1 of the last class, 2 TP / (2 TP + FP + FN). A division by zero is 0.
    F1, "f1", "F1";
    /// Mean precision over all declared classes; an absent class counts 0.
    MacroPrecision, "macro_precision", "prec mac";
    /// Mean recall over all declared classes; an absent class counts 0.
    MacroRecall, "macro_recall", "rec mac";
    /// Mean one-against-rest specificity over all declared classes.
    MacroSpecificity, "macro_specificity", "spec mac";
    /// Mean F1 over all declared classes; an absent class counts 0.
    MacroF1, "macro_f1", "F1 mac";
    /// Mean precision over classes, weighted by their share of the targets.
    WeightedPrecision, "weighted_precision", "prec wt";
    /// Mean recall over classes, weighted by their share of the targets; equals the accuracy.
    WeightedRecall, "weighted_recall", "rec wt";
    /// Mean one-against-rest specificity over classes, weighted by their share of the targets.
    WeightedSpecificity, "weighted_specificity", "spec wt";
    /// Mean F1 over classes, weighted by their share of the targets.
    WeightedF1, "weighted_f1", "F1 wt";
    /// Area under the ROC curve of the last of two classes; with more, the mean of one class against the rest.
    /// Undefined when a class is absent.
    AucRoc, "auc_roc", "AUC ROC";
    /// Average precision of the last of two classes; with more, the mean of one class against the rest.
    /// Undefined when a class is absent.
    AucPr, "auc_pr", "AUC PR";
    /// Mean negative log-likelihood; see [`log_loss`].
    LogLoss, "log_loss", "log loss";
    /// Brier score summed over classes; see [`brier`].
    Brier, "brier", "Brier";
    /// Two classes: Brier score of the last class, half of [`Metric::Brier`].
    BrierBinary, "brier_binary", "Brier 2";
    /// Expected calibration error over 15 bins of equal width.
    EceEqualWidth, "ece_equal_width", "ECE wid";
    /// Expected calibration error over 15 bins of equal count.
    EceEqualMass, "ece_equal_mass", "ECE mass";
}

/// Which way a metric improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

impl Metric {
    /// Which way the metric improves.
    pub fn direction(self) -> Direction {
        use Metric::{Brier, BrierBinary, EceEqualMass, EceEqualWidth, LogLoss};
        match self {
            LogLoss | Brier | BrierBinary | EceEqualWidth | EceEqualMass => Direction::Lower,
            _ => Direction::Higher,
        }
    }

    /// The unit: `nat` for the log-loss, `1` (a plain number) for the others.
    pub fn unit(self) -> &'static str {
        if self == Metric::LogLoss { "nat" } else { "1" }
    }

    /// Whether the metric depends only on the order of scores, so that models of different folds cannot be pooled.
    pub fn ranks(self) -> bool {
        matches!(self, Metric::AucRoc | Metric::AucPr)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Metric {
    type Err = EvaluationError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Metric::ALL
            .iter()
            .copied()
            .find(|metric| metric.name() == name)
            .ok_or_else(|| EvaluationError::UnknownMetric {
                name: name.to_owned(),
                known: Metric::ALL
                    .iter()
                    .map(|metric| metric.name())
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }
}

impl From<Metric> for &'static str {
    fn from(metric: Metric) -> Self {
        metric.name()
    }
}

impl TryFrom<String> for Metric {
    type Error = EvaluationError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

/// A metric of one part of the split, written `valid/balanced_accuracy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Monitor {
    /// The part whose predictions are scored.
    pub part: Part,
    /// The metric.
    pub metric: Metric,
}

fn part_named(name: &str) -> Option<Part> {
    Part::ALL.into_iter().find(|part| part.to_string() == name)
}

impl FromStr for Monitor {
    type Err = EvaluationError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let parsed = name
            .split_once('/')
            .and_then(|(part, metric)| Some((part_named(part)?, metric)));
        let (part, metric) = parsed.ok_or_else(|| EvaluationError::Monitor { name: name.to_owned() })?;
        Ok(Self {
            part,
            metric: metric.parse()?,
        })
    }
}

impl fmt::Display for Monitor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.part, self.metric)
    }
}

impl From<Monitor> for String {
    fn from(monitor: Monitor) -> Self {
        monitor.to_string()
    }
}

impl TryFrom<String> for Monitor {
    type Error = EvaluationError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

/// Counts of items by target (row) and predicted class (column).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion(pub Vec<Vec<u64>>);

/// Precision, recall, specificity and F1 of one class against the rest; a division by zero is 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Number of items of the class.
    pub support: u64,
    /// TP / (TP + FP).
    pub precision: f64,
    /// TP / (TP + FN).
    pub recall: f64,
    /// TN / (TN + FP).
    pub specificity: f64,
    /// 2 TP / (2 TP + FP + FN).
    pub f1: f64,
}

fn ratio(numerator: u64, denominator: u64) -> f64 {
    if denominator == 0 {
        0.0
    } else {
        numerator as f64 / denominator as f64
    }
}

impl Confusion {
    /// Counts each item at (target, [`predicted_class`]).
    pub fn of(scores: &Scores) -> Self {
        let mut counts = vec![vec![0; scores.num_classes()]; scores.num_classes()];
        for (target, row) in scores.rows() {
            let cell = predicted_class(row).and_then(|class| counts.get_mut(target)?.get_mut(class));
            if let Some(cell) = cell {
                *cell += 1;
            }
        }
        Self(counts)
    }

    /// Number of items.
    pub fn total(&self) -> u64 {
        self.0.iter().flatten().sum()
    }

    /// Number of items predicted right.
    pub fn correct(&self) -> u64 {
        self.0
            .iter()
            .enumerate()
            .filter_map(|(class, row)| row.get(class))
            .sum()
    }

    /// The metrics of each class, in the order of the classes.
    pub fn per_class(&self) -> Vec<ClassMetrics> {
        let total = self.total();
        let of_class = |(class, row): (usize, &Vec<u64>)| {
            let support: u64 = row.iter().sum();
            let predicted: u64 = self.0.iter().filter_map(|row| row.get(class)).sum();
            let hits = row.get(class).copied().unwrap_or(0);
            let true_negatives = total + hits - support - predicted;
            ClassMetrics {
                support,
                precision: ratio(hits, predicted),
                recall: ratio(hits, support),
                specificity: ratio(true_negatives, total - support),
                f1: ratio(2 * hits, support + predicted),
            }
        };
        self.0.iter().enumerate().map(of_class).collect()
    }
}

/// A value, or `None` where undefined, for every [`Metric`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MetricSet(BTreeMap<Metric, Option<f64>>);

impl MetricSet {
    /// All metrics of `scores`. Without items everything is undefined; metrics of two classes are undefined for more.
    pub fn of(scores: &Scores) -> Self {
        let mut set = Self(Metric::ALL.iter().map(|&metric| (metric, None)).collect());
        if scores.is_empty() {
            return set;
        }
        set.add_counts(&Confusion::of(scores));
        let binary = scores.num_classes() == 2;
        set.0.extend([
            (Metric::AucRoc, one_against_rest(scores, auc_roc)),
            (Metric::AucPr, one_against_rest(scores, average_precision)),
            (Metric::LogLoss, log_loss(scores)),
            (Metric::Brier, brier(scores)),
            (
                Metric::BrierBinary,
                if binary { brier_of_last_class(scores) } else { None },
            ),
            (
                Metric::EceEqualWidth,
                expected_calibration_error(scores, Binning::EqualWidth),
            ),
            (
                Metric::EceEqualMass,
                expected_calibration_error(scores, Binning::EqualMass),
            ),
        ]);
        set
    }

    /// The metrics that follow from the confusion matrix of at least one item.
    fn add_counts(&mut self, confusion: &Confusion) {
        use Metric::*;
        let classes = confusion.per_class();
        let total = confusion.total();
        let present: Vec<f64> = classes
            .iter()
            .filter(|class| class.support > 0)
            .map(|class| class.recall)
            .collect();
        self.0.insert(Accuracy, Some(ratio(confusion.correct(), total)));
        self.0.insert(
            BalancedAccuracy,
            Some(present.iter().sum::<f64>() / present.len() as f64),
        );
        type OfClass = fn(&ClassMetrics) -> f64;
        let averaged: [(OfClass, [Metric; 3]); 4] = [
            (|class| class.precision, [Precision, MacroPrecision, WeightedPrecision]),
            (|class| class.recall, [Recall, MacroRecall, WeightedRecall]),
            (
                |class| class.specificity,
                [Specificity, MacroSpecificity, WeightedSpecificity],
            ),
            (|class| class.f1, [F1, MacroF1, WeightedF1]),
        ];
        for (value, [binary, average, weighted]) in averaged {
            let sum: f64 = classes.iter().map(value).sum();
            let weighted_sum: f64 = classes.iter().map(|class| class.support as f64 * value(class)).sum();
            self.0.insert(average, Some(sum / classes.len() as f64));
            self.0.insert(weighted, Some(weighted_sum / total as f64));
            if let [_, positive] = classes.as_slice() {
                self.0.insert(binary, Some(value(positive)));
            }
        }
    }

    /// The value of `metric`, `None` where undefined.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.0.get(&metric).copied().flatten()
    }

    /// Name and value of every metric, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, Option<f64>)> {
        self.0.iter().map(|(&metric, &value)| (metric, value))
    }
}

/// `area` of the last of two classes, or the mean over one class against the rest; `None` if any of them is undefined.
fn one_against_rest(scores: &Scores, area: fn(&[f64], &[bool]) -> Option<f64>) -> Option<f64> {
    let num_classes = scores.num_classes();
    let first = if num_classes == 2 { 1 } else { 0 };
    let mut sum = 0.0;
    for class in first..num_classes {
        let positive: Vec<bool> = scores.targets().iter().map(|&target| target == class).collect();
        sum += area(&scores.of_class(class), &positive)?;
    }
    Some(sum / (num_classes - first) as f64)
}
