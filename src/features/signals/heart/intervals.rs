//! The intervals between heart beats.

use crate::features::signals::stride::Outliers;

/// Intervals between successive beats, those left out that are no normal ones.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BeatIntervals {
    /// Time of the beat that ends each interval.
    pub end_secs: Vec<f64>,
    /// Lengths.
    pub millis: Vec<f64>,
    /// Whether the interval directly before each is kept too.
    pub follows: Vec<bool>,
}

impl BeatIntervals {
    /// From the times of beats, ascending.
    pub fn new(beat_secs: &[f64], outliers: &Outliers) -> Self {
        let ends = beat_secs.iter().skip(1);
        let millis: Vec<f64> = beat_secs
            .iter()
            .zip(ends.clone())
            .map(|(start, end)| 1000.0 * (end - start))
            .collect();
        let kept = outliers.kept(&millis);
        let mut intervals = Self::default();
        let mut follows = false;
        for ((length, end), kept) in millis.into_iter().zip(ends).zip(kept) {
            if kept {
                intervals.end_secs.push(*end);
                intervals.millis.push(length);
                intervals.follows.push(follows);
            }
            follows = kept;
        }
        intervals
    }

    /// Pairs of intervals of which the second follows the first directly.
    pub fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        let pairs = self
            .millis
            .iter()
            .zip(self.millis.iter().skip(1))
            .zip(self.follows.iter().skip(1));
        pairs.filter(|(_, follows)| **follows).map(|((a, b), _)| (*a, *b))
    }

    /// `(time, length in ms)` at `rate_hz`, by the natural cubic spline through the intervals at their ends; from the
    /// first end, as far as the last.
    pub fn resample(&self, rate_hz: f64) -> Vec<f64> {
        let (Some(first), Some(last)) = (self.end_secs.first(), self.end_secs.last()) else {
            return Vec::new();
        };
        // A grid point that rounding moves past the end is still meant.
        let count = ((last - first) * rate_hz + 1e-9).floor() as usize + 1;
        let curvature = spline_curvature(&self.end_secs, &self.millis);
        let mut piece = 0;
        let value = |index: usize| {
            let time = first + index as f64 / rate_hz;
            while piece + 2 < self.end_secs.len() && self.end_secs.get(piece + 1).is_some_and(|end| *end <= time) {
                piece += 1;
            }
            let at = |values: &[f64]| values.get(piece).copied().zip(values.get(piece + 1).copied());
            let (Some((t0, t1)), Some((y0, y1)), Some((c0, c1))) =
                (at(&self.end_secs), at(&self.millis), at(&curvature))
            else {
                return self.millis.first().copied().unwrap_or(f64::NAN);
            };
            let (step, a, b) = (t1 - t0, (t1 - time) / (t1 - t0), (time - t0) / (t1 - t0));
            a * y0 + b * y1 + ((a * a * a - a) * c0 + (b * b * b - b) * c1) * step * step / 6.0
        };
        (0..count).map(value).collect()
    }
}

/// Second derivatives at the knots, 0 at the ends: the tridiagonal system by elimination (Thomas).
fn spline_curvature(x: &[f64], y: &[f64]) -> Vec<f64> {
    let mut factors = vec![(0.0, 0.0)];
    for (x, y) in x.windows(3).zip(y.windows(3)) {
        let ([x0, x1, x2], [y0, y1, y2]) = (x, y) else { continue };
        let (above, below) = factors.last().copied().unwrap_or_default();
        let right = 6.0 * ((y2 - y1) / (x2 - x1) - (y1 - y0) / (x1 - x0));
        let diagonal = 2.0 * (x2 - x0) - (x1 - x0) * above;
        factors.push(((x2 - x1) / diagonal, (right - (x1 - x0) * below) / diagonal));
    }
    let mut next = 0.0;
    let mut curvature: Vec<f64> = factors
        .iter()
        .rev()
        .map(|(above, below)| {
            next = below - above * next;
            next
        })
        .collect();
    curvature.reverse();
    curvature.push(0.0);
    curvature
}
