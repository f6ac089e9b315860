//! Sampling rates.

/// Whether two rates in Hz are one over a recording of `num_samples`: its last sample is less than half a sample away from
/// where the other rate puts it. Headers round their rates: 59.94 for 60000/1001, 100.001 for 100.
pub fn rates_agree(one_hz: f64, other_hz: f64, num_samples: usize) -> bool {
    let drift = num_samples as f64 * (one_hz / other_hz - 1.0).abs();
    // As seen from the faster rate, whose samples are the shorter ones.
    one_hz == other_hz || drift.max(num_samples as f64 * (other_hz / one_hz - 1.0).abs()) < 0.5
}

/// The rate that a 32-bit number was written for: the shortest decimal number that rounds to it. 59.94 Hz, and not
/// 59.939998626708984.
pub(crate) fn written_hz(stored: f32) -> f64 {
    stored.to_string().parse().unwrap_or_else(|_| stored.into())
}
