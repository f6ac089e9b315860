//! A table of text: all fields in one string, and where each ends.

use std::path::{Path, PathBuf};

use crate::nearest::did_you_mean;
use crate::{FileError, Warning};

/// Fields one behind the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) text: String,
    /// Where each field ends in the text; 32 bits, because there are many.
    pub(super) ends: Vec<u32>,
}

impl Fields {
    /// Ends the field that was pushed to the text.
    pub(super) fn end(&mut self) {
        // Readers refuse texts of 4 GiB before they come here.
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }

    /// A field without the spaces around it.
    pub(super) fn get(&self, index: usize) -> &str {
        self.raw(index).trim()
    }

    /// A field as it stands in the file.
    pub(super) fn raw(&self, index: usize) -> &str {
        let start = match index.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(u32::MAX),
            None => 0,
        };
        let end = self.ends.get(index).copied().unwrap_or(start);
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }
}

/// Lines of rows, where they do not follow each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lines(Vec<(u32, u32)>);

impl Lines {
    /// Notes the line of a row; rows come in order.
    pub(super) fn push(&mut self, row: usize, line: usize) {
        if self.line(row) != line {
            self.0.push((row as u32, line as u32));
        }
    }

    /// The line of a row.
    pub(super) fn line(&self, row: usize) -> usize {
        let next = self.0.partition_point(|&(first, _)| first as usize <= row);
        match next.checked_sub(1).and_then(|before| self.0.get(before)) {
            Some(&(first, line)) => line as usize + row - first as usize,
            None => row + 1,
        }
    }
}

/// A delimited file, cut into fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DelimitedTable {
    /// The file, for messages.
    pub file: PathBuf,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Units of the columns where the file has a row of them, otherwise none; empty for a column without one.
    pub units: Vec<String>,
    /// What was left out, joined or filled up on the way, with its lines.
    pub warnings: Vec<Warning>,
    pub(super) fields: Fields,
    pub(super) lines: Lines,
}

/// One row of a delimited file.
#[derive(Debug, Clone, Copy)]
pub struct DelimitedRow<'t> {
    table: &'t DelimitedTable,
    index: usize,
}

impl DelimitedTable {
    /// The number of rows below the header.
    pub fn num_rows(&self) -> usize {
        self.fields.ends.len() / self.columns.len().max(1)
    }

    /// A row by its index.
    pub fn row(&self, index: usize) -> Option<DelimitedRow<'_>> {
        (index < self.num_rows()).then_some(DelimitedRow { table: self, index })
    }

    /// The rows below the header.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = DelimitedRow<'_>> + Clone {
        (0..self.num_rows()).map(|index| DelimitedRow { table: self, index })
    }

    /// Index of a column; `key` is the card's key that asks for it, for the message.
    ///
    /// # Errors
    /// [`FileError`] when no column or more than one has this name.
    pub fn column(&self, name: &str, key: &str) -> Result<usize, FileError> {
        let wrong = |found: String, hint: String| {
            FileError::at(&self.file)
                .place("header")
                .found(found)
                .expected(format!("one column `{name}` (`{key}` in the card)"))
                .hint(hint)
        };
        let mut fitting = self.columns.iter().enumerate().filter(|(_, column)| *column == name);
        match (fitting.next(), fitting.next()) {
            (Some((index, _)), None) => Ok(index),
            (Some(_), Some(_)) => {
                let hint = "name the columns yourself: `header = [...]` and `skip_lines = 1` in the card's layout";
                Err(wrong("it twice".into(), hint.into()))
            }
            (None, _) if self.columns.len() == 1 => {
                let hint = "the header is a single field; check `separator` in the card's layout";
                Err(wrong(format!("`{}`", self.columns.concat()), hint.into()))
            }
            (None, _) => {
                let hint = did_you_mean(name, self.columns.iter().map(String::as_str), |name| {
                    format!("`{name}`")
                });
                Err(wrong(list(&self.columns), hint))
            }
        }
    }
}

impl<'t> DelimitedRow<'t> {
    /// Line of its first field, counted from 1.
    pub fn line(self) -> usize {
        self.table.lines.line(self.index)
    }

    /// A field by its column's index, without the spaces around it; empty outside the row.
    pub fn field(self, column: usize) -> &'t str {
        let num_columns = self.table.columns.len();
        if column >= num_columns {
            return "";
        }
        self.table.fields.get(self.index * num_columns + column)
    }

    /// The fields, one per column.
    pub fn fields(self) -> impl Iterator<Item = &'t str> {
        (0..self.table.columns.len()).map(move |column| self.field(column))
    }
}

/// Some of many names.
pub(super) fn list(names: &[String]) -> String {
    const MAX_NAMES: usize = 12;
    let shown: Vec<_> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
    match names.len().saturating_sub(MAX_NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A table that grows row by row, for readers of other formats.
#[derive(Debug)]
pub struct TableWriter(DelimitedTable);

impl TableWriter {
    /// A table without rows; `file` is for messages.
    pub fn new(file: &Path, columns: Vec<String>) -> Self {
        Self(DelimitedTable {
            file: file.to_path_buf(),
            columns,
            ..DelimitedTable::default()
        })
    }

    /// Adds the next field, row after row; `None` if the table has 4 GiB of text.
    pub fn push(&mut self, field: &str) -> Option<()> {
        let fields = &mut self.0.fields;
        u32::try_from(fields.text.len() + field.len()).ok()?;
        fields.text.push_str(field);
        fields.end();
        Some(())
    }

    /// The table; its rows have their numbers, from 1, for lines.
    pub fn finish(self) -> DelimitedTable {
        self.0
    }
}
