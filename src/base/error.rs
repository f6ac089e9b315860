//! Kinds of errors, which give the exit codes of the program.

use std::io::{self, ErrorKind};

pub use recoup_formats::FileError;

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The user: wrong usage, a bad file, card or experiment.
    Input,
    /// Nobody by changing the input: the disk, the network, training that diverged.
    Failure,
    /// The user asked to stop, and can continue.
    Interrupted,
}

/// An error that knows its kind.
pub trait Classified: std::error::Error + Send + Sync + 'static {
    /// The kind of this error.
    fn class(&self) -> Class;
}

impl Classified for FileError {
    /// A file that is wrong, absent or forbidden is bad input; a disk that is full or fails is not.
    fn class(&self) -> Class {
        self.io_kind().map_or(Class::Input, class_of)
    }
}

impl Classified for io::Error {
    fn class(&self) -> Class {
        class_of(self.kind())
    }
}

impl<E: Classified> From<E> for Box<dyn Classified> {
    fn from(error: E) -> Self {
        Box::new(error)
    }
}

/// Kind of a failure that the system reports.
pub fn class_of(kind: ErrorKind) -> Class {
    match kind {
        ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::AlreadyExists
        | ErrorKind::DirectoryNotEmpty
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::InvalidInput
        | ErrorKind::InvalidFilename
        | ErrorKind::InvalidData => Class::Input,
        _ => Class::Failure,
    }
}

/// The error with what to do about a full disk while a run is written; any other error as it is.
pub(crate) fn resumable(error: FileError) -> FileError {
    match error.io_kind() {
        Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => error
            .hint("free some space, then continue with --resume, from the last complete checkpoint if there is one"),
        _ => error,
    }
}
