//! Scores of several visits: rows of inputs, and who responded.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ndarray::{Axis, aview1};

use super::source::{Source, file_error};
use crate::base::text::spelling;
use crate::clinical::Trajectory;
use crate::dataset::card::{ResponderRule, VisitsRule};
use crate::dataset::error::DataError;
use crate::dataset::subjects::Recording;

/// One row per subject.
pub(super) struct VisitRows {
    file: PathBuf,
    patient_column: String,
    rows: BTreeMap<String, Vec<f32>>,
}

impl VisitRows {
    pub(super) fn read(source: &Source, name: &str, file: &str, rule: &VisitsRule) -> Result<Self, DataError> {
        let known = rule.known();
        let table = source.existing_table(&format!("modality.{name}"), file, &rule.layout)?;
        let mut items = BTreeMap::<String, BTreeMap<String, Trajectory>>::new();
        for trajectory in known.trajectories(&table, &rule.layout)? {
            items
                .entry(trajectory.patient.clone())
                .or_default()
                .insert(trajectory.item.clone(), trajectory);
        }
        let row = |mut items: BTreeMap<String, Trajectory>| {
            known
                .items
                .keys()
                .flat_map(|item| channels(rule, items.remove(item)))
                .collect()
        };
        let rows = items
            .into_iter()
            .map(|(patient, items)| (patient, row(items)))
            .collect();
        Ok(Self {
            file: table.file,
            patient_column: known.patient,
            rows,
        })
    }

    /// The row of a subject, for each of its sessions.
    pub(super) fn recording(&self, subject: &str, optional: bool) -> Result<Option<Recording>, DataError> {
        let Some(row) = self.rows.get(subject) else {
            if optional {
                return Ok(None);
            }
            let alike = self.rows.keys().find(|id| spelling(id) == spelling(subject));
            let place = format!("column `{}`", self.patient_column);
            let hint = match alike {
                Some(id) => format!("the table has `{id}`: spell ids alike in the table and in the files' names"),
                None => "add the row, or write `optional = true` in the modality".into(),
            };
            let found = format!("no score of subject `{subject}`");
            return Err(file_error(&self.file, place, found, "one at least", hint));
        };
        Ok(Some(Recording {
            times_secs: None,
            values: aview1(row).insert_axis(Axis(0)).to_owned(),
        }))
    }
}

/// Baseline, last, delta, slope and the scores at chosen weeks of one item; NaN where missing.
fn channels(rule: &VisitsRule, trajectory: Option<Trajectory>) -> Vec<f32> {
    let Some(trajectory) = trajectory else {
        return vec![f32::NAN; 4 + rule.at_weeks.len()];
    };
    let at = |week: &f64| {
        let visit = trajectory.weeks.iter().position(|other| other == week);
        visit
            .and_then(|visit| trajectory.scores.get(visit))
            .copied()
            .unwrap_or(f64::NAN)
    };
    let baseline = trajectory.scores.first().copied().unwrap_or(f64::NAN);
    let last = trajectory
        .scores
        .iter()
        .rev()
        .copied()
        .find(|score| score.is_finite())
        .unwrap_or(f64::NAN);
    let summary = [baseline, last, last - baseline, trajectory.slope_per_week()];
    summary
        .into_iter()
        .chain(rule.at_weeks.iter().map(at))
        .map(|value| value as f32)
        .collect()
}

/// The scores that decide on the label, by patient.
pub(super) struct Outcomes(BTreeMap<String, Trajectory>);

impl Outcomes {
    pub(super) fn read(source: &Source, rule: &ResponderRule) -> Result<Self, DataError> {
        let table = source.existing_table("label", &rule.file, &rule.layout)?;
        let trajectories = rule.visits.trajectories(&table, &rule.layout)?;
        let deciding = trajectories
            .into_iter()
            .filter(|trajectory| trajectory.item == rule.item);
        Ok(Self(
            deciding
                .map(|trajectory| (trajectory.patient.clone(), trajectory))
                .collect(),
        ))
    }

    /// Whether the subject improved by the threshold or more, or which score is lacking.
    pub(super) fn responds(&self, rule: &ResponderRule, subject: &str) -> Result<bool, String> {
        let Some(trajectory) = self.0.get(subject) else {
            return Err(format!("no score of `{}`", rule.item));
        };
        match rule.config().label(trajectory)? {
            Some(responds) => Ok(responds),
            None => {
                let has = |week: f64| !trajectory.delta(week, week).is_nan();
                let lacking = [rule.from_week, rule.to_week].into_iter().find(|week| !has(*week));
                Err(format!(
                    "no score of `{}` at week {}",
                    rule.item,
                    lacking.unwrap_or(rule.to_week)
                ))
            }
        }
    }
}
