//! The raw folder: its files, read and verified, and the tables among them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Tables;
use super::visits::{Outcomes, VisitRows};
use crate::base::FileError;
use crate::base::hash::digest;
use crate::base::text::spelling;
use crate::base::walk::walk;
use crate::dataset::card::{Card, LabelRule, ModalityRule};
use crate::dataset::error::DataError;
use recoup_formats::delimited::{DelimitedLayout, DelimitedRow, DelimitedTable};
use recoup_formats::nearest::nearest;
use recoup_formats::parquet;

pub(super) struct Source<'a> {
    pub(super) card: &'a Card,
    pub(super) raw_dir: &'a Path,
    /// All files, relative to the folder.
    pub(super) files: Vec<String>,
    declared: BTreeMap<String, Vec<String>>,
}

impl<'a> Source<'a> {
    pub(super) fn open(card: &'a Card, raw_dir: &'a Path) -> Result<Self, DataError> {
        Ok(Self {
            card,
            raw_dir,
            files: walk(raw_dir, false)?.files,
            declared: card.declared_hashes(raw_dir)?,
        })
    }

    /// The content of a file, which has one of the declared hashes.
    pub(super) fn read(&self, file: &str) -> Result<Vec<u8>, FileError> {
        let path = self.raw_dir.join(file);
        let bytes = std::fs::read(&path).map_err(FileError::io(&path, "read"))?;
        let Some(list) = &self.card.hashes else {
            return Ok(bytes);
        };
        let Some(hashes) = self.declared.get(file) else {
            return Err(FileError::at(&self.card.path)
                .place("files")
                .found(format!("no pattern with a line in {list} that matches `{file}`"))
                .expected("one, because the file is read")
                .hint("add it to `files`, or its hash under [[accept]]"));
        };
        let found = digest(&bytes);
        match hashes.contains(&found) {
            true => Ok(bytes),
            false => Err(FileError::at(&path)
                .place("content")
                .found(format!("sha256 {found}"))
                .expected(hashes.join(" or "))
                .hint(self.card.restore_hint(file))
                .into()),
        }
    }

