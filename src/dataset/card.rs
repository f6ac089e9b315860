//! Dataset cards: `datasets/<name>/card.toml` says how the files of a dataset become a cohort and, for a published one,
//! where it comes from, under which licence, and which bytes are the right ones. `datasets/README.md` explains the keys.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Deserialize;

use crate::base::FileError;
use crate::base::hash::{digest, digest_file};
use crate::base::text::closest_expected;
use crate::base::walk::walk;
use crate::dataset::error::DataError;
use recoup_formats::open;

mod check;
mod pattern;
mod rules;

pub use pattern::{FilePattern, PathGroup, PathGroups};
pub(in crate::dataset) use rules::DIGITAL_UNIT;
pub use rules::{
    Accept, AlignRule, AnnotationsRule, Axis, ColumnRule, ContentRule, ImageRule, LabelRule, MissingRule, ModalityRule,
    PointsRule, ResponderRule, SeriesRule, SignalRule, SubjectRule, TableRowRule, TableRule, TimeUnit, Unlabelled,
    VisitsRule,
};

/// A dataset card, checked: the names it uses exist, its files do not.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Where the card was loaded from.
    #[serde(skip)]
    pub path: PathBuf,
    /// The card's text, part of the key of prepared data.
    #[serde(skip)]
    pub text: String,
    /// Name of the dataset, and of the cohort.
    pub name: String,
    /// Full title; empty where the card gives none, as are the four that follow.
    #[serde(default)]
    pub title: String,
    /// SPDX identifier where there is one.
    #[serde(default)]
    pub licence: String,
    /// What to cite, one entry per work.
    #[serde(default)]
    pub citation: Vec<String>,
    /// The page that describes the dataset.
    #[serde(default)]
    pub url: String,
    /// Prefix of each file's address, with a slash at the end.
    #[serde(default)]
    pub base_url: String,
    /// Patterns of the files to fetch; all that `hashes` lists where there are none.
    #[serde(default)]
    pub files: Vec<String>,
    /// The file with a line `sha256  file` per file; without one, files are taken as they are.
    pub hashes: Option<String>,
    /// SHA-256 of that file itself, so that the card vouches for every byte.
    pub hashes_sha256: Option<String>,
    /// Contents that are right as well although `hashes` says otherwise.
    #[serde(default)]
    pub accept: Vec<Accept>,
    /// Names of the classes, in the order of their indices.
    pub classes: Vec<String>,
    /// Where the subjects come from.
    pub subjects: SubjectRule,
    /// The table with one row per subject or session, if there is one.
    pub table: Option<TableRule>,
    /// How a session's class is found.
    pub label: LabelRule,
    /// The modalities, in the order of the cohort's.
    #[serde(rename = "modality")]
    pub modalities: Vec<ModalityRule>,
}

impl Card {
    /// Reads and checks a card.
    ///
    /// # Errors
    /// [`DataError::Io`], or [`DataError::Card`] with the line or key that is wrong.
    pub fn load(path: &Path) -> Result<Self, DataError> {
        let text = std::fs::read_to_string(path).map_err(FileError::io(path, "read"))?;
        Self::parse(text, path)
    }

    /// As [`Card::load`], from a text; `path` is for messages.
    ///
    /// # Errors
    /// Those of [`Card::load`].
    pub fn parse(text: String, path: &Path) -> Result<Self, DataError> {
        let mut card: Self = toml::from_str(&text).map_err(|error| DataError::Card {
            file: path.to_path_buf(),
            place: line_of(&text, &error).map_or("card".into(), |line| format!("line {line}")),
            problem: error.message().to_string(),
            hint: hint_of(error.message()),
        })?;
        card.path = path.to_path_buf();
        card.text = text;
        card.check()?;
        Ok(card)
    }

    /// Whether the file is one of those to fetch.
    pub fn needs(&self, file: &str) -> bool {
        let fits = |pattern: &String| {
            FilePattern::parse(pattern).is_ok_and(|pattern| pattern.matches(file, &PathGroups::default()).is_some())
        };
        self.files.is_empty() || self.files.iter().any(fits)
    }

