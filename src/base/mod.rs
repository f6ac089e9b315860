//! Ground that several rooms stand on: errors, hashes, names, files written whole.

pub mod error;
pub(crate) mod hash;
pub mod problems;
pub(crate) mod text;
pub mod walk;

pub use error::{Class, Classified, FileError};
pub use problems::{Problem, Problems};
pub(crate) use recoup_formats::file;
pub use text::shell_quoted;
