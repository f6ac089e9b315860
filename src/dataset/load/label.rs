//! The class of a session.

use std::collections::BTreeMap;

use super::source::{Source, whose};
use super::tables::Tables;
use crate::dataset::card::{LabelRule, ResponderRule, Unlabelled};
use crate::dataset::error::DataError;

const LEAVE_OUT: &str = "write `unlabelled = \"leave-out\"` to leave such sessions out";

/// A session whose class is looked for.
struct Labelled<'a> {
    source: &'a Source<'a>,
    tables: &'a Tables,
    subject: &'a str,
    session: &'a str,
}

/// The class of a session; `None` for one without a label that the card leaves out. `label` is what `{label}` matched, and
/// in which file.
pub(super) fn class(
    source: &Source,
    tables: &Tables,
    subject: &str,
    session: &str,
    label: Option<&(String, String)>,
) -> Result<Option<usize>, DataError> {
    let labelled = Labelled {
        source,
        tables,
        subject,
        session,
    };
    match &source.card.label {
        LabelRule::Column {
            column,
            classes,
            unlabelled,
        } => match labelled.field(column, *unlabelled)? {
            None => Ok(None),
            Some((value, place)) => labelled.mapped(&value, &format!("`{value}` {place}"), classes.as_ref()),
        },
        LabelRule::Threshold {
            column,
            at_least,
            unlabelled,
        } => match labelled.field(column, *unlabelled)? {
            None => Ok(None),
            Some((value, place)) => labelled.above(*at_least, &value, &place).map(Some),
        },
        LabelRule::Responder(rule) => labelled.responder(rule),
        LabelRule::IdPrefix { classes } => {
            let fitting = classes.keys().filter(|prefix| subject.starts_with(prefix.as_str()));
            let longest = fitting.max_by_key(|prefix| prefix.len()).map_or("", String::as_str);
            labelled.mapped(longest, "its id", Some(classes))
        }
        LabelRule::File { classes } => match label {
            Some((label, file)) => labelled.mapped(label, &format!("`{label}` ({file})"), classes.as_ref()),
            None => {
                let hint = "remove `optional = true` from the modality whose file names have `{label}`: every session \
                            needs a class";
                Err(labelled.error("none of its files has a `{label}`", hint))
            }
        },
    }
}

impl Labelled<'_> {
    fn error(&self, problem: &str, hint: impl Into<String>) -> DataError {
        let problem = format!("no class for {}: {problem}", whose(self.subject, self.session));
        self.source.card.error("label", problem, hint)
    }

    /// The class that a value stands for, by the map if there is one.
    fn mapped(
        &self,
        value: &str,
        place: &str,
        classes: Option<&BTreeMap<String, String>>,
    ) -> Result<Option<usize>, DataError> {
        let card = self.source.card;
        let class = classes.map_or(Some(value), |classes| classes.get(value).map(String::as_str));
        let index = class.and_then(|class| card.classes.iter().position(|name| name == class));
        index.map(Some).ok_or_else(|| {
            let problem = format!("no class for {} from {place}", whose(self.subject, self.session));
            let hint = match classes {
                Some(classes) => format!("the card knows {:?}", classes.keys().collect::<Vec<_>>()),
                None => {
                    let known = &card.classes;
                    format!("`classes` are {known:?}; write a map `classes = {{ value = \"class\" }}`")
                }
            };
            card.error("label", problem, hint)
        })
    }

    /// The second of two classes for a number from `at_least` on.
    fn above(&self, at_least: f64, value: &str, place: &str) -> Result<usize, DataError> {
        let layout = self.source.card.table.as_ref().map(|table| &table.layout);
        let number = layout.and_then(|layout| layout.number::<f64>(value));
        match number.filter(|number| number.is_finite()) {
            Some(number) => Ok(usize::from(number >= at_least)),
            None => {
                let hint = "a class needs a value; remove the row, or list the subjects to keep";
                Err(self.error(&format!("`{value}` {place} is not a number"), hint))
            }
        }
    }

    fn responder(&self, rule: &ResponderRule) -> Result<Option<usize>, DataError> {
        let Some(outcomes) = &self.tables.outcomes else {
            return Ok(None);
        };
        match (outcomes.responds(rule, self.subject), rule.unlabelled) {
            (Ok(responds), _) => Ok(Some(usize::from(responds))),
            (Err(_), Unlabelled::LeaveOut) => Ok(None),
            (Err(lacking), Unlabelled::Error) => {
                let hint = format!("add it, or {LEAVE_OUT}");
                Err(self.error(&format!("{lacking} in {}", rule.file), hint))
            }
        }
    }

    /// A field of the card's table and where it stands, for messages; `None` where a session has none and may lack it.
    fn field(&self, column: &str, unlabelled: Unlabelled) -> Result<Option<(String, String)>, DataError> {
        let Some(table) = &self.tables.card else {
            return Ok(Some(Default::default()));
        };
        let index = table.table.column(column, "label.column")?;
        let may_lack = unlabelled == Unlabelled::LeaveOut;
        if may_lack && table.row(self.subject, self.session).is_none() {
            return Ok(None);
        }
        let row = table.required_row(self.subject, self.session)?;
        let value = row.field(index);
        let place = format!("in column `{column}` ({}, line {})", table.file, row.line());
        Ok((!(may_lack && table.layout.is_missing(value))).then(|| (value.to_string(), place)))
    }
}
