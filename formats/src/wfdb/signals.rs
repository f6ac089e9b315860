//! The signals of one segment: their files, decoded, verified and aligned.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::header::{Header, SignalLine, line_error};
use super::storage::Format;
use super::{Signal, flac};
use crate::{FileError, Warning, WarningCode};

/// Files that may be longer than needed by so many bytes: the rest of a block.
const MAX_PADDING_BYTES: usize = 3;

/// The files of a record, through a function that returns their bytes.
pub(super) struct Files<'a> {
    pub(super) read: &'a dyn Fn(&Path) -> Result<Vec<u8>, FileError>,
    /// Files that were decoded.
    seen: BTreeSet<PathBuf>,
    /// Whether samples that contradict their header are an error rather than a warning.
    strict: bool,
    /// Samples in them, each file counted once.
    pub(super) num_values: usize,
    pub(super) warnings: Vec<Warning>,
}

impl<'a> Files<'a> {
    pub(super) fn new(read: &'a dyn Fn(&Path) -> Result<Vec<u8>, FileError>, strict: bool) -> Self {
        Self {
            read,
            strict,
            seen: BTreeSet::new(),
            num_values: 0,
            warnings: Vec::new(),
        }
    }

    pub(super) fn header(&self, path: &Path) -> Result<Header, FileError> {
        Header::parse(&(self.read)(path)?, path)
    }

    /// All signals of a header without segments, in its order. Each holds the header's number of frames.
    pub(super) fn signals(&mut self, header: &Header) -> Result<Vec<Signal>, FileError> {
        let mut signals = BTreeMap::new();
        let mut num_frames = header.num_frames;
        for (file, group) in groups(header)? {
            let bytes = (self.read)(file)?;
            let (decoded, frames) = match group.format {
                Format::Flac(bits) => group.decode_flac(&bytes, bits, num_frames)?,
                _ => group.decode(&bytes, num_frames, &mut self.warnings)?,
            };
            num_frames = Some(frames);
            if self.seen.insert(file.to_path_buf()) {
                // Other segments may have other parts of the file.
                self.num_values += match group.format {
                    Format::Flac(_) => decoded.iter().map(Vec::len).sum(),
                    format => format.num_values(bytes.len()),
                };
            }
            for ((index, line), mut samples) in group.lines.into_iter().zip(decoded) {
                let tolerated = (!self.strict).then_some(&mut self.warnings);
                line.verify(group.format, &samples, &header.file, tolerated)?;
                check_skew(line, frames, &header.file)?;
                align(line, group.format, &mut samples);
                signals.insert(index, signal(line, group.format, samples));
            }
        }
        Ok(signals.into_values().collect())
    }
}

/// The files that a header names, each with its signals.
pub(super) fn groups(header: &Header) -> Result<BTreeMap<&Path, Group<'_>>, FileError> {
    let mut groups = BTreeMap::<&Path, Group>::new();
    for (index, line) in header.signals.iter().enumerate() {
        let Some(format) = line.format else {
            let hint = "a layout has no samples of its own; read the record that names it";
            return Err(line_error(&header.file, line.line, "~")
                .expected("a file beside the header")
                .hint(hint));
        };
        let group = || Group {
            file: &line.file,
            format,
            first: line,
            lines: Vec::new(),
        };
        groups.entry(&line.file).or_insert_with(group).add(index, line)?;
    }
    Ok(groups)
}

/// The signals of one file, with their place in the header.
pub(super) struct Group<'a> {
    file: &'a Path,
    pub(super) format: Format,
    pub(super) first: &'a SignalLine,
    pub(super) lines: Vec<(usize, &'a SignalLine)>,
}

impl<'a> Group<'a> {
    fn error(&self, place: &str) -> FileError {
        FileError::at(self.file).place(place)
    }

    fn add(&mut self, index: usize, line: &'a SignalLine) -> Result<(), FileError> {
        let same_rate = line.samples_per_frame == self.first.samples_per_frame;
        let same_place = line.format == Some(self.format) && line.offset == self.first.offset;
        if !same_place || (matches!(self.format, Format::Flac(_)) && !same_rate) {
            let expected = format!("`{}`, as signal 1 of this file", self.first.storage);
            let hint = "signals of one file share its format, and in FLAC their rate; correct the header";
            return Err(self
                .error("format")
                .found(format!("`{}`", line.storage))
                .expected(expected)
                .hint(hint));
        }
        self.lines.push((index, line));
        Ok(())
    }

    /// The samples of each signal, and the number of frames.
    fn decode_flac(
        &self,
        bytes: &[u8],
        max_bits: u32,
        num_frames: Option<usize>,
    ) -> Result<(Vec<Vec<i32>>, usize), FileError> {
        let per_frame = self.first.samples_per_frame;
        let wanted = num_frames.map(|frames| frames.saturating_mul(per_frame));
        let mut channels = flac::decode(
            self.file,
            bytes,
            (self.lines.len(), max_bits),
            self.first.offset,
            wanted,
        )?;
        let frames = num_frames.unwrap_or(channels.first().map_or(0, Vec::len) / per_frame);
        channels
            .iter_mut()
            .for_each(|samples| samples.truncate(frames.saturating_mul(per_frame)));
        Ok((channels, frames))
    }

