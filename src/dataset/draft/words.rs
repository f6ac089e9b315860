//! Words of file names, and what they look like.

use std::collections::BTreeSet;

/// Letters before a number, or the word before it, that name a person.
const PERSONS: [&str; 24] = [
    "sub",
    "subj",
    "subject",
    "s",
    "p",
    "pt",
    "pat",
    "patient",
    "participant",
    "person",
    "proband",
    "id",
    "pid",
    "sid",
    "mrn",
    "case",
    "control",
    "ctrl",
    "hc",
    "vp",
    "client",
    "animal",
    "mouse",
    "rat",
];
/// That count the files of a recording, or recordings.
const FRAMES: [&str; 48] = [
    "img",
    "image",
    "im",
    "i",
    "frame",
    "fr",
    "f",
    "slice",
    "sl",
    "slc",
    "rec",
    "record",
    "recording",
    "scan",
    "file",
    "sample",
    "seg",
    "segment",
    "window",
    "win",
    "trial",
    "tr",
    "run",
    "rep",
    "repeat",
    "repetition",
    "take",
    "block",
    "part",
    "epoch",
    "beat",
    "page",
    "photo",
    "pic",
    "picture",
    "view",
    "dsc",
    "tile",
    "patch",
    "snapshot",
    "crop",
    "echo",
    "n",
    "no",
    "nr",
    "num",
    "number",
    "index",
];
/// That count visits of one person.
const VISITS: [&str; 35] = [
    "visit",
    "v",
    "ses",
    "session",
    "sess",
    "week",
    "wk",
    "w",
    "day",
    "d",
    "month",
    "mon",
    "m",
    "year",
    "y",
    "t",
    "tp",
    "timepoint",
    "time",
    "pre",
    "post",
    "fu",
    "followup",
    "baseline",
    "phase",
    "date",
    "study",
    "st",
    "series",
    "ser",
    "se",
    "exam",
    "acq",
    "acquisition",
    "assessment",
];
/// That name hospitals and laboratories.
const PLACES: [&str; 7] = ["site", "centre", "center", "hospital", "clinic", "lab", "laboratory"];
/// That name classes.
const CLASSES: [&str; 16] = [
    "class",
    "grade",
    "group",
    "grp",
    "label",
    "category",
    "cat",
    "type",
    "stage",
    "level",
    "cond",
    "condition",
    "cohort",
    "arm",
    "fold",
    "batch",
];
/// That somebody has split the data by.
const SPLITS: [&str; 11] = [
    "train",
    "training",
    "test",
    "testing",
    "val",
    "valid",
    "validation",
    "dev",
    "eval",
    "evaluation",
    "holdout",
];

/// Where a name is cut.
pub(super) fn is_gap(letter: char) -> bool {
    matches!(letter, '/' | '_' | '-' | ' ' | '.')
}

/// Words and what stands between them, the first gap before the first word. The extension belongs to the last gap.
pub(super) fn cut(path: &str) -> (Vec<&str>, Vec<&str>) {
    let is_extension = |tail: &str| !tail.contains('/') && tail.contains(char::is_alphabetic);
    let dot = path.rfind('.').filter(|dot| is_extension(&path[*dot..]));
    let stem_end = dot.unwrap_or(path.len());
    let (stem, extension) = path.split_at(stem_end);
    let (mut words, mut gaps, mut rest) = (Vec::new(), Vec::new(), stem);
    loop {
        let start = rest.find(|letter| !is_gap(letter)).unwrap_or(rest.len());
        let (gap, tail) = rest.split_at(start);
        if tail.is_empty() {
            // Gaps at the end of the stem are rare and go with the extension.
            gaps.push(path.get(stem_end - gap.len()..).unwrap_or(extension));
            return (words, gaps);
        }
        gaps.push(gap);
        let end = whole(tail).or_else(|| tail.find(is_gap)).unwrap_or(tail.len());
        let (word, tail) = tail.split_at(end);
        words.push(word);
        rest = tail;
    }
}

/// The length of a date (`2021-03-04`) or of the UID of a DICOM file (`1.2.840.113619`) at the beginning of a text: one
/// word, although gaps stand in it.
fn whole(text: &str) -> Option<usize> {
    let end_of = |is_inside: fn(char) -> bool| text.find(|letter| !is_inside(letter)).unwrap_or(text.len());
    let date = text
        .get(..10)
        .filter(|date| is_date(date) && !text[10..].starts_with(|c: char| c.is_alphanumeric()));
    let digits = text[..end_of(|c| c.is_ascii_digit() || c == '.')].trim_end_matches('.');
    let is_uid = digits.matches('.').count() > 2 && !text[digits.len()..].starts_with(char::is_alphanumeric);
    date.map(str::len).or(is_uid.then_some(digits.len()))
}

