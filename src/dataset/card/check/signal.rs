//! Signals and points.

use crate::dataset::card::{Card, ContentRule, ModalityRule, PointsRule, SignalRule, TimeUnit};
use crate::dataset::error::DataError;
use crate::dataset::subjects::ModalityKind;
use crate::signal::resample::Resampler;

const RATE_HINT: &str = "samples per second to resample to";

impl Card {
    pub(super) fn check_signal(&self, place: &str, rule: &ModalityRule, keys: &SignalRule) -> Result<(), DataError> {
        let layout = keys.layout.clone().unwrap_or_default();
        self.check_layout(place, &layout)?;
        self.check_positive(place, "rate_hz", Some(keys.rate_hz), RATE_HINT)?;
        self.check_positive(
            place,
            "file_rate_hz",
            keys.file_rate_hz,
            "samples per second in the file",
        )?;
        self.check_positive(place, "max_gap_secs", keys.max_gap_secs, "the largest gap to bridge")?;
        self.check_time(place, keys)?;
        if let Some(time) = &keys.time {
            self.check_column(&format!("{place}.time"), &layout, time)?;
        }
        self.check_columns(place, &layout, &keys.channels)?;
        self.check_align(place, rule, keys)
    }

    fn check_time(&self, place: &str, keys: &SignalRule) -> Result<(), DataError> {
        let wrong =
            |key: &str, problem: &str, hint: &str| Err(self.error(format!("{place}.{key}"), problem.into(), hint));
        let (unit, rate_hz, gap) = (keys.time_unit, keys.file_rate_hz, keys.max_gap_secs);
        match (&keys.time, keys.table_key()) {
            (None, Some(_)) if gap.is_some() || unit.is_some() => {
                let key = if gap.is_some() { "max_gap_secs" } else { "time_unit" };
                wrong(
                    key,
                    "set, but no column of time stamps is",
                    "name the column: `time = \"...\"`",
                )
            }
            (None, Some(_)) if rate_hz.is_none() => {
                let problem = "missing, and `time` as well, so that nothing tells the rate of the file";
                wrong(
                    "file_rate_hz",
                    problem,
                    "state the rate, or name the column of time stamps",
                )
            }
            (Some(_), _) if unit == Some(TimeUnit::Sample) && rate_hz.is_none() => {
                let hint = "state how many samples a second has";
                wrong("time_unit", "`sample` without `file_rate_hz`", hint)
            }
            _ => match rate_hz.filter(|_| gap.is_none()) {
                Some(file_rate_hz) if Resampler::new(file_rate_hz, keys.rate_hz).is_none() => {
                    let problem = format!("cannot resample {file_rate_hz} Hz to {} Hz", keys.rate_hz);
                    let hint = "choose a rate whose ratio to that of the file is one of whole numbers up to 10,000";
                    wrong("rate_hz", &problem, hint)
                }
                _ => Ok(()),
            },
        }
    }

    fn check_align(&self, place: &str, rule: &ModalityRule, keys: &SignalRule) -> Result<(), DataError> {
        let Some(align) = &keys.align else { return Ok(()) };
        let wrong = |key: &str, problem: String, hint: &str| self.error(format!("{place}.align.{key}"), problem, hint);
        let mut others = self.modalities.iter().filter(|other| other.name != rule.name);
        let Some(other) = others.find(|other| other.name == align.to) else {
            let problem = format!("no other modality is called `{}`", align.to);
            return Err(wrong("to", problem, "name one with a signal"));
        };
        if !matches!(other.spec().kind, ModalityKind::Signal { .. }) {
            let problem = format!("`{}` is no signal", align.to);
            return Err(wrong("to", problem, "name one with a signal"));
        }
        if matches!(&other.content, ContentRule::Signal(SignalRule { align: Some(_), .. })) {
            let problem = format!("`{}` is aligned itself", align.to);
            return Err(wrong("to", problem, "name the one that all are aligned to"));
        }
        for (key, spec, name) in [
            ("to_channel", other.spec(), &align.to_channel),
            ("channel", rule.spec(), &align.channel),
        ] {
            if !spec.channels.iter().any(|channel| channel.name == *name) {
                let problem = format!("`{}` has no channel `{name}`", spec.name);
                return Err(wrong(key, problem, "name one of its channels"));
            }
        }
        let hint = "the largest shift to look at";
        self.check_positive(
            &format!("{place}.align"),
            "max_lag_secs",
            Some(align.max_lag_secs),
            hint,
        )
    }

    pub(super) fn check_points(&self, place: &str, keys: &PointsRule) -> Result<(), DataError> {
        let wrong = |key: &str, problem: String, hint: &str| self.error(format!("{place}.{key}"), problem, hint);
        self.check_positive(place, "rate_hz", Some(keys.rate_hz), RATE_HINT)?;
        self.check_positive(
            place,
            "file_rate_hz",
            keys.file_rate_hz,
            "frames per second in the file",
        )?;
        if !(0.0..=1.0).contains(&keys.min_confidence) {
            let problem = format!("{}, expected 0 to 1", keys.min_confidence);
            let hint = "0 keeps every point that was seen at all";
            return Err(wrong("min_confidence", problem, hint));
        }
        if !(keys.max_gap_secs.is_finite() && keys.max_gap_secs >= 0.0) {
            let problem = format!("{}, expected a number from 0", keys.max_gap_secs);
            return Err(wrong("max_gap_secs", problem, "0 bridges no gap"));
        }
        Ok(())
    }

    fn check_positive(&self, place: &str, key: &str, value: Option<f64>, hint: &str) -> Result<(), DataError> {
        match value.filter(|value| !(value.is_finite() && *value > 0.0)) {
            None => Ok(()),
            Some(value) => {
                let problem = format!("{value}, expected a positive number");
                Err(self.error(format!("{place}.{key}"), problem, hint))
            }
        }
    }
}
