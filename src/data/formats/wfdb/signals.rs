//! The signals of one segment: their files, decoded, verified and aligned.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::header::{Header, SignalLine, line_error};
use super::storage::Format;
use super::{Signal, flac};
use crate::data::DataError;

/// Files that may be longer than needed by so many bytes: the rest of a block.
const MOST_PADDING_BYTES: usize = 3;

/// The files of a record, through a function that returns their bytes.
pub(super) struct Files<'a> {
    pub(super) read: &'a dyn Fn(&Path) -> Result<Vec<u8>, DataError>,
    /// Files that were decoded.
    seen: BTreeSet<PathBuf>,
    /// Samples in them, each file counted once.
    pub(super) num_values: usize,
    pub(super) warnings: Vec<String>,
}

impl<'a> Files<'a> {
    pub(super) fn new(read: &'a dyn Fn(&Path) -> Result<Vec<u8>, DataError>) -> Self {
        Self { read, seen: BTreeSet::new(), num_values: 0, warnings: Vec::new() }
    }

    pub(super) fn header(&self, path: &Path) -> Result<Header, DataError> {
        Header::parse(&(self.read)(path)?, path)
    }

    /// All signals of a header without segments, in its order. Each holds the header's number of frames.
    pub(super) fn signals(&mut self, header: &Header) -> Result<Vec<Signal>, DataError> {
        let mut groups = BTreeMap::<&Path, Vec<(usize, &SignalLine, Format)>>::new();
        for (index, line) in header.signals.iter().enumerate() {
            let Some(format) = line.format else {
                let hint = "a layout has no samples of its own; read the record that names it";
                return Err(line_error(&header.file, line.line, "~", "a file beside the header", hint));
            };
            groups.entry(&line.file).or_default().push((index, line, format));
        }
        let mut signals = BTreeMap::new();
        let mut num_frames = header.num_frames;
        for (file, lines) in groups {
            let bytes = (self.read)(file)?;
            let (decoded, frames) = self.decode(file, &lines, num_frames, &bytes)?;
            num_frames = Some(frames);
            if self.seen.insert(file.to_path_buf()) {
                self.num_values += decoded.iter().map(Vec::len).sum::<usize>();
            }
            for ((index, line, format), mut samples) in lines.into_iter().zip(decoded) {
                line.verify(format, &samples, &header.file)?;
                align(line, format, &mut samples, frames, &header.file)?;
                signals.insert(index, signal(line, format, samples));
            }
        }
        Ok(signals.into_values().collect())
    }

    /// The samples of each signal of one file as they stand there, and the number of frames.
    fn decode(
        &mut self,
        file: &Path,
        lines: &[(usize, &SignalLine, Format)],
        num_frames: Option<usize>,
        bytes: &[u8],
    ) -> Result<(Vec<Vec<i32>>, usize), DataError> {
        let wrong = |place: &str, found: String, expected: String, hint: &str| DataError::File {
            file: file.to_path_buf(),
            place: place.into(),
            found,
            expected,
            hint: hint.into(),
        };
        let Some(&(_, first, format)) = lines.first() else {
            return Ok((Vec::new(), 0));
        };
        let is_flac = matches!(format, Format::Flac(_));
        let same = |&&(_, line, other): &&(usize, &SignalLine, Format)| {
            let same_rate = line.samples_per_frame == first.samples_per_frame;
            other == format && line.offset == first.offset && (same_rate || !is_flac)
        };
        if let Some((_, other, _)) = lines.iter().find(|line| !same(line)) {
            let expected = format!("`{}`, as signal 1 of this file", first.storage);
            let hint = "signals of one file share its format, and in FLAC their rate; correct the header";
            return Err(wrong("format", format!("`{}`", other.storage), expected, hint));
        }
        if let Format::Flac(bits) = format {
            let wanted = num_frames.map(|frames| frames.saturating_mul(first.samples_per_frame));
            let channels = flac::decode(file, bytes, (lines.len(), bits), first.offset, wanted)?;
            let frames = num_frames.unwrap_or(channels.first().map_or(0, Vec::len) / first.samples_per_frame);
            let whole = |mut samples: Vec<i32>| {
                samples.truncate(frames.saturating_mul(first.samples_per_frame));
                samples
            };
            return Ok((channels.into_iter().map(whole).collect(), frames));
        }
        let body = bytes.get(first.offset..).unwrap_or_default();
        let frame = lines.iter().try_fold(0, |sum: usize, (_, line, _)| sum.checked_add(line.samples_per_frame));
        let fits = frame.map(|frame| format.num_values(body.len()) / frame).unwrap_or(0);
        let frames = num_frames.unwrap_or(fits);
        let total = frame.and_then(|frame| frames.checked_mul(frame));
        let num_bytes = total.and_then(|total| format.num_bytes(total));
        let (Some(frame), Some(total), Some(num_bytes)) = (frame, total, num_bytes.filter(|&most| most <= body.len()))
        else {
            let expected = match num_bytes.and_then(|num_bytes| num_bytes.checked_add(first.offset)) {
                Some(expected) => format!("at least {expected} bytes for {frames} samples"),
                None => "a number of samples that a file can hold".into(),
            };
            let hint = "the file is cut short; fetch it again";
            return Err(wrong("size", format!("{} bytes", bytes.len()), expected, hint));
        };
        let unused = body.len() - num_bytes;
        if unused > MOST_PADDING_BYTES {
            self.warnings.push(format!("{}: {unused} bytes after the last sample", file.display()));
        }
        let decoded = format.decode(body, total);
        let mut start = 0;
        let mut samples = Vec::new();
        for (_, line, _) in lines {
            let part = start..start + line.samples_per_frame;
            let frames = decoded.chunks_exact(frame).filter_map(|frame| frame.get(part.clone()));
            let mut values = Vec::with_capacity(decoded.len() / frame * line.samples_per_frame);
            frames.for_each(|part| values.extend_from_slice(part));
            if format == Format::F8 {
                let mut value = line.initial.unwrap_or(0);
                for difference in &mut values {
                    value = value.wrapping_add(*difference);
                    *difference = value;
                }
            }
            samples.push(values);
            start = part.end;
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
) -> Result<(), DataError> {
    if line.skew > num_frames {
        let expected = format!("a skew within the {num_frames} samples of the record");
        return Err(line_error(header, line.line, &line.storage, &expected, "correct the header"));
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
