//! Tables with a row per sample: the rate by the card or by time stamps, which may be irregular.

use ndarray::Array2;

use super::columns::columns;
use super::reading::Reading;
use super::samples::{fill, side_by_side};
use super::source::file_error;
use crate::dataset::card::{MissingRule, SignalRule, TimeUnit};
use crate::dataset::error::DataError;
use crate::dataset::rate::{first_off, mean_rate, round_rate};
use recoup_formats::delimited::{DelimitedLayout, DelimitedRow, DelimitedTable};

/// A step this many times longer than the others is where rows are lost.
const LOST_STEPS: f64 = 1.75;
/// A rate from time stamps that is this many times higher or lower than the wanted one is a wrong unit of time rather
/// than a wish.
const MAX_RATE_RATIO: f64 = 100.0;

/// A file as a table, with the keys that say how its rows lie in time.
struct Rows<'a> {
    reading: &'a Reading<'a>,
    keys: &'a SignalRule,
    layout: DelimitedLayout,
    table: DelimitedTable,
}

/// The rows of a table as a signal, `[samples, channels]`.
pub(super) fn signal(reading: &Reading, keys: &SignalRule, file: &str) -> Result<Array2<f32>, DataError> {
    if keys.time.is_none() && keys.file_rate_hz.is_none() {
        let problem = "missing, and `time` as well, so that nothing tells the rate of the file".into();
        let hint = "state the rate, or name the column of time stamps";
        return Err(reading.card_error("file_rate_hz", problem, hint));
    }
    let layout = keys.layout.clone().unwrap_or_default();
    let table = reading.source.table(file, &layout)?;
    let values = columns(reading, &table, &layout, table.rows())?;
    let mut channels: Vec<Vec<f32>> = values.columns().into_iter().map(|column| column.to_vec()).collect();
    let rows = Rows {
        reading,
        keys,
        layout,
        table,
    };
    let times = match &keys.time {
        Some(time) => rows.time_stamps(time)?,
        None => Vec::new(),
    };
    let path = reading.path(file);
    let rate_hz = match keys.max_gap_secs {
        Some(max_gap_secs) => {
            let rate_hz = rows.grid_rate(&times)?;
            rows.check_gaps(&times, max_gap_secs)?;
            for (channel, rule) in channels.iter_mut().zip(&keys.channels) {
                if keys.missing == MissingRule::Error {
                    fill(channel, keys.missing, &path, rule.channel())?;
                }
                *channel = onto_grid(&times, channel, keys.missing, rate_hz);
            }
            rate_hz
        }
        None => rows.file_rate(&times)?,
    };
    let num_samples = channels.first().map_or(0, Vec::len);
    let resampler = reading.resampler(file, rate_hz, keys.rate_hz, num_samples)?;
    for (channel, rule) in channels.iter_mut().zip(&keys.channels) {
        fill(channel, keys.missing, &path, rule.channel())?;
        *channel = resampler.resample(channel);
    }
    Ok(side_by_side(&channels))
}

