//! Records of several segments: in a *fixed* layout all have the same signals; in a *variable* one the first segment is a
//! header without samples that names all signals of the record, and each segment has some of them, found by name.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use super::header::{Header, SegmentLine, SignalLine, line_error};
use super::signals::Files;
use super::{Signal, UNCALIBRATED};
use crate::FileError;
use crate::SignalChannel;

/// A record may have so many samples for each that its files hold, and so many more: longer gaps, or the same file in very
/// many segments, are taken for a damaged header.
const MAX_PER_VALUE: usize = 64;
const MAX_MORE: usize = 1 << 21;

/// A signal of the record, in pieces.
struct Track {
    name: String,
    unit: String,
    samples_per_frame: usize,
    /// Line of the last segment that has this signal; 0 for none.
    last_line: usize,
    /// First frame and values.
    pieces: Vec<(usize, Vec<f32>)>,
}

/// The signals of all segments joined, NaN where a segment or a signal in it is missing.
pub(super) fn channels(
    master: &Header,
    lines: &[SegmentLine],
    files: &mut Files,
) -> Result<Vec<SignalChannel>, FileError> {
    let num_frames = total(master, lines)?;
    let (layout, lines) = layout(master, lines, files)?;
    let names = layout.as_ref().map(names).transpose()?;
    let mut tracks = layout.as_ref().map(tracks_of);
    let (mut start, mut num_values) = (0, 0);
    for line in lines {
        if let Some(path) = &line.file {
            let header = segment_header(master, line, path, files)?;
            let signals = files.signals(&header).map_err(|error| absent(master, line, error))?;
            num_values += signals.iter().map(|signal| signal.samples.len()).sum::<usize>();
            check_size(master, num_values, files)?;
            let tracks = tracks.get_or_insert_with(|| tracks_of(&header));
            distribute(signals, &header, tracks, names.as_ref(), (line.line, start))?;
        }
        start += line.num_frames;
    }
    let tracks = tracks.unwrap_or_default();
    if tracks.len() != master.num_signals {
        let found = format!("{} signals in the segments", tracks.len());
        let expected = format!("{}, as the first line announces", master.num_signals);
        return Err(line_error(&master.file, 1, found)
            .expected(expected)
            .hint("correct the header"));
    }
    let per_frame = tracks
        .iter()
        .try_fold(0, |sum: usize, track| sum.checked_add(track.samples_per_frame));
    check_size(
        master,
        per_frame
            .and_then(|number| number.checked_mul(num_frames))
            .unwrap_or(usize::MAX),
        files,
    )?;
    Ok(tracks
        .into_iter()
        .map(|track| track.join(num_frames, master.rate_hz))
        .collect())
}

/// Appends the signals of a segment (its line and first frame) to their tracks: by name, or in the same order.
fn distribute(
    signals: Vec<Signal>,
    header: &Header,
    tracks: &mut [Track],
    names: Option<&BTreeMap<String, usize>>,
    (line, start): (usize, usize),
) -> Result<(), FileError> {
    let hint = "correct the header, or read the segments one by one";
    if names.is_none() && header.signals.len() != tracks.len() {
        let found = format!("{} signals", header.signals.len());
        let expected = format!("{}, as in the first segment", tracks.len());
        return Err(line_error(&header.file, 1, found).expected(expected).hint(hint));
    }
    for (index, (signal, place)) in signals.into_iter().zip(&header.signals).enumerate() {
        let wrong = |found: &str, expected: &str| {
            line_error(&header.file, place.line, found)
                .expected(expected)
                .hint(hint)
        };
        let target = names.map_or(Some(index), |names| names.get(&signal.name).copied());
        let track = target
            .and_then(|target| tracks.get_mut(target))
            .filter(|track| track.name == signal.name);
        let track = track.ok_or_else(|| wrong(&signal.name, "a signal of the layout or of the first segment"))?;
        track
            .append(line, start, signal)
            .map_err(|(found, expected)| wrong(&found, &expected))?;
    }
    Ok(())
}

/// Frames of all segments, which must be those that the record announces.
fn total(master: &Header, lines: &[SegmentLine]) -> Result<usize, FileError> {
    let sum = lines
        .iter()
        .try_fold(0, |sum: usize, line| sum.checked_add(line.num_frames));
    match (sum, master.num_frames) {
        (Some(sum), Some(announced)) if sum == announced => Ok(sum),
        (Some(sum), None) => Ok(sum),
        _ => {
            let found = sum.map_or("too many".into(), |sum| sum.to_string());
            let found = format!("{found} samples in all segments");
            let expected = master.num_frames.map_or("fewer".into(), |number| number.to_string());
            Err(line_error(&master.file, 1, found)
                .expected(expected)
                .hint("a segment's line is missing or wrong"))
        }
    }
}

