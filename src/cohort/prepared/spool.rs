//! Rows of a long recording on disk, until it is their turn to be written.

use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::base::FileError;
use crate::dataset::error::DataError;
use crate::dataset::load::SignalStream;

/// Bytes that are copied at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// Rows of a long recording in a file without a name.
pub(super) struct Spool {
    file: File,
    dir: PathBuf,
    pub(super) num_rows: usize,
}

impl Spool {
    /// Writes all rows of a stream to a file in `dir`.
    pub(super) fn fill(stream: &mut SignalStream, dir: &Path) -> Result<Self, DataError> {
        let file = tempfile::tempfile_in(dir).map_err(FileError::io(dir, "write into"))?;
        let mut writer = BufWriter::new(file);
        let mut num_rows = 0;
        while let Some(rows) = stream.next_rows()? {
            num_rows += rows.nrows();
            let rows = rows.as_standard_layout();
            let bytes = bytemuck::cast_slice(rows.as_slice().unwrap_or_default());
            writer.write_all(bytes).map_err(FileError::io(dir, "write into"))?;
        }
        let file = writer
            .into_inner()
            .map_err(|error| FileError::io(dir, "write into")(error.into_error()))?;
        let dir = dir.to_path_buf();
        Ok(Self { file, dir, num_rows })
    }

    /// Hands all rows on.
    pub(super) fn copy(mut self, mut write: impl FnMut(&[u8]) -> Result<(), DataError>) -> Result<(), DataError> {
        let io = |action| FileError::io(&self.dir, action);
        self.file.rewind().map_err(io("read from"))?;
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            match self.file.read(&mut block).map_err(io("read from"))? {
                0 => return Ok(()),
                count => write(block.get(..count).unwrap_or_default())?,
            }
        }
    }
}
