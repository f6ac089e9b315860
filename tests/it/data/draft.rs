//! Drafts of cards: what they find, what they ask, and that they load.

use std::fs;
use std::path::Path;

use recoup::dataset::card::Card;
use recoup::dataset::draft::{Draft, draft};
use recoup::dataset::load::load_cohort;
use recoup::dataset::subjects::{Cohort, ModalityKind};

use super::cards::{Layout, card_text, load, write_dataset};
use super::{edit, real_data};

/// A layout in a folder `own`, and the draft of its card there.
fn drafted(layout: Layout) -> (tempfile::TempDir, Draft) {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    write_dataset(&own.join("raw"), layout);
    let found = draft(&own).unwrap();
    fs::write(own.join("card.toml"), &found.toml).unwrap();
    (folder, found)
}

/// Classes and recordings of one modality, session by session.
fn recordings(cohort: &Cohort, modality: &str) -> Vec<(String, usize, Vec<f32>)> {
    let index = cohort.modality(modality).unwrap();
    let sessions = cohort
        .subjects
        .iter()
        .flat_map(|subject| subject.sessions.iter().map(move |session| (subject, session)));
    let row = |(subject, session): (&recoup::dataset::subjects::Subject, &recoup::dataset::subjects::Session)| {
        let values = session.recordings[index]
            .as_ref()
            .unwrap()
            .values
            .iter()
            .copied()
            .collect();
        (format!("{}/{}", subject.id, session.id), session.class, values)
    };
    sessions.map(row).collect()
}

#[test]
fn drafts_of_three_layouts_load_to_the_data() {
    for layout in [Layout::Folder, Layout::FileName, Layout::Table] {
        let (folder, found) = drafted(layout);
        let own = folder.path().join("own");
        let from_draft = load(&own).unwrap();
        // The card that a person wrote wants 50 Hz; nothing else is asked of the draft.
        fs::write(
            own.join("card.toml"),
            card_text(layout).replace("rate_hz = 50.0", "rate_hz = 100.0"),
        )
        .unwrap();
        let from_card = load(&own).unwrap();
        assert_eq!(from_draft.classes, ["no", "yes"]);
        for modality in ["emg", "scan"] {
            assert_eq!(recordings(&from_draft, modality), recordings(&from_card, modality));
        }
        assert!(
            found.questions[1].starts_with("`label`, `classes`: what is to be predicted? guess: "),
            "{:?}",
            found.questions
        );
        assert!(
            !from_draft
                .modalities
                .iter()
                .flat_map(|spec| &spec.channels)
                .any(|channel| channel.name == "Outcome")
        );
        assert_eq!(draft(&own).unwrap(), found, "a second look finds the same");
    }
}

#[test]
fn a_draft_says_what_it_found_and_asks_for_the_rest() {
    let (
        _folder,
        Draft {
            toml,
            findings,
            questions,
        },
    ) = drafted(Layout::Folder);
    assert_eq!(
        findings,
        [
            "24 files like `no/P02/post_emg.csv`: text, 100 rows of 3 columns (Time (s), Left, Right), time stamps in \
             `Time (s)` at 100 Hz if they are seconds",
            "guess: they are named `{label}/{subject}/{session}_emg.csv`; 12 subjects (`P01`, `P02`, `P03`, `P04` and 8 \
             more), sessions `post`, `pre`, and `no`, `yes` shared by many subjects or sessions, as labels are",
            "48 files like `no/P02/post_scan_2.png`: images, 1 plane(s) of 4 lines and 6 columns",
            "guess: they are named `{label}/{subject}/{session}_scan_*.png`; 12 subjects (`P01`, `P02`, `P03`, `P04` and \
             8 more), sessions `post`, `pre`, and `no`, `yes` shared by many subjects or sessions, as labels are, and \
             `10`, `2` of which nothing was made (`*`)",
            "`patients.csv` is a table of 24 rows (Subject, Visit, Age, Sex, Site, Family, Outcome); guess: one per \
             session, by `Subject` and `Visit`",
        ]
    );
    assert_eq!(
        questions,
        [
            "`modality.emg.file`, `modality.scan.file`: whose is each file? guess: `P02` in `no/P02/post_emg.csv`, which a \
             table lists; so 72 files are of 12 subjects. If `P02` is not one person, files of a person stand in training \
             and in test, and results look far better than they are: write `{subject}` where the person stands, \
             `{session}` for a visit, `*` for the rest",
            "`label`, `classes`: what is to be predicted? guess: the part of the files' names with `no`, `yes`; it may \
             also be column `Outcome`, column `Sex`, a threshold on `Age`",
            "`table.site`: does column `Site` say where the subject was recorded? if not, take the line out",
            "`table.group`: does column `Family` say what ties subjects together, such as the family or the patient, so \
             that no split separates them? if not, take the line out",
            "`modality.clinical.channels`: which columns were known before the outcome, and in which units are they? take \
             the others out",
            "`modality.emg.time_unit`: are the time stamps in seconds? write \"s\", \"ms\" or \"us\"",
            "`modality.emg.channels`: which columns are inputs, and in which units are they? take the others out",
        ]
    );
    let expected = r#"# A draft: what is marked as a guess may be wrong. datasets/README.md explains the keys.
name = "own"
# Guess. The order is that of the indices; for two classes the second is the one to find.
classes = ["no", "yes"]

[subjects]
kind = "files"

[table]
file = "patients.csv"
id = "Subject" # guess
session = "Visit" # guess
site = "Site" # guess
group = "Family" # guess

[table.layout]
header = true
separator = "comma"

# Guess: only you know what is to be predicted.
[label]
kind = "file"

"#;
    assert!(toml.starts_with(expected), "{toml}");
}

