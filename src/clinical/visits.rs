//! Scores in long format (patient, time, item, value) on a grid of visits.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::scales::Scale;
use crate::base::FileError;
use recoup_formats::delimited::{DelimitedLayout, DelimitedTable};

/// Mean length of a month: 365.25 / 12 days.
const MONTH_DAYS: f64 = 30.4375;

/// How a table of scores becomes visits.
///
/// ```
/// let config: recoup::clinical::VisitsConfig = toml::from_str(r#"
///     date = "assessed_on"                 # or: week = "week"
///     start = "programme_start"            # without: the patient's first date
///     weeks = [0, 2, 4, 6, 8, 10, 12]
///     months = [1, 2, 3]                   # follow-up after the last week
///     [items]
///     "FMA-UE" = "fugl-meyer-upper"
///     "BI" = "barthel"
/// "#).unwrap();
/// assert!(config.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisitsConfig {
    /// Column of the patient.
    #[serde(default = "patient")]
    pub patient: String,
    /// Column of the date, `2021-03-04`; either this or `week`.
    #[serde(default)]
    pub date: Option<String>,
    /// Column of the date of week 0; without it, each patient's first date.
    #[serde(default)]
    pub start: Option<String>,
    /// Column of weeks since the start.
    #[serde(default)]
    pub week: Option<String>,
    /// Column of the item.
    #[serde(default = "item")]
    pub item: String,
    /// Column of the score.
    #[serde(default = "value")]
    pub value: String,
    /// Items to read and the scale of each; rows of other items are left out.
    pub items: BTreeMap<String, Scale>,
    /// Weeks of the visits, ascending.
    #[serde(default = "biweekly")]
    pub weeks: Vec<f64>,
    /// Months of 30.4375 days after the last week, ascending, at which follow-up visits are.
    #[serde(default)]
    pub months: Vec<f64>,
    /// A score counts for a visit at most this many days from it.
    #[serde(default = "tolerance")]
    pub tolerance_days: f64,
    /// Last observation carried forward: a visit without score gets that of the visit before. It assumes that nothing
    /// changed, which biases slopes of those who drop out; hence off by default.
    #[serde(default)]
    pub carry_forward: bool,
}

fn patient() -> String {
    "patient".into()
}

fn item() -> String {
    "item".into()
}

fn value() -> String {
    "value".into()
}

fn biweekly() -> Vec<f64> {
    vec![0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]
}

fn tolerance() -> f64 {
    7.0
}

/// The scores of one patient on one item.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    /// The patient.
    pub patient: String,
    /// Name of the item.
    pub item: String,
    /// Scale of the item.
    pub scale: Scale,
    /// Weeks of the visits since the start.
    pub weeks: Vec<f64>,
    /// One per visit; NaN without.
    pub scores: Vec<f64>,
}

impl Trajectory {
    /// Score at the visit of week `to` less that of week `from`; NaN where either is missing.
    pub fn delta(&self, from: f64, to: f64) -> f64 {
        let at = |week: f64| {
            let visit = self.weeks.iter().position(|&other| other == week);
            visit
                .and_then(|visit| self.scores.get(visit))
                .copied()
                .unwrap_or(f64::NAN)
        };
        at(to) - at(from)
    }

    /// Slope of the least-squares line through the visits that have a score, per week:
    /// `sum (t - mean t)(s - mean s) / sum (t - mean t)^2`; NaN with fewer than two.
    pub fn slope_per_week(&self) -> f64 {
        let seen: Vec<(f64, f64)> = self
            .weeks
            .iter()
            .copied()
            .zip(self.scores.iter().copied())
            .filter(|(_, score)| score.is_finite())
            .collect();
        if seen.len() < 2 {
            return f64::NAN;
        }
        let num = seen.len() as f64;
        let mean_week = seen.iter().map(|(week, _)| week).sum::<f64>() / num;
        let mean_score = seen.iter().map(|(_, score)| score).sum::<f64>() / num;
        let shared: f64 = seen
            .iter()
            .map(|(week, score)| (week - mean_week) * (score - mean_score))
            .sum();
        shared / seen.iter().map(|(week, _)| (week - mean_week).powi(2)).sum::<f64>()
    }
}

/// Day and score, by patient and item.
type Records<'t> = BTreeMap<(&'t str, &'t str), Vec<(f64, f64)>>;

impl VisitsConfig {
    /// Checks what no table can change.
    ///
    /// # Errors
    /// The first problem.
    pub fn check(&self) -> Result<(), String> {
        let ascends = |list: &[f64]| list.iter().all(|x| x.is_finite()) && list.is_sorted_by(|a, b| a < b);
        match self {
            Self {
                date: Some(_),
                week: Some(_),
                ..
            }
            | Self {
                date: None, week: None, ..
            } => Err("one of `date` and `week` is expected".into()),
            Self {
                start: Some(_),
                date: None,
                ..
            } => Err("`start` is a date and goes with `date`".into()),
            Self { items, .. } if items.is_empty() => Err("`items` is empty, expected names of items".into()),
            Self { weeks, months, .. } if weeks.is_empty() || !ascends(weeks) || !ascends(months) => {
                Err("`weeks` and `months` are expected to ascend, with at least one week".into())
            }
            Self { months, .. } if months.first().is_some_and(|&month| month <= 0.0) => {
                Err("`months` are expected to be positive".into())
            }
            Self { tolerance_days, .. } if !(*tolerance_days >= 0.0 && tolerance_days.is_finite()) => Err(format!(
                "`tolerance_days` is {tolerance_days}, expected a number from 0"
            )),
            _ => Ok(()),
        }
    }

