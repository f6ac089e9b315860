//! Angles of joints, speed, and how smooth a movement is.

use ndarray::{Array1, Array2, ArrayView2, ArrayView3, Axis};

/// The angle at `vertex` between the directions to `a` and `c`, arccos(u . v / |u| |v|), in degrees from 0 to 180, for each frame of
/// `[frames, points, axes]`; NaN where a point is missing or two coincide.
///
/// # Panics
/// For a point that is not there.
pub fn joint_angle(positions: ArrayView3<f64>, [a, vertex, c]: [usize; 3]) -> Vec<f64> {
    let angle = |frame: ArrayView2<f64>| {
        let direction = |point: usize| -> Array1<f64> { &frame.row(point) - &frame.row(vertex) };
        let (u, v) = (direction(a), direction(c));
        let norms = u.dot(&u).sqrt() * v.dot(&v).sqrt();
        // Rounding may leave [-1, 1], NaN stays.
        (u.dot(&v) / norms).clamp(-1.0, 1.0).acos().to_degrees()
    };
    positions.outer_iter().map(angle).collect()
}

/// Largest minus smallest value; NaN if one is missing, or there are none.
pub fn range_of_motion(angles: &[f64]) -> f64 {
    let [least, most] = extremes(angles);
    most - least
}

/// Smallest and largest value; NaN if one is missing, or there are none.
pub(super) fn extremes(values: &[f64]) -> [f64; 2] {
    if values.is_empty() || values.iter().any(|value| value.is_nan()) {
        return [f64::NAN; 2];
    }
    let start = [f64::INFINITY, f64::NEG_INFINITY];
    values
        .iter()
        .fold(start, |[least, most], &value| [least.min(value), most.max(value)])
}

/// Velocity of a path `[frames, axes]`: central differences `(x[t+1] - x[t-1]) rate / 2`, at both ends the difference to the neighbour,
/// as NumPy's `gradient`; NaN for a single frame. Differences amplify noise: low-pass the path first, for gait at 6 Hz.
pub fn velocity(path: ArrayView2<f64>, rate_hz: f64) -> Array2<f64> {
    let last = path.nrows().saturating_sub(1);
    let mut velocity = Array2::from_elem(path.dim(), f64::NAN);
    if last == 0 {
        return velocity;
    }
    for (frame, mut row) in velocity.outer_iter_mut().enumerate() {
        let (from, to) = (frame.saturating_sub(1), (frame + 1).min(last));
        let secs = (to - from) as f64 / rate_hz;
        row.assign(&((&path.row(to) - &path.row(from)) / secs));
    }
    velocity
}

/// Length of each row.
pub fn lengths(rows: ArrayView2<f64>) -> Vec<f64> {
    rows.map_axis(Axis(1), |row| row.dot(&row).sqrt()).to_vec()
}

/// Squared length of the third derivative of a path `[frames, axes]`, from its third difference times rate^3, averaged over the
/// frames that have one (all but three); NaN if there are none.
pub fn mean_squared_jerk(path: ArrayView2<f64>, rate_hz: f64) -> f64 {
    let num_frames = path.nrows().saturating_sub(3);
    let squared = |frame: usize| -> f64 {
        let x = |step: usize| path.row(frame + step);
        let difference = &x(3) - &x(0) - (&x(2) - &x(1)) * 3.0;
        difference.dot(&difference)
    };
    let sum: f64 = (0..num_frames).map(squared).sum();
    if num_frames == 0 {
        f64::NAN
    } else {
        sum / num_frames as f64 * rate_hz.powi(6)
    }
}

/// Log dimensionless jerk, `-ln(D^3 / v_peak^2 * integral of |jerk|^2)` over the duration D = frames / rate: larger (closer to 0) is
/// smoother. It depends neither on duration nor on amplitude (Hogan and Sternad, J Motor Behav 41(6):529, 2009; with the
/// logarithm Balasubramanian et al., J NeuroEng Rehab 12:112, 2015). NaN for a path that does not move.
pub fn log_dimensionless_jerk(path: ArrayView2<f64>, rate_hz: f64) -> f64 {
    let duration_secs = path.nrows().saturating_sub(1) as f64 / rate_hz;
    let [_, peak] = extremes(&lengths(velocity(path, rate_hz).view()));
    let integral = mean_squared_jerk(path, rate_hz) * duration_secs;
    let jerk = integral * duration_secs.powi(3) / (peak * peak);
    if jerk > 0.0 && jerk.is_finite() {
        -jerk.ln()
    } else {
        f64::NAN
    }
}
