//! The run directory: the record that every table and figure is derived from.

mod directory;
mod list;
pub mod manifest;
pub mod predictions;

pub use directory::{RunDirectory, RunError, write_document, write_json};
pub use list::{RunList, list_runs};
pub use manifest::{Attempt, Manifest, RunStatus};
