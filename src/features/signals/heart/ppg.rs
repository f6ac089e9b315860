//! Pulse rate and oxygen saturation from the photoplethysmogram.

use serde::{Deserialize, Serialize};

use super::ecg::{highest, moving_average};
use crate::base::Problem;
use crate::features::signals::stride::ratio;
use crate::features::signals::{Column, Scratch, SignalFeature, SignalInfo};
use crate::signal::filter::{Passband, Sos};
use crate::signal::statistics::median;

/// Pulse rate, `60 / median interval` between the [`systolic_peaks`] of the infrared channel, and with a red channel
/// the [`ratio_of_ratios`] R and the oxygen saturation `c0 + c1 R + c2 R^2`.
///
/// The saturation is an approximation: the default line `110 - 25 R` is a textbook's, and each device needs
/// coefficients from its own calibration against blood samples before its values mean anything clinical. It is not
/// clipped to 100 %. NaN where a window has less than two peaks or no light.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ppg {
    /// Channel of the infrared light, or the only one; larger at systole.
    pub infrared: String,
    /// Channel of the red light.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub red: Option<String>,
    /// Coefficients of 1, R, R^2 and so on, in percent; default 110, -25.
    #[serde(default = "coefficients")]
    pub coefficients: Vec<f64>,
}

fn coefficients() -> Vec<f64> {
    vec![110.0, -25.0]
}

/// Bands of the pulse wave, for its peaks (Elgendi) and for its size.
const PEAK_BAND: Passband = Passband::BandPass(0.5, 8.0);
const SIZE_BAND: Passband = Passband::BandPass(0.5, 5.0);
/// So that 8 Hz leaves room for the filter's edge.
const MIN_RATE_HZ: f64 = 20.0;

/// The signal without its offset through a Butterworth filter of order 2, without delay; `None` if it is shorter than
/// the filter's padding, or the rate below 20 Hz.
fn filtered(x: &[f64], band: Passband, rate_hz: f64) -> Option<Vec<f64>> {
    let first = x.first().filter(|_| rate_hz >= MIN_RATE_HZ)?;
    let mut filtered: Vec<f64> = x.iter().map(|x| x - first).collect();
    Sos::butterworth(2, band, rate_hz)
        .zero_phase(&mut filtered)
        .then_some(filtered)
}

/// Sample indices of the systolic peaks, ascending.
///
/// Elgendi et al. (2013, PLoS ONE 8:e76585): of the signal from 0.5 to 8 Hz, its negative half cut off and squared, the
/// mean over 111 ms exceeds the mean over 667 ms by 2 % of the mean of all where there is a systolic wave. Its peak is
/// the highest sample; waves shorter than 111 ms, at the very ends, and less than 300 ms after another peak do not
/// count.
pub fn systolic_peaks(ppg: &[f64], rate_hz: f64) -> Vec<usize> {
    let Some(wave) = filtered(ppg, PEAK_BAND, rate_hz) else {
        return Vec::new();
    };
    let samples = |secs: f64| (secs * rate_hz).round() as usize;
    let squared: Vec<f64> = wave.iter().map(|x| x.max(0.0).powi(2)).collect();
    let offset = 0.02 * squared.iter().sum::<f64>() / squared.len() as f64;
    let short = moving_average(&squared, samples(0.111));
    let long = moving_average(&squared, samples(0.667));
    let is_wave: Vec<bool> = short
        .iter()
        .zip(&long)
        .map(|(short, long)| *short > long + offset)
        .collect();
    let mut peaks: Vec<usize> = Vec::new();
    let mut start = 0;
    for run in is_wave.chunk_by(|a, b| a == b) {
        let range = start..start + run.len();
        start = range.end;
        let is_whole = range.start > 0 && range.end < is_wave.len();
        if !is_whole || run.first() != Some(&true) || run.len() < samples(0.111) {
            continue;
        }
        if let Some(peak) = highest(&wave, range)
            && peaks.last().is_none_or(|last| peak - last > samples(0.3))
        {
            peaks.push(peak);
        }
    }
    peaks
}

/// `R = (AC_red / DC_red) / (AC_infrared / DC_infrared)`, with AC the root mean square from 0.5 to 5 Hz and DC the
/// mean; NaN without a pulse or light.
pub fn ratio_of_ratios(red: &[f64], infrared: &[f64], rate_hz: f64) -> f64 {
    let relative_size = |x: &[f64]| {
        let light = x.iter().sum::<f64>() / x.len() as f64;
        let wave = filtered(x, SIZE_BAND, rate_hz).filter(|_| light > 0.0)?;
        Some((wave.iter().map(|x| x * x).sum::<f64>() / wave.len() as f64).sqrt() / light)
    };
    relative_size(red)
        .zip(relative_size(infrared))
        .map_or(f64::NAN, |(red, infrared)| ratio(red, infrared))
}

impl SignalFeature for Ppg {
    fn channels<'s>(&'s self, _: &SignalInfo<'s>) -> Vec<&'s str> {
        std::iter::once(self.infrared.as_str())
            .chain(self.red.as_deref())
            .collect()
    }

    fn columns(&self, _: &SignalInfo) -> Vec<Column> {
        let column = |name: String, unit: &str| Column {
            name,
            unit: unit.into(),
        };
        let mut columns = vec![column(format!("{}.pulse_rate", self.infrared), "1/min")];
        if let Some(red) = &self.red {
            let pair = format!("{red}-{}", self.infrared);
            columns.push(column(format!("{pair}.ratio_of_ratios"), "1"));
            columns.push(column(format!("{pair}.spo2"), "%"));
        }
        columns
    }

    fn check(&self, signal: &SignalInfo) -> Result<(), Problem> {
        signal.channel("infrared", &self.infrared)?;
        if let Some(red) = &self.red {
            signal.channel("red", red)?;
            if *red == self.infrared {
                return Err(Problem::new(
                    "red",
                    format!("must be another channel than infrared, but both are `{red}`"),
                ));
            }
        }
        if self.coefficients.is_empty() || !self.coefficients.iter().all(|x| x.is_finite()) {
            return Err(Problem::new(
                "coefficients",
                format!("must be finite numbers, but is {:?}", self.coefficients),
            ));
        }
        signal.at_least("infrared", MIN_RATE_HZ)
    }

    fn extract(&self, window: &[&[f64]], rate_hz: f64, _: &mut Scratch, values: &mut Vec<f64>) {
        let Some((infrared, rest)) = window.split_first() else {
            return;
        };
        let peaks = systolic_peaks(infrared, rate_hz);
        let intervals: Vec<f64> = peaks
            .iter()
            .zip(peaks.iter().skip(1))
            .map(|(start, end)| (end - start) as f64 / rate_hz)
            .collect();
        let has_none = intervals.is_empty();
        values.push(ratio(60.0, median(intervals)));
        if let Some(red) = rest.first() {
            let r = if has_none {
                f64::NAN
            } else {
                ratio_of_ratios(red, infrared, rate_hz)
            };
            values.push(r);
            values.push(self.coefficients.iter().rev().fold(0.0, |sum, c| sum * r + c));
        }
    }
}
