//! Opening a prepared folder: every file is checked before anything is used.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::index::{FORMAT, INDEX, Index, SUMS, WARNINGS, damaged, times_file, values_file};
use crate::base::FileError;
use crate::base::hash::{digest, digest_file};
use crate::dataset::error::DataError;
use crate::dataset::subjects::ModalityKind;
use crate::dataset::warning::FileWarning;

/// Everything in a prepared folder.
pub(super) struct Folder {
    pub(super) index: Index,
    pub(super) tables: Vec<MappedTable>,
    /// Hash of the content: of the list of hashes, warnings left out.
    pub(super) hash: String,
    pub(super) warnings: Vec<FileWarning>,
}

/// The files of one modality.
pub(super) struct MappedTable {
    pub(super) values: Arc<Mapped>,
    pub(super) times_secs: Option<Arc<Mapped>>,
}

impl Folder {
    /// Opens a folder after checking the hash of every file, and that index and tables hold together.
    pub(super) fn open(dir: &Path) -> Result<Self, DataError> {
        let sums_path = dir.join(SUMS);
        let sums = std::fs::read_to_string(&sums_path).map_err(FileError::io(&sums_path, "read"))?;
        let listed = listed(&sums, &sums_path)?;
        for (file, expected) in &listed {
            let path = dir.join(file);
            let found = digest_file(&path)?;
            if found != *expected {
                let found = format!("sha256 {found}");
                return Err(damaged(&path, "content", found, (*expected).into()));
            }
        }
        Self::map(dir, &sums, &listed)
    }

    /// Maps the files of a folder whose hashes hold.
    fn map(dir: &Path, sums: &str, listed: &BTreeMap<&str, &str>) -> Result<Self, DataError> {
        let index_path = dir.join(INDEX);
        let index: Index = read_json(&index_path, &format!("an index of format {FORMAT}"))?;
        if index.format != FORMAT {
            return Err(damaged(
                &index_path,
                "format",
                index.format.to_string(),
                FORMAT.to_string(),
            ));
        }
        let contradicts = |(place, problem): (String, String)| {
            damaged(&index_path, place, problem, "an index that holds together".into())
        };
        index.check().map_err(contradicts)?;
        let take = |file: String, num_bytes: Option<usize>| {
            let path = dir.join(&file);
            if !listed.contains_key(file.as_str()) {
                return Err(damaged(
                    &dir.join(SUMS),
                    file,
                    "no such line".into(),
                    "the hash of this file".into(),
                ));
            }
            let mapped = Mapped::open(&path)?;
            match num_bytes {
                Some(num_bytes) if num_bytes == mapped.bytes().len() => Ok(Arc::new(mapped)),
                _ => {
                    let expected = num_bytes.map_or("fewer rows or columns".into(), |number| number.to_string());
                    Err(damaged(
                        &path,
                        "size",
                        format!("{} bytes", mapped.bytes().len()),
                        expected,
                    ))
                }
            }
        };
        let mut tables = Vec::new();
        for (modality, (spec, &num_rows)) in index.modalities.iter().zip(&index.num_rows).enumerate() {
            let values = take(values_file(modality), index.num_bytes(modality))?;
            let times_secs = match spec.kind {
                ModalityKind::Series => {
                    let times = take(times_file(modality), (num_rows as usize).checked_mul(size_of::<f64>()))?;
                    check_times(&index, modality, bytemuck::cast_slice(times.bytes())).map_err(contradicts)?;
                    Some(times)
                }
                _ => None,
            };
            tables.push(MappedTable { values, times_secs });
        }
        let warnings = match listed.contains_key(WARNINGS) {
            true => read_json(&dir.join(WARNINGS), "a list of warnings")?,
            false => Vec::new(),
        };
        Ok(Self {
            index,
            tables,
            hash: content_hash(sums),
            warnings,
        })
    }
}

/// File and hash of each line of `SHA256SUMS`; only files that a prepared folder has are opened.
fn listed<'s>(sums: &'s str, path: &Path) -> Result<BTreeMap<&'s str, &'s str>, DataError> {
    let mut listed = BTreeMap::new();
    for (number, line) in (1..).zip(sums.lines()) {
        let wrong = |expected: &str| damaged(path, format!("line {number}"), format!("`{line}`"), expected.into());
        let (hash, file) = line.split_once("  ").ok_or_else(|| wrong("`hash  file`"))?;
        let is_table = |name: &str| {
            let number = name.strip_suffix(".times.f64").or(name.strip_suffix(".f32"));
            number.is_some_and(|number| number.parse::<u16>().is_ok_and(|parsed| parsed.to_string() == number))
        };
        if !(file == INDEX || file == WARNINGS || is_table(file)) {
            return Err(wrong("a file of a prepared folder"));
        }
        if listed.insert(file, hash).is_some() {
            return Err(wrong("each file once"));
        }
    }
    match listed.contains_key(INDEX) {
        true => Ok(listed),
        false => Err(damaged(
            path,
            INDEX,
            "no such line".into(),
            "the hash of this file".into(),
        )),
    }
}

/// The hash of the content: of all lines but that of the warnings, which tell how files were read and not what is in them.
pub(super) fn content_hash(sums: &str) -> String {
    let is_content = |line: &&str| !line.trim_end().ends_with(WARNINGS);
    digest(
        sums.split_inclusive('\n')
            .filter(is_content)
            .collect::<String>()
            .as_bytes(),
    )
}

/// Times of a session ascend and are finite.
fn check_times(index: &Index, modality: usize, times: &[f64]) -> Result<(), (String, String)> {
    for subject in &index.subjects {
        for session in &subject.sessions {
            let Some(rows) = session.rows.get(modality) else {
                continue;
            };
            let (start, count) = (rows.start as usize, rows.count as usize);
            let own = times.get(start..start + count).unwrap_or_default();
            if !own.is_sorted() || !own.iter().all(|secs| secs.is_finite()) {
                let place = format!("subject `{}`, session `{}`", subject.id, session.id);
                return Err((place, "times that are not ascending and finite".into()));
            }
        }
    }
    Ok(())
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path, expected: &str) -> Result<T, DataError> {
    let bytes = std::fs::read(path).map_err(FileError::io(path, "read"))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        damaged(
            path,
            format!("line {}", error.line()),
            error.to_string(),
            expected.into(),
        )
    })
}

/// A read-only file in memory.
pub(super) struct Mapped(memmap2::Mmap);

impl Mapped {
    #[allow(unsafe_code)]
    fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(FileError::io(path, "read"))?;
        // SAFETY: a mapping is undefined when the file changes below it. Files of a prepared folder are written once,
        // under another name, and never opened for writing again: damaged folders are moved away, not changed.
        let map = unsafe { memmap2::Mmap::map(&file) };
        Ok(map.map(Self).map_err(FileError::io(path, "map"))?)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}
