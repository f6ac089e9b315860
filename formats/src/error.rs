//! Errors of reading and writing files.

use std::path::{Path, PathBuf};

/// An error of reading or writing a file; names the file, the place, what was found and what was expected.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A file or folder could not be read or written.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a verb: "read", "write".
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A data file is not what its format, its own header or the card promise.
    #[error("{}: {place}: found {found}, expected {expected}\n  hint: {hint}", file.display())]
    File {
        /// The data file.
        file: PathBuf,
        /// Line, byte, signal or column.
        place: String,
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
        /// What to do about it.
        hint: String,
    },
}

impl FileError {
    /// For `map_err`: wraps the system's reason together with the path.
    pub fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, action, source }
    }
}
