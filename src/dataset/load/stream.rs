//! A signal that is read block by block, so that its length costs no memory.

use ndarray::Array2;

use super::reading::Reading;
use super::samples::missing;
use super::signal::check_values;
use crate::dataset::card::{ColumnRule, DIGITAL_UNIT, MissingRule, SignalRule};
use crate::dataset::error::DataError;
use crate::signal::resample::{MissingStream, ResampleStream};
use recoup_formats::blocks::{BlockChannel, SignalBlocks};
use recoup_formats::open;

/// Smaller files are read at once.
pub(super) const MIN_FILE_BYTES: u64 = 4 << 20;
/// Bytes of a file in memory at a time.
pub(super) const BLOCK_BYTES: usize = 1 << 20;

/// The rows of a signal, to be taken one block after the other: an iterator over `[samples, channels]`.
pub struct SignalStream<'a> {
    reading: Reading<'a>,
    keys: &'a SignalRule,
    file: String,
    blocks: SignalBlocks,
    channels: Vec<ChannelStream<'a>>,
    slowest_hz: f64,
    is_over: bool,
}

/// One channel on its way from the file to the rate that the card wants.
struct ChannelStream<'a> {
    rule: &'a ColumnRule,
    /// Index of the channel in the file.
    index: usize,
    missing: MissingRule,
    gaps: MissingStream,
    resampler: ResampleStream,
    /// Samples that were read, the first of them that are missing, and the number of these.
    num_read: usize,
    first_missing: Option<usize>,
    num_missing: usize,
    /// Resampled, but not given out; and the number of all that were resampled.
    ready: Vec<f32>,
    num_ready: usize,
}

/// The stream of a file; `None` where it is small, has no blocks, or is to be read in digital values.
pub(super) fn open_stream<'a>(
    reading: Reading<'a>,
    keys: &'a SignalRule,
    file: &str,
) -> Result<Option<SignalStream<'a>>, DataError> {
    let path = reading.path(file);
    let Some(blocks) = open::blocks(&path, BLOCK_BYTES)? else {
        return Ok(None);
    };
    let (mut channels, mut slowest_hz) = (Vec::new(), keys.rate_hz);
    for rule in &keys.channels {
        let mut fitting = blocks.channels.iter().enumerate();
        let mut fitting = fitting.by_ref().filter(|(_, channel)| channel.name == rule.in_file());
        let (Some((index, channel)), None) = (fitting.next(), fitting.next()) else {
            // The reader of whole files says what is wrong.
            return Ok(None);
        };
        if rule.unit() == DIGITAL_UNIT && channel.unit != DIGITAL_UNIT {
            return Ok(None);
        }
        let rate_hz = reading.rate(file, Some(channel.rate_hz), keys.file_rate_hz, channel.num_samples)?;
        channels.push(channel_stream(&reading, keys, rule, (index, channel), (file, rate_hz))?);
        slowest_hz = slowest_hz.min(rate_hz);
    }
    reading.verify(file)?;
    Ok(Some(SignalStream {
        file: file.to_string(),
        reading,
        keys,
        blocks,
        channels,
        slowest_hz,
        is_over: false,
    }))
}

fn channel_stream<'a>(
    reading: &Reading,
    keys: &SignalRule,
    rule: &'a ColumnRule,
    (index, channel): (usize, &BlockChannel),
    (file, rate_hz): (&str, f64),
) -> Result<ChannelStream<'a>, DataError> {
    reading.check_unit(file, &format!("channel `{}`", channel.name), &channel.unit, rule.unit())?;
    let resampler = reading.resampler(file, rate_hz, keys.rate_hz, channel.num_samples)?;
    Ok(ChannelStream {
        rule,
        index,
        missing: keys.missing,
        gaps: MissingStream::default(),
        resampler: ResampleStream::new(resampler),
        num_read: 0,
        first_missing: None,
        num_missing: 0,
        ready: Vec::new(),
        num_ready: 0,
    })
}

impl ChannelStream<'_> {
    fn push(&mut self, samples: &[f32]) {
        let missing = samples.iter().position(|value| value.is_nan());
        self.first_missing = self.first_missing.or(missing.map(|at| self.num_read + at));
        self.num_missing += samples.iter().filter(|value| value.is_nan()).count();
        self.num_read += samples.len();
        let before = self.ready.len();
        match self.missing {
            MissingRule::Interpolate => {
                let mut filled = Vec::with_capacity(samples.len());
                self.gaps.push(samples, &mut filled);
                self.resampler.push(&filled, &mut self.ready);
            }
            MissingRule::Error | MissingRule::Mask => self.resampler.push(samples, &mut self.ready),
        }
        self.num_ready += self.ready.len() - before;
    }

    /// Appends the rest; `false` for missing samples that the card does not expect, or that nothing can be put for.
    fn finish(&mut self) -> bool {
        let before = self.ready.len();
        let mut filled = Vec::new();
        let is_known = std::mem::take(&mut self.gaps).finish(&mut filled);
        self.resampler.push(&filled, &mut self.ready);
        self.resampler.finish(&mut self.ready);
        self.num_ready += self.ready.len() - before;
        match (self.first_missing, self.missing) {
            (Some(_), MissingRule::Error) => false,
            (Some(_), MissingRule::Interpolate) => is_known,
            _ => true,
        }
    }
}

impl SignalStream<'_> {
    /// The warnings of the reader, complete after the last block.
    pub fn into_warnings(self) -> Vec<crate::dataset::warning::FileWarning> {
        self.reading.into_warnings()
    }

    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// Errors of [`load_cohort`](crate::dataset::load::load_cohort) that concern this file.
    pub fn next_rows(&mut self) -> Result<Option<Array2<f32>>, DataError> {
        while !self.is_over {
            match self.blocks.next().transpose()? {
                Some(block) => {
                    for channel in &mut self.channels {
                        let samples = block.get(channel.index).map_or(&[][..], Vec::as_slice);
                        check_values(&self.reading, channel.rule, channel.num_read, samples, &self.file)?;
                        channel.push(samples);
                    }
                }
                None => self.finish()?,
            }
            let num_rows = self
                .channels
                .iter()
                .map(|channel| channel.ready.len())
                .min()
                .unwrap_or(0);
            if num_rows > 0 {
                return Ok(Some(self.take(num_rows)));
            }
        }
        Ok(None)
    }

    fn take(&mut self, num_rows: usize) -> Array2<f32> {
        let mut rows = Array2::zeros((num_rows, self.channels.len()));
        for (channel, mut column) in self.channels.iter_mut().zip(rows.columns_mut()) {
            column
                .iter_mut()
                .zip(channel.ready.drain(..num_rows))
                .for_each(|(row, value)| *row = value);
        }
        rows
    }

    /// What holds for the whole recording.
    fn finish(&mut self) -> Result<(), DataError> {
        self.is_over = true;
        self.reading.keep(&self.blocks.contents, &self.file)?;
        for channel in &mut self.channels {
            if !channel.finish() {
                let (path, first) = (self.reading.path(&self.file), channel.first_missing.unwrap_or(0));
                return Err(missing(&path, channel.rule.channel(), first, channel.num_missing));
            }
        }
        let totals = || self.channels.iter().map(|channel| channel.num_ready);
        let (shortest, longest) = (totals().min().unwrap_or(0), totals().max().unwrap_or(0));
        self.reading
            .check_durations(&self.file, (shortest, longest), self.keys.rate_hz, self.slowest_hz)
    }
}
