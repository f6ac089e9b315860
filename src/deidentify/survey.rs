//! What is in a folder: kinds of files, whose they are, and all ids.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::known::KnownIds;
use super::{Deidentifier, PatientFrom, is_distinctive};
use crate::base::FileError;
use crate::base::walk::{Skipped, Walk, walk};
use crate::dataset::card::{FilePattern, PathGroup, PathGroups};
use recoup_formats::delimited::DelimitedTable;
use recoup_formats::format::Input;
use recoup_formats::open::{MAX_INFLATED_BYTES, head, inflate, is_gzip};
use recoup_formats::registry::reader_of;
use recoup_formats::strip::Deidentify;
use recoup_formats::{Format, Part, detect};

/// One file that is known.
pub(super) struct Entry {
    /// Below the folder, with `/`.
    pub path: String,
    pub format: &'static Format,
    /// Whose file it is.
    pub patient: Option<String>,
    /// Where the pattern found the patient in the path.
    place: Option<std::ops::Range<usize>>,
    /// UIDs that names of DICOM files may hold.
    pub uids: Vec<String>,
}

#[derive(Default)]
pub(super) struct Survey {
    pub entries: Vec<Entry>,
    /// Files that no reader knows, with the reason.
    pub unknown: Vec<(PathBuf, String)>,
    /// Patients and other ids that may stand in no text.
    pub ids: KnownIds,
    /// Patients' names, that may stand in no name of a file.
    names: KnownIds,
    pub patients: BTreeSet<String>,
}

/// The bytes of a file, decompressed, and whether they were compressed.
pub(super) fn read(path: &Path) -> Result<(Vec<u8>, bool), FileError> {
    let bytes = std::fs::read(path).map_err(FileError::io(path, "read"))?;
    if is_gzip(&bytes) {
        Ok((inflate(&bytes, path, MAX_INFLATED_BYTES)?, true))
    } else {
        Ok((bytes, false))
    }
}

/// A table, and whether its first line has the names of its columns.
pub(super) fn table(format: &Format, bytes: &[u8], path: &Path) -> Result<(DelimitedTable, bool), FileError> {
    let contents = (format.read)(&Input {
        bytes,
        path,
        read_file: &|path| Ok(read(path)?.0),
    })?;
    let header = !contents
        .facts
        .iter()
        .any(|(name, value)| name == "header" && value == "none");
    let table = contents.parts.into_iter().find_map(|part| match part {
        Part::Table(table) => Some(table),
        _ => None,
    });
    let table = table.ok_or_else(|| {
        FileError::at(path)
            .place("text")
            .found("no table")
            .expected("a table")
            .hint("convert it to CSV")
    })?;
    Ok((table, header))
}

/// Files below a folder, hidden ones too. Links are refused: they lead elsewhere.
fn files_below(folder: &Path) -> Result<Vec<String>, FileError> {
    let Walk { files, skipped } = walk(folder, true)?;
    match skipped.into_iter().next() {
        None => Ok(files),
        Some(Skipped { path, .. }) => {
            let hint = "copy what it leads to into the folder, or remove it";
            let expected = "a file or folder";
            Err(FileError::at(&folder.join(path))
                .place("file")
                .found("a link or a device")
                .expected(expected)
                .hint(hint))
        }
    }
}

impl Deidentifier {
    pub(super) fn survey(&self, folder: &Path) -> Result<Survey, FileError> {
        let pattern = self.pattern()?;
        let files = files_below(folder)?;
        let mut survey = Survey::default();
        let mut homeless = Vec::new();
        for file in &files {
            let path = folder.join(file);
            let format = match reader_of(&head(&path)?, &path) {
                Ok(format) => format,
                Err(reason) => {
                    survey.unknown.push((path, reason.to_string()));
                    continue;
                }
            };
            let found = pattern.as_ref().and_then(|pattern| find(pattern, file));
            let place = found.clone();
            let named = found.and_then(|range| file.get(range).map(str::to_string));
            let mut entry = Entry {
                path: file.clone(),
                format,
                patient: named,
                place,
                uids: Vec::new(),
            };
            if let Err(reason) = self.identify(&path, &mut entry, &mut survey)? {
                survey.unknown.push((path, reason));
                continue;
            }
            let needs = match format.deidentify {
                Deidentify::ByFile(stripper) => stripper.needs_patient || self.rules.patient_from == PatientFrom::Path,
                // Whether a table has a column for it is seen when it is read.
                _ => false,
            };
            if needs && entry.patient.is_none() {
                homeless.push(file.clone());
            }
            if let Some(patient) = &entry.patient {
                survey.patients.insert(patient.clone());
            }
            survey.entries.push(entry);
        }
        let patients: Vec<String> = survey.patients.iter().cloned().collect();
        for patient in patients.iter().filter(|patient| is_distinctive(patient)) {
            survey.ids.add(patient, &self.pseudonym(patient));
        }
        match homeless.is_empty() {
            true => Ok(survey),
            false => Err(FileError::at(folder).place("files").found(format!("no patient for {}", homeless.join(", "))).expected("a patient for every file").hint("correct `pattern` of the rules; EDF, DICOM and C3D can name the patient: `patient_from = \"header\"`")),
        }
    }

