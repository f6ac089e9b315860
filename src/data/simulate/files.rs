//! The simulated cohort as files in the formats of real datasets, with the card that reads them back.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;

use super::patient::{PatientTruth, VISIT_WEEKS};
use super::recordings::{CLINICAL, EMG_GAIN, FORCE_GAIN, IMAGE_SIDE};
use super::{NAME, Outcome, SimulateConfig, TRAITS};
use crate::data::{Channel, Cohort, DataError, ModalityKind, ModalitySpec, Recording, Session};

/// Writes `dir/card.toml`, the files that it reads below `dir/raw`, and beside them what no card may read: `truth.csv`,
/// `visits.csv` with all scores over the 12 weeks, and a `README.txt`. Returns the path of the card.
///
/// # Errors
/// [`DataError::Io`] when a file cannot be written, or when the folder holds something already; [`DataError::Cohort`] for
/// a configuration with problems.
pub fn write(config: &SimulateConfig, dir: &Path) -> Result<PathBuf, DataError> {
    if let Some((place, problem)) = config.problems().into_iter().next() {
        return Err(DataError::Cohort { cohort: NAME.into(), place, problem });
    }
    let raw = dir.join("raw");
    fs::create_dir_all(dir).map_err(DataError::io(dir, "create"))?;
    // A recording left from another cohort would turn up where this one lacks it.
    if fs::read_dir(dir).map_err(DataError::io(dir, "read"))?.next().is_some() {
        let reason = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "the folder is not empty");
        return Err(DataError::io(dir, "write a cohort to")(reason));
    }
    let (cohort, truth) = (config.generate(), config.truth());
    for (modality, spec) in cohort.modalities.iter().enumerate() {
        match spec.kind {
            ModalityKind::Row => save(&raw.join(format!("{}.csv", spec.name)), table(&cohort, modality).as_bytes())?,
            _ => write_recordings(&cohort, modality, &raw.join(&spec.name))?,
        }
    }
    save(&raw.join("patients.csv"), patients(&cohort, &truth).as_bytes())?;
    save(&dir.join("visits.csv"), visits(&truth).as_bytes())?;
    save(&dir.join("truth.csv"), truth_table(config, &truth).as_bytes())?;
    save(&dir.join("README.txt"), readme(config).as_bytes())?;
    let card = dir.join("card.toml");
    save(&card, card_text(config, &cohort).as_bytes())?;
    Ok(card)
}

/// Writes a file and the folders above it.
fn save(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(DataError::io(folder, "create"))?;
    }
    fs::write(path, bytes).map_err(DataError::io(path, "write"))
}

/// One file, or header and samples, per session that has the modality.
fn write_recordings(cohort: &Cohort, modality: usize, folder: &Path) -> Result<(), DataError> {
    let Some(spec) = cohort.modalities.get(modality) else { return Ok(()) };
    fs::create_dir_all(folder).map_err(DataError::io(folder, "create"))?;
    sessions(cohort).par_bridge().try_for_each(|session| match recording(session, modality) {
        None => Ok(()),
        Some(recording) => match spec.kind {
            ModalityKind::Signal { rate_hz } => write_wfdb(folder, &session.id, spec, rate_hz, recording.values.view()),
            _ => write_png(&folder.join(format!("{}.png", session.id)), recording.values.row(0)),
        },
    })
}

fn sessions(cohort: &Cohort) -> impl Iterator<Item = &Session> + Send {
    cohort.subjects.iter().flat_map(|subject| &subject.sessions)
}

fn recording(session: &Session, modality: usize) -> Option<&Recording> {
    session.recordings.get(modality)?.as_ref()
}

/// A WFDB record of format 16: little-endian samples of all signals in turn; see `header(5)` and `signal(5)`.
fn write_wfdb(
    folder: &Path,
    name: &str,
    spec: &ModalitySpec,
    rate_hz: f64,
    values: ArrayView2<f32>,
) -> Result<(), DataError> {
    let gain = if spec.name == "emg" { EMG_GAIN } else { FORCE_GAIN };
    // The recordings are multiples of 1 / gain within 16 bits.
    let samples = values.map(|&value| (f64::from(value) * gain) as i16);
    let mut header = format!("{name} {} {rate_hz} {}\n", spec.channels.len(), samples.nrows());
    for (channel, signal) in spec.channels.iter().zip(samples.columns()) {
        let initial = signal.first().copied().unwrap_or(0);
        let checksum = signal.iter().fold(0i16, |sum, &sample| sum.wrapping_add(sample));
        let calibration = format!("{gain}/{}", channel.unit);
        let _ = writeln!(header, "{name}.dat 16 {calibration} 16 0 {initial} {checksum} 0 {}", channel.name);
    }
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    save(&folder.join(format!("{name}.dat")), &bytes)?;
    save(&folder.join(format!("{name}.hea")), header.as_bytes())
}

fn write_png(path: &Path, pixels: ArrayView1<f32>) -> Result<(), DataError> {
    let bytes: Vec<u8> = pixels.iter().map(|&value| (255.0 * value).round() as u8).collect();
    let side = IMAGE_SIDE as u32;
    let saved = image::save_buffer(path, &bytes, side, side, image::ExtendedColorType::L8);
    saved.map_err(|error| DataError::io(path, "write")(std::io::Error::other(error)))
}

