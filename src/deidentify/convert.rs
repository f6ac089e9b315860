//! One file after the other, as its format says.

use std::collections::BTreeMap;
use std::path::Path;

use super::known::KnownIds;
use super::survey::{Entry, Survey, read, table};
use super::{AnnotationRule, Deidentifier, is_distinctive};
use crate::base::FileError;
use recoup_formats::strip::{Deidentify, StripOptions, Stripped, Stripper};

/// A file of the new folder, and what was done.
pub(super) struct Converted {
    pub bytes: Vec<u8>,
    pub format: &'static str,
    pub done: Vec<&'static str>,
}

impl Deidentifier {
    /// The file without what identifies; `names` are the new paths of all files.
    pub(super) fn convert(
        &self,
        folder: &Path,
        entry: &Entry,
        survey: &Survey,
        names: &BTreeMap<String, String>,
    ) -> Result<Converted, FileError> {
        let path = folder.join(&entry.path);
        let (bytes, zipped) = read(&path)?;
        let mut converted = match entry.format.deidentify {
            Deidentify::ByFile(stripper) => {
                let stripped = self.strip(stripper, &bytes, &path, entry, names)?;
                check_texts(&stripped.texts, survey, &path)?;
                Converted {
                    bytes: stripped.bytes,
                    format: stripped.sort,
                    done: stripped.done,
                }
            }
            Deidentify::ByColumn | Deidentify::Unknown => {
                let (table, has_header) = table(entry.format, &bytes, &path)?;
                Converted {
                    bytes: self.table_among(&table, entry.patient.as_deref(), has_header, &survey.ids)?,
                    format: entry.format.name,
                    done: vec!["columns by the rules", "comments and lines before the table dropped"],
                }
            }
        };
        if zipped {
            converted.bytes = zip(&converted.bytes).map_err(FileError::io(&path, "compress"))?;
        }
        Ok(converted)
    }

    fn strip(
        &self,
        stripper: Stripper,
        bytes: &[u8],
        path: &Path,
        entry: &Entry,
        names: &BTreeMap<String, String>,
    ) -> Result<Stripped, FileError> {
        let patient = entry.patient.as_deref().unwrap_or_default();
        let folder = entry
            .path
            .rfind('/')
            .map_or("", |at| entry.path.get(..=at).unwrap_or_default());
        let new_name = |file: &str| {
            let new = names.get(&format!("{folder}{file}"))?;
            new.rsplit('/').next().map(String::from)
        };
        let mut own = KnownIds::default();
        own.add(patient, "");
        let options = StripOptions {
            key: &self.dicom_key(),
            pseudonym: &self.pseudonym(patient),
            shift_days: self.shift_days(patient),
            names_patient: &|text| own.stands_in(text) || (is_distinctive(patient) && text.contains(patient)),
            keep_annotations: self.rules.annotations == AnnotationRule::Keep,
            new_name: &new_name,
            read_file: &|path| Ok(read(path)?.0),
        };
        (stripper.strip)(bytes, path, &options)
    }

    pub(super) fn dicom_key(&self) -> [u8; 32] {
        self.digest("dicom", "")
    }
}

/// Texts that are kept hold no id.
fn check_texts(texts: &[Vec<u8>], survey: &Survey, path: &Path) -> Result<(), FileError> {
    let has_id = |text: &Vec<u8>| survey.ids.stands_in(&String::from_utf8_lossy(text));
    match texts.iter().any(has_id) {
        false => Ok(()),
        true => Err(FileError::at(path)
            .place("what is kept")
            .found("the id of a patient")
            .expected("none")
            .hint("remove it from names of signals and marks, or drop annotations")),
    }
}

fn zip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}
