//! Removing what identifies a person from a file: what each format offers for it.

use std::path::Path;

use crate::FileError;

/// How files of a format lose what identifies a person.
#[derive(Clone, Copy)]
pub enum Deidentify {
    /// The format does not say; its files cannot be de-identified.
    Unknown,
    /// A table: each column by a rule of its own.
    ByColumn,
    /// By the format's own functions.
    ByFile(Stripper),
}

/// Reader of what a file says about its patient.
pub type Identify = fn(&[u8], &Path) -> Result<Identity, FileError>;

/// What a format knows about the persons in its files.
#[derive(Clone, Copy)]
pub struct Stripper {
    /// Whether the new file holds the pseudonym or shifted dates, so that its patient must be known.
    pub needs_patient: bool,
    /// What the file itself says about its patient; none for formats that say nothing. An error for a file that belongs to a
    /// recording by its name alone, and is not what it seems.
    pub identity: Option<Identify>,
    /// The file without what identifies. The bytes are decompressed.
    pub strip: fn(&[u8], &Path, &StripOptions) -> Result<Stripped, FileError>,
}

/// What a file says about its patient.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The patient's id; empty where there is none.
    pub id: String,
    /// Whether the format demands that this is the patient: another one in the path is a contradiction.
    pub is_binding: bool,
    /// Names of the patient.
    pub names: Vec<String>,
    /// Identifiers that names of files may hold.
    pub uids: Vec<String>,
    /// Whether the file lists other files by names that are about to change.
    pub is_index: bool,
}

/// How the files of one patient are changed.
pub struct StripOptions<'a> {
    /// Secret of the cohort: equal UIDs become equal ones, and nobody without the key can tell from which.
    pub key: &'a [u8],
    /// Name of the patient in the new file: at most 64 letters, digits, `-` and `_`.
    pub pseudonym: &'a str,
    /// Days by which every date moves, one number for all files of a patient.
    pub shift_days: i64,
    /// Whether the patient's id stands in a text.
    pub names_patient: &'a dyn Fn(&str) -> bool,
    /// Whether texts of annotations stay.
    pub keep_annotations: bool,
    /// The new name of a file in the same folder; none for a file that is not there.
    pub new_name: &'a dyn Fn(&str) -> Option<String>,
    /// Reads a file beside this one, decompressed.
    pub read_file: &'a dyn Fn(&Path) -> Result<Vec<u8>, FileError>,
}

/// A new file and what was done.
#[derive(Debug, Clone)]
pub struct Stripped {
    /// The new file.
    pub bytes: Vec<u8>,
    /// What sort of file it is, for the report.
    pub sort: &'static str,
    /// What was done, for the report.
    pub done: Vec<&'static str>,
    /// Texts that were kept: whoever knows the patients' ids looks for them here.
    pub texts: Vec<Vec<u8>>,
}

/// For the report: what became of the texts of annotations.
pub(crate) fn annotations_done(kept: bool) -> &'static str {
    if kept {
        "texts of annotations kept"
    } else {
        "texts of annotations dropped"
    }
}

/// The error for a file whose `place` does not hold, so that it cannot be told what is in it.
pub(crate) fn damaged(path: &Path, place: &str) -> FileError {
    FileError::at(path)
        .place(place)
        .found("what does not hold")
        .expected("a whole file")
        .hint("the file is damaged; export it again, or leave it out")
}

/// A file that is copied where it holds nothing but numbers.
pub(crate) fn copied(bytes: &[u8], sort: &'static str) -> Stripped {
    Stripped {
        bytes: bytes.to_vec(),
        sort,
        done: vec!["copied"],
        texts: vec![bytes.to_vec()],
    }
}
