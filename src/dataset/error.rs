//! What can go wrong between a dataset's files and its arrays.

use std::path::PathBuf;

use recoup_formats::{printable, shortened};

use crate::base::{Class, Classified, FileError};

/// An error of reading, checking or preparing a dataset; names the file or subject, the place, and what was expected.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file could not be read or written, or is not what its format, its own header or the card promise.
    #[error(transparent)]
    File(#[from] FileError),
    /// A dataset card says something that cannot be.
    #[error("{}: {place}: {}\nhint: {hint}", file.display(), printable(&shortened(problem)))]
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
}

impl Classified for DataError {
    fn class(&self) -> Class {
        match self {
            Self::File(error) => error.class(),
            Self::Card { .. } | Self::Cohort { .. } => Class::Input,
        }
    }
}
