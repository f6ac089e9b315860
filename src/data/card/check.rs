//! What a card must hold before any file is opened.

use std::cmp::Ordering::{Equal, Less};
use std::collections::{BTreeMap, HashSet};

use super::nearest::did_you_mean;
use super::{
    Card, ColumnRule, DelimitedSignalRule, FilePattern, LabelRule, ModalityRule, OwnTableRule, PathGroup, Scale,
    SignalFileRule, SubjectRule, TableRule, TimeUnit, WfdbRule,
};
use crate::data::formats::delimited::{DelimitedLayout, Header};
use crate::data::resample::Resampler;
use crate::data::{DataError, ModalityKind};

const HEADER_HINT: &str = "`layout.header` names every column of the file, in its order";
const RATE_HINT: &str = "choose a rate whose ratio to that of the file is one of small whole numbers";
/// Larger images are not what a small model looks at.
const MAX_IMAGE_SIDE: usize = 4096;

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
            return Err(self.error("classes", format!("`{twice}` stands twice"), "each class has a name of its own"));
        }
        if self.classes.len() < 2 {
            let problem = format!("{} classes, expected at least two", self.classes.len());
            return Err(self.error("classes", problem, "name what is to be told apart, in the order of the indices"));
        }
        self.check_table()?;
        self.check_label()?;
        let mut names = HashSet::new();
        let mut patterns = Vec::new();
        for rule in &self.modalities {
            if !names.insert(rule.name()) {
                let problem = "this name is used twice".into();
                return Err(self.error(format!("modality.{}", rule.name()), problem, "modalities have unique names"));
            }
            self.check_modality(rule)?;
            patterns.extend(
                self.pattern(rule)?
                    .zip(rule.pattern())
                    .map(|(pattern, (key, _))| (format!("modality.{}.{key}", rule.name()), pattern)),
            );
        }
        self.check_patterns(&patterns)
    }

    fn check_table(&self) -> Result<(), DataError> {
        let needs_table = matches!(self.subjects, SubjectRule::Table {})
            || matches!(self.label, LabelRule::Column { .. } | LabelRule::Threshold { .. })
            || self.modalities.iter().any(|rule| matches!(rule, ModalityRule::ClinicalTable(_)));
        match &self.table {
            Some(TableRule { file, layout, id, session, group, site }) => {
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
                let problem = "missing, but `subjects`, `label` or a `clinical-table` modality reads it".into();
                Err(self.error("table", problem, "describe the file with one row per subject under [table]"))
            }
            None => Ok(()),
        }
    }

    fn check_label(&self) -> Result<(), DataError> {
        let empty = BTreeMap::new();
        let classes = match &self.label {
            LabelRule::Column { classes, .. } | LabelRule::File { classes } => classes.as_ref().unwrap_or(&empty),
            LabelRule::IdPrefix { classes } => classes,
            LabelRule::Threshold { at_least, .. } => {
                if self.classes.len() != 2 {
                    let problem = format!("{} classes, expected two", self.classes.len());
                    let hint = "a threshold tells two classes apart: below it, and from it on";
                    return Err(self.error("classes", problem, hint));
                }
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
                return Err(self.error(format!("label.classes.{value}"), problem, "add it to `classes` or correct it"));
            }
        }
        Ok(())
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
                let problem = format!("`{group}`, and column `{column}` under `table.{}` as well", group.name());
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
        let own = self.modalities.iter().filter_map(|rule| match rule {
            ModalityRule::Table(rule) => Some((format!("modality.{}.session", rule.name), rule.session.as_ref()?)),
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

    fn check_modality(&self, rule: &ModalityRule) -> Result<(), DataError> {
        let place = format!("modality.{}", rule.name());
        if rule.spec().channels.is_empty() {
            return Err(self.error(format!("{place}.channels"), "none, expected at least one".into(), "name some"));
        }
        match rule {
            ModalityRule::Wfdb(rule) => self.check_wfdb(&place, rule),
            ModalityRule::DelimitedSignal(rule) => {
                self.check_delimited_signal(&place, rule)?;
                self.check_columns(&place, &rule.layout, &rule.channels)
            }
            ModalityRule::Delimited(rule) => {
                self.check_layout(&place, &rule.layout)?;
                self.check_column(&format!("{place}.time"), &rule.layout, &rule.time)?;
                if rule.time_unit == TimeUnit::Sample {
                    let problem = "`sample`, expected `s`, `ms` or `us`".into();
                    return Err(self.error(format!("{place}.time_unit"), problem, "events have times, not a rate"));
                }
                self.check_columns(&place, &rule.layout, &rule.channels)
            }
            ModalityRule::ClinicalTable(rule) => match &self.table {
                Some(table) => self.check_columns(&place, &table.layout, &rule.channels),
                None => Ok(()),
            },
            ModalityRule::Table(rule) => {
                let OwnTableRule { file, layout, id, session, channels, .. } = rule;
                self.check_file(&place, file)?;
                self.check_layout(&place, layout)?;
                self.check_column(&format!("{place}.id"), layout, id)?;
                if let Some(session) = session {
                    self.check_column(&format!("{place}.session"), layout, session)?;
                }
                self.check_columns(&place, layout, channels)
            }
            ModalityRule::Signal(rule) => {
                self.check_positive(&place, "rate_hz", Some(rule.rate_hz), "samples per second to resample to")?;
                self.check_align(&place, rule)
            }
            ModalityRule::Points(rule) => {
                self.check_positive(&place, "rate_hz", Some(rule.rate_hz), "samples per second to resample to")?;
                self.check_positive(&place, "file_rate_hz", rule.file_rate_hz, "frames per second in the file")
            }
            ModalityRule::Annotations(rule) if rule.labels.is_empty() => {
                let hint = "write which texts count: `labels = { N = 1, V = 2 }`";
                Err(self.error(format!("{place}.labels"), "none, expected at least one".into(), hint))
            }
            ModalityRule::Annotations(_) => Ok(()),
            ModalityRule::Image(rule) => {
                for (key, side) in [("height", rule.height), ("width", rule.width)] {
                    if !(1..=MAX_IMAGE_SIDE).contains(&side) {
                        let problem = format!("{side}, expected 1 to {MAX_IMAGE_SIDE}");
                        return Err(self.error(format!("{place}.{key}"), problem, "pixels after resizing"));
                    }
                }
                Ok(())
            }
        }
    }

    fn check_align(&self, place: &str, rule: &SignalFileRule) -> Result<(), DataError> {
        let Some(align) = &rule.align else { return Ok(()) };
        let wrong = |key: &str, problem: String, hint: &str| self.error(format!("{place}.align.{key}"), problem, hint);
        let Some(other) = self.modalities.iter().find(|other| other.name() == align.to && other.name() != rule.name)
        else {
            return Err(wrong("to", format!("no other modality is called `{}`", align.to), "name one with a signal"));
        };
        if !matches!(other.spec().kind, ModalityKind::Signal { .. }) {
            return Err(wrong("to", format!("`{}` is no signal", align.to), "name one with a signal"));
        }
        if matches!(other, ModalityRule::Signal(SignalFileRule { align: Some(_), .. })) {
            return Err(wrong(
                "to",
                format!("`{}` is aligned itself", align.to),
                "name the one that all are aligned to",
            ));
        }
        for (key, spec, name) in [
            ("to_channel", other.spec(), &align.to_channel),
            ("channel", ModalityRule::Signal(rule.clone()).spec(), &align.channel),
        ] {
            if !spec.channels.iter().any(|channel| channel.name == *name) {
                return Err(wrong(key, format!("`{}` has no channel `{name}`", spec.name), "name one of its channels"));
            }
        }
        self.check_positive(
            &format!("{place}.align"),
            "max_lag_secs",
            Some(align.max_lag_secs),
            "the largest shift to look at",
        )
    }

    fn check_wfdb(&self, place: &str, rule: &WfdbRule) -> Result<(), DataError> {
        self.check_positive(place, "rate_hz", Some(rule.rate_hz), "samples per second to resample to")?;
        match rule.channels.iter().find(|channel| (channel.unit == "adu") != (rule.scale == Scale::Digital)) {
            None => Ok(()),
            Some(channel) => {
                let problem = format!("unit `{}` with scale {:?}", channel.unit, rule.scale);
                let hint = "digital values have the unit `adu`, physical values that of the record's header";
                Err(self.error(format!("{place}.channels.{}", channel.name), problem, hint))
            }
        }
    }

    fn check_delimited_signal(&self, place: &str, rule: &DelimitedSignalRule) -> Result<(), DataError> {
        self.check_layout(place, &rule.layout)?;
        self.check_positive(place, "rate_hz", Some(rule.rate_hz), "samples per second to resample to")?;
        self.check_positive(place, "file_rate_hz", rule.file_rate_hz, "rows per second in the file")?;
        self.check_positive(place, "max_gap_secs", rule.max_gap_secs, "the largest gap to bridge")?;
        let Some(time) = &rule.time else {
            return match (rule.file_rate_hz, rule.max_gap_secs) {
                (None, _) => {
                    let problem = "missing, and `time` as well, so that nothing tells the rate of the file".into();
                    Err(self.error(
                        format!("{place}.file_rate_hz"),
                        problem,
                        "state the rate, or name the column of time stamps",
                    ))
                }
                (Some(_), Some(_)) => {
                    let problem = "set, but no column of time stamps is".into();
                    Err(self.error(format!("{place}.max_gap_secs"), problem, "name the column: `time = \"...\"`"))
                }
                (Some(file_rate_hz), None) => self.check_ratio(place, file_rate_hz, rule.rate_hz),
            };
        };
        self.check_column(&format!("{place}.time"), &rule.layout, time)?;
        match rule.file_rate_hz {
            None if rule.time_unit == TimeUnit::Sample => {
                let problem = "`sample` without `file_rate_hz`".into();
                Err(self.error(format!("{place}.time_unit"), problem, "state how many samples a second has"))
            }
            Some(file_rate_hz) if rule.max_gap_secs.is_none() => self.check_ratio(place, file_rate_hz, rule.rate_hz),
            _ => Ok(()),
        }
    }

    fn check_ratio(&self, place: &str, file_rate_hz: f64, rate_hz: f64) -> Result<(), DataError> {
        match Resampler::new(file_rate_hz, rate_hz) {
            Some(_) => Ok(()),
            None => {
                let problem = format!("cannot resample {file_rate_hz} Hz to {rate_hz} Hz");
                Err(self.error(format!("{place}.rate_hz"), problem, RATE_HINT))
            }
        }
    }

    fn check_positive(&self, place: &str, key: &str, value: Option<f64>, hint: &str) -> Result<(), DataError> {
        match value.filter(|value| !(value.is_finite() && *value > 0.0)) {
            None => Ok(()),
            Some(value) => {
                Err(self.error(format!("{place}.{key}"), format!("{value}, expected a positive number"), hint))
            }
        }
    }

    /// A table is one file.
    fn check_file(&self, place: &str, file: &str) -> Result<(), DataError> {
        let place = format!("{place}.file");
        FilePattern::parse(file).map_err(|(problem, hint)| self.error(&place, problem, hint))?;
        match file.contains(['{', '*']) {
            false => Ok(()),
            true => {
                let hint = "a table holds all subjects; files per subject are `delimited` or `delimited-signal`";
                Err(self.error(place, format!("`{file}` is a pattern, expected one file"), hint))
            }
        }
    }

    fn check_layout(&self, place: &str, layout: &DelimitedLayout) -> Result<(), DataError> {
        layout.check().map_err(|problem| self.error(format!("{place}.layout"), problem, HEADER_HINT))
    }

    fn check_columns(&self, place: &str, layout: &DelimitedLayout, rules: &[ColumnRule]) -> Result<(), DataError> {
        let place = format!("{place}.channels");
        let mut names = HashSet::new();
        for rule in rules {
            self.check_column(&place, layout, &rule.column)?;
            if !names.insert(rule.channel()) {
                let problem = format!("channel `{}` stands twice", rule.channel());
                return Err(self.error(place, problem, "give one of them another `name`"));
            }
            if let Some([low, high]) =
                rule.range.filter(|[low, high]| !matches!(low.partial_cmp(high), Some(Less | Equal)))
            {
                let problem = format!("range [{low}, {high}] of `{}` is empty", rule.channel());
                return Err(self.error(place, problem, "write the smaller number first"));
            }
        }
        Ok(())
    }

    /// As far as the card alone can tell; the file's own header is looked at when it is read.
    fn check_column(&self, place: &str, layout: &DelimitedLayout, column: &str) -> Result<(), DataError> {
        match &layout.header {
            Header::Names(names) if !names.iter().any(|name| name == column) => {
                let problem = format!("unknown column `{column}`, expected one of {names:?}");
                let hint = did_you_mean(column, names.iter().map(String::as_str), |name| format!("`{name}`"));
                Err(self.error(place, problem, if hint.starts_with("did") { hint } else { HEADER_HINT.into() }))
            }
            Header::Numbers if !column.parse().is_ok_and(|number: usize| number > 0) => {
                let problem = format!("unknown column `{column}`, expected a number");
                let hint =
                    "with `header = false` the columns are called \"1\", \"2\" and so on; `name` names the channel";
                Err(self.error(place, problem, hint))
            }
            _ => Ok(()),
        }
    }
}
