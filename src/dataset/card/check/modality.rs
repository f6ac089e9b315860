//! Modalities of text and WFDB.

use std::collections::HashSet;

use crate::dataset::card::{Axis, Card, DelimitedSignalRule, ModalityRule, OwnTableRule, Scale, TimeUnit, WfdbRule};
use crate::dataset::error::DataError;
use crate::signal::resample::Resampler;

const RATE_HINT: &str = "choose a rate whose ratio to that of the file is one of small whole numbers";

impl Card {
    pub(super) fn check_modality(&self, rule: &ModalityRule) -> Result<(), DataError> {
        let place = format!("modality.{}", rule.name());
        let twice = |axes: &[Axis]| {
            axes.iter()
                .enumerate()
                .any(|(index, axis)| axes.iter().skip(index + 1).any(|other| other == axis))
        };
        let key = match rule {
            ModalityRule::Points(rule) if rule.axes.is_empty() || twice(&rule.axes) => "axes",
            ModalityRule::Points(_) => "points",
            _ => "channels",
        };
        let spec = rule.spec();
        if spec.channels.is_empty() && !matches!(rule, ModalityRule::Visits(_)) {
            return Err(self.error(
                format!("{place}.{key}"),
                "none, expected at least one".into(),
                "name some",
            ));
        }
        let mut names = HashSet::new();
        // Columns of text have the same check, with more to say.
        let twice = spec.channels.iter().find(|channel| !names.insert(&channel.name));
        if let Some(channel) = twice.filter(|_| rule.columns().is_empty()) {
            let problem = format!("channel `{}` stands twice", channel.name);
            return Err(self.error(format!("{place}.{key}"), problem, "each channel has a name of its own"));
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
                let OwnTableRule {
                    file,
                    layout,
                    id,
                    session,
                    channels,
                    ..
                } = rule;
                self.check_file(&place, file)?;
                self.check_layout(&place, layout)?;
                self.check_column(&format!("{place}.id"), layout, id)?;
                if let Some(session) = session {
                    self.check_column(&format!("{place}.session"), layout, session)?;
                }
                self.check_columns(&place, layout, channels)
            }
            ModalityRule::Signal(rule) => self.check_signal(&place, rule),
            ModalityRule::Points(rule) => self.check_points(&place, rule),
            ModalityRule::Annotations(rule) => self.check_annotations(&place, rule),
            ModalityRule::Image(rule) => self.check_image(&place, rule),
            ModalityRule::Visits(rule) => self.check_visits(&place, rule),
        }
    }

    fn check_wfdb(&self, place: &str, rule: &WfdbRule) -> Result<(), DataError> {
        self.check_positive(
            place,
            "rate_hz",
            Some(rule.rate_hz),
            "samples per second to resample to",
        )?;
        match rule
            .channels
            .iter()
            .find(|channel| (channel.unit == "adu") != (rule.scale == Scale::Digital))
        {
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
        self.check_positive(
            place,
            "rate_hz",
            Some(rule.rate_hz),
            "samples per second to resample to",
        )?;
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
                    Err(self.error(
                        format!("{place}.max_gap_secs"),
                        problem,
                        "name the column: `time = \"...\"`",
                    ))
                }
                (Some(file_rate_hz), None) => self.check_ratio(place, file_rate_hz, rule.rate_hz),
            };
        };
        self.check_column(&format!("{place}.time"), &rule.layout, time)?;
        match rule.file_rate_hz {
            None if rule.time_unit == TimeUnit::Sample => {
                let problem = "`sample` without `file_rate_hz`".into();
                Err(self.error(
                    format!("{place}.time_unit"),
                    problem,
                    "state how many samples a second has",
                ))
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

    pub(super) fn check_positive(
        &self,
        place: &str,
        key: &str,
        value: Option<f64>,
        hint: &str,
    ) -> Result<(), DataError> {
        match value.filter(|value| !(value.is_finite() && *value > 0.0)) {
            None => Ok(()),
            Some(value) => Err(self.error(
                format!("{place}.{key}"),
                format!("{value}, expected a positive number"),
                hint,
            )),
        }
    }
}
