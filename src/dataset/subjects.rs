//! A cohort in memory: subjects, their sessions, and one table of rows per session and modality.

use std::cmp::Ordering;
use std::collections::HashSet;

use ndarray::Array2;
use recoup_formats::order::natural_cmp;
use serde::{Deserialize, Serialize};

use crate::dataset::error::DataError;

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
        let fail = |place: String, problem: String| {
            Err(DataError::Cohort {
                cohort: self.name.clone(),
                place,
                problem,
            })
        };
        let mut names = HashSet::new();
        if let Some(twice) = self.classes.iter().find(|class| !names.insert(class.as_str())) {
            return fail("classes".into(), format!("`{twice}` stands twice"));
        }
        names.clear();
        for spec in &self.modalities {
            let place = format!("modality `{}`", spec.name);
            if !names.insert(spec.name.as_str()) {
                return fail(place, "this name is used twice".into());
            }
            if spec.num_columns() == 0 {
                return fail(place, "has no columns, expected at least one channel".into());
            }
            let mut channels = HashSet::new();
            if let Some(twice) = spec.channels.iter().find(|channel| !channels.insert(&channel.name)) {
                return fail(place, format!("channel `{}` stands twice", twice.name));
            }
            if let ModalityKind::Signal { rate_hz } = spec.kind
                && !(rate_hz.is_finite() && rate_hz > 0.0)
            {
                return fail(place, format!("rate_hz is {rate_hz}, expected a positive number"));
            }
        }
        for pair in self.subjects.windows(2) {
            if let [a, b] = pair
                && natural_cmp(&a.id, &b.id) != Ordering::Less
            {
                return fail(
                    format!("subject `{}`", b.id),
                    format!("stands after `{}`, expected unique ids in natural order", a.id),
                );
            }
        }
        for subject in &self.subjects {
            let mut ids = HashSet::new();
            for session in &subject.sessions {
                let place = format!("subject `{}`, session `{}`", subject.id, session.id);
                if !ids.insert(session.id.as_str()) {
                    return fail(place, "this id is used twice".into());
                }
                if let Err((modality, problem)) = self.check_session(session) {
                    return fail(format!("{place}{modality}"), problem);
                }
            }
            if subject.sessions.is_empty() {
                return fail(format!("subject `{}`", subject.id), "has no session".into());
            }
        }
        Ok(())
    }

    fn check_session(&self, session: &Session) -> Result<(), (String, String)> {
        let (found, expected) = (session.recordings.len(), self.modalities.len());
        if session.class >= self.classes.len() {
            let problem = format!("class is {}, expected less than {}", session.class, self.classes.len());
            return Err((String::new(), problem));
        }
        if found != expected {
            return Err((
                String::new(),
                format!("{found} recordings, expected one per modality ({expected})"),
            ));
        }
        for (spec, recording) in self.modalities.iter().zip(&session.recordings) {
            if let Some(recording) = recording {
                check_recording(spec, recording).map_err(|problem| (format!(", modality `{}`", spec.name), problem))?;
            }
        }
        Ok(())
    }
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
