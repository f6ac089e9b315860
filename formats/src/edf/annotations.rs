//! Time-stamped annotation lists (TAL): `+onset[\x15duration]\x14text\x14text\x14\0`, one after the other, then zeros.
//!
//! The first list of each record has an empty first text: its onset is the time of the record. Texts are UTF-8, or
//! windows-1252 as old software writes them.

use crate::Annotation;
use crate::text::decode;

/// Time and annotations of one record.
#[derive(Debug, Default)]
pub(super) struct RecordMarks {
    /// Seconds from the start in the header to this record.
    pub onset_secs: Option<f64>,
    /// Onsets in seconds from the start in the header.
    pub annotations: Vec<Annotation>,
    /// Lists that could not be read.
    pub num_broken: usize,
}

impl RecordMarks {
    /// Adds the lists of one annotation signal; the first signal of a record has the record's time.
    pub fn read(&mut self, bytes: &[u8], first_signal: bool) {
        for (index, list) in bytes
            .split(|&byte| byte == 0)
            .filter(|list| !list.is_empty())
            .enumerate()
        {
            let Some((onset_secs, duration_secs, texts)) = parse(list) else {
                self.num_broken += 1;
                continue;
            };
            if index == 0 && first_signal && texts.first().is_none_or(String::is_empty) {
                self.onset_secs = Some(onset_secs);
            }
            let marks = texts.into_iter().filter(|text| !text.is_empty());
            self.annotations.extend(marks.map(|text| Annotation {
                onset_secs,
                duration_secs,
                text,
            }));
        }
    }
}

/// Whether the samples of a signal are lists, and nothing else.
pub(super) fn are_lists(bytes: &[u8]) -> bool {
    let mut lists = bytes
        .split(|&byte| byte == 0)
        .filter(|list| !list.is_empty())
        .peekable();
    lists.peek().is_some() && lists.all(|list| parse(list).is_some())
}

fn parse(list: &[u8]) -> Option<(f64, Option<f64>, Vec<String>)> {
    let list = list.strip_suffix(b"\x14")?;
    let mut parts = list.split(|&byte| byte == 0x14);
    let mut times = parts.next()?.splitn(2, |&byte| byte == 0x15);
    let onset = std::str::from_utf8(times.next()?)
        .ok()
        .filter(|onset| onset.starts_with(['+', '-']))?;
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    let duration = match times.next() {
        Some(text) if !text.is_empty() => Some(number(std::str::from_utf8(text).ok()?)?),
        _ => None,
    };
    let texts = parts.map(|text| decode(text).trim_end().to_string());
    Some((number(onset)?, duration, texts.collect()))
}
