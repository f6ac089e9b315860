//! Sampling rates from time stamps.

/// A time stamp may be this share of a step away from where a constant rate puts it.
const MAX_JITTER: f64 = 0.25;

/// The constant rate of some time stamps in seconds since the first of them; `None` where they are irregular.
pub(crate) fn constant_rate(times: &[f64]) -> Option<f64> {
    let rate_hz = round_rate(mean_rate(times)?, times.len());
    first_off(times, rate_hz).is_none().then_some(rate_hz)
}

/// The first time stamp that is too far from where a constant rate puts it.
pub(super) fn first_off(times: &[f64], rate_hz: f64) -> Option<usize> {
    let grid = (0u32..).map(|index| f64::from(index) / rate_hz);
    times
        .iter()
        .zip(grid)
        .position(|(time, expected)| (time - expected).abs() * rate_hz > MAX_JITTER)
}

/// Rows per second between the first and the last time stamp; `None` for less than two.
pub(super) fn mean_rate(times: &[f64]) -> Option<f64> {
    match times {
        [first, .., last] => Some((times.len() - 1) as f64 / (last - first)),
        _ => None,
    }
}

/// The rate of a device whose time stamps have this mean rate. They are rounded numbers, so the two differ a little: a
/// whole number of hertz, or of milliseconds between rows, counts where it moves the last row by less than
/// [`MAX_JITTER`] steps.
pub(super) fn round_rate(mean_hz: f64, num_rows: usize) -> f64 {
    let hertz = mean_hz.round();
    let millisecond_period = 1e3 / (1e3 / mean_hz).round();
    let nearest = match (hertz - mean_hz).abs() <= (millisecond_period - mean_hz).abs() {
        true => hertz,
        false => millisecond_period,
    };
    let tolerance_hz = mean_hz * MAX_JITTER / (num_rows.max(2) - 1) as f64;
    match nearest.is_finite() && nearest > 0.0 && (nearest - mean_hz).abs() <= tolerance_hz {
        true => nearest,
        false => mean_hz,
    }
}
