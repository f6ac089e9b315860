//! What can go wrong between a dataset's files and its arrays.

use std::path::{Path, PathBuf};

/// An error of reading, checking or preparing data; each names the file or subject, the place, and what was expected.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
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
    /// A dataset card says something that cannot be.
    #[error("{}: {place}: {problem}\n  hint: {hint}", file.display())]
    Card {
        /// The card.
        file: PathBuf,
        /// `line N` or the key, such as `modality.force.rate_hz`.
        place: String,
        /// What is wrong, and what was expected.
        problem: String,
        /// What to do about it.
        hint: String,
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
    /// A file could not be read or written.
    #[error(transparent)]
    Format(#[from] recoup_formats::FileError),
    /// A signal has a sample that is not a finite number and the card does not say what to do with it.
    #[error(
        "{}: channel `{channel}`: sample {sample} is missing or not finite ({count} such samples in the channel)\n  \
         hint: set `missing = \"interpolate\"` or `missing = \"mask\"` in the card's modality to accept it", file.display()
    )]
    NonFinite {
        /// The recording's file.
        file: PathBuf,
        /// The channel's name in the card.
        channel: String,
        /// Index of the first such sample, at the rate of the file.
        sample: usize,
        /// How many there are.
        count: usize,
    },
    /// A cohort contradicts itself: shapes, classes or times.
    #[error("cohort `{cohort}`: {place}: {problem}")]
    Cohort {
        /// Name of the cohort.
        cohort: String,
        /// Subject, session and modality.
        place: String,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// A window configuration that no window can satisfy.
    #[error("windows: {problem}\n  hint: {hint}")]
    Window {
        /// The value, or the session that is too short.
        problem: String,
        /// What to do about it.
        hint: String,
    },
}

impl DataError {
    /// For `map_err`: wraps the system's reason together with the path.
    pub fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, action, source }
    }
}
