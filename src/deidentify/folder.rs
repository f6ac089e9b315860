//! A whole folder: every file by its format, none that no reader knows.
//!
//! The new folder is written beside its place and renamed at the end, so that after an error there is none. The files are
//! read twice: first for all ids, which may stand in no name and no text that is kept.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Deidentifier;
use crate::base::FileError;
use crate::base::file::write_synced;
use recoup_formats::dicom::deidentify::Deidentification;

const REPORT: &str = "deidentified.json";

/// What was done with a folder; `deidentified.json` in the new one. Nothing in it tells what was before.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FolderReport {
    /// The files of the new folder, in the order of their old names.
    pub files: Vec<FileReport>,
    /// How many files were left out because no reader knows them.
    pub num_skipped: usize,
    /// Their old paths.
    #[serde(skip)]
    pub skipped: Vec<PathBuf>,
    /// How many patients there are.
    pub num_patients: usize,
}

/// What was done with a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileReport {
    /// New path below the new folder.
    pub file: String,
    /// Its format.
    pub format: &'static str,
    /// What was done.
    pub done: Vec<&'static str>,
}

/// De-identifies the files below `input` into the new or empty folder `output`. `mapping`, if given, becomes a CSV file
/// of patients and pseudonyms that its owner alone can read: it undoes the work, keep it apart.
///
/// Files that no reader knows are an error unless `skip_unknown`; they are never copied.
///
/// # Errors
/// [`FileError`] for what cannot be read or written, folders within each other, links, files without a patient, those of
/// the formats, and ids in what is kept. There is no new folder then.
pub fn deidentify_folder(
    input: &Path,
    output: &Path,
    deidentifier: &Deidentifier,
    skip_unknown: bool,
    mapping: Option<&Path>,
) -> Result<FolderReport, FileError> {
    check_places(input, output, mapping)?;
    let survey = deidentifier.survey(input)?;
    if !survey.unknown.is_empty() && !skip_unknown {
        let list: Vec<String> = survey
            .unknown
            .iter()
            .map(|(path, _)| path.display().to_string())
            .collect();
        let hint = "convert or remove them, or leave them out with --skip-unknown";
        let found = format!("{} files that no reader knows: {}", list.len(), list.join(", "));
        return Err(FileError::at(input)
            .place("files")
            .found(found)
            .expected("known formats only")
            .hint(hint));
    }
    let names = new_names(input, deidentifier, &survey)?;
    let parent = output
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let staging = tempfile::Builder::new().prefix(".deidentify-").tempdir_in(parent);
    let staging = staging.map_err(FileError::io(parent, "write to"))?;
    let mut report = FolderReport {
        num_skipped: survey.unknown.len(),
        skipped: survey.unknown.iter().map(|(path, _)| path.clone()).collect(),
        num_patients: survey.patients.len(),
        ..FolderReport::default()
    };
    for entry in &survey.entries {
        let converted = deidentifier.convert(input, entry, &survey, &names)?;
        let file = names.get(&entry.path).cloned().unwrap_or_default();
        write(&staging.path().join(&file), &converted.bytes)?;
        report.files.push(FileReport {
            file,
            format: converted.format,
            done: converted.done,
        });
    }
    let json = serde_json::to_vec_pretty(&report).map_err(|error| FileError::io(output, "write")(error.into()))?;
    write(&staging.path().join(REPORT), &json)?;
    if let Some(mapping) = mapping {
        let map = survey
            .patients
            .iter()
            .map(|patient| (patient.as_str(), deidentifier.pseudonym(patient)));
        write_mapping(mapping, map)?;
    }
    // An empty folder gives way.
    if let Err(error) = fs::rename(staging.path(), output) {
        if let Some(mapping) = mapping {
            let _ = fs::remove_file(mapping);
        }
        return Err(FileError::io(output, "put in place")(error));
    }
    // It is not there any more under its first name.
    let _ = staging.keep();
    Ok(report)
}

/// Neither folder within the other, the output new or empty, the mapping new and in neither.
fn check_places(input: &Path, output: &Path, mapping: Option<&Path>) -> Result<(), FileError> {
    let input = fs::canonicalize(input).map_err(FileError::io(input, "read"))?;
    let place = |path: &Path| {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let Some(name) = path.file_name() else {
            return Err(FileError::at(path)
                .place("path")
                .found("no name")
                .expected("the name of a new folder or file")
                .hint("choose another"));
        };
        Ok(fs::canonicalize(parent)
            .map_err(FileError::io(parent, "write to"))?
            .join(name))
    };
    let target = place(output)?;
    let refuse = |path: &Path, found: &str, expected: &str| {
        Err(FileError::at(path)
            .place("path")
            .found(found)
            .expected(expected)
            .hint("choose another place"))
    };
    if !input.is_dir() {
        return refuse(&input, "a file", "a folder");
    }
    if target.starts_with(&input) || input.starts_with(&target) {
        return refuse(output, "a folder in the other one", "two folders side by side");
    }
    match fs::symlink_metadata(output) {
        Ok(there) if !there.is_dir() => return refuse(output, "a file or link", "a new or empty folder"),
        Ok(_)
            if fs::read_dir(output)
                .map_err(FileError::io(output, "list"))?
                .next()
                .is_some() =>
        {
            return refuse(output, "a folder with files", "a new or empty folder");
        }
        _ => {}
    }
    if let Some(mapping) = mapping {
        let file = place(mapping)?;
        if file.starts_with(&input) || file.starts_with(&target) {
            return refuse(mapping, "a file in one of the folders", "a file apart from them");
        }
        if fs::symlink_metadata(mapping).is_ok() {
            return refuse(mapping, "a file that is there", "a new file");
        }
    }
    Ok(())
}

/// The new path of every file.
fn new_names(
    input: &Path,
    deidentifier: &Deidentifier,
    survey: &super::survey::Survey,
) -> Result<BTreeMap<String, String>, FileError> {
    let key = deidentifier.dicom_key();
    let how = Deidentification {
        key: &key,
        pseudonym: "",
        shift_days: None,
    };
    let mut names = BTreeMap::new();
    let mut taken = BTreeMap::from([(REPORT.to_string(), "the report")]);
    for entry in &survey.entries {
        let path = input.join(&entry.path);
        let name = deidentifier.renamed(survey, entry, |uid| how.uid(uid)).ok_or_else(|| {
            let hint = "rename it: dates in names are shifted by the patient's days, and this file has no patient";
            FileError::at(&path)
                .place("name")
                .found("a date")
                .expected("no date, or a patient")
                .hint(hint)
        })?;
        if taken.insert(name.to_lowercase(), &entry.path).is_some() {
            let hint = "rename one of the two";
            return Err(FileError::at(&path)
                .place("name")
                .found("the new name of another file")
                .expected("a name of its own")
                .hint(hint));
        }
        names.insert(entry.path.clone(), name);
    }
    Ok(names)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(FileError::io(folder, "create"))?;
    write_synced(path, bytes)
}

fn write_mapping<'a>(path: &Path, map: impl Iterator<Item = (&'a str, String)>) -> Result<(), FileError> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| FileError::io(path, "write")(std::io::Error::other(error));
    csv.write_record(["patient", "pseudonym"]).map_err(failed)?;
    for (patient, pseudonym) in map {
        csv.write_record([patient, &pseudonym]).map_err(failed)?;
    }
    let bytes = csv
        .into_inner()
        .map_err(|error| FileError::io(path, "write")(std::io::Error::other(error.to_string())))?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(FileError::io(path, "write"))?;
    let written = file.write_all(&bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written.map_err(FileError::io(path, "write"))
}
