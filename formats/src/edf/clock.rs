//! When the records of a file were taken.

use super::annotations::RecordMarks;
use super::header::{Header, Source};
use crate::{FileError, Warning, WarningCode};

/// Pauses may add this many times the samples of the file, and this many samples to a short one.
const MAX_PAUSES_PER_SAMPLE: usize = 32;
const MAX_PAUSES: usize = 1 << 20;
/// Pauses that are spelled out.
const MAX_WARNINGS: usize = 20;

/// Seconds without data from the start to each record: zeros unless the file is discontinuous.
pub(super) fn pauses(
    source: Source,
    header: &Header,
    marks: &[RecordMarks],
    warnings: &mut Vec<Warning>,
) -> Result<Vec<f64>, FileError> {
    let discontinuous = header.is_discontinuous();
    let code = if discontinuous {
        WarningCode::Gap
    } else {
        WarningCode::ClockJump
    };
    let start_secs = marks.first().and_then(|marks| marks.onset_secs).unwrap_or(0.0);
    let (mut pauses, mut total_secs, mut num_pauses) = (Vec::with_capacity(marks.len()), 0.0, 0);
    for (index, marks) in marks.iter().enumerate() {
        let place = || format!("record {}", index + 1);
        if discontinuous && marks.onset_secs.is_none() {
            let hint = "each record of a discontinuous file must start with the annotation of its own time";
            return Err(source
                .error(place())
                .found("no time")
                .expected("the time of the record")
                .hint(hint));
        }
        let end_secs = start_secs + index as f64 * header.record_secs + total_secs;
        let onset_secs = marks.onset_secs.unwrap_or(end_secs);
        let pause_secs = onset_secs - end_secs;
        // Times are decimal numbers: what their rounding leaves is not a pause.
        if pause_secs.abs() > 1e-6 + 1e-9 * onset_secs.abs() {
            num_pauses += 1;
            if num_pauses <= MAX_WARNINGS {
                let claim = if discontinuous {
                    "no data for"
                } else {
                    "the file claims to be continuous, but time jumps by"
                };
                let at_secs = end_secs - start_secs;
                let text = format!(
                    "{claim} {pause_secs:.6} s at {at_secs:.6} s, before record {}",
                    index + 1
                );
                warnings.push(Warning::new(code, text));
            }
            if discontinuous && pause_secs < 0.0 {
                let expected = format!("{end_secs:.6} s, the end of the record before it, or later");
                return Err(source
                    .error(place())
                    .found(format!("{onset_secs:.6} s"))
                    .expected(expected)
                    .hint("the file is damaged"));
            }
            total_secs += if discontinuous { pause_secs } else { 0.0 };
        }
        pauses.push(total_secs);
    }
    if num_pauses > MAX_WARNINGS {
        warnings.push(Warning::new(
            code,
            format!("{} more of these", num_pauses - MAX_WARNINGS),
        ));
    }
    check_memory(source, header, marks.len(), total_secs)?;
    Ok(pauses)
}

fn check_memory(source: Source, header: &Header, num_records: usize, pause_secs: f64) -> Result<(), FileError> {
    let signals = header.signals.iter().filter(|signal| !signal.is_annotations);
    let num_samples: usize = signals.map(|signal| signal.num_samples).sum();
    let most = (MAX_PAUSES_PER_SAMPLE * num_samples * num_records + MAX_PAUSES) as f64;
    if pause_secs > 0.0 && num_samples as f64 * (pause_secs / header.record_secs) > most {
        let expected = format!(
            "at most {most} samples of pauses for {} of data",
            num_samples * num_records
        );
        let hint = "split the file at its pauses and read the pieces as sessions of their own";
        return Err(source
            .error("records")
            .found(format!("{pause_secs:.0} s of pauses"))
            .expected(expected)
            .hint(hint));
    }
    Ok(())
}
