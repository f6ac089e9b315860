//! Annotations as a series.

use std::collections::BTreeSet;

use ndarray::arr2;

use super::reading::Reading;
use crate::dataset::card::AnnotationsRule;
use crate::dataset::error::DataError;
use crate::dataset::subjects::Recording;

/// Texts that a message shows of those that there are.
const MAX_TEXTS: usize = 12;

/// The annotations whose texts the card knows, in the order of time; `None` where an optional modality has none of them.
pub(super) fn annotations(
    reading: &Reading,
    keys: &AnnotationsRule,
    files: &[String],
) -> Result<Option<Recording>, DataError> {
    let contents = reading.contents(files)?;
    let marks = contents.annotations.iter();
    let mut rows: Vec<(f64, [f32; 2])> = marks
        .filter_map(|mark| {
            let duration = mark.duration_secs.map_or(f32::NAN, |secs| secs as f32);
            Some((mark.onset_secs, [*keys.labels.get(&mark.text)?, duration]))
        })
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    if rows.is_empty() {
        if reading.rule.optional {
            return Ok(None);
        }
        let texts: BTreeSet<&str> = contents.annotations.iter().map(|mark| mark.text.as_str()).collect();
        let found = format!("{:?}", texts.iter().take(MAX_TEXTS).collect::<Vec<_>>());
        let expected = format!("at least one of {:?}", keys.labels.keys().collect::<Vec<_>>());
        let hint = "correct `labels` in the card, or write `optional = true`";
        let file = files.first().map_or("", String::as_str);
        return Err(reading.error(file, "annotations", found, expected, hint));
    }
    let values: Vec<[f32; 2]> = rows.iter().map(|(_, values)| *values).collect();
    Ok(Some(Recording {
        times_secs: Some(rows.into_iter().map(|(secs, _)| secs).collect()),
        values: arr2(&values),
    }))
}