    /// The right hashes of each needed file: those of the list `hashes` below `raw_dir` and those that the card accepts.
    /// Empty for a card without `hashes`.
    ///
    /// # Errors
    /// [`DataError::Io`] without the list, [`DataError::File`] when it is not the one that the card knows.
    pub fn declared_hashes(&self, raw_dir: &Path) -> Result<BTreeMap<String, Vec<String>>, DataError> {
        let mut declared = BTreeMap::<String, Vec<String>>::new();
        let Some(list) = &self.hashes else { return Ok(declared) };
        let path = raw_dir.join(list);
        let text = std::fs::read_to_string(&path).map_err(FileError::io(&path, "read"))?;
        let wrong = |place: String, found: String, expected: String| -> DataError {
            let error = FileError::at(&path).place(place).found(found).expected(expected);
            error.hint(self.restore_hint(list)).into()
        };
        let found = digest(text.as_bytes());
        if let Some(expected) = self.hashes_sha256.as_ref().filter(|expected| **expected != found) {
            return Err(wrong("content".into(), format!("sha256 {found}"), expected.clone()));
        }
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let (hash, file) = (line.split_once(char::is_whitespace)).ok_or_else(|| {
                wrong(
                    format!("line {}", number + 1),
                    format!("`{line}`"),
                    "`sha256 file`".into(),
                )
            })?;
            let file = file.trim_start_matches([' ', '*']);
            if self.needs(file) {
                declared.entry(file.to_string()).or_default().push(hash.to_lowercase());
            }
        }
        for accept in &self.accept {
            declared
                .entry(accept.file.clone())
                .or_default()
                .push(accept.sha256.to_lowercase());
        }
        Ok(declared)
    }

    /// What to do about a file with a wrong content.
    pub(super) fn restore_hint(&self, file: &str) -> String {
        match self.base_url.as_str() {
            "" => "restore the file, or state its hash in the card".into(),
            base_url => format!("fetch it again from {base_url}{file}"),
        }
    }

    /// Text that changes whenever the card or the content of its files does: the declared content, or without
    /// declared hashes that of the files that the card reads.
    pub(crate) fn source_key(&self, raw_dir: &Path) -> Result<String, DataError> {
        let mut key = self.text.clone();
        let mut add = |file: &str, hash: &str| key.push_str(&format!("\n{hash}  {file}"));
        if self.hashes.is_some() {
            for (file, hashes) in self.declared_hashes(raw_dir)? {
                add(&file, &hashes.join(" or "));
            }
            return Ok(key);
        }
        let hash = |file: &String| Ok(digest_file(&raw_dir.join(file))?);
        let files: Vec<String> = self.reads(raw_dir)?.into_iter().collect();
        let hashes: Vec<Result<String, DataError>> = files.par_iter().map(hash).collect();
        for (file, hash) in files.iter().zip(hashes) {
            add(file, &hash?);
        }
        Ok(key)
    }

    /// The files below `raw_dir` that reading the cohort may open.
    fn reads(&self, raw_dir: &Path) -> Result<BTreeSet<String>, DataError> {
        let mut reads = BTreeSet::new();
        let all = walk(raw_dir, false)?.files;
        let tables = self.table_files();
        reads.extend(all.iter().filter(|file| tables.contains(&file.as_str())).cloned());
        for rule in &self.modalities {
            let Some(pattern) = self.pattern(rule)? else { continue };
            for file in all
                .iter()
                .filter(|file| pattern.matches(file, &PathGroups::default()).is_some())
            {
                reads.insert(file.clone());
                let relative = |path: PathBuf| path.strip_prefix(raw_dir).ok()?.to_str().map(String::from);
                // Absent files are left to the reader, whose message is the better one.
                let parts = open::parts_of(&raw_dir.join(file))
                    .into_iter()
                    .filter(|path| path.is_file());
                reads.extend(parts.filter_map(relative));
            }
        }
        Ok(reads)
    }

    /// The files that hold rows of all subjects, which are nobody's recording, whatever pattern they fit.
    pub(super) fn table_files(&self) -> Vec<&str> {
        let label = match &self.label {
            LabelRule::Responder(rule) => Some(rule.file.as_str()),
            _ => None,
        };
        let tables = self.modalities.iter().filter_map(ModalityRule::table_file).chain(label);
        tables
            .chain(self.table.as_ref().map(|table| table.file.as_str()))
            .collect()
    }

    /// The pattern of a modality's files; `None` for tables.
    pub(super) fn pattern(&self, rule: &ModalityRule) -> Result<Option<FilePattern>, DataError> {
        let Some(text) = rule.pattern() else {
            return Ok(None);
        };
        let wrong =
            |(problem, hint): (String, String)| self.error(format!("modality.{}.file", rule.name), problem, hint);
        FilePattern::parse(text).map(Some).map_err(wrong)
    }

    /// A [`DataError::Card`] of this card.
    pub(super) fn error(&self, place: impl Into<String>, problem: String, hint: impl Into<String>) -> DataError {
        DataError::Card {
            file: self.path.clone(),
            place: place.into(),
            problem,
            hint: hint.into(),
        }
    }
}

/// The line of an error. The parser gives that of the first modality for every error in one, so they are tried one by one.
fn line_of(text: &str, error: &toml::de::Error) -> Option<usize> {
    let before = text.get(..error.span()?.start)?;
    let line = before.lines().count().max(1) + usize::from(before.ends_with('\n'));
    let table: toml::Table = text.parse().ok()?;
    let modalities = table
        .get("modality")
        .and_then(toml::Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let same = |value: &toml::Value| match ModalityRule::deserialize(value.clone()) {
        Ok(_) => false,
        Err(found) => found.message() == error.message(),
    };
    let Some(index) = modalities.iter().position(same) else {
        return Some(line);
    };
    let mut headers = (1..)
        .zip(text.lines())
        .filter(|(_, line)| line.trim() == "[[modality]]")
        .map(|(number, _)| number);
    let start = headers.nth(index).unwrap_or(line);
    // The key itself, for a field that does not exist.
    let key = error
        .message()
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split('`').next());
    let has_key = |line: &str| key.is_some_and(|key| line.trim_start().starts_with(key));
    let end = headers.next().unwrap_or(usize::MAX);
    let mut lines = (1..)
        .zip(text.lines())
        .skip(start.saturating_sub(1))
        .take_while(|(number, _)| *number < end);
    lines
        .find(|(_, line)| has_key(line))
        .map(|(number, _)| number)
        .or(Some(start.max(line.min(end))))
}

/// What to do about a key that no card has.
fn hint_of(message: &str) -> String {
    let kind = message
        .strip_prefix("unknown kind `")
        .and_then(|rest| rest.split('`').next());
    if let Some(instead) = kind.and_then(rules::retired_kind) {
        return instead.into();
    }
    match closest_expected(message) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "datasets/README.md lists the keys of a card".into(),
    }
}
