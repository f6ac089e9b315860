//! A file that only grows, has one writer, and survives failed writes.

use super::TrackingError;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Bytes kept in memory before they are handed to the operating system without being asked.
const PENDING_LIMIT_BYTES: usize = 64 * 1024;

/// Appends to one file through a buffer of its own.
///
/// `BufWriter` is not used because a write larger than its buffer bypasses it: when such a write fails half-way, no one
/// knows how much is on disk, and everything after a torn TensorBoard record is lost to its readers. Here the bytes
/// already written are dropped from `pending` and the next flush continues at the exact byte.
#[derive(Debug)]
pub(super) struct AppendFile {
    path: PathBuf,
    file: File,
    pending: Vec<u8>,
    is_name_durable: bool,
}

impl AppendFile {
    /// Over a file already open for writing; `path` is what errors name.
    pub(super) fn new(file: File, path: PathBuf) -> Self {
        Self {
            path,
            file,
            pending: Vec::new(),
            is_name_durable: false,
        }
    }

    /// Creates `path`; `None` when the name is taken.
    pub(super) fn create_new(path: PathBuf) -> Result<Option<Self>, TrackingError> {
        match OpenOptions::new().append(true).create_new(true).open(&path) {
            Ok(file) => Ok(Some(Self::new(file, path))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(TrackingError::io("create", &path, error)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), TrackingError> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() < PENDING_LIMIT_BYTES {
            Ok(())
        } else {
            self.flush()
        }
    }

    /// Hands everything to the operating system: other processes see it, a power failure may still lose it.
    pub(super) fn flush(&mut self) -> Result<(), TrackingError> {
        let mut num_written = 0;
        let mut outcome = Ok(());
        while num_written < self.pending.len() && outcome.is_ok() {
            match self.file.write(&self.pending[num_written..]) {
                Ok(0) => outcome = Err(io::Error::from(io::ErrorKind::WriteZero)),
                Ok(count) => num_written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => outcome = Err(error),
            }
        }
        self.pending.drain(..num_written);
        outcome.map_err(|error| TrackingError::io("write", &self.path, error))
    }

    /// [`flush`](Self::flush), then waits until the bytes and the file's name are on stable storage.
    pub(super) fn sync(&mut self) -> Result<(), TrackingError> {
        self.flush()?;
        self.file
            .sync_all()
            .map_err(|error| TrackingError::io("sync", &self.path, error))?;
        if !self.is_name_durable {
            sync_directory(self.path.parent().unwrap_or(Path::new(".")))?;
            self.is_name_durable = true;
        }
        Ok(())
    }
}

impl Drop for AppendFile {
    fn drop(&mut self) {
        // An error here has no caller to go to; whoever needs to know calls `flush` first.
        self.flush().ok();
    }
}

/// A new name in a directory is durable only once the directory is synced.
fn sync_directory(directory: &Path) -> Result<(), TrackingError> {
    if cfg!(unix) {
        File::open(directory)
            .and_then(|handle| handle.sync_all())
            .map_err(|error| TrackingError::io("sync", directory, error))?;
    }
    Ok(())
}
