//! Gait: when the feet touch and leave the ground, and what follows from it.

use ndarray::{Array1, ArrayView2, ArrayView3};

use super::clean::middles;
use crate::signal::statistics::mean;

/// Share of a path's range that a turning point must stand out by to be an event.
const PROMINENCE: f64 = 0.3;

/// Which points of `[frames, points, axes]` are what; of pairs the left one comes first.
#[derive(Debug, Clone, PartialEq)]
pub struct GaitPoints {
    /// The pelvis is the middle of these: a marker on the sacrum, or both hips.
    pub pelvis: Vec<usize>,
    /// Heels.
    pub heels: [usize; 2],
    /// Toes.
    pub toes: [usize; 2],
}

/// Seconds from the first frame, ascending; the left foot comes first.
#[derive(Debug, Clone, PartialEq)]
pub struct GaitEvents {
    /// When each foot touches the ground.
    pub heel_strikes: [Vec<f64>; 2],
    /// When each foot leaves it.
    pub toe_offs: [Vec<f64>; 2],
}

/// Times, NaN where the events do not give them; of pairs the left foot comes first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaitTimes {
    /// From heel strike to heel strike of the same foot, mean.
    pub stride_secs: [f64; 2],
    /// From the other foot's heel strike to that of this foot, mean.
    pub step_secs: [f64; 2],
    /// Steps per minute: 120 over the sum of both step times.
    pub cadence_per_min: f64,
    /// Share of the stride from heel strike to toe off, mean, in percent.
    pub stance_percent: [f64; 2],
}

/// The direction of travel: from the pelvis in the first frame to the last one, level (`vertical` is an axis), of
/// length one. `None` where the way is shorter than the farthest that a heel gets from the pelvis, as on a treadmill.
///
/// # Panics
/// For a point or axis that is not there.
pub fn direction_of_travel(positions: ArrayView3<f64>, points: &GaitPoints, vertical: usize) -> Option<Array1<f64>> {
    let pelvis = middles(positions, &points.pelvis);
    let level = |mut vector: Array1<f64>| {
        vector[vertical] = 0.0;
        vector
    };
    let norm = |vector: &Array1<f64>| vector.dot(vector).sqrt();
    let way = level(pelvis.last()? - pelvis.first()?);
    let reach = |heel: usize| {
        let distances = positions
            .outer_iter()
            .zip(&pelvis)
            .map(move |(frame, pelvis)| level(&frame.row(heel) - pelvis));
        distances.map(|distance| norm(&distance)).fold(0.0, f64::max)
    };
    let reach = points.heels.map(reach);
    let length = norm(&way);
    (length > reach[0].max(reach[1])).then(|| way / length)
}

/// Heel strikes and toe offs by coordinates (Zeni, Richards and Higginson, Gait Posture 27(4):710, 2008): a foot touches the ground
/// when its heel is farthest before the pelvis, and leaves it when its toe is farthest behind, along `forward`.
///
/// A turning point counts if it stands out (prominence) by 0.3 of the range of the path. Low-pass the paths first, at 6
/// Hz. No events for a foot with a frame missing.
///
/// # Panics
/// For a point that is not there.
pub fn gait_events(positions: ArrayView3<f64>, rate_hz: f64, points: &GaitPoints, forward: &Array1<f64>) -> GaitEvents {
    let pelvis = middles(positions, &points.pelvis);
    let ahead = |point: usize, sign: f64| -> Vec<f64> {
        let ahead = |(frame, pelvis): (ArrayView2<f64>, &Array1<f64>)| sign * (&frame.row(point) - pelvis).dot(forward);
        positions.outer_iter().zip(&pelvis).map(ahead).collect()
    };
    let times = |path: Vec<f64>| peaks(&path).into_iter().map(|frame| frame as f64 / rate_hz).collect();
    GaitEvents {
        heel_strikes: points.heels.map(|heel| times(ahead(heel, 1.0))),
        toe_offs: points.toes.map(|toe| times(ahead(toe, -1.0))),
    }
}

/// Frames of the maxima that stand out, of plateaus their middle.
fn peaks(path: &[f64]) -> Vec<usize> {
    let [least, most] = super::kinematics::extremes(path);
    let needed = PROMINENCE * (most - least);
    let mut peaks = Vec::new();
    let mut start = 1;
    while start + 1 < path.len() {
        let value = path[start];
        let end = start + path[start..].iter().take_while(|&&other| other == value).count();
        // One that reaches an end of the path is no maximum.
        if path[start - 1] < value && path.get(end).is_some_and(|&after| after < value) {
            let lowest = |side: &mut dyn Iterator<Item = &f64>| {
                side.take_while(|&&other| other <= value)
                    .fold(value, |lowest, &other| lowest.min(other))
            };
            let (before, after) = (lowest(&mut path[..start].iter().rev()), lowest(&mut path[end..].iter()));
            if value - before.max(after) >= needed {
                peaks.push((start + end - 1) / 2);
            }
        }
        start = end;
    }
    peaks
}

/// Times of strides, steps and stances from the events.
pub fn gait_times(events: &GaitEvents) -> GaitTimes {
    let sides = [0, 1];
    let strides = sides.map(|side| mean(events.heel_strikes[side].windows(2).map(|pair| pair[1] - pair[0])));
    let steps = sides.map(|side| mean(steps(&events.heel_strikes[side], &events.heel_strikes[1 - side])));
    let stances = sides.map(|side| mean(stances(&events.heel_strikes[side], &events.toe_offs[side])));
    GaitTimes {
        stride_secs: strides,
        step_secs: steps,
        cadence_per_min: 120.0 / (steps[0] + steps[1]),
        stance_percent: stances.map(|share| 100.0 * share),
    }
}

/// From the last strike of the other foot to each strike of this one, if this foot did not strike in between.
fn steps(strikes: &[f64], others: &[f64]) -> impl Iterator<Item = f64> {
    strikes.iter().enumerate().filter_map(|(index, &strike)| {
        let other = others.iter().copied().rfind(|&other| other < strike)?;
        let before = index.checked_sub(1).and_then(|index| strikes.get(index));
        before.is_none_or(|&before| before < other).then_some(strike - other)
    })
}

/// Share of each stride before the toe off in it.
fn stances(strikes: &[f64], offs: &[f64]) -> impl Iterator<Item = f64> {
    strikes.windows(2).filter_map(|stride| {
        let off = offs.iter().find(|&&off| off > stride[0] && off < stride[1])?;
        Some((off - stride[0]) / (stride[1] - stride[0]))
    })
}

/// How far left and right are apart: 2 |L - R| / (L + R), 0 for equal sides.
pub fn asymmetry([left, right]: [f64; 2]) -> f64 {
    2.0 * (left - right).abs() / (left + right)
}

/// Mean speed of the pelvis along `forward` from the first to the last heel strike, in units per second.
///
/// # Panics
/// For a point that is not there.
pub fn walking_speed(
    positions: ArrayView3<f64>,
    rate_hz: f64,
    points: &GaitPoints,
    events: &GaitEvents,
    forward: &Array1<f64>,
) -> f64 {
    let pelvis = middles(positions, &points.pelvis);
    let strikes = events.heel_strikes.iter().flatten();
    let [first, last] = strikes.fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], &time| {
        [a.min(time), b.max(time)]
    });
    let at = |secs: f64| {
        pelvis
            .get((secs * rate_hz).round() as usize)
            .filter(|_| secs.is_finite())
    };
    match (at(first), at(last)) {
        (Some(from), Some(to)) if last > first => (to - from).dot(forward) / (last - first),
        _ => f64::NAN,
    }
}