    /// The rows of a table: of Parquet by its first bytes, otherwise of text.
    pub(super) fn table(&self, file: &str, layout: &DelimitedLayout) -> Result<DelimitedTable, DataError> {
        let (bytes, path) = (self.read(file)?, self.raw_dir.join(file));
        if !bytes.starts_with(b"PAR1") {
            return Ok(layout.table(&bytes, &path)?);
        }
        if layout.decimal_comma {
            return Err(FileError::at(&path)
                .place("first bytes")
                .found("Parquet, which holds numbers")
                .expected("text with decimal commas")
                .hint(format!(
                    "take `decimal_comma` out of the layout in {}",
                    self.card.path.display()
                ))
                .into());
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

    /// Reads the tables of all subjects.
    pub(super) fn tables(&self) -> Result<Tables, DataError> {
        let card = match &self.card.table {
            Some(rule) => {
                let keys = Keys {
                    place: "table",
                    file: &rule.file,
                    id: &rule.id,
                    session: rule.session.as_deref(),
                };
                Some(self.subject_table(keys, &rule.layout)?)
            }
            None => None,
        };
        let (mut modalities, mut visits) = (Vec::new(), Vec::new());
        for rule in &self.card.modalities {
            visits.push(match rule {
                ModalityRule::Visits(rule) => Some(VisitRows::read(self, rule)?),
                _ => None,
            });
            modalities.push(match rule {
                ModalityRule::Table(rule) => {
                    let place = format!("modality.{}", rule.name);
                    let session = rule.session.as_deref();
                    let keys = Keys {
                        place: &place,
                        file: &rule.file,
                        id: &rule.id,
                        session,
                    };
                    Some(self.subject_table(keys, &rule.layout)?)
                }
                _ => None,
            });
        }
        let outcomes = match &self.card.label {
            LabelRule::Responder(rule) => Some(Outcomes::read(self, rule)?),
            _ => None,
        };
        Ok(Tables {
            card,
            modalities,
            visits,
            outcomes,
        })
    }

    fn subject_table(&self, keys: Keys, layout: &DelimitedLayout) -> Result<SubjectTable, DataError> {
        let Keys {
            place,
            file,
            id,
            session,
        } = keys;
        let table = self.existing_table(place, file, layout)?;
        let id_column = table.column(id, &format!("{place}.id"))?;
        let session_column = session
            .map(|name| table.column(name, &format!("{place}.session")))
            .transpose()?;
        let mut rows = BTreeMap::<(String, Option<String>), usize>::new();
        let mut keys = Vec::new();
        for (index, row) in table.rows.iter().enumerate() {
            let session = session_column.map(|column| row.field(column).to_string());
            let subject = row.field(id_column).to_string();
            let whose = match &session {
                Some(session) => format!("a second row for subject `{subject}`, session `{session}`"),
                None => format!("a second row for subject `{subject}`"),
            };
            keys.push((subject, session));
            let first = keys.last().and_then(|key| rows.insert(key.clone(), index));
            if let Some(first) = first {
                let first = table.rows.get(first).map_or(0, |row| row.line);
                let hint = match session_column {
                    Some(_) => "remove one of the two rows",
                    None => "remove one of the two rows, or name the column that tells the sessions apart: `session`",
                };
                return Err(FileError::at(&table.file)
                    .place(format!("line {}", row.line))
                    .found(whose)
                    .expected(format!("one, and line {first} is it"))
                    .hint(hint)
                    .into());
            }
        }
        let id = id.to_string();
        Ok(SubjectTable {
            file: file.to_string(),
            id,
            layout: layout.clone(),
            table,
            by_session: session.is_some(),
            keys,
            rows,
        })
    }

    /// Of a field that is not what the card promises.
    pub(super) fn field_error(
        &self,
        table: &DelimitedTable,
        row: &DelimitedRow,
        column: &str,
        expected: String,
        layout: &DelimitedLayout,
    ) -> DataError {
        let index = table.columns.iter().position(|name| name == column);
        let field = index.map_or("", |index| row.field(index));
        let card = self.card.path.display();
        let hint = if MISSING_CODES.iter().any(|code| code.eq_ignore_ascii_case(field)) {
            format!("if it stands for a missing value, write `missing = [\"{field}\"]` into the layout in {card}")
        } else if !layout.decimal_comma && field.contains(',') && field.replacen(',', ".", 1).parse::<f32>().is_ok() {
            format!("if it is a number with a decimal comma, write `decimal_comma = true` into the layout in {card}")
        } else {
            format!("correct the column's unit, categories or missing codes in {card}")
        };
        FileError::at(&table.file)
            .place(format!("line {}, column `{column}`", row.line))
            .found(format!("`{field}`"))
            .expected(expected)
            .hint(hint)
            .into()
    }

    /// Of a session without a file of a modality that all must have.
    pub(super) fn missing_file(&self, rule: &ModalityRule, whose: &str) -> DataError {
        let (key, pattern) = rule.pattern().unwrap_or_default();
        let problem = format!("no file matches `{pattern}` for {whose}");
        let hint = "add the file, correct the pattern, or write `optional = true` if sessions may lack this modality";
        self.card
            .error(format!("modality.{}.{key}", rule.name()), problem, hint)
    }
}

/// What people write for "missing".
const MISSING_CODES: [&str; 10] = ["na", "n/a", "nan", "null", "none", "missing", "-", "?", ".", "#n/a"];

struct Keys<'k> {
    place: &'k str,
    file: &'k str,
    id: &'k str,
    session: Option<&'k str>,
}

/// A table with one row per subject or session.
pub(super) struct SubjectTable {
    pub(super) file: String,
    /// Name of the column with the ids.
    pub(super) id: String,
    pub(super) layout: DelimitedLayout,
    pub(super) table: DelimitedTable,
    /// Whether each session has a row of its own.
    pub(super) by_session: bool,
    /// Subject and session of each row.
    keys: Vec<(String, Option<String>)>,
    rows: BTreeMap<(String, Option<String>), usize>,
}

impl SubjectTable {
    pub(super) fn row(&self, subject: &str, session: &str) -> Option<&DelimitedRow> {
        let session = self.by_session.then(|| session.to_string());
        self.rows
            .get(&(subject.to_string(), session))
            .and_then(|&index| self.table.rows.get(index))
    }

    /// Subject, session (where each has a row) and row, in the order of the file.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&str, Option<&str>, &DelimitedRow)> {
        self.keys
            .iter()
            .zip(&self.table.rows)
            .map(|((id, session), row)| (id.as_str(), session.as_deref(), row))
    }

    /// What to do about a subject without a row.
    pub(super) fn hint(&self, subject: &str) -> String {
        let ids: BTreeSet<&str> = self.rows.keys().map(|(id, _)| id.as_str()).collect();
        if ids.contains(subject) {
            return "the subject has rows for other sessions; are the sessions spelled alike?".into();
        }
        match ids.into_iter().find(|id| spelling(id) == spelling(subject)) {
            Some(id) => format!("the table has `{id}`: spell ids alike in the table and in the files' names"),
            None => "add the row, or write `optional = true` in the modality".into(),
        }
    }
}
