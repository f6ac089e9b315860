//! Layouts of folders as people have them: the draft of a card prepares as drafted, or asks what is missing, and the
//! number of subjects is right.

use std::fs;
use std::path::Path;

use recoup::cohort::prepared::Prepared;
use recoup::dataset::DataError;
use recoup::dataset::card::Card;
use recoup::dataset::draft::{Draft, draft};
use recoup::dataset::subjects::{ModalityKind, ModalitySpec};
use recoup_formats::edf::{EdfRecording, EdfSignal, write_edf};

use super::cards::{png, save};
use super::fixtures;

/// A dataset whose card is the draft.
struct Drafted {
    folder: tempfile::TempDir,
    draft: Draft,
}

impl Drafted {
    fn new(write: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("raw"));
        let draft = draft(folder.path()).unwrap();
        Self { folder, draft }
    }

    fn prepare(&self) -> Result<Prepared, DataError> {
        let folder = self.folder.path();
        let card = Card::parse(self.draft.toml.clone(), &folder.join("card.toml"))?;
        Prepared::from_card(&card, &folder.join("raw"), &folder.join("prepared"))
    }

    /// Prepares the card as drafted, and counts.
    #[track_caller]
    fn prepares(&self, num_subjects: usize, num_sessions: usize) -> Prepared {
        let prepared = self.prepare().unwrap_or_else(|error| panic!("{error}\n{self}"));
        let found = prepared.subjects();
        let sessions: usize = found.iter().map(|subject| subject.sessions.len()).sum();
        assert_eq!((found.len(), sessions), (num_subjects, num_sessions), "{self}");
        prepared
    }

    /// Whether a line of the card is this one.
    #[track_caller]
    fn has(&self, line: &str) {
        let is_it = |found: &str| found.split(" # ").next() == Some(line);
        assert!(self.draft.toml.lines().any(is_it), "no line `{line}` in\n{self}");
    }

    /// The question with all of these words.
    #[track_caller]
    fn asks(&self, words: &[&str]) {
        let has_all = |question: &String| words.iter().all(|word| question.contains(word));
        assert!(
            self.draft.questions.iter().any(has_all),
            "no question with {words:?} in\n{self}"
        );
    }

    /// The first question is whose the files are, and says how many subjects that makes.
    #[track_caller]
    fn asks_first(&self, num_files: usize, num_subjects: usize) {
        let first = &self.draft.questions[0];
        let expected = format!("so {num_files} files are of {num_subjects} subjects. If ");
        assert!(
            first.contains(": whose is each file? guess: ") && first.contains(&expected),
            "{self}"
        );
    }
}

impl std::fmt::Display for Drafted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Draft {
            toml,
            findings,
            questions,
        } = &self.draft;
        write!(f, "{toml}\nfound {findings:#?}\nasks {questions:#?}")
    }
}

/// A recording of one second at 100 Hz.
fn recording(seed: usize) -> String {
    let row = |sample: usize| {
        format!(
            "{:.2},{},{}\n",
            sample as f64 / 100.0,
            (sample * seed) % 17,
            (sample + seed) % 5
        )
    };
    format!(
        "time (s),left (mV),right (mV)\n{}",
        (0..100).map(row).collect::<String>()
    )
}

fn image(seed: usize) -> Vec<u8> {
    png(
        6,
        4,
        (0..24).map(|pixel| ((pixel * 7 + seed * 13) % 256) as u8).collect(),
    )
}

fn eeg() -> Vec<u8> {
    let signal = |name: &str| EdfSignal {
        name: name.into(),
        unit: "uV".into(),
        rate_hz: 100.0,
        physical_range: [-100.0, 100.0],
        digital_range: [-32768, 32767],
        digital: (0..200).map(|sample| (sample % 50) * 100).collect(),
    };
    let signals = vec![signal("C3"), signal("C4")];
    let recording = EdfRecording {
        signals,
        ..Default::default()
    };
    write_edf(&recording, Path::new("eeg.edf")).unwrap()
}

/// A record of one signal in format 16.
fn ecg(raw: &Path, folder: &str) {
    let samples: Vec<i16> = (0..200).map(|sample| (sample % 40) * 10).collect();
    let checksum = samples.iter().fold(0i16, |sum, sample| sum.wrapping_add(*sample));
    let header = format!("ecg 1 100 200\necg.dat 16 200/mV 16 0 0 {checksum} 0 II\n");
    save(&raw.join(folder).join("ecg.hea"), header.as_bytes());
    let bytes: Vec<u8> = samples.into_iter().flat_map(i16::to_le_bytes).collect();
    save(&raw.join(folder).join("ecg.dat"), &bytes);
}

fn ids(num: usize) -> impl Iterator<Item = (usize, String)> {
    (1..=num).map(|number| (number, format!("P{number:02}")))
}

