//! The likeliest label: a guess, and a question in any case.

use std::collections::BTreeSet;

use super::Group;
use super::names::some;
use super::tables::{FoundTable, Use};
use super::write::quoted;
use recoup_formats::delimited::is_missing_code;

/// Columns called so are more likely to be the outcome than an input.
pub(super) const OUTCOMES: [&str; 11] = [
    "label", "class", "outcome", "diagnos", "respon", "target", "group", "status", "arm", "change", "result",
];

/// Columns called so say where subjects were recorded.
pub(super) const SITES: [&str; 6] = ["site", "centre", "center", "hospital", "clinic", "laborator"];
/// Columns called so tie subjects together.
pub(super) const TIES: [&str; 4] = ["family", "therapist", "household", "sibling"];

/// The likeliest label and its rivals.
pub(super) struct Label {
    pub(super) source: LabelSource,
    pub(super) classes: Vec<String>,
    /// Other columns that it may be.
    pub(super) rivals: Vec<String>,
}

pub(super) enum LabelSource {
    File,
    Column(String),
    /// From the median on.
    Threshold(String, f64),
    Prefix(BTreeSet<String>),
    Unknown,
}

impl Label {
    pub(super) fn guess(groups: &[Group], table: Option<&FoundTable>, subjects: &BTreeSet<String>) -> Self {
        let mut columns: Vec<(bool, usize, String, BTreeSet<String>)> = Vec::new();
        let mut numbers = Vec::new();
        for index in 0..table.map_or(0, |table| table.values.len()) {
            let Some(table) = table else { continue };
            let name = table.column(index).to_string();
            let outcome = is_outcome(&name);
            if is_called(&name, &SITES) || is_called(&name, &TIES) {
                continue;
            }
            match table.use_of(index) {
                Use::Words(words) => columns.push((!outcome, words.len(), name, words)),
                Use::Numbers => {
                    let values: BTreeSet<String> = table.values.get(index).cloned().unwrap_or_default();
                    let values: BTreeSet<String> = values.into_iter().filter(|value| !is_missing_code(value)).collect();
                    match outcome && values.len() <= 4 {
                        true => columns.push((false, values.len(), name, values)),
                        false => numbers.push(name),
                    }
                }
                Use::Nothing => {}
            }
        }
        columns.sort_by_key(|(other, count, _, _)| (*other, *count));
        let rivals = |chosen: Option<&str>| -> Vec<String> {
            let words = columns
                .iter()
                .map(|(_, _, name, _)| name)
                .filter(|name| Some(name.as_str()) != chosen);
            words
                .map(|name| format!("column `{name}`"))
                .chain(numbers.iter().map(|name| format!("a threshold on `{name}`")))
                .collect()
        };
        let labels: BTreeSet<String> = groups
            .iter()
            .flat_map(|group| group.roles.labels.iter().cloned())
            .collect();
        if labels.len() > 1 {
            return Self {
                source: LabelSource::File,
                classes: labels.into_iter().collect(),
                rivals: rivals(None),
            };
        }
        let outcome = numbers
            .iter()
            .find(|name| is_outcome(name))
            .filter(|_| columns.first().is_none_or(|column| column.0));
        if let Some((name, table)) = outcome.zip(table) {
            let index = table.sniffed.table.columns.iter().position(|column| column == name);
            let mut values = index.and_then(|index| table.sniffed.numbers(index)).unwrap_or_default();
            values.sort_by(f64::total_cmp);
            let median = values.get(values.len() / 2).copied().unwrap_or(0.0);
            let mut rivals = rivals(None);
            rivals.retain(|rival| !rival.ends_with(&format!("`{name}`")));
            let classes = vec!["below".into(), "at-least".into()];
            return Self {
                source: LabelSource::Threshold(name.clone(), median),
                classes,
                rivals,
            };
        }
        if let Some((_, _, name, words)) = columns.first() {
            let classes = words.iter().cloned().collect();
            return Self {
                source: LabelSource::Column(name.clone()),
                classes,
                rivals: rivals(Some(name)),
            };
        }
        let prefix = |id: &String| id.trim_end_matches(|letter: char| !letter.is_alphabetic()).to_string();
        let prefixes: BTreeSet<String> = subjects.iter().map(prefix).collect();
        let usable = prefixes.len() > 1 && 3 * prefixes.len() <= subjects.len() && !prefixes.contains("");
        match usable {
            true => Self {
                classes: prefixes.iter().cloned().collect(),
                source: LabelSource::Prefix(prefixes),
                rivals: rivals(None),
            },
            false => {
                let classes = vec!["FIRST".into(), "SECOND".into()];
                Self {
                    source: LabelSource::Unknown,
                    classes,
                    rivals: rivals(None),
                }
            }
        }
    }

    pub(super) fn ask(&self, questions: &mut Vec<String>) {
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
            LabelSource::Unknown => "nothing looks like one".into(),
        };
        let rivals = match self.rivals.as_slice() {
            [] => String::new(),
            rivals => format!("; it may also be {}", rivals.join(", ")),
        };
        questions.push(format!("`label`, `classes`: what is to be predicted? {guess}{rivals}"));
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

pub(super) fn is_outcome(column: &str) -> bool {
    is_called(column, &OUTCOMES)
}

pub(super) fn is_called(column: &str, words: &[&str]) -> bool {
    let column = column.to_lowercase();
    words.iter().any(|word| column.contains(word))
}