/// One line per session that has the modality; an empty field is a missing value.
fn table(cohort: &Cohort, modality: usize) -> String {
    let channels = cohort.modalities.get(modality).map(|spec| spec.channels.as_slice()).unwrap_or_default();
    let header = std::iter::once("patient").chain(channels.iter().map(|channel| channel.name.as_str()));
    let mut text = header.collect::<Vec<_>>().join(",") + "\n";
    for session in sessions(cohort) {
        let Some(recording) = recording(session, modality) else { continue };
        text.push_str(&session.id);
        for value in &recording.values {
            let _ = if value.is_nan() { write!(text, ",") } else { write!(text, ",{value}") };
        }
        text.push('\n');
    }
    text
}

/// Site and class of each patient.
fn patients(cohort: &Cohort, truth: &[PatientTruth]) -> String {
    let mut text = String::from("patient,site,fma_change,outcome\n");
    for (subject, truth) in cohort.subjects.iter().zip(truth) {
        let class = subject.sessions.first().and_then(|session| cohort.classes.get(session.class));
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
            let value = reading.filter(|reading| reading.noise.is_finite()).map(|reading| reading.value.to_string());
            text.push_str(&format!(",{}", value.unwrap_or_default()));
        }
        let artefact = patient.artefact.map_or("", |artefact| artefact.name());
        let (course, responder) = (patient.course.name(), u8::from(patient.responder));
        let _ = writeln!(text, ",{course},{},{responder},{},{artefact}", patient.change, patient.probability);
    }
    text
}

/// How the loader of real datasets reads the files above.
fn card_text(config: &SimulateConfig, cohort: &Cohort) -> String {
    let label = match config.outcome {
        Outcome::Response => format!("kind = \"threshold\"\ncolumn = \"fma_change\"\nat_least = {:?}\n", config.mcid),
        Outcome::Anomaly => "kind = \"column\"\ncolumn = \"outcome\"\n".into(),
    };
    let mut text = format!(
        "name = {:?}\ntitle = \"Simulated rehabilitation cohort\"\nlicence = \"CC0-1.0\"\nclasses = {:?}\n\n\
         [subjects]\nkind = \"table\"\n\n[table]\nfile = \"patients.csv\"\nid = \"patient\"\nsite = \"site\"\n\n\
         [label]\n{label}",
        cohort.name, cohort.classes,
    );
    for spec in &cohort.modalities {
        let name = &spec.name;
        let _ = match spec.kind {
            ModalityKind::Signal { rate_hz } => write!(
                text,
                "\n[[modality]]\nkind = \"wfdb\"\nname = \"{name}\"\nrecord = \"{name}/{{subject}}\"\n\
                 rate_hz = {rate_hz:?}\nscale = \"physical\"\noptional = true\n"
            ),
            ModalityKind::Image { height, width } => write!(
                text,
                "\n[[modality]]\nkind = \"image\"\nname = \"{name}\"\nfile = \"{name}/{{subject}}.png\"\n\
                 color = \"gray\"\nheight = {height}\nwidth = {width}\noptional = true\n"
            ),
            ModalityKind::Row | ModalityKind::Series => write!(
                text,
                "\n[[modality]]\nkind = \"table\"\nname = \"{name}\"\nfile = \"{name}.csv\"\nid = \"patient\"\n\
                 optional = true\n"
            ),
        };
        text.push_str(&channels_text(spec));
    }
    text
}

fn channels_text(spec: &ModalitySpec) -> String {
    let line = |Channel { name, unit }: &Channel| match spec.kind {
        ModalityKind::Row => {
            format!("    {{ column = \"{name}\", unit = \"{unit}\", range = {:?} }},\n", range_of(name))
        }
        _ => format!("    {{ name = \"{name}\", unit = \"{unit}\" }},\n"),
    };
    match spec.kind {
        ModalityKind::Image { .. } => String::new(),
        _ => format!("channels = [\n{}]\n", spec.channels.iter().map(line).collect::<String>()),
    }
}

/// Smallest and largest value of a column of the two tables.
fn range_of(column: &str) -> [f64; 2] {
    let clinical = CLINICAL.iter().find(|(name, _, _)| *name == column).map(|(_, _, range)| *range);
    clinical.unwrap_or(match column {
        "fma_gain" => [-66.0, 66.0],
        _ if column.starts_with("fma") => [0.0, 66.0],
        _ => [0.0, 100.0],
    })
}

fn readme(config: &SimulateConfig) -> String {
    let best = match config.outcome {
        Outcome::Response => config.best_auc().to_string(),
        Outcome::Anomaly => "The class is whether the EMG has an artefact.\n".into(),
    };
    let pad = "";
    format!(
        "A simulated rehabilitation cohort; no patient is behind it.\n\n\
         Patients: {}, seed: {}, effect: {}, responders gain at least {} points of the Fugl-Meyer score of the upper\n\
         extremity (0 to 66) within 12 weeks. Inputs are recorded up to week 4.\n\n{best}\n\
         card.toml    how the files below raw/ become a cohort\n\
         raw/         patients.csv: site and outcome; clinical.csv and scales.csv: a row per patient, empty: missing;\n\
{pad:13}emg/ (mV) and force/ (N): WFDB records of format 16; motion/: images of 8 bits\n\
         visits.csv   all scores of the 12 weeks: those after week 4 are the outcome, not an input\n\
         truth.csv    what was planted: traits u, readings v, course, P(responder | v), artefacts; never an input\n",
        config.num_subjects, config.seed, config.effect, config.mcid,
    )
}