/// One row per patient, every second of them a responder.
fn patients(raw: &Path, file: &str, ids: impl Iterator<Item = (usize, String)>) {
    let row = |(number, id): (usize, String)| format!("{id},{},{}\n", 40 + number, ["no", "yes"][number % 2]);
    let rows: String = ids.map(row).collect();
    save(&raw.join(file), format!("patient,age,outcome\n{rows}").as_bytes());
}

#[test]
fn a_flat_folder_with_a_table_of_patients() {
    let drafted = Drafted::new(|raw| {
        for (number, id) in ids(20) {
            save(&raw.join(format!("{id}.csv")), recording(number).as_bytes());
        }
        patients(raw, "patients.csv", ids(20));
    });
    drafted.has("file = \"{subject}.csv\"");
    drafted.asks_first(20, 20);
    let prepared = drafted.prepares(20, 20);
    assert_eq!(prepared.classes(), ["no", "yes"]);
}

#[test]
fn a_folder_per_class() {
    let drafted = Drafted::new(|raw| {
        for (number, id) in ids(20) {
            let class = ["ill", "well"][number % 2];
            save(&raw.join(class).join(format!("{id}.csv")), recording(number).as_bytes());
        }
    });
    drafted.has("file = \"{label}/{subject}.csv\"");
    drafted.prepares(20, 20);
}

#[test]
fn a_folder_per_patient_with_two_recordings() {
    let drafted = Drafted::new(|raw| {
        for (number, id) in ids(12) {
            save(&raw.join(&id).join("emg.csv"), recording(number).as_bytes());
            save(
                &raw.join(&id).join("force.csv"),
                recording(number).replace("left", "Fx").as_bytes(),
            );
        }
        patients(raw, "patients.csv", ids(12));
    });
    drafted.has("file = \"{subject}/emg.csv\"");
    drafted.has("file = \"{subject}/force.csv\"");
    drafted.asks_first(24, 12);
    drafted.prepares(12, 12);
}

#[test]
fn a_folder_per_visit() {
    let drafted = Drafted::new(|raw| {
        for (number, id) in ids(12) {
            for visit in 1..=3 {
                let file = raw.join(format!("visit{visit}/{id}.csv"));
                save(&file, recording(number + visit).as_bytes());
            }
        }
        patients(raw, "patients.csv", ids(12));
    });
    drafted.has("file = \"{session}/{subject}.csv\"");
    drafted.prepares(12, 36);
}

#[test]
fn folders_as_in_bids() {
    let write = |raw: &Path, with_table: bool| {
        let id = |number: usize| format!("sub-{number:02}");
        for (number, session) in (1..=10).flat_map(|number| ["pre", "post"].map(|session| (number, session))) {
            let subject = id(number);
            let file = format!("{subject}/ses-{session}/eeg/{subject}_ses-{session}_task-rest_eeg.edf");
            save(&raw.join(file), &eeg());
        }
        let row = |number| {
            format!(
                "{}\t{}\t{}\n",
                id(number),
                60 + number,
                ["patient", "control"][number % 2]
            )
        };
        let rows: String = (1..=10).map(row).collect();
        if with_table {
            save(
                &raw.join("participants.tsv"),
                format!("participant_id\tage\tgroup\n{rows}").as_bytes(),
            );
            save(
                &raw.join("dataset_description.json"),
                b"{\"Name\": \"x\", \"BIDSVersion\": \"1.8.0\"}",
            );
        }
    };
    let drafted = Drafted::new(|raw| write(raw, true));
    drafted.has("file = \"{subject}/ses-{session}/eeg/{subject}_ses-{session}_task-rest_eeg.edf\"");
    drafted.has("column = \"group\"");
    drafted.prepares(10, 20);
    // Without the table the number is the subject, and only the label is missing.
    let drafted = Drafted::new(|raw| write(raw, false));
    drafted.has("file = \"sub-{subject}/ses-{session}/eeg/sub-{subject}_ses-{session}_task-rest_eeg.edf\"");
    drafted.asks_first(20, 10);
    drafted.asks(&["`label`", "nothing looks like one; put a table into `raw`"]);
}

#[test]
fn a_table_per_visit() {
    let drafted = Drafted::new(|raw| {
        for (week, outcome) in [(0, ""), (4, ""), (12, ",outcome")] {
            let row = |(number, id): (usize, String)| {
                let outcome = if outcome.is_empty() {
                    ""
                } else {
                    [",no", ",yes"][number % 2]
                };
                format!("{id},{},{}{outcome}\n", 20 + week + number, 50 + number)
            };
            // One patient does not come to the second visit.
            let rows: String = ids(15)
                .filter(|(number, _)| (week, *number) != (4, 7))
                .map(row)
                .collect();
            save(
                &raw.join(format!("week{week}.csv")),
                format!("id,fugl_meyer,barthel{outcome}\n{rows}").as_bytes(),
            );
        }
    });
    drafted.has("file = \"week12.csv\"");
    drafted.has("name = \"week0\"");
    drafted.asks(&["`table.id`: whose is each row of `week12.csv`?", "15 subjects"]);
    assert!(drafted.draft.questions[0].starts_with("`table.id`"), "{drafted}");
    let prepared = drafted.prepares(15, 15);
    let week4 = prepared.modality("week4").unwrap();
    assert_eq!(prepared.num_rows(week4), 14);
}

