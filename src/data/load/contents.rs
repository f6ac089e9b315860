//! Modalities from files of any format: signals, points, images, annotations.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis as Dim, s};

use super::signal::{fill, resampler, side_by_side};
use super::source::Source;
use crate::data::card::{AnnotationsRule, Axis, ImageRule, MissingRule, PointsRule, SignalFileRule};
use crate::data::formats::image::{self, Color, Image, Scaling};
use crate::data::formats::{Contents, Images, Part, Points, SignalChannel, open};
use crate::data::{DataError, Recording};

/// A file with what a rule asks of it, for messages.
struct Wanted<'a> {
    file: &'a Path,
    card: &'a Path,
}

impl Wanted<'_> {
    fn error(
        &self,
        place: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: &str,
    ) -> DataError {
        DataError::File {
            file: self.file.to_path_buf(),
            place: place.into(),
            found: found.into(),
            expected: expected.into(),
            hint: format!("{hint} in {}", self.card.display()),
        }
    }

    /// The unit of the file must be that of the card: units are not converted.
    fn check_unit(&self, place: String, found: &str, expected: &str) -> Result<(), DataError> {
        match found == expected {
            true => Ok(()),
            false => Err(self.error(
                place,
                format!("unit `{found}`"),
                format!("`{expected}`"),
                "state the file's unit; units are not converted:",
            )),
        }
    }
}

fn read(source: &Source, files: &[String]) -> Result<(Contents, PathBuf), DataError> {
    let path = |file: &String| source.raw_dir.join(file);
    match files {
        [file] => {
            let beside = |path: &Path| {
                let file = path.strip_prefix(source.raw_dir).unwrap_or(path);
                source.read(&file.to_string_lossy())
            };
            Ok((open::open_with(&path(file), &beside)?, path(file)))
        }
        files => Ok((open::open_files(&read_all(source, files)?)?, files.first().map(path).unwrap_or_default())),
    }
}

fn read_all(source: &Source, files: &[String]) -> Result<Vec<(PathBuf, Vec<u8>)>, DataError> {
    files.iter().map(|file| Ok((source.raw_dir.join(file), source.read(file)?))).collect()
}

/// The channels of a file as the card wants them, `[samples, channels]`.
pub(super) fn signal(source: &Source, rule: &SignalFileRule, file: &str) -> Result<Array2<f32>, DataError> {
    let (contents, path) = read(source, &[file.to_string()])?;
    let wanted = Wanted { file: &path, card: &source.card.path };
    let channels: Vec<&SignalChannel> = contents.parts.iter().flat_map(Part::signals).collect();
    let mut resampled = Vec::new();
    for wish in &rule.channels {
        let mut fitting = channels.iter().filter(|channel| channel.name == wish.channel);
        let (Some(channel), None) = (fitting.next(), fitting.next()) else {
            let names: Vec<_> = channels.iter().map(|channel| channel.name.as_str()).collect();
            let expected = format!("exactly one `{}`", wish.channel);
            return Err(wanted.error("channels", format!("{names:?}"), expected, "correct the channels"));
        };
        wanted.check_unit(format!("channel `{}`", channel.name), &channel.unit, &wish.unit)?;
        let mut values = channel.values.clone();
        fill(&mut values, rule.missing, &path, &channel.name)?;
        resampled.push(resampler(source, &rule.name, file, channel.rate_hz, rule.rate_hz)?.resample(&values));
    }
    // Channels of different rates may differ by a sample after resampling.
    let num_rows = resampled.iter().map(Vec::len).min().unwrap_or(0);
    resampled.iter_mut().for_each(|values| values.truncate(num_rows));
    Ok(side_by_side(&resampled))
}

