//! From the files of a dataset to a cohort, as its card says.

use std::path::Path;

use rayon::prelude::*;

use super::card::Card;
use super::subjects::{Cohort, Session, Subject};
use crate::dataset::error::DataError;

mod annotations;
mod columns;
mod found;
mod images;
mod label;
mod points;
mod reading;
mod samples;
mod series;
mod sessions;
mod signal;
mod source;
mod stream;
mod table_signal;
mod tables;
mod visits;

pub use sessions::{FoundSession, FoundSubject, LoadedSession, SessionReader};
pub use stream::SignalStream;

/// Reads the dataset of `card` from `raw_dir` into memory, checking the hash of each file it opens. Preparation reads a
/// dataset session by session instead, through [`SessionReader`].
///
/// # Errors
/// [`DataError::Io`] for a missing file; [`DataError::File`] for one with another hash than declared, or that is not what
/// its format, its own header or the card promise, or that contradicts another; [`DataError::NonFinite`] for missing
/// samples that the card does not expect; [`DataError::Card`] for a card that does not fit the data.
pub fn load_cohort(card: &Card, raw_dir: &Path) -> Result<Cohort, DataError> {
    let reader = SessionReader::open(card, raw_dir)?;
    let session = |session: &FoundSession| reader.read(session).map(|loaded| loaded.session);
    let subject = |subject: &FoundSubject| {
        let sessions = subject
            .sessions
            .iter()
            .map(session)
            .collect::<Result<Vec<Session>, DataError>>()?;
        Ok(Subject {
            id: subject.id.clone(),
            site: subject.site.clone(),
            group: subject.group.clone(),
            sessions,
        })
    };
    // Collected first, so that of several errors always the same one is reported.
    let subjects: Vec<Result<Subject, DataError>> = reader.subjects().par_iter().map(subject).collect();
    let cohort = Cohort {
        name: card.name.clone(),
        classes: card.classes.clone(),
        modalities: reader.modalities(),
        subjects: subjects.into_iter().collect::<Result<_, _>>()?,
    };
    cohort.validate()?;
    Ok(cohort)
}
