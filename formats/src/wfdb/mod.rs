//! WFDB records, the format of PhysioNet: a text header (`NAME.hea`), binary signal files and files of annotations.
//!
//! As in the *WFDB Applications Guide*, `header(5)`, `signal(5)` and `annot(5)`. All storage formats are read (8, 16, 24, 32,
//! 61, 80, 160, 212, 310, 311, and in FLAC 508, 516, 524), several samples per frame, skew, and records of segments
//! in a fixed or a variable layout. The initial value and the 16-bit checksum that a header holds for a signal
//! must be those of the samples as they stand in the file, before skew is undone; otherwise [`read_record`] refuses the
//! record, and the others warn with the code `checksum`.
//!
//! The reader is our own: the crate `wfdb` calls itself unstable and reads no FLAC.

mod annotations;
mod beside;
mod blocks;
mod flac;
pub mod format;
mod header;
mod segments;
mod signals;
mod storage;
pub mod strip;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use self::header::{Header, line_error};
use self::signals::Files;
use crate::blocks::SignalBlocks;
use crate::contents::number_duplicates;
use crate::file::read_regular;
use crate::{Contents, FileError, Part, SignalChannel, Warning};

pub use annotations::{Annotations, Mark, read_annotations};

/// Unit of digital values: steps of the analog-digital converter.
const UNCALIBRATED: &str = "adu";
/// Rates that a device can have, in Hz: others are damage.
const RATES_HZ: RangeInclusive<f64> = 1e-9..=1e12;

/// A record of one segment: its signals have one rate and one length.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Name in the header.
    pub name: String,
    /// Samples per second.
    pub rate_hz: f64,
    /// The signals, in the order of the header.
    pub signals: Vec<Signal>,
}

/// One signal of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// The file that holds it.
    pub file: PathBuf,
    /// Description in the header; empty if there is none.
    pub name: String,
    /// Unit of physical values; `mV` if the header gives none.
    pub unit: String,
    /// Samples in each frame of the record.
    pub samples_per_frame: usize,
    /// Digital units per physical unit; `None` for a signal that was not calibrated.
    pub gain: Option<f64>,
    /// Digital value of physical zero.
    pub baseline: i32,
    /// Digital value that stands for a missing sample.
    pub missing_code: i32,
    /// Digital values, missing code included.
    pub samples: Vec<i32>,
}

impl Signal {
    /// Digital values, NaN where missing.
    pub fn digital(&self) -> Vec<f32> {
        self.map(|sample| sample as f32)
    }

    /// Physical values `(digital - baseline) / gain` in [`Signal::unit`], NaN where missing; `None` without a gain.
    pub fn physical(&self) -> Option<Vec<f32>> {
        let gain = self.gain?;
        Some(self.map(|sample| ((f64::from(sample) - f64::from(self.baseline)) / gain) as f32))
    }

    /// Physical values and their unit, or digital ones without a gain.
    fn calibrated(&self) -> (&str, Vec<f32>) {
        match self.physical() {
            Some(values) => (&self.unit, values),
            None => (UNCALIBRATED, self.digital()),
        }
    }

    fn map(&self, convert: impl Fn(i32) -> f32) -> Vec<f32> {
        let value = |&sample: &i32| {
            if sample == self.missing_code {
                f32::NAN
            } else {
                convert(sample)
            }
        };
        self.samples.iter().map(value).collect()
    }
}

/// Reads the record whose header is the file `header`.
///
/// # Errors
/// [`FileError`] for a missing file, [`FileError`] for a header, size or checksum that does not hold, and for a
/// record of segments or of several samples per frame, which [`contents_with`] reads.
pub fn read_record(header: &Path) -> Result<Record, FileError> {
    read_record_with(header, read_regular)
}

/// As [`read_record`], through a function that returns a file's bytes.
///
/// # Errors
/// Errors of [`read_record`] and of `read`.
pub fn read_record_with(
    header: &Path,
    read: impl Fn(&Path) -> Result<Vec<u8>, FileError>,
) -> Result<Record, FileError> {
    let mut files = Files::new(&read, true);
    let header = files.header(header)?;
    if header.segments.is_some() {
        let hint = "read the segments' own headers";
        return Err(line_error(&header.file, 1, &header.name)
            .expected("a record of one segment")
            .hint(hint));
    }
    if let Some(line) = header.signals.iter().find(|line| line.samples_per_frame != 1) {
        let hint = "also 8, 310, 311, 508, 516 or 524, but always one sample per frame: such a record has one rate";
        let expected = "format 16, 24, 32, 61, 80, 160 or 212";
        return Err(line_error(&header.file, line.line, &line.storage)
            .expected(expected)
            .hint(hint));
    }
    let signals = files.signals(&header)?;
    Ok(Record {
        name: header.name,
        rate_hz: header.rate_hz,
        signals,
    })
}

/// The signals of a record of one segment in digital values, `adu`, whether they are calibrated or not; without annotations.
///
/// # Errors
/// Errors of [`contents_with`], and [`FileError`] for a record of segments, whose digital values may mean something else in
/// each.
pub fn digital_contents_with(
    header: &Path,
    read_file: impl Fn(&Path) -> Result<Vec<u8>, FileError>,
) -> Result<Contents, FileError> {
    let mut files = Files::new(&read_file, false);
    let header = files.header(header)?;
    if header.segments.is_some() {
        let error = line_error(&header.file, 1, &header.name).expected("one segment for digital values");
        return Err(error.hint("segments may differ in gain: take physical values, in the header's unit"));
    }
    let channel = |signal: Signal| SignalChannel {
        unit: UNCALIBRATED.into(),
        rate_hz: header.rate_hz * signal.samples_per_frame as f64,
        values: signal.digital(),
        name: signal.name,
    };
    let mut channels: Vec<SignalChannel> = files.signals(&header)?.into_iter().map(channel).collect();
    number_duplicates("signals", channels.iter_mut().map(|channel| &mut channel.name));
    Ok(Contents {
        format: "WFDB, digital values".into(),
        parts: vec![Part::Signals(channels)],
        warnings: files.warnings,
        ..Contents::default()
    })
}

