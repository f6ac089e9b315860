//! A cohort in memory: subjects, their sessions, and one table of rows per session and modality.

use std::cmp::Ordering;
use std::collections::HashSet;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::dataset::error::DataError;
use recoup_formats::order::natural_cmp;

/// Subjects with their sessions, as read from the files of a dataset or simulated.
#[derive(Debug, Clone, PartialEq)]
pub struct Cohort {
    /// Name of the dataset.
    pub name: String,
    /// Names of the classes; a session's class is an index into them.
    pub classes: Vec<String>,
    /// The modalities, in the order of every session's recordings.
    pub modalities: Vec<ModalitySpec>,
    /// The subjects in natural order of their ids (`als2` before `als10`).
    pub subjects: Vec<Subject>,
}

/// What one modality is, for every session of the cohort.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModalitySpec {
    /// Name, unique in the cohort.
    pub name: String,
    /// How its rows lie in time.
    pub kind: ModalityKind,
    /// The columns of its table. An image has one per pixel plane: its rows are flat `[channels * height * width]`.
    pub channels: Vec<Channel>,
}

/// One channel of a modality.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Name, unique in the modality.
    pub name: String,
    /// Unit of the stored values; `1` for numbers without one.
    pub unit: String,
}

/// How the rows of a modality lie in time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ModalityKind {
    /// One row per session: a clinical table.
    Row,
    /// One row per sample at a fixed rate; row 0 is the start of the session's clock.
    Signal {
        /// Samples per second.
        rate_hz: f64,
    },
    /// Rows at irregular times on the session's clock, such as one per stride.
    Series,
    /// Images, one or more per session, each a flat row in the order channel, line, column.
    Image {
        /// Lines of one image.
        height: usize,
        /// Columns of one image.
        width: usize,
    },
}

/// One subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Id, unique in the cohort.
    pub id: String,
    /// Hospital or laboratory, where the dataset tells.
    pub site: Option<String>,
    /// What ties subjects together, such as a family or a therapist: a split never separates them.
    pub group: Option<String>,
    /// The subject's sessions; at least one.
    pub sessions: Vec<Session>,
}

/// One visit of a subject, with one label.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Id, unique in the subject.
    pub id: String,
    /// Index into [`Cohort::classes`].
    pub class: usize,
    /// One entry per modality of the cohort; `None` where the session lacks it.
    pub recordings: Vec<Option<Recording>>,
}

/// The rows of one modality in one session.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Seconds on the session's clock, one per row and ascending; present exactly for [`ModalityKind::Series`].
    pub times_secs: Option<Vec<f64>>,
    /// `[rows, columns]`; NaN is a missing value, infinities are not allowed.
    pub values: Array2<f32>,
}

impl ModalitySpec {
    /// Columns of the modality's table: channels, times the pixels of one plane for images.
    pub fn num_columns(&self) -> usize {
        match self.kind {
            ModalityKind::Image { height, width } => self.channels.len() * height * width,
            _ => self.channels.len(),
        }
    }

    /// As [`num_columns`](Self::num_columns); `None` where the number is none that a computer can hold.
    pub(crate) fn checked_columns(&self) -> Option<usize> {
        match self.kind {
            ModalityKind::Image { height, width } => self.channels.len().checked_mul(height)?.checked_mul(width),
            _ => Some(self.channels.len()),
        }
    }
}

impl Cohort {
    /// Index of the modality called `name`.
    pub fn modality(&self, name: &str) -> Option<usize> {
        self.modalities.iter().position(|spec| spec.name == name)
    }

    /// Checks everything that the rest of the code takes for granted: unique names, subjects in natural order, classes
    /// in range, and for each recording its shape, its times and the absence of infinities.
    ///
    /// # Errors
    /// [`DataError::Cohort`] at the first contradiction.
    pub fn validate(&self) -> Result<(), DataError> {
        let fail = |(place, problem)| DataError::Cohort {
            cohort: self.name.clone(),
            place,
            problem,
        };
        check_names(&self.classes, &self.modalities).map_err(fail)?;
        let ids = self.subjects.iter().map(|subject| subject.id.as_str());
        check_order(ids).map_err(fail)?;
        for subject in &self.subjects {
            let mut ids = HashSet::new();
            for session in &subject.sessions {
                if !ids.insert(session.id.as_str()) {
                    let place = place_of(&subject.id, &session.id);
                    return Err(fail((place, "this id is used twice".into())));
                }
                check_session(&self.modalities, self.classes.len(), &subject.id, session).map_err(fail)?;
            }
            if subject.sessions.is_empty() {
                let place = format!("subject `{}`", subject.id);
                return Err(fail((place, "has no session".into())));
            }
        }
        Ok(())
    }
}

