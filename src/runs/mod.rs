//! The run directory: the record that every table and figure is derived from.

mod directory;
pub mod manifest;
pub mod predictions;

pub use directory::{RunDirectory, RunError, list_runs, write_document, write_json};
pub use manifest::{Life, Manifest, RunStatus};
