//! The files of a record beside each other: which header names a file, which annotations belong to it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::signal_files;

/// Enough for the lines of any header.
const HEADER_BYTES: u64 = 1 << 20;

/// The header in the same folder that names this file as one of its signal files, the one with the same stem first; only
/// that one, unless `all` are looked at.
pub(super) fn header_that_names(path: &Path, all: bool) -> Option<PathBuf> {
    if is_header(path) {
        return None;
    }
    let names = |header: &PathBuf| {
        let files = signal_files(&head(header), header);
        files.iter().any(|file| file.file_name() == path.file_name())
    };
    let own = path.with_extension("hea");
    if own.is_file() && names(&own) {
        return Some(own);
    }
    let folder = path
        .parent()
        .filter(|folder| all && !folder.as_os_str().is_empty())
        .or(all.then_some(Path::new(".")))?;
    let mut headers: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_header(path) && *path != own)
        .collect();
    headers.sort();
    headers.into_iter().find(names)
}

/// The header of the record whose annotations a file is that no reader knows.
pub(super) fn header_of_annotations(path: &Path) -> Option<PathBuf> {
    let header = path.with_extension("hea");
    (!is_header(path) && header.is_file()).then_some(header)
}

pub(super) fn is_header(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "hea")
}

fn head(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A header that cannot be read names nothing.
    let _ = File::open(path).map(|file| file.take(HEADER_BYTES).read_to_end(&mut bytes));
    bytes
}