impl Rows<'_> {
    /// The column with time stamps, for messages.
    fn time(&self) -> &str {
        self.keys.time.as_deref().unwrap_or_default()
    }

    /// Seconds since the first row, strictly ascending.
    fn time_stamps(&self, time: &str) -> Result<Vec<f64>, DataError> {
        let key = format!("modality.{}.time", self.reading.rule.name);
        let index = self.table.column(time, &key)?;
        let unit = self.keys.time_unit.unwrap_or_default();
        let unit_secs = match unit {
            TimeUnit::Sample => 1.0 / self.keys.file_rate_hz.unwrap_or(1.0),
            unit => unit.secs(),
        };
        let mut times = Vec::with_capacity(self.table.num_rows());
        let (mut first, mut last) = (None, f64::NEG_INFINITY);
        for row in self.table.rows() {
            let stamp: Option<f64> = self.layout.number(row.field(index));
            match stamp.filter(|stamp| stamp.is_finite() && *stamp > last) {
                Some(stamp) => {
                    last = stamp;
                    times.push((stamp - *first.get_or_insert(stamp)) * unit_secs);
                }
                None => {
                    let expected = format!("{unit}, more than in the row before");
                    let source = self.reading.source;
                    return Err(source.field_error(&self.table, row, time, expected, &self.layout));
                }
            }
        }
        Ok(times)
    }

    /// The constant rate of a file: stated, or that of its time stamps; either way no time stamp may be further than
    /// a quarter of a step from where the rate puts it.
    fn file_rate(&self, times: &[f64]) -> Result<f64, DataError> {
        let rate_hz = match (self.keys.file_rate_hz, mean_rate(times)) {
            (Some(rate_hz), _) => rate_hz,
            (None, Some(mean_hz)) => {
                self.check_time_unit(mean_hz)?;
                round_rate(mean_hz, times.len())
            }
            (None, None) => {
                let found = format!("{} rows", self.table.num_rows());
                let expected = "two at least, whose time stamps tell the rate";
                let hint = "remove the file, or state `file_rate_hz` in the card";
                return Err(file_error(&self.table.file, "content", found, expected, hint));
            }
        };
        match first_off(times, rate_hz) {
            None => Ok(rate_hz),
            Some(index) => Err(self.irregular(times, rate_hz, index)),
        }
    }

    /// Error for the row `index`, whose time stamp lies elsewhere than the rate says, or for the lost rows that cause it.
    fn irregular(&self, times: &[f64], rate_hz: f64, index: usize) -> DataError {
        let stated_step = self.keys.file_rate_hz.map(|rate_hz| 1.0 / rate_hz);
        let step_secs = stated_step.unwrap_or_else(|| median_step(times));
        let is_lost = |pair: &[f64]| matches!(pair, [a, b] if b - a > LOST_STEPS * step_secs);
        let at = |index: usize| times.get(index).copied().unwrap_or_default();
        let (index, found, expected) = match times.windows(2).position(is_lost) {
            Some(before) => (
                before + 1,
                format!("{:.6} s after the row before", at(before + 1) - at(before)),
                format!("{step_secs:.6} s, as between other rows"),
            ),
            None => (
                index,
                format!("{:.6} s after the first row", at(index)),
                format!("{:.6} s, as the rate is {rate_hz} Hz", index as f64 / rate_hz),
            ),
        };
        let line = self.table.row(index).map_or(0, DelimitedRow::line);
        let place = format!("line {line}, column `{}`", self.time());
        let hint = "rows are lost or irregular: allow straight lines between time stamps with `max_gap_secs`, or correct \
                    `time_unit` or `file_rate_hz`, in the card";
        file_error(&self.table.file, place, found, expected, hint)
    }

    /// For irregular rows: the multiple of the wanted rate that is nearest to their mean rate, so that the filter against
    /// aliasing comes after the interpolation.
    fn grid_rate(&self, times: &[f64]) -> Result<f64, DataError> {
        let wanted_hz = self.keys.rate_hz;
        let mean_hz = mean_rate(times).unwrap_or(wanted_hz);
        self.check_time_unit(mean_hz)?;
        Ok(wanted_hz * (mean_hz / wanted_hz).round().max(1.0))
    }

    fn check_time_unit(&self, mean_hz: f64) -> Result<(), DataError> {
        let wanted_hz = self.keys.rate_hz;
        if (1.0 / MAX_RATE_RATIO..=MAX_RATE_RATIO).contains(&(mean_hz / wanted_hz)) {
            return Ok(());
        }
        let place = format!("column `{}`", self.time());
        let found = format!("{mean_hz:.3} rows per second in the mean");
        let expected = format!("a rate within a factor of {MAX_RATE_RATIO} of rate_hz = {wanted_hz}");
        let hint = "correct `time_unit` in the card, or state `file_rate_hz`";
        Err(file_error(&self.table.file, place, found, expected, hint))
    }

    fn check_gaps(&self, times: &[f64], max_gap_secs: f64) -> Result<(), DataError> {
        let is_longer = |pair: &[f64]| matches!(pair, [a, b] if b - a > max_gap_secs * (1.0 + 1e-9));
        let Some(before) = times.windows(2).position(is_longer) else {
            return Ok(());
        };
        let at = |index: usize| times.get(index).copied().unwrap_or_default();
        let line = self.table.row(before + 1).map_or(0, DelimitedRow::line);
        let found = format!("a gap of {:.6} s", at(before + 1) - at(before));
        let expected = format!("at most max_gap_secs = {max_gap_secs}");
        let hint = "raise it in the card, or cut the recording";
        Err(file_error(
            &self.table.file,
            format!("line {line}"),
            found,
            expected,
            hint,
        ))
    }
}

fn median_step(times: &[f64]) -> f64 {
    let mut steps: Vec<f64> = times
        .windows(2)
        .filter_map(|pair| Some(pair.last()? - pair.first()?))
        .collect();
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len() / 2).copied().unwrap_or(0.0)
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
