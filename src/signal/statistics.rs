//! Means, deviations and order statistics, each computed in one way.

use super::sums::sum;

/// Arithmetic mean; NaN of nothing. It is taken around the first value, so the mean of equal values is that value, to
/// the bit.
pub fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values = values.into_iter();
    let Some(first) = values.next() else { return f64::NAN };
    let (sum, count) = values.fold((0.0, 1u64), |(sum, count), value| (sum + (value - first), count + 1));
    first + sum / count as f64
}

/// Sample standard deviation (`ddof = 1`); NaN of less than two values.
pub fn sample_std(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    let mean = mean(values.iter().copied());
    (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt()
}

/// Population standard deviation (`ddof = 0`) about `mean`; 0 of a constant.
///
/// Values count as constant where their variance is no more than rounding makes of equal ones:
/// `var <= n eps var + (n eps mean)^2`, the bound of Chan, Golub and LeVeque for the two-pass formula.
pub fn population_std(values: impl Iterator<Item = f64>, mean: f64) -> f64 {
    let (mut sum, mut rest, mut count) = (0.0, 0.0, 0usize);
    for value in values {
        sum += (value - mean).powi(2);
        rest += value - mean;
        count += 1;
    }
    let num = count as f64;
    // The second term takes out what rounding of the mean adds.
    let variance = (sum - rest * rest / num) / num;
    let bound = num * f64::EPSILON * variance + (num * f64::EPSILON * mean).powi(2);
    if variance > bound { variance.sqrt() } else { 0.0 }
}

/// Mean and variance `sum (x - m)^2 / (N - ddof)` of the samples of a window, summed in lanes.
pub fn mean_variance(samples: &[f64], ddof: usize) -> [f64; 2] {
    let count = samples.len() as f64;
    let mean = sum(samples, |x| x) / count;
    [mean, sum(samples, |x| (x - mean) * (x - mean)) / (count - ddof as f64)]
}

/// Quantile of ordered values, linear between neighbours; NaN of none.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * sorted.len().saturating_sub(1) as f64;
    let (below, above) = (sorted.get(place.floor() as usize), sorted.get(place.ceil() as usize));
    let (Some(below), Some(above)) = (below, above) else {
        return f64::NAN;
    };
    below + (above - below) * place.fract()
}

/// The middle value, or the mean of the two in the middle; NaN of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}

/// Smallest and largest value; `None` of nothing.
pub fn extremes(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}
