//! Cards for one's own data: one dataset in three layouts becomes one cohort, and every mistake has its message.

use std::fs;
use std::path::Path;

use recoup::cohort::prepared::Prepared;
use recoup::dataset::DataError;
use recoup::dataset::card::Card;
use recoup::dataset::load::load_cohort;
use recoup::dataset::subjects::{Cohort, ModalityKind};

use super::edit;

mod mistakes;

const NUM_SUBJECTS: usize = 12;
const SESSIONS: [&str; 2] = ["pre", "post"];
const NUM_ROWS: usize = 100;

/// Where the label stands.
#[derive(Clone, Copy, PartialEq)]
pub enum Layout {
    Folder,
    FileName,
    Table,
}

/// Steps of a linear congruential generator, a number from 0 to 255 each.
pub struct Draws(pub u64);

impl Draws {
    pub fn next(&mut self) -> u8 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 56) as u8
    }
}

pub fn save(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

pub fn png(width: u32, height: u32, pixels: Vec<u8>) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::GrayImage::from_raw(width, height, pixels)
        .unwrap()
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

/// Twelve subjects, two sessions each: a signal of two channels, two images, and a row of a table.
pub fn write_dataset(raw: &Path, layout: Layout) {
    let mut draws = Draws(11);
    let mut table = String::from("Subject,Visit,Age,Sex,Site,Family,Outcome\n");
    for subject in 0..NUM_SUBJECTS {
        let id = format!("P{:02}", subject + 1);
        for (visit, session) in SESSIONS.into_iter().enumerate() {
            // Some change from one session to the other: a label belongs to a session.
            let label = if (subject + visit * (subject / 6)) % 2 == 0 {
                "yes"
            } else {
                "no"
            };
            let age = 40 + draws.next() % 40;
            let [sex, site] = [["f", "m"][subject / 2 % 2], ["north", "south"][subject / 4 % 2]];
            table.push_str(&format!("{id},{session},{age},{sex},{site},F{},{label}\n", subject / 3));
            let mut text = String::from(match layout {
                Layout::Folder => "# device 7\nTime (s),Left,Right\n",
                Layout::FileName => "",
                Layout::Table => "\u{feff}Left\tRight\r\n",
            });
            for row in 0..NUM_ROWS {
                let mut value = || (f64::from(draws.next()) - 128.0) / 128.0;
                let [left, right] = [value(), value()];
                text.push_str(&match layout {
                    Layout::Folder => format!("{:.2},{left},{right}\n", 0.5 + row as f64 / 100.0),
                    Layout::FileName => format!("{};{left};{right}\n", 10 * row).replace('.', ","),
                    Layout::Table => format!("{left}\t{right}\r\n"),
                });
            }
            let stem = match layout {
                Layout::Folder => format!("{label}/{id}/{session}_emg.csv"),
                Layout::FileName => format!("emg/{id}_{session}_{label}.txt"),
                Layout::Table => format!("{id}/{session}/emg.tsv"),
            };
            save(&raw.join(stem), text.as_bytes());
            for number in [2, 10] {
                let pixels = (0..24).map(|_| draws.next()).collect();
                let stem = match layout {
                    Layout::Folder => format!("{label}/{id}/{session}_scan_{number}.png"),
                    Layout::FileName => format!("scan/{id}_{session}_{number}_{label}.png"),
                    Layout::Table => format!("{id}/{session}/scan-{number}.png"),
                };
                save(&raw.join(stem), &png(6, 4, pixels));
            }
        }
    }
    save(&raw.join("patients.csv"), table.as_bytes());
}

/// The card of a layout.
pub fn card_text(layout: Layout) -> String {
    let [label, subjects, emg, scan] = match layout {
        Layout::Folder => [
            "kind = \"file\"\nclasses = { no = \"non-responder\", yes = \"responder\" }",
            "kind = \"files\"",
            "file = \"{label}/{subject}/{session}_emg.csv\"\ntime = \"Time (s)\"\n",
            "{label}/{subject}/{session}_scan_*.png",
        ],
        Layout::FileName => [
            "kind = \"file\"\nclasses = { no = \"non-responder\", yes = \"responder\" }",
            "kind = \"files\"",
            "file = \"emg/{subject}_{session}_{label}.txt\"\ntime = \"1\"\ntime_unit = \"ms\"\n",
            "scan/{subject}_{session}_*_{label}.png",
        ],
        Layout::Table => [
            "kind = \"column\"\ncolumn = \"Outcome\"\nclasses = { no = \"non-responder\", yes = \"responder\" }",
            "kind = \"table\"",
            "file = \"{subject}/{session}/emg.tsv\"\nfile_rate_hz = 100.0\n",
            "{subject}/{session}/scan-*.png",
        ],
    };
    let [channels, format] = match layout {
        Layout::Folder => [
            "{ column = \"Left\", unit = \"mV\" }, { column = \"Right\", unit = \"mV\" }",
            "comment = \"#\"",
        ],
        Layout::FileName => [
            "{ column = \"2\", name = \"Left\", unit = \"mV\" }, { column = \"3\", name = \"Right\", unit = \"mV\" }",
            "separator = \"semicolon\"\nheader = false\ndecimal = \",\"",
        ],
        Layout::Table => [
            "{ column = \"Left\", unit = \"mV\" }, { column = \"Right\", unit = \"mV\" }",
            "separator = \"tab\"",
        ],
    };
    format!(
        r#"name = "own"
classes = ["non-responder", "responder"]

[subjects]
{subjects}

[table]
file = "patients.csv"
id = "Subject"
session = "Visit"
site = "Site"
group = "Family"

[label]
{label}

[[modality]]
kind = "signal"
name = "emg"
{emg}rate_hz = 50.0
channels = [{channels}]

[modality.layout]
{format}

[[modality]]
kind = "image"
name = "scan"
file = "{scan}"
color = "gray"
height = 4
width = 6

[[modality]]
kind = "table"
name = "clinical"
channels = [
    {{ column = "Age", unit = "year", range = [18.0, 100.0] }},
    {{ column = "Sex", name = "sex", unit = "1", categories = {{ f = 0.0, m = 1.0 }} }},
]
"#
    )
}

pub fn dataset(layout: Layout) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_dataset(&folder.path().join("raw"), layout);
    fs::write(folder.path().join("card.toml"), card_text(layout)).unwrap();
    folder
}

