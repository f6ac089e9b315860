//! Signals: scaled, without gaps, at the rate that the card wants.

use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::columns;
use super::source::Source;
use crate::base::FileError;
use crate::dataset::card::{DelimitedSignalRule, MissingRule, ModalityRule, Scale, SignalRule, TimeUnit, WfdbRule};
use crate::dataset::error::DataError;
use crate::signal::resample::{Resampler, interpolate_missing};
use recoup_formats::delimited::DelimitedTable;
use recoup_formats::units::same_unit;
use recoup_formats::wfdb::{self, AnyRecord};
use recoup_formats::{SignalChannel, refuse_unaccepted};

/// A time stamp may be this share of a step away from where a constant rate puts it.
const MAX_JITTER: f64 = 0.25;
/// A step this many times longer than the others is where rows are lost.
const LOST_STEPS: f64 = 1.75;
/// A rate from time stamps that is this many times higher or lower than the wanted one is a wrong unit of time rather
/// than a wish.
const MAX_RATE_RATIO: f64 = 100.0;

/// The signals of a record as the card wants them, `[samples, channels]`.
pub(super) fn wfdb(source: &Source, rule: &WfdbRule, header: &str) -> Result<Array2<f32>, DataError> {
    let header_path = source.raw_dir.join(header);
    let (record, warnings) = wfdb::read_any_with(&header_path, |path| {
        let file = path.strip_prefix(source.raw_dir).unwrap_or(path);
        source.read(&file.to_string_lossy())
    })?;
    refuse_unaccepted(&warnings, &[], &header_path)?;
    let mut resampled = Vec::new();
    for channel in &rule.channels {
        let (mut samples, rate_hz, file) = match &record {
            AnyRecord::Frames(record) => scaled(record, channel, rule.scale, &header_path)?,
            AnyRecord::Segments(channels) => joined(channels, channel, rule.scale, &header_path)?,
        };
        let resampler = resampler(source, &rule.name, header, rate_hz, rule.rate_hz)?;
        fill(&mut samples, rule.missing, &file, &channel.name)?;
        resampled.push(resampler.resample(&samples));
    }
    // Signals with other numbers of samples per frame may be longer by the rest of a frame.
    let num_rows = resampled.iter().map(Vec::len).min().unwrap_or(0);
    resampled.iter_mut().for_each(|samples| samples.truncate(num_rows));
    Ok(side_by_side(&resampled))
}

/// The rows of a delimited file as a signal, `[samples, channels]`.
pub(super) fn delimited(
    source: &Source,
    rule: &ModalityRule,
    keys: &DelimitedSignalRule,
    file: &str,
) -> Result<Array2<f32>, DataError> {
    let table = source.table(file, &keys.layout)?;
    let values = columns(source, &table, &keys.layout, rule, &table.rows)?;
    let mut channels: Vec<Vec<f32>> = values.columns().into_iter().map(|column| column.to_vec()).collect();
    let times = match &keys.time {
        Some(time) => time_stamps(source, &table, keys, time)?,
        None => Vec::new(),
    };
    let path = source.raw_dir.join(file);
    let rate_hz = match keys.max_gap_secs {
        Some(max_gap_secs) => {
            let rate_hz = grid_rate(source, &table, keys, &times)?;
            check_gaps(source, &table, &times, max_gap_secs)?;
            for (channel, rule) in channels.iter_mut().zip(&keys.channels) {
                if keys.missing == MissingRule::Error {
                    fill(channel, keys.missing, &path, rule.channel())?;
                }
                *channel = onto_grid(&times, channel, keys.missing, rate_hz);
            }
            rate_hz
        }
        None => file_rate(source, &table, keys, &times)?,
    };
    let resampler = resampler(source, &keys.name, file, rate_hz, keys.rate_hz)?;
    for (channel, rule) in channels.iter_mut().zip(&keys.channels) {
        fill(channel, keys.missing, &path, rule.channel())?;
        *channel = resampler.resample(channel);
    }
    Ok(side_by_side(&channels))
}

pub(super) fn resampler(
    source: &Source,
    name: &str,
    file: &str,
    from_hz: f64,
    to_hz: f64,
) -> Result<Resampler, DataError> {
    Resampler::new(from_hz, to_hz).ok_or_else(|| {
        let problem = format!("cannot resample {from_hz} Hz ({file}) to {to_hz} Hz");
        let hint = "choose a rate whose ratio to that of the file is one of small whole numbers";
        source.card.error(format!("modality.{name}.rate_hz"), problem, hint)
    })
}

