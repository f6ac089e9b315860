//! Welch's estimate of the power spectral density and features of it.

use serde::{Deserialize, Serialize};

use super::{Bands, Detrend, Edges, Frames, Integration, Spectrum, Taper, check_bands, check_overlap, check_segment};
use crate::base::Problem;
use crate::features::signals::{Column, Scratch, SignalFeature, SignalInfo, squared};

/// Unit of a spectrum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// Power per Hz: `2 |X|^2 / (rate sum w^2)`; its integral is the variance.
    #[default]
    Density,
    /// Power: `2 |X|^2 / (sum w)^2`; half the squared amplitude of a tone on a bin.
    Spectrum,
}

/// Mean of the periodograms of overlapping segments (Welch 1967), equal to `scipy.signal.welch`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Welch {
    /// Samples of a segment; that of the signal if it is shorter.
    pub segment: usize,
    /// Samples that neighbours share, less than `segment`.
    pub overlap: usize,
    /// Weights.
    pub taper: Taper,
    /// Subtracted from each segment.
    pub detrend: Detrend,
    /// Unit.
    pub scaling: Scaling,
}

impl Welch {
    /// SciPy's defaults: Hann, half overlapping, without the mean, density.
    pub fn new(segment: usize) -> Self {
        let (taper, detrend, scaling) = (Taper::Hann, Detrend::Constant, Scaling::Density);
        Self {
            segment,
            overlap: segment / 2,
            taper,
            detrend,
            scaling,
        }
    }

    /// `segment / 2 + 1` bins, `rate / segment` apart; none of an empty signal.
    pub fn estimate(&self, samples: &[f64], rate_hz: f64, scratch: &mut Scratch) -> Spectrum {
        let len = self.segment.min(samples.len());
        if len == 0 {
            return Spectrum {
                step_hz: rate_hz,
                power: vec![],
            };
        }
        let hop = len.saturating_sub(self.overlap).max(1);
        let frames = Frames {
            len,
            hop,
            taper: self.taper,
            detrend: self.detrend,
            edges: Edges::Inside,
        };
        let mut power = vec![0.0; len / 2 + 1];
        let mut count = 0.0;
        frames.transform(samples, scratch, |transform| {
            power
                .iter_mut()
                .zip(transform)
                .for_each(|(power, x)| *power += x.norm_sqr());
            count += 1.0;
        });
        let weights = scratch.spectrum.taper(self.taper, len);
        let norm = match self.scaling {
            Scaling::Density => rate_hz * weights.iter().map(|w| w * w).sum::<f64>(),
            Scaling::Spectrum => weights.iter().sum::<f64>().powi(2),
        };
        fold_sides(&mut power, len, 1.0 / (norm * count));
        Spectrum {
            step_hz: rate_hz / len as f64,
            power,
        }
    }
}

/// Scales two-sided power and adds the negative frequencies to their mirror images.
pub(super) fn fold_sides(power: &mut [f64], len: usize, scale: f64) {
    power.iter_mut().for_each(|p| *p *= scale);
    // 0 Hz and, of an even length, the Nyquist frequency have no mirror image.
    let end = if len.is_multiple_of(2) {
        power.len() - 1
    } else {
        power.len()
    };
    power.iter_mut().take(end).skip(1).for_each(|p| *p *= 2.0);
}

impl Spectrum {
    /// Amplitudes `2 |X[k]| / sum w` (`|X| / sum w` at 0 Hz and at the Nyquist frequency) of the whole signal: a tone
    /// on a bin has its amplitude there.
    pub fn amplitude(samples: &[f64], rate_hz: f64, taper: Taper, scratch: &mut Scratch) -> Self {
        let welch = Welch {
            segment: samples.len(),
            overlap: 0,
            taper,
            detrend: Detrend::None,
            scaling: Scaling::Spectrum,
        };
        let mut spectrum = welch.estimate(samples, rate_hz, scratch);
        let (last, even) = (spectrum.power.len().saturating_sub(1), samples.len().is_multiple_of(2));
        for (bin, power) in spectrum.power.iter_mut().enumerate() {
            let sides = if bin == 0 || even && bin == last { 1.0 } else { 2.0 };
            *power = (sides * *power).sqrt();
        }
        spectrum
    }
}

