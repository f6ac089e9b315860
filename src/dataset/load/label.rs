//! The class of a session.

use super::Loader;
use super::found::FoundSession;
use crate::dataset::card::{LabelRule, Unlabelled};
use crate::dataset::error::DataError;

/// Where a value stands, for messages, and the value; `None` where a session has none and may lack it.
type Field = Option<(String, String)>;

const LEAVE_OUT: &str = "write `unlabelled = \"leave-out\"` to leave such sessions out";

impl Loader<'_> {
    /// `None` for a session without a label that the card leaves out.
    pub(super) fn class(&self, subject: &str, session: &FoundSession) -> Result<Option<usize>, DataError> {
        let card = self.source.card;
        let (class, looked_up, known) = match &card.label {
            LabelRule::Column {
                column,
                classes,
                unlabelled,
            } => {
                let Some((value, place)) = self.field(column, *unlabelled, subject, session)? else {
                    return Ok(None);
                };
                let class = match classes {
                    Some(classes) => classes.get(&value).cloned(),
                    None => Some(value.clone()),
                };
                (class, format!("`{value}` {place}"), classes.as_ref())
            }
            LabelRule::Threshold {
                column,
                at_least,
                unlabelled,
            } => {
                let Some((value, place)) = self.field(column, *unlabelled, subject, session)? else {
                    return Ok(None);
                };
                let layout = card.table.as_ref().map(|table| &table.layout);
                let number = layout
                    .and_then(|layout| layout.number::<f64>(&value))
                    .filter(|number| number.is_finite());
                let number = number.ok_or_else(|| {
                    let problem = format!(
                        "no class for {}: `{value}` {place} is not a number",
                        session.of(subject)
                    );
                    card.error(
                        "label",
                        problem,
                        "a class needs a value; remove the row, or list the subjects to keep",
                    )
                })?;
                return Ok(Some(usize::from(number >= *at_least)));
            }
            LabelRule::Responder(rule) => {
                let Some(outcomes) = &self.tables.outcomes else {
                    return Ok(None);
                };
                return match (outcomes.responds(rule, subject), rule.unlabelled) {
                    (Ok(responds), _) => Ok(Some(usize::from(responds))),
                    (Err(_), Unlabelled::LeaveOut) => Ok(None),
                    (Err(lacking), Unlabelled::Error) => {
                        let problem = format!("no class for {}: {lacking} in {}", session.of(subject), rule.file);
                        Err(card.error("label", problem, format!("add it, or {LEAVE_OUT}")))
                    }
                };
            }
            LabelRule::IdPrefix { classes } => {
                let fitting = classes
                    .iter()
                    .filter(|(prefix, _)| subject.starts_with(prefix.as_str()));
                let longest = fitting
                    .max_by_key(|(prefix, _)| prefix.len())
                    .map(|(_, class)| class.clone());
                (longest, "its id".to_string(), Some(classes))
            }
            LabelRule::File { classes } => {
                let Some((label, file)) = &session.label else {
                    let problem = format!(
                        "no class for {}: none of its files has a `{{label}}`",
                        session.of(subject)
                    );
                    let hint = "the modality whose file names the class may not be lacking";
                    return Err(card.error("label", problem, hint));
                };
                let class = match classes {
                    Some(classes) => classes.get(label).cloned(),
                    None => Some(label.clone()),
                };
                (class, format!("`{label}` ({file})"), classes.as_ref())
            }
        };
        let index = class.and_then(|class| card.classes.iter().position(|name| *name == class));
        let unknown = || {
            let problem = format!("no class for {} from {looked_up}", session.of(subject));
            let hint = match known {
                Some(classes) => format!("the card knows {:?}", classes.keys().collect::<Vec<_>>()),
                None => format!(
                    "`classes` are {:?}; write a map `classes = {{ value = \"class\" }}`",
                    card.classes
                ),
            };
            card.error("label", problem, hint)
        };
        index.map(Some).ok_or_else(unknown)
    }

    /// A field of the card's table.
    fn field(
        &self,
        column: &str,
        unlabelled: Unlabelled,
        subject: &str,
        session: &FoundSession,
    ) -> Result<Field, DataError> {
        let Some(table) = &self.tables.card else {
            return Ok(Some(Default::default()));
        };
        let index = table.table.column(column, "label.column")?;
        let may_lack = unlabelled == Unlabelled::LeaveOut;
        if may_lack && table.row(subject, &session.id).is_none() {
            return Ok(None);
        }
        let row = self.row(table, subject, session)?;
        let value = row.field(index);
        let place = format!("in column `{column}` ({}, line {})", table.file, row.line);
        Ok((!(may_lack && table.layout.is_missing(value))).then(|| (value.to_string(), place)))
    }
}
