//! What a folder holds: groups of recordings, tables, and the rest.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::content::{self, Content, Kind};
use super::group::Group;
use super::label::is_outcome;
use super::names::{Ground, Names, Roles, some};
use super::tables::{self, FoundTable};
use super::words::shape;
use crate::dataset::error::DataError;

/// Everything that was made out.
#[derive(Default)]
pub(super) struct FileIndex {
    pub(super) groups: Vec<Group>,
    /// The one that fits the subjects best comes first.
    pub(super) tables: Vec<FoundTable>,
    pub(super) subjects: BTreeSet<String>,
    pub(super) findings: Vec<String>,
    pub(super) questions: Vec<String>,
}

impl FileIndex {
    pub(super) fn of(raw: &Path, files: &[String]) -> Result<Self, DataError> {
        let mut index = Self::default();
        let kinds = content::kinds(raw, files)?;
        let mut alike = BTreeMap::<(String, String), Vec<&str>>::new();
        let mut unknown = Vec::new();
        for (file, kind) in files.iter().zip(&kinds) {
            match kind {
                Kind::Part => {}
                Kind::Unknown => unknown.push(file.as_str()),
                Kind::Known { signature } => {
                    alike.entry((shape(file), signature.clone())).or_default().push(file);
                }
            }
        }
        let mut recordings = Vec::new();
        for files in alike.into_values() {
            match files.as_slice() {
                [file] => match tables::read(raw, file)? {
                    Some(table) => index.tables.push(table),
                    None => unknown.push(file),
                },
                several => match tables::of_visits(raw, several)? {
                    Some(tables) => index.tables.extend(tables),
                    None => recordings.push(files),
                },
            }
        }
        index.add_groups(raw, &recordings)?;
        index.agree_on_label();
        index.choose_ids();
        index.name_groups();
        if files.is_empty() {
            index.findings.push("no files".into());
            index
                .questions
                .push("put the files of the dataset into the folder `raw` and run the command again".into());
        }
        if let Some(first) = unknown.iter().min() {
            let count = unknown.len();
            index
                .findings
                .push(format!("{count} files are of no use to a card, the first is `{first}`"));
        }
        Ok(index)
    }

    fn add_groups(&mut self, raw: &Path, recordings: &[Vec<&str>]) -> Result<(), DataError> {
        let ids: Vec<&BTreeSet<String>> = self.tables.iter().flat_map(FoundTable::id_columns).collect();
        let mut found: Vec<(Names, Content, Roles)> = Vec::new();
        for files in recordings {
            let content = content::read(raw, files)?;
            let names = Names::new(files, content.frames());
            let roles = names.roles(&ids);
            found.push((names, content, roles));
        }
        // Files that look like a person's name the persons for the others.
        let certain = |roles: &Roles| matches!(roles.ground, Ground::Known | Ground::Id);
        let persons: Vec<BTreeSet<String>> = found
            .iter()
            .filter(|(_, _, roles)| certain(roles))
            .map(|(_, _, roles)| roles.subjects.clone())
            .collect();
        let persons: Vec<&BTreeSet<String>> = persons.iter().collect();
        for ((names, content, mut roles), files) in found.into_iter().zip(recordings) {
            if !certain(&roles) && !persons.is_empty() {
                roles = names.roles(&persons);
            }
            let (first, num_files) = (files.first().copied().unwrap_or_default(), files.len());
            self.findings
                .push(format!("{num_files} files like `{first}`: {content}"));
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
                num_files,
            });
        }
        Ok(())
    }

    /// The label is one thing: other words that repeat as labels do are not.
    fn agree_on_label(&mut self) {
        let with_label = |group: &&Group| !group.roles.labels.is_empty();
        let most = self
            .groups
            .iter()
            .filter(with_label)
            .max_by_key(|group| group.num_files);
        let Some(labels) = most.map(|group| group.roles.labels.clone()) else {
            return;
        };
        for roles in self.groups.iter_mut().map(|group| &mut group.roles) {
            if roles.labels.is_disjoint(&labels) {
                roles.labels.clear();
                roles.pattern = roles.pattern.replace("{label}", "*");
            }
        }
    }

    /// The column of each table that holds the subjects' ids; tables without one are of no use.
    fn choose_ids(&mut self) {
        let sessions: BTreeSet<String> = self
            .groups
            .iter()
            .flat_map(|group| group.roles.sessions.iter().cloned())
            .collect();
        let has_outcome = |table: &FoundTable| table.sniffed.table.columns.iter().any(|column| is_outcome(column));
        if self.subjects.is_empty() {
            let best = self
                .tables
                .iter()
                .max_by_key(|table| (has_outcome(table), table.ids_alone().len()));
            self.subjects = best.map(FoundTable::ids_alone).unwrap_or_default();
        }
        for table in &mut self.tables {
            table.choose_columns(&self.subjects, &sessions);
        }
        let (mut useful, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.tables)
            .into_iter()
            .partition(|table| table.id.is_some());
        useful.sort_by_key(|table| (table.is_ambiguous(), !has_outcome(table), Reverse(table.num_subjects)));
        for table in rest {
            let file = &table.file;
            match table.spelled_otherwise(&self.subjects) {
                Some((column, id, other)) => self.questions.push(format!(
                    "`table`: column `{column}` of `{file}` has `{id}` where files have `{other}`; spell ids alike and draft \
                     anew, for until then the table is not used"
                )),
                None => self.findings.push(format!(
                    "`{file}` is a table without a column of subjects; it is not used"
                )),
            }
        }
        for table in &useful {
            self.findings.push(table.to_string());
            let ids = table.id.map(|id| &table.values[id]);
            let idle: BTreeSet<String> = ids
                .map(|ids| ids.difference(&self.subjects).cloned().collect())
                .unwrap_or_default();
            if !idle.is_empty() {
                let count = idle.len();
                self.findings.push(format!(
                    "{count} subjects of `{}` have no file ({})",
                    table.file,
                    some(&idle)
                ));
            }
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