/// Features of Welch's density: per band `power` (its integral) and `relative_power` (its share of the integral over
/// all frequencies); and of all frequencies above 0 `dominant_frequency`, `mean_frequency`, `median_frequency`,
/// `spectral_edge` and `spectral_entropy` (`-sum p log p / log N`). Of silence, shares, frequencies and entropy are
/// NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WelchConfig {
    /// Length of a segment; its inverse is the resolution in Hz.
    pub segment_secs: f64,
    /// Share of a segment that its neighbour has too; default 0.5.
    #[serde(default = "overlap")]
    pub overlap: f64,
    /// Default `hann`.
    #[serde(default)]
    pub taper: Taper,
    /// Default `constant`.
    #[serde(default)]
    pub detrend: Detrend,
    /// Names and edges; both edges count.
    #[serde(default)]
    pub bands: Bands,
    /// Default `trapezoid`.
    #[serde(default)]
    pub integration: Integration,
    /// Share of the power below the spectral edge; default 0.95.
    #[serde(default = "edge_share")]
    pub edge_share: f64,
}

pub(super) fn overlap() -> f64 {
    0.5
}

fn edge_share() -> f64 {
    0.95
}

impl SignalFeature for WelchConfig {
    fn columns(&self, signal: &SignalInfo) -> Vec<Column> {
        let mut columns = Vec::new();
        for channel in signal.channels {
            let mut column = |name: String, unit: &str| {
                columns.push(Column {
                    name: format!("{}.{name}", channel.name),
                    unit: unit.to_owned(),
                });
            };
            for band in self.bands.keys() {
                column(format!("{band}.power"), &squared(&channel.unit));
                column(format!("{band}.relative_power"), "1");
            }
            for name in [
                "dominant_frequency",
                "mean_frequency",
                "median_frequency",
                "spectral_edge",
            ] {
                column(name.into(), "Hz");
            }
            column("spectral_entropy".into(), "1");
        }
        columns
    }

    fn check(&self, signal: &SignalInfo) -> Result<(), Problem> {
        let segment = check_segment("segment_secs", self.segment_secs, signal)?;
        check_overlap(self.overlap)?;
        check_bands(&self.bands, segment, signal)?;
        if self.edge_share > 0.0 && self.edge_share <= 1.0 {
            return Ok(());
        }
        Err(Problem::new(
            "edge_share",
            format!("must be above 0 and at most 1, but is {}", self.edge_share),
        ))
    }

    fn extract(&self, window: &[&[f64]], rate_hz: f64, scratch: &mut Scratch, values: &mut Vec<f64>) {
        let segment = (self.segment_secs * rate_hz).round() as usize;
        let overlap = (segment as f64 * self.overlap) as usize;
        let welch = Welch {
            segment,
            overlap,
            taper: self.taper,
            detrend: self.detrend,
            scaling: Scaling::Density,
        };
        for samples in window {
            let spectrum = welch.estimate(samples, rate_hz, scratch);
            let total = self.integration.of(&spectrum.power, spectrum.step_hz);
            for &band in self.bands.values() {
                let power = spectrum.band_power(band, self.integration);
                values.extend([power, power / total]);
            }
            let bins = 1..spectrum.power.len();
            values.push(spectrum.dominant_hz(bins.clone()));
            values.push(spectrum.mean_hz(bins.clone()));
            values.extend([0.5, self.edge_share].map(|share| spectrum.edge_hz(bins.clone(), share)));
            values.push(spectrum.entropy(bins));
        }
    }
}