/// Year, month and day with one sign between them.
fn is_date(text: &str) -> bool {
    let mut parts = text.split(['-', '_', '.']);
    let is_number = |part: Option<&str>, len: usize| part.is_some_and(|part| part.len() == len && is_digits(part));
    is_number(parts.next(), 4) && is_number(parts.next(), 2) && is_number(parts.next(), 2) && parts.next().is_none()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A path with a mark in place of each word: files of one modality share it.
pub(super) fn shape(path: &str) -> String {
    cut(path).1.join("\u{1}")
}

/// What the values of a word look like, one of each file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// A person: `P01`, `sub-003`, `patient_7`.
    Person,
    /// Letters and digits, as ids have them.
    Code,
    /// Words, or numbers of classes.
    Word,
    /// Numbers that count who knows what.
    Number,
    /// Numbers of frames, slices, trials.
    Frame,
    /// Visits of one person, by number, word or date.
    Visit,
    /// Hospitals.
    Place,
    /// Training and test data.
    Split,
}

/// What the values of a word look like; `before` is the word before it if that does not vary.
pub(super) fn look(values: &BTreeSet<String>, before: Option<&str>) -> Look {
    let all = |test: &dyn Fn(&str) -> bool| values.iter().all(|value| test(value));
    let is_year = |text: &str| text.len() == 4 && is_digits(text) && (text.starts_with("19") || text.starts_with("20"));
    if all(&|value| SPLITS.contains(&value.to_lowercase().as_str())) {
        return Look::Split;
    }
    if all(&is_date) || all(&is_year) {
        return Look::Visit;
    }
    let is_uid = |value: &str| value.matches('.').count() > 2 && is_digits(&value.replace('.', ""));
    if all(&is_uid) {
        return Look::Number;
    }
    if all(&is_digits) {
        return before.map_or(Look::Number, |before| of_keyword(before).unwrap_or(Look::Number));
    }
    let has = |value: &str, test: fn(char) -> bool| value.contains(test);
    if all(&|value| has(value, char::is_alphabetic) && has(value, |c| c.is_ascii_digit())) {
        let looks: Option<Vec<Look>> = values.iter().map(|value| of_keyword(letters(value))).collect();
        return match looks.as_deref() {
            Some([first, rest @ ..]) if rest.iter().all(|look| look == first) => *first,
            _ => Look::Code,
        };
    }
    let visit = |value: &str| VISITS.contains(&letters(value).to_lowercase().as_str());
    if all(&|value| value.chars().count() > 1 && visit(value)) {
        return Look::Visit;
    }
    Look::Word
}

/// The letters that a word begins with.
fn letters(word: &str) -> &str {
    &word[..word.find(|letter: char| !letter.is_alphabetic()).unwrap_or(word.len())]
}

/// What numbers after a word are.
fn of_keyword(word: &str) -> Option<Look> {
    let word = letters(word).to_lowercase();
    let is_in = |words: &[&str]| {
        words.contains(&word.as_str())
            || word
                .strip_suffix('s')
                .is_some_and(|one| one.len() > 1 && words.contains(&one))
    };
    let tables: [(&[&str], Look); 5] = [
        (&PERSONS, Look::Person),
        (&FRAMES, Look::Frame),
        (&VISITS, Look::Visit),
        (&PLACES, Look::Place),
        (&CLASSES, Look::Word),
    ];
    tables.into_iter().find(|(words, _)| is_in(words)).map(|(_, look)| look)
}

/// Whether a column of a table is called like one of persons: `patient`, `subject_id`, `PatientID`.
pub(super) fn is_person(column: &str) -> bool {
    const NAMES: [&str; 17] = [
        "id",
        "pid",
        "sid",
        "mrn",
        "sub",
        "subj",
        "pat",
        "patient",
        "patients",
        "subject",
        "subjects",
        "participant",
        "person",
        "proband",
        "client",
        "animal",
        "mouse",
    ];
    let column = column.to_lowercase();
    let is_name = |word: &str| {
        let stem = ["id", "nr", "no", "number", "code", "name"]
            .iter()
            .find_map(|end| word.strip_suffix(end));
        NAMES.contains(&word) || stem.is_some_and(|stem| NAMES.contains(&stem))
    };
    column.split(|letter: char| !letter.is_alphabetic()).any(is_name)
}
