//! Rhythms of the electroencephalogram.

use serde::{Deserialize, Serialize};

use super::extract::{Column, Scratch, SignalFeature, SignalInfo};
use super::spectrum::{Integration, Spectrum, Welch};
use crate::base::Problem;
use crate::features::signals::squared;

/// Power of the rhythms of each channel and symmetry of the sides.
///
/// Welch's density with Hann segments, half overlapping, without their means, is integrated by trapezoids over delta (1
/// to 4 Hz), theta (to 8), alpha (to 13), beta (to 30) and gamma (to 45), each edge in both of its bands, as power and
/// as share of the power from 1 to 45 Hz. Ratios: DAR = delta / alpha, DTABR = (delta + theta) / (alpha + beta). For
/// each pair of channels the brain symmetry index, the mean over the bins from 1 to 25 Hz of `|R - L| / (R + L)` with R
/// and L the densities of the right and the left one: 0 for equal sides, 1 for one silent side; and their mean over
/// pairs, `bsi` (pairwise derived index, Sheorajpanday et al. 2009, after van Putten and Tavy 2004). NaN of a silent
/// channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eeg {
    /// The channels on the scalp; default all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Left and right channel, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<[String; 2]>,
    /// Default: average.
    #[serde(default)]
    pub reference: Reference,
    /// Length of the segments; default 2, bins of 0.5 Hz.
    #[serde(default = "segment_secs")]
    pub segment_secs: f64,
}

/// Reference of the voltages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reference {
    /// The mean of the channels at each moment is subtracted.
    #[default]
    Average,
    /// As recorded.
    Recorded,
}

fn segment_secs() -> f64 {
    2.0
}

const BANDS: [(&str, [f64; 2]); 5] = [
    ("delta", [1.0, 4.0]),
    ("theta", [4.0, 8.0]),
    ("alpha", [8.0, 13.0]),
    ("beta", [13.0, 30.0]),
    ("gamma", [30.0, 45.0]),
];
const ALL_HZ: [f64; 2] = [1.0, 45.0];
const SYMMETRY_HZ: [f64; 2] = [1.0, 25.0];

impl Eeg {
    fn names<'s>(&'s self, signal: &SignalInfo<'s>) -> Vec<&'s str> {
        match self.channels.is_empty() {
            true => signal.channels.iter().map(|channel| channel.name.as_str()).collect(),
            false => self.channels.iter().map(String::as_str).collect(),
        }
    }
}

impl SignalFeature for Eeg {
    /// Left and right of each pair, then the channels.
    fn channels<'s>(&'s self, signal: &SignalInfo<'s>) -> Vec<&'s str> {
        self.pairs
            .iter()
            .flatten()
            .map(String::as_str)
            .chain(self.names(signal))
            .collect()
    }

    fn columns(&self, signal: &SignalInfo) -> Vec<Column> {
        let mut columns = Vec::new();
        let mut column = |name: String, unit: &str| {
            columns.push(Column {
                name,
                unit: unit.into(),
            })
        };
        for name in self.names(signal) {
            let unit = signal
                .channels
                .iter()
                .find(|channel| channel.name == name)
                .map_or("1", |channel| &channel.unit);
            BANDS
                .iter()
                .for_each(|(band, _)| column(format!("{name}.{band}"), &squared(unit)));
            BANDS
                .iter()
                .for_each(|(band, _)| column(format!("{name}.{band}_relative"), "1"));
            column(format!("{name}.dar"), "1");
            column(format!("{name}.dtabr"), "1");
        }
        self.pairs
            .iter()
            .for_each(|[left, right]| column(format!("{left}-{right}.bsi"), "1"));
        if !self.pairs.is_empty() {
            column("bsi".into(), "1");
        }
        columns
    }

    fn check(&self, signal: &SignalInfo) -> Result<(), Problem> {
        for name in &self.channels {
            signal.channel("channels", name)?;
        }
        let names = self.names(signal);
        if let Some(name) = self.pairs.iter().flatten().find(|name| !names.contains(&name.as_str())) {
            return Err(Problem::new(
                "pairs",
                format!("must be of the channels {}, but `{name}` is not", names.join(", ")),
            ));
        }
        if self.reference == Reference::Average && names.len() < 2 {
            let text = "must be `recorded` for a single channel: nothing is left of it without its average";
            return Err(Problem::new("reference", text));
        }
        let window_secs = signal.num_samples as f64 / signal.rate_hz;
        if !(self.segment_secs >= 1.0 && self.segment_secs <= window_secs) {
            let text = format!(
                "must be 1 s to the length of a window, {window_secs} s, but is {} s",
                self.segment_secs
            );
            return Err(Problem::new("segment_secs", text));
        }
        signal.at_least("channels", 2.0 * ALL_HZ[1])
    }

    fn extract(&self, window: &[&[f64]], rate_hz: f64, scratch: &mut Scratch, values: &mut Vec<f64>) {
        let welch = Welch::new((self.segment_secs * rate_hz).round() as usize);
        let Some((pairs, channels)) = window.split_at_checked(2 * self.pairs.len()) else {
            return;
        };
        let average = match self.reference {
            Reference::Recorded => None,
            Reference::Average => Some(average(channels)),
        };
        let mut spectrum = |samples: &[f64]| match &average {
            None => welch.estimate(samples, rate_hz, scratch),
            Some(average) => {
                let referred: Vec<f64> = samples.iter().zip(average).map(|(x, mean)| x - mean).collect();
                welch.estimate(&referred, rate_hz, scratch)
            }
        };
        channels
            .iter()
            .for_each(|samples| values.extend(rhythms(&spectrum(samples))));
        let mut indices = Vec::with_capacity(self.pairs.len());
        for pair in pairs.chunks_exact(2) {
            if let [left, right] = pair {
                indices.push(symmetry(&spectrum(left), &spectrum(right)));
            }
        }
        values.extend(&indices);
        if !indices.is_empty() {
            values.push(indices.iter().sum::<f64>() / indices.len() as f64);
        }
    }
}

/// Mean of the channels at each sample.
fn average(window: &[&[f64]]) -> Vec<f64> {
    let mut sum = vec![0.0; window.first().map_or(0, |samples| samples.len())];
    for samples in window {
        sum.iter_mut().zip(*samples).for_each(|(sum, x)| *sum += x);
    }
    sum.iter().map(|sum| sum / window.len() as f64).collect()
}

/// Power of the bands, their shares, DAR and DTABR.
fn rhythms(spectrum: &Spectrum) -> [f64; 12] {
    let power = |band| spectrum.band_power(band, Integration::Trapezoid);
    let [delta, theta, alpha, beta, gamma] = BANDS.map(|(_, band)| power(band));
    let total = power(ALL_HZ);
    let [d, t, a, b, g] = [delta, theta, alpha, beta, gamma].map(|power| power / total);
    [
        delta,
        theta,
        alpha,
        beta,
        gamma,
        d,
        t,
        a,
        b,
        g,
        delta / alpha,
        (delta + theta) / (alpha + beta),
    ]
}

/// Mean of `|R - L| / (R + L)` over the bins from 1 to 25 Hz.
fn symmetry(left: &Spectrum, right: &Spectrum) -> f64 {
    let bins = left.bins(SYMMETRY_HZ[0], SYMMETRY_HZ[1]);
    let sides = left.power.iter().zip(&right.power).skip(bins.start).take(bins.len());
    sides
        .map(|(left, right)| (right - left).abs() / (right + left))
        .sum::<f64>()
        / bins.len() as f64
}
