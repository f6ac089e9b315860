//! Delimited signals, tables of their own, optional and shared files: small datasets, one trait each.

use std::fs;
use std::path::Path;

use recoup::cohort::prepared::Prepared;
use recoup::dataset::card::Card;
use recoup::dataset::load::load_cohort;
use recoup::dataset::subjects::{Cohort, ModalityKind};

use super::{message, real_data, root};

/// Loads some files with a card of `id-prefix` labels (`a`: 0, `b`: 1) and these modalities.
fn load(files: &[(&str, &str)], modalities: &str) -> Result<Cohort, String> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join("raw").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let card = format!(
        "name = \"t\"\nclasses = [\"no\", \"yes\"]\n[subjects]\nkind = \"files\"\n[label]\nkind = \"id-prefix\"\n\
         classes = {{ a = \"no\", b = \"yes\" }}\n{modalities}"
    );
    let path = folder.path().join("card.toml");
    fs::write(&path, card).unwrap();
    let cohort = Card::load(&path).and_then(|card| load_cohort(&card, &folder.path().join("raw")));
    match cohort {
        Ok(cohort) => Ok(cohort),
        Err(error) => Err(message(Err::<(), _>(error), folder.path())),
    }
}

fn signal(keys: &str) -> String {
    format!(
        "[[modality]]\nkind = \"signal\"\nname = \"x\"\nfile = \"{{subject}}.csv\"\n{keys}\n\
         channels = [{{ column = \"x\", unit = \"1\" }}]\n"
    )
}

fn values(cohort: &Cohort, subject: usize, modality: usize) -> Vec<f32> {
    cohort.subjects[subject].sessions[0].recordings[modality]
        .as_ref()
        .unwrap()
        .values
        .iter()
        .copied()
        .collect()
}

/// `t,x` rows of these times, with a value that is `3 - 2 t`.
fn ramp(times: impl IntoIterator<Item = f64>, digits: usize) -> String {
    let rows = times
        .into_iter()
        .map(|time| format!("{time:.digits$},{}\n", 3.0 - 2.0 * time));
    format!("t,x\n{}", rows.collect::<String>())
}

#[test]
fn the_rate_of_rounded_time_stamps_is_that_of_the_device() {
    for (rate_hz, digits, rows) in [
        (300.0, 3, 900),
        (128.0, 3, 40),
        (1000.0, 3, 50),
        (100.0 / 3.0, 2, 300),
        (12.5, 2, 20),
        (44_100.0, 6, 20_000),
    ] {
        let text = ramp((0..rows).map(|row| 7.0 + f64::from(row) / rate_hz), digits);
        // Without resampling every row comes back; a rate that is off could not be resampled to this one.
        let cohort = load(
            &[("a.csv", &text)],
            &signal(&format!("time = \"t\"\nrate_hz = {rate_hz:?}")),
        )
        .unwrap();
        assert_eq!(values(&cohort, 0, 0).len(), rows as usize, "{rate_hz} Hz");
        assert_eq!(cohort.modalities[0].kind, ModalityKind::Signal { rate_hz });
    }
}

#[test]
fn irregular_rows_are_joined_by_lines_up_to_a_gap() {
    let mut state = 9_u64;
    let mut time = 0.0;
    let mut times = vec![time];
    while time < 20.0 {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        time += 0.005 + 0.03 * (state >> 40) as f64 / (1u64 << 24) as f64;
        times.push(time);
    }
    let text = ramp(times.iter().copied(), 9);
    let error = load(&[("a.csv", &text)], &signal("time = \"t\"\nrate_hz = 50.0")).unwrap_err();
    assert!(
        error
            .contains("hint: rows are lost or irregular: allow straight lines between time stamps with `max_gap_secs`"),
        "{error}"
    );
    let keys = "time = \"t\"\nrate_hz = 50.0\nmax_gap_secs = 0.04";
    let found = values(&load(&[("a.csv", &text)], &signal(keys)).unwrap(), 0, 0);
    assert_eq!(found.len(), (time * 50.0) as usize + 1);
    for (index, value) in found.iter().enumerate() {
        assert!(
            (f64::from(*value) - (3.0 - 2.0 * index as f64 / 50.0)).abs() < 1e-5,
            "{index}: {value}"
        );
    }
    let keys = "time = \"t\"\nrate_hz = 50.0\nmax_gap_secs = 0.01";
    let error = load(&[("a.csv", &text)], &signal(keys)).unwrap_err();
    assert!(
        error.starts_with("raw/a.csv: line ") && error.contains("expected at most max_gap_secs = 0.01"),
        "{error}"
    );
}

