//! Features of the bands of a wavelet transform.

use serde::{Deserialize, Serialize};

use super::buffers::Buffers;
use super::transform::{Bank, dwt_into};
use super::{Padding, Wavelet, dwt_max_level};
use crate::base::Problem;
use crate::features::signals::{Column, Scratch, SignalFeature, SignalInfo};
use crate::signal::statistics::mean_variance;
use crate::signal::sums::sum;

/// Features of each band of a wavelet transform, from the details of level 1 (`d1`, the upper half of the frequencies)
/// to the approximation of the last (`a4`). For the coefficients `c` of a band: `energy` = `sum c^2`; `relative_energy`
/// = its share of all bands; `entropy` = `-sum p ln p` with `p = c^2 / energy` (Shannon, in nats); `mean_abs` =
/// `mean |c|`; `sd` = standard deviation with ddof 0. And over the bands of a channel, `wavelet_entropy` =
/// `-sum p ln p` with `p` the relative energies (Rosso et al. 2001). Of silence, shares and entropies are NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaveletConfig {
    /// Default `db4`.
    #[serde(default = "db4")]
    pub wavelet: Wavelet,
    /// Levels; each halves the band of the approximation.
    pub level: usize,
    /// Default `symmetric`.
    #[serde(default)]
    pub padding: Padding,
}

fn db4() -> Wavelet {
    Wavelet {
        family: "db",
        order: 4,
        taps: super::taps::DAUBECHIES[3],
    }
}

/// Features of one band.
struct Summary {
    energy: f64,
    entropy: f64,
    mean_abs: f64,
    sd: f64,
}

impl Summary {
    fn of(band: &[f64]) -> Self {
        let count = band.len() as f64;
        let energy = sum(band, |c| c * c);
        Self {
            energy,
            entropy: entropy(sum(band, |c| if c != 0.0 { c * c * (c * c).ln() } else { 0.0 }), energy),
            mean_abs: sum(band, f64::abs) / count,
            sd: mean_variance(band, 0)[1].sqrt(),
        }
    }
}

/// `-sum p ln p` of the shares `p = x / t` of a total, from `sum x ln x`; NaN if the total is 0.
fn entropy(sum: f64, total: f64) -> f64 {
    if total > 0.0 {
        (total.ln() - sum / total).max(0.0)
    } else {
        f64::NAN
    }
}

impl SignalFeature for WaveletConfig {
    fn columns(&self, signal: &SignalInfo) -> Vec<Column> {
        let bands: Vec<String> = (1..=self.level)
            .map(|l| format!("d{l}"))
            .chain([format!("a{}", self.level)])
            .collect();
        let mut columns = Vec::new();
        for channel in signal.channels {
            let mut column = |name: String, unit: &str| {
                columns.push(Column {
                    name: format!("{}.{name}", channel.name),
                    unit: unit.to_owned(),
                });
            };
            for band in &bands {
                column(
                    format!("{band}.energy"),
                    &crate::features::signals::squared(&channel.unit),
                );
                column(format!("{band}.relative_energy"), "1");
                column(format!("{band}.entropy"), "1");
                column(format!("{band}.mean_abs"), &channel.unit);
                column(format!("{band}.sd"), &channel.unit);
            }
            column("wavelet_entropy".into(), "1");
        }
        columns
    }

    fn check(&self, signal: &SignalInfo) -> Result<(), Problem> {
        let most = dwt_max_level(signal.num_samples, self.wavelet);
        if (1..=most).contains(&self.level) {
            return Ok(());
        }
        let (name, length) = (String::from(self.wavelet), signal.num_samples);
        Err(Problem::new(
            "level",
            format!(
                "must be 1 to {most} for {name} and {length} samples, but is {}",
                self.level
            ),
        ))
    }

    fn extract(&self, window: &[&[f64]], _rate_hz: f64, scratch: &mut Scratch, values: &mut Vec<f64>) {
        let bank = Bank::new(self.wavelet);
        let Buffers {
            extended,
            input,
            low,
            high,
        } = &mut scratch.wavelet;
        let mut summaries = Vec::with_capacity(self.level + 1);
        for samples in window {
            summaries.clear();
            input.clear();
            input.extend_from_slice(samples);
            for _ in 0..self.level {
                dwt_into(input, &bank, self.padding, extended, low, high);
                summaries.push(Summary::of(high));
                std::mem::swap(input, low);
            }
            summaries.push(Summary::of(input));
            let total: f64 = summaries.iter().map(|band| band.energy).sum();
            for Summary {
                energy,
                entropy,
                mean_abs,
                sd,
            } in &summaries
            {
                values.extend([*energy, energy / total, *entropy, *mean_abs, *sd]);
            }
            let logarithms = summaries
                .iter()
                .map(|band| band.energy)
                .filter(|energy| *energy > 0.0)
                .map(|x| x * x.ln());
            values.push(entropy(logarithms.sum(), total));
        }
    }
}
