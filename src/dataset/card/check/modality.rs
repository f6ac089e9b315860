//! What holds for every modality, and for those of tables.

use std::cmp::Ordering::{Equal, Less};
use std::collections::HashSet;

use crate::dataset::card::{Card, ColumnRule, ContentRule, ModalityRule, SeriesRule, TableRowRule, TimeUnit};
use crate::dataset::error::DataError;
use recoup_formats::delimited::{DelimitedLayout, Header};
use recoup_formats::nearest::did_you_mean;

const HEADER_HINT: &str = "`layout.header` names every column of the file, in its order";

impl Card {
    pub(super) fn check_modality(&self, rule: &ModalityRule) -> Result<(), DataError> {
        let place = format!("modality.{}", rule.name);
        let may_lack_file = matches!(rule.content, ContentRule::Table(_));
        if rule.file.is_none() && !may_lack_file {
            let hint = "name the file: `file = \"{subject}/emg.csv\"`";
            return Err(self.error(format!("{place}.file"), "missing".into(), hint));
        }
        self.check_channels(&place, rule)?;
        match &rule.content {
            ContentRule::Signal(keys) => self.check_signal(&place, rule, keys),
            ContentRule::Series(keys) => self.check_series(&place, keys),
            ContentRule::Table(keys) => self.check_table_row(&place, rule, keys),
            ContentRule::Points(keys) => self.check_points(&place, keys),
            ContentRule::Annotations(keys) => self.check_annotations(&place, keys),
            ContentRule::Image(keys) => self.check_image(&place, keys),
            ContentRule::Visits(keys) => self.check_visits(&place, rule, keys),
        }
    }

    /// A modality has channels, each with a name of its own.
    fn check_channels(&self, place: &str, rule: &ModalityRule) -> Result<(), DataError> {
        if let Some(column) = rule.columns().iter().find(|column| column.in_file().is_empty()) {
            let problem = format!("an entry of unit `{}` without `channel` or `column`", column.unit);
            return Err(self.error(format!("{place}.channels"), problem, "write its name in the file"));
        }
        let axes_stand_twice = |axes: &[_]| (1..axes.len()).any(|index| axes[..index].contains(&axes[index]));
        let key = match &rule.content {
            ContentRule::Points(keys) if keys.axes.is_empty() || axes_stand_twice(&keys.axes) => "axes",
            ContentRule::Points(_) => "points",
            _ => "channels",
        };
        let channels = rule.spec().channels;
        if channels.is_empty() && !matches!(rule.content, ContentRule::Visits(_)) {
            let problem = "none, expected at least one".into();
            return Err(self.error(format!("{place}.{key}"), problem, "name some"));
        }
        let mut names = HashSet::new();
        match channels.iter().find(|channel| !names.insert(&channel.name)) {
            None => Ok(()),
            Some(channel) => {
                let problem = format!("channel `{}` stands twice", channel.name);
                let hint = match rule.columns() {
                    [] => "each channel has a name of its own",
                    _ => "give one of them another `name`",
                };
                Err(self.error(format!("{place}.{key}"), problem, hint))
            }
        }
    }

    fn check_series(&self, place: &str, keys: &SeriesRule) -> Result<(), DataError> {
        self.check_layout(place, &keys.layout)?;
        self.check_column(&format!("{place}.time"), &keys.layout, &keys.time)?;
        if keys.time_unit == TimeUnit::Sample {
            let problem = "`sample`, expected `s`, `ms` or `us`".into();
            return Err(self.error(format!("{place}.time_unit"), problem, "events have times, not a rate"));
        }
        self.check_columns(place, &keys.layout, &keys.channels)
    }

    fn check_table_row(&self, place: &str, rule: &ModalityRule, keys: &TableRowRule) -> Result<(), DataError> {
        let layout = keys.layout.clone().unwrap_or_default();
        let Some(file) = &rule.file else {
            let is_set = [
                ("layout", keys.layout.is_some()),
                ("id", keys.id.is_some()),
                ("session", keys.session.is_some()),
            ];
            if let Some((key, _)) = is_set.into_iter().find(|(_, is_set)| *is_set) {
                let problem = "set, but no `file` is, so that the channels are columns of the card's [table]".into();
                let hint = format!("name the file, or take `{key}` out");
                return Err(self.error(format!("{place}.{key}"), problem, hint));
            }
            return match &self.table {
                Some(table) => self.check_columns(place, &table.layout, &keys.channels),
                None => Ok(()),
            };
        };
        self.check_file(place, file)?;
        self.check_layout(place, &layout)?;
        let Some(id) = &keys.id else {
            let hint = "name the column with the subject's id: `id = \"...\"`";
            return Err(self.error(format!("{place}.id"), "missing".into(), hint));
        };
        self.check_column(&format!("{place}.id"), &layout, id)?;
        if let Some(session) = &keys.session {
            self.check_column(&format!("{place}.session"), &layout, session)?;
        }
        self.check_columns(place, &layout, &keys.channels)
    }

    pub(super) fn check_layout(&self, place: &str, layout: &DelimitedLayout) -> Result<(), DataError> {
        layout
            .check()
            .map_err(|problem| self.error(format!("{place}.layout"), problem, HEADER_HINT))
    }

    pub(super) fn check_columns(
        &self,
        place: &str,
        layout: &DelimitedLayout,
        rules: &[ColumnRule],
    ) -> Result<(), DataError> {
        let place = format!("{place}.channels");
        for rule in rules {
            self.check_column(&place, layout, rule.in_file())?;
            self.check_scale(&place, rule)?;
            if let Some([low, high]) = rule
                .range
                .filter(|[low, high]| !matches!(low.partial_cmp(high), Some(Less | Equal)))
            {
                let problem = format!("range [{low}, {high}] of `{}` is empty", rule.channel());
                return Err(self.error(place, problem, "write the smaller number first"));
            }
        }
        Ok(())
    }

    /// A column needs a unit, and one with the scores of a scale has that of the scale.
    fn check_scale(&self, place: &str, rule: &ColumnRule) -> Result<(), DataError> {
        let channel = rule.channel();
        let Some(scale) = rule.scale else {
            return match rule.unit.as_str() {
                "" => {
                    let problem = format!("`{channel}` has no `unit`");
                    let hint = "write `unit = \"1\"` for numbers without one, or name a `scale`";
                    Err(self.error(place, problem, hint))
                }
                _ => Ok(()),
            };
        };
        if rule.unit() != scale.unit() {
            let problem = format!("unit `{}` of `{channel}`, expected `{}`", rule.unit, scale.unit());
            return Err(self.error(place, problem, "leave `unit` out: the scale has one"));
        }
        if rule.categories.is_some() {
            let problem = format!("`{channel}` has a `scale` and `categories`, expected one of them");
            return Err(self.error(place, problem, "scores are numbers"));
        }
        Ok(())
    }

    /// As far as the card alone can tell; the file's own header is looked at when it is read.
    pub(super) fn check_column(&self, place: &str, layout: &DelimitedLayout, column: &str) -> Result<(), DataError> {
        match &layout.header {
            Header::Names(names) if !names.iter().any(|name| name == column) => {
                let problem = format!("unknown column `{column}`, expected one of {names:?}");
                let hint = did_you_mean(column, names.iter().map(String::as_str), |name| format!("`{name}`"));
                let hint = if hint.starts_with("did") {
                    hint
                } else {
                    HEADER_HINT.into()
                };
                Err(self.error(place, problem, hint))
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
