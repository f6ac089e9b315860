//! Readings of the planted traits, and what they tell of the change.

use super::{CHANGE_MEAN, CHANGE_SD, SimulateConfig, TRAITS};

/// Reading of a trait in a recording: `value = u + noise * eta` with eta standard normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The value, v.
    pub value: f64,
    /// Standard deviation of its error.
    pub noise: f64,
}

/// Margin of a response, (E[Z | readings] - t) / sd(Z | readings), where a patient responds when the standardised change Z reaches t: its
/// normal distribution function is the probability of a response, so that it ranks patients as that probability does.
pub(super) fn margin(config: &SimulateConfig, readings: &[Option<Reading>; 5]) -> f64 {
    // Changes are whole points: the smallest that counts begins half a point below.
    let threshold = (config.mcid.ceil() - 0.5 - CHANGE_MEAN) / CHANGE_SD;
    let (mut mean, mut explained) = (0.0, 0.0);
    for (planted, reading) in TRAITS.iter().zip(readings) {
        if let Some(reading) = reading {
            let reliability = 1.0 / (1.0 + reading.noise.powi(2));
            mean += planted.weight(config) * reliability * reading.value;
            explained += planted.weight(config).powi(2) * reliability;
        }
    }
    (mean - threshold) / (1.0 - explained).sqrt()
}
