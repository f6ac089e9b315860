//! EDF, EDF+, BDF and BDF+: recordings of sleep, EEG and movement laboratories.
//!
//! Layouts as in Kemp et al. 1992 (EDF), Kemp and Olivan 2003 (EDF+) and BioSemi's 24-bit variant of both. Own code
//! because the crates for EDF (`edf-rs` 0.2, `edfplus` 0.1) do not read 24-bit BDF, and one reader for both is shorter
//! than a crate for one and code for the other.
//!
//! A sample is `gain (maximum_physical / gain - maximum_digital + digital)` in f64 with `gain` = physical range / digital
//! range, rounded to f32; samples beyond the digital range are not clipped. A signal whose range is empty or whose
//! digital minimum is above its maximum cannot be scaled: it stays digital, with unit `1` and a warning. A physical
//! minimum above the maximum is allowed by the format: the signal is upside down.
//!
//! The clock starts at the first sample. In discontinuous files the pauses between records are NaN.

mod annotations;
mod blocks;
mod clock;
pub mod format;
mod header;
mod recording;
mod samples;
pub mod strip;
mod write;

use std::path::Path;

pub(crate) use self::blocks::blocks;
use self::header::{Header, Source};
use self::recording::Recording;
pub use self::write::{EdfRecording, EdfSignal, write_edf};
use crate::{Contents, FileError, Part};

/// Reads a file; `path` is for messages.
///
/// # Errors
/// [`FileError`] for a header that does not hold, records of a discontinuous file that overlap or have no time,
/// and pauses too long for memory.
pub fn read(bytes: &[u8], path: &Path) -> Result<Contents, FileError> {
    let source = Source { bytes, path };
    let header = Header::parse(source)?;
    let data = bytes.get(header.num_bytes..).unwrap_or_default();
    let records: Vec<&[u8]> = match header.record_bytes() {
        0 => Vec::new(),
        size => data.chunks_exact(size).collect(),
    };
    let marks = records.iter().map(|record| header.marks(record)).collect();
    let (recording, mut contents) = Recording::new(source, header, data.len() as u64, marks)?;
    let mut starts = vec![0; recording.channels().len()];
    let values = recording.decode(0, &records, &mut starts);
    let channels = recording.channels().into_iter().zip(values);
    let channels = channels.map(|(channel, values)| channel.with(values)).collect();
    contents.parts.push(Part::Signals(channels));
    Ok(contents)
}
