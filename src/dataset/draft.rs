//! The first draft of a dataset card from the files of a folder: `recoup data new`.
//!
//! What a file name or a column is for can be guessed and not known. So a draft is a card that parses, with its guesses
//! marked as such, what was *found*, and the *questions* that only the owner of the data can answer. What the label is,
//! is always a question.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::dataset::error::DataError;

mod content;
mod label;
mod names;
mod opened;
mod tables;
mod write;

use content::{Content, Kind};
use names::{Named, Roles};
use tables::FoundTable;

/// A draft of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The card; it parses, and loads once the questions are answered.
    pub toml: String,
    /// What was found, one sentence each.
    pub findings: Vec<String>,
    /// What could not be told, each with the key to edit.
    pub questions: Vec<String>,
}

/// Looks through `dir/raw`, or `dir` itself where there is no such folder.
///
/// # Errors
/// [`DataError::File`] for a folder or file that cannot be read; a file that makes no sense is a finding.
pub fn draft(dir: &Path) -> Result<Draft, DataError> {
    let raw = dir.join("raw");
    let (raw, in_place) = if raw.is_dir() {
        (raw, false)
    } else {
        (dir.to_path_buf(), true)
    };
    let mut files = crate::base::walk::walk(&raw, false)?.files;
    // What `recoup` itself writes there.
    let ours =
        |file: &String| matches!(file.as_str(), "card.toml" | "experiment.toml") || file.starts_with("prepared/");
    files.retain(|file| !(in_place && ours(file)));
    let mut survey = Survey::of(&raw, &files)?;
    if in_place && !files.is_empty() {
        survey
            .questions
            .push("the files belong into a folder `raw` beside card.toml: move them there".into());
    }
    let name = dir.canonicalize().unwrap_or(dir.to_path_buf());
    let name = name.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = if name.is_empty() || name.starts_with('.') {
        "dataset"
    } else {
        name
    }
    .to_string();
    Ok(write::write(&name, survey))
}

/// Files that are named and filled alike: the recordings of one modality.
struct Group {
    /// Unique among the groups.
    name: String,
    roles: Roles,
    content: Content,
    num_files: usize,
}

/// Everything that was made out.
#[derive(Default)]
struct Survey {
    groups: Vec<Group>,
    /// The one that fits the subjects best comes first.
    tables: Vec<FoundTable>,
    subjects: BTreeSet<String>,
    findings: Vec<String>,
    questions: Vec<String>,
}

impl Survey {
    fn of(raw: &Path, files: &[String]) -> Result<Self, DataError> {
        let mut survey = Self::default();
        let kinds = content::kinds(raw, files)?;
        let mut alike = BTreeMap::<(String, String), Vec<&str>>::new();
        let mut unknown = Vec::new();
        for (file, kind) in files.iter().zip(&kinds) {
            match kind {
                Kind::Part => {}
                Kind::Unknown => unknown.push(file.as_str()),
                Kind::Known { signature } => {
                    alike
                        .entry((names::shape(file), signature.clone()))
                        .or_default()
                        .push(file);
                }
            }
        }
        let (single, many): (Vec<_>, Vec<_>) = alike.into_values().partition(|files| files.len() == 1);
        for file in single.into_iter().flatten() {
            match tables::read(raw, file)? {
                Some(table) => survey.tables.push(table),
                None => unknown.push(file),
            }
        }
        for files in many {
            survey.add_group(raw, &files)?;
        }
        survey.choose_ids();
        survey.name_groups();
        if files.is_empty() {
            survey.findings.push("no files".into());
            survey
                .questions
                .push("put the files of the dataset into the folder `raw` and run the command again".into());
        }
        if let Some(first) = unknown.iter().min() {
            let count = unknown.len();
            survey
                .findings
                .push(format!("{count} files are of no use to a card, the first is `{first}`"));
        }
        Ok(survey)
    }

    fn add_group(&mut self, raw: &Path, files: &[&str]) -> Result<(), DataError> {
        let Some(first) = files.first() else { return Ok(()) };
        let content = content::read(raw, files)?;
        let ids: Vec<&BTreeSet<String>> = self.tables.iter().flat_map(|table| &table.values).collect();
        let named = Named::new(files);
        let many_per_session = match &content {
            Content::Image { .. } => true,
            Content::Opened(opened) => opened.is_frame(),
            _ => false,
        };
        let roles = named.roles(&ids, many_per_session);
        self.findings
            .push(format!("{} files like `{first}`: {content}", files.len()));
        self.findings.push(format!(
            "guess: they are named `{}`{}",
            roles.pattern,
            roles.explanation()
        ));
        self.subjects.extend(roles.subjects.iter().cloned());
        self.groups.push(Group {
            name: roles.name.clone(),
            roles,
            content,
            num_files: files.len(),
        });
        Ok(())
    }

    /// The column of each table that holds the subjects' ids; tables without one are of no use.
    fn choose_ids(&mut self) {
        let mut sessions = BTreeSet::new();
        self.groups
            .iter()
            .for_each(|group| sessions.extend(group.roles.sessions.iter().cloned()));
        for table in &mut self.tables {
            table.choose_columns(&self.subjects, &sessions);
        }
        let (mut useful, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.tables)
            .into_iter()
            .partition(|table| table.id.is_some());
        useful.sort_by_key(|table| (table.is_ambiguous(), std::cmp::Reverse(table.num_subjects)));
        for table in rest {
            self.findings.push(format!(
                "`{}` is a table without a column of subjects; it is not used",
                table.file
            ));
        }
        for table in &useful {
            self.findings.push(table.to_string());
        }
        self.tables = useful;
    }

    fn name_groups(&mut self) {
        let mut taken = BTreeSet::from(["clinical".to_string()]);
        for group in &mut self.groups {
            let base = group.name.clone();
            let mut number = 2;
            while !taken.insert(group.name.clone()) {
                group.name = format!("{base}-{number}");
                number += 1;
            }
        }
    }
}
