//! Images and annotations.

use std::cmp::Ordering::Less;

use crate::dataset::card::{AnnotationsRule, Card, ImageRule};
use crate::dataset::error::DataError;

/// Larger images are not what a small model looks at.
const MAX_IMAGE_SIDE: usize = 4096;

impl Card {
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