/// Seconds since the first row, strictly ascending.
fn time_stamps(
    source: &Source,
    table: &DelimitedTable,
    keys: &DelimitedSignalRule,
    time: &str,
) -> Result<Vec<f64>, DataError> {
    let index = table.column(time, &format!("modality.{}.time", keys.name))?;
    let unit_secs = match keys.time_unit {
        TimeUnit::Sample => 1.0 / keys.file_rate_hz.unwrap_or(1.0),
        unit => unit.secs(),
    };
    let mut times = Vec::with_capacity(table.rows.len());
    let (mut first, mut last) = (None, f64::NEG_INFINITY);
    for row in &table.rows {
        let stamp: Option<f64> = keys
            .layout
            .number(row.field(index))
            .filter(|stamp: &f64| stamp.is_finite());
        match stamp.filter(|stamp| *stamp > last) {
            Some(stamp) => {
                last = stamp;
                times.push((stamp - *first.get_or_insert(stamp)) * unit_secs);
            }
            None => {
                let expected = format!("{}, more than in the row before", keys.time_unit);
                return Err(source.field_error(table, row, time, expected, &keys.layout));
            }
        }
    }
    Ok(times)
}

/// The constant rate of a file: stated, or that of its time stamps; either way no time stamp may be further than
/// [`MAX_JITTER`] steps from where the rate puts it.
fn file_rate(
    source: &Source,
    table: &DelimitedTable,
    keys: &DelimitedSignalRule,
    times: &[f64],
) -> Result<f64, DataError> {
    let rate_hz = match (keys.file_rate_hz, mean_rate(times)) {
        (Some(rate_hz), _) => rate_hz,
        (None, Some(mean_hz)) => {
            check_time_unit(source, table, keys, mean_hz)?;
            round_rate(mean_hz, times.len())
        }
        (None, None) => {
            return Err(FileError::at(&table.file)
                .place("content")
                .found(format!("{} rows", table.rows.len()))
                .expected("two at least, whose time stamps tell the rate")
                .hint(format!(
                    "remove the file, or state `file_rate_hz` in {}",
                    source.card.path.display()
                ))
                .into());
        }
    };
    let Some(index) = first_off(times, rate_hz) else {
        return Ok(rate_hz);
    };
    let step_secs = keys
        .file_rate_hz
        .map_or_else(|| median_step(times), |rate_hz| 1.0 / rate_hz);
    let lost = times
        .windows(2)
        .position(|pair| matches!(pair, [a, b] if b - a > LOST_STEPS * step_secs));
    let (index, found, expected) = match lost {
        Some(before) => {
            let step = times.get(before + 1).unwrap_or(&0.0) - times.get(before).unwrap_or(&0.0);
            (
                before + 1,
                format!("{step:.6} s after the row before"),
                format!("{step_secs:.6} s, as between other rows"),
            )
        }
        None => {
            let time = times.get(index).unwrap_or(&0.0);
            let expected = format!("{:.6} s, as the rate is {rate_hz} Hz", index as f64 / rate_hz);
            (index, format!("{time:.6} s after the first row"), expected)
        }
    };
    let line = table.rows.get(index).map_or(0, |row| row.line);
    Err(FileError::at(&table.file)
        .place(format!(
            "line {line}, column `{}`",
            keys.time.as_deref().unwrap_or_default()
        ))
        .found(found)
        .expected(expected)
        .hint(format!(
            "rows are lost or irregular: allow straight lines between time stamps with `max_gap_secs`, or correct \
             `time_unit` or `file_rate_hz`, in {}",
            source.card.path.display()
        ))
        .into())
}

fn median_step(times: &[f64]) -> f64 {
    let mut steps: Vec<f64> = times
        .windows(2)
        .filter_map(|pair| Some(pair.last()? - pair.first()?))
        .collect();
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len() / 2).copied().unwrap_or(0.0)
}

/// The constant rate of some time stamps in seconds since the first of them; `None` where they are irregular.
pub(crate) fn constant_rate(times: &[f64]) -> Option<f64> {
    let rate_hz = round_rate(mean_rate(times)?, times.len());
    first_off(times, rate_hz).is_none().then_some(rate_hz)
}

/// The first time stamp that is too far from where a constant rate puts it.
fn first_off(times: &[f64], rate_hz: f64) -> Option<usize> {
    let grid = (0u32..).map(|index| f64::from(index) / rate_hz);
    times
        .iter()
        .zip(grid)
        .position(|(time, expected)| (time - expected).abs() * rate_hz > MAX_JITTER)
}

