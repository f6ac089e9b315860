//! Tables with one row per subject or session.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use super::content::sniff_table;
use crate::base::FileError;
use crate::dataset::error::DataError;
use recoup_formats::delimited::is_missing_code;
use recoup_formats::sniff::Sniffed;

/// More words than these are free text.
const MAX_WORDS: usize = 12;

/// A text file that may hold a row per subject.
pub(super) struct FoundTable {
    pub(super) file: String,
    pub(super) sniffed: Sniffed,
    /// Distinct values of each column.
    pub(super) values: Vec<BTreeSet<String>>,
    /// Column of the subjects' ids.
    pub(super) id: Option<usize>,
    /// Column of the sessions' ids.
    pub(super) session: Option<usize>,
    pub(super) num_subjects: usize,
    pub(super) covers_all: bool,
}

/// What a column may be used for.
pub(super) enum Use {
    /// Numbers.
    Numbers,
    /// A few words.
    Words(BTreeSet<String>),
    /// One value, free text, or nothing.
    Nothing,
}

pub(super) fn read(raw: &Path, file: &str) -> Result<Option<FoundTable>, DataError> {
    let path = raw.join(file);
    let bytes = std::fs::read(&path).map_err(FileError::io(&path, "read"))?;
    let Some(sniffed) = sniff_table(&bytes, &path).filter(|sniffed| sniffed.table.num_rows() > 1) else {
        return Ok(None);
    };
    let values = (0..sniffed.table.columns.len())
        .map(|index| {
            sniffed
                .column(index)
                .filter(|field| !field.is_empty())
                .map(String::from)
                .collect()
        })
        .collect();
    let file = file.to_string();
    Ok(Some(FoundTable {
        file,
        sniffed,
        values,
        id: None,
        session: None,
        num_subjects: 0,
        covers_all: false,
    }))
}

impl FoundTable {
    /// Finds the columns of subjects and sessions: those with the names that the files have, or without files the
    /// first column whose values are all different.
    pub(super) fn choose_columns(&mut self, subjects: &BTreeSet<String>, sessions: &BTreeSet<String>) {
        let known = |index: usize, names: &BTreeSet<String>| {
            self.values
                .get(index)
                .map_or(0, |values| values.intersection(names).count())
        };
        let columns = 0..self.values.len();
        if subjects.is_empty() {
            let all_differ =
                |index: &usize| self.values.get(*index).map_or(0, BTreeSet::len) == self.sniffed.table.num_rows();
            self.id = columns.clone().find(all_differ);
            self.num_subjects = self.id.map_or(0, |_| self.sniffed.table.num_rows());
            self.covers_all = true;
            return;
        }
        // The first of equals: `rev`, because `max_by_key` keeps the last.
        let best = columns.clone().rev().max_by_key(|&index| known(index, subjects));
        self.id = best.filter(|&index| 2 * known(index, subjects) >= subjects.len());
        self.num_subjects = self.id.map_or(0, |index| known(index, subjects));
        self.covers_all = self.num_subjects == subjects.len();
        let repeats =
            self.id.and_then(|id| self.values.get(id)).map_or(0, BTreeSet::len) < self.sniffed.table.num_rows();
        let best = columns
            .rev()
            .filter(|index| Some(*index) != self.id)
            .max_by_key(|&index| known(index, sessions));
        self.session = best.filter(|&index| repeats && known(index, sessions) > 0);
    }

    /// Whether a subject has several rows that no column of sessions tells apart.
    pub(super) fn is_ambiguous(&self) -> bool {
        let keys: BTreeSet<(&str, &str)> = self
            .sniffed
            .table
            .rows()
            .map(|row| {
                (
                    self.id.map_or("", |id| row.field(id)),
                    self.session.map_or("", |session| row.field(session)),
                )
            })
            .collect();
        keys.len() < self.sniffed.table.num_rows()
    }

    pub(super) fn column(&self, index: usize) -> &str {
        self.sniffed.table.columns.get(index).map_or("", String::as_str)
    }

    /// What a column may be used for.
    pub(super) fn use_of(&self, index: usize) -> Use {
        if Some(index) == self.id || Some(index) == self.session {
            return Use::Nothing;
        }
        let mut words = self.values.get(index).cloned().unwrap_or_default();
        words.retain(|word| !is_missing_code(word));
        match (self.sniffed.numbers(index), words.len()) {
            (_, 0 | 1) => Use::Nothing,
            (Some(_), _) => Use::Numbers,
            (None, count) if count <= MAX_WORDS && 2 * count <= self.sniffed.table.num_rows() => Use::Words(words),
            (None, _) => Use::Nothing,
        }
    }
}

impl fmt::Display for FoundTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.sniffed.table.num_rows();
        write!(
            f,
            "`{}` is a table of {rows} rows ({})",
            self.file,
            self.sniffed.table.columns.join(", ")
        )?;
        match (self.id, self.session) {
            (Some(id), Some(session)) => {
                write!(
                    f,
                    "; guess: one per session, by `{}` and `{}`",
                    self.column(id),
                    self.column(session)
                )
            }
            (Some(id), None) => write!(f, "; guess: one per subject, by `{}`", self.column(id)),
            (None, _) => Ok(()),
        }
    }
}