#[test]
fn missing_values_are_errors_lines_or_nan() {
    let text = "t,x\n0,1\n0.1,\n0.2,3\n0.4,7\n0.5,-\n";
    let keys = |missing: &str, gap: &str| {
        signal(&format!(
            "time = \"t\"\nrate_hz = 10.0\n{missing}\n{gap}\nlayout = {{ missing = [\"-\"] }}"
        ))
    };
    let gap = "max_gap_secs = 0.2";
    let regular = "t,x\n0,1\n0.1,\n0.2,3\n0.3,7\n";
    assert_eq!(
        load(&[("a.csv", regular)], &keys("", "")).unwrap_err(),
        "raw/a.csv: channel `x`: found sample 1 missing or not finite (1 such samples in the channel), expected finite numbers\nhint: set \
         `missing = \"interpolate\"` or `missing = \"mask\"` in the card's modality to accept it"
    );
    assert!(
        load(&[("a.csv", text)], &keys("", gap))
            .unwrap_err()
            .contains("sample 1 missing")
    );
    let found =
        |missing: &str, text: &str, gap: &str| values(&load(&[("a.csv", text)], &keys(missing, gap)).unwrap(), 0, 0);
    assert_eq!(found("missing = \"interpolate\"", regular, ""), [1.0, 2.0, 3.0, 7.0]);
    let lines = found("missing = \"interpolate\"", text, gap);
    for (value, expected) in lines.iter().zip([1.0, 2.0, 3.0, 5.0, 7.0, 7.0]) {
        assert!((value - expected).abs() < 1e-6, "{lines:?}");
    }
    let masked = found("missing = \"mask\"", text, gap);
    assert_eq!(
        masked.iter().map(|value| value.is_nan()).collect::<Vec<_>>(),
        [false, true, false, false, false, true]
    );
}

#[test]
fn a_counter_of_samples_shows_lost_rows() {
    let keys = "time = \"t\"\ntime_unit = \"sample\"\nfile_rate_hz = 250.0\nrate_hz = 250.0";
    let whole: String = (17..40).map(|row| format!("{row},{row}\n")).collect();
    let cohort = load(&[("a.csv", &format!("t,x\n{whole}"))], &signal(keys)).unwrap();
    assert_eq!(
        values(&cohort, 0, 0),
        (17..40).map(|row| row as f32).collect::<Vec<_>>()
    );
    let lost = whole.replace("30,30\n", "");
    assert_eq!(
        load(&[("a.csv", &format!("t,x\n{lost}"))], &signal(keys))
            .unwrap_err()
            .lines()
            .next()
            .unwrap(),
        "raw/a.csv: line 15, column `t`: found 0.008000 s after the row before, expected 0.004000 s, as between other rows"
    );
    let bridged = load(
        &[("a.csv", &format!("t,x\n{lost}"))],
        &signal(&format!("{keys}\nmax_gap_secs = 0.01")),
    )
    .unwrap();
    for (value, row) in values(&bridged, 0, 0).iter().zip(17..40) {
        assert!((value - row as f32).abs() < 1e-4);
    }
}