/// Place and problem of a contradiction.
type Contradiction = (String, String);

fn place_of(subject: &str, session: &str) -> String {
    format!("subject `{subject}`, session `{session}`")
}

/// Names of classes, modalities and channels are unique, each modality has columns, and each rate makes sense.
pub(crate) fn check_names(classes: &[String], modalities: &[ModalitySpec]) -> Result<(), Contradiction> {
    let mut names = HashSet::new();
    if let Some(twice) = classes.iter().find(|class| !names.insert(class.as_str())) {
        return Err(("classes".into(), format!("`{twice}` stands twice")));
    }
    names.clear();
    for spec in modalities {
        let fail = |problem| Err((format!("modality `{}`", spec.name), problem));
        if !names.insert(spec.name.as_str()) {
            return fail("this name is used twice".into());
        }
        if spec.checked_columns().is_none_or(|columns| columns == 0) {
            return fail("has no columns, or more than there can be, expected at least one channel".into());
        }
        let mut channels = HashSet::new();
        if let Some(twice) = spec.channels.iter().find(|channel| !channels.insert(&channel.name)) {
            return fail(format!("channel `{}` stands twice", twice.name));
        }
        if let ModalityKind::Signal { rate_hz } = spec.kind
            && !(rate_hz.is_finite() && rate_hz > 0.0)
        {
            return fail(format!("rate_hz is {rate_hz}, expected a positive number"));
        }
    }
    Ok(())
}

/// Ids of subjects are unique and in natural order.
pub(crate) fn check_order<'a>(ids: impl Iterator<Item = &'a str> + Clone) -> Result<(), Contradiction> {
    let mut pairs = ids.clone().zip(ids.skip(1));
    match pairs.find(|(a, b)| natural_cmp(a, b) != Ordering::Less) {
        None => Ok(()),
        Some((a, b)) => {
            let problem = format!("stands after `{a}`, expected unique ids in natural order");
            Err((format!("subject `{b}`"), problem))
        }
    }
}

/// A session has a class and a recording, or none, for each modality.
pub(crate) fn check_session(
    modalities: &[ModalitySpec],
    num_classes: usize,
    subject: &str,
    session: &Session,
) -> Result<(), Contradiction> {
    let place = place_of(subject, &session.id);
    let (found, expected) = (session.recordings.len(), modalities.len());
    if session.class >= num_classes {
        return Err((
            place,
            format!("class is {}, expected less than {num_classes}", session.class),
        ));
    }
    if found != expected {
        return Err((
            place,
            format!("{found} recordings, expected one per modality ({expected})"),
        ));
    }
    for (spec, recording) in modalities.iter().zip(&session.recordings) {
        if let Some(recording) = recording {
            let in_modality = |problem| (format!("{place}, modality `{}`", spec.name), problem);
            check_recording(spec, recording).map_err(in_modality)?;
        }
    }
    Ok(())
}

fn check_recording(spec: &ModalitySpec, recording: &Recording) -> Result<(), String> {
    let (rows, columns) = recording.values.dim();
    if columns != spec.num_columns() {
        return Err(format!("{columns} columns, expected {}", spec.num_columns()));
    }
    match spec.kind {
        ModalityKind::Row if rows != 1 => return Err(format!("{rows} rows, expected 1")),
        _ if rows == 0 => return Err("no rows, expected at least one (or no recording at all)".into()),
        _ => {}
    }
    match (&recording.times_secs, spec.kind) {
        (Some(times), ModalityKind::Series) => {
            if times.len() != rows {
                return Err(format!("{} times for {rows} rows", times.len()));
            }
            let ascending = times.windows(2).all(|pair| matches!(pair, [a, b] if a <= b));
            if !ascending || !times.iter().all(|t| t.is_finite()) {
                return Err("times_secs is not ascending and finite".into());
            }
        }
        (None, ModalityKind::Series) => return Err("no times_secs, expected one per row of a series".into()),
        (Some(_), _) => return Err("has times_secs, which only a series may have".into()),
        (None, _) => {}
    }
    match recording.values.indexed_iter().find(|(_, value)| value.is_infinite()) {
        Some(((row, column), value)) => Err(format!(
            "row {row}, column {column} is {value}; NaN marks a missing value"
        )),
        None => Ok(()),
    }
}
