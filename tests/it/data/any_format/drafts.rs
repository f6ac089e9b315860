//! Drafts of cards over folders with files of every format.

use std::fs;

use recoup::dataset::draft::draft;
use recoup::dataset::subjects::ModalityKind;

use super::super::cards::load;
use super::super::edit;
use super::write_files;

#[test]
fn files_of_every_format_get_a_modality() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    write_files(&own.join("raw"));
    // Or else the names of records would be those of sessions.
    for subject in super::SUBJECTS {
        for file in ["fixed.hea", "fixed_1.hea", "fixed_2.hea", "fixed_1.dat", "fixed_2.dat"] {
            fs::remove_file(own.join("raw").join(subject).join(file)).unwrap();
        }
    }
    let found = draft(&own).unwrap();
    let card = own.join("card.toml");
    fs::write(&card, &found.toml).unwrap();
    // What the draft asks: the label, and that one recording has a sample missing.
    edit(&card, "classes = [", "classes = [\"P\", \"Q\"] #");
    let start = found.toml.find("[label]\n").unwrap() + 8;
    let end = start + found.toml[start..].find("\n\n").unwrap();
    edit(
        &card,
        &found.toml[start..end],
        "kind = \"id-prefix\"\nclasses = { P = \"P\" }",
    );
    for name in ["signal", "wfdb"] {
        let text = fs::read_to_string(&card).unwrap();
        fs::write(
            &card,
            text.replace(
                &format!("kind = \"{name}\"\n"),
                &format!("kind = \"{name}\"\nmissing = \"mask\"\n"),
            ),
        )
        .unwrap();
    }
    let cohort = load(&own).unwrap_or_else(|error| panic!("{error}\n{}\n{:#?}", found.toml, found.findings));
    assert_eq!(cohort.subjects.len(), 3);
    let kinds: Vec<(&str, ModalityKind, usize)> = cohort
        .modalities
        .iter()
        .map(|spec| (spec.name.as_str(), spec.kind, spec.channels.len()))
        .collect();
    for (name, kind, num_channels) in [
        ("frames", ModalityKind::Signal { rate_hz: 250.0 }, 3),
        ("frames-annotations", ModalityKind::Series, 2),
        ("eeg-annotations", ModalityKind::Series, 2),
        ("eeg", ModalityKind::Signal { rate_hz: 100.0 }, 3),
        ("walk", ModalityKind::Signal { rate_hz: 400.0 }, 2),
        ("walk-points", ModalityKind::Signal { rate_hz: 100.0 }, 9),
        ("brain", ModalityKind::Image { height: 3, width: 4 }, 1),
        ("pair", ModalityKind::Image { height: 3, width: 4 }, 1),
        ("slice", ModalityKind::Image { height: 4, width: 5 }, 1),
        ("thermal", ModalityKind::Image { height: 7, width: 9 }, 1),
        ("keypoints", ModalityKind::Signal { rate_hz: 30.0 }, 50),
    ] {
        assert!(
            kinds.contains(&(name, kind, num_channels)),
            "{name} {kind:?} {num_channels}: {kinds:#?}"
        );
    }
    assert!(
        found
            .toml
            .contains("file = \"patients.parquet\"\nid = \"subject\" # guess"),
        "{}",
        found.toml
    );
    assert!(
        found
            .questions
            .iter()
            .any(|question| question.contains("file_rate_hz`: how many frames"))
    );
    assert!(
        found
            .questions
            .iter()
            .any(|question| question.starts_with("`visits.csv` has several rows per subject"))
    );
    assert_eq!(draft(&own).unwrap(), found, "a second look finds the same");
}
