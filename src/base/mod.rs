//! Ground that several rooms stand on: errors, hashes, names.

pub mod error;
pub(crate) mod hash;
pub(crate) mod text;
pub mod walk;

pub use error::DataError;
