//! Modalities from files of any format: signals, points, annotations.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use ndarray::{Array2, arr2, s};

use super::signal::{fill, resampler, side_by_side};
use super::source::Source;
use crate::base::FileError;
use crate::dataset::card::{AnnotationsRule, Axis, MissingRule, PointsRule, SignalFileRule};
use crate::dataset::error::DataError;
use crate::dataset::subjects::Recording;
use recoup_formats::keypoints::Person;
use recoup_formats::units::same_unit;
use recoup_formats::{Contents, Part, Points, SignalChannel, open, refuse_unaccepted};

/// A file with what a rule asks of it, for messages.
pub(super) struct Wanted<'a> {
    pub(super) file: &'a Path,
    pub(super) card: &'a Path,
}

impl Wanted<'_> {
    pub(super) fn error(
        &self,
        place: impl Display,
        found: impl Display,
        expected: impl Display,
        hint: &str,
    ) -> DataError {
        FileError::at(self.file)
            .place(place)
            .found(found)
            .expected(expected)
            .hint(format!("{hint} in {}", self.card.display()))
            .into()
    }

    /// The unit of the file must be that of the card: units are not converted.
    fn check_unit(&self, place: String, found: &str, expected: &str) -> Result<(), DataError> {
        match same_unit(found, expected) {
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

/// Everything in a file, whatever its format.
pub(super) fn read(source: &Source, file: &str) -> Result<(Contents, PathBuf), DataError> {
    let path = source.raw_dir.join(file);
    let beside = |path: &Path| source.read(&path.strip_prefix(source.raw_dir).unwrap_or(path).to_string_lossy());
    let contents = open::open_with(&path, &beside)?;
    refuse_unaccepted(&contents.warnings, &[], &path)?;
    Ok((contents, path))
}

/// Everything in the files of one sequence.
pub(super) fn read_sequence(source: &Source, files: &[String]) -> Result<(Contents, PathBuf), DataError> {
    let bytes = files
        .iter()
        .map(|file| Ok((source.raw_dir.join(file), source.read(file)?)));
    let files = bytes.collect::<Result<Vec<_>, DataError>>()?;
    let contents = open::open_files(&files, Person::default())?;
    let path = files.into_iter().next().unwrap_or_default().0;
    refuse_unaccepted(&contents.warnings, &[], &path)?;
    Ok((contents, path))
}

/// The channels of a file as the card wants them, `[samples, channels]`.
pub(super) fn signal(source: &Source, rule: &SignalFileRule, file: &str) -> Result<Array2<f32>, DataError> {
    let (contents, path) = read(source, file)?;
    let wanted = Wanted {
        file: &path,
        card: &source.card.path,
    };
    let channels: Vec<&SignalChannel> = contents.parts.iter().flat_map(Part::signals).collect();
    if channels.is_empty() {
        return Err(wanted.error(
            "content",
            &contents.format,
            "a file with signals",
            "correct the pattern",
        ));
    }
    let (mut resampled, mut slowest_hz) = (Vec::new(), rule.rate_hz);
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
        slowest_hz = slowest_hz.min(channel.rate_hz);
    }
    let lengths = || resampled.iter().map(Vec::len);
    let (num_rows, longest) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
    // Channels of one duration differ by less than the step of the slowest.
    if (longest - num_rows) as f64 > rule.rate_hz / slowest_hz {
        let secs = |rows: usize| rows as f64 / rule.rate_hz;
        let found = format!("{} s and {} s", secs(num_rows), secs(longest));
        let hint = "take channels that end together into one modality each";
        return Err(wanted.error("channels", found, "one duration", hint));
    }
    resampled.iter_mut().for_each(|values| values.truncate(num_rows));
    Ok(side_by_side(&resampled))
}

/// The points of a file as the card wants them, `[frames, points * axes]`.
pub(super) fn points(source: &Source, rule: &PointsRule, files: &[String]) -> Result<Array2<f32>, DataError> {
    let (contents, path) = match files {
        [file] => read(source, file)?,
        files => read_sequence(source, files)?,
    };
    let wanted = Wanted {
        file: &path,
        card: &source.card.path,
    };
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
    let rate_hz = match (points.rate_hz, rule.file_rate_hz) {
        (Some(found), Some(stated)) if (found / stated - 1.0).abs() > 1e-6 => {
            let hint = "take `file_rate_hz` out or correct it";
            return Err(wanted.error(
                "points",
                format!("{found} Hz"),
                format!("file_rate_hz = {stated}"),
                hint,
            ));
        }
        (Some(rate_hz), _) | (None, Some(rate_hz)) => rate_hz,
        (None, None) => {
            let hint = "the format does not tell them: state `file_rate_hz`";
            return Err(wanted.error("points", "no rate", "frames per second", hint));
        }
    };
    let resampler = resampler(
        source,
        &rule.name,
        files.first().map_or("", String::as_str),
        rate_hz,
        rule.rate_hz,
    )?;
    let mut channels = Vec::new();
    for name in &rule.points {
        let mut fitting = points.names.iter().enumerate().filter(|(_, known)| *known == name);
        let (Some((at, _)), None) = (fitting.next(), fitting.next()) else {
            let expected = format!("exactly one `{name}`");
            return Err(wanted.error("points", format!("{:?}", points.names), expected, "correct `points`"));
        };
        for axis in &rule.axes {
            let mut path_of_point = coordinates(points, at, *axis, rule.min_confidence);
            bridge(&mut path_of_point, rule.max_gap_secs * rate_hz);
            fill(
                &mut path_of_point,
                rule.missing,
                &path,
                &format!("{name}.{}", axis.name()),
            )?;
            channels.push(resampler.resample(&path_of_point));
        }
    }
    Ok(side_by_side(&channels))
}

fn coordinates(points: &Points, point: usize, axis: Axis, min_confidence: f32) -> Vec<f32> {
    let values = points.positions.slice(s![.., point, axis as usize]);
    let sure = |frame: usize| {
        points
            .confidence
            .as_ref()
            .and_then(|all| all.get((frame, point)))
            .is_none_or(|&sure| sure >= min_confidence)
    };
    values
        .iter()
        .enumerate()
        .map(|(frame, &value)| if sure(frame) { value } else { f32::NAN })
        .collect()
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

/// The annotations whose texts the card knows, in the order of time.
pub(super) fn annotations(source: &Source, rule: &AnnotationsRule, file: &str) -> Result<Option<Recording>, DataError> {
    let (contents, path) = read(source, file)?;
    let known = contents
        .annotations
        .iter()
        .filter_map(|mark| Some((mark, *rule.labels.get(&mark.text)?)));
    let mut rows: Vec<(f64, [f32; 2])> = known
        .map(|(mark, label)| {
            (
                mark.onset_secs,
                [label, mark.duration_secs.map_or(f32::NAN, |secs| secs as f32)],
            )
        })
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    if rows.is_empty() {
        if rule.optional {
            return Ok(None);
        }
        let texts: BTreeSet<&str> = contents.annotations.iter().map(|mark| mark.text.as_str()).collect();
        let expected = format!("at least one of {:?}", rule.labels.keys().collect::<Vec<_>>());
        let hint = "correct `labels`, or write `optional = true`,";
        let wanted = Wanted {
            file: &path,
            card: &source.card.path,
        };
        return Err(wanted.error(
            "annotations",
            format!("{:?}", texts.iter().take(12).collect::<Vec<_>>()),
            expected,
            hint,
        ));
    }
    let values: Vec<[f32; 2]> = rows.iter().map(|(_, values)| *values).collect();
    let times_secs = rows.into_iter().map(|(secs, _)| secs).collect();
    Ok(Some(Recording {
        times_secs: Some(times_secs),
        values: arr2(&values),
    }))
}

/// A recording moved by whole samples: it begins `shift` samples later on the session's clock, or is cut at its beginning
/// where negative.
pub(super) fn shifted(values: &Array2<f32>, shift: isize, missing: MissingRule) -> Array2<f32> {
    let (rows, columns) = values.dim();
    if shift <= 0 {
        return values
            .slice(s![shift.unsigned_abs().min(rows.saturating_sub(1)).., ..])
            .to_owned();
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
