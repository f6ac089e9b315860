//! Common form of the features of a signal: names of columns, a check, and a function of one window.

use crate::base::Problem;
use realfft::RealFftPlanner;
use serde::{Deserialize, Serialize};

/// One column of a feature table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Name, unique in the table.
    pub name: String,
    /// Unit; `1` for numbers without one.
    pub unit: String,
}

/// The signal that windows are cut from.
#[derive(Debug, Clone, Copy)]
pub struct SignalInfo<'a> {
    /// Names of the channels.
    pub channels: &'a [crate::dataset::subjects::Channel],
    /// Samples per second.
    pub rate_hz: f64,
    /// Samples of the shortest window.
    pub num_samples: usize,
}

impl<'a> SignalInfo<'a> {
    /// The channel with this name; `key` is the key that asks for it.
    ///
    /// # Errors
    /// The key, and the names that there are.
    pub fn channel(&self, key: &str, name: &str) -> Result<&'a crate::dataset::subjects::Channel, Problem> {
        self.channels
            .iter()
            .find(|channel| channel.name == name)
            .ok_or_else(|| {
                let names: Vec<_> = self
                    .channels
                    .iter()
                    .map(|channel| format!("`{}`", channel.name))
                    .collect();
                Problem::new(
                    key,
                    format!("must name a channel, but `{name}` is none of {}", names.join(", ")),
                )
            })
    }

    /// Whether the rate is high enough; `key` is the key of what needs it.
    ///
    /// # Errors
    /// The key, and both rates.
    pub fn at_least(&self, key: &str, rate_hz: f64) -> Result<(), Problem> {
        match self.rate_hz >= rate_hz {
            true => Ok(()),
            false => Err(Problem::new(
                key,
                format!("must have a rate of at least {rate_hz} Hz, but has {} Hz", self.rate_hz),
            )),
        }
    }
}

/// Plans of Fourier transforms and buffers that one thread keeps between windows.
#[derive(Default)]
pub struct Scratch {
    /// Plans by length.
    pub fourier: RealFftPlanner<f64>,
    /// Buffers of spectra.
    pub spectrum: super::spectrum::Buffers,
    /// Buffers of wavelet transforms.
    pub wavelet: super::wavelet::Buffers,
    /// Samples in order of size.
    pub sorted: Vec<f64>,
    /// Numbers that order samples.
    pub keys: Vec<i64>,
}

/// The unit of a square: `mV^2`.
pub(crate) fn squared(unit: &str) -> String {
    match unit {
        "1" => unit.to_owned(),
        _ if unit.chars().all(char::is_alphanumeric) => format!("{unit}^2"),
        _ => format!("({unit})^2"),
    }
}

/// Features of a window of a signal. Implemented by the configuration of each kind, which stands in `[features]`.
pub trait SignalFeature: Send + Sync {
    /// Names of the channels that [`Self::extract`] takes, in its order; a name may stand twice. All of the signal,
    /// unless a feature says otherwise.
    fn channels<'s>(&'s self, signal: &SignalInfo<'s>) -> Vec<&'s str> {
        signal.channels.iter().map(|channel| channel.name.as_str()).collect()
    }

    /// The columns, for all channels of the signal.
    fn columns(&self, signal: &SignalInfo) -> Vec<Column>;

    /// Why the features cannot be computed from this signal: the key that is wrong and what was expected.
    ///
    /// # Errors
    /// The first problem.
    fn check(&self, signal: &SignalInfo) -> Result<(), Problem>;

    /// Whether windows with missing samples are wanted; without, their features are NaN.
    fn takes_missing(&self) -> bool {
        false
    }

    /// Appends one value per column. `window` has the samples of each channel of [`Self::channels`], all finite; NaN is
    /// the value of what a window does not define, such as a heart rate without beats.
    fn extract(&self, window: &[&[f64]], rate_hz: f64, scratch: &mut Scratch, values: &mut Vec<f64>);
}