fn mean_rate(times: &[f64]) -> Option<f64> {
    match times {
        [first, .., last] => Some((times.len() - 1) as f64 / (last - first)),
        _ => None,
    }
}

/// Time stamps are rounded numbers, so their mean rate is not quite the device's: a whole number of hertz, or of
/// milliseconds between rows, counts instead where it moves the last row by less than [`MAX_JITTER`] steps.
fn round_rate(mean_hz: f64, num_rows: usize) -> f64 {
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

/// For irregular rows: the multiple of the wanted rate that is nearest to their mean rate, so that the filter against
/// aliasing comes after the interpolation.
fn grid_rate(
    source: &Source,
    table: &DelimitedTable,
    keys: &DelimitedSignalRule,
    times: &[f64],
) -> Result<f64, DataError> {
    let mean_hz = mean_rate(times).unwrap_or(keys.rate_hz);
    check_time_unit(source, table, keys, mean_hz)?;
    Ok(keys.rate_hz * (mean_hz / keys.rate_hz).round().max(1.0))
}

fn check_time_unit(
    source: &Source,
    table: &DelimitedTable,
    keys: &DelimitedSignalRule,
    mean_hz: f64,
) -> Result<(), DataError> {
    let ratio = mean_hz / keys.rate_hz;
    match (1.0 / MAX_RATE_RATIO..=MAX_RATE_RATIO).contains(&ratio) {
        true => Ok(()),
        false => Err(FileError::at(&table.file)
            .place(format!("column `{}`", keys.time.as_deref().unwrap_or_default()))
            .found(format!("{mean_hz:.3} rows per second in the mean"))
            .expected(format!(
                "a rate within a factor of {MAX_RATE_RATIO} of rate_hz = {}",
                keys.rate_hz
            ))
            .hint(format!(
                "correct `time_unit` in {}, or state `file_rate_hz`",
                source.card.path.display()
            ))
            .into()),
    }
}

fn check_gaps(source: &Source, table: &DelimitedTable, times: &[f64], max_gap_secs: f64) -> Result<(), DataError> {
    let gap = times
        .windows(2)
        .position(|pair| matches!(pair, [a, b] if b - a > max_gap_secs * (1.0 + 1e-9)));
    let Some(((row, before), after)) =
        gap.and_then(|i| Some(((table.rows.get(i + 1)?, times.get(i)?), times.get(i + 1)?)))
    else {
        return Ok(());
    };
    Err(FileError::at(&table.file)
        .place(format!("line {}", row.line))
        .found(format!("a gap of {:.6} s", after - before))
        .expected(format!("at most max_gap_secs = {max_gap_secs}"))
        .hint(format!(
            "raise it in {}, or cut the recording",
            source.card.path.display()
        ))
        .into())
}

/// Straight lines between the rows, read off at a constant rate from the first row to the last. Missing values are
/// left out of the lines (`interpolate`) or end in them as NaN (`mask`).
fn onto_grid(times: &[f64], values: &[f32], missing: MissingRule, rate_hz: f64) -> Vec<f32> {
    let points: Vec<(f64, f32)> = (times.iter().copied().zip(values.iter().copied()))
        .filter(|(_, value)| missing == MissingRule::Mask || !value.is_nan())
        .collect();
    let (Some(&(_, first)), Some(&(_, last)), Some(end)) = (points.first(), points.last(), times.last()) else {
        return vec![f32::NAN; times.len().min(1)];
    };
    // The last row may miss its place on the grid by a rounding error.
    let num_samples = (end * rate_hz + 1e-6).floor() as usize + 1;
    let sample = |index: usize| {
        let time = index as f64 / rate_hz;
        let next = points.partition_point(|(other, _)| *other < time);
        match (
            next.checked_sub(1).and_then(|before| points.get(before)),
            points.get(next),
        ) {
            (_, Some((after, value))) if *after == time => *value,
            (Some((before, from)), Some((after, to))) => {
                let share = (time - before) / (after - before);
                (f64::from(*from) + share * (f64::from(*to) - f64::from(*from))) as f32
            }
            (None, _) => first,
            (_, None) => last,
        }
    };
    (0..num_samples).map(sample).collect()
}

/// Channels of one length as columns.
pub(super) fn side_by_side(channels: &[Vec<f32>]) -> Array2<f32> {
    let num_rows = channels.first().map_or(0, Vec::len);
    let at = |(row, column): (usize, usize)| channels.get(column).and_then(|c| c.get(row)).copied();
    Array2::from_shape_fn((num_rows, channels.len()), |index| at(index).unwrap_or(f32::NAN))
}

/// Samples, their rate, and the file that holds them.
type Samples = (Vec<f32>, f64, PathBuf);

/// One signal of a record in the unit that the card promises.
fn scaled(record: &wfdb::Record, channel: &SignalRule, scale: Scale, header: &Path) -> Result<Samples, DataError> {
    let names: Vec<_> = record.signals.iter().map(|signal| signal.name.as_str()).collect();
    let signal = the_one(&names, channel, header).map(|index| record.signals.get(index))?;
    let Some(signal) = signal else {
        return Ok((Vec::new(), record.rate_hz, header.to_path_buf()));
    };
    let rate_hz = record.rate_hz * signal.samples_per_frame as f64;
    if scale == Scale::Digital {
        return Ok((signal.digital(), rate_hz, signal.file.clone()));
    }
    check_unit(&signal.unit, channel, header)?;
    let physical = signal.physical().ok_or_else(|| {
        let hint = "use scale = \"digital\" in the card";
        wrong(
            header,
            &format!("signal `{}`", channel.name),
            "no gain".into(),
            "a calibrated signal".into(),
            hint,
        )
    });
    Ok((physical?, rate_hz, signal.file.clone()))
}

/// One signal of a record of segments, whose digital values may mean something else in each.
fn joined(channels: &[SignalChannel], channel: &SignalRule, scale: Scale, header: &Path) -> Result<Samples, DataError> {
    let names: Vec<_> = channels.iter().map(|signal| signal.name.as_str()).collect();
    let signal = the_one(&names, channel, header).map(|index| channels.get(index))?;
    if scale == Scale::Digital {
        let (found, expected) = ("a record of segments".into(), "scale = \"physical\"".into());
        return Err(wrong(
            header,
            "line 1",
            found,
            expected,
            "segments may differ in gain; state the header's unit",
        ));
    }
    let Some(signal) = signal else {
        return Ok((Vec::new(), 1.0, header.to_path_buf()));
    };
    check_unit(&signal.unit, channel, header)?;
    Ok((signal.values.clone(), signal.rate_hz, header.to_path_buf()))
}

fn wrong(header: &Path, place: &str, found: String, expected: String, hint: &str) -> DataError {
    FileError::at(header)
        .place(place)
        .found(found)
        .expected(expected)
        .hint(hint)
        .into()
}

/// The index of the one signal with the name.
fn the_one(names: &[&str], channel: &SignalRule, header: &Path) -> Result<usize, DataError> {
    let mut fitting = names.iter().enumerate().filter(|(_, name)| **name == channel.name);
    match (fitting.next(), fitting.next()) {
        (Some((index, _)), None) => Ok(index),
        _ => {
            let expected = format!("exactly one `{}`", channel.name);
            Err(wrong(
                header,
                "signals",
                format!("{names:?}"),
                expected,
                "correct the channels in the card",
            ))
        }
    }
}

fn check_unit(unit: &str, channel: &SignalRule, header: &Path) -> Result<(), DataError> {
    match same_unit(unit, &channel.unit) {
        true => Ok(()),
        false => {
            let place = format!("signal `{}`", channel.name);
            let hint = "state the header's unit in the card; units are not converted";
            Err(wrong(
                header,
                &place,
                format!("unit {unit}"),
                channel.unit.clone(),
                hint,
            ))
        }
    }
}

/// Treats missing samples as the card says.
pub(super) fn fill(samples: &mut [f32], rule: MissingRule, file: &Path, channel: &str) -> Result<(), DataError> {
    let Some(sample) = samples.iter().position(|value| value.is_nan()) else {
        return Ok(());
    };
    let filled = match rule {
        MissingRule::Error => false,
        MissingRule::Mask => true,
        MissingRule::Interpolate => interpolate_missing(samples),
    };
    match filled {
        true => Ok(()),
        false => Err(FileError::at(file)
            .place(format!("channel `{channel}`"))
            .found(format!(
                "sample {sample} missing or not finite ({} such samples in the channel)",
                samples.iter().filter(|value| value.is_nan()).count()
            ))
            .expected("finite numbers")
            .hint("set `missing = \"interpolate\"` or `missing = \"mask\"` in the card's modality to accept it")
            .into()),
    }
}
