//! The raw folder: its files, read and verified, and the tables among them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::base::hash::digest;
use crate::base::walk::{Skipped, walk};
use crate::dataset::card::{Card, ModalityRule};
use crate::dataset::error::DataError;
use recoup_formats::FileError;
use recoup_formats::delimited::{Decimal, DelimitedLayout, DelimitedRow, DelimitedTable, is_missing_code};
use recoup_formats::nearest::nearest;
use recoup_formats::parquet;

/// The raw folder of a dataset and its card.
pub(super) struct Source<'a> {
    pub(super) card: &'a Card,
    pub(super) raw_dir: &'a Path,
    /// All files, relative to the folder.
    pub(super) files: Vec<String>,
    /// Links and devices, which are not read.
    pub(super) skipped: Vec<Skipped>,
    declared: BTreeMap<String, Vec<String>>,
}

impl<'a> Source<'a> {
    pub(super) fn open(card: &'a Card, raw_dir: &'a Path) -> Result<Self, DataError> {
        let walk = walk(raw_dir, false)?;
        Ok(Self {
            card,
            raw_dir,
            files: walk.files,
            skipped: walk.skipped,
            declared: card.declared_hashes(raw_dir)?,
        })
    }

    /// The content of a file, which has one of the declared hashes.
    pub(super) fn read(&self, file: &str) -> Result<Vec<u8>, FileError> {
        let path = self.raw_dir.join(file);
        let bytes = std::fs::read(&path).map_err(FileError::io(&path, "read"))?;
        self.verify(file, || Ok(digest(&bytes)))?;
        Ok(bytes)
    }

    /// Checks the hash of a file against the declared ones, if the card declares some.
    pub(super) fn verify(
        &self,
        file: &str,
        digest: impl FnOnce() -> Result<String, FileError>,
    ) -> Result<(), FileError> {
        let Some(list) = &self.card.hashes else {
            return Ok(());
        };
        let error = FileError::at(&self.raw_dir.join(file));
        let Some(hashes) = self.declared.get(file) else {
            let found = format!("no line in {list}, or no pattern of `files` that matches");
            let error = error
                .place("hash")
                .found(found)
                .expected("one, because the card has `hashes`");
            return Err(error.hint("add the file to `files`, or its hash under [[accept]]"));
        };
        let found = digest()?;
        match hashes.contains(&found) {
            true => Ok(()),
            false => {
                let error = error.place("content").found(format!("sha256 {found}"));
                Err(error.expected(hashes.join(" or ")).hint(self.card.restore_hint(file)))
            }
        }
    }

    /// The rows of a table: of Parquet by its first bytes, otherwise of text.
    pub(super) fn table(&self, file: &str, layout: &DelimitedLayout) -> Result<DelimitedTable, DataError> {
        let (bytes, path) = (self.read(file)?, self.raw_dir.join(file));
        if !bytes.starts_with(b"PAR1") {
            return Ok(layout.table(&bytes, &path)?);
        }
        if layout.decimal == Decimal::Comma {
            let (found, expected) = ("Parquet, which holds numbers", "text with decimal commas");
            let hint = "take `decimal` out of the layout in the card";
            return Err(file_error(&path, "first bytes", found, expected, hint));
        }
        Ok(parquet::read(&bytes, &path)?)
    }

    /// A table that the card names; `place` is the table of the card that does.
    pub(super) fn existing_table(
        &self,
        place: &str,
        file: &str,
        layout: &DelimitedLayout,
    ) -> Result<DelimitedTable, DataError> {
        if !self.files.iter().any(|known| known == file) {
            let near = nearest(file, self.files.iter().map(String::as_str));
            let problem = format!("there is no file `{file}` below {}", self.raw_dir.display());
            let hint = near.map_or("correct its path".into(), |near| format!("did you mean `{near}`?"));
            return Err(self.card.error(format!("{place}.file"), problem, hint));
        }
        self.table(file, layout)
    }

    /// Error for a field that is not what the card promises.
    pub(super) fn field_error(
        &self,
        table: &DelimitedTable,
        row: DelimitedRow<'_>,
        column: &str,
        expected: String,
        layout: &DelimitedLayout,
    ) -> DataError {
        let index = table.columns.iter().position(|name| name == column);
        let field = index.map_or("", |index| row.field(index));
        let hint = if is_missing_code(field) {
            format!("if it stands for a missing value, write `missing = [\"{field}\"]` into the layout in the card")
        } else if layout.decimal == Decimal::Point
            && field.contains(',')
            && field.replacen(',', ".", 1).parse::<f32>().is_ok()
        {
            "if it is a number with a decimal comma, write `decimal = \",\"` into the layout in the card".into()
        } else {
            "correct the column's unit, categories or missing codes in the card".into()
        };
        let place = format!("line {}, column `{column}`", row.line());
        file_error(&table.file, place, format!("`{field}`"), expected, hint)
    }

    /// Error for a session without a file of a modality that all must have.
    pub(super) fn missing_file(&self, rule: &ModalityRule, whose: &str) -> DataError {
        let pattern = rule.pattern().unwrap_or_default();
        let problem = format!("no file matches `{pattern}` for {whose}");
        let hint = "add the file, correct the pattern, or write `optional = true` if sessions may lack this modality";
        self.card.error(format!("modality.{}.file", rule.name), problem, hint)
    }
}

/// A session in messages; one that is its subject's only one has the subject's id.
pub(super) fn whose(subject: &str, session: &str) -> String {
    match session == subject {
        true => format!("subject `{subject}`"),
        false => format!("subject `{subject}`, session `{session}`"),
    }
}

/// Error for a file whose content is not what its format, its own header or the card promise.
pub(super) fn file_error(
    file: &Path,
    place: impl Into<String>,
    found: impl Into<String>,
    expected: impl Into<String>,
    hint: impl Into<String>,
) -> DataError {
    let error = FileError::at(file).place(place.into()).found(found.into());
    error.expected(expected.into()).hint(hint.into()).into()
}
