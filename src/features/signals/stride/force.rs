//! Gait from the force under the left and the right foot.

use serde::{Deserialize, Serialize};

use super::contacts::{ContactThreshold, Stride, strides};
use super::series::{Outliers, STATISTICS, statistics, symmetry_index};
use crate::base::Problem;
use crate::features::signals::{Column, Scratch, SignalFeature, SignalInfo};
use crate::signal::statistics::mean;

/// Features of the strides of a window.
///
/// A foot is on the ground while its force is above a threshold with hysteresis; strides that the rule of `outliers`
/// takes for turns or stumbles are left out with all their phases. For each foot: mean, sample standard deviation and
/// coefficient of variation of stride, swing, stance and double support times, and of the strides also the
/// autocorrelation at lag 1 and the scaling exponent of [`dfa_alpha`](super::dfa_alpha) (Hausdorff et al. 1995, J Appl
/// Physiol 78:349); between the feet, the symmetry index of the means. NaN for what a window has too few strides for: 2
/// for a deviation, `2 dfa_sizes[1]` for the exponent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaitForce {
    /// Channel of the force under the left foot, larger when loaded.
    pub left: String,
    /// Channel of the force under the right foot.
    pub right: String,
    /// Default: relative to the range.
    #[serde(default)]
    pub threshold: ContactThreshold,
    /// Shorter contacts and swings are errors of the threshold; default 0.1.
    #[serde(default = "min_phase_secs")]
    pub min_phase_secs: f64,
    /// Default: strides further than 3 standard deviations from the median.
    #[serde(default = "outliers")]
    pub outliers: Outliers,
    /// Smallest and largest box of the exponent, in strides; default 10 and 20.
    #[serde(default = "super::dfa_sizes")]
    pub dfa_sizes: [usize; 2],
}

fn min_phase_secs() -> f64 {
    0.1
}

fn outliers() -> Outliers {
    Outliers::Deviations { num: 3.0 }
}

/// Name of a phase, its time, and how many of [`STATISTICS`] it has.
type Phase = (&'static str, fn(&Stride) -> f64, usize);

const PHASES: [Phase; 4] = [
    ("stride", |s| s.stride_secs, 5),
    ("swing", |s| s.swing_secs, 3),
    ("stance", |s| s.stance_secs, 3),
    ("double_support", |s| s.double_support_secs, 3),
];

impl GaitForce {
    /// The strides of the left and of the right foot, outliers included.
    pub fn strides(&self, left: &[f64], right: &[f64], rate_hz: f64) -> [Vec<Stride>; 2] {
        let [left, right] = [left, right].map(|x| self.threshold.contact(x, rate_hz, self.min_phase_secs));
        [strides(&left, &right, rate_hz), strides(&right, &left, rate_hz)]
    }
}

impl SignalFeature for GaitForce {
    fn channels<'s>(&'s self, _: &SignalInfo<'s>) -> Vec<&'s str> {
        vec![&self.left, &self.right]
    }

    fn columns(&self, _: &SignalInfo) -> Vec<Column> {
        let column = |name: String, unit: &str| Column {
            name,
            unit: unit.into(),
        };
        let mut columns = Vec::new();
        for side in [&self.left, &self.right] {
            for (phase, _, count) in PHASES {
                let statistics = STATISTICS.iter().take(count);
                columns.extend(
                    statistics.map(|(name, unit)| column(format!("{side}.{phase}_{name}"), unit.unwrap_or("s"))),
                );
            }
        }
        let pair = format!("{}-{}", self.left, self.right);
        columns.extend(
            PHASES
                .iter()
                .take(3)
                .map(|(phase, ..)| column(format!("{pair}.{phase}_symmetry_index"), "1")),
        );
        columns
    }

    fn check(&self, signal: &SignalInfo) -> Result<(), Problem> {
        signal.channel("left", &self.left)?;
        signal.channel("right", &self.right)?;
        if self.left == self.right {
            return Err(Problem::new(
                "right",
                format!("must be another channel than left, but both are `{}`", self.left),
            ));
        }
        if !(self.min_phase_secs >= 0.0 && self.min_phase_secs.is_finite()) {
            return Err(Problem::new(
                "min_phase_secs",
                format!("must be at least 0, but is {}", self.min_phase_secs),
            ));
        }
        self.threshold.check()?;
        self.outliers.check("outliers")?;
        super::check_dfa_sizes(self.dfa_sizes)
    }

    fn extract(&self, window: &[&[f64]], rate_hz: f64, _: &mut Scratch, values: &mut Vec<f64>) {
        let [left, right] = window else { return };
        let [smallest, largest] = self.dfa_sizes;
        let mut means = Vec::new();
        for strides in self.strides(left, right, rate_hz) {
            let lengths: Vec<f64> = strides.iter().map(|s| s.stride_secs).collect();
            let kept = self.outliers.kept(&lengths);
            for (_, phase, count) in PHASES {
                let series = strides
                    .iter()
                    .zip(&kept)
                    .filter(|(_, kept)| **kept)
                    .map(|(stride, _)| phase(stride));
                let series: Vec<f64> = series.collect();
                means.push(mean(series.iter().copied()));
                values.extend(statistics(&series, smallest..=largest).into_iter().take(count));
            }
        }
        let (left, right) = means.split_at(PHASES.len());
        values.extend(
            left.iter()
                .zip(right)
                .take(3)
                .map(|(left, right)| symmetry_index(*left, *right)),
        );
    }
}
