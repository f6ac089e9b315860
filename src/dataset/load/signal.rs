//! Channels of files with signals, without gaps, at the rate that the card wants.

use ndarray::Array2;

use super::reading::Reading;
use super::samples::{fill, side_by_side};
use super::table_signal;
use crate::dataset::card::{ColumnRule, DIGITAL_UNIT, SignalRule};
use crate::dataset::error::DataError;
use recoup_formats::{Contents, Part, SignalChannel, detect, open, wfdb};

/// Formats of tables, and those that a table, cut as the card says, may look like.
const TABLES: [&str; 2] = ["Parquet", "delimited text"];
const TEXTS: [&str; 5] = ["delimited text", "WFDB", "skeletons", "OpenPose", "keypoints"];

/// The channels of a file as the card wants them, `[samples, channels]`.
pub(super) fn signal(reading: &Reading, keys: &SignalRule, file: &str) -> Result<Array2<f32>, DataError> {
    match is_table(reading, keys, file)? {
        true => table_signal::signal(reading, keys, file),
        false => channels(reading, keys, file),
    }
}

/// Whether a file is read as a table: by its first bytes, and where these leave it open by the keys of the card.
fn is_table(reading: &Reading, keys: &SignalRule, file: &str) -> Result<bool, DataError> {
    let path = reading.path(file);
    let head = open::head(&path)?;
    let is_text = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) || !head.contains(&0);
    match (detect(&head, &path), keys.table_key()) {
        (Ok(format), _) if TABLES.contains(&format.name) => Ok(true),
        (Ok(format), Some(_)) if TEXTS.contains(&format.name) => Ok(true),
        (Ok(format), Some(key)) => {
            let expected = format!("a table, because the card has `{key}`");
            let hint = format!("take `{key}` out of the modality, or correct `file`");
            Err(reading.error(file, "first bytes", format.name, expected, &hint))
        }
        (Ok(_), None) => Ok(false),
        (Err(_), key) if is_text && (key.is_some() || keys.file_rate_hz.is_some()) => Ok(true),
        (Err(error), _) => Err(error.into()),
    }
}

fn channels(reading: &Reading, keys: &SignalRule, file: &str) -> Result<Array2<f32>, DataError> {
    let contents = reading.contents(&[file.to_string()])?;
    let found: Vec<&SignalChannel> = contents.parts.iter().flat_map(Part::signals).collect();
    if found.is_empty() {
        let expected = "a file with signals";
        return Err(reading.error(file, "content", &contents.format, expected, "correct the pattern"));
    }
    let digital = digital(reading, keys, &found, file)?;
    let digital: Vec<&SignalChannel> = digital.parts.iter().flat_map(Part::signals).collect();
    let (mut resampled, mut slowest_hz) = (Vec::new(), keys.rate_hz);
    for wanted in &keys.channels {
        let of = if wanted.unit() == DIGITAL_UNIT && !digital.is_empty() {
            &digital
        } else {
            &found
        };
        let channel = find(reading, of, wanted, file)?;
        reading.check_unit(
            file,
            &format!("channel `{}`", channel.name),
            &channel.unit,
            wanted.unit(),
        )?;
        let mut values = channel.values.clone();
        check_values(reading, wanted, 0, &values, file)?;
        fill(&mut values, keys.missing, &reading.path(file), wanted.channel())?;
        let rate_hz = reading.rate(file, Some(channel.rate_hz), keys.file_rate_hz, values.len())?;
        let resampler = reading.resampler(file, rate_hz, keys.rate_hz, values.len())?;
        resampled.push(resampler.resample(&values));
        slowest_hz = slowest_hz.min(rate_hz);
    }
    let lengths = || resampled.iter().map(Vec::len);
    let (num_rows, longest) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
    reading.check_durations(file, (num_rows, longest), keys.rate_hz, slowest_hz)?;
    resampled.iter_mut().for_each(|values| values.truncate(num_rows));
    Ok(side_by_side(&resampled))
}

/// The digital values of a WFDB record, where the card asks for those of a calibrated signal; otherwise nothing.
fn digital(reading: &Reading, keys: &SignalRule, found: &[&SignalChannel], file: &str) -> Result<Contents, DataError> {
    let is_calibrated = |wanted: &ColumnRule| {
        let mut named = found.iter().filter(|channel| channel.name == wanted.in_file());
        wanted.unit() == DIGITAL_UNIT && named.any(|channel| channel.unit != DIGITAL_UNIT)
    };
    let path = reading.path(file);
    if !keys.channels.iter().any(is_calibrated) || detect(&open::head(&path)?, &path)?.name != "WFDB" {
        return Ok(Contents::default());
    }
    Ok(wfdb::digital_contents_with(&path, |path| reading.bytes(path))?)
}

/// The one channel of the file that the card names.
fn find<'c>(
    reading: &Reading,
    channels: &[&'c SignalChannel],
    wanted: &ColumnRule,
    file: &str,
) -> Result<&'c SignalChannel, DataError> {
    let mut fitting = channels.iter().filter(|channel| channel.name == wanted.in_file());
    match (fitting.next(), fitting.next()) {
        (Some(channel), None) => Ok(channel),
        _ => {
            let names: Vec<_> = channels.iter().map(|channel| channel.name.as_str()).collect();
            let expected = format!("exactly one `{}`", wanted.in_file());
            let hint = "correct the channels in the card";
            Err(reading.error(file, "channels", format!("{names:?}"), expected, hint))
        }
    }
}

/// What the card says of the values of a channel must hold; words and scores are a table's. `start` is the number of the
/// first sample.
pub(super) fn check_values(
    reading: &Reading,
    wanted: &ColumnRule,
    start: usize,
    values: &[f32],
    file: &str,
) -> Result<(), DataError> {
    let key = if wanted.scale.is_some() { "scale" } else { "categories" };
    if wanted.scale.is_some() || wanted.categories.is_some() {
        let problem = format!("`{}` has `{key}`, but {file} is no table", wanted.channel());
        return Err(reading.card_error("channels", problem, format!("take `{key}` out")));
    }
    let known = (start..).zip(values).filter(|(_, value)| !value.is_nan());
    let outside = known
        .filter_map(|(sample, &value)| Some((sample, value, wanted.out_of_range(value)?)))
        .next();
    match outside {
        None => Ok(()),
        Some((sample, value, expected)) => {
            let place = format!("channel `{}`, sample {sample}", wanted.in_file());
            let hint = "correct the channel's `unit` or `range` in the card";
            Err(reading.error(file, place, value.to_string(), expected, hint))
        }
    }
}