    fn pattern(&self) -> Result<Option<Pattern>, FileError> {
        let (from, pattern) = (self.rules.patient_from, &self.rules.pattern);
        let refuse = |found: String, hint: &str| {
            Err(FileError::at(Path::new("rules"))
                .place("pattern")
                .found(found)
                .expected("a pattern with `{patient}`")
                .hint(hint))
        };
        let Some(text) = pattern.as_ref().filter(|_| from == PatientFrom::Path) else {
            return Ok(None);
        };
        let (start, below) = text
            .strip_suffix("/...")
            .map_or((text.as_str(), false), |start| (start, true));
        match FilePattern::parse(&start.replace("{patient}", "{subject}")) {
            Ok(files) if files.has(PathGroup::Subject) => Ok(Some((files, below.then(|| start.split('/').count())))),
            Ok(_) => refuse(format!("`{text}`"), "such as `{patient}/...` or `*/{patient}_*`"),
            Err((problem, hint)) => refuse(problem, &hint),
        }
    }

    /// Adds what the file itself tells about its patient, or says why the file must not be copied.
    fn identify(&self, path: &Path, entry: &mut Entry, survey: &mut Survey) -> Result<Result<(), String>, FileError> {
        let stripper = match entry.format.deidentify {
            Deidentify::Unknown => {
                let reason = format!("{}, which is not known to be free of names", entry.format.name);
                return Ok(Err(reason));
            }
            Deidentify::ByColumn => {
                self.identify_table(&table(entry.format, &read(path)?.0, path)?.0, survey);
                return Ok(Ok(()));
            }
            Deidentify::ByFile(stripper) => stripper,
        };
        let Some(identity) = stripper.identity else {
            return Ok(Ok(()));
        };
        let (bytes, _) = read(path)?;
        let identity = match identity(&bytes, path) {
            Ok(identity) => identity,
            // A file that is known by its name alone is not what its name says.
            Err(error) if detect(&head(path)?, path).is_err() => return Ok(Err(error.to_string())),
            Err(error) => return Err(error),
        };
        if identity.is_index {
            return Ok(Err("the index of a DICOM medium, which names its files".into()));
        }
        let id = identity.id;
        entry.uids = identity.uids;
        if identity.is_binding && !id.is_empty() && entry.patient.as_ref().is_some_and(|patient| *patient != id) {
            return Err(FileError::at(path)
                .place("patient in the header")
                .found("another patient than in the path")
                .expected("the same")
                .hint("rename the folders, or set `patient_from = \"header\"`: one patient has one pseudonym"));
        }
        let is_told = identity.is_binding || self.rules.patient_from == PatientFrom::Header;
        if is_told && entry.patient.is_none() && !id.is_empty() {
            entry.patient = Some(id.clone());
        }
        let pseudonym = self.pseudonym(entry.patient.as_deref().unwrap_or(&id));
        if is_distinctive(&id) {
            survey.ids.add(&id, &pseudonym);
        }
        let words = identity
            .names
            .iter()
            .flat_map(|name| name.split(|letter: char| !letter.is_alphanumeric()));
        for word in words.filter(|word| word.chars().count() >= 3 && word.chars().all(char::is_alphabetic)) {
            survey.names.add(word, &pseudonym);
        }
        Ok(Ok(()))
    }

    fn identify_table(&self, table: &DelimitedTable, survey: &mut Survey) {
        for id in self.table_ids(table) {
            survey.ids.add(id, &self.pseudonym(id));
        }
        if let Some(column) = self.patient_column(table) {
            let ids = table.rows().map(|row| row.field(column));
            let missing = &self.rules.missing;
            let present = ids.filter(|id| !id.is_empty() && !missing.iter().any(|code| code == id));
            survey.patients.extend(present.map(String::from));
        }
    }

    /// The path of a file in the new folder.
    pub(super) fn renamed(&self, survey: &Survey, entry: &Entry, uid: impl Fn(&str) -> String) -> Option<String> {
        let mut own = KnownIds::default();
        let pseudonym = entry.patient.as_ref().map(|patient| {
            let pseudonym = self.pseudonym(patient);
            own.add(patient, &pseudonym);
            pseudonym
        });
        let days = entry.patient.as_ref().map(|patient| self.shift_days(patient));
        let rename = |text: &str| {
            let text = entry
                .uids
                .iter()
                .fold(text.to_string(), |text, old| text.replace(old, &uid(old)));
            let text = survey.names.replaced(&survey.ids.replaced(&own.replaced(&text)));
            super::dates::shift_in_name(&text, days)
        };
        let path = match (&entry.place, pseudonym) {
            (Some(place), Some(pseudonym)) => {
                let (before, after) = (entry.path.get(..place.start)?, entry.path.get(place.end..)?);
                format!("{}{pseudonym}{}", rename(before)?, rename(after)?)
            }
            _ => rename(&entry.path)?,
        };
        // Tables are written as text.
        match (entry.format.deidentify, path.strip_suffix(".parquet")) {
            (Deidentify::ByColumn, Some(stem)) => Some(format!("{stem}.csv")),
            _ => Some(path),
        }
    }
}

/// A pattern, and the number of folders that it has if it fits whatever is below them.
type Pattern = (FilePattern, Option<usize>);

/// Where the patient stands in a path.
fn find((pattern, num_folders): &Pattern, path: &str) -> Option<std::ops::Range<usize>> {
    let end = match num_folders {
        Some(num_folders) => path.match_indices('/').nth(num_folders.checked_sub(1)?)?.0,
        None => path.len(),
    };
    let beginning = path.get(..end)?;
    let patient = pattern
        .matches(beginning, &PathGroups::default())?
        .get(PathGroup::Subject)?;
    // The text found is a part of the path.
    let start = (patient.as_ptr() as usize).checked_sub(path.as_ptr() as usize)?;
    Some(start..start + patient.len())
}
