//! Spectra of signals: Welch's density, short-time Fourier transforms, and the features read off them.
//!
//! The conventions are SciPy's: periodic tapers, one-sided spectra, frames that begin at the first sample.

mod frames;
mod stft;
mod taper;
mod welch;

pub use frames::{Detrend, Edges, Frames};
pub use stft::StftConfig;
pub use taper::{Buffers, Taper};
pub use welch::{Scaling, Welch, WelchConfig};

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::base::Problem;
use crate::features::signals::SignalInfo;

/// Ranges of frequency by name, `[lowest, highest]` in Hz.
pub type Bands = BTreeMap<String, [f64; 2]>;

/// A one-sided spectrum from frequency 0 on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spectrum {
    /// Hz from one bin to the next.
    pub step_hz: f64,
    /// Density per Hz, or power, of each bin.
    pub power: Vec<f64>,
}

/// How a density is integrated over a band; equal to the functions of `scipy.integrate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Integration {
    /// Straight lines between bins.
    #[default]
    Trapezoid,
    /// Parabolas through three bins; where their number is even, the last interval by Cartwright's correction.
    Simpson,
}

impl Integration {
    /// The integral over values `step` apart; 0 of fewer than two.
    pub fn of(self, values: &[f64], step: f64) -> f64 {
        let trapezoid = |values: &[f64]| values.windows(2).map(|pair| pair[0] + pair[1]).sum::<f64>() * step / 2.0;
        let simpson = |values: &[f64]| {
            let parabola = |three: &[f64]| three[0] + 4.0 * three[1] + three[2];
            values.windows(3).step_by(2).map(parabola).sum::<f64>() * step / 3.0
        };
        match (self, values) {
            (Self::Simpson, [rest @ .., last]) if values.len() >= 4 && values.len().is_multiple_of(2) => {
                let [before, middle] = [rest[rest.len() - 2], rest[rest.len() - 1]];
                simpson(rest) + step * (5.0 * last + 8.0 * middle - before) / 12.0
            }
            (Self::Simpson, [_, _, _, ..]) => simpson(values),
            _ => trapezoid(values),
        }
    }
}

impl Spectrum {
    /// The bins from `low_hz` to `high_hz`, both included if they lie on a bin.
    pub fn bins(&self, low_hz: f64, high_hz: f64) -> Range<usize> {
        // A frequency that is a bin but for its last digits counts as that bin.
        let slack = 1e-9;
        let start = (low_hz / self.step_hz - slack).ceil().max(0.0) as usize;
        let end = (high_hz / self.step_hz + slack).floor() + 1.0;
        let end = if end > 0.0 {
            (end as usize).min(self.power.len())
        } else {
            0
        };
        start.min(end)..end
    }

    fn of(&self, bins: &Range<usize>) -> &[f64] {
        self.power.get(bins.clone()).unwrap_or_default()
    }

    fn hz(&self, bin: usize) -> f64 {
        bin as f64 * self.step_hz
    }

    /// Integral of the density from `low_hz` to `high_hz` over the bins within: in the square of the signal's unit.
    pub fn band_power(&self, [low_hz, high_hz]: [f64; 2], integration: Integration) -> f64 {
        integration.of(self.of(&self.bins(low_hz, high_hz)), self.step_hz)
    }

    /// The frequency of the largest of these bins, the lowest if several are; NaN without power.
    pub fn dominant_hz(&self, bins: Range<usize>) -> f64 {
        let largest = self
            .of(&bins)
            .iter()
            .enumerate()
            .fold((0, 0.0), |best, (bin, &p)| if p > best.1 { (bin, p) } else { best });
        if largest.1 > 0.0 {
            self.hz(bins.start + largest.0)
        } else {
            f64::NAN
        }
    }

    /// `sum f P / sum P`: the mean frequency of these bins; NaN without power.
    pub fn mean_hz(&self, bins: Range<usize>) -> f64 {
        let power = self.of(&bins);
        let weighted: f64 = power.iter().zip(bins.clone()).map(|(p, bin)| p * self.hz(bin)).sum();
        weighted / power.iter().sum::<f64>()
    }

    /// The lowest frequency up to which these bins have at least `share` of their power: the median frequency for 1/2,
    /// the spectral edge for 0.95; NaN without power.
    pub fn edge_hz(&self, bins: Range<usize>, share: f64) -> f64 {
        let power = self.of(&bins);
        let wanted = share * power.iter().sum::<f64>();
        let mut sum = 0.0;
        let reached = power.iter().position(|p| {
            sum += p;
            sum >= wanted
        });
        // Rounding may leave the sum below a share of 1.
        if wanted > 0.0 {
            self.hz(bins.start + reached.unwrap_or(power.len() - 1))
        } else {
            f64::NAN
        }
    }

    /// Shannon entropy of the shares of these bins over that of as many equal ones: `-sum p log p / log N`, from 0 for
    /// a tone to 1 for white noise; NaN without power or of one bin.
    pub fn entropy(&self, bins: Range<usize>) -> f64 {
        let power = self.of(&bins);
        let total: f64 = power.iter().sum();
        let sum: f64 = power
            .iter()
            .filter(|p| **p > 0.0)
            .map(|p| p / total * (p / total).ln())
            .sum();
        if total > 0.0 && power.len() > 1 {
            -sum / (power.len() as f64).ln()
        } else {
            f64::NAN
        }
    }
}

/// The first problem of bands: names, order, Nyquist frequency, and too few bins to integrate.
fn check_bands(bands: &Bands, segment: usize, signal: &SignalInfo) -> Result<(), Problem> {
    let nyquist = signal.rate_hz / 2.0;
    let spectrum = Spectrum {
        step_hz: signal.rate_hz / segment as f64,
        power: vec![0.0; segment / 2 + 1],
    };
    for (name, &[low, high]) in bands {
        let key = format!("bands.{name}");
        if !(low >= 0.0 && low < high && high <= nyquist) {
            let expected =
                format!("must be [low, high] from 0 to half the sampling rate, {nyquist} Hz, but is [{low}, {high}]");
            return Err(Problem::new(key, expected));
        }
        if spectrum.bins(low, high).len() < 2 {
            let step = spectrum.step_hz;
            return Err(Problem::new(
                key,
                format!("has fewer than 2 bins, which are {step} Hz apart: take longer segments"),
            ));
        }
    }
    Ok(())
}

/// Samples in `secs`, at least 2 and at most those of the window.
fn check_segment(key: &str, secs: f64, signal: &SignalInfo) -> Result<usize, Problem> {
    let samples = (secs * signal.rate_hz).round();
    if samples >= 2.0 && samples <= signal.num_samples as f64 {
        return Ok(samples as usize);
    }
    let window_secs = signal.num_samples as f64 / signal.rate_hz;
    Err(Problem::new(
        key,
        format!("must be 2 samples to the length of a window, {window_secs} s, but is {secs} s"),
    ))
}

/// The first problem of an overlap.
fn check_overlap(overlap: f64) -> Result<(), Problem> {
    if (0.0..1.0).contains(&overlap) {
        return Ok(());
    }
    Err(Problem::new(
        "overlap",
        format!("must be a share of the segment, from 0 to less than 1, but is {overlap}"),
    ))
}
