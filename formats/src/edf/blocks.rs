//! A file read record by record.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::header::{Header, Source, num_header_bytes};
use super::recording::Recording;
use crate::blocks::{ReadBlock, SignalBlocks};
use crate::file::open_regular;
use crate::{FileError, Warning};

/// Opens a file to be read in blocks of at most `max_bytes`, a record at least.
///
/// # Errors
/// Errors of [`super::read`]; those of records that cannot be read come with their block.
pub(crate) fn blocks(path: &Path, max_bytes: usize) -> Result<SignalBlocks, FileError> {
    let mut file = open_regular(path)?;
    let mut start = take(&mut file, 256, path)?;
    let num_bytes = num_header_bytes(Source { bytes: &start, path })?;
    start.extend(take(&mut file, num_bytes.saturating_sub(start.len()), path)?);
    let size = Header::parse(Source { bytes: &start, path })?.record_bytes();
    let length = file.metadata().map_err(FileError::io(path, "read"))?.len();
    let data_bytes = length.saturating_sub(num_bytes as u64);
    // The first record tells whether a signal is one of annotations.
    if size as u64 <= data_bytes {
        start.extend(take(&mut file, size, path)?);
    }
    let source = Source { bytes: &start, path };
    let header = Header::parse(source)?;
    let marks = marks(&mut file, &header, data_bytes, path)?;
    let (recording, contents) = Recording::new(source, header, data_bytes, marks)?;
    file.seek(SeekFrom::Start(num_bytes as u64))
        .map_err(FileError::io(path, "read"))?;
    let channels = recording.channels();
    let reader = Reader {
        starts: vec![0; channels.len()],
        records_per_block: (max_bytes / size.max(1)).max(1),
        path: path.to_path_buf(),
        next: 0,
        file,
        recording,
    };
    Ok(SignalBlocks::new(contents, channels, Box::new(reader)))
}

fn take(file: &mut File, num_bytes: usize, path: &Path) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    file.take(num_bytes as u64)
        .read_to_end(&mut bytes)
        .map_err(FileError::io(path, "read"))?;
    Ok(bytes)
}

/// The annotations of all whole records, without their samples.
fn marks(
    file: &mut File,
    header: &Header,
    data_bytes: u64,
    path: &Path,
) -> Result<Vec<super::annotations::RecordMarks>, FileError> {
    let size = header.record_bytes() as u64;
    let lists: Vec<_> = header.signals.iter().filter(|signal| signal.is_annotations).collect();
    let mut marks = Vec::new();
    for number in 0..data_bytes.checked_div(size).unwrap_or(0) {
        let mut record = Vec::new();
        for signal in &lists {
            let start = header.num_bytes as u64 + number * size + signal.offset as u64;
            file.seek(SeekFrom::Start(start)).map_err(FileError::io(path, "read"))?;
            record.resize(signal.offset, 0);
            record.extend(take(file, header.end(signal) - signal.offset, path)?);
        }
        marks.push(header.marks(&record));
    }
    Ok(marks)
}

struct Reader {
    file: File,
    path: PathBuf,
    recording: Recording,
    records_per_block: usize,
    /// Number of the next record.
    next: usize,
    /// Samples of each signal that were read.
    starts: Vec<usize>,
}

impl ReadBlock for Reader {
    fn next_block(&mut self) -> Result<Option<Vec<Vec<f32>>>, FileError> {
        let size = self.recording.header.record_bytes();
        let num_records = self.records_per_block.min(self.recording.num_records - self.next);
        if num_records == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; num_records * size];
        self.file
            .read_exact(&mut bytes)
            .map_err(FileError::io(&self.path, "read"))?;
        let records: Vec<&[u8]> = bytes.chunks_exact(size).collect();
        let values = self.recording.decode(self.next, &records, &mut self.starts);
        self.next += num_records;
        Ok(Some(values))
    }

    fn take_warnings(&mut self) -> Vec<Warning> {
        Vec::new()
    }
}
