//! Intervals for a mean over seeds or over cross-validation folds.

use serde::{Deserialize, Serialize};

use super::significance::{t_quantile, t_two_sided_p};

/// How an interval was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Student's t over independent values, such as seeds.
    StudentT,
    /// Student's t with the variance corrected for training data shared between folds (Nadeau and Bengio 2003).
    CorrectedT,
    /// Percentiles of the bootstrap.
    BootstrapPercentile,
    /// Bias-corrected and accelerated bootstrap (Efron 1987).
    BootstrapBca,
}

/// An estimate and its interval; a missing bound means that the data cannot give one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The estimate, `None` when it is undefined.
    pub estimate: Option<f64>,
    /// Lower bound.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// Coverage aimed at, such as 0.95.
    pub level: f64,
    /// How the bounds were made.
    pub method: Method,
    /// Number of values, or of units resampled, behind it.
    pub num_items: usize,
}

impl Interval {
    /// An estimate without bounds.
    pub(super) fn unbounded(estimate: Option<f64>, level: f64, method: Method, num_items: usize) -> Self {
        Self {
            estimate,
            low: None,
            high: None,
            level,
            method,
            num_items,
        }
    }
}

/// Mean and variance (divisor J - 1; 0 for one value). The variance of equal values is exactly 0.
fn mean_and_variance(values: &[f64]) -> Option<(f64, f64)> {
    let first = *values.first()?;
    if values.iter().all(|&value| value == first) {
        return Some((first, 0.0));
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((mean, squares / (count - 1.0)))
}

/// mean +- t sqrt(s^2 / J), J - 1 degrees of freedom, for J independent values such as seeds.
///
/// No value: no estimate. One value, or values not finite: no bounds. Equal values: bounds equal to the estimate.
pub fn t_interval(values: &[f64], level: f64) -> Interval {
    with_variance_factor(values, Some(1.0 / values.len() as f64), level, Method::StudentT)
}

/// mean +- t sqrt((1/J + n_test/n_train) s^2), J - 1 degrees of freedom, over the J = k r values of r times k folds.
///
/// `test_to_train` is n_test / n_train, 1 / (k - 1) for k folds without a validation part. Without it there are no
/// bounds; otherwise degenerate inputs give what [`t_interval`] gives. For a paired comparison, pass the differences.
pub fn corrected_t_interval(values: &[f64], test_to_train: Option<f64>, level: f64) -> Interval {
    let factor = test_to_train.map(|ratio| 1.0 / values.len() as f64 + ratio);
    with_variance_factor(values, factor, level, Method::CorrectedT)
}

fn with_variance_factor(values: &[f64], factor: Option<f64>, level: f64, method: Method) -> Interval {
    let moments = mean_and_variance(values).filter(|(mean, variance)| mean.is_finite() && variance.is_finite());
    let mut interval = Interval::unbounded(moments.map(|(mean, _)| mean), level, method, values.len());
    let quantile = (values.len() > 1)
        .then(|| t_quantile(0.5 + level / 2.0, values.len() as f64 - 1.0))
        .flatten();
    if let (Some((mean, variance)), Some(factor), Some(quantile)) = (moments, factor, quantile) {
        let half_width = quantile * (factor * variance).sqrt();
        interval.low = Some(mean - half_width);
        interval.high = Some(mean + half_width);
    }
    interval
}

/// Two-sided p that the mean is zero, with the corrected variance of [`corrected_t_interval`].
///
/// `None` for fewer than two values, for equal values (the t statistic is undefined or infinite) or without
/// `test_to_train`.
pub fn corrected_t_p(differences: &[f64], test_to_train: Option<f64>) -> Option<f64> {
    let (mean, variance) = mean_and_variance(differences)?;
    let count = differences.len() as f64;
    let error = ((1.0 / count + test_to_train?) * variance).sqrt();
    if error > 0.0 {
        t_two_sided_p(mean / error, count - 1.0)
    } else {
        None
    }
}
