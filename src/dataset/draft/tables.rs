//! Tables with one row per subject or session.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use super::content::sniff_table;
use super::words::is_person;
use crate::base::FileError;
use crate::base::text::spelling;
use crate::dataset::error::DataError;
use recoup_formats::delimited::is_missing_code;
use recoup_formats::sniff::Sniffed;

/// More words than these are free text.
const MAX_WORDS: usize = 12;
/// More tables with the same columns are no tables of visits.
const MAX_VISITS: usize = 24;

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
    /// Subjects without a row.
    pub(super) lacking: BTreeSet<String>,
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
        lacking: BTreeSet::new(),
    }))
}

/// Files with the same columns that are tables of the same subjects, one per visit; `None` for recordings.
pub(super) fn of_visits(raw: &Path, files: &[&str]) -> Result<Option<Vec<FoundTable>>, DataError> {
    if files.len() > MAX_VISITS {
        return Ok(None);
    }
    let mut tables = Vec::new();
    let mut subjects: Option<BTreeSet<String>> = None;
    for file in files {
        let Some(table) = read(raw, file)? else { return Ok(None) };
        // A counter of samples is in every recording, too.
        let is_id = |index: &usize| is_person(table.column(*index)) || table.sniffed.numbers(*index).is_none();
        let Some(ids) = table.all_differ().find(is_id).and_then(|index| table.values.get(index)) else {
            return Ok(None);
        };
        let known = subjects.get_or_insert_with(|| ids.clone());
        if 2 * known.intersection(ids).count() < known.len().min(ids.len()) {
            return Ok(None);
        }
        tables.push(table);
    }
    Ok(Some(tables))
}

impl FoundTable {
    /// Columns with another value in each row.
    fn all_differ(&self) -> impl Iterator<Item = usize> {
        (0..self.values.len()).filter(|&index| self.values[index].len() == self.sniffed.table.num_rows())
    }

    /// The columns that may hold ids: measurements are numbers, too.
    pub(super) fn id_columns(&self) -> impl Iterator<Item = &BTreeSet<String>> {
        self.may_be_ids().map(|index| &self.values[index])
    }

    fn may_be_ids(&self) -> impl DoubleEndedIterator<Item = usize> {
        let may_be =
            |index: &usize| *index == 0 || is_person(self.column(*index)) || self.sniffed.numbers(*index).is_none();
        (0..self.values.len()).filter(may_be)
    }

    /// The ids of the subjects where no file names any: the first column whose values are all different.
    pub(super) fn ids_alone(&self) -> BTreeSet<String> {
        self.all_differ()
            .next()
            .map(|index| self.values[index].clone())
            .unwrap_or_default()
    }

    /// Finds the columns of subjects and sessions: those with the names that the files have.
    pub(super) fn choose_columns(&mut self, subjects: &BTreeSet<String>, sessions: &BTreeSet<String>) {
        let known = |index: usize, names: &BTreeSet<String>| self.values[index].intersection(names).count();
        // The first of equals: `rev`, because `max_by_key` keeps the last.
        let best = self.may_be_ids().rev().max_by_key(|&index| known(index, subjects));
        let id = best.filter(|&index| known(index, subjects) > 0 && 2 * known(index, subjects) >= subjects.len());
        let num_subjects = id.map_or(0, |index| known(index, subjects));
        let repeats = id.map_or(0, |id| self.values[id].len()) < self.sniffed.table.num_rows();
        let columns = (0..self.values.len()).rev().filter(|index| Some(*index) != id);
        let best = columns.max_by_key(|&index| known(index, sessions));
        let session = best.filter(|&index| repeats && known(index, sessions) > 0);
        let lacking = id.map(|id| subjects.difference(&self.values[id]).cloned().collect());
        (self.id, self.session, self.num_subjects, self.lacking) =
            (id, session, num_subjects, lacking.unwrap_or_default());
    }

    /// A column with the subjects' ids in another spelling: its name, an id, and how the files have it.
    pub(super) fn spelled_otherwise(&self, subjects: &BTreeSet<String>) -> Option<(&str, String, String)> {
        let plain = |ids: &BTreeSet<String>| -> Vec<(String, String)> {
            ids.iter().map(|id| (spelling(id), id.clone())).collect()
        };
        let subjects = plain(subjects);
        (0..self.values.len()).find_map(|index| {
            let ids = plain(&self.values[index]);
            let twin = |(plain, id): &(String, String)| {
                let (_, other) = ids.iter().find(|(other, _)| other == plain)?;
                Some((self.column(index), other.clone(), id.clone()))
            };
            let twins: Vec<_> = subjects.iter().filter_map(twin).collect();
            twins.first().filter(|_| 2 * twins.len() >= subjects.len()).cloned()
        })
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

    /// Rows in which a column is empty or has a code for "missing".
    pub(super) fn num_missing(&self, column: &str) -> usize {
        let index = self.sniffed.table.columns.iter().position(|name| name == column);
        let fields = index.map(|index| {
            self.sniffed
                .column(index)
                .filter(|field| field.is_empty() || is_missing_code(field))
        });
        fields.map_or(0, Iterator::count)
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
