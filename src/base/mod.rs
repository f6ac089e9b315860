//! Ground that several rooms stand on: errors, hashes, names, files written whole.

pub mod error;
pub(crate) mod hash;
pub(crate) mod text;
pub mod walk;

pub use error::{Class, Classified, FileError};
pub(crate) use recoup_formats::file;
