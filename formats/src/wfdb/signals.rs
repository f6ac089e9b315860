//! The signals of one segment: their files, decoded, verified and aligned.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::header::{Header, SignalLine, line_error};
use super::storage::Format;
use super::{Signal, flac};
use crate::{FileError, Warning, WarningCode};

/// Files that may be longer than needed by so many bytes: the rest of a block.
const MOST_PADDING_BYTES: usize = 3;

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
        let mut signals = BTreeMap::new();
        let mut num_frames = header.num_frames;
        for (file, group) in groups {
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
                align(line, group.format, &mut samples, frames, &header.file)?;
                signals.insert(index, signal(line, group.format, samples));
            }
        }
        Ok(signals.into_values().collect())
    }
}

/// The signals of one file, with their place in the header.
struct Group<'a> {
    file: &'a Path,
    format: Format,
    first: &'a SignalLine,
    lines: Vec<(usize, &'a SignalLine)>,
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
        let body = bytes.get(self.first.offset..).unwrap_or_default();
        let per_frame = self
            .lines
            .iter()
            .try_fold(0, |sum: usize, (_, line)| sum.checked_add(line.samples_per_frame));
        let frames = num_frames
            .or(per_frame.map(|number| self.format.num_values(body.len()) / number))
            .unwrap_or(0);
        let total = per_frame.and_then(|number| frames.checked_mul(number));
        let num_bytes = total.and_then(|total| self.format.num_bytes(total));
        let fitting = num_bytes.filter(|&number| number <= body.len());
        let (Some(per_frame), Some(total), Some(used)) = (per_frame, total, fitting) else {
            let expected = match num_bytes.and_then(|number| number.checked_add(self.first.offset)) {
                Some(expected) => format!("at least {expected} bytes for {frames} samples"),
                None => "a number of samples that a file can hold".into(),
            };
            let hint = "the file is cut short; fetch it again";
            return Err(self
                .error("size")
                .found(format!("{} bytes", bytes.len()))
                .expected(expected)
                .hint(hint));
        };
        if body.len() - used > MOST_PADDING_BYTES {
            let text = format!(
                "{}: {} bytes after the last sample",
                self.file.display(),
                body.len() - used
            );
            warnings.push(Warning::new(WarningCode::SurplusBytes, text));
        }
        let decoded = self.format.decode(body, total);
        let mut start = 0;
        let mut samples = Vec::new();
        for (_, line) in &self.lines {
            let turn = start..start + line.samples_per_frame;
            start = turn.end;
            let mut values = Vec::with_capacity(frames * line.samples_per_frame);
            let turns = decoded
                .chunks_exact(per_frame)
                .filter_map(|frame| frame.get(turn.clone()));
            turns.for_each(|turn| values.extend_from_slice(turn));
            if self.format == Format::F8 {
                let mut value = line.initial.unwrap_or(0);
                for difference in &mut values {
                    value = value.wrapping_add(*difference);
                    *difference = value;
                }
            }
            samples.push(values);
        }
        Ok((samples, frames))
    }
}

/// Moves samples that stand too late in the file to their time; the last ones are then missing.
fn align(
    line: &SignalLine,
    format: Format,
    samples: &mut Vec<i32>,
    num_frames: usize,
    header: &Path,
) -> Result<(), FileError> {
    if line.skew > num_frames {
        let expected = format!("a skew within the {num_frames} samples of the record");
        return Err(line_error(header, line.line, &line.storage)
            .expected(expected)
            .hint("correct the header"));
    }
    let length = samples.len();
    samples.drain(..(line.skew * line.samples_per_frame).min(length));
    samples.resize(length, format.missing_code());
    Ok(())
}

fn signal(line: &SignalLine, format: Format, samples: Vec<i32>) -> Signal {
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
