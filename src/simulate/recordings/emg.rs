//! Surface EMG of a flexor and an extensor during repeated reaching.

use std::f64::consts::TAU;

use ndarray::Array2;

use super::digitise;
use crate::simulate::draws::{Draws, Stream};
use crate::simulate::patient::Artefact;

/// Samples per second.
pub(in crate::simulate) const RATE_HZ: f64 = 500.0;
/// Steps of the converter per millivolt; a power of two, so that every value is exact in single precision.
pub(in crate::simulate) const GAIN_PER_MV: f64 = 8192.0;

/// Corner frequencies of the spectrum at v = 0: f^2 / ((f^2 + low^2) (f^2 + high^2)^2), the model of Stulen and De Luca (1981).
const LOW_HZ: f64 = 45.0;
const HIGH_HZ: f64 = 85.0;
/// Slower conduction along the fibres compresses the whole frequency axis: exp(0.14 v).
const SCALE_PER_UNIT: f64 = 0.14;
/// Samples for the filters to forget their start.
const WARM_UP: usize = 100;

/// `[samples, 2]` in mV. v scales the frequency axis of noise in bursts; the flexor and the extensor alternate.
pub(super) fn render(patient: &Draws, site: &Draws, v: f64, artefact: Option<Artefact>, secs: f64) -> Array2<f32> {
    let num_rows = (secs * RATE_HZ).round() as usize;
    let gain = (0.2 * site.normal("emg gain")).exp();
    let bursts = Bursts::draw(patient);
    let mut values = Array2::zeros((num_rows, 2));
    for channel in 0..2 {
        let amplitude = 0.22 * gain * (0.3 * patient.stream("emg amplitude").normal(channel as u64)).exp();
        let carrier = carrier(
            patient.stream("emg").part(channel),
            (SCALE_PER_UNIT * v).exp(),
            num_rows,
        );
        let noise = patient.stream("emg noise").part(channel).noise();
        let mut column = values.column_mut(channel);
        for (row, ((value, carrier), noise)) in column.iter_mut().zip(carrier).zip(noise).enumerate() {
            let time_secs = row as f64 / RATE_HZ;
            let envelope = bursts.envelope(time_secs, channel);
            let clean = amplitude * envelope * carrier + 0.004 * noise;
            *value = digitise(spoil(patient, artefact, clean, time_secs, channel), GAIN_PER_MV);
        }
    }
    values
}

/// Noise with the spectrum of an EMG and mean square 1: white noise through one high-pass and two low-pass filters.
fn carrier(white: Stream, scale: f64, num_rows: usize) -> Vec<f64> {
    let keep = |corner_hz: f64| (-TAU * corner_hz * scale / RATE_HZ).exp();
    let (low, high) = (keep(LOW_HZ), keep(HIGH_HZ));
    let (mut slow, mut first, mut second) = (0.0, 0.0, 0.0);
    let filtered = white.noise().take(WARM_UP + num_rows).map(|white| {
        slow += (1.0 - low) * (white - slow);
        first += (1.0 - high) * (white - slow - first);
        let last = second;
        second += (1.0 - high) * (first - second);
        // Nothing is left at half the rate, as behind an amplifier's own filter.
        0.5 * (second + last)
    });
    let mut filtered: Vec<f64> = filtered.skip(WARM_UP).collect();
    // Without this the power would tell v as well as the spectrum does.
    let mean_square = filtered.iter().map(|value| value * value).sum::<f64>() / num_rows as f64;
    filtered.iter_mut().for_each(|value| *value /= mean_square.sqrt());
    filtered
}

/// When the muscles are active.
struct Bursts {
    rate_hz: f64,
    phase: f64,
    /// Activity of a muscle at rest.
    tone: f64,
    strengths: [f64; 8],
}

impl Bursts {
    fn draw(patient: &Draws) -> Self {
        let strengths = patient.stream("burst strength");
        Self {
            rate_hz: 0.7 + 0.5 * patient.uniform("burst rate"),
            phase: patient.uniform("burst phase"),
            tone: 0.06 + 0.10 * patient.uniform("tone"),
            strengths: std::array::from_fn(|burst| (0.2 * strengths.normal(burst as u64)).exp()),
        }
    }

    fn envelope(&self, time_secs: f64, channel: usize) -> f64 {
        let cycles = self.rate_hz * time_secs + self.phase + 0.5 * channel as f64;
        let strength = self.strengths[cycles as usize % self.strengths.len()];
        self.tone + strength * (TAU * cycles).sin().max(0.0).powi(2)
    }
}

/// The sample as the artefact leaves it.
fn spoil(patient: &Draws, artefact: Option<Artefact>, clean: f64, time_secs: f64, channel: usize) -> f64 {
    let Some(artefact) = artefact else { return clean };
    let lot = patient.stream("artefact shape");
    match artefact {
        Artefact::ElectrodeOff => {
            let off = usize::from(lot.uniform(0) < 0.5);
            if channel != off {
                return clean;
            }
            (0.1 + 0.1 * lot.uniform(1)) * (TAU * (50.0 * time_secs + lot.uniform(2))).sin()
        }
        Artefact::Movement => {
            let frequency_hz = 1.5 + 1.5 * lot.uniform(1);
            // Two jerks per second and a half, at times of their own.
            let near = (time_secs / 1.5).floor() as u64;
            let drift = (near.saturating_sub(1)..=near + 1).map(|jerk| {
                let centre_secs = 1.5 * (jerk as f64 + lot.uniform(10 + 2 * jerk));
                let sign = if lot.uniform(11 + 2 * jerk) < 0.5 { -1.0 } else { 1.0 };
                let offset_secs = time_secs - centre_secs;
                sign * (-(offset_secs / 0.25).powi(2)).exp() * (TAU * frequency_hz * offset_secs).cos()
            });
            clean + (1.0 + 0.3 * channel as f64) * drift.sum::<f64>()
        }
    }
}
