//! What a prepared folder holds beside its tables, and whether it holds together.

use std::path::Path;

use crate::dataset::error::DataError;
use crate::dataset::subjects::{ModalityKind, ModalitySpec, check_names, check_order};
use recoup_formats::FileError;

/// Version of `index.json` and of the tables.
pub(super) const FORMAT: u32 = 1;
pub(super) const INDEX: &str = "index.json";
pub(super) const SUMS: &str = "SHA256SUMS";
pub(super) const WARNINGS: &str = "warnings.json";

/// Rows `start..start + count` of one modality's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct RowRange {
    /// First row.
    pub start: u32,
    /// Number of rows; 0 (then `start` is 0 too) where there are none.
    pub count: u32,
}

/// A subject of a prepared cohort.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PreparedSubject {
    /// Id, unique in the cohort.
    pub id: String,
    /// Hospital or laboratory, where the dataset tells.
    pub site: Option<String>,
    /// What ties subjects together, such as a family or a therapist: a split never separates them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The subject's sessions.
    pub sessions: Vec<PreparedSession>,
}

/// A session of a prepared cohort.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PreparedSession {
    /// Id, unique in the subject.
    pub id: String,
    /// Index into the classes.
    pub class: u32,
    /// One range per modality; empty where the session lacks it.
    pub rows: Vec<RowRange>,
}

/// Written to `index.json`.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    pub(super) format: u32,
    pub(super) name: String,
    pub(super) classes: Vec<String>,
    pub(super) modalities: Vec<ModalitySpec>,
    pub(super) num_rows: Vec<u32>,
    pub(super) subjects: Vec<PreparedSubject>,
}

impl Index {
    /// Checks what the rest of the code takes for granted: names, classes, and that every range lies in its table.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        check_names(&self.classes, &self.modalities)?;
        check_order(self.subjects.iter().map(|subject| subject.id.as_str()))?;
        if self.num_rows.len() != self.modalities.len() {
            let problem = format!("{} numbers, expected {}", self.num_rows.len(), self.modalities.len());
            return Err(("num_rows".into(), problem));
        }
        for subject in &self.subjects {
            let mut ids = std::collections::BTreeSet::new();
            for session in &subject.sessions {
                let place = || format!("subject `{}`, session `{}`", subject.id, session.id);
                if !ids.insert(&session.id) {
                    return Err((place(), "this id is used twice".into()));
                }
                self.check_session(session).map_err(|problem| (place(), problem))?;
            }
            if subject.sessions.is_empty() {
                return Err((format!("subject `{}`", subject.id), "has no session".into()));
            }
        }
        Ok(())
    }

    fn check_session(&self, session: &PreparedSession) -> Result<(), String> {
        if session.class as usize >= self.classes.len() {
            return Err(format!(
                "class {}, expected less than {}",
                session.class,
                self.classes.len()
            ));
        }
        if session.rows.len() != self.modalities.len() {
            return Err(format!(
                "{} ranges, expected {}",
                session.rows.len(),
                self.modalities.len()
            ));
        }
        for ((spec, rows), &num_rows) in self.modalities.iter().zip(&session.rows).zip(&self.num_rows) {
            let fits = rows.start.checked_add(rows.count).is_some_and(|end| end <= num_rows);
            let is_one = rows.count <= 1 || spec.kind != ModalityKind::Row;
            if !fits || !is_one {
                let RowRange { start, count } = rows;
                return Err(format!(
                    "{count} rows from {start} on of `{}`, which has {num_rows}",
                    spec.name
                ));
            }
        }
        Ok(())
    }

    /// Bytes of the values of a modality; `None` where the number is none that a computer can hold.
    pub(super) fn num_bytes(&self, modality: usize) -> Option<usize> {
        let columns = self.modalities.get(modality)?.checked_columns()?;
        (*self.num_rows.get(modality)? as usize)
            .checked_mul(columns)?
            .checked_mul(size_of::<f32>())
    }
}

pub(super) fn values_file(modality: usize) -> String {
    format!("{modality}.f32")
}

pub(super) fn times_file(modality: usize) -> String {
    format!("{modality}.times.f64")
}

/// Error for a file of a prepared folder that is not what it was.
pub(super) fn damaged(file: &Path, place: impl Into<String>, found: String, expected: String) -> DataError {
    let hint = "remove this folder; it is built again from the dataset";
    FileError::at(file)
        .place(place.into())
        .found(found)
        .expected(expected)
        .hint(hint)
        .into()
}
