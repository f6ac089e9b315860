//! Detrended fluctuation analysis: how the variability of a series grows with the length of the stretch looked at.

use std::ops::RangeInclusive;

/// Scaling exponent alpha of a series (Peng et al. 1995, Chaos 5:82).
///
/// The profile `y[k] = sum_{i <= k} (x[i] - mean)` is cut into boxes of `size` points, from its start and without
/// overlap; what does not fill a box is left out. `F(size)` is the root mean square of what the least-squares lines of
/// the boxes leave, and alpha the least-squares slope of `ln F` over `ln size`, for every whole size of the range.
/// White noise has 0.5, 1/f noise 1 and its sum, Brownian noise, 1.5.
///
/// NaN where the series has less than two boxes of the largest size, where a box has less than 4 points, and for a
/// series that lines fit exactly, such as a constant one.
pub fn dfa_alpha(series: &[f64], sizes: RangeInclusive<usize>) -> f64 {
    if *sizes.start() < 4 || sizes.start() >= sizes.end() || series.len() / 2 < *sizes.end() {
        return f64::NAN;
    }
    let first = series.first().copied().unwrap_or(0.0);
    // Differences from the first value, so that a constant series is exactly 0.
    let mean = series.iter().map(|x| x - first).sum::<f64>() / series.len() as f64;
    let mut sum = 0.0;
    let profile: Vec<f64> = series
        .iter()
        .map(|x| {
            sum += x - first - mean;
            sum
        })
        .collect();
    let points: Vec<(f64, f64)> = sizes
        .map(|size| ((size as f64).ln(), fluctuation(&profile, size).ln()))
        .collect();
    slope(&points)
}

/// `F(size)`: root mean square distance of the profile from the lines of its boxes.
fn fluctuation(profile: &[f64], size: usize) -> f64 {
    let boxes = profile.chunks_exact(size);
    let num_points = boxes.len() * size;
    (boxes.map(squares_off_line).sum::<f64>() / num_points as f64).sqrt()
}

/// Sum of the squared distances from the least-squares line over the index.
fn squares_off_line(y: &[f64]) -> f64 {
    let count = y.len() as f64;
    let centre = (count - 1.0) / 2.0;
    let mean = y.iter().sum::<f64>() / count;
    let products: f64 = y
        .iter()
        .enumerate()
        .map(|(i, y)| (i as f64 - centre) * (y - mean))
        .sum();
    let slope = products / (count * (count * count - 1.0) / 12.0);
    y.iter()
        .enumerate()
        .map(|(i, y)| (y - mean - slope * (i as f64 - centre)).powi(2))
        .sum()
}

/// Least-squares slope; NaN when a point is not finite.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / count;
    let (x_mean, y_mean) = (mean(|p| p.0), mean(|p| p.1));
    let products: f64 = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    let squares: f64 = points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    let slope = products / squares;
    if slope.is_finite() { slope } else { f64::NAN }
}