/// The files that reading a record may open beside its header: signal files, headers and signal files of segments, and
/// annotations. None for a header that does not hold.
pub fn record_files(header: &Path) -> BTreeSet<PathBuf> {
    let parse = |path: &Path| Header::parse(&read_regular(path).ok()?, path).ok();
    let Some(parsed) = parse(header) else {
        return BTreeSet::new();
    };
    let mut files = BTreeSet::from([header.with_extension("atr")]);
    let segments = parsed
        .segments
        .iter()
        .flatten()
        .filter_map(|line| line.file.clone())
        .collect::<BTreeSet<_>>();
    let headers = segments.iter().filter_map(|path| parse(path)).chain([parsed]);
    let lines = headers.flat_map(|header| header.signals);
    files.extend(lines.filter(|line| line.format.is_some()).map(|line| line.file));
    files.extend(segments);
    files
}

/// The signal files that a header names; none for a header that does not hold.
pub fn signal_files(header: &[u8], path: &Path) -> BTreeSet<PathBuf> {
    let parsed = Header::parse(header, path);
    let lines = parsed.into_iter().flat_map(|header| header.signals);
    lines
        .filter(|line| line.format.is_some())
        .map(|line| line.file)
        .collect()
}

/// Everything in a record: signals in physical units, or in `adu` where they are not calibrated, at rates of their own;
/// NaN where a sample, a signal or a segment is missing; the annotations of `NAME.atr`, if that file is there.
///
/// # Errors
/// Errors of `read_file`, and [`FileError`] for whatever does not hold: header, sizes, a segment's missing files, a damaged annotation file, and gaps that are very much longer than the data.
pub fn contents_with(
    header: &Path,
    read_file: impl Fn(&Path) -> Result<Vec<u8>, FileError>,
) -> Result<Contents, FileError> {
    let mut files = Files::new(&read_file, false);
    let header = files.header(header)?;
    let mut channels = match &header.segments {
        Some(lines) => segments::channels(&header, lines, &mut files)?,
        None => plain(&header, &mut files)?,
    };
    let warnings = std::mem::take(&mut files.warnings);
    let mut contents = around(header, &read_file, warnings)?;
    let names = channels.iter_mut().map(|signal| &mut signal.name);
    contents.warnings.extend(number_duplicates("signals", names));
    contents.parts.push(Part::Signals(channels));
    Ok(contents)
}

/// Opens a record to be read in blocks of at most `max_bytes` of its files, six frames at least; `None` for records of segments
/// and for FLAC, which are read whole.
///
/// # Errors
/// Errors of [`contents_with`], as far as they do not concern samples.
pub(crate) fn blocks(header: &Path, max_bytes: usize) -> Result<Option<SignalBlocks>, FileError> {
    let header = Header::parse(&read_regular(header)?, header)?;
    let Some((reader, mut channels, warnings)) = blocks::Reader::open(&header, max_bytes)? else {
        return Ok(None);
    };
    let mut contents = around(header, &read_regular, warnings)?;
    let names = channels.iter_mut().map(|signal| &mut signal.name);
    contents.warnings.extend(number_duplicates("signals", names));
    Ok(Some(SignalBlocks::new(contents, channels, Box::new(reader))))
}

/// Everything in a record but its signals.
fn around(
    header: Header,
    read_file: &dyn Fn(&Path) -> Result<Vec<u8>, FileError>,
    mut warnings: Vec<Warning>,
) -> Result<Contents, FileError> {
    let codes = header
        .signals
        .iter()
        .filter_map(|line| line.storage.split(['x', ':', '+']).next());
    let codes: Vec<_> = codes.collect::<BTreeSet<_>>().into_iter().collect();
    let format = match &header.segments {
        Some(lines) => format!("WFDB, {} segments", lines.len()),
        None => format!("WFDB, format {}", codes.join(", ")),
    };
    let path = header.file.with_extension("atr");
    let annotations = match read_file(&path) {
        Ok(bytes) => {
            let mut found = read_annotations(&bytes, &path)?;
            warnings.append(&mut found.warnings);
            found.in_secs(header.rate_hz)
        }
        Err(error) if error.io_kind() == Some(ErrorKind::NotFound) => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut facts = header.facts;
    facts.insert(0, ("frames per second".into(), header.rate_hz.to_string()));
    Ok(Contents {
        format,
        facts,
        annotations,
        warnings: [header.warnings, warnings].concat(),
        ..Contents::default()
    })
}

/// The signals of a record without segments.
fn plain(header: &Header, files: &mut Files) -> Result<Vec<SignalChannel>, FileError> {
    let mut channels = Vec::new();
    for signal in files.signals(header)? {
        let (unit, values) = signal.calibrated();
        let (unit, rate_hz) = (unit.into(), header.rate_hz * signal.samples_per_frame as f64);
        channels.push(SignalChannel {
            name: signal.name,
            unit,
            rate_hz,
            values,
        });
    }
    Ok(channels)
}
