//! Statistics of the distribution of values (rows "histogram mean, sd" of image analysis), without regard to place.

use ndarray::ArrayView2;

use crate::signal::statistics::mean;

/// Statistics of the N values I of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Histogram {
    /// `mean = (1 / N) sum I`.
    pub mean: f64,
    /// Population standard deviation `sqrt((1 / N) sum (I - mean)^2)`, ddof = 0.
    pub sd: f64,
    /// `m3 / m2^1.5` with the central moments `mk = (1 / N) sum (I - mean)^k`; 0 for a constant image.
    pub skewness: f64,
    /// Excess kurtosis `m4 / m2^2 - 3`, 0 for a normal distribution; 0 for a constant image.
    pub kurtosis: f64,
    /// `-sum p log2 p` over the shares p of values in the bins, in bits.
    pub entropy: f64,
}

impl Histogram {
    /// Mean, sd, skewness, kurtosis, entropy.
    pub fn to_array(self) -> [f64; 5] {
        [self.mean, self.sd, self.skewness, self.kurtosis, self.entropy]
    }
}

/// Statistics of an image; the entropy over `bins` bins of equal width that cover `range`. As `numpy.histogram`, a bin
/// has its lower edge, and the last one both; other than there, values beyond the range fall into the outermost bins.
/// Mean and moments take the values as they are. NaN for an image without a pixel.
pub fn histogram(image: ArrayView2<f32>, bins: usize, range: [f64; 2]) -> Histogram {
    let values = || image.iter().map(|&value| f64::from(value));
    let Some(first) = values().next() else {
        return Histogram {
            mean: f64::NAN,
            sd: f64::NAN,
            skewness: f64::NAN,
            kurtosis: f64::NAN,
            entropy: f64::NAN,
        };
    };
    let entropy = entropy(values(), image.len(), bins, range);
    // The mean of equal values can miss them by a rounding, and moments of roundings mean nothing.
    if values().all(|value| value == first) {
        return Histogram {
            mean: first,
            sd: 0.0,
            skewness: 0.0,
            kurtosis: 0.0,
            entropy,
        };
    }
    let centre = mean(values());
    let moment = |power| mean(values().map(|value| (value - centre).powi(power)));
    let variance = moment(2);
    Histogram {
        mean: centre,
        sd: variance.sqrt(),
        skewness: moment(3) / variance.powf(1.5),
        kurtosis: moment(4) / variance.powi(2) - 3.0,
        entropy,
    }
}

fn entropy(values: impl Iterator<Item = f64>, num_values: usize, bins: usize, [low, high]: [f64; 2]) -> f64 {
    let last = bins.saturating_sub(1);
    let step = (high - low) / bins as f64;
    let edge = |index: usize| if index == bins { high } else { index as f64 * step + low };
    let mut counts = vec![0u32; bins];
    for value in values {
        let value = value.clamp(low, high);
        let mut bin = (((value - low) / (high - low) * bins as f64) as usize).min(last);
        // The quotient can fall on the other side of an edge by a rounding.
        if value < edge(bin) {
            bin = bin.saturating_sub(1);
        } else if bin < last && value >= edge(bin + 1) {
            bin += 1;
        }
        if let Some(count) = counts.get_mut(bin) {
            *count += 1;
        }
    }
    let share = |count: u32| f64::from(count) / num_values as f64;
    let terms = counts
        .into_iter()
        .filter(|&count| count > 0)
        .map(share)
        .map(|p| p * p.log2());
    // -0 for a single bin would print oddly.
    0.0 - terms.sum::<f64>()
}
