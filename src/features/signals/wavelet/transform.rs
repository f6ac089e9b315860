//! One level of the transform.

use super::{Padding, Wavelet};

/// Levels after which a band is shorter than the filter: `floor(log2(num_samples / (taps - 1)))`
/// (`pywt.dwt_max_level`).
pub fn dwt_max_level(num_samples: usize, wavelet: Wavelet) -> usize {
    (num_samples / (wavelet.taps.len() - 1)).checked_ilog2().unwrap_or(0) as usize
}

/// Approximation and detail of one level: `a[k] = sum_j h'[j] x[2 k + 1 - j]` with the decomposition's filters `h'`,
/// and the signal extended as `padding` says (`pywt.dwt`). `floor((n + L - 1) / 2)` coefficients each, `ceil(n / 2)`
/// for periodization; none of an empty signal. A signal of one sample is constant under the mirrors on a sample.
pub fn dwt(samples: &[f64], wavelet: Wavelet, padding: Padding) -> (Vec<f64>, Vec<f64>) {
    let mut extended = Vec::new();
    let (mut low, mut high) = (Vec::new(), Vec::new());
    dwt_into(
        samples,
        &Bank::new(wavelet),
        padding,
        &mut extended,
        &mut low,
        &mut high,
    );
    (low, high)
}

/// The two filters beside each other, so that one pass over the samples serves both.
pub(super) struct Bank {
    pairs: Vec<[f64; 2]>,
}

impl Bank {
    pub(super) fn new(wavelet: Wavelet) -> Self {
        Self {
            pairs: wavelet
                .taps
                .iter()
                .copied()
                .zip(wavelet.reconstruction_high())
                .map(|(l, h)| [l, h])
                .collect(),
        }
    }
}

pub(super) fn dwt_into(
    samples: &[f64],
    bank: &Bank,
    padding: Padding,
    extended: &mut Vec<f64>,
    low: &mut Vec<f64>,
    high: &mut Vec<f64>,
) {
    low.clear();
    high.clear();
    if samples.is_empty() {
        return;
    }
    let len = bank.pairs.len();
    // Coefficient k is the filter, reversed once more, over the extended samples from 2 k on.
    let (before, count) = match padding {
        Padding::Periodization => (len / 2 - 1, samples.len().div_ceil(2)),
        _ => (len - 2, (samples.len() + len - 1) / 2),
    };
    extend(samples, padding, before, 2 * count + len - 2, extended);
    low.resize(count, 0.0);
    high.resize(count, 0.0);
    for ((window, low), high) in extended.windows(len).step_by(2).zip(low).zip(high) {
        let mut sums = [0.0; 2];
        for (x, pair) in window.iter().zip(&bank.pairs) {
            sums[0] += x * pair[0];
            sums[1] += x * pair[1];
        }
        [*low, *high] = sums;
    }
}

/// `total` samples from `before` samples before the first.
fn extend(samples: &[f64], padding: Padding, before: usize, total: usize, extended: &mut Vec<f64>) {
    extended.clear();
    let beyond = Beyond::new(samples, padding);
    extended.extend((1..=before as isize).rev().map(|distance| beyond.at(-distance)));
    extended.extend_from_slice(&samples[..samples.len().min(total - before)]);
    extended.extend((samples.len() as isize..(total - before) as isize).map(|index| beyond.at(index)));
}

/// The samples before the first and after the last.
struct Beyond<'a> {
    samples: &'a [f64],
    padding: Padding,
    first: f64,
    last: f64,
    /// The rise to the second sample, and from the last but one.
    slopes: [f64; 2],
}

impl<'a> Beyond<'a> {
    fn new(samples: &'a [f64], padding: Padding) -> Self {
        let (first, last) = (
            samples.first().copied().unwrap_or(0.0),
            samples.last().copied().unwrap_or(0.0),
        );
        let slopes = match samples {
            [a, b] => [b - a; 2],
            [a, b, .., c, d] => [b - a, d - c],
            [a, b, c] => [b - a, c - b],
            _ => [0.0; 2],
        };
        Self {
            samples,
            padding,
            first,
            last,
            slopes,
        }
    }

    fn at(&self, index: isize) -> f64 {
        let len = self.samples.len() as isize;
        // Position in a period of the extension, and how many periods away.
        let fold = |period: isize| (index.rem_euclid(period), index.div_euclid(period));
        let sample = |index: isize| self.samples.get(index as usize).copied().unwrap_or(0.0);
        let distance = |end: isize| (index - end) as f64;
        match self.padding {
            Padding::Zero => 0.0,
            Padding::Constant => {
                if index < 0 {
                    self.first
                } else {
                    self.last
                }
            }
            Padding::Periodic => sample(fold(len).0),
            Padding::Periodization => sample(fold(len + len % 2).0.min(len - 1)),
            Padding::Smooth if index < 0 => self.first + distance(0) * self.slopes[0],
            Padding::Smooth => self.last + distance(len - 1) * self.slopes[1],
            Padding::Symmetric | Padding::Antisymmetric => {
                let (place, _) = fold(2 * len);
                let sign = if self.padding == Padding::Antisymmetric {
                    -1.0
                } else {
                    1.0
                };
                if place < len {
                    sample(place)
                } else {
                    sign * sample(2 * len - 1 - place)
                }
            }
            Padding::Reflect | Padding::Antireflect if len == 1 => self.first,
            Padding::Reflect => {
                let (place, _) = fold(2 * (len - 1));
                sample(if place < len { place } else { 2 * (len - 1) - place })
            }
            Padding::Antireflect => {
                let (place, periods) = fold(2 * (len - 1));
                let rise = 2.0 * (self.last - self.first) * periods as f64;
                rise + if place < len {
                    sample(place)
                } else {
                    2.0 * self.last - sample(2 * (len - 1) - place)
                }
            }
        }
    }
}
