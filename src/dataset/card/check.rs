//! What a card must hold before any file is opened.

use std::collections::{BTreeMap, HashSet};

use super::{Card, ContentRule, FilePattern, LabelRule, PathGroup, SubjectRule, TableRule};
use crate::dataset::error::DataError;

mod image;
mod modality;
mod signal;
mod visits;

impl Card {
    pub(super) fn check(&self) -> Result<(), DataError> {
        if !self.base_url.is_empty() && !self.base_url.ends_with('/') {
            let problem = format!("`{}` has no slash at the end", self.base_url);
            return Err(self.error("base_url", problem, "a file's address is base_url followed by its name"));
        }
        for pattern in &self.files {
            FilePattern::parse(pattern).map_err(|(problem, hint)| self.error("files", problem, hint))?;
        }
        let mut classes = HashSet::new();
        if let Some(twice) = self.classes.iter().find(|class| !classes.insert(class.as_str())) {
            return Err(self.error(
                "classes",
                format!("`{twice}` stands twice"),
                "each class has a name of its own",
            ));
        }
        if self.classes.len() < 2 {
            let problem = format!("{} classes, expected at least two", self.classes.len());
            return Err(self.error(
                "classes",
                problem,
                "name what is to be told apart, in the order of the indices",
            ));
        }
        self.check_table()?;
        self.check_label()?;
        let mut names = HashSet::new();
        let mut patterns = Vec::new();
        for rule in &self.modalities {
            if !names.insert(&rule.name) {
                let problem = "this name is used twice".into();
                let place = format!("modality.{}", rule.name);
                return Err(self.error(place, problem, "modalities have unique names"));
            }
            self.check_modality(rule)?;
            let pattern = self.pattern(rule)?;
            patterns.extend(pattern.map(|pattern| (format!("modality.{}.file", rule.name), pattern)));
        }
        self.check_patterns(&patterns)
    }

    fn check_table(&self) -> Result<(), DataError> {
        let needs_table = matches!(self.subjects, SubjectRule::Table {})
            || matches!(self.label, LabelRule::Column { .. } | LabelRule::Threshold { .. })
            || (self.modalities.iter())
                .any(|rule| rule.file.is_none() && matches!(rule.content, ContentRule::Table(_)));
        match &self.table {
            Some(TableRule {
                file,
                layout,
                id,
                session,
                group,
                site,
            }) => {
                self.check_file("table", file)?;
                self.check_layout("table", layout)?;
                self.check_column("table.id", layout, id)?;
                for (key, column) in [("session", session), ("group", group), ("site", site)] {
                    if let Some(column) = column {
                        self.check_column(&format!("table.{key}"), layout, column)?;
                    }
                }
                match &self.label {
                    LabelRule::Column { column, .. } | LabelRule::Threshold { column, .. } => {
                        self.check_column("label.column", layout, column)
                    }
                    _ => Ok(()),
                }
            }
            None if needs_table => {
                let problem =
                    "missing, but `subjects`, `label` or a modality of `kind = \"table\"` without `file` reads it"
                        .into();
                Err(self.error(
                    "table",
                    problem,
                    "describe the file with one row per subject under [table]",
                ))
            }
            None => Ok(()),
        }
    }

    fn check_label(&self) -> Result<(), DataError> {
        let empty = BTreeMap::new();
        let classes = match &self.label {
            LabelRule::Column { classes, .. } | LabelRule::File { classes } => classes.as_ref().unwrap_or(&empty),
            LabelRule::IdPrefix { classes } => classes,
            LabelRule::Responder(rule) => {
                self.check_two_classes("a responder is of the second of two classes, everybody else of the first")?;
                self.check_responder(rule)?;
                &empty
            }
            LabelRule::Threshold { at_least, .. } => {
                self.check_two_classes("a threshold tells two classes apart: below it, and from it on")?;
                if !at_least.is_finite() {
                    let problem = format!("{at_least}, expected a number");
                    return Err(self.error("label.at_least", problem, "the smallest number of the second class"));
                }
                &empty
            }
        };
        for (value, class) in classes {
            if !self.classes.contains(class) {
                let problem = format!("unknown class `{class}`, expected one of {:?}", self.classes);
                return Err(self.error(
                    format!("label.classes.{value}"),
                    problem,
                    "add it to `classes` or correct it",
                ));
            }
        }
        Ok(())
    }

