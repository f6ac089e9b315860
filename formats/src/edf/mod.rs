//! EDF, EDF+, BDF and BDF+: recordings of sleep, EEG and movement laboratories.
//!
//! Layouts as in Kemp et al. 1992 (EDF), Kemp and Olivan 2003 (EDF+) and BioSemi's 24-bit variant of both. Own code
//! because the crates for EDF (`edf-rs` 0.2, `edfplus` 0.1) do not read 24-bit BDF, and one reader for both is shorter
//! than a crate for one and code for the other.
//!
//! A sample is `gain (maximum_physical / gain - maximum_digital + digital)` in f64 with `gain` = physical range / digital
//! range, rounded to f32; samples beyond the digital range are not clipped. A signal whose range is empty or whose
//! digital minimum is above its maximum cannot be scaled: it stays digital, with unit `1` and a warning. A physical
//! minimum above the maximum is allowed by the format: the signal is upside down.
//!
//! The clock starts at the first sample. In discontinuous files the pauses between records are NaN.

mod annotations;
mod clock;
mod header;
mod write;

use std::path::Path;

pub use write::{EdfRecording, EdfSignal, write_edf};

use self::annotations::RecordMarks;
use self::header::{Header, Signal, Source};
use crate::contents::number_duplicates;
use crate::{Annotation, Contents, FileError, Part, SignalChannel, Warning, WarningCode};

/// Reads a file; `path` is for messages.
///
/// # Errors
/// [`FileError`] for a header that does not hold, records of a discontinuous file that overlap or have no time,
/// and pauses too long for memory.
pub fn read(bytes: &[u8], path: &Path) -> Result<Contents, FileError> {
    let source = Source { bytes, path };
    let mut header = Header::parse(source)?;
    let mut contents = Contents {
        format: header.format(),
        ..Contents::default()
    };
    let records = whole_records(&header, bytes, &mut contents.warnings);
    let marks: Vec<RecordMarks> = records.iter().map(|record| read_marks(&header, record)).collect();
    let start_secs = marks.first().and_then(|marks| marks.onset_secs).unwrap_or(0.0);
    let names = header.signals.iter_mut().filter(|signal| !signal.is_annotations);
    let twins = number_duplicates("signals", names.map(|signal| &mut signal.name));
    contents.warnings.extend(twins);
    contents.warnings.append(&mut header.warnings);
    contents.facts = facts(&header, records.len(), start_secs);
    if header.start.is_none() {
        let text = format!("the start `{}` is not a date and a time", header.start_text);
        contents.warnings.push(Warning::new(WarningCode::OddHeader, text));
    }
    let pauses = clock::pauses(source, &header, &marks, &mut contents.warnings)?;
    let num_broken: usize = marks.iter().map(|marks| marks.num_broken).sum();
    if num_broken > 0 {
        let text = format!("{num_broken} annotations could not be read");
        contents
            .warnings
            .push(Warning::new(WarningCode::BrokenAnnotations, text));
    }
    contents.annotations = annotations(marks, start_secs);
    let mut channels = Vec::new();
    for signal in header.signals.iter().filter(|signal| !signal.is_annotations) {
        channels.push(channel(&header, signal, &records, &pauses, &mut contents.warnings));
    }
    contents.parts.push(Part::Signals(channels));
    Ok(contents)
}

/// The records that the file holds from end to end, as many as the header promises.
fn whole_records<'b>(header: &Header, bytes: &'b [u8], warnings: &mut Vec<Warning>) -> Vec<&'b [u8]> {
    let data = bytes.get(header.num_bytes..).unwrap_or_default();
    let size = header.record_bytes();
    let mut warn = |code, text: String| warnings.push(Warning::new(code, text));
    if size == 0 {
        warn(WarningCode::OddHeader, "the records are empty".into());
        return Vec::new();
    }
    let there = data.len() / size;
    let count = header.num_records.unwrap_or(there).min(there);
    match header.num_records {
        None => warn(
            WarningCode::Unclosed,
            format!("the header does not tell the number of records: the recording was not closed; {there} read"),
        ),
        Some(promised) if promised > there => {
            warn(
                WarningCode::CutOff,
                format!("the file is cut off: {there} whole records of the {promised} in the header"),
            );
        }
        Some(_) => {}
    }
    let rest = data.len() - count * size;
    if rest > 0 {
        warn(
            WarningCode::SurplusBytes,
            format!("{rest} bytes after the last record were not read"),
        );
    }
    data.chunks_exact(size).take(count).collect()
}

