//! Data: cards and the cohorts they describe; below, the readers, prepared tables and windows.

use std::fs;
use std::path::{Path, PathBuf};

use recoup::dataset::DataError;
use recoup::dataset::card::Card;
use recoup::dataset::load::load_cohort;
use recoup::dataset::subjects::Cohort;
use recoup_formats::order::natural_cmp;
use sha2::{Digest, Sha256};

use crate::walkers::Walkers;

mod any_format;
mod cards;
mod draft;
mod formats;
mod images;
mod layouts;
mod mutations;
mod patterns;
mod prepare;
mod prepared;
mod signals;
mod simulate;
mod stamps;
mod walk;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn fixtures() -> PathBuf {
    root().join("formats/tests/fixtures/data")
}

/// A folder of the real data, or `None` (with a word) where there is none.
fn real_data(name: &str) -> Option<PathBuf> {
    match std::env::var_os("RECOUP_TEST_DATA") {
        Some(folder) => Some(PathBuf::from(folder).join(name)),
        None => {
            eprintln!("skipped: RECOUP_TEST_DATA is not set, {name} was not read");
            None
        }
    }
}

fn hash<const N: usize>(words: impl Iterator<Item = [u8; N]>) -> String {
    let mut hasher = Sha256::new();
    words.for_each(|word| hasher.update(word));
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The message with the folder cut out, as it differs from machine to machine.
fn message<T: std::fmt::Debug>(result: Result<T, DataError>, folder: &Path) -> String {
    result
        .unwrap_err()
        .to_string()
        .replace(&format!("{}/", folder.display()), "")
}

fn copy(from: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "`{from}` is not in {}", path.display());
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// The card of the gait database as it is, over the two subjects of the stand-in.
fn stand_in() -> (tempfile::TempDir, PathBuf) {
    let folder = copy(&fixtures().join("gaitndd"));
    let card = folder.path().join("card.toml");
    let text = fs::read_to_string(root().join("datasets/gaitndd/card.toml")).unwrap();
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("hashes_sha256")).collect();
    fs::write(&card, text.join("\n")).unwrap();
    (folder, card)
}

fn load(folder: &tempfile::TempDir, card: &Path) -> Result<Cohort, DataError> {
    load_cohort(&Card::load(card)?, folder.path())
}

#[test]
fn the_stand_in_loads_with_the_card_of_the_gait_database() {
    let (folder, card) = stand_in();
    let cohort = load(&folder, &card).unwrap();
    assert_eq!(
        cohort.subjects.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(),
        ["als4", "hunt20"]
    );
    assert_eq!(
        cohort.subjects.iter().map(|s| s.sessions[0].class).collect::<Vec<_>>(),
        [3, 1]
    );
    let recording = |subject: usize, modality: usize| {
        cohort.subjects[subject].sessions[0].recordings[modality]
            .as_ref()
            .unwrap()
    };
    // The line break after MISSING costs hunt20 nothing but the value that is missing.
    assert_eq!(recording(0, 2).values.as_slice().unwrap(), [70.0, 1.7, 58.97, 1.0, 1.2]);
    let hunt20 = recording(1, 2).values.as_slice().unwrap();
    assert_eq!(hunt20[..4], [33.0, 1.57, 45.0, 0.0]);
    assert!(hunt20[4].is_nan());
    assert_eq!(recording(0, 0).values.dim(), (1200, 2));
    assert!(
        recording(0, 0)
            .values
            .iter()
            .all(|value| (-2100.0..400.0).contains(value))
    );
    assert_eq!(recording(1, 1).times_secs.as_ref().unwrap()[..2], [2.0, 3.0]);
    assert_eq!(
        recording(1, 1).values.row(0).as_slice().unwrap()[..6],
        [1.0, 1.0, 0.38, 0.38, 38.0, 38.0]
    );
}

#[test]
fn missing_samples_are_an_error_unless_the_card_expects_them() {
    let (folder, card) = stand_in();
    edit(&card, "missing = \"interpolate\"", "missing = \"error\"");
    assert_eq!(
        message(load(&folder, &card), folder.path()),
        "als4.hea: channel `right-foot`: found sample 0 missing or not finite (3 such samples in the channel), expected finite numbers\nhint: set `missing = \"interpolate\"` or `missing = \"mask\"` in the card's modality to accept it"
    );
    edit(&card, "missing = \"error\"", "missing = \"mask\"");
    let cohort = load(&folder, &card).unwrap();
    let force = cohort.subjects[0].sessions[0].recordings[0].as_ref().unwrap();
    let missing = |column: usize| {
        force
            .values
            .column(column)
            .iter()
            .filter(|value| value.is_nan())
            .count()
    };
    // The filter reaches 30 samples to either side of sample 0 and of 700 to 702: rows 0 to 10 and 224 to 244.
    assert_eq!((missing(0), missing(1)), (0, 11 + 21));
}