#[test]
fn images_numbered_through_the_study_or_through_each_patient() {
    for through in [true, false] {
        for (class, name) in [(true, "img"), (false, "slice"), (true, "")] {
            let drafted = Drafted::new(|raw| {
                for (patient, id) in ids(10) {
                    for frame in 0..6 {
                        let number = if through { patient * 6 + frame } else { frame };
                        let folder = if class {
                            format!("{}/{id}", ["no", "yes"][patient % 2])
                        } else {
                            id.clone()
                        };
                        save(&raw.join(format!("{folder}/{name}_{number:05}.png")), &image(patient));
                    }
                }
                if !class {
                    patients(raw, "patients.csv", ids(10));
                }
            });
            drafted.asks_first(60, 10);
            let prepared = drafted.prepares(10, 10);
            let images = |spec: &ModalitySpec| matches!(spec.kind, ModalityKind::Image { .. });
            let images = prepared.modalities().iter().position(images).unwrap();
            assert_eq!(prepared.num_rows(images), 60, "{drafted}");
        }
    }
}

#[test]
fn recordings_numbered_through_the_study_are_sessions() {
    for through in [true, false] {
        let drafted = Drafted::new(|raw| {
            for (patient, id) in ids(10) {
                for take in 0..4 {
                    let number = if through { patient * 4 + take } else { take };
                    let file = format!("{}/{id}/rec_{number:04}.csv", ["no", "yes"][patient % 2]);
                    save(&raw.join(file), recording(number).as_bytes());
                }
            }
        });
        drafted.has("file = \"{label}/{subject}/rec_{session}.csv\"");
        drafted.asks_first(40, 10);
        drafted.prepares(10, 40);
    }
}

#[test]
fn keypoints_per_frame_of_clips() {
    let body = |frame: usize| {
        let points: Vec<String> = (0..25).map(|k| format!("{},{},0.9", 10 * k + frame, 2 * k)).collect();
        format!(
            "{{\"version\":1.3,\"people\":[{{\"pose_keypoints_2d\":[{}]}}]}}",
            points.join(",")
        )
    };
    let names = ["anna", "bob", "carl", "dora", "emil", "fay", "gus", "hal"];
    for numbered in [true, false] {
        let drafted = Drafted::new(|raw| {
            for (clip, name) in names.into_iter().enumerate() {
                let class = ["fall", "walk"][clip % 2];
                let clip = if numbered {
                    format!("clip{clip}")
                } else {
                    name.to_string()
                };
                for frame in 0..10 {
                    let file = format!("{class}/{clip}/{clip}_{frame:012}_keypoints.json");
                    save(&raw.join(file), body(frame).as_bytes());
                }
            }
        });
        drafted.asks_first(80, 8);
        drafted.prepares(8, 8);
    }
}

#[test]
fn a_table_that_excel_exported() {
    let drafted = Drafted::new(|raw| {
        let row = |(number, id): (usize, String)| {
            let result = ["gut", "m\u{e4}\u{df}ig"][number % 2];
            format!(
                "{id};{},5;{};{result}\r\n",
                150 + number,
                if number == 3 { "#N/A".into() } else { number.to_string() }
            )
        };
        let rows: String = ids(20).map(row).collect();
        let text = format!("sep=;\r\nPatient;Gr\u{f6}\u{df}e (cm);Punkte;Ergebnis\r\n{rows};;;\r\n");
        let bytes: Vec<u8> = text
            .chars()
            .map(|letter| u8::try_from(u32::from(letter)).unwrap())
            .collect();
        save(&raw.join("\u{dc}bersicht.csv"), &bytes);
    });
    drafted.has("classes = [\"gut\", \"m\u{e4}\u{df}ig\"]");
    let prepared = drafted.prepares(20, 20);
    assert_eq!(prepared.table(0)[..2], [151.5, 1.0], "{drafted}");
}