    /// As [`Self::decode_flac`], for samples that take turns.
    fn decode(
        &self,
        bytes: &[u8],
        num_frames: Option<usize>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(Vec<Vec<i32>>, usize), FileError> {
        let frames = self.num_frames(bytes.len(), num_frames, warnings)?;
        let body = bytes.get(self.first.offset..).unwrap_or_default();
        let decoded = self.format.decode(body, frames * self.per_frame().unwrap_or(0));
        let mut last: Vec<i32> = self.starts();
        let samples = (0..self.lines.len()).zip(&mut last);
        Ok((
            samples.map(|(index, last)| self.turns(index, &decoded, last)).collect(),
            frames,
        ))
    }

    /// Samples in a frame of the file; `None` if there are more than can be counted.
    pub(super) fn per_frame(&self) -> Option<usize> {
        let mut counts = self.lines.iter().map(|(_, line)| line.samples_per_frame);
        counts.try_fold(0, |sum: usize, count| sum.checked_add(count))
    }

    /// The values that differences of format 8 start from.
    pub(super) fn starts(&self) -> Vec<i32> {
        self.lines.iter().map(|(_, line)| line.initial.unwrap_or(0)).collect()
    }

    /// Frames of a file of `num_bytes`: as many as the header has, which must fit, or as many as fit.
    pub(super) fn num_frames(
        &self,
        num_bytes: usize,
        wanted: Option<usize>,
        warnings: &mut Vec<Warning>,
    ) -> Result<usize, FileError> {
        let body_bytes = num_bytes.saturating_sub(self.first.offset);
        let per_frame = self.per_frame();
        let frames = wanted
            .or(per_frame.map(|number| self.format.num_values(body_bytes) / number))
            .unwrap_or(0);
        let total = per_frame.and_then(|number| frames.checked_mul(number));
        let needed = total.and_then(|total| self.format.num_bytes(total));
        let Some(used) = needed.filter(|&number| number <= body_bytes) else {
            let expected = match needed.and_then(|number| number.checked_add(self.first.offset)) {
                Some(expected) => format!("at least {expected} bytes for {frames} samples"),
                None => "a number of samples that a file can hold".into(),
            };
            return Err(self
                .error("size")
                .found(format!("{num_bytes} bytes"))
                .expected(expected)
                .hint("the file is cut short; fetch it again"));
        };
        if body_bytes - used > MAX_PADDING_BYTES {
            let text = format!(
                "{}: {} bytes after the last sample",
                self.file.display(),
                body_bytes - used
            );
            warnings.push(Warning::new(WarningCode::SurplusBytes, text));
        }
        Ok(frames)
    }

    /// The samples of a signal among those of whole frames. Differences are summed, from `last`, which becomes the last sample.
    pub(super) fn turns(&self, index: usize, decoded: &[i32], last: &mut i32) -> Vec<i32> {
        let counts = || self.lines.iter().map(|(_, line)| line.samples_per_frame);
        let (start, count) = (counts().take(index).sum::<usize>(), counts().nth(index).unwrap_or(0));
        let per_frame = counts().sum::<usize>().max(1);
        let mut values = Vec::with_capacity(decoded.len() / per_frame * count);
        let frames = decoded.chunks_exact(per_frame);
        for turn in frames.filter_map(|frame| frame.get(start..start + count)) {
            values.extend_from_slice(turn);
        }
        if self.format == Format::F8 {
            for difference in &mut values {
                *last = last.wrapping_add(*difference);
                *difference = *last;
            }
        }
        values
    }
}

pub(super) fn check_skew(line: &SignalLine, num_frames: usize, header: &Path) -> Result<(), FileError> {
    if line.skew <= num_frames {
        return Ok(());
    }
    Err(line_error(header, line.line, &line.storage)
        .expected(format!("a skew within the {num_frames} samples of the record"))
        .hint("correct the header"))
}

/// Moves samples that stand too late in the file to their time; the last ones are then missing.
fn align(line: &SignalLine, format: Format, samples: &mut Vec<i32>) {
    let length = samples.len();
    samples.drain(..(line.skew * line.samples_per_frame).min(length));
    samples.resize(length, format.missing_code());
}

pub(super) fn signal(line: &SignalLine, format: Format, samples: Vec<i32>) -> Signal {
    Signal {
        file: line.file.clone(),
        name: line.name.clone(),
        unit: line.unit.clone(),
        samples_per_frame: line.samples_per_frame,
        gain: line.gain,
        baseline: line.baseline,
        missing_code: format.missing_code(),
        samples,
    }
}
