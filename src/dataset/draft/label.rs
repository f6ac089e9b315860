//! The likeliest label: a guess, and a question in any case.

use std::collections::BTreeSet;

use super::group::Group;
use super::keys::quoted;
use super::names::some;
use super::tables::{FoundTable, Use};
use super::words::is_person;
use recoup_formats::delimited::is_missing_code;

/// Columns called so are more likely to be the outcome than an input.
const OUTCOMES: [&str; 11] = [
    "label", "class", "outcome", "diagnos", "respon", "target", "group", "status", "arm", "change", "result",
];

/// Columns called so say where subjects were recorded.
pub(super) const SITES: [&str; 6] = ["site", "centre", "center", "hospital", "clinic", "laborator"];
/// Columns called so tie subjects together.
const TIES: [&str; 4] = ["family", "therapist", "household", "sibling"];

/// The likeliest label and its rivals.
pub(super) struct Label {
    pub(super) source: LabelSource,
    pub(super) classes: Vec<String>,
    /// Other columns that it may be.
    rivals: Vec<String>,
}

pub(super) enum LabelSource {
    File,
    Column(String),
    /// From the median on.
    Threshold(String, f64),
    Prefix(BTreeSet<String>),
    Unknown,
}

/// Columns that may be the label.
#[derive(Default)]
struct Columns {
    /// Whether it is called like one, its name and its values; the likeliest first.
    words: Vec<(bool, String, BTreeSet<String>)>,
    numbers: Vec<String>,
}

impl Columns {
    fn of(table: &FoundTable) -> Self {
        let mut found = Self::default();
        for index in 0..table.values.len() {
            let name = table.column(index).to_string();
            let likely = is_outcome(&name);
            if is_called(&name, &SITES) || ties(&name) {
                continue;
            }
            match table.use_of(index) {
                Use::Words(words) => found.words.push((likely, name, words)),
                Use::Numbers => {
                    let values = table.values[index].iter().filter(|value| !is_missing_code(value));
                    let values: BTreeSet<String> = values.cloned().collect();
                    match likely && values.len() <= 4 {
                        true => found.words.push((true, name, values)),
                        false => found.numbers.push(name),
                    }
                }
                Use::Nothing => {}
            }
        }
        found.words.sort_by_key(|(likely, _, words)| (!likely, words.len()));
        found
    }

    /// All but the chosen one.
    fn rivals(&self, chosen: Option<&str>) -> Vec<String> {
        let is_other = |name: &&String| Some(name.as_str()) != chosen;
        let words = self.words.iter().map(|(_, name, _)| name).filter(is_other);
        let numbers = self.numbers.iter().filter(is_other);
        words
            .map(|name| format!("column `{name}`"))
            .chain(numbers.map(|name| format!("a threshold on `{name}`")))
            .collect()
    }
}

impl Label {
    pub(super) fn guess(groups: &[Group], table: Option<&FoundTable>, subjects: &BTreeSet<String>) -> Self {
        let columns = table.map(Columns::of).unwrap_or_default();
        let labels: BTreeSet<String> = groups
            .iter()
            .flat_map(|group| group.roles.labels.iter().cloned())
            .collect();
        let (source, classes, chosen) = if labels.len() > 1 {
            (LabelSource::File, labels.into_iter().collect(), None)
        } else if let Some((name, median)) = table.and_then(|table| threshold(&columns, table)) {
            let classes = vec!["below".into(), "at-least".into()];
            (LabelSource::Threshold(name.clone(), median), classes, Some(name))
        } else if let Some((_, name, words)) = columns.words.first() {
            let classes = words.iter().cloned().collect();
            (LabelSource::Column(name.clone()), classes, Some(name.clone()))
        } else if let Some(prefixes) = prefixes(subjects) {
            (
                LabelSource::Prefix(prefixes.clone()),
                prefixes.into_iter().collect(),
                None,
            )
        } else {
            (LabelSource::Unknown, vec!["FIRST".into(), "SECOND".into()], None)
        };
        Self {
            source,
            classes,
            rivals: columns.rivals(chosen.as_deref()),
        }
    }

    /// The column of the table that it is.
    pub(super) fn column(&self) -> Option<&str> {
        match &self.source {
            LabelSource::Column(column) | LabelSource::Threshold(column, _) => Some(column),
            LabelSource::File | LabelSource::Prefix(_) | LabelSource::Unknown => None,
        }
    }

