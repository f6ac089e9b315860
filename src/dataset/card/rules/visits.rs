//! Scores of several visits: as inputs, and as the label.

use serde::Deserialize;

use super::unlabelled::Unlabelled;
use crate::clinical::{ResponderConfig, Threshold, VisitsConfig};
use crate::dataset::subjects::Channel;
use recoup_formats::delimited::DelimitedLayout;

/// Keys of `kind = "visits"`. Each item has the channels `ITEM.baseline`, the score of the first week of the grid;
/// `ITEM.last`, the last score up to `until_week`; `ITEM.delta`, last less baseline; `ITEM.slope`, per week, through all
/// scores up to `until_week`; and `ITEM.week-N` for each of `at_weeks`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisitsRule {
    /// How the lines of the file are cut into fields; it has one row per patient, time and item.
    #[serde(default)]
    pub layout: DelimitedLayout,
    /// Its columns, its items and the grid of weeks; [`VisitsConfig::months`] lie after every input.
    pub visits: VisitsConfig,
    /// Last week of the grid that counts: what came later is the outcome, or was not known yet.
    pub until_week: f64,
    /// Weeks of the grid whose scores are channels of their own.
    #[serde(default)]
    pub at_weeks: Vec<f64>,
}

impl VisitsRule {
    /// The grid up to `until_week`.
    pub fn known(&self) -> VisitsConfig {
        let weeks = self
            .visits
            .weeks
            .iter()
            .copied()
            .filter(|week| *week <= self.until_week)
            .collect();
        VisitsConfig {
            weeks,
            months: Vec::new(),
            ..self.visits.clone()
        }
    }

    pub(super) fn channels(&self) -> Vec<Channel> {
        let mut channels = Vec::new();
        for (item, scale) in &self.visits.items {
            let mut add = |name: String, unit: String| {
                channels.push(Channel {
                    name: format!("{item}.{name}"),
                    unit,
                })
            };
            ["baseline", "last", "delta"]
                .into_iter()
                .for_each(|name| add(name.into(), scale.unit().into()));
            add("slope".into(), format!("{}/week", scale.unit()));
            self.at_weeks
                .iter()
                .for_each(|week| add(format!("week-{week}"), scale.unit().into()));
        }
        channels
    }
}

/// Keys of `label.kind = "responder"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponderRule {
    /// The file, one row per patient, time and item.
    pub file: String,
    /// How its lines are cut into fields.
    #[serde(default)]
    pub layout: DelimitedLayout,
    /// Its columns, its items and the grid of weeks.
    pub visits: VisitsConfig,
    /// The item that decides.
    pub item: String,
    /// The smallest change that counts, as a number of points or by the name of a published one.
    pub mcid: Threshold,
    /// Week of the first of the two scores.
    #[serde(default)]
    pub from_week: f64,
    /// Week of the second.
    pub to_week: f64,
    /// What to do about a session without one of the two scores.
    #[serde(default)]
    pub unlabelled: Unlabelled,
}

impl ResponderRule {
    /// The item, the change and the weeks that decide.
    pub fn config(&self) -> ResponderConfig {
        let Self {
            item,
            mcid,
            from_week,
            to_week,
            ..
        } = self.clone();
        ResponderConfig {
            item,
            mcid,
            from_week,
            to_week,
        }
    }
}
