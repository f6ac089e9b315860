//! The files of the simulated cohort load as the cohort, and the libraries of their formats read what was simulated.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use recoup::dataset::card::Card;
use recoup::dataset::load::load_cohort;
use recoup::dataset::subjects::{Cohort, ModalityKind};
use recoup::simulate::{FileLayout, Outcome, SimulateConfig, write};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Content, EMG, small};

const LAYOUTS: [FileLayout; 2] = [FileLayout::Physionet, FileLayout::Laboratory];

/// Writes and loads a cohort, which must be the one in memory.
fn round_trip(config: &SimulateConfig, layout: FileLayout, folder: &Path) -> Cohort {
    let card = write(config, layout, folder).unwrap();
    assert_eq!(card, folder.join("card.toml"));
    let cohort = load_cohort(&Card::load(&card).unwrap(), &folder.join("raw")).unwrap();
    let expected = config.generate();
    assert_eq!((&cohort.name, &cohort.classes), (&expected.name, &expected.classes));
    assert_eq!(cohort.modalities, expected.modalities);
    assert_eq!(Content::of(&cohort), Content::of(&expected), "{layout:?}");
    cohort
}

/// Names below a folder that end with `extension`.
fn files(folder: &Path, extension: &str) -> Vec<String> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| name.ends_with(extension)).collect();
    names.sort();
    names
}

#[test]
fn the_files_read_back_as_the_cohort() {
    for (outcome, layout) in [Outcome::Response, Outcome::Anomaly]
        .into_iter()
        .flat_map(|o| LAYOUTS.map(|l| (o, l)))
    {
        let config = SimulateConfig {
            missing: 0.3,
            anomalies: 0.5,
            outcome,
            ..small(30)
        };
        let folder = tempfile::tempdir().unwrap();
        let cohort = round_trip(&config, layout, folder.path());
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("visits.csv").lines().count(), 1 + 30 * 2 * 7);
        let (truth, table) = (config.truth(), read("truth.csv"));
        for (line, patient) in table.lines().skip(1).zip(&truth) {
            let fields: Vec<_> = line.split(',').collect();
            assert_eq!((fields.len(), fields[0]), (17, patient.id.as_str()));
            let number = |field: usize| fields[field].parse::<f64>().ok();
            assert_eq!(number(2 + EMG), Some(patient.traits[EMG]));
            assert_eq!(number(7 + EMG), patient.readings[EMG].map(|reading| reading.value));
            assert_eq!(
                (number(13), number(15)),
                (Some(patient.change), Some(patient.probability))
            );
            assert_eq!(fields[16].is_empty(), patient.artefact.is_none());
        }
        let readme = read("README.txt");
        assert_eq!(
            readme.contains("best AUC of any model"),
            outcome == Outcome::Response,
            "{readme}"
        );
        let error = write(&config, layout, folder.path()).unwrap_err().to_string();
        let path = folder.path().display();
        assert_eq!(
            error,
            format!("{path}: cannot write a cohort to: the folder is not empty")
        );
        // One file, or header and samples, per recording, and no other.
        let formats = match layout {
            FileLayout::Physionet => ["hea", "hea", "png"],
            FileLayout::Laboratory => ["c3d", "edf", "nii"],
        };
        for (modality, format) in (EMG..).zip(formats) {
            let recorded = cohort
                .subjects
                .iter()
                .filter(|s| s.sessions[0].recordings[modality].is_some())
                .count();
            let folder = folder.path().join("raw").join(&cohort.modalities[modality].name);
            let num_files = if format == "hea" { 2 * recorded } else { recorded };
            assert_eq!(
                (files(&folder, format).len(), files(&folder, "").len()),
                (recorded, num_files)
            );
        }
    }
}

#[test]
fn recordings_of_any_length_are_written_whole() {
    // 251 samples are no whole frames of five; 16,001 and 251 are primes, 16,001 too many for one record of EDF.
    for (emg_secs, force_secs) in [(0.502, 160.01), (131.072, 2.51), (1.0, 0.5)] {
        let config = SimulateConfig {
            emg_secs,
            force_secs,
            missing: 0.0,
            ..small(2)
        };
        for layout in LAYOUTS {
            round_trip(&config, layout, tempfile::tempdir().unwrap().path());
        }
    }
}

/// What a library of the format reads from the files of one modality.
#[derive(Debug, PartialEq, Deserialize)]
struct Reading {
    channels: Vec<String>,
    units: Vec<String>,
    rate_hz: Option<f64>,
    patients: usize,
    /// Of the values of all patients as little-endian `f32`, the channels of a sample together.
    values_sha256: String,
    /// Of the files one after another; `None` for Parquet, where the name of the writer's version is among the bytes.
    files_sha256: Option<String>,
}

#[derive(Deserialize)]
struct Golden {
    num_subjects: usize,
    modalities: BTreeMap<String, Reading>,
}

fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_libraries_of_the_formats_read_what_was_simulated() {
    let golden: Golden = serde_json::from_str(include_str!("../../../golden/simulate_files.json")).unwrap();
    let config = small(golden.num_subjects);
    let cohort = config.generate();
    let folder = tempfile::tempdir().unwrap();
    write(&config, FileLayout::Laboratory, folder.path()).unwrap();
    assert_eq!(golden.modalities.len(), cohort.modalities.len());
    for (modality, spec) in cohort.modalities.iter().enumerate() {
        let recordings = cohort
            .subjects
            .iter()
            .filter_map(|s| s.sessions[0].recordings[modality].as_ref());
        let mut values = Sha256::new();
        recordings
            .clone()
            .for_each(|r| r.values.iter().for_each(|value| values.update(value.to_le_bytes())));
        let files_sha256 = (spec.kind != ModalityKind::Row).then(|| {
            let folder = folder.path().join("raw").join(&spec.name);
            let mut bytes = Sha256::new();
            files(&folder, "")
                .iter()
                .for_each(|name| bytes.update(fs::read(folder.join(name)).unwrap()));
            hex(bytes)
        });
        let is_image = matches!(spec.kind, ModalityKind::Image { .. });
        let found = Reading {
            // NIfTI names no planes and no units of values.
            channels: spec
                .channels
                .iter()
                .filter(|_| !is_image)
                .map(|channel| channel.name.clone())
                .collect(),
            units: spec
                .channels
                .iter()
                .filter(|_| !is_image)
                .map(|channel| channel.unit.clone())
                .collect(),
            rate_hz: match spec.kind {
                ModalityKind::Signal { rate_hz } => Some(rate_hz),
                _ => None,
            },
            patients: recordings.count(),
            values_sha256: hex(values),
            files_sha256,
        };
        assert_eq!(found, golden.modalities[&spec.name], "{}", spec.name);
    }
}
