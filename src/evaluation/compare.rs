//! Paired comparison of two variants that were trained and tested on the same folds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::EvaluationError;
use super::evaluate::{FoldEvaluation, Level, VariantEvaluation, fold_values};
use super::intervals::{Interval, corrected_t_interval, corrected_t_p};
use super::metrics::Metric;
use super::significance::{holm, sign_flip_p};

/// The difference in one fold, each side averaged over its seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldDifference {
    /// Repeat of the cross-validation.
    pub repeat: u32,
    /// Fold within the repeat.
    pub fold: u32,
    /// Metric of the first variant.
    pub a: f64,
    /// Metric of the second variant.
    pub b: f64,
    /// `a - b`.
    pub difference: f64,
}

/// First variant minus second, fold by fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// First variant.
    pub a: String,
    /// Second variant.
    pub b: String,
    /// Metric that is compared.
    pub metric: Metric,
    /// Unit that is counted.
    pub level: Level,
    /// One entry per (repeat, fold) where the metric is defined.
    pub differences: Vec<FoldDifference>,
    /// Mean difference with the corrected t interval.
    pub interval: Interval,
    /// Two-sided p of the corrected t test; `None` where it is undefined, such as for equal differences.
    pub p: Option<f64>,
    /// Two-sided p of the exact sign-flip test. It ignores that folds share training data, so with one repeat it is
    /// optimistic: quote `p`, and this beside it.
    pub sign_flip_p: Option<f64>,
    /// `p` adjusted for the comparisons made together (Holm); `None` for a single one.
    pub holm_p: Option<f64>,
}

/// Compares `a` with `b` on a metric; the difference is `a - b`, so its sign is read with [`Metric::direction`].
///
/// # Errors
/// When the folds differ: a (repeat, fold) or seed that one lacks, other subjects tested, another number trained on,
/// when windows are compared another number of them, or a level that one was not evaluated at. The message names the
/// first difference.
pub fn compare(
    a: &VariantEvaluation,
    b: &VariantEvaluation,
    metric: Metric,
    level: Level,
    coverage: f64,
) -> Result<Comparison, EvaluationError> {
    if let Some(difference) = first_difference(a, b, level) {
        return Err(EvaluationError::FoldsDiffer {
            a: a.variant.clone(),
            b: b.variant.clone(),
            difference,
        });
    }
    let other = fold_values(&b.folds, level, metric);
    let differences: Vec<FoldDifference> = fold_values(&a.folds, level, metric)
        .into_iter()
        .filter_map(|((repeat, fold), a)| {
            let b = *other.get(&(repeat, fold))?;
            Some(FoldDifference {
                repeat,
                fold,
                a,
                b,
                difference: a - b,
            })
        })
        .collect();
    let values: Vec<f64> = differences.iter().map(|fold| fold.difference).collect();
    Ok(Comparison {
        a: a.variant.clone(),
        b: b.variant.clone(),
        metric,
        level,
        differences,
        interval: corrected_t_interval(&values, a.test_to_train, coverage),
        p: corrected_t_p(&values, a.test_to_train),
        sign_flip_p: sign_flip_p(&values),
        holm_p: None,
    })
}

/// Compares each of `variants` with `baseline`, p-values adjusted by Holm over those comparisons that have one.
///
/// # Errors
/// As [`compare`].
pub fn compare_to_baseline(
    variants: &[&VariantEvaluation],
    baseline: &VariantEvaluation,
    metric: Metric,
    level: Level,
    coverage: f64,
) -> Result<Vec<Comparison>, EvaluationError> {
    let mut comparisons: Vec<Comparison> = variants
        .iter()
        .map(|variant| compare(variant, baseline, metric, level, coverage))
        .collect::<Result<_, _>>()?;
    let p_values: Vec<f64> = comparisons.iter().filter_map(|comparison| comparison.p).collect();
    let with_p = comparisons.iter_mut().filter(|comparison| comparison.p.is_some());
    for (comparison, adjusted) in with_p.zip(holm(&p_values)) {
        comparison.holm_p = Some(adjusted);
    }
    Ok(comparisons)
}

type Key = (u32, u32, u64);

fn first_difference(a: &VariantEvaluation, b: &VariantEvaluation, level: Level) -> Option<String> {
    for variant in [a, b] {
        if !variant.mean.contains_key(&level) {
            return Some(format!("`{}` was not evaluated per {}", variant.variant, name(level)));
        }
    }
    let by_key = |variant: &VariantEvaluation| -> BTreeMap<Key, FoldEvaluation> {
        variant
            .folds
            .iter()
            .map(|fold| ((fold.repeat, fold.fold, fold.seed), fold.clone()))
            .collect()
    };
    let (of_a, of_b) = (by_key(a), by_key(b));
    for (mine, theirs, owner) in [(&of_a, &of_b, b), (&of_b, &of_a, a)] {
        if let Some((repeat, fold, seed)) = mine.keys().find(|key| !theirs.contains_key(key)) {
            return Some(format!(
                "`{}` has no repeat {repeat}, fold {fold}, seed {seed}",
                owner.variant
            ));
        }
    }
    of_a.iter()
        .find_map(|(key, fold)| fold_difference(fold, of_b.get(key)?, level))
}

fn fold_difference(a: &FoldEvaluation, b: &FoldEvaluation, level: Level) -> Option<String> {
    let place = format!("repeat {}, fold {}, seed {}", a.repeat, a.fold, a.seed);
    for (mine, theirs, which) in [(a, b, "first"), (b, a, "second")] {
        if let Some(subject) = mine.subjects.iter().find(|subject| !theirs.subjects.contains(subject)) {
            return Some(format!("in {place} only the {which} is scored on subject `{subject}`"));
        }
    }
    // The same subjects cut into other windows are still the same subjects.
    if level == Level::Window && a.num_windows != b.num_windows {
        return Some(format!(
            "in {place} they are scored on {} and {} windows",
            a.num_windows, b.num_windows
        ));
    }
    let trained = |fold: &FoldEvaluation| {
        fold.num_train_subjects
            .map_or("an unknown number of".to_owned(), |n| n.to_string())
    };
    (a.num_train_subjects != b.num_train_subjects).then(|| {
        format!(
            "in {place} they are trained on {} and {} subjects",
            trained(a),
            trained(b)
        )
    })
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Window => "window",
        Level::Subject => "subject",
    }
}
