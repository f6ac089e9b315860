//! Cleaning of paths `[frames, points, axes]`: doubtful points, gaps, place and size.

use ndarray::{Array1, ArrayView2, ArrayView3, ArrayViewMut3, Axis};

use crate::signal::statistics::median;

/// Makes points NaN whose confidence (`[frames, points]`) is less than `least` or NaN.
///
/// # Panics
/// For another number of frames or points.
pub fn mask_low_confidence(mut positions: ArrayViewMut3<f64>, confidence: ArrayView2<f64>, least: f64) {
    for ((frame, point), &confidence) in confidence.indexed_iter() {
        if confidence.is_nan() || confidence < least {
            positions.index_axis_mut(Axis(0), frame).row_mut(point).fill(f64::NAN);
        }
    }
}

/// Fills the gaps of each point by a straight line between the frames before and after, where the gap (number of its
/// frames / rate) is at most `max_gap_secs`. A point with one missing coordinate is missing. Gaps at the beginning and end have one
/// neighbour only and stay.
pub fn fill_gaps(mut positions: ArrayViewMut3<f64>, rate_hz: f64, max_gap_secs: f64) {
    for mut path in positions.axis_iter_mut(Axis(1)) {
        let mut last: Option<usize> = None;
        for frame in 0..path.nrows() {
            if path.row(frame).iter().any(|value| value.is_nan()) {
                path.row_mut(frame).fill(f64::NAN);
                continue;
            }
            if let Some(last) = last {
                let missing = frame - last - 1;
                // A gap of exactly the limit counts as one, whatever the division rounds to.
                if missing > 0 && missing as f64 / rate_hz <= max_gap_secs * (1.0 + 1e-9) {
                    let (from, to) = (path.row(last).to_owned(), path.row(frame).to_owned());
                    for between in last + 1..frame {
                        let share = (between - last) as f64 / (frame - last) as f64;
                        path.row_mut(between).assign(&(&from + &((&to - &from) * share)));
                    }
                }
            }
            last = Some(frame);
        }
    }
}

/// Puts the middle of the points `root` at the origin in each frame, and makes the median distance over the frames from there to the
/// middle of the points `top` the unit. Frames without root become NaN, as does everything without a positive distance.
/// The result does not change when a person is moved or shown larger.
///
/// # Panics
/// For a point that is not there.
pub fn normalise(mut positions: ArrayViewMut3<f64>, root: &[usize], top: &[usize]) {
    let roots: Vec<Array1<f64>> = middles(positions.view(), root);
    let tops = middles(positions.view(), top);
    let length = |(root, top): (&Array1<f64>, &Array1<f64>)| (top - root).iter().map(|x| x * x).sum::<f64>().sqrt();
    let torso = median(
        roots
            .iter()
            .zip(&tops)
            .map(length)
            .filter(|length| !length.is_nan())
            .collect(),
    );
    let torso = if torso > 0.0 { torso } else { f64::NAN };
    for (mut frame, root) in positions.outer_iter_mut().zip(&roots) {
        frame
            .outer_iter_mut()
            .for_each(|mut point| point.zip_mut_with(root, |x, root| *x = (*x - root) / torso));
    }
}

/// The middle of some points in each frame; NaN if one is missing.
pub(super) fn middles(positions: ArrayView3<f64>, points: &[usize]) -> Vec<Array1<f64>> {
    let middle = |frame: ArrayView2<f64>| {
        let sum = points
            .iter()
            .fold(Array1::zeros(frame.ncols()), |sum: Array1<f64>, &point| {
                sum + frame.row(point)
            });
        sum / points.len() as f64
    };
    positions.outer_iter().map(middle).collect()
}
