//! Markers, joints and keypoints, a channel per axis.

use ndarray::{Array2, s};

use super::reading::Reading;
use super::samples::{fill, side_by_side};
use crate::dataset::card::{Axis, PointsRule};
use crate::dataset::error::DataError;
use recoup_formats::{Part, Points};

/// The points of a file, or of frames, as the card wants them, `[frames, points * axes]`.
pub(super) fn points(reading: &Reading, keys: &PointsRule, files: &[String]) -> Result<Array2<f32>, DataError> {
    let file = files.first().map_or("", String::as_str);
    if keys.person.is_some() && files.len() == 1 {
        let problem = format!("set, but {file} is no sequence of frames with several people");
        return Err(reading.card_error("person", problem, "take it out"));
    }
    let contents = reading.contents_of(files, keys.person.unwrap_or_default())?;
    let points = contents.parts.iter().find_map(|part| match part {
        Part::Points(points) => Some(points),
        _ => None,
    });
    let wrong_file = || {
        reading.error(
            file,
            "content",
            &contents.format,
            "a file with points",
            "correct the pattern",
        )
    };
    let points = points.ok_or_else(wrong_file)?;
    reading.check_unit(file, "points", &points.unit, &keys.unit)?;
    let (num_frames, _, num_axes) = points.positions.dim();
    if let Some(axis) = keys.axes.iter().find(|axis| **axis as usize >= num_axes) {
        let (found, expected) = (format!("{num_axes} axes"), format!("an axis {}", axis.name()));
        return Err(reading.error(file, "points", found, expected, "correct `axes` in the card"));
    }
    let rate_hz = reading.rate(file, points.rate_hz, keys.file_rate_hz, num_frames)?;
    let resampler = reading.resampler(file, rate_hz, keys.rate_hz, num_frames)?;
    let mut channels = Vec::new();
    for name in &keys.points {
        let mut fitting = points.names.iter().enumerate().filter(|(_, known)| *known == name);
        let (Some((at, _)), None) = (fitting.next(), fitting.next()) else {
            let (found, expected) = (format!("{:?}", points.names), format!("exactly one `{name}`"));
            return Err(reading.error(file, "points", found, expected, "correct `points` in the card"));
        };
        for axis in &keys.axes {
            let mut path = coordinates(points, at, *axis, keys.min_confidence);
            bridge(&mut path, keys.max_gap_secs * rate_hz);
            let channel = format!("{name}.{}", axis.name());
            fill(&mut path, keys.missing, &reading.path(file), &channel)?;
            channels.push(resampler.resample(&path));
        }
    }
    Ok(side_by_side(&channels))
}

fn coordinates(points: &Points, point: usize, axis: Axis, min_confidence: f32) -> Vec<f32> {
    let values = points.positions.slice(s![.., point, axis as usize]);
    let sure = |frame: usize| {
        let confidence = points.confidence.as_ref().and_then(|all| all.get((frame, point)));
        confidence.is_none_or(|&sure| sure >= min_confidence)
    };
    let value = |(frame, &value)| if sure(frame) { value } else { f32::NAN };
    values.iter().enumerate().map(value).collect()
}

/// Straight lines over inner gaps of at most `longest` values.
fn bridge(values: &mut [f32], longest: f64) {
    let mut last = None::<(usize, f32)>;
    for at in 0..values.len() {
        let Some(&value) = values.get(at).filter(|value| !value.is_nan()) else {
            continue;
        };
        if let Some((before, from)) = last
            && (at - before - 1) as f64 <= longest + 1e-9
        {
            let step = (f64::from(value) - f64::from(from)) / (at - before) as f64;
            let gap = values.get_mut(before + 1..at).unwrap_or_default();
            gap.iter_mut()
                .zip(1u32..)
                .for_each(|(gap, count)| *gap = (f64::from(from) + step * f64::from(count)) as f32);
        }
        last = Some((at, value));
    }
}
