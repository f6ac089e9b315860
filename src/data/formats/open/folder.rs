//! A folder that is one thing: a sequence of images, a series of slices, a sequence of poses.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Format, detect, head};
use crate::data::DataError;
use crate::data::formats::Contents;

/// Files of a folder that are looked at to name its formats.
const MAX_LISTED: usize = 5;

pub(super) fn open(folder: &Path) -> Result<Contents, DataError> {
    let files = files(folder)?;
    let mut formats = BTreeMap::<&str, Vec<&PathBuf>>::new();
    for file in &files {
        let format = head(file).ok().and_then(|head| detect(&head, file).ok());
        formats.entry(format.map_or("other", Format::name)).or_default().push(file);
    }
    let counts: Vec<String> = formats.iter().map(|(name, files)| format!("{} {name}", files.len())).collect();
    Err(DataError::File {
        file: folder.to_path_buf(),
        place: "folder".into(),
        found: if counts.is_empty() { "no file".into() } else { counts.join(", ") },
        expected: "the images of one sequence, the slices of one DICOM series, or the frames of OpenPose".into(),
        hint: match files.get(..MAX_LISTED.min(files.len())) {
            Some(first @ [_, ..]) => format!("name one of its files: {}", names(first)),
            _ => "name a file".into(),
        },
    })
}

fn names(files: &[PathBuf]) -> String {
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap_or_default().to_string_lossy()).collect();
    names.join(", ")
}

/// The files of a folder, without hidden ones, in the order of the numbers in their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let entries = std::fs::read_dir(folder).map_err(DataError::io(folder, "list"))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(DataError::io(folder, "list"))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_file() && !hidden {
            files.push(path);
        }
    }
    files.sort_by_cached_key(|path| natural_key(&path.file_name().unwrap_or_default().to_string_lossy()));
    Ok(files)
}

/// Sorts `frame10` after `frame9`: words as they are, numbers by their length without zeros and then by their digits.
fn natural_key(name: &str) -> Vec<(String, usize, String)> {
    let mut key = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let (word, tail) = rest.split_at(rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len()));
        let end = tail.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(tail.len());
        let (number, tail) = tail.split_at(end);
        let number = number.trim_start_matches('0');
        key.push((word.to_owned(), number.len(), number.to_owned()));
        rest = tail;
    }
    key
}