    fn check_two_classes(&self, hint: &str) -> Result<(), DataError> {
        match self.classes.len() {
            2 => Ok(()),
            count => Err(self.error("classes", format!("{count} classes, expected two"), hint)),
        }
    }

    /// What the patterns of several modalities must hold together.
    fn check_patterns(&self, patterns: &[(String, FilePattern)]) -> Result<(), DataError> {
        let some_has = |group| patterns.iter().find(|(_, pattern)| pattern.has(group));
        if let Some((key, _)) = patterns.iter().find(|(_, pattern)| !pattern.has(PathGroup::Subject)) {
            let hint = "write `{subject}` where the id stands; a table of all subjects is `kind = \"table\"`";
            return Err(self.error(key, "no `{subject}` in it".into(), hint));
        }
        match (&self.label, some_has(PathGroup::Label)) {
            (LabelRule::File { .. }, None) => {
                let problem = "`kind = \"file\"`, but no modality's file has `{label}` in it".into();
                return Err(self.error("label", problem, "write `{label}` where the class stands in the path"));
            }
            (LabelRule::File { .. }, Some(_)) | (_, None) => {}
            (_, Some((key, _))) => {
                let problem = "`{label}` is for `label.kind = \"file\"` only".into();
                return Err(self.error(key, problem, "write `*` for what does not matter"));
            }
        }
        let table = self.table.as_ref();
        let in_table = [
            (PathGroup::Site, table.and_then(|table| table.site.as_ref())),
            (PathGroup::Group, table.and_then(|table| table.group.as_ref())),
        ];
        for (group, column) in in_table {
            if let (Some((key, _)), Some(column)) = (some_has(group), column) {
                let problem = format!(
                    "`{group}`, and column `{column}` under `table.{}` as well",
                    group.name()
                );
                return Err(self.error(
                    key,
                    problem,
                    "take it from one of the two; write `*` for what does not matter",
                ));
            }
        }
        let from_files = matches!(self.subjects, SubjectRule::Files {});
        if from_files && patterns.is_empty() {
            let problem = "`kind = \"files\"`, but no modality reads files per subject".into();
            return Err(self.error("subjects", problem, "use `kind = \"table\"`"));
        }
        let sessions_known =
            some_has(PathGroup::Session).is_some() || !from_files && table.is_some_and(|table| table.session.is_some());
        if sessions_known {
            return Ok(());
        }
        let own = self.modalities.iter().filter_map(|rule| match &rule.content {
            ContentRule::Table(keys) => Some((format!("modality.{}.session", rule.name), keys.session.as_ref()?)),
            _ => None,
        });
        let card_table = table.and_then(|table| Some(("table.session".to_string(), table.session.as_ref()?)));
        match card_table.into_iter().chain(own).next() {
            None => Ok(()),
            Some((key, column)) => {
                let problem = format!("column `{column}`, but nothing else tells the sessions apart");
                let hint = "write `{session}` where it stands in the files' names, or use `subjects.kind = \"table\"` and \
                            `table.session`";
                Err(self.error(key, problem, hint))
            }
        }
    }

    /// A table is one file.
    pub(super) fn check_file(&self, place: &str, file: &str) -> Result<(), DataError> {
        let place = format!("{place}.file");
        FilePattern::parse(file).map_err(|(problem, hint)| self.error(&place, problem, hint))?;
        match file.contains(['{', '*']) {
            false => Ok(()),
            true => {
                let hint =
                    "a table holds all subjects; files per subject are `kind = \"signal\"` or `kind = \"series\"`";
                Err(self.error(place, format!("`{file}` is a pattern, expected one file"), hint))
            }
        }
    }
}
