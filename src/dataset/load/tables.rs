//! The tables of all subjects: the card's, those of the modalities, and the scores that decide on the label.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, file_error, whose};
use super::visits::{Outcomes, VisitRows};
use crate::base::text::spelling;
use crate::dataset::card::{ContentRule, LabelRule};
use crate::dataset::error::DataError;
use recoup_formats::delimited::{DelimitedLayout, DelimitedRow, DelimitedTable};

/// All tables of a dataset.
pub(super) struct Tables {
    /// The card's table.
    pub(super) card: Option<SubjectTable>,
    /// For each modality its own table.
    pub(super) modalities: Vec<Option<SubjectTable>>,
    /// For each modality its scores of several visits.
    pub(super) visits: Vec<Option<VisitRows>>,
    /// The scores that decide on the label.
    pub(super) outcomes: Option<Outcomes>,
}

impl Tables {
    /// Reads the tables that the card names.
    pub(super) fn read(source: &Source) -> Result<Self, DataError> {
        let card = match &source.card.table {
            Some(rule) => {
                let keys = Keys {
                    place: "table",
                    file: &rule.file,
                    id: &rule.id,
                    session: rule.session.as_deref(),
                };
                Some(SubjectTable::read(source, keys, &rule.layout)?)
            }
            None => None,
        };
        let (mut modalities, mut visits) = (Vec::new(), Vec::new());
        for rule in &source.card.modalities {
            let (mut table, mut scores) = (None, None);
            match (&rule.content, &rule.file) {
                (ContentRule::Visits(keys), Some(file)) => {
                    scores = Some(VisitRows::read(source, &rule.name, file, keys)?);
                }
                (ContentRule::Table(keys), Some(file)) => {
                    let place = format!("modality.{}", rule.name);
                    let names = Keys {
                        place: &place,
                        file,
                        id: keys.id.as_deref().unwrap_or_default(),
                        session: keys.session.as_deref(),
                    };
                    table = Some(SubjectTable::read(
                        source,
                        names,
                        &keys.layout.clone().unwrap_or_default(),
                    )?);
                }
                _ => {}
            }
            modalities.push(table);
            visits.push(scores);
        }
        let outcomes = match &source.card.label {
            LabelRule::Responder(rule) => Some(Outcomes::read(source, rule)?),
            _ => None,
        };
        Ok(Self {
            card,
            modalities,
            visits,
            outcomes,
        })
    }
}

/// The columns that tell whose a row is, and where the card names them.
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
    fn read(source: &Source, keys: Keys, layout: &DelimitedLayout) -> Result<Self, DataError> {
        let Keys {
            place,
            file,
            id,
            session,
        } = keys;
        let table = source.existing_table(place, file, layout)?;
        let id_column = table.column(id, &format!("{place}.id"))?;
        let session_column = session
            .map(|name| table.column(name, &format!("{place}.session")))
            .transpose()?;
        let mut rows = BTreeMap::<(String, Option<String>), usize>::new();
        let mut keys = Vec::new();
        for (index, row) in table.rows().enumerate() {
            let session = session_column.map(|column| row.field(column).to_string());
            let subject = row.field(id_column).to_string();
            let whose = match &session {
                Some(session) => format!("a second row for subject `{subject}`, session `{session}`"),
                None => format!("a second row for subject `{subject}`"),
            };
            keys.push((subject, session));
            let first = keys.last().and_then(|key| rows.insert(key.clone(), index));
            if let Some(first) = first {
                let first = table.row(first).map_or(0, DelimitedRow::line);
                let hint = match session_column {
                    Some(_) => "remove one of the two rows",
                    None => "remove one of the two rows, or name the column that tells the sessions apart: `session`",
                };
                let (place, expected) = (format!("line {}", row.line()), format!("one, and line {first} is it"));
                return Err(file_error(&table.file, place, whose, expected, hint));
            }
        }
        let id = id.to_string();
        Ok(Self {
            file: file.to_string(),
            id,
            layout: layout.clone(),
            table,
            by_session: session.is_some(),
            keys,
            rows,
        })
    }

    pub(super) fn row(&self, subject: &str, session: &str) -> Option<DelimitedRow<'_>> {
        let session = self.by_session.then(|| session.to_string());
        self.rows
            .get(&(subject.to_string(), session))
            .and_then(|&index| self.table.row(index))
    }

    /// The row of a session that must have one.
    pub(super) fn required_row(&self, subject: &str, session: &str) -> Result<DelimitedRow<'_>, DataError> {
        self.row(subject, session).ok_or_else(|| {
            let (place, found) = (
                format!("column `{}`", self.id),
                format!("no row for {}", whose(subject, session)),
            );
            file_error(&self.table.file, place, found, "one", self.hint(subject))
        })
    }

    /// Subject, session (where each has a row) and row, in the order of the file.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&str, Option<&str>, DelimitedRow<'_>)> {
        self.keys
            .iter()
            .zip(self.table.rows())
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
