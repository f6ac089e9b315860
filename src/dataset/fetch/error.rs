//! What can go wrong with fetching.

use crate::base::{Class, Classified};
use std::{io, path::PathBuf};

/// What can go wrong with fetching. The files fetched before stay; the next call goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A file of the plan cannot be fetched as described.
    #[error("file {path:?} of the plan: {problem}")]
    Plan {
        /// As written in the plan.
        path: String,
        /// What is wrong and what is expected.
        problem: String,
    },
    /// A line of a hash list.
    #[error("hash list, line {line}: {problem}; expected `<64 hexadecimal digits>  <relative path>`")]
    List {
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The server refused.
    #[error("{url}: HTTP status {status}: {hint}")]
    Status {
        /// Address asked for.
        url: String,
        /// HTTP status code.
        status: u16,
        /// What to do.
        hint: &'static str,
    },
    /// No answer, or none that makes sense, or the connection was lost; after the last attempt.
    #[error(
        "{url}: {problem} (attempts without a new byte: {attempts}); what has come is kept, so try \
         again, or copy the files by hand and fetch from that folder"
    )]
    Connection {
        /// Address asked for.
        url: String,
        /// Last error.
        problem: String,
        /// Attempts without progress.
        attempts: u32,
    },
    /// The bytes are not those of the plan.
    #[error("{path}: SHA-256 is {found}, expected {expected}; {hint}{}", kept_note(.kept))]
    Rejected {
        /// Path in the plan.
        path: String,
        /// Accepted hashes, joined by `or`.
        expected: String,
        /// Hash of what came.
        found: String,
        /// Where the file was put aside; `None` if the source is a folder, which has it.
        kept: Option<PathBuf>,
        /// What to do.
        hint: &'static str,
    },
    /// Disk or quota is full.
    #[error("{}: no space left ({source}); free some and try again, what has come is kept", path.display())]
    NoSpace {
        /// File being written.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The folder fetched from lacks a file.
    #[error("{path}: not in {}; it must hold the files under the paths of the plan", folder.display())]
    Missing {
        /// Path in the plan.
        path: String,
        /// Folder fetched from.
        folder: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl Classified for FetchError {
    fn class(&self) -> Class {
        match self {
            Self::Plan { .. } | Self::List { .. } => Class::Input,
            _ => Class::Failure,
        }
    }
}

impl FetchError {
    pub(super) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { path, source },
            _ => Self::Io { path, source },
        }
    }
}

fn kept_note(kept: &Option<PathBuf>) -> String {
    let note = |path: &PathBuf| format!("; put aside as {}", path.display());
    kept.as_ref().map(note).unwrap_or_default()
}
