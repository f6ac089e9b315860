//! Ground that several rooms stand on: errors, hashes, names.

pub mod error;
pub(crate) mod hash;
pub mod problems;
pub(crate) mod text;
pub mod walk;

pub use error::DataError;
pub use problems::{Problem, Problems};
pub use text::shell_quoted;
