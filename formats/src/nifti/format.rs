//! Row of the registry.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{deidentify, read, read_pair};
use crate::FileError;
use crate::contents::Contents;
use crate::format::{Format, Input};
use crate::strip::{Deidentify, Stripper};

/// Volumes of brains.
pub static FORMAT: Format = Format {
    signatures: &[
        &[(344, b"n+1\0")],
        &[(344, b"ni1\0")],
        &[(4, b"n+2\0\r\n\x1a\n")],
        &[(4, b"ni2\0\r\n\x1a\n")],
        &[(0, b"\x5c\x01\0\0"), (38, b"r")],
        &[(0, b"\0\0\x01\x5c"), (38, b"r")],
    ],
    owns: |path, _, looks_known| !looks_known && header_of(path).is_some(),
    files_beside: |path| match is(path, "hdr") {
        true => BTreeSet::from([path.with_extension("img")]),
        false => header_of(path).into_iter().collect(),
    },
    inflates: true,
    deidentify: Deidentify::ByFile(Stripper {
        needs_patient: false,
        identity: None,
        strip: deidentify::strip,
    }),
    ..Format::new(
        "NIfTI",
        "NIfTI-1 and NIfTI-2 volumes (`.nii`, `.nii.gz`) and pairs (`.hdr` with `.img`), up to four dimensions",
        read_any,
    )
};

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// The header of a pair, for its values.
fn header_of(path: &Path) -> Option<PathBuf> {
    let header = path.with_extension("hdr");
    (is(path, "img") && header.is_file()).then_some(header)
}

fn read_any(input: &Input) -> Result<Contents, FileError> {
    let Input { bytes, path, read_file } = *input;
    match header_of(path) {
        Some(header) => read_pair(&read_file(&header)?, bytes, &header),
        None if is(path, "hdr") => read_pair(bytes, &read_file(&path.with_extension("img"))?, path),
        None => read(bytes, path),
    }
}
