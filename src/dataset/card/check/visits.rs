//! Scores of several visits.

use crate::clinical::VisitsConfig;
use crate::dataset::card::{Card, LabelRule, ModalityRule, ResponderRule, VisitsRule};
use crate::dataset::error::DataError;
use recoup_formats::delimited::DelimitedLayout;
use recoup_formats::nearest::did_you_mean;

impl Card {
    pub(super) fn check_visits(
        &self,
        place: &str,
        modality: &ModalityRule,
        rule: &VisitsRule,
    ) -> Result<(), DataError> {
        let file = modality.file.as_deref().unwrap_or_default();
        self.check_grid(place, file, &rule.layout, &rule.visits)?;
        let known = rule.known().weeks;
        if known.is_empty() {
            let problem = format!("{}, before the first of {:?}", rule.until_week, rule.visits.weeks);
            return Err(self.error(format!("{place}.until_week"), problem, "name a week from the first on"));
        }
        if let Some(week) = rule.at_weeks.iter().find(|week| !known.contains(week)) {
            let problem = format!("{week}, expected some of {known:?}");
            let hint = "channels are scores of the grid `visits.weeks` up to `until_week`";
            return Err(self.error(format!("{place}.at_weeks"), problem, hint));
        }
        let LabelRule::Responder(label) = &self.label else {
            return Ok(());
        };
        // One score may count for two weeks; no score may count as an input and as the outcome.
        let reach_days = rule.visits.tolerance_days + label.visits.tolerance_days;
        let last = known.last().copied().unwrap_or(rule.until_week);
        if label.file == file && (label.to_week - last) * 7.0 <= reach_days {
            let problem = format!(
                "{}: a score of week {last} may be that of week {}, the outcome, which counts {} days around it",
                rule.until_week, label.to_week, label.visits.tolerance_days
            );
            let hint = "name an earlier week, or lower `visits.tolerance_days` here and in the label";
            return Err(self.error(format!("{place}.until_week"), problem, hint));
        }
        Ok(())
    }

    pub(super) fn check_responder(&self, rule: &ResponderRule) -> Result<(), DataError> {
        self.check_grid("label", &rule.file, &rule.layout, &rule.visits)?;
        let Some(scale) = rule.visits.items.get(&rule.item) else {
            let items = rule.visits.items.keys().map(String::as_str);
            let problem = format!("`{}` is none of `visits.items`", rule.item);
            return Err(self.error(
                "label.item",
                problem,
                did_you_mean(&rule.item, items, |item| format!("`{item}`")),
            ));
        };
        let hint = "the changes that are published stand in the docs of `data::clinical::Scale`";
        rule.mcid
            .points(*scale)
            .map_err(|problem| self.error("label.mcid", problem, hint))?;
        let weeks = rule.visits.visit_weeks();
        for (key, week) in [("from_week", rule.from_week), ("to_week", rule.to_week)] {
            if !weeks.contains(&week) {
                let problem = format!("{week}, expected one of {weeks:?}");
                return Err(self.error(format!("label.{key}"), problem, "the grid is `label.visits.weeks`"));
            }
        }
        if rule.from_week >= rule.to_week {
            let problem = format!("{}, expected more than from_week = {}", rule.to_week, rule.from_week);
            return Err(self.error("label.to_week", problem, "the outcome comes after the baseline"));
        }
        Ok(())
    }

    fn check_grid(
        &self,
        place: &str,
        file: &str,
        layout: &DelimitedLayout,
        visits: &VisitsConfig,
    ) -> Result<(), DataError> {
        self.check_file(place, file)?;
        self.check_layout(place, layout)?;
        let hint = "datasets/README.md shows a table of visits";
        visits
            .check()
            .map_err(|problem| self.error(format!("{place}.visits"), problem, hint))
    }
}