#[test]
fn card_errors_name_the_line_or_key() {
    for (from, to, expected) in [
        (
            "licence =",
            "license =",
            "card.toml: line 3: unknown field `license`, expected one of `name`, `title`, `licence`",
        ),
        (
            "separator = \"tab\"",
            "separator = \"tabs\"",
            "card.toml: line 32: unknown variant `tabs`, expected one of `comma`",
        ),
        (
            "rate_hz = 100.0",
            "rate_hz = -1.0",
            "card.toml: modality.force.rate_hz: -1, expected a positive number\nhint: samples per second to resample to",
        ),
        (
            "column = \"age\"",
            "column = \"Age\"",
            "card.toml: modality.clinical.channels: unknown column `Age`, expected one of [\"subject\", ",
        ),
        (
            "park = \"parkinson\"",
            "park = \"pd\"",
            "card.toml: label.classes.park: unknown class `pd`, expected one of [\"control\", \"huntington\", \"parkinson\", \"als\"]\nhint: add it",
        ),
        (
            "name = \"stride\"",
            "name = \"force\"",
            "card.toml: modality.force: this name is used twice",
        ),
        (
            "1.0.0/\"\n\nfiles",
            "1.0.0\"\n\nfiles",
            "card.toml: base_url: `https://physionet.org/files/gaitndd/1.0.0` has no slash at the end",
        ),
        (
            "time = \"elapsed\"",
            "time = \"seconds\"",
            "card.toml: modality.stride.time: unknown column `seconds`",
        ),
    ] {
        let (folder, card) = stand_in();
        edit(&card, from, to);
        let text = message(Card::load(&card), folder.path());
        assert!(text.starts_with(expected), "\n{text}\nshould start with\n{expected}");
    }
}

#[test]
fn data_errors_name_file_place_and_expectation() {
    // (file to change or remove, from, to, start of the message)
    for (file, from, to, expected) in [
        (
            "subject-description.txt",
            "\t70\t",
            "\tseventy\t",
            "subject-description.txt: line 4, column `age`: found `seventy`, expected a number in year\nhint: correct the column's unit",
        ),
        (
            "subject-description.txt",
            "\t1.7\t",
            "\t170\t",
            "subject-description.txt: line 4, column `height`: found `170`, expected 1.2 to 2.3 m",
        ),
        (
            "subject-description.txt",
            "\tm\t",
            "\tx\t",
            "subject-description.txt: line 4, column `gender`: found `x`, expected one of [\"f\", \"m\"]",
        ),
        (
            "subject-description.txt",
            "\t1.2\t54",
            "",
            "subject-description.txt: line 4: found 6 fields, expected 8 (subject, group, age, ",
        ),
        (
            "subject-description.txt",
            "subjects",
            "objects",
            "card.toml: label: no class for subject `als4` from `objects` in column `group`",
        ),
        (
            "subject-description.txt",
            "als4",
            "../als4",
            "card.toml: subjects: `../als4` is not an id",
        ),
        (
            "als4.ts",
            "3.3000",
            "1.3000",
            "als4.ts: line 2, column `elapsed`: found `1.3000`, expected seconds, none less than in the row before",
        ),
        (
            "als4.hea",
            "left-foot",
            "left",
            "als4.hea: channels: found [\"left\", \"right-foot\"], expected exactly one `left-foot`",
        ),
        ("als4.let", "", "", "als4.let: cannot read: "),
    ] {
        let (folder, card) = stand_in();
        edit(&card, "hashes = \"SHA256SUMS.txt\"\n", "");
        match from {
            "" => fs::remove_file(folder.path().join(file)).unwrap(),
            _ => edit(&folder.path().join(file), from, to),
        }
        let text = message(load(&folder, &card), folder.path());
        assert!(text.starts_with(expected), "\n{text}\nshould start with\n{expected}");
    }
}

#[test]
fn physical_values_need_the_unit_of_the_header() {
    let (folder, card) = stand_in();
    let text = fs::read_to_string(&card).unwrap();
    fs::write(&card, text.replace("\"adu\"", "\"N\"")).unwrap();
    let error = message(load(&folder, &card), folder.path());
    assert!(
        error.starts_with(
            "card.toml: modality.force.channels: unit of channel `left-foot` is `N`, als4.hea says `mV`\nhint: write"
        ),
        "{error}"
    );
    fs::write(&card, text.replace("\"adu\"", "\"mV\"")).unwrap();
    let physical = load(&folder, &card).unwrap();
    let (other, digital_card) = stand_in();
    let digital = load(&other, &digital_card).unwrap();
    for (subject, gain) in [(0, 3000.0), (1, 1000.0)] {
        let values = |cohort: &Cohort| {
            cohort.subjects[subject].sessions[0].recordings[0]
                .clone()
                .unwrap()
                .values
        };
        let difference = values(&physical) * gain - values(&digital);
        assert!(difference.iter().all(|value| value.abs() < 1e-3));
    }
}