#[test]
fn a_folder_of_nothing_useful_gives_the_form_of_a_card() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    fs::create_dir(&own).unwrap();
    let nothing = draft(&own).unwrap();
    assert_eq!(nothing.findings, ["no files"]);
    assert_eq!(
        nothing.questions,
        [
            "put the files of the dataset into the folder `raw` and run the command again",
            "`label`, `classes`: what is to be predicted? nothing looks like one; put a table into `raw` with a row per \
             subject and a column for it, or the files of each class into a folder of their own, and draft anew",
            "`modality`: no recordings, images or tables were recognised; describe them by hand, as datasets/README.md \
             shows",
        ]
    );
    fs::write(own.join("a.bin"), [0u8; 50]).unwrap();
    fs::write(own.join("README.md"), "nothing to see\n").unwrap();
    fs::write(own.join("cut.hea"), "cut 2 100\n").unwrap();
    let unknown = draft(&own).unwrap();
    assert_eq!(unknown.toml, nothing.toml);
    assert_eq!(
        unknown.findings,
        ["3 files are of no use to a card, the first is `README.md`"]
    );
    assert_eq!(
        unknown.questions[0],
        "the files belong into a folder `raw` beside card.toml: move them there"
    );
    let card = Card::parse(unknown.toml, &own.join("card.toml")).unwrap();
    fs::create_dir(own.join("raw")).unwrap();
    assert!(load_cohort(&card, &own.join("raw")).unwrap_err().to_string().ends_with(
        "card.toml: subjects: no file matches `{subject}.csv`; there is no file below the raw folder\nhint: a \
             pattern is the whole path below the raw folder"
    ));
    assert!(
        draft(&own.join("nowhere"))
            .unwrap_err()
            .to_string()
            .contains("nowhere: cannot read: ")
    );
}

#[test]
fn a_table_alone_is_a_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    fs::create_dir_all(own.join("raw")).unwrap();
    let rows: String = (0..20)
        .map(|i| format!("k{i}; {},5;{};{}\n", 20 + i, ["a", "b"][i % 2], ["NA", "3"][i % 3 / 2]))
        .collect();
    fs::write(
        own.join("raw/study.csv"),
        format!("code;height [cm];diagnosis;score\n{rows}"),
    )
    .unwrap();
    let Draft { toml, questions, .. } = draft(&own).unwrap();
    fs::write(own.join("card.toml"), &toml).unwrap();
    let cohort = load(&own).unwrap();
    assert_eq!(
        (cohort.subjects.len(), cohort.classes.as_slice()),
        (20, &["a".to_string(), "b".to_string()][..])
    );
    let channels: Vec<_> = cohort.modalities[0]
        .channels
        .iter()
        .map(|c| (c.name.as_str(), c.unit.as_str()))
        .collect();
    assert_eq!(channels, [("height [cm]", "cm")], "{toml}");
    assert_eq!(
        cohort.subjects[1].sessions[0].recordings[0].as_ref().unwrap().values[[0, 0]],
        21.5
    );
    assert!(
        questions[0].starts_with("`table.id`: whose is each row of `study.csv`? guess: column `code`"),
        "{questions:?}"
    );
    assert!(questions[1].contains("guess: column `diagnosis`"), "{questions:?}");
}

/// As the authors distribute it, without a card: subjects, records and strides are found; the rest is asked.
#[test]
fn the_gait_database_can_be_drafted() {
    let Some(raw) = real_data("gaitndd") else { return };
    let Draft {
        toml,
        findings,
        questions,
    } = draft(&raw).unwrap();
    for expected in [
        "64 files like `als1.hea`: WFDB records at 300 Hz: left-foot [mV], right-foot [mV]",
        "guess: they are named `{subject}.hea`; 64 subjects (`als1`, `als10`, `als11`, `als12` and 60 more)",
        "64 files like `als1.ts`: text, 194 rows of 13 columns without a header, irregular time stamps in `1`",
    ] {
        assert!(
            findings.iter().any(|finding| finding == expected),
            "{expected}\nnot in\n{findings:#?}"
        );
    }
    assert!(
        questions
            .iter()
            .any(|question| question.starts_with("`label`, `classes`: what is to be predicted? "))
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card.toml");
    fs::write(&path, toml).unwrap();
    // The one answer: the group is the label.
    edit(
        &path,
        "classes = [\"f\", \"m\"]",
        "classes = [\"control\", \"hunt\", \"park\", \"subjects\"]",
    );
    edit(
        &path,
        "[label]\nkind = \"column\"\ncolumn = \"6\"",
        "[label]\nkind = \"column\"\ncolumn = \"2\"",
    );
    // What the draft cannot see in one record: some samples are missing, and the header's gain is no calibration.
    edit(
        &path,
        "scale = \"physical\" # guess",
        "scale = \"digital\"\nmissing = \"interpolate\"",
    );
    let text = fs::read_to_string(&path)
        .unwrap()
        .replace("unit = \"mV\"", "unit = \"adu\"");
    fs::write(&path, text).unwrap();
    let cohort = load_cohort(&Card::load(&path).unwrap(), Path::new(&raw)).unwrap();
    assert_eq!(cohort.subjects.len(), 64);
    let counts = [0, 1, 2, 3].map(|class| cohort.subjects.iter().filter(|s| s.sessions[0].class == class).count());
    assert_eq!(counts, [16, 20, 15, 13]);
    assert!(
        cohort
            .modalities
            .iter()
            .any(|spec| spec.kind == ModalityKind::Signal { rate_hz: 300.0 })
    );
}