/// The points of a file as the card wants them, `[frames, points * axes]`.
pub(super) fn points(source: &Source, rule: &PointsRule, files: &[String]) -> Result<Array2<f32>, DataError> {
    let (contents, path) = read(source, files)?;
    let wanted = Wanted { file: &path, card: &source.card.path };
    let points = contents.parts.iter().find_map(|part| match part {
        Part::Points(points) => Some(points),
        _ => None,
    });
    let points =
        points.ok_or_else(|| wanted.error("content", &contents.format, "a file with points", "correct the pattern"))?;
    wanted.check_unit("points".into(), &points.unit, &rule.unit)?;
    let num_axes = points.positions.dim().2;
    if let Some(axis) = rule.axes.iter().find(|axis| **axis as usize >= num_axes) {
        return Err(wanted.error(
            "points",
            format!("{num_axes} axes"),
            format!("an axis {}", axis.name()),
            "correct `axes`",
        ));
    }
    let rate_hz = points.rate_hz.or(rule.file_rate_hz).ok_or_else(|| {
        wanted.error("points", "no rate", "frames per second", "the format does not tell them: state `file_rate_hz`")
    })?;
    let resampler = resampler(source, &rule.name, files.first().map_or("", String::as_str), rate_hz, rule.rate_hz)?;
    let mut channels = Vec::new();
    for name in &rule.points {
        let at = points.names.iter().position(|known| known == name);
        let at = at.ok_or_else(|| {
            wanted.error("points", format!("{:?}", points.names), format!("`{name}`"), "correct `points`")
        })?;
        for axis in &rule.axes {
            let mut path_of_point = coordinates(points, at, *axis, rule.min_confidence);
            bridge(&mut path_of_point, (rule.max_gap_secs * rate_hz + 1e-9) as usize);
            fill(&mut path_of_point, rule.missing, &path, &format!("{name}.{}", axis.name()))?;
            channels.push(resampler.resample(&path_of_point));
        }
    }
    Ok(side_by_side(&channels))
}

fn coordinates(points: &Points, point: usize, axis: Axis, min_confidence: f32) -> Vec<f32> {
    let values = points.positions.slice(s![.., point, axis as usize]);
    let sure = |frame: usize| {
        points.confidence.as_ref().and_then(|all| all.get((frame, point))).is_none_or(|&sure| sure >= min_confidence)
    };
    values.iter().enumerate().map(|(frame, &value)| if sure(frame) { value } else { f32::NAN }).collect()
}

/// Straight lines over inner gaps of at most `longest` values.
fn bridge(values: &mut [f32], longest: usize) {
    let mut last = None::<usize>;
    for at in 0..values.len() {
        let Some(&value) = values.get(at).filter(|value| !value.is_nan()) else { continue };
        if let Some((before, &from)) = last.and_then(|last| Some((last, values.get(last)?)))
            && (2..=longest + 1).contains(&(at - before))
        {
            let step = (value - from) / (at - before) as f32;
            let gap = values.iter_mut().take(at).skip(before + 1);
            gap.zip(1u16..).for_each(|(gap, count)| *gap = from + step * f32::from(count));
        }
        last = Some(at);
    }
}