#[test]
fn tables_of_their_own_and_files_without_a_session_serve_all_sessions() {
    let files = [
        ("a1/pre/x.csv", "x\n1\n2\n"),
        ("a1/post/x.csv", "x\n3\n4\n"),
        ("b1/pre/x.csv", "x\n5\n6\n"),
        ("a1/a1_events.csv", "t;kind\n1,5;on\n2,5;off\n"),
        ("labs.tsv", "who\twhen\tcrp\na1\tpre\t4\nb1\tpre\t\na1\tpost\t5\n"),
        ("genes.csv", "who,apoe\nb1,2\n"),
    ];
    let modalities = r#"
[[modality]]
kind = "signal"
name = "x"
file = "{subject}/{session}/x.csv"
file_rate_hz = 2.0
rate_hz = 2.0
channels = [{ column = "x", unit = "1" }]
[[modality]]
kind = "series"
name = "events"
file = "{subject}/{subject}_events.csv"
layout = { separator = "semicolon", decimal = "," }
time = "t"
optional = true
channels = [{ column = "kind", unit = "1", categories = { on = 1.0, off = 0.0 } }]
[[modality]]
kind = "table"
name = "labs"
file = "labs.tsv"
layout = { separator = "tab" }
id = "who"
session = "when"
channels = [{ column = "crp", unit = "mg/l" }]
[[modality]]
kind = "table"
name = "genes"
file = "genes.csv"
id = "who"
optional = true
channels = [{ column = "apoe", name = "apoe-e4", unit = "1" }]
"#;
    let cohort = load(&files, modalities).unwrap();
    let [a1, b1] = cohort.subjects.as_slice() else {
        panic!("{:?}", cohort.subjects)
    };
    assert_eq!(
        a1.sessions
            .iter()
            .map(|session| session.id.as_str())
            .collect::<Vec<_>>(),
        ["post", "pre"]
    );
    for session in &a1.sessions {
        let events = session.recordings[1].as_ref().unwrap();
        assert_eq!(
            (events.times_secs.as_deref(), events.values.as_slice()),
            (Some(&[1.5, 2.5][..]), Some(&[1.0, 0.0][..]))
        );
        assert!(session.recordings[3].is_none());
    }
    let crp = |session: &recoup::dataset::subjects::Session| session.recordings[2].as_ref().unwrap().values[[0, 0]];
    assert_eq!((crp(&a1.sessions[0]), crp(&a1.sessions[1])), (5.0, 4.0));
    assert!(crp(&b1.sessions[0]).is_nan() && b1.sessions[0].recordings[1].is_none());
    assert_eq!(b1.sessions[0].recordings[3].as_ref().unwrap().values[[0, 0]], 2.0);
    assert_eq!(cohort.modalities[3].channels[0].name, "apoe-e4");
    let needed = modalities.replace(
        "file = \"genes.csv\"\nid = \"who\"\noptional = true",
        "file = \"genes.csv\"\nid = \"who\"",
    );
    let misspelt = [files[2], files[4], ("genes.csv", "who,apoe\nB01,2\n")];
    assert_eq!(
        load(&misspelt, &needed).unwrap_err().lines().last().unwrap(),
        "hint: the table has `B01`: spell ids alike in the table and in the files' names"
    );
    let error = load(&files, &needed).unwrap_err();
    assert_eq!(
        error,
        "raw/genes.csv: column `who`: found no row for subject `a1`, session `post`, expected one\nhint: add the row, \
         or write `optional = true` in the modality"
    );
}

#[test]
fn known_ids_settle_what_a_name_means() {
    let card = "name = \"t\"\nclasses = [\"no\", \"yes\"]\n[subjects]\nkind = \"list\"\nids = [\"a\", \"a_b\", \"b\"]\n[label]\n\
                kind = \"id-prefix\"\nclasses = { a = \"no\", b = \"yes\" }\n[[modality]]\nkind = \"signal\"\n\
                name = \"x\"\nfile = \"{subject}_{session}.csv\"\nfile_rate_hz = 1.0\nrate_hz = 1.0\n\
                channels = [{ column = \"x\", unit = \"1\" }]\n";
    let folder = tempfile::tempdir().unwrap();
    for name in ["a_1", "a_b_1", "a_b_2", "b_1_2", "stranger_1"] {
        fs::write(folder.path().join(format!("{name}.csv")), "x\n1\n").unwrap();
    }
    let card = Card::parse(card.into(), Path::new("card.toml")).unwrap();
    let cohort = load_cohort(&card, folder.path()).unwrap();
    let found: Vec<_> = cohort
        .subjects
        .iter()
        .map(|subject| {
            (
                subject.id.as_str(),
                subject
                    .sessions
                    .iter()
                    .map(|session| session.id.as_str())
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(found, [("a", vec!["1"]), ("a_b", vec!["1", "2"]), ("b", vec!["1_2"])]);
}

#[test]
fn a_table_in_utf_16_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain("x\n1\n".encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    fs::write(folder.path().join("a.csv"), utf16).unwrap();
    let card = format!(
        "name = \"t\"\nclasses = [\"no\", \"yes\"]\n[subjects]\nkind = \"files\"\n[label]\nkind = \"id-prefix\"\n\
         classes = {{ a = \"no\" }}\n{}",
        signal("file_rate_hz = 1.0\nrate_hz = 1.0")
    );
    let card = Card::parse(card, Path::new("card.toml")).unwrap();
    let cohort = load_cohort(&card, folder.path()).unwrap();
    assert_eq!(values(&cohort, 0, 0), [1.0]);
}

/// Any change of a single bit of the cohort, or of how it is stored, is another content.
#[test]
fn the_gait_database_keeps_its_bits() {
    let Some(raw) = real_data("gaitndd") else { return };
    let cache = tempfile::tempdir().unwrap();
    let card = Card::load(&root().join("datasets/gaitndd/card.toml")).unwrap();
    let prepared = Prepared::from_card(&card, &raw, cache.path()).unwrap();
    assert_eq!(
        prepared.content_hash(),
        "b0b3fe9e041d5f6096003c3c7f77fb08b689615cf05ca07a48fdee09ea0e435c"
    );
}
