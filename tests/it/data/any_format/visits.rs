//! Scores of several visits: as inputs, and as the label.

use std::fs;

use super::super::cards::load;
use super::super::{edit, message};
use super::{dataset, recording, same};

#[test]
fn visits_become_a_row_that_knows_nothing_of_the_outcome() {
    let folder = dataset();
    let cohort = load(folder.path()).unwrap();
    let spec = &cohort.modalities[cohort.modality("scores").unwrap()];
    let names: Vec<_> = spec.channels.iter().map(|channel| channel.name.as_str()).collect();
    let per_item = ["baseline", "last", "delta", "slope", "week-0", "week-2"];
    let expected: Vec<String> = ["BI", "FMA-UE"]
        .iter()
        .flat_map(|item| per_item.map(|name| format!("{item}.{name}")))
        .collect();
    assert_eq!(names, expected);
    let units: Vec<_> = spec
        .channels
        .iter()
        .skip(6)
        .map(|channel| channel.unit.as_str())
        .collect();
    assert_eq!(units, ["point", "point", "point", "point/week", "point", "point"]);
    let nan = f32::NAN;
    // The line through (0, 20), (2, 24), (4, 26) rises by 1.5 a week.
    let rows = [
        [55.0, 60.0, 5.0, 1.25, 55.0, nan, 20.0, 26.0, 6.0, 1.5, 20.0, 24.0],
        [nan, nan, nan, nan, nan, nan, 20.0, 25.0, 5.0, 1.25, 20.0, nan],
        [nan, nan, nan, nan, nan, nan, 11.0, 40.0, 29.0, 7.25, 11.0, nan],
    ];
    for (subject, row) in rows.iter().enumerate() {
        same("scores", &recording(&cohort, subject, "scores").values, row);
    }
    // Whatever the scores after week 4 are, the inputs stay.
    edit(
        &folder.path().join("raw/visits.csv"),
        "P1,12,FMA-UE,30",
        "P1,12,FMA-UE,66",
    );
    let other = load(folder.path()).unwrap();
    same("scores", &recording(&other, 0, "scores").values, &rows[0]);
}

const THRESHOLD: &str = "kind = \"threshold\"\ncolumn = \"age\"\nat_least = 61.5\n";

fn responder(keys: &str) -> tempfile::TempDir {
    let folder = dataset();
    let label = format!(
        "kind = \"responder\"\nfile = \"visits.csv\"\nitem = \"FMA-UE\"\nto_week = 12\n{keys}\n\
         visits = {{ week = \"week\", items = {{ \"FMA-UE\" = \"fugl-meyer-upper\" }} }}\n"
    );
    edit(&folder.path().join("card.toml"), THRESHOLD, &label);
    folder
}

fn classes(folder: &tempfile::TempDir) -> Vec<(String, usize)> {
    let cohort = load(folder.path()).unwrap();
    cohort
        .subjects
        .iter()
        .map(|subject| (subject.id.clone(), subject.sessions[0].class))
        .collect()
}

/// P1 gains 10 points, P2 gains 9, P3 was not seen again.
#[test]
fn a_gain_of_the_mcid_itself_is_a_response() {
    let pairs = |one, two| [("P1".to_string(), one), ("P2".to_string(), two)];
    for (mcid, expected) in [
        ("\"arya-2011-high\"", pairs(1, 0)),
        ("10", pairs(1, 0)),
        ("9.0", pairs(1, 1)),
        ("\"arya-2011-low\"", pairs(1, 1)),
        ("10.5", pairs(0, 0)),
        ("9.5", pairs(1, 0)),
    ] {
        let folder = responder(&format!("mcid = {mcid}\nunlabelled = \"leave-out\""));
        assert_eq!(classes(&folder), expected, "{mcid}");
    }
    let folder = responder("mcid = 9");
    assert_eq!(
        message(load(folder.path()).map(|_| ()), folder.path()),
        "card.toml: label: no class for subject `P3`: no score of `FMA-UE` at week 12 in visits.csv\nhint: add it, or \
         write `unlabelled = \"leave-out\"` to leave such sessions out"
    );
    // A score of nobody, for the item that decides.
    let visits = folder.path().join("raw/visits.csv");
    fs::write(&visits, fs::read_to_string(&visits).unwrap().replace("P3,", "P4,")).unwrap();
    edit(&folder.path().join("card.toml"), "at_weeks = [0, 2]", "optional = true");
    assert_eq!(
        message(load(folder.path()).map(|_| ()), folder.path()),
        "card.toml: label: no class for subject `P3`: no score of `FMA-UE` in visits.csv\nhint: add it, or write \
         `unlabelled = \"leave-out\"` to leave such sessions out"
    );
}

#[test]
fn sessions_without_a_value_can_be_left_out() {
    let folder = dataset();
    let table = "subject,age,outcome,fma\nP1,61.5,yes,20\nP2,,,21\nP3,45,no,22\n";
    fs::write(folder.path().join("raw/patients.csv"), table).unwrap();
    let card = folder.path().join("card.toml");
    edit(&card, "patients.parquet", "patients.csv");
    let error = message(load(folder.path()).map(|_| ()), folder.path());
    assert!(
        error.starts_with("card.toml: label: no class for subject `P2`: `` in column `age` (patients.csv, line 3)"),
        "{error}"
    );
    edit(&card, "at_least = 61.5", "at_least = 61.5\nunlabelled = \"leave-out\"");
    let expected = [("P1".to_string(), 1), ("P3".to_string(), 0)];
    assert_eq!(classes(&folder), expected);
    edit(
        &card,
        &format!("{THRESHOLD}unlabelled"),
        "kind = \"column\"\ncolumn = \"outcome\"\nunlabelled",
    );
    assert_eq!(classes(&folder), expected);
    // What is there and makes no sense is an error all the same.
    edit(&folder.path().join("raw/patients.csv"), ",yes,", ",perhaps,");
    let error = message(load(folder.path()).map(|_| ()), folder.path());
    assert!(
        error.starts_with("card.toml: label: no class for subject `P1` from `perhaps` in column `outcome`"),
        "{error}"
    );
    let nobody = table.replace(",yes,", ",,").replace(",no,", ",,");
    fs::write(folder.path().join("raw/patients.csv"), nobody).unwrap();
    assert_eq!(
        message(load(folder.path()).map(|_| ()), folder.path()),
        "card.toml: label: no session has a label, and `unlabelled = \"leave-out\"` leaves out those without\nhint: \
         correct the column, the item or the weeks"
    );
}