    /// Weeks of all visits, follow-up included.
    pub fn visit_weeks(&self) -> Vec<f64> {
        let last = self.weeks.last().copied().unwrap_or(0.0);
        self.weeks
            .iter()
            .copied()
            .chain(self.months.iter().map(|month| last + month * MONTH_DAYS / 7.0))
            .collect()
    }

    /// Puts the scores on the grid: each visit gets the nearest in time, the earlier of two equally near, and none
    /// further than the tolerance. One score may serve two visits. `layout` says which fields are missing and how
    /// numbers are written. By patient, then item.
    ///
    /// # Errors
    /// [`FileError`] naming patient, time, item and value of a score outside its scale, of a field that is no
    /// number or date, and of two different scores of an item at one time.
    pub fn trajectories(&self, table: &DelimitedTable, layout: &DelimitedLayout) -> Result<Vec<Trajectory>, FileError> {
        let wrong = |place: String, found: String, expected: String| {
            FileError::at(&table.file)
                .place(place)
                .found(found)
                .expected(expected)
                .hint("correct the table, or leave the field empty if the score is not known")
        };
        self.check()
            .map_err(|problem| wrong("visits".into(), problem, "another configuration".into()))?;
        let patient = table.column(&self.patient, "visits.patient")?;
        let item = table.column(&self.item, "visits.item")?;
        let value = table.column(&self.value, "visits.value")?;
        let time_name = self.date.as_ref().or(self.week.as_ref()).map_or("", String::as_str);
        let time = table.column(time_name, "visits.date")?;
        let start = self
            .start
            .as_ref()
            .map(|name| table.column(name, "visits.start"))
            .transpose()?;
        let mut records = Records::new();
        // Of each patient, over all items read: week 0 is one day, whichever item was scored first.
        let mut first_day = BTreeMap::<&str, f64>::new();
        for row in table.rows() {
            let (patient, item) = (row.field(patient), row.field(item));
            let (Some(scale), field) = (self.items.get(item), row.field(value)) else {
                continue;
            };
            let wrong = |found: String, expected: String| {
                let time = row.field(time);
                let place = format!(
                    "line {}: patient `{patient}`, visit `{time}`, item `{item}`",
                    row.line()
                );
                wrong(place, found, expected)
            };
            let days = |column| {
                let text = row.field(column);
                let expected = if self.week.is_some() {
                    "a number of weeks"
                } else {
                    "a date such as 2021-03-04"
                };
                self.days(text, layout)
                    .ok_or_else(|| wrong(format!("time `{text}`"), expected.into()))
            };
            let day = days(time)? - start.map_or(Ok(0.0), days)?;
            // A visit without score is a visit.
            first_day
                .entry(patient)
                .and_modify(|first| *first = first.min(day))
                .or_insert(day);
            if layout.is_missing(field) {
                continue;
            }
            let number = layout.number::<f64>(field);
            let score = number.ok_or_else(|| wrong(format!("`{field}`"), "a number".into()))?;
            scale
                .check(score)
                .map_err(|allowed| wrong(score.to_string(), allowed))?;
            let scores = records.entry((patient, item)).or_default();
            if let Some(other) = scores.iter().find(|other| other.0 == day && other.1 != score) {
                return Err(wrong(
                    score.to_string(),
                    format!("one score at a time, not {} as well", other.1),
                ));
            }
            scores.push((day, score));
        }
        Ok(self.on_grid(records, &first_day))
    }

    /// Days since the start, or since 1970 for dates.
    fn days(&self, text: &str, layout: &DelimitedLayout) -> Option<f64> {
        if self.week.is_some() {
            return layout
                .number::<f64>(text)
                .filter(|week| week.is_finite())
                .map(|week| week * 7.0);
        }
        let date = text.parse::<NaiveDate>().ok()?;
        Some(date.signed_duration_since(NaiveDate::default()).num_days() as f64)
    }

    fn on_grid(&self, records: Records, first_day: &BTreeMap<&str, f64>) -> Vec<Trajectory> {
        let weeks = self.visit_weeks();
        let from_first = self.date.is_some() && self.start.is_none();
        let trajectory = |((patient, item), mut scores): ((&str, &str), Vec<(f64, f64)>)| {
            let origin = first_day.get(patient).copied().filter(|_| from_first).unwrap_or(0.0);
            scores.sort_by(|a, b| a.0.total_cmp(&b.0));
            let visits = weeks.iter().map(|week| self.nearest(&scores, origin + week * 7.0));
            let mut scores: Vec<f64> = visits.collect();
            if self.carry_forward {
                let mut last = f64::NAN;
                for score in &mut scores {
                    last = if score.is_finite() { *score } else { last };
                    *score = last;
                }
            }
            let scale = self.items.get(item).copied()?;
            Some(Trajectory {
                patient: patient.into(),
                item: item.into(),
                scale,
                weeks: weeks.clone(),
                scores,
            })
        };
        records.into_iter().filter_map(trajectory).collect()
    }

    /// The score nearest to `day` among those in order of time; NaN if none is within the tolerance.
    fn nearest(&self, scores: &[(f64, f64)], day: f64) -> f64 {
        let distance = |score: &&(f64, f64)| (score.0 - day).abs();
        // `min_by` keeps the first, which is the earlier, of equals.
        let nearest = scores.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest
            .filter(|score| distance(score) <= self.tolerance_days)
            .map_or(f64::NAN, |score| score.1)
    }
}
