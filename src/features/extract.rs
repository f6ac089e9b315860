//! What every feature of a signal is: names for its columns, a check, and a function of one window.

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
    pub channels: &'a [crate::data::Channel],
    /// Samples per second.
    pub rate_hz: f64,
    /// Samples of the shortest window.
    pub num_samples: usize,
}

/// Plans of Fourier transforms and buffers that one thread keeps between windows.
#[derive(Default)]
pub struct Scratch {
    /// Plans by length.
    pub fourier: RealFftPlanner<f64>,
}

/// Features of a window of a signal. Implemented by the configuration of each kind, which stands in `[features]`.
pub trait SignalFeature: Send + Sync {
    /// The columns, for all channels of the signal.
    fn columns(&self, signal: &SignalInfo) -> Vec<Column>;

    /// Why the features cannot be computed from this signal: the key that is wrong and what was expected.
    ///
    /// # Errors
    /// The first problem.
    fn check(&self, signal: &SignalInfo) -> Result<(), (String, String)>;

    /// Appends one value per column. `window` has the samples of each channel, all finite; NaN is the value of what a
    /// window does not define, such as a heart rate without beats.
    fn extract(&self, window: &[&[f64]], rate_hz: f64, scratch: &mut Scratch, values: &mut Vec<f64>);
}
