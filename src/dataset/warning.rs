//! Warnings of readers about the files of a dataset.

use std::collections::BTreeMap;

use recoup_formats::WarningCode;
use serde::{Deserialize, Serialize};

/// Files that a summary names; the rest is counted.
const MAX_FILES: usize = 3;

/// Something that a reader tolerated in a file of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileWarning {
    /// Its kind.
    pub code: WarningCode,
    /// The modality that the file was read for.
    pub modality: String,
    /// The file, relative to the raw folder; of several that are one recording, the first.
    pub file: String,
    /// What was found.
    pub text: String,
}

/// One line for each kind of warning and modality: how many files have it, and what the first ones say.
pub fn summary(warnings: &[FileWarning]) -> Vec<String> {
    let mut groups = BTreeMap::<(WarningCode, &str), BTreeMap<&str, &str>>::new();
    for warning in warnings {
        let files = groups.entry((warning.code, &warning.modality)).or_default();
        files.entry(&warning.file).or_insert(&warning.text);
    }
    let line = |((code, modality), files): ((WarningCode, &str), BTreeMap<&str, &str>)| {
        let count = match files.len() {
            1 => "1 file".to_string(),
            count => format!("{count} files"),
        };
        let shown = files
            .iter()
            .take(MAX_FILES)
            .map(|(file, text)| format!("{file}: {text}"));
        let more = match files.len().saturating_sub(MAX_FILES) {
            0 => String::new(),
            more => format!("; {more} more"),
        };
        let shown: Vec<String> = shown.collect();
        format!("{code}: {count} of modality `{modality}`: {}{more}", shown.join("; "))
    };
    groups.into_iter().map(line).collect()
}
