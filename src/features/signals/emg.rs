//! Features of a surface electromyogram.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::spectrum::Welch;
use crate::base::Problem;
use crate::features::signals::{Column, Scratch, SignalFeature, SignalInfo, squared};
use crate::signal::filter::{Filter, Passband, Phase, Sos};
use crate::signal::statistics::mean_variance;
use crate::signal::sums::{sum, sum_neighbours};

/// Order of the envelope's low-pass.
const ENVELOPE_ORDER: usize = 4;

/// Features of the electromyogram `x` of a window, for `N` samples at `rate` per second (Phinyomark et al. 2012 where
/// they name one). Amplitude: `rms`; `mav` = `mean |x|`; `iemg` = `sum |x| / rate`; `variance` (ddof 1);
/// `waveform_length` = `sum |x[i+1] - x[i]|`. Counts, of changes of at least `threshold`: `zero_crossings` of opposite
/// signs; `slope_sign_changes`, samples above or below both neighbours and away from one by the threshold (Hudgins et
/// al. 1993); `willison_amplitude`, steps. Envelope (the rectified signal through a zero-phase Butterworth low-pass of
/// order 4): `envelope_mean`, `envelope_peak`. Spectrum (Welch's density with Hann segments, half overlapping, within
/// `band_hz`): `mean_frequency` = `sum f P / sum P`; `median_frequency`, the lowest with at least half of the power up
/// to it; `dominant_frequency`; NaN of silence. With `baseline_secs`: `onset`, the seconds from the start of the window
/// until the envelope rises; NaN if it does not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmgConfig {
    /// Least change that is counted, in the unit of the signal; above the noise of the amplifier.
    pub threshold: f64,
    /// Cut-off of the envelope's low-pass; default 6.
    #[serde(default = "envelope_hz")]
    pub envelope_hz: f64,
    /// Segments of the spectrum; default 0.25.
    #[serde(default = "segment_secs")]
    pub segment_secs: f64,
    /// Lowest and highest frequency of the spectrum's features; default `[20, 450]`.
    #[serde(default = "band_hz")]
    pub band_hz: [f64; 2],
    /// The start of each window in which the muscle rests; absent: no onset. An envelope without delay rises before the
    /// muscle, at 6 Hz by 0.1 to 0.2 s: a higher `envelope_hz` gives a sharper onset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_secs: Option<f64>,
    /// Standard deviations above the mean of the rest at which activity begins; default 3.
    #[serde(default = "onset_deviations")]
    pub onset_deviations: f64,
    /// For how long the envelope must stay above; default 0.025.
    #[serde(default = "onset_secs")]
    pub onset_secs: f64,
}

fn envelope_hz() -> f64 {
    6.0
}

fn segment_secs() -> f64 {
    0.25
}

fn band_hz() -> [f64; 2] {
    [20.0, 450.0]
}

fn onset_deviations() -> f64 {
    3.0
}

fn onset_secs() -> f64 {
    0.025
}

/// `sqrt(mean x^2)`.
pub fn rms(samples: &[f64]) -> f64 {
    (sum(samples, |x| x * x) / samples.len() as f64).sqrt()
}

/// Pairs of neighbours of opposite signs that differ by at least `threshold`.
pub fn zero_crossings(samples: &[f64], threshold: f64) -> usize {
    let crosses = |pair: &[f64]| usize::from((pair[0] * pair[1] < 0.0) & ((pair[0] - pair[1]).abs() >= threshold));
    samples.windows(2).map(crosses).sum()
}

/// Samples above or below both neighbours that differ from at least one of them by `threshold`.
pub fn slope_sign_changes(samples: &[f64], threshold: f64) -> usize {
    let turns = |three: &[f64]| {
        let (before, after) = (three[1] - three[0], three[1] - three[2]);
        usize::from((before * after > 0.0) & ((before.abs() >= threshold) | (after.abs() >= threshold)))
    };
    samples.windows(3).map(turns).sum()
}

/// Steps of at least `threshold`.
pub fn willison_amplitude(samples: &[f64], threshold: f64) -> usize {
    samples
        .windows(2)
        .map(|pair| usize::from((pair[0] - pair[1]).abs() >= threshold))
        .sum()
}

/// `sum |x[i+1] - x[i]|`: the waveform length, also known as line length.
pub fn line_length(samples: &[f64]) -> f64 {
    sum_neighbours(samples, |a, b| (b - a).abs())
}

/// The rectified signal through a zero-phase Butterworth low-pass of order 4; all NaN if it is too short for that (15
/// samples).
pub fn envelope(samples: &[f64], low_pass_hz: f64, rate_hz: f64) -> Vec<f64> {
    let mut values: Vec<f64> = samples.iter().map(|x| x.abs()).collect();
    if !Sos::butterworth(ENVELOPE_ORDER, Passband::Low(low_pass_hz), rate_hz).zero_phase(&mut values) {
        values.fill(f64::NAN);
    }
    values
}

/// The first sample after the baseline from which the envelope stays above `mean + deviations * sd` (ddof 0) of the
/// baseline for at least `min_samples` (Hodges & Bui 1996).
pub fn onset(envelope: &[f64], baseline: Range<usize>, deviations: f64, min_samples: usize) -> Option<usize> {
    let rest = envelope.get(baseline.clone()).filter(|rest| !rest.is_empty())?;
    let [mean, variance] = mean_variance(rest, 0);
    let threshold = mean + deviations * variance.sqrt();
    let mut above = 0;
    let end = envelope.iter().enumerate().skip(baseline.end).find_map(|(index, x)| {
        above = if *x > threshold { above + 1 } else { 0 };
        (above >= min_samples.max(1)).then_some(index + 1)
    })?;
    Some(end - above)
}