    pub(super) fn ask(&self, table: Option<&FoundTable>, questions: &mut Vec<String>) {
        let guess = match &self.source {
            LabelSource::File => {
                format!(
                    "guess: the part of the files' names with {}",
                    some(&self.classes.iter().cloned().collect())
                )
            }
            LabelSource::Column(column) => format!("guess: column `{column}`"),
            LabelSource::Threshold(column, median) => {
                format!("guess: column `{column}` from some number on ({median} is its median)")
            }
            LabelSource::Prefix(prefixes) => format!("guess: the beginning of the subjects' ids, {}", some(prefixes)),
            LabelSource::Unknown => {
                "nothing looks like one; put a table into `raw` with a row per subject and a column \
                                     for it, or the files of each class into a folder of their own, and draft anew"
                    .into()
            }
        };
        let rivals = match self.rivals.as_slice() {
            [] => String::new(),
            rivals => format!("; it may also be {}", rivals.join(", ")),
        };
        questions.push(format!("`label`, `classes`: what is to be predicted? {guess}{rivals}"));
        let Some((column, table)) = self.column().zip(table) else {
            return;
        };
        let (num_empty, lacking) = (table.num_missing(column), &table.lacking);
        if num_empty > 0 || !lacking.is_empty() {
            let mut what = Vec::new();
            if num_empty > 0 {
                what.push(format!("{num_empty} rows of `{}` have no `{column}`", table.file));
            }
            if !lacking.is_empty() {
                what.push(format!(
                    "{} subjects have no row in `{}` ({})",
                    lacking.len(),
                    table.file,
                    some(lacking)
                ));
            }
            questions.push(format!(
                "`label.unlabelled`: {}; write `unlabelled = \"leave-out\"` to leave them out, or complete the table",
                what.join(", and ")
            ));
        }
    }

    pub(super) fn toml(&self) -> String {
        let rule = match &self.source {
            LabelSource::File => "kind = \"file\"\n".to_string(),
            LabelSource::Column(column) => format!("kind = \"column\"\ncolumn = {}\n", quoted(column)),
            LabelSource::Threshold(column, median) => {
                let column = quoted(column);
                format!(
                    "kind = \"threshold\"\ncolumn = {column}\nat_least = {median:?} # the median, for want of a reason\n"
                )
            }
            LabelSource::Prefix(prefixes) => {
                let map = prefixes.iter().map(|prefix| format!("{0} = {0}", quoted(prefix)));
                format!(
                    "kind = \"id-prefix\"\nclasses = {{ {} }}\n",
                    map.collect::<Vec<_>>().join(", ")
                )
            }
            LabelSource::Unknown => "kind = \"id-prefix\"\nclasses = {}\n".into(),
        };
        format!("# Guess: only you know what is to be predicted.\n[label]\n{rule}\n")
    }
}

/// A column of numbers that is called like an outcome, and its median, where no column of words is called so.
fn threshold(columns: &Columns, table: &FoundTable) -> Option<(String, f64)> {
    if columns.words.first().is_some_and(|(likely, _, _)| *likely) {
        return None;
    }
    let name = columns.numbers.iter().find(|name| is_outcome(name))?;
    let index = table.sniffed.table.columns.iter().position(|column| column == name)?;
    let mut values = table.sniffed.numbers(index)?;
    values.sort_by(f64::total_cmp);
    Some((name.clone(), values.get(values.len() / 2).copied()?))
}

/// The letters that ids begin with, where they tell several subjects each from others.
fn prefixes(subjects: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let prefix = |id: &String| id.trim_end_matches(|letter: char| !letter.is_alphabetic()).to_string();
    let prefixes: BTreeSet<String> = subjects.iter().map(prefix).collect();
    let is_usable = prefixes.len() > 1 && 3 * prefixes.len() <= subjects.len() && !prefixes.contains("");
    is_usable.then_some(prefixes)
}

pub(super) fn is_outcome(column: &str) -> bool {
    is_called(column, &OUTCOMES)
}

/// Whether a column is called like something that ties subjects together: a family, or the patient whose images are
/// subjects.
pub(super) fn ties(column: &str) -> bool {
    is_called(column, &TIES) || is_person(column)
}

pub(super) fn is_called(column: &str, words: &[&str]) -> bool {
    let column = column.to_lowercase();
    words.iter().any(|word| column.contains(word))
}
