//! From the files of a dataset to a cohort, as its card says.

use std::path::Path;

use ndarray::Array2;
use rayon::prelude::*;

use super::card::{Card, ColumnRule, DelimitedRule, ModalityRule, SignalFileRule, TimeUnit};
use crate::base::FileError;
use crate::dataset::error::DataError;
use crate::dataset::subjects::{Cohort, ModalityKind, Recording, Session, Subject};
use crate::signal::align::lag_secs;
use recoup_formats::delimited::{DelimitedLayout, DelimitedRow, DelimitedTable};
use recoup_formats::order::natural_cmp;

mod contents;
mod found;
mod images;
mod label;
mod signal;
mod source;
mod visits;

pub(crate) use signal::constant_rate;

use found::{FoundSession, FoundSubject, find_subjects};
use source::{Source, SubjectTable};
use visits::{Outcomes, VisitRows};

/// Reads the dataset of `card` from `raw_dir`, checking the hash of each file it opens.
///
/// # Errors
/// [`FileError`] for a missing file, one with another hash than declared, one that is not what its format, its own
/// header or the card promise, that contradicts another, or that lacks samples where the card does not expect it;
/// [`DataError::Card`] for a card that does not fit the data.
pub fn load_cohort(card: &Card, raw_dir: &Path) -> Result<Cohort, DataError> {
    let source = Source::open(card, raw_dir)?;
    let loader = Loader {
        tables: source.tables()?,
        source: &source,
    };
    let found = find_subjects(&source, &loader.tables)?;
    // Collected first, so that of several errors always the same one is reported.
    let subjects: Vec<_> = found.par_iter().map(|subject| loader.subject(subject)).collect();
    let subjects = subjects.into_iter().collect::<Result<Vec<Option<Subject>>, _>>()?;
    let mut subjects: Vec<Subject> = subjects.into_iter().flatten().collect();
    if subjects.is_empty() {
        let problem = "no session has a label, and `unlabelled = \"leave-out\"` leaves out those without".into();
        return Err(card.error("label", problem, "correct the column, the item or the weeks"));
    }
    subjects.sort_by(|a, b| natural_cmp(&a.id, &b.id));
    let modalities = card.modalities.iter().map(ModalityRule::spec).collect();
    let cohort = Cohort {
        name: card.name.clone(),
        classes: card.classes.clone(),
        modalities,
        subjects,
    };
    cohort.validate()?;
    Ok(cohort)
}

/// The tables of all subjects: the card's, those of the modalities, and the scores that decide on the label.
struct Tables {
    card: Option<SubjectTable>,
    modalities: Vec<Option<SubjectTable>>,
    visits: Vec<Option<VisitRows>>,
    outcomes: Option<Outcomes>,
}

struct Loader<'a> {
    source: &'a Source<'a>,
    tables: Tables,
}

