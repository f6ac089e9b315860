//! A folder that is one thing: a sequence of images, a series of slices, a sequence of poses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{head, read_file};
use crate::contents::Contents;
use crate::format::{Format, ReadMany};
use crate::keypoints::Person;
use crate::order::natural_cmp;
use crate::registry::detect;
use crate::{FileError, Warning, WarningCode};

/// Files that are named in a message.
const MAX_LISTED: usize = 5;
/// What several files can be together.
pub(super) const SEQUENCES: &str =
    "the images of one sequence, the slices of one DICOM series, or the frames of OpenPose";

/// Files of no known format are left out with a warning.
pub(super) fn open(folder: &Path) -> Result<Contents, FileError> {
    let files = files(folder)?;
    let mut formats = BTreeMap::<Option<&Format>, Vec<&PathBuf>>::new();
    for file in &files {
        let format = head(file).ok().and_then(|head| detect(&head, file).ok());
        formats.entry(format).or_default().push(file);
    }
    let others = formats.remove(&None).unwrap_or_default();
    let known: BTreeSet<&Format> = formats.keys().flatten().copied().collect();
    let read = match formats.values().next() {
        Some(files) => match sequence_of(&known) {
            Some(read_many) => Some(read_many(&read_all(files)?, Person::default())),
            None => None,
        },
        None => None,
    };
    let mut contents = read.unwrap_or_else(|| Err(refused(folder, &files, &formats, others.len())))?;
    if !others.is_empty() {
        let text = format!("left out: {}", names(&others));
        contents.warnings.push(Warning::new(WarningCode::LeftOut, text));
    }
    Ok(contents)
}

/// The reader of several files of these formats together; none where they make no sequence.
pub(super) fn sequence_of(formats: &BTreeSet<&'static Format>) -> Option<ReadMany> {
    let mut formats = formats.iter();
    let (first, None) = (formats.next()?, formats.next()) else {
        return None;
    };
    first.read_many
}

fn refused(
    folder: &Path,
    files: &[PathBuf],
    formats: &BTreeMap<Option<&Format>, Vec<&PathBuf>>,
    num_others: usize,
) -> FileError {
    let count =
        |(format, files): (&Option<&Format>, &Vec<_>)| format.map(|format| format!("{} {}", files.len(), format.name));
    let mut counts: Vec<String> = formats.iter().filter_map(count).collect();
    if num_others > 0 {
        counts.push(format!("{num_others} other"));
    }
    if counts.is_empty() {
        counts.push("no file".into());
    }
    let hint = match files {
        [] => "name a file".into(),
        _ => format!("name one of its files: {}", names(&files.iter().collect::<Vec<_>>())),
    };
    FileError::at(folder)
        .place("folder")
        .found(counts.join(", "))
        .expected(SEQUENCES)
        .hint(hint)
}

fn read_all(files: &[&PathBuf]) -> Result<Vec<(PathBuf, Vec<u8>)>, FileError> {
    files
        .iter()
        .map(|file| Ok((PathBuf::from(file), read_file(file)?)))
        .collect()
}

fn names(files: &[&PathBuf]) -> String {
    let name = |file: &&PathBuf| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names: Vec<String> = files.iter().take(MAX_LISTED).map(name).collect();
    match files.len().saturating_sub(MAX_LISTED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// The files of a folder, without hidden ones, in the order of the numbers in their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let entries = std::fs::read_dir(folder).map_err(FileError::io(folder, "list"))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(FileError::io(folder, "list"))?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_file() && !hidden {
            files.push(path);
        }
    }
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    files.sort_by(|a, b| natural_cmp(&name(a), &name(b)));
    Ok(files)
}