pub fn load(folder: &Path) -> Result<Cohort, DataError> {
    load_cohort(&Card::load(&folder.join("card.toml"))?, &folder.join("raw"))
}

#[test]
fn one_dataset_in_three_layouts_is_one_cohort() {
    let [by_folder, by_name, by_table] = [Layout::Folder, Layout::FileName, Layout::Table].map(|layout| {
        let folder = dataset(layout);
        load(folder.path()).unwrap()
    });
    assert_eq!(by_folder, by_name);
    assert_eq!(by_folder, by_table);

    let cohort = by_folder;
    assert_eq!(cohort.subjects.len(), NUM_SUBJECTS);
    let p07 = &cohort.subjects[6];
    assert_eq!(
        (p07.id.as_str(), p07.site.as_deref(), p07.group.as_deref()),
        ("P07", Some("south"), Some("F2"))
    );
    let sessions: Vec<_> = p07
        .sessions
        .iter()
        .map(|session| (session.id.as_str(), session.class))
        .collect();
    assert_eq!(sessions, [("post", 0), ("pre", 1)]);
    let kinds: Vec<_> = cohort
        .modalities
        .iter()
        .map(|spec| (spec.name.as_str(), spec.kind))
        .collect();
    let image = ModalityKind::Image { height: 4, width: 6 };
    let signal = ModalityKind::Signal { rate_hz: 50.0 };
    assert_eq!(
        kinds,
        [("emg", signal), ("scan", image), ("clinical", ModalityKind::Row)]
    );
    for session in cohort.subjects.iter().flat_map(|subject| &subject.sessions) {
        let shapes: Vec<_> = session
            .recordings
            .iter()
            .map(|recording| recording.as_ref().unwrap().values.dim())
            .collect();
        assert_eq!(shapes, [(50, 2), (2, 24), (1, 2)]);
    }
    // The values themselves, from the generator: the first session's age, then its signal and both images.
    let mut draws = Draws(11);
    let age = f32::from(40 + draws.next() % 40);
    let pre = &cohort.subjects[0].sessions[1];
    assert_eq!(
        pre.recordings[2].as_ref().unwrap().values.as_slice().unwrap(),
        [age, 0.0]
    );
    for _ in 0..2 * NUM_ROWS {
        draws.next();
    }
    let images = pre.recordings[1].as_ref().unwrap().values.clone();
    for value in images {
        assert_eq!(
            value,
            (f64::from(draws.next()) / 255.0) as f32,
            "scan_2 comes before scan_10"
        );
    }
}