impl Loader<'_> {
    /// `None` where no session has a label and the card leaves out those without.
    fn subject(&self, found: &FoundSubject) -> Result<Option<Subject>, DataError> {
        let session = |session: &FoundSession| self.session(&found.id, session).transpose();
        let sessions: Vec<Session> = found.sessions.iter().filter_map(session).collect::<Result<_, _>>()?;
        let (id, site, group) = (found.id.clone(), found.site.clone(), found.group.clone());
        Ok((!sessions.is_empty()).then_some(Subject {
            id,
            site,
            group,
            sessions,
        }))
    }

    fn session(&self, subject: &str, session: &FoundSession) -> Result<Option<Session>, DataError> {
        let Some(class) = self.class(subject, session)? else {
            return Ok(None);
        };
        let rules = self.source.card.modalities.iter().zip(&session.files).enumerate();
        let mut recordings = rules
            .map(|(index, (rule, files))| self.recording(rule, index, subject, session, files))
            .collect::<Result<Vec<_>, _>>()?;
        self.align(&mut recordings, session, subject)?;
        Ok(Some(Session {
            id: session.id.clone(),
            class,
            recordings,
        }))
    }

    /// Moves the recordings whose rules ask for it onto the clock of another one.
    fn align(
        &self,
        recordings: &mut [Option<Recording>],
        session: &FoundSession,
        subject: &str,
    ) -> Result<(), DataError> {
        let rules = &self.source.card.modalities;
        for (index, rule) in rules.iter().enumerate() {
            let ModalityRule::Signal(SignalFileRule {
                align: Some(align),
                rate_hz,
                missing,
                ..
            }) = rule
            else {
                continue;
            };
            let column = |modality: usize, channel: &str| {
                let spec = rules.get(modality)?.spec();
                let ModalityKind::Signal { rate_hz } = spec.kind else {
                    return None;
                };
                let column = spec.channels.iter().position(|known| known.name == channel)?;
                let recording = recordings.get(modality)?.as_ref()?;
                Some((recording.values.column(column).to_vec(), rate_hz))
            };
            let other = rules.iter().position(|other| other.name() == align.to).unwrap_or(index);
            // Without one of the two there is nothing to align.
            let (Some((reference, reference_hz)), Some((own, own_hz))) =
                (column(other, &align.to_channel), column(index, &align.channel))
            else {
                continue;
            };
            let found = lag_secs(&reference, reference_hz, &own, own_hz, align.max_lag_secs);
            let found = found.map_err(|problem| {
                let problem = format!("{}: {problem}", session.of(subject));
                let hint = "name channels that show the same events, or leave `align` out";
                self.source
                    .card
                    .error(format!("modality.{}.align", rule.name()), problem, hint)
            })?;
            // What the recording shows later than the other one does has to come earlier.
            let shift = -(found.lag_secs * rate_hz).round() as isize;
            if let Some(Some(recording)) = recordings.get_mut(index) {
                recording.values = contents::shifted(&recording.values, shift, *missing);
            }
        }
        Ok(())
    }

    /// The row of a session in a table that must have one.
    fn row<'t>(
        &self,
        table: &'t SubjectTable,
        subject: &str,
        session: &FoundSession,
    ) -> Result<&'t DelimitedRow, DataError> {
        table.row(subject, &session.id).ok_or_else(|| {
            FileError::at(&table.table.file)
                .place(format!("column `{}`", table.id))
                .found(format!("no row for {}", session.of(subject)))
                .expected("one")
                .hint(table.hint(subject))
                .into()
        })
    }

    fn recording(
        &self,
        rule: &ModalityRule,
        index: usize,
        subject: &str,
        session: &FoundSession,
        files: &[String],
    ) -> Result<Option<Recording>, DataError> {
        let table = match rule {
            ModalityRule::ClinicalTable(_) => self.tables.card.as_ref(),
            _ => self.tables.modalities.get(index).and_then(Option::as_ref),
        };
        if let Some(table) = table {
            if rule.optional() && table.row(subject, &session.id).is_none() {
                return Ok(None);
            }
            let row = std::slice::from_ref(self.row(table, subject, session)?);
            let values = columns(self.source, &table.table, &table.layout, rule, row)?;
            return Ok(Some(Recording {
                times_secs: None,
                values,
            }));
        }
        if let Some(rows) = self.tables.visits.get(index).and_then(Option::as_ref) {
            return rows.recording(subject, rule.optional());
        }
        let Some(file) = files.first() else {
            return match rule.optional() {
                true => Ok(None),
                false => Err(self.source.missing_file(rule, &session.of(subject))),
            };
        };
        let recording = match rule {
            ModalityRule::Wfdb(rule) => Recording {
                times_secs: None,
                values: signal::wfdb(self.source, rule, file)?,
            },
            ModalityRule::DelimitedSignal(inner) => Recording {
                times_secs: None,
                values: signal::delimited(self.source, rule, inner, file)?,
            },
            ModalityRule::Delimited(inner) => series(self.source, rule, inner, file)?,
            ModalityRule::Image(rule) => Recording {
                times_secs: None,
                values: images::images(self.source, rule, files)?,
            },
            ModalityRule::Signal(rule) => Recording {
                times_secs: None,
                values: contents::signal(self.source, rule, file)?,
            },
            ModalityRule::Points(rule) => Recording {
                times_secs: None,
                values: contents::points(self.source, rule, files)?,
            },
            ModalityRule::Annotations(rule) => return contents::annotations(self.source, rule, file),
            ModalityRule::ClinicalTable(_) | ModalityRule::Table(_) | ModalityRule::Visits(_) => return Ok(None),
        };
        Ok(Some(recording))
    }
}

