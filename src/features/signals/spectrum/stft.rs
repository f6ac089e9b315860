//! Features of a short-time Fourier transform.

use serde::{Deserialize, Serialize};

use super::welch::{fold_sides, overlap};
use super::{Bands, Detrend, Edges, Frames, Integration, Spectrum, Taper, check_bands, check_overlap, check_segment};
use crate::base::Problem;
use crate::features::signals::{Column, Scratch, SignalFeature, SignalInfo};

/// Power below this share of a square unit counts as this much, so that silence has a logarithm.
const MIN_POWER: f64 = 1e-20;

/// How the power of each band goes over time, frame by frame, in dB of a square unit: `10 log10` of the integral over
/// the band (trapezoid) of the frame's one-sided density `2 |X|^2 / (rate sum w^2)`. Per band: `log_power_mean`,
/// `log_power_sd` (ddof 0), and `log_power_slope`, the least-squares slope in dB per second (NaN of a single frame).
/// Power below 1e-20 counts as 1e-20.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StftConfig {
    /// Length of a frame.
    pub frame_secs: f64,
    /// Share of a frame that its neighbour has too; default 0.5.
    #[serde(default = "overlap")]
    pub overlap: f64,
    /// Default `hann`.
    #[serde(default)]
    pub taper: Taper,
    /// Default `none`.
    #[serde(default = "no_detrend")]
    pub detrend: Detrend,
    /// Default `inside`.
    #[serde(default)]
    pub edges: Edges,
    /// Names and edges; both edges count.
    pub bands: Bands,
}

fn no_detrend() -> Detrend {
    Detrend::None
}

impl SignalFeature for StftConfig {
    fn columns(&self, signal: &SignalInfo) -> Vec<Column> {
        let mut columns = Vec::new();
        for channel in signal.channels {
            for band in self.bands.keys() {
                for (name, unit) in [("mean", "dB"), ("sd", "dB"), ("slope", "dB/s")] {
                    columns.push(Column {
                        name: format!("{}.{band}.log_power_{name}", channel.name),
                        unit: unit.into(),
                    });
                }
            }
        }
        columns
    }

    fn check(&self, signal: &SignalInfo) -> Result<(), Problem> {
        let len = check_segment("frame_secs", self.frame_secs, signal)?;
        check_overlap(self.overlap)?;
        if self.bands.is_empty() {
            return Err(Problem::new(
                "bands",
                "must name at least one band, such as { alpha = [8, 13] }",
            ));
        }
        check_bands(&self.bands, len, signal)
    }

    fn extract(&self, window: &[&[f64]], rate_hz: f64, scratch: &mut Scratch, values: &mut Vec<f64>) {
        let len = (self.frame_secs * rate_hz).round() as usize;
        let hop = (len - ((len as f64 * self.overlap) as usize).min(len)).max(1);
        let frames = Frames {
            len,
            hop,
            taper: self.taper,
            detrend: self.detrend,
            edges: self.edges,
        };
        let weights = scratch.spectrum.taper(self.taper, len);
        let scale = 1.0 / (rate_hz * weights.iter().map(|w| w * w).sum::<f64>());
        let mut spectrum = Spectrum {
            step_hz: rate_hz / len as f64,
            power: vec![0.0; len / 2 + 1],
        };
        let mut courses: Vec<Vec<f64>> = vec![Vec::new(); self.bands.len()];
        for samples in window {
            courses.iter_mut().for_each(Vec::clear);
            frames.transform(samples, scratch, |transform| {
                spectrum
                    .power
                    .iter_mut()
                    .zip(transform)
                    .for_each(|(power, x)| *power = x.norm_sqr());
                fold_sides(&mut spectrum.power, len, scale);
                for (course, &band) in courses.iter_mut().zip(self.bands.values()) {
                    let power = spectrum.band_power(band, Integration::Trapezoid);
                    course.push(10.0 * power.max(MIN_POWER).log10());
                }
            });
            values.extend(courses.iter().flat_map(|course| summary(course, hop as f64 / rate_hz)));
        }
    }
}

/// Mean, standard deviation and slope of values that are `step` seconds apart.
fn summary(course: &[f64], step: f64) -> [f64; 3] {
    let count = course.len() as f64;
    let mean = course.iter().sum::<f64>() / count;
    let sd = (course.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
    let middle = (count - 1.0) / 2.0;
    let moment: f64 = course
        .iter()
        .enumerate()
        .map(|(n, x)| (n as f64 - middle) * (x - mean))
        .sum();
    [mean, sd, moment / (count * (count * count - 1.0) / 12.0 * step)]
}
