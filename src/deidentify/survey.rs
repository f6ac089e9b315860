//! What is in a folder: kinds of files, whose they are, and all ids.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::known::KnownIds;
use super::{Deidentifier, PatientFrom, annotations, is_distinctive};
use crate::base::error::DataError;
use crate::base::walk::{Skipped, Walk, walk};
use crate::dataset::card::{FilePattern, PathGroup, PathGroups};
use recoup_formats::delimited::DelimitedTable;
use recoup_formats::open::{head_of, inflate, is_gzip, open_with};
use recoup_formats::{Format, Part, c3d, detect, dicom, parquet, wfdb};

/// The most that a compressed file may hold.
const MAX_INFLATED_BYTES: u64 = 8 << 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File(Format),
    WfdbSignal,
    WfdbAnnotations,
    /// The values of a NIfTI pair.
    NiftiData,
}

/// One file that is known.
pub(super) struct Entry {
    /// Below the folder, with `/`.
    pub path: String,
    pub kind: Kind,
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

pub(super) fn wrong(file: &Path, place: &str, found: String, expected: &str, hint: &str) -> DataError {
    DataError::File {
        file: file.to_path_buf(),
        place: place.into(),
        found,
        expected: expected.into(),
        hint: hint.into(),
    }
}

/// The bytes of a file, decompressed, and whether they were compressed.
pub(super) fn read(path: &Path) -> Result<(Vec<u8>, bool), DataError> {
    let bytes = std::fs::read(path).map_err(DataError::io(path, "read"))?;
    if is_gzip(&bytes) {
        Ok((inflate(&bytes, path, MAX_INFLATED_BYTES)?, true))
    } else {
        Ok((bytes, false))
    }
}

/// A table, and whether its first line has the names of its columns.
pub(super) fn table(format: Format, bytes: &[u8], path: &Path) -> Result<(DelimitedTable, bool), DataError> {
    if format == Format::Parquet {
        return Ok((parquet::read(bytes, path)?, true));
    }
    let contents = open_with(path, &|_| Ok(bytes.to_vec()))?;
    let header = !contents
        .facts
        .iter()
        .any(|(name, value)| name == "header" && value == "none");
    let table = contents.parts.into_iter().find_map(|part| match part {
        Part::Table(table) => Some(table),
        _ => None,
    });
    let table = table.ok_or_else(|| wrong(path, "text", "no table".into(), "a table", "convert it to CSV"))?;
    Ok((table, header))
}

/// Files below a folder, hidden ones too. Links are refused: they lead elsewhere.
fn files_below(folder: &Path) -> Result<Vec<String>, DataError> {
    let Walk { files, skipped } = walk(folder, true)?;
    match skipped.into_iter().next() {
        None => Ok(files),
        Some(Skipped { path, .. }) => {
            let hint = "copy what it leads to into the folder, or remove it";
            let expected = "a file or folder";
            Err(wrong(
                &folder.join(path),
                "file",
                "a link or a device".into(),
                expected,
                hint,
            ))
        }
    }
}

impl Deidentifier {
    pub(super) fn survey(&self, folder: &Path) -> Result<Survey, DataError> {
        let pattern = self.pattern()?;
        let files = files_below(folder)?;
        let mut survey = Survey::default();
        let mut kinds: BTreeMap<&String, Result<Format, String>> = BTreeMap::new();
        let (mut signals, mut headers) = (BTreeSet::new(), BTreeSet::new());
        for file in &files {
            let path = folder.join(file);
            let head = head(&path)?;
            let found = detect(&head, &path);
            if file.ends_with(".hea") && matches!(found, Ok(Format::Wfdb)) {
                signals.extend(wfdb::signal_files(&read(&path)?.0, &path));
                headers.insert(path);
            }
            kinds.insert(file, found.map_err(|error| error.to_string()));
        }
        let mut homeless = Vec::new();
        for file in &files {
            let path = folder.join(file);
            let kind = match kinds.get(file) {
                _ if signals.contains(&path) => Kind::WfdbSignal,
                Some(Ok(format)) => Kind::File(*format),
                _ if headers.contains(&path.with_extension("hea")) && is_annotations(&path)? => Kind::WfdbAnnotations,
                _ if path.extension().is_some_and(|extension| extension == "img")
                    && file
                        .strip_suffix(".img")
                        .and_then(|stem| kinds.get(&format!("{stem}.hdr")))
                        .is_some_and(|found| *found == Ok(Format::Nifti)) =>
                {
                    Kind::NiftiData
                }
                Some(Err(reason)) => {
                    survey.unknown.push((path, reason.clone()));
                    continue;
                }
                None => continue,
            };
            let found = pattern.as_ref().and_then(|pattern| find(pattern, file));
            let place = found.clone();
            let named = found.and_then(|range| file.get(range).map(str::to_string));
            let mut entry = Entry {
                path: file.clone(),
                kind,
                patient: named,
                place,
                uids: Vec::new(),
            };
            if !self.identify(&path, &mut entry, &mut survey)? {
                survey
                    .unknown
                    .push((path, "the index of a DICOM medium, which names its files".into()));
                continue;
            }
            let needs = match kind {
                Kind::File(Format::Dicom | Format::Edf | Format::Wfdb) => true,
                // Whether a table has a column for it is seen when it is read.
                Kind::File(Format::Delimited | Format::Parquet) => false,
                _ => self.rules.patient_from == PatientFrom::Path,
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
            false => Err(wrong(
                folder,
                "files",
                format!("no patient for {}", homeless.join(", ")),
                "a patient for every file",
                "correct `pattern` of the rules; EDF, DICOM and C3D can name the patient: `patient_from = \"header\"`",
            )),
        }
    }

    fn pattern(&self) -> Result<Option<Pattern>, DataError> {
        let (from, pattern) = (self.rules.patient_from, &self.rules.pattern);
        let refuse = |found: String, hint: &str| {
            Err(wrong(
                Path::new("rules"),
                "pattern",
                found,
                "a pattern with `{patient}`",
                hint,
            ))
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

    /// Adds what the file itself tells about its patient. False for a file that must not be copied.
    fn identify(&self, path: &Path, entry: &mut Entry, survey: &mut Survey) -> Result<bool, DataError> {
        let by_header = self.rules.patient_from == PatientFrom::Header;
        let (mut id, mut names) = (String::new(), Vec::<String>::new());
        match entry.kind {
            Kind::File(format @ (Format::Delimited | Format::Parquet)) => {
                let (table, _) = table(format, &read(path)?.0, path)?;
                for id in self.table_ids(&table) {
                    survey.ids.add(id, &self.pseudonym(id));
                }
                if let Some(column) = self.patient_column(&table) {
                    let ids = table.rows().map(|row| row.field(column));
                    let missing = &self.rules.missing;
                    let present = ids.filter(|id| !id.is_empty() && !missing.iter().any(|code| code == id));
                    survey.patients.extend(present.map(String::from));
                }
            }
            Kind::File(Format::Dicom) => {
                let identity = dicom::deidentify::identity(&read(path)?.0, path)?;
                if identity.is_directory {
                    return Ok(false);
                }
                (id, entry.uids) = (identity.patient_id, identity.uids);
                names.push(identity.patient_name);
                let differs = entry
                    .patient
                    .as_ref()
                    .is_some_and(|patient| !id.is_empty() && *patient != id);
                if differs {
                    let hint = "rename the folders, or set `patient_from = \"header\"`: one patient has one pseudonym";
                    return Err(wrong(
                        path,
                        "PatientID",
                        "another patient than in the path".into(),
                        "the same",
                        hint,
                    ));
                }
                if entry.patient.is_none() && !id.is_empty() {
                    entry.patient = Some(id.clone());
                }
            }
            Kind::File(Format::Edf) => {
                let (bytes, _) = read(path)?;
                let field = String::from_utf8_lossy(bytes.get(8..88).unwrap_or_default())
                    .trim()
                    .to_string();
                let mut fields = field.split_whitespace();
                id = fields
                    .next()
                    .filter(|code| *code != "X")
                    .unwrap_or_default()
                    .to_string();
                let rest: Vec<&str> = fields.collect();
                let is_plus = matches!(bytes.get(192..196), Some(b"EDF+" | b"BDF+"));
                names.extend(
                    rest.iter()
                        .skip(if is_plus { 2 } else { 0 })
                        .map(|name| name.to_string()),
                );
            }
            Kind::File(Format::C3d) => {
                names = c3d::deidentify::subjects(&read(path)?.0, path)?;
                id = names.first().cloned().unwrap_or_default();
            }
            _ => {}
        }
        if by_header && entry.patient.is_none() && !id.is_empty() {
            entry.patient = Some(id.clone());
        }
        let pseudonym = self.pseudonym(entry.patient.as_deref().unwrap_or(&id));
        if is_distinctive(&id) {
            survey.ids.add(&id, &pseudonym);
        }
        let words = names
            .iter()
            .flat_map(|name| name.split(|letter: char| !letter.is_alphanumeric()));
        for word in words.filter(|word| word.chars().count() >= 3 && word.chars().all(char::is_alphabetic)) {
            survey.names.add(word, &pseudonym);
        }
        Ok(true)
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
        match entry.kind {
            Kind::File(Format::Parquet) => Some(
                path.strip_suffix(".parquet")
                    .map(|stem| format!("{stem}.csv"))
                    .unwrap_or(path),
            ),
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

fn head(path: &Path) -> Result<Vec<u8>, DataError> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(DataError::io(path, "read"))?;
    file.take(16 << 10)
        .read_to_end(&mut bytes)
        .map_err(DataError::io(path, "read"))?;
    Ok(head_of(&bytes))
}

fn is_annotations(path: &Path) -> Result<bool, DataError> {
    let (bytes, _) = read(path)?;
    let whole = wfdb::read_annotations(&bytes, path).is_ok_and(|found| found.warnings.is_empty());
    Ok(whole && annotations::drop_notes(&bytes).is_some())
}
