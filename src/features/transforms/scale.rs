//! Statistics of columns.

use ndarray::ArrayView1;

/// Mean of the finite values, summed in the order of the rows; `None` without any.
pub(super) fn mean(column: ArrayView1<f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0usize);
    for value in column.iter().filter(|value| value.is_finite()) {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}

/// Population deviation of the finite values about their mean; 1 for a constant column.
///
/// A column counts as constant where its variance is no more than rounding makes of equal values:
/// `var <= n eps var + (n eps mean)^2`, the bound of Chan, Golub and LeVeque for the two-pass formula.
pub(super) fn deviation(column: ArrayView1<f64>, mean: f64) -> f64 {
    let (mut sum, mut rest, mut count) = (0.0, 0.0, 0usize);
    for value in column.iter().filter(|value| value.is_finite()) {
        sum += (value - mean).powi(2);
        rest += value - mean;
        count += 1;
    }
    let num = count as f64;
    // The second term takes out what rounding of the mean adds.
    let variance = (sum - rest * rest / num) / num;
    let bound = num * f64::EPSILON * variance + (num * f64::EPSILON * mean).powi(2);
    if variance > bound { variance.sqrt() } else { 1.0 }
}

/// Smallest and largest finite value; `None` without any.
pub(super) fn extremes(column: ArrayView1<f64>) -> Option<(f64, f64)> {
    let finite = column.iter().copied().filter(|value| value.is_finite());
    finite.fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}