fn series(source: &Source, rule: &ModalityRule, keys: &DelimitedRule, file: &str) -> Result<Recording, DataError> {
    let table = source.table(file, &keys.layout)?;
    let time = table.column(&keys.time, &format!("modality.{}.time", keys.name))?;
    let mut times = Vec::with_capacity(table.rows.len());
    for row in &table.rows {
        let field = row.field(time);
        let number: Option<f64> = keys.layout.number(field).filter(|secs: &f64| secs.is_finite());
        let secs = number.map(|number| number * keys.time_unit.secs());
        match secs.filter(|secs| times.last().is_none_or(|last| last <= secs)) {
            Some(secs) => times.push(secs),
            None => {
                let expected = format!("{}, none less than in the row before", keys.time_unit);
                return Err(source.field_error(&table, row, &keys.time, expected, &keys.layout));
            }
        }
    }
    let values = columns(source, &table, &keys.layout, rule, &table.rows)?;
    Ok(Recording {
        times_secs: Some(times),
        values,
    })
}

/// Some columns of some rows as numbers, `[rows, channels]`, NaN where missing.
fn columns(
    source: &Source,
    table: &DelimitedTable,
    layout: &DelimitedLayout,
    rule: &ModalityRule,
    rows: &[DelimitedRow],
) -> Result<Array2<f32>, DataError> {
    let key = format!("modality.{}.channels", rule.name());
    let indices = rule
        .columns()
        .iter()
        .map(|rule| Ok((rule, table.column(&rule.column, &key)?)));
    let indices = indices.collect::<Result<Vec<(&ColumnRule, usize)>, DataError>>()?;
    let mut values = Array2::zeros((rows.len(), indices.len()));
    for (row, mut row_values) in rows.iter().zip(values.rows_mut()) {
        for ((rule, index), value) in indices.iter().zip(&mut row_values) {
            let field = row.field(*index);
            *value = if layout.is_missing(field) {
                f32::NAN
            } else {
                let number = rule.number(field, layout);
                number.map_err(|expected| source.field_error(table, row, &rule.column, expected, layout))?
            };
        }
    }
    Ok(values)
}

impl ColumnRule {
    /// The number that a field stands for, or what was expected.
    fn number(&self, field: &str, layout: &DelimitedLayout) -> Result<f32, String> {
        let number = match &self.categories {
            Some(categories) => {
                let known = || format!("one of {:?}", categories.keys().collect::<Vec<_>>());
                *categories.get(field).ok_or_else(known)?
            }
            None => {
                let number = layout.number(field).filter(|number: &f32| number.is_finite());
                number.ok_or_else(|| match self.unit() {
                    "1" => "a number".to_string(),
                    unit => format!("a number in {unit}"),
                })?
            }
        };
        // As it was written: 0.1 is no multiple of 0.1 after rounding to `f32`.
        if let (Some(scale), Some(score)) = (self.scale, layout.number::<f64>(field)) {
            scale.check(score)?;
        }
        match self.range {
            Some([low, high]) if !(low..=high).contains(&number) => Err(format!("{low} to {high} {}", self.unit())),
            _ => Ok(number),
        }
    }
}

impl TimeUnit {
    /// Seconds of one unit; samples have none of their own.
    pub(crate) fn secs(self) -> f64 {
        match self {
            Self::Seconds | Self::Sample => 1.0,
            Self::Milliseconds => 1e-3,
            Self::Microseconds => 1e-6,
        }
    }
}

impl std::fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Sample => "samples",
        })
    }
}