/// The card of the first layout with some keys exchanged.
fn variant(edits: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = dataset(Layout::Folder);
    edits
        .iter()
        .for_each(|(from, to)| edit(&folder.path().join("card.toml"), from, to));
    folder
}

#[test]
fn labels_come_from_columns_thresholds_prefixes_and_names() {
    let classes = |folder: &tempfile::TempDir| -> Vec<usize> {
        let cohort = load(folder.path()).unwrap();
        cohort
            .subjects
            .iter()
            .flat_map(|subject| &subject.sessions)
            .map(|session| session.class)
            .collect()
    };
    let map = "kind = \"file\"\nclasses = { no = \"non-responder\", yes = \"responder\" }";
    let expected = classes(&variant(&[]));
    let bare = variant(&[
        ("\"non-responder\", \"responder\"", "\"no\", \"yes\""),
        (map, "kind = \"file\""),
    ]);
    assert_eq!(classes(&bare), expected);
    let patterns = [
        ("{label}/{subject}/{session}_e", "*/{subject}/{session}_e"),
        ("{label}/{subject}/{session}_s", "*/{subject}/{session}_s"),
    ];
    let with = |label: &str, classes: &str| {
        let edits = [("\"non-responder\", \"responder\"", classes), (map, label)];
        variant(&[edits.as_slice(), patterns.as_slice()].concat())
    };
    assert_eq!(
        classes(&with("kind = \"column\"\ncolumn = \"Outcome\"", "\"no\", \"yes\"")),
        expected
    );
    let folder = with(
        "kind = \"threshold\"\ncolumn = \"Age\"\nat_least = 60.0",
        "\"young\", \"old\"",
    );
    let table = fs::read_to_string(folder.path().join("raw/patients.csv")).unwrap();
    let age = |id: &str, visit: &str| -> f64 {
        let start = format!("{id},{visit},");
        table
            .lines()
            .find_map(|line| line.strip_prefix(&start))
            .unwrap()
            .split(',')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    let by_age: Vec<usize> = (1..=NUM_SUBJECTS)
        .flat_map(|subject| ["post", "pre"].map(|visit| usize::from(age(&format!("P{subject:02}"), visit) >= 60.0)))
        .collect();
    assert!(by_age.contains(&0) && by_age.contains(&1));
    assert_eq!(classes(&folder), by_age);
    let prefix = with(
        "kind = \"id-prefix\"\nclasses = { P0 = \"first\", P1 = \"last\" }",
        "\"first\", \"last\"",
    );
    assert_eq!(classes(&prefix), [vec![0; 18], vec![1; 6]].concat());
}

/// The boundary of a threshold is a yes, whatever number is written for it.
#[test]
fn a_change_of_the_threshold_itself_is_a_response() {
    let folder = tempfile::tempdir().unwrap();
    save(
        &folder.path().join("raw/t.csv"),
        b"id;change\na;8,99\nb;9\nc;9,0\nd;-3,5e1\n",
    );
    let card = "name = \"t\"\nclasses = [\"no\", \"yes\"]\n[subjects]\nkind = \"table\"\n[table]\nfile = \"t.csv\"\nid = \"id\"\n\
                layout = { separator = \"semicolon\", decimal = \",\" }\n[label]\nkind = \"threshold\"\n\
                column = \"change\"\nat_least = 9.0\n[[modality]]\nkind = \"table\"\nname = \"c\"\n\
                channels = [{ column = \"change\", unit = \"point\" }]\n";
    save(&folder.path().join("card.toml"), card.as_bytes());
    let cohort = load(folder.path()).unwrap();
    let found = cohort.subjects.iter().map(|subject| {
        let session = &subject.sessions[0];
        (
            session.id.as_str(),
            session.class,
            session.recordings[0].as_ref().unwrap().values[[0, 0]],
        )
    });
    assert_eq!(
        found.collect::<Vec<_>>(),
        [("a", 0, 8.99), ("b", 1, 9.0), ("c", 1, 9.0), ("d", 0, -35.0)]
    );
}

#[test]
fn subjects_sites_and_groups_come_from_names_too() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["north/F1/a_yes.csv", "north/F1/b_no.csv", "south/F2/c_yes.csv"] {
        save(&folder.path().join("raw").join(path), b"x\n1\n2\n");
    }
    let card = "name = \"t\"\nclasses = [\"no\", \"yes\"]\n[subjects]\nkind = \"files\"\n[label]\nkind = \"file\"\n\
                [[modality]]\nkind = \"signal\"\nname = \"x\"\nfile = \"{site}/{group}/{subject}_{label}.csv\"\n\
                file_rate_hz = 10.0\nrate_hz = 10.0\nchannels = [{ column = \"x\", unit = \"1\" }]\n";
    save(&folder.path().join("card.toml"), card.as_bytes());
    let cohort = load(folder.path()).unwrap();
    let found = cohort.subjects.iter().map(|subject| {
        let [session] = subject.sessions.as_slice() else {
            panic!()
        };
        (
            subject.id.as_str(),
            subject.site.as_deref().unwrap(),
            subject.group.as_deref().unwrap(),
            session.id.as_str(),
            session.class,
        )
    });
    let expected = [
        ("a", "north", "F1", "a", 1),
        ("b", "north", "F1", "b", 0),
        ("c", "south", "F2", "c", 1),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
    let cache = tempfile::tempdir().unwrap();
    let prepared = Prepared::build(&cohort, cache.path()).unwrap();
    let groups: Vec<_> = prepared
        .subjects()
        .iter()
        .map(|subject| subject.group.as_deref().unwrap())
        .collect();
    assert_eq!(groups, ["F1", "F1", "F2"]);
}

/// Without declared hashes the key of prepared data is the content of what is read, nested folders included.
#[test]
fn a_changed_file_is_another_preparation_and_an_unread_one_is_not() {
    let folder = dataset(Layout::Folder);
    let (card, cache) = (folder.path().join("card.toml"), tempfile::tempdir().unwrap());
    let count = || {
        Prepared::from_card(&Card::load(&card).unwrap(), &folder.path().join("raw"), cache.path()).unwrap();
        fs::read_dir(cache.path()).unwrap().count()
    };
    assert_eq!((count(), count()), (1, 1));
    save(&folder.path().join("raw/notes/today.txt"), b"nothing");
    save(&folder.path().join("raw/yes/P01/.pre_emg.csv"), b"hidden");
    assert_eq!(count(), 1);
    edit(&folder.path().join("raw/patients.csv"), "P01,pre,6", "P01,pre,7");
    assert_eq!(count(), 2);
    edit(&folder.path().join("raw/yes/P01/pre_emg.csv"), "0.50,", "0.50,-");
    assert_eq!(count(), 3);
}
