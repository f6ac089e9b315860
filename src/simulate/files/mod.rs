//! The simulated cohort as files in the formats of real datasets, with the card that reads them back.

mod card;
mod laboratory;
mod physionet;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use rayon::prelude::*;

use super::patient::{PatientTruth, VISIT_WEEKS};
use super::{NAME, Outcome, SimulateConfig, TRAITS};
use crate::base::FileError;
use crate::dataset::DataError;
use crate::dataset::subjects::{Cohort, Recording, Session};

/// The formats in which [`write()`] stores the recordings; either way they load as the same cohort, bit for bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileLayout {
    /// Signals as WFDB, images as PNG, tables as CSV.
    #[default]
    Physionet,
    /// EMG as analog channels of C3D, force as EDF, images as NIfTI, tables as Parquet.
    Laboratory,
}

/// Writes `dir/card.toml`, the files that it reads below `dir/raw`, and beside them what no card may read: `truth.csv`,
/// `visits.csv` with all scores over the 12 weeks, and a `README.txt`. Returns the path of the card.
///
/// # Errors
/// [`FileError`] when a file cannot be written, or when the folder holds something already; [`DataError::Cohort`] for
/// a configuration with problems.
pub fn write(config: &SimulateConfig, layout: FileLayout, dir: &Path) -> Result<PathBuf, DataError> {
    if let Some(problem) = config.problems().into_iter().next() {
        return Err(DataError::Cohort {
            cohort: NAME.into(),
            place: problem.key,
            problem: problem.message,
        });
    }
    let raw = dir.join("raw");
    create(dir)?;
    // A recording left from another cohort would turn up where this one lacks it.
    if fs::read_dir(dir).map_err(FileError::io(dir, "read"))?.next().is_some() {
        let reason = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "the folder is not empty");
        return Err(FileError::io(dir, "write a cohort to")(reason).into());
    }
    let (cohort, truth) = (config.generate(), config.truth());
    for (modality, spec) in cohort.modalities.iter().enumerate() {
        match layout {
            FileLayout::Physionet => physionet::write(&cohort, modality, spec, &raw)?,
            FileLayout::Laboratory => laboratory::write(&cohort, modality, spec, &raw)?,
        }
    }
    save(&raw.join("patients.csv"), patients(&cohort, &truth).as_bytes())?;
    save(&dir.join("visits.csv"), visits(&truth).as_bytes())?;
    save(&dir.join("truth.csv"), truth_table(config, &truth).as_bytes())?;
    save(&dir.join("README.txt"), readme(config, layout).as_bytes())?;
    let path = dir.join("card.toml");
    save(&path, card::text(config, &cohort, layout).as_bytes())?;
    Ok(path)
}

fn create(folder: &Path) -> Result<(), FileError> {
    fs::create_dir_all(folder).map_err(FileError::io(folder, "create"))
}

/// Writes a file and the folders above it.
fn save(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    path.parent().map_or(Ok(()), create)?;
    fs::write(path, bytes).map_err(FileError::io(path, "write"))
}

/// Calls `write` with the id and the values of each session that has the modality.
fn each_recording(
    cohort: &Cohort,
    modality: usize,
    write: impl Fn(&str, &Array2<f32>) -> Result<(), FileError> + Sync,
) -> Result<(), FileError> {
    sessions(cohort)
        .par_bridge()
        .try_for_each(|session| match recording(session, modality) {
            None => Ok(()),
            Some(recording) => write(&session.id, &recording.values),
        })
}

fn sessions(cohort: &Cohort) -> impl Iterator<Item = &Session> + Send {
    cohort.subjects.iter().flat_map(|subject| &subject.sessions)
}

fn recording(session: &Session, modality: usize) -> Option<&Recording> {
    session.recordings.get(modality)?.as_ref()
}

/// Site and class of each patient.
fn patients(cohort: &Cohort, truth: &[PatientTruth]) -> String {
    let mut text = String::from("patient,site,fma_change,outcome\n");
    for (subject, truth) in cohort.subjects.iter().zip(truth) {
        let class = subject
            .sessions
            .first()
            .and_then(|session| cohort.classes.get(session.class));
        let (site, class) = (subject.site.as_deref().unwrap_or(""), class.map_or("", String::as_str));
        let _ = writeln!(text, "{},{site},{},{class}", subject.id, truth.change);
    }
    text
}

/// Long format: every score of every visit.
fn visits(truth: &[PatientTruth]) -> String {
    let mut text = String::from("patient,week,item,value\n");
    for patient in truth {
        for (item, scores) in [("fma_ue", &patient.fma), ("barthel", &patient.barthel)] {
            for (week, score) in VISIT_WEEKS.iter().zip(scores) {
                let _ = writeln!(text, "{},{week},{item},{score}", patient.id);
            }
        }
    }
    text
}

/// Everything that was planted. Traits u, and readings v where the modality was recorded.
fn truth_table(config: &SimulateConfig, truth: &[PatientTruth]) -> String {
    let of = |letter: &str| TRAITS.map(|planted| format!("{letter}_{}", planted.modality)).join(",");
    let (traits, readings) = (of("u"), of("v"));
    let mut text = format!("patient,site,{traits},{readings},course,fma_change,responder,probability,artefact\n");
    for patient in truth {
        let _ = write!(text, "{},{}", patient.id, config.site_name(patient.site));
        patient.traits.iter().for_each(|u| text.push_str(&format!(",{u}")));
        for reading in &patient.readings {
            let value = reading
                .filter(|reading| reading.noise.is_finite())
                .map(|reading| reading.value.to_string());
            text.push_str(&format!(",{}", value.unwrap_or_default()));
        }
        let artefact = patient.artefact.map_or("", |artefact| artefact.name());
        let (course, responder) = (patient.course.name(), u8::from(patient.responder));
        let _ = writeln!(
            text,
            ",{course},{},{responder},{},{artefact}",
            patient.change, patient.probability
        );
    }
    text
}

fn readme(config: &SimulateConfig, layout: FileLayout) -> String {
    let best = match config.outcome {
        Outcome::Response => config.best_auc().to_string(),
        Outcome::Anomaly => "The class is whether the EMG has an artefact.\n".into(),
    };
    let (extension, missing, recordings) = match layout {
        FileLayout::Physionet => (
            "csv",
            "empty",
            "emg/ (mV) and force/ (N): WFDB records of format 16; motion/: images of 8 bits",
        ),
        FileLayout::Laboratory => (
            "parquet",
            "NaN",
            "emg/ (mV): C3D; force/ (N): EDF, in steps of 1/16 N; motion/: NIfTI, a pixel is no mm",
        ),
    };
    let pad = "";
    format!(
        "A simulated rehabilitation cohort; no patient is behind it.\n\n\
         Patients: {}, seed: {}, effect: {}, responders gain at least {} points of the Fugl-Meyer score of the upper\n\
         extremity (0 to 66) within 12 weeks. Inputs are recorded up to week 4.\n\n{best}\n\
         card.toml    how the files below raw/ become a cohort\n\
         raw/         patients.csv: site and outcome; clinical.{extension} and scales.{extension}: a row per patient,\n\
{pad:13}{missing}: missing; {recordings}\n\
         visits.csv   all scores of the 12 weeks: those after week 4 are the outcome, not an input\n\
         truth.csv    what was planted: traits u, readings v, course, P(responder | v), artefacts; never an input\n",
        config.num_subjects, config.seed, config.effect, config.mcid,
    )
}
