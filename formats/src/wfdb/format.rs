//! Row of the registry.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::beside::{header_of_annotations, header_that_names, is_header};
use super::{contents_with, record_files, strip};
use crate::FileError;
use crate::contents::Contents;
use crate::format::{Format, Head, Input};
use crate::strip::{Deidentify, Stripper};

/// Records of PhysioNet.
pub static FORMAT: Format = Format {
    sniff: |head| head.text.is_some_and(is_header_text),
    owns: |path, head, looks_known| {
        header_that_names(path, head.text.is_none()).is_some()
            || (!looks_known && header_of_annotations(path).is_some())
    },
    files_beside,
    blocks: Some(super::blocks),
    deidentify: Deidentify::ByFile(Stripper {
        needs_patient: true,
        identity: Some(strip::identity),
        strip: strip::strip,
    }),
    ..Format::new(
        "WFDB",
        "records of PhysioNet by their `.hea`: formats 8, 16, 24, 32, 61, 80, 160, 212, 310, 311, 508, 516, 524 (FLAC), \
         several segments, annotations (`.atr` and others)",
        read,
    )
};

/// The record of a header, or that a signal or annotation file belongs to.
fn read(input: &Input) -> Result<Contents, FileError> {
    let Input { path, read_file, .. } = *input;
    if let Some(header) = header_that_names(path, true) {
        return contents_with(&header, read_file);
    }
    let text = Head::new(input.bytes).text;
    match header_of_annotations(path).filter(|_| !text.is_some_and(is_header_text)) {
        None => contents_with(path, read_file),
        Some(header) => {
            let is_annotations = |file: &Path| file.extension().is_some_and(|extension| extension == "atr");
            contents_with(&header, |file| {
                read_file(if is_annotations(file) { path } else { file })
            })
        }
    }
}

fn files_beside(path: &Path) -> BTreeSet<PathBuf> {
    match header_of_annotations(path).filter(|_| !is_header(path)) {
        None => record_files(path),
        Some(header) => {
            let mut files = record_files(&header);
            files.insert(header);
            files
        }
    }
}

/// `NAME[/SEGMENTS] SIGNALS ...` and, unless there are no signals, `FILE FORMAT ...` or `SEGMENT SAMPLES`.
fn is_header_text(text: &str) -> bool {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut record = lines.next().unwrap_or_default().split_whitespace();
    let name = record.next().unwrap_or_default();
    let num_signals = record.next().and_then(|count| count.parse::<usize>().ok());
    let is_name = name.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_')
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '/' | '.'))
        && name.parse::<f64>().map_or(true, |_| record.next().is_some());
    let line = lines.next().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let is_code = |text: &str| text.starts_with(|letter: char| letter.is_ascii_digit());
    match (num_signals, line.as_deref()) {
        (Some(0), None) => is_name,
        (Some(_), Some([file, code, ..])) => {
            is_name && is_code(code) && (name.contains('/') || file.parse::<f64>().is_err())
        }
        _ => false,
    }
}