/// The images of one session, one below the other, each a flat row.
pub(super) fn images(source: &Source, rule: &ImageRule, files: &[String]) -> Result<Array2<f32>, DataError> {
    let (contents, path) = match rule.scale {
        None => read(source, files)?,
        Some([slope, offset]) => {
            let images = image::read_sequence(&read_all(source, files)?, 1.0, Scaling::Celsius { slope, offset })?;
            let contents = Contents { parts: vec![Part::Images(images)], ..Contents::default() };
            (contents, files.first().map(|file| source.raw_dir.join(file)).unwrap_or_default())
        }
    };
    let wanted = Wanted { file: &path, card: &source.card.path };
    let images = contents.parts.iter().find_map(|part| match part {
        Part::Images(images) => Some(images),
        _ => None,
    });
    let images = images.ok_or_else(|| wanted.error("content", &contents.format, "images", "correct the pattern"))?;
    let [first, last, step] = rule.slices.unwrap_or([0, usize::MAX, 1]);
    let mut values = Vec::new();
    for image in images
        .values
        .outer_iter()
        .enumerate()
        .filter(|(at, _)| (first..=last).contains(at) && (at - first) % step.max(1) == 0)
        .map(|(_, image)| image)
    {
        let (_, height, width) = image.dim();
        let planes: Vec<f32> =
            recolored(images, rule.color).iter().flat_map(|weights| plane(&image, weights)).collect();
        let resized = Image { height, width, values: planes }.resized(rule.height, rule.width);
        values.extend(resized.values.into_iter().map(|value| match rule.range {
            Some([low, high]) => ((value - low) / (high - low)).clamp(0.0, 1.0),
            None => value,
        }));
    }
    let num_columns = rule.color.planes().len() * rule.height * rule.width;
    let found = values.len() / num_columns.max(1);
    if found == 0 {
        let expected = format!("slice {first}");
        return Err(wanted.error("images", format!("{} of them", images.values.dim().0), expected, "correct `slices`"));
    }
    Array2::from_shape_vec((found, num_columns), values)
        .map_err(|error| wanted.error("images", error.to_string(), "planes of one size", "correct `color`"))
}

/// For each plane that is wanted, the weights of those that there are.
fn recolored(images: &Images, color: Color) -> Vec<Vec<f32>> {
    match (images.planes.len(), color) {
        // The luma of ITU-R BT.601, as for PNG and JPEG.
        (3, Color::Gray) => vec![vec![0.299, 0.587, 0.114]],
        (3, Color::Rgb) => vec![vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0], vec![0.0, 0.0, 1.0]],
        (_, color) => vec![vec![1.0]; color.planes().len()],
    }
}

fn plane(image: &ndarray::ArrayView3<f32>, weights: &[f32]) -> Vec<f32> {
    let (_, height, width) = image.dim();
    let mut sum = Array2::<f32>::zeros((height, width));
    for (plane, &weight) in image.axis_iter(Dim(0)).zip(weights).filter(|(_, weight)| **weight != 0.0) {
        sum.scaled_add(weight, &plane);
    }
    sum.into_iter().collect()
}

/// The annotations whose texts the card knows, in the order of time.
pub(super) fn annotations(source: &Source, rule: &AnnotationsRule, file: &str) -> Result<Option<Recording>, DataError> {
    let (contents, _) = read(source, &[file.to_string()])?;
    let known = contents.annotations.iter().filter_map(|mark| Some((mark, *rule.labels.get(&mark.text)?)));
    let mut rows: Vec<(f64, [f32; 2])> = known
        .map(|(mark, label)| (mark.onset_secs, [label, mark.duration_secs.map_or(f32::NAN, |secs| secs as f32)]))
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let values: Vec<[f32; 2]> = rows.iter().map(|(_, values)| *values).collect();
    let times_secs = rows.into_iter().map(|(secs, _)| secs).collect();
    Ok((!values.is_empty()).then(|| Recording { times_secs: Some(times_secs), values: ndarray::arr2(&values) }))
}

/// A recording moved by whole samples: it begins `shift` samples later on the session's clock, or is cut at its beginning where negative.
pub(super) fn shifted(values: &Array2<f32>, shift: isize, missing: MissingRule) -> Array2<f32> {
    let (rows, columns) = values.dim();
    if shift <= 0 {
        return values.slice(s![shift.unsigned_abs().min(rows.saturating_sub(1)).., ..]).to_owned();
    }
    let mut moved = Array2::from_elem((rows + shift as usize, columns), f32::NAN);
    moved.slice_mut(s![shift.., ..]).assign(values);
    if missing == MissingRule::Interpolate
        && let Some(first) = values.outer_iter().next()
    {
        moved.slice_mut(s![..shift, ..]).assign(&first);
    }
    moved
}
