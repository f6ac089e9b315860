//! Prepared tables, windows, and the real gait database.

use std::fs;
use std::path::Path;

use recoup::cohort::prepared::{Prepared, RowRange};
use recoup::cohort::window::{WindowConfig, windows};
use recoup::dataset::card::Card;
use recoup::dataset::load::load_cohort;
use recoup::dataset::subjects::{Cohort, ModalityKind};

use crate::walkers::Walkers;

use super::{edit, real_data, root, stand_in};

pub fn walkers(num_subjects: usize) -> Cohort {
    Walkers {
        num_subjects,
        duration_secs: 10.0,
        ..Default::default()
    }
    .generate()
}

/// Every value, time, name and class of the cohort is in the tables, and nothing else.
fn assert_holds(prepared: &Prepared, cohort: &Cohort) {
    assert_eq!(
        (prepared.name(), prepared.classes()),
        (cohort.name.as_str(), cohort.classes.as_slice())
    );
    assert_eq!(prepared.modalities(), cohort.modalities);
    assert_eq!(prepared.subjects().len(), cohort.subjects.len());
    let mut num_rows = vec![0; cohort.modalities.len()];
    for (found, subject) in prepared.subjects().iter().zip(&cohort.subjects) {
        assert_eq!((&found.id, &found.site), (&subject.id, &subject.site));
        for (found, session) in found.sessions.iter().zip(&subject.sessions) {
            assert_eq!((&found.id, found.class as usize), (&session.id, session.class));
            for (modality, recording) in session.recordings.iter().enumerate() {
                let rows = found.rows[modality];
                num_rows[modality] += rows.count as usize;
                let Some(recording) = recording else {
                    assert_eq!(rows, RowRange::default());
                    continue;
                };
                let values = prepared.values(modality, rows).unwrap();
                assert!(
                    values
                        .iter()
                        .map(|v| v.to_bits())
                        .eq(recording.values.iter().map(|v| v.to_bits()))
                );
                let start = rows.start as usize;
                let times = prepared
                    .times_secs(modality)
                    .map(|times| &times[start..start + rows.count as usize]);
                assert_eq!(times, recording.times_secs.as_deref());
            }
        }
    }
    for (modality, num_rows) in num_rows.into_iter().enumerate() {
        assert_eq!(prepared.num_rows(modality), num_rows);
        assert_eq!(
            prepared.table(modality).len(),
            num_rows * prepared.modalities()[modality].num_columns()
        );
    }
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn tables_hold_the_cohort() {
    let cache = tempfile::tempdir().unwrap();
    let mut cohort = walkers(6);
    cohort.subjects[2].sessions[0].recordings[0] = None;
    cohort.subjects[5].sessions[0].recordings[2] = None;
    let prepared = Prepared::build(&cohort, cache.path()).unwrap();
    assert_holds(&prepared, &cohort);
    assert_eq!(files(cache.path()), [prepared.content_hash()]);
    assert!(prepared.warnings().is_empty());
    let again = Prepared::build(&cohort, cache.path()).unwrap();
    assert_eq!(again.content_hash(), prepared.content_hash());

    // Any difference of content is another folder.
    cohort.modalities[0].channels[0].unit = "N".into();
    let other = Prepared::build(&cohort, cache.path()).unwrap();
    assert_ne!(other.content_hash(), prepared.content_hash());
    cohort.subjects[0].sessions[0].recordings[3].as_mut().unwrap().values[[0, 0]] += 1.0;
    Prepared::build(&cohort, cache.path()).unwrap();
    assert_eq!(files(cache.path()).len(), 3);
}

#[test]
fn a_damaged_folder_is_built_again_and_said_so() {
    let cohort = walkers(3);
    let intact = tempfile::tempdir().unwrap();
    let hash = Prepared::build(&cohort, intact.path())
        .unwrap()
        .content_hash()
        .to_string();
    let names = files(&intact.path().join(&hash));
    assert_eq!(
        names,
        [
            "0.f32",
            "1.f32",
            "1.times.f64",
            "2.f32",
            "3.f32",
            "SHA256SUMS",
            "index.json"
        ]
    );
    for name in &names {
        for damage in ["flip", "cut", "remove"] {
            let cache = tempfile::tempdir().unwrap();
            Prepared::build(&cohort, cache.path()).unwrap();
            let path = cache.path().join(&hash).join(name);
            let mut bytes = fs::read(&path).unwrap();
            match damage {
                "flip" => {
                    bytes[5] ^= 1;
                    fs::write(&path, bytes).unwrap();
                }
                "cut" => fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
                _ => fs::remove_file(&path).unwrap(),
            }
            let prepared = Prepared::build(&cohort, cache.path()).unwrap();
            let [warning] = prepared.warnings() else {
                panic!("{name}, {damage}: {:?}", prepared.warnings())
            };
            assert!(
                warning.starts_with("prepared data is damaged and was built anew: "),
                "{warning}"
            );
            assert_holds(&prepared, &cohort);
            assert_eq!(prepared.content_hash(), hash, "{name}, {damage}");
            assert_eq!(files(cache.path()), [hash.as_str()], "nothing is left behind");
            assert!(Prepared::build(&cohort, cache.path()).unwrap().warnings().is_empty());
        }
    }
}

#[test]
fn a_second_preparation_reads_no_source() {
    let (folder, card_path) = stand_in();
    let cache = tempfile::tempdir().unwrap();
    let card = Card::load(&card_path).unwrap();
    let cohort = load_cohort(&card, folder.path()).unwrap();
    let first = Prepared::from_card(&card, folder.path(), cache.path()).unwrap();
    assert_holds(&first, &cohort);
    // The same content has the same hash, whichever way it came.
    assert_eq!(
        Prepared::build(&cohort, cache.path()).unwrap().content_hash(),
        first.content_hash()
    );
    for name in files(folder.path()).iter().filter(|name| *name != "SHA256SUMS.txt") {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    assert_holds(
        &Prepared::from_card(&card, folder.path(), cache.path()).unwrap(),
        &cohort,
    );
}

#[test]
fn processes_that_prepare_the_same_at_once_agree() {
    let cache = tempfile::tempdir().unwrap();
    let cohort = walkers(3);
    for round in ["nothing there", "a damaged folder there"] {
        let hashes: Vec<String> = std::thread::scope(|scope| {
            let build = || Prepared::build(&cohort, cache.path()).unwrap();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(build)).collect();
            let built = threads.into_iter().map(|thread| thread.join().unwrap());
            built
                .map(|prepared| {
                    assert_holds(&prepared, &cohort);
                    prepared.content_hash().to_string()
                })
                .collect()
        });
        assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{round}");
        assert_eq!(files(cache.path()), [hashes[0].as_str()], "{round}");
        fs::remove_file(cache.path().join(&hashes[0]).join("1.f32")).unwrap();
    }
}

#[test]
fn another_card_or_another_declared_hash_is_another_preparation() {
    let (folder, card_path) = stand_in();
    let cache = tempfile::tempdir().unwrap();
    let hash = |path: &Path| {
        Prepared::from_card(&Card::load(path).unwrap(), folder.path(), cache.path())
            .unwrap()
            .content_hash()
            .to_string()
    };
    let at_100_hz = hash(&card_path);
    edit(&card_path, "rate_hz = 100.0", "rate_hz = 50.0");
    let at_50_hz = hash(&card_path);
    assert_ne!(at_100_hz, at_50_hz);
    // Without declared hashes the files themselves are hashed, and a change is noticed.
    edit(&card_path, "hashes = \"SHA256SUMS.txt\"\n", "");
    assert_eq!(hash(&card_path), at_50_hz);
    edit(&folder.path().join("als4.ts"), "38.0000", "39.0000");
    assert_ne!(hash(&card_path), at_50_hz);
    assert_eq!(files(cache.path()).len(), 4);
}

#[test]
fn windows_tile_every_session() {
    let cache = tempfile::tempdir().unwrap();
    let mut cohort = walkers(4);
    cohort.subjects[1].sessions[0].recordings[0] = None;
    cohort.subjects[3].sessions[0].recordings[1] = None;
    let prepared = Prepared::build(&cohort, cache.path()).unwrap();
    let config = WindowConfig {
        window_secs: 2.5,
        stride_secs: 1.25,
    };
    let windows = windows(&prepared, Some(&config)).unwrap();
    for (subject, data) in prepared.subjects().iter().enumerate() {
        let own: Vec<_> = windows
            .iter()
            .filter(|window| window.subject as usize == subject)
            .collect();
        let session = &data.sessions[0];
        if session.rows[0].count > 0 {
            assert_eq!(own.len(), 7, "(10 - 2.5) / 1.25 + 1");
        }
        for (index, window) in own.iter().enumerate() {
            assert_eq!((window.session, window.class), (0, session.class));
            assert_eq!(window.start_secs, 1.25 * index as f64);
            // 250 samples from a start that is a whole number of strides away.
            match session.rows[0].count {
                0 => assert_eq!(window.rows[0], RowRange::default()),
                _ => assert_eq!(
                    window.rows[0],
                    RowRange {
                        start: session.rows[0].start + 125 * index as u32,
                        count: 250
                    }
                ),
            }
            let all = session.rows[1];
            let inside: Vec<u32> = (all.start..all.start + all.count)
                .filter(|&row| {
                    let time = prepared.times_secs(1).unwrap()[row as usize];
                    time >= window.start_secs && time < window.start_secs + 2.5
                })
                .collect();
            let rows = window.rows[1];
            assert_eq!((rows.start..rows.start + rows.count).collect::<Vec<_>>(), inside);
            assert_eq!(window.rows[2..], session.rows[2..]);
        }
    }
    assert!(
        windows.iter().any(|window| window.subject == 1),
        "the series alone gives the clock"
    );
    assert!(windows.is_sorted_by_key(|window| (window.subject, window.session)));
}

#[test]
fn without_a_configuration_a_session_is_one_window() {
    let cache = tempfile::tempdir().unwrap();
    let prepared = Prepared::build(&walkers(4), cache.path()).unwrap();
    let windows = windows(&prepared, None).unwrap();
    let rows: Vec<_> = prepared
        .subjects()
        .iter()
        .map(|subject| subject.sessions[0].rows.clone())
        .collect();
    assert_eq!(windows.into_iter().map(|window| window.rows).collect::<Vec<_>>(), rows);
}

#[test]
fn windows_that_cannot_be_are_errors() {
    let cache = tempfile::tempdir().unwrap();
    let prepared = Prepared::build(&walkers(2), cache.path()).unwrap();
    let error = |window_secs, stride_secs| {
        windows(
            &prepared,
            Some(&WindowConfig {
                window_secs,
                stride_secs,
            }),
        )
        .unwrap_err()
        .to_string()
    };
    assert_eq!(
        error(10.01, 1.0),
        "windows: subject `s1`, session `s1` lasts 10.000 s, expected at least window_secs = 10.01\nhint: use shorter \
         windows, or leave the session out of the cohort"
    );
    assert_eq!(
        error(0.0, 1.0),
        "windows: window_secs is 0, expected a positive number\nhint: leave the windows out to use whole sessions"
    );
    assert_eq!(
        error(1.0, 0.001),
        "windows: window_secs 1 or stride_secs 0.001 is less than one sample of `force` at 100 Hz\nhint: use at least \
         0.01 seconds"
    );
    assert_eq!(
        windows(
            &prepared,
            Some(&WindowConfig {
                window_secs: 10.0,
                stride_secs: 1.0
            })
        )
        .unwrap()
        .len(),
        2
    );
}

// ---- the real thing

#[test]
fn the_gait_database_is_what_its_authors_describe() {
    let Some(folder) = real_data("gaitndd") else { return };
    let card = Card::load(&root().join("datasets/gaitndd/card.toml")).unwrap();
    // Loading checks all 257 hashes and the initial values and checksums of all 128 signals.
    let cohort = load_cohort(&card, &folder).unwrap();
    assert_eq!(cohort.classes, ["control", "huntington", "parkinson", "als"]);
    let count = |class| {
        cohort
            .subjects
            .iter()
            .filter(|subject| subject.sessions[0].class == class)
            .count()
    };
    assert_eq!([0, 1, 2, 3].map(count), [16, 20, 15, 13]);
    let ids: Vec<_> = cohort.subjects.iter().map(|subject| subject.id.as_str()).collect();
    assert_eq!((ids.len(), &ids[..2], ids[63]), (64, &["als1", "als2"][..], "park15"));
    let kinds: Vec<_> = cohort
        .modalities
        .iter()
        .map(|spec| (spec.name.as_str(), spec.kind, spec.num_columns()))
        .collect();
    let force = ModalityKind::Signal { rate_hz: 100.0 };
    assert_eq!(
        kinds,
        [
            ("force", force, 2),
            ("stride", ModalityKind::Series, 12),
            ("clinical", ModalityKind::Row, 5)
        ]
    );
    let units: Vec<_> = cohort.modalities[2]
        .channels
        .iter()
        .map(|channel| channel.unit.as_str())
        .collect();
    assert_eq!(units, ["year", "m", "kg", "1", "m/s"]);

    let (mut num_strides, mut missing) = (0, Vec::new());
    for subject in &cohort.subjects {
        let recording = |modality: usize| subject.sessions[0].recordings[modality].as_ref().unwrap();
        assert_eq!(recording(0).values.dim(), (30_000, 2), "{}", subject.id);
        assert!(
            recording(0).values.iter().all(|value| value.abs() < 2600.0),
            "{}",
            subject.id
        );
        let times = recording(1).times_secs.as_ref().unwrap();
        assert!(times[0] >= 20.0 && times[times.len() - 1] <= 300.0, "{}", subject.id);
        assert!(
            recording(1).values.iter().all(|value| value.is_finite()),
            "{}",
            subject.id
        );
        num_strides += times.len();
        let channels = &cohort.modalities[2].channels;
        let absent = channels
            .iter()
            .zip(&recording(2).values)
            .filter(|(_, value)| value.is_nan());
        missing.extend(absent.map(|(channel, _)| format!("{}.{}", subject.id, channel.name)));
    }
    assert_eq!(num_strides, 15_160);
    assert_eq!(
        missing,
        [
            "als4.gait_speed",
            "als5.gait_speed",
            "als13.weight",
            "hunt20.gait_speed"
        ]
    );
    let park1 = cohort.subjects.iter().find(|subject| subject.id == "park1").unwrap();
    let clinical = &park1.sessions[0].recordings[2].as_ref().unwrap().values;
    assert_eq!(clinical.as_slice().unwrap(), [77.0, 2.0, 86.0, 1.0, 0.98]);

    let cache = tempfile::tempdir().unwrap();
    let prepared = Prepared::from_card(&card, &folder, cache.path()).unwrap();
    assert_holds(&prepared, &cohort);
    let windows = windows(
        &prepared,
        Some(&WindowConfig {
            window_secs: 30.0,
            stride_secs: 30.0,
        }),
    )
    .unwrap();
    assert_eq!(windows.len(), 640);
}