fn read_marks(header: &Header, record: &[u8]) -> RecordMarks {
    let mut marks = RecordMarks::default();
    for (index, signal) in header.signals.iter().filter(|signal| signal.is_annotations).enumerate() {
        marks.read(
            record.get(signal.offset..header.end(signal)).unwrap_or_default(),
            index == 0,
        );
    }
    marks
}

fn annotations(marks: Vec<RecordMarks>, start_secs: f64) -> Vec<Annotation> {
    let mut annotations: Vec<_> = marks.into_iter().flat_map(|marks| marks.annotations).collect();
    annotations
        .iter_mut()
        .for_each(|annotation| annotation.onset_secs -= start_secs);
    annotations.sort_by(|one, other| one.onset_secs.total_cmp(&other.onset_secs));
    annotations
}

fn facts(header: &Header, num_records: usize, start_secs: f64) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            facts.push((name.to_string(), value));
        }
    };
    fact("patient", header.patient.clone());
    fact("recording", header.recording.clone());
    // EDF+ keeps the part of a second in the time of the first record.
    let fraction = chrono::TimeDelta::microseconds((start_secs * 1e6).round() as i64);
    let start = header.start.and_then(|start| start.checked_add_signed(fraction));
    fact(
        "start",
        start
            .map(|start| start.format("%Y-%m-%dT%H:%M:%S%.f").to_string())
            .unwrap_or_default(),
    );
    fact("records", num_records.to_string());
    fact("record_secs", header.record_secs.to_string());
    for signal in header.signals.iter().filter(|signal| !signal.is_annotations) {
        fact(&format!("transducer of {}", signal.name), signal.transducer.clone());
        fact(&format!("filter of {}", signal.name), signal.prefilter.clone());
    }
    facts
}

/// The samples of a signal, with NaN for the pauses.
fn channel(
    header: &Header,
    signal: &Signal,
    records: &[&[u8]],
    pauses: &[f64],
    warnings: &mut Vec<Warning>,
) -> SignalChannel {
    let rate_hz = signal.num_samples as f64 / header.record_secs;
    let [digital_min, digital_max] = signal.digital;
    let [physical_min, physical_max] = signal.physical;
    let gain = (physical_max - physical_min) / (digital_max - digital_min);
    let scaled = digital_max > digital_min && gain.is_finite() && gain != 0.0;
    let (gain, offset) = if scaled {
        (gain, physical_max / gain - digital_max)
    } else {
        (1.0, 0.0)
    };
    if !scaled {
        let text = format!(
            "signal `{}` stays digital: its physical range is {physical_min} to {physical_max}, its digital range \
             {digital_min} to {digital_max}",
            signal.name
        );
        warnings.push(Warning::new(WarningCode::Uncalibrated, text));
    }
    let physical = |digital: i32| (gain * (offset + f64::from(digital))) as f32;
    let paused = |secs: f64| (secs * rate_hz).round() as usize;
    let num_paused = pauses.last().map_or(0, |&secs| paused(secs));
    let mut values = Vec::with_capacity(records.len() * signal.num_samples + num_paused);
    for (index, (record, &pause_secs)) in records.iter().zip(pauses).enumerate() {
        // Counted from the start, so that the roundings of many pauses do not add up.
        values.resize(index * signal.num_samples + paused(pause_secs), f32::NAN);
        let bytes = record.get(signal.offset..header.end(signal)).unwrap_or_default();
        if header.bdf {
            let samples = bytes.as_chunks().0.iter();
            values
                .extend(samples.map(|&[low, middle, high]| physical(i32::from_le_bytes([0, low, middle, high]) >> 8)));
        } else {
            values.extend(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|&pair| physical(i16::from_le_bytes(pair).into())),
            );
        }
    }
    let unit = if scaled && !signal.unit.is_empty() {
        signal.unit.clone()
    } else {
        "1".into()
    };
    SignalChannel {
        name: signal.name.clone(),
        unit,
        rate_hz,
        values,
    }
}