#[test]
fn recordings_of_four_formats_per_patient() {
    let drafted = Drafted::new(|raw| {
        for (number, id) in ids(8) {
            ecg(raw, &id);
            save(&raw.join(&id).join("eeg.edf"), &eeg());
            save(&raw.join(&id).join("emg.csv"), recording(number).as_bytes());
            save(&raw.join(&id).join("face.png"), &image(number));
        }
        patients(raw, "patients.csv", ids(8));
    });
    drafted.asks_first(32, 8);
    let prepared = drafted.prepares(8, 8);
    let mut names: Vec<&str> = prepared.modalities().iter().map(|spec| spec.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["clinical", "ecg", "eeg", "emg", "face"]);
}

#[test]
fn series_of_dicom_slices() {
    for names in [["P1", "P2", "P3", "P4"], ["brown", "jones", "miller", "smith"]] {
        let drafted = Drafted::new(|raw| {
            for name in names {
                for slice in 0..4 {
                    let bytes = fs::read(fixtures().join(format!("dicom/series_{slice}.dcm"))).unwrap();
                    save(&raw.join(format!("{name}/CT/IM{slice:04}.dcm")), &bytes);
                }
            }
            patients(raw, "patients.csv", names.into_iter().map(String::from).enumerate());
        });
        drafted.has("file = \"{subject}/CT/*.dcm\"");
        drafted.asks_first(16, 4);
        drafted.prepares(4, 4);
    }
}

#[test]
fn folders_of_a_given_split() {
    let drafted = Drafted::new(|raw| {
        for (number, id) in ids(16) {
            let folder = ["train", "train", "train", "test"][number % 4];
            let class = ["no", "yes"][number / 4 % 2];
            save(
                &raw.join(format!("{folder}/{class}/{id}.csv")),
                recording(number).as_bytes(),
            );
        }
    });
    drafted.has("file = \"*/{label}/{subject}.csv\"");
    drafted.asks(&[
        "`test`, `train` look like a split that somebody made",
        "move them out of `raw`",
    ]);
    drafted.prepares(16, 16);
}

/// Each of these cannot be prepared as drafted, and the draft asks for what is missing.
#[test]
fn what_names_cannot_tell_is_asked() {
    let numbers_of_classes = Drafted::new(|raw| {
        for number in 0..20 {
            let file = format!("{}/{:03}.png", ["cats", "dogs"][number % 2], number / 2);
            save(&raw.join(file), &image(number));
        }
    });
    numbers_of_classes.asks_first(20, 10);
    numbers_of_classes.asks(&[
        "`cats/000.png` and `dogs/000.png` are both of subject `000`",
        "of two classes",
    ]);
    assert!(numbers_of_classes.prepare().is_err());

    let other_spelling = Drafted::new(|raw| {
        for (number, id) in ids(20) {
            save(&raw.join(format!("{id}.csv")), recording(number).as_bytes());
        }
        patients(
            raw,
            "patients.csv",
            (1..=20).map(|number| (number, format!("p{number}"))),
        );
    });
    other_spelling.asks(&["column `patient` of `patients.csv` has `p1` where files have `P01`"]);

    let lacking = Drafted::new(|raw| {
        for (number, id) in ids(20) {
            save(&raw.join(format!("{id}.csv")), recording(number).as_bytes());
        }
        patients(raw, "patients.csv", ids(18));
    });
    lacking.asks(&[
        "2 subjects have no row in `patients.csv` (`P19`, `P20`)",
        "unlabelled = \"leave-out\"",
    ]);
    let text = lacking.draft.toml.replace(
        "column = \"outcome\"",
        "column = \"outcome\"\nunlabelled = \"leave-out\"",
    );
    let answered = Draft {
        toml: text,
        ..lacking.draft.clone()
    };
    Drafted {
        draft: answered,
        ..lacking
    }
    .prepares(18, 18);
}

/// A table with a row per image: the column of patients ties the images of one together.
#[test]
fn a_table_of_images_groups_them_by_patient() {
    for in_folders in [false, true] {
        let drafted = Drafted::new(|raw| {
            let (mut rows, column) = (String::new(), if in_folders { "" } else { ",patient" });
            for number in 0..30 {
                let (name, patient) = (format!("img_{number:04}.png"), format!("P{:02}", number / 3));
                let folder = if in_folders { patient.as_str() } else { "images" };
                save(&raw.join(folder).join(&name), &image(number));
                let patient = if in_folders {
                    String::new()
                } else {
                    format!(",{patient}")
                };
                rows.push_str(&format!("{name}{patient},{}\n", ["benign", "malign"][number % 2]));
            }
            save(
                &raw.join("labels.csv"),
                format!("image{column},diagnosis\n{rows}").as_bytes(),
            );
        });
        let prepared = drafted.prepares(30, 30);
        let groups: std::collections::BTreeSet<_> = prepared
            .subjects()
            .iter()
            .map(|subject| subject.group.clone())
            .collect();
        assert_eq!(groups.len(), 10, "{drafted}");
        assert!(!groups.contains(&None), "{drafted}");
    }
}