/// The layout header, which is a first segment of no samples, and the segments after it.
fn layout<'a>(
    master: &Header,
    lines: &'a [SegmentLine],
    files: &Files,
) -> Result<(Option<Header>, &'a [SegmentLine]), FileError> {
    let Some((
        SegmentLine {
            file: Some(path),
            num_frames: 0,
            ..
        },
        rest,
    )) = lines.split_first()
    else {
        return Ok((None, lines));
    };
    let layout = files.header(path).map_err(|error| match lines.first() {
        Some(line) => absent(master, line, error),
        None => error,
    })?;
    Ok((Some(layout), rest))
}

/// The header of a segment, whose rate and length must be those of the record.
fn segment_header(master: &Header, line: &SegmentLine, path: &Path, files: &Files) -> Result<Header, FileError> {
    let mut header = files.header(path).map_err(|error| absent(master, line, error))?;
    let wrong = |found: String, expected: String| {
        let hint = format!(
            "line {} of {} names this segment; correct one of them",
            line.line,
            master.file.display()
        );
        Err(line_error(path, 1, found).expected(expected).hint(hint))
    };
    if header.segments.is_some() {
        return wrong("a record of segments".into(), "signals".into());
    }
    if header.rate_hz != master.rate_hz {
        return wrong(format!("{} Hz", header.rate_hz), format!("{} Hz", master.rate_hz));
    }
    if *header.num_frames.get_or_insert(line.num_frames) != line.num_frames {
        return wrong(
            format!("{} samples", header.num_frames.unwrap_or(0)),
            format!("{}", line.num_frames),
        );
    }
    Ok(header)
}

/// Says which segment lacks a file; other errors name their place themselves.
fn absent(master: &Header, line: &SegmentLine, error: FileError) -> FileError {
    if error.io_kind() != Some(ErrorKind::NotFound) {
        return error;
    }
    FileError::at(&master.file)
        .place(format!("line {}, segment `{}`", line.line, line.name))
        .found(format!("no file {}", error.path().display()))
        .expected("the headers and signal files of all segments")
        .hint("fetch the missing files, or read single segments by their own headers")
}

fn check_size(master: &Header, num_values: usize, files: &Files) -> Result<(), FileError> {
    let most = files.num_values.saturating_mul(MAX_PER_VALUE).saturating_add(MAX_MORE);
    if num_values <= most {
        return Ok(());
    }
    let found = format!("{num_values} samples of all signals");
    let expected = format!("at most {most} where the files hold {}", files.num_values);
    Err(line_error(&master.file, 1, found)
        .expected(expected)
        .hint("correct the lengths of the segments, or read them one by one"))
}

fn tracks_of(header: &Header) -> Vec<Track> {
    let track = |line: &SignalLine| Track {
        name: line.name.clone(),
        unit: if line.gain.is_some() {
            line.unit.clone()
        } else {
            UNCALIBRATED.into()
        },
        samples_per_frame: line.samples_per_frame,
        last_line: 0,
        pieces: Vec::new(),
    };
    header.signals.iter().map(track).collect()
}

/// Which track has which name.
fn names(layout: &Header) -> Result<BTreeMap<String, usize>, FileError> {
    let mut names = BTreeMap::new();
    for (index, line) in layout.signals.iter().enumerate() {
        if names.insert(line.name.clone(), index).is_some() {
            let hint = "signals are found by name in a variable layout; correct the header";
            return Err(line_error(&layout.file, line.line, &line.name)
                .expected("a name of its own")
                .hint(hint));
        }
    }
    Ok(names)
}

impl Track {
    /// Adds the signal of the segment in a line of the record's header; the error is what was found and expected.
    fn append(&mut self, line: usize, start: usize, signal: Signal) -> Result<(), (String, String)> {
        let (unit, values) = signal.calibrated();
        // A layout's units are those of the record only where no segment has its own.
        if self.pieces.is_empty() {
            self.unit = unit.into();
        }
        if self.last_line == line {
            return Err((signal.name, "each signal once".into()));
        }
        if self.unit != unit || self.samples_per_frame != signal.samples_per_frame {
            let found = format!("{unit}, {} samples per frame", signal.samples_per_frame);
            return Err((
                found,
                format!("{}, {}, as elsewhere in the record", self.unit, self.samples_per_frame),
            ));
        }
        self.last_line = line;
        self.pieces.push((start, values));
        Ok(())
    }

    fn join(self, num_frames: usize, frame_hz: f64) -> SignalChannel {
        let mut values = vec![f32::NAN; num_frames * self.samples_per_frame];
        for (start, piece) in self.pieces {
            let here = values.iter_mut().skip(start * self.samples_per_frame);
            here.zip(piece).for_each(|(value, sample)| *value = sample);
        }
        let rate_hz = frame_hz * self.samples_per_frame as f64;
        SignalChannel {
            name: self.name,
            unit: self.unit,
            rate_hz,
            values,
        }
    }
}