#[test]
fn a_file_with_another_hash_is_refused_unless_the_card_accepts_it() {
    let (folder, card) = stand_in();
    let strides = folder.path().join("als4.ts");
    edit(&strides, "38.0000", "39.0000");
    let text = message(load(&folder, &card), folder.path());
    let found = hash(fs::read(&strides).unwrap().iter().map(|&byte| [byte]));
    assert!(
        text.starts_with(&format!("als4.ts: content: found sha256 {found}, expected ")),
        "{text}"
    );
    assert!(
        text.ends_with("hint: fetch it again from https://physionet.org/files/gaitndd/1.0.0/als4.ts"),
        "{text}"
    );
    edit(
        &card,
        "[subjects]",
        &format!("[[accept]]\nfile = \"als4.ts\"\nsha256 = \"{found}\"\nreason = \"test\"\n[subjects]"),
    );
    load(&folder, &card).unwrap();
    edit(
        &card,
        "hashes = \"",
        &format!("hashes_sha256 = \"{found}\"\nhashes = \""),
    );
    let text = message(load(&folder, &card), folder.path());
    assert!(text.starts_with("SHA256SUMS.txt: content: found sha256 "), "{text}");
}

#[test]
fn subjects_may_be_listed_labelled_by_prefix_and_lack_a_modality() {
    let (folder, card) = stand_in();
    edit(
        &card,
        "kind = \"table\"",
        "kind = \"list\"\nids = [\"hunt20\", \"als4\"]",
    );
    edit(&card, "kind = \"column\"\ncolumn = \"group\"", "kind = \"id-prefix\"");
    edit(&card, "subjects = \"als\"", "al = \"control\", als = \"als\"");
    edit(&card, "time = \"elapsed\"", "time = \"elapsed\"\noptional = true");
    edit(&card, "id = \"subject\"", "id = \"subject\"\nsite = \"gait_speed\"");
    fs::remove_file(folder.path().join("als4.ts")).unwrap();
    let cohort = load(&folder, &card).unwrap();
    let [als4, hunt20] = cohort.subjects.as_slice() else {
        panic!("{:?}", cohort.subjects.len())
    };
    assert_eq!((als4.sessions[0].class, hunt20.sessions[0].class), (3, 1));
    assert_eq!((als4.site.as_deref(), hunt20.site.as_deref()), (Some("1.2"), None));
    assert!(als4.sessions[0].recordings[1].is_none() && hunt20.sessions[0].recordings[1].is_some());
}

#[test]
fn ids_sort_as_people_sort_them() {
    let mut ids = ["b1", "a10", "a2", "a02", "a", "a2b", "10", "9"];
    ids.sort_by(|a, b| natural_cmp(a, b));
    assert_eq!(ids, ["9", "10", "a", "a02", "a2", "a2b", "a10", "b1"]);
}

#[test]
fn a_cohort_that_contradicts_itself_is_refused() {
    let good = Walkers {
        num_subjects: 4,
        duration_secs: 2.0,
        ..Default::default()
    }
    .generate();
    let problem = |change: fn(&mut Cohort)| {
        let mut cohort = good.clone();
        change(&mut cohort);
        cohort.validate().unwrap_err().to_string()
    };
    good.validate().unwrap();
    assert_eq!(
        problem(|cohort| cohort.subjects[2].sessions[0].class = 2),
        "cohort `walkers`: subject `s3`, session `s3`: class is 2, expected less than 2"
    );
    assert_eq!(
        problem(|cohort| cohort.modalities[0].channels[1].name = "left".into()),
        "cohort `walkers`: modality `force`: channel `left` stands twice"
    );
    assert_eq!(
        problem(|cohort| cohort.subjects.swap(0, 1)),
        "cohort `walkers`: subject `s1`: stands after `s2`, expected unique ids in natural order"
    );
    assert_eq!(
        problem(|cohort| cohort.subjects[0].sessions[0].recordings[1]
            .as_mut()
            .unwrap()
            .times_secs = None),
        "cohort `walkers`: subject `s1`, session `s1`, modality `stride`: no times_secs, expected one per row of a series"
    );
    assert_eq!(
        problem(|cohort| cohort.subjects[0].sessions[0].recordings[0].as_mut().unwrap().values[[7, 1]] = f32::INFINITY),
        "cohort `walkers`: subject `s1`, session `s1`, modality `force`: row 7, column 1 is inf; NaN marks a missing value"
    );
}
