//! Modalities from files of any format.

use std::cmp::Ordering::Less;

use crate::dataset::card::{AnnotationsRule, Card, ImageRule, ModalityRule, PointsRule, SignalFileRule};
use crate::dataset::error::DataError;
use crate::dataset::subjects::ModalityKind;

/// Larger images are not what a small model looks at.
const MAX_IMAGE_SIDE: usize = 4096;
const RATE_HINT: &str = "samples per second to resample to";

impl Card {
    pub(super) fn check_signal(&self, place: &str, rule: &SignalFileRule) -> Result<(), DataError> {
        self.check_positive(place, "rate_hz", Some(rule.rate_hz), RATE_HINT)?;
        self.check_align(place, rule)
    }

    fn check_align(&self, place: &str, rule: &SignalFileRule) -> Result<(), DataError> {
        let Some(align) = &rule.align else { return Ok(()) };
        let wrong = |key: &str, problem: String, hint: &str| self.error(format!("{place}.align.{key}"), problem, hint);
        let Some(other) = self
            .modalities
            .iter()
            .find(|other| other.name() == align.to && other.name() != rule.name)
        else {
            return Err(wrong(
                "to",
                format!("no other modality is called `{}`", align.to),
                "name one with a signal",
            ));
        };
        if !matches!(other.spec().kind, ModalityKind::Signal { .. }) {
            return Err(wrong(
                "to",
                format!("`{}` is no signal", align.to),
                "name one with a signal",
            ));
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
                return Err(wrong(
                    key,
                    format!("`{}` has no channel `{name}`", spec.name),
                    "name one of its channels",
                ));
            }
        }
        self.check_positive(
            &format!("{place}.align"),
            "max_lag_secs",
            Some(align.max_lag_secs),
            "the largest shift to look at",
        )
    }

    pub(super) fn check_points(&self, place: &str, rule: &PointsRule) -> Result<(), DataError> {
        let wrong = |key: &str, problem: String, hint: &str| self.error(format!("{place}.{key}"), problem, hint);
        self.check_positive(place, "rate_hz", Some(rule.rate_hz), RATE_HINT)?;
        self.check_positive(
            place,
            "file_rate_hz",
            rule.file_rate_hz,
            "frames per second in the file",
        )?;
        if !(0.0..=1.0).contains(&rule.min_confidence) {
            let problem = format!("{}, expected 0 to 1", rule.min_confidence);
            return Err(wrong(
                "min_confidence",
                problem,
                "0 keeps every point that was seen at all",
            ));
        }
        if !(rule.max_gap_secs.is_finite() && rule.max_gap_secs >= 0.0) {
            let problem = format!("{}, expected a number from 0", rule.max_gap_secs);
            return Err(wrong("max_gap_secs", problem, "0 bridges no gap"));
        }
        Ok(())
    }

    pub(super) fn check_annotations(&self, place: &str, rule: &AnnotationsRule) -> Result<(), DataError> {
        let place = format!("{place}.labels");
        if let Some((text, number)) = rule.labels.iter().find(|(_, number)| !number.is_finite()) {
            return Err(self.error(
                place,
                format!("`{text}` is {number}, expected a number"),
                "write a finite one",
            ));
        }
        match rule.labels.is_empty() {
            false => Ok(()),
            true => {
                let hint = "write which texts count: `labels = { N = 1, V = 2 }`";
                Err(self.error(place, "none, expected at least one".into(), hint))
            }
        }
    }

    pub(super) fn check_image(&self, place: &str, rule: &ImageRule) -> Result<(), DataError> {
        let wrong = |key: &str, problem: String, hint: &str| Err(self.error(format!("{place}.{key}"), problem, hint));
        for (key, side) in [("height", rule.height), ("width", rule.width)] {
            if !(1..=MAX_IMAGE_SIDE).contains(&side) {
                return wrong(
                    key,
                    format!("{side}, expected 1 to {MAX_IMAGE_SIDE}"),
                    "pixels after resizing",
                );
            }
        }
        if let Some([slope, offset]) = rule.scale
            && !(slope.is_finite() && slope != 0.0 && offset.is_finite())
        {
            let problem = format!("[{slope}, {offset}], expected a slope that is not 0, and an intercept");
            return wrong(
                "scale",
                problem,
                "`[0.04, -273.15]` makes degrees Celsius of counts of 0.04 K",
            );
        }
        if let Some([low, high]) = rule.range
            && !(low.is_finite() && high.is_finite() && low.partial_cmp(&high) == Some(Less))
        {
            let problem = format!("[{low}, {high}], expected two numbers, the smaller one first");
            return wrong("range", problem, "`[-160.0, 240.0]` shows soft tissue in HU");
        }
        match rule.slices {
            Some([first, last, step]) if step == 0 || last < first => {
                let problem = format!("[{first}, {last}, {step}], expected first, last and a step from 1 on");
                wrong("slices", problem, "`[10, 19, 3]` keeps slices 10, 13, 16 and 19")
            }
            _ => Ok(()),
        }
    }
}
