//! A recording without its samples: what its header and its annotations tell.

use super::annotations::RecordMarks;
use super::clock;
use super::header::{Header, Signal, Source};
use super::samples::Scale;
use crate::blocks::BlockChannel;
use crate::contents::number_duplicates;
use crate::{Annotation, Contents, FileError, Warning, WarningCode};

/// How the records of a file become signals on one clock.
pub(super) struct Recording {
    pub header: Header,
    /// Records that are read.
    pub num_records: usize,
    /// Seconds without data from the start to each record.
    pub pauses: Vec<f64>,
    /// One for each signal that holds samples.
    pub scales: Vec<Scale>,
}

impl Recording {
    /// Checks a file of `num_bytes` after its header, with the marks of as many records as it holds; the contents lack their
    /// signals.
    pub fn new(
        source: Source,
        mut header: Header,
        num_bytes: u64,
        mut marks: Vec<RecordMarks>,
    ) -> Result<(Self, Contents), FileError> {
        let mut warnings = Vec::new();
        let num_records = num_records(&header, num_bytes, &mut warnings);
        marks.truncate(num_records);
        let start_secs = marks.first().and_then(|marks| marks.onset_secs).unwrap_or(0.0);
        let sampled = header.signals.iter_mut().filter(|signal| !signal.is_annotations);
        warnings.extend(number_duplicates("signals", sampled.map(|signal| &mut signal.name)));
        warnings.append(&mut header.warnings);
        if header.start.is_none() {
            let text = format!("the start `{}` is not a date and a time", header.start_text);
            warnings.push(Warning::new(WarningCode::OddHeader, text));
        }
        let pauses = clock::pauses(source, &header, &marks, &mut warnings)?;
        let num_broken: usize = marks.iter().map(|marks| marks.num_broken).sum();
        if num_broken > 0 {
            let text = format!("{num_broken} annotations could not be read");
            warnings.push(Warning::new(WarningCode::BrokenAnnotations, text));
        }
        let scales = header
            .sampled()
            .map(|signal| Scale::new(signal, &mut warnings))
            .collect();
        let contents = Contents {
            format: header.format(),
            facts: facts(&header, num_records, start_secs),
            annotations: annotations(marks, start_secs),
            warnings,
            ..Contents::default()
        };
        let recording = Self {
            header,
            num_records,
            pauses,
            scales,
        };
        Ok((recording, contents))
    }

    /// The signals that hold samples.
    pub fn channels(&self) -> Vec<BlockChannel> {
        let channel = |(signal, scale): (&Signal, &Scale)| BlockChannel {
            name: signal.name.clone(),
            unit: scale.unit.clone(),
            rate_hz: self.rate_hz(signal),
            num_samples: self.num_records * signal.num_samples + self.paused(signal, self.pauses.last().copied()),
        };
        self.header.sampled().zip(&self.scales).map(channel).collect()
    }

    /// The samples of some records, the first of which is number `first`, with NaN for the pauses before them. `starts` counts
    /// the samples of each signal that were decoded before.
    pub fn decode(&self, first: usize, records: &[&[u8]], starts: &mut [usize]) -> Vec<Vec<f32>> {
        let signals = self.header.sampled().zip(&self.scales).zip(starts);
        let decode = |((signal, scale), start): ((&Signal, &Scale), &mut usize)| {
            // Counted from the first record, so that the roundings of many pauses do not add up.
            let at = |number: usize| {
                number * signal.num_samples + self.paused(signal, self.pauses.get(number).copied()) - *start
            };
            let num_records = records.len().min(self.num_records.saturating_sub(first));
            let mut values = Vec::new();
            if num_records > 0 {
                values.reserve_exact(at(first + num_records - 1) + signal.num_samples);
            }
            for (number, record) in (first..).zip(records.iter().take(num_records)) {
                values.resize(at(number), f32::NAN);
                let bytes = record.get(signal.offset..self.header.end(signal)).unwrap_or_default();
                scale.append(bytes, self.header.bdf, &mut values);
            }
            *start += values.len();
            values
        };
        signals.map(decode).collect()
    }

    fn rate_hz(&self, signal: &Signal) -> f64 {
        signal.num_samples as f64 / self.header.record_secs
    }

    /// Samples that pauses of so many seconds lack.
    fn paused(&self, signal: &Signal, secs: Option<f64>) -> usize {
        secs.map_or(0, |secs| (secs * self.rate_hz(signal)).round() as usize)
    }
}

/// The records that the file holds from end to end, as many as the header promises.
fn num_records(header: &Header, num_bytes: u64, warnings: &mut Vec<Warning>) -> usize {
    let size = header.record_bytes() as u64;
    let mut warn = |code, text: String| warnings.push(Warning::new(code, text));
    if size == 0 {
        warn(WarningCode::OddHeader, "the records are empty".into());
        return 0;
    }
    let there = (num_bytes / size) as usize;
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
    let rest = num_bytes - count as u64 * size;
    if rest > 0 {
        warn(
            WarningCode::SurplusBytes,
            format!("{rest} bytes after the last record were not read"),
        );
    }
    count
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
    for signal in header.sampled() {
        fact(&format!("transducer of {}", signal.name), signal.transducer.clone());
        fact(&format!("filter of {}", signal.name), signal.prefilter.clone());
    }
    facts
}