impl SignalFeature for EmgConfig {
    fn columns(&self, signal: &SignalInfo) -> Vec<Column> {
        let mut columns = Vec::new();
        for channel in signal.channels {
            let unit = channel.unit.as_str();
            let (square, integral) = (
                squared(unit),
                if unit == "1" { "s".into() } else { format!("{unit} s") },
            );
            let all = [
                ("rms", unit),
                ("mav", unit),
                ("iemg", &integral),
                ("variance", &square),
                ("waveform_length", unit),
                ("zero_crossings", "1"),
                ("slope_sign_changes", "1"),
                ("willison_amplitude", "1"),
                ("envelope_mean", unit),
                ("envelope_peak", unit),
                ("mean_frequency", "Hz"),
                ("median_frequency", "Hz"),
                ("dominant_frequency", "Hz"),
                ("onset", "s"),
            ];
            let wanted = all
                .into_iter()
                .filter(|(name, _)| *name != "onset" || self.baseline_secs.is_some());
            columns.extend(wanted.map(|(name, unit)| Column {
                name: format!("{}.emg.{name}", channel.name),
                unit: unit.into(),
            }));
        }
        columns
    }

    fn check(&self, signal: &SignalInfo) -> Result<(), Problem> {
        let (nyquist, window_secs) = (signal.rate_hz / 2.0, signal.num_samples as f64 / signal.rate_hz);
        let [low, high] = self.band_hz;
        let segment = (self.segment_secs * signal.rate_hz).round();
        let problem = |key: &str, message: String| Err(Problem::new(key, message));
        if !(self.threshold >= 0.0 && self.threshold.is_finite()) {
            return problem("threshold", format!("must be at least 0, but is {}", self.threshold));
        }
        if !(self.envelope_hz > 0.0 && self.envelope_hz < nyquist) {
            let found = self.envelope_hz;
            return problem(
                "envelope_hz",
                format!("must lie above 0 and below {nyquist} Hz, but is {found}"),
            );
        }
        let pad = Sos::butterworth(ENVELOPE_ORDER, Passband::Low(self.envelope_hz), signal.rate_hz).pad_len();
        if signal.num_samples <= pad {
            let found = signal.num_samples;
            return problem(
                "envelope_hz",
                format!("needs windows of more than {pad} samples, but they have {found}"),
            );
        }
        if !(low >= 0.0 && low < high && high <= nyquist) {
            let message = format!(
                "must be [low, high] from 0 to half the sampling rate, {nyquist} Hz, but is [{low}, {high}]: an electromyogram \
                 reaches 450 Hz; of a slower recording, name the part that it has"
            );
            return problem("band_hz", message);
        }
        if !(segment >= 2.0 && segment <= signal.num_samples as f64) {
            let found = self.segment_secs;
            return problem(
                "segment_secs",
                format!("must be at most the window's {window_secs} s, but is {found}"),
            );
        }
        if (high * segment / signal.rate_hz).floor() < (low * segment / signal.rate_hz).ceil() {
            return problem("band_hz", "has no bin of the spectrum: take longer segments".into());
        }
        match self.baseline_secs {
            Some(secs) if !(secs * signal.rate_hz >= 2.0 && secs < window_secs) => problem(
                "baseline_secs",
                format!("must be less than the window's {window_secs} s, but is {secs}"),
            ),
            _ if !self.onset_deviations.is_finite() => problem("onset_deviations", "must be finite".into()),
            _ if !(0.0..=window_secs).contains(&self.onset_secs) => problem(
                "onset_secs",
                format!(
                    "must be from 0 to the window's {window_secs} s, but is {}",
                    self.onset_secs
                ),
            ),
            _ => Ok(()),
        }
    }

    fn extract(&self, window: &[&[f64]], rate_hz: f64, scratch: &mut Scratch, values: &mut Vec<f64>) {
        let sos = Sos::butterworth(ENVELOPE_ORDER, Passband::Low(self.envelope_hz), rate_hz);
        let welch = Welch::new((self.segment_secs * rate_hz).round() as usize);
        let mut envelopes: Vec<Vec<f64>> = window.iter().map(|x| x.iter().map(|x| x.abs()).collect()).collect();
        let mut channels: Vec<_> = envelopes.iter_mut().map(Vec::as_mut_slice).collect();
        Filter {
            sos,
            phase: Phase::Zero,
        }
        .apply_channels(&mut channels);
        for (samples, envelope) in window.iter().zip(&envelopes) {
            let count = samples.len() as f64;
            let rectified = sum(samples, f64::abs);
            values.extend([rms(samples), rectified / count, rectified / rate_hz]);
            values.extend([mean_variance(samples, 1)[1], line_length(samples)]);
            let counts = [zero_crossings, slope_sign_changes, willison_amplitude];
            values.extend(counts.map(|number| number(samples, self.threshold) as f64));
            values.push(sum(envelope, |x| x) / count);
            values.push(envelope.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            let spectrum = welch.estimate(samples, rate_hz, scratch);
            let bins = spectrum.bins(self.band_hz[0], self.band_hz[1]);
            values.push(spectrum.mean_hz(bins.clone()));
            values.push(spectrum.edge_hz(bins.clone(), 0.5));
            values.push(spectrum.dominant_hz(bins));
            if let Some(secs) = self.baseline_secs {
                let baseline = 0..(secs * rate_hz).round() as usize;
                let least = (self.onset_secs * rate_hz).round() as usize;
                let onset = onset(envelope, baseline, self.onset_deviations, least);
                values.push(onset.map_or(f64::NAN, |sample| sample as f64 / rate_hz));
            }
        }
    }
}
