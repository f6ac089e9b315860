//! Heart rate variability of a window of an electrocardiogram.

use serde::{Deserialize, Serialize};

use super::variability::{NONLINEAR, SPECTRAL, TIME_DOMAIN, nonlinear, spectral, time_domain};
use super::{BeatIntervals, ecg, r_peaks};
use crate::base::Problem;
use crate::features::signals::stride::Outliers;
use crate::features::signals::{Column, Scratch, SignalFeature, SignalInfo};

/// Measures of the intervals between the [`r_peaks`] of one channel: [`time_domain`], [`spectral`] and [`nonlinear`].
///
/// Windows of five minutes are the standard; what a window is too short for is NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hrv {
    /// The electrocardiogram, R waves up, at 50 Hz or more (250 Hz or more for the small differences of RMSSD).
    pub channel: String,
    /// Intervals that are left out; default: those that differ by more than 20 % from the median of the 11 around them.
    #[serde(default = "outliers")]
    pub outliers: Outliers,
    /// Length of the segments of the spectrum; default 120.
    #[serde(default = "segment_secs")]
    pub segment_secs: f64,
}

fn outliers() -> Outliers {
    Outliers::LocalMedian { share: 0.2 }
}

fn segment_secs() -> f64 {
    120.0
}

impl SignalFeature for Hrv {
    fn channels<'s>(&'s self, _: &SignalInfo<'s>) -> Vec<&'s str> {
        vec![&self.channel]
    }

    fn columns(&self, _: &SignalInfo) -> Vec<Column> {
        let names = TIME_DOMAIN.iter().chain(&SPECTRAL).chain(&NONLINEAR);
        names
            .map(|(name, unit)| Column {
                name: format!("{}.{name}", self.channel),
                unit: (*unit).into(),
            })
            .collect()
    }

    fn check(&self, signal: &SignalInfo) -> Result<(), Problem> {
        signal.channel("channel", &self.channel)?;
        self.outliers.check("outliers")?;
        // Two bins of 0.04 to 0.15 Hz.
        if !(self.segment_secs >= 30.0 && self.segment_secs.is_finite()) {
            return Err(Problem::new(
                "segment_secs",
                format!("must be at least 30 s, but is {} s", self.segment_secs),
            ));
        }
        signal.at_least("channel", ecg::MIN_RATE_HZ)
    }

    fn extract(&self, window: &[&[f64]], rate_hz: f64, scratch: &mut Scratch, values: &mut Vec<f64>) {
        let Some(ecg) = window.first() else { return };
        let beats: Vec<f64> = r_peaks(ecg, rate_hz)
            .into_iter()
            .map(|peak| peak as f64 / rate_hz)
            .collect();
        let intervals = BeatIntervals::new(&beats, &self.outliers);
        values.extend(time_domain(&intervals));
        values.extend(spectral(&intervals, self.segment_secs, scratch));
        values.extend(nonlinear(&intervals));
    }
}
