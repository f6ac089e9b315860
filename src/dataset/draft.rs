//! The first draft of a dataset card from the files of a folder: `recoup data new`.
//!
//! What a file name or a column is for can be guessed and not known. So a draft is a card that parses, with its guesses
//! marked as such, what was *found*, and the *questions* that only the owner of the data can answer. Whose each file is,
//! is always the first question, and what the label is, the next.

use std::path::Path;

use crate::base::walk::walk;
use crate::dataset::error::DataError;

mod content;
mod group;
mod index;
mod keys;
mod label;
mod names;
mod opened;
mod tables;
mod words;
mod write;

use index::FileIndex;
pub use write::Draft;

/// Looks through `dir/raw`, or `dir` itself where there is no such folder.
///
/// # Errors
/// [`DataError::Io`] for a folder or file that cannot be read; a file that makes no sense is a finding.
pub fn draft(dir: &Path) -> Result<Draft, DataError> {
    let raw = dir.join("raw");
    let (raw, in_place) = if raw.is_dir() {
        (raw, false)
    } else {
        (dir.to_path_buf(), true)
    };
    let found = walk(&raw, false)?;
    let skipped = found.summary();
    let mut files = found.files;
    // What `recoup` itself writes there.
    let ours =
        |file: &String| matches!(file.as_str(), "card.toml" | "experiment.toml") || file.starts_with("prepared/");
    files.retain(|file| !(in_place && ours(file)));
    let mut index = FileIndex::of(&raw, &files)?;
    index.findings.extend(skipped);
    if in_place && !files.is_empty() {
        index
            .questions
            .push("the files belong into a folder `raw` beside card.toml: move them there".into());
    }
    let name = dir.canonicalize().unwrap_or(dir.to_path_buf());
    let name = name.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = if name.is_empty() || name.starts_with('.') {
        "dataset"
    } else {
        name
    };
    Ok(write::write(name, index))
}
