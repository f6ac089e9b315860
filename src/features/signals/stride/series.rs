//! Statistics of a series of intervals: strides, heart beats.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::dfa::dfa_alpha;
use crate::base::Problem;
use crate::features::signals::statistics::autocorrelation;
use crate::signal::statistics::{mean, median, sample_std};

/// Which values of a series are taken for errors of detection, ectopic beats or turns, and left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outliers {
    /// None.
    Keep {},
    /// Values further than `num` standard deviations of the series from its median (Hausdorff et al. 2000, J Appl
    /// Physiol 88:2045, with 3).
    Deviations {
        /// Default 3.
        #[serde(default = "three")]
        num: f64,
    },
    /// Values that differ by more than `share` from the median of the 11 values around them, themselves included; fewer
    /// at the ends. An ectopic beat is a short interval and a long one, and loses both; a missed beat is a double one.
    LocalMedian {
        /// Default 0.2.
        #[serde(default = "fifth")]
        share: f64,
    },
}

fn three() -> f64 {
    3.0
}

fn fifth() -> f64 {
    0.2
}

impl Outliers {
    /// Checks the setting, which stands at `key`.
    pub(crate) fn check(&self, key: &str) -> Result<(), Problem> {
        let (name, value) = match self {
            Self::Keep {} => return Ok(()),
            Self::Deviations { num } => ("num", *num),
            Self::LocalMedian { share } => ("share", *share),
        };
        match value > 0.0 && value.is_finite() {
            true => Ok(()),
            false => Err(Problem::new(
                format!("{key}.{name}"),
                format!("must be above 0, but is {value}"),
            )),
        }
    }

    /// Whether each of the values is to be kept. Values that are not finite never are.
    pub fn kept(&self, values: &[f64]) -> Vec<bool> {
        const SIDE: usize = 5;
        let finite: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
        match self {
            Self::Keep {} => values.iter().map(|x| x.is_finite()).collect(),
            Self::Deviations { num } => {
                let most = num * sample_std(&finite);
                let centre = median(finite);
                // One value has no deviation, and is kept.
                let most = if most.is_nan() { f64::INFINITY } else { most };
                values
                    .iter()
                    .map(|x| x.is_finite() && (x - centre).abs() <= most)
                    .collect()
            }
            Self::LocalMedian { share } => {
                let near = |index: usize| {
                    let around = index.saturating_sub(SIDE)..(index + SIDE + 1).min(values.len());
                    let around = values.get(around).unwrap_or_default();
                    median(around.iter().copied().filter(|x| x.is_finite()).collect())
                };
                let keep = |(index, x): (usize, &f64)| {
                    let centre = near(index);
                    x.is_finite() && (x - centre).abs() <= share * centre.abs()
                };
                values.iter().enumerate().map(keep).collect()
            }
        }
    }

    /// The values that are kept, one after the other.
    pub fn apply(&self, values: &[f64]) -> Vec<f64> {
        values
            .iter()
            .zip(self.kept(values))
            .filter(|(_, keep)| *keep)
            .map(|(x, _)| *x)
            .collect()
    }
}

/// Names and units of [`statistics`]; `None` stands for the unit of the series.
pub(crate) const STATISTICS: [(&str, Option<&str>); 5] = [
    ("mean", None),
    ("sd", None),
    ("cv", Some("%")),
    ("lag1", Some("1")),
    ("dfa_alpha", Some("1")),
];

/// Mean, sample standard deviation, coefficient of variation `100 sd / mean`, autocorrelation at lag 1 and
/// [`dfa_alpha`] of a series.
///
/// Lag 1: `sum (x[i] - m)(x[i + 1] - m) / sum (x[i] - m)^2`. NaN for what the series does not define: a deviation of
/// less than two values, ratios of 0.
pub fn statistics(series: &[f64], dfa_sizes: RangeInclusive<usize>) -> [f64; 5] {
    let (mean, std) = (mean(series.iter().copied()), sample_std(series));
    [
        mean,
        std,
        ratio(100.0 * std, mean),
        autocorrelation(series, 1),
        dfa_alpha(series, dfa_sizes),
    ]
}

/// `2 |left - right| / (left + right)` (Robinson et al. 1987): 0 for equal sides, 2 when one is 0.
pub fn symmetry_index(left: f64, right: f64) -> f64 {
    ratio(2.0 * (left - right).abs(), left + right)
}

/// NaN where the denominator is 0.
pub(crate) fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 {
        f64::NAN
    } else {
        numerator / denominator
    }
}
