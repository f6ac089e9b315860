//! Ids that are looked for in texts and names.

use std::collections::BTreeMap;
use std::ops::Range;

/// Ids and what stands for them, found whatever their case and whatever separates their words: `MRN-0047` in
/// `see mrn_0047.`
#[derive(Debug, Default)]
pub(super) struct KnownIds(BTreeMap<String, Vec<(Vec<String>, String)>>);

/// Runs of letters and digits, in lower case.
fn words(text: &str) -> Vec<(Range<usize>, String)> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, letter) in text.char_indices().chain([(text.len(), ' ')]) {
        match (letter.is_alphanumeric(), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                words.push((from..at, text.get(from..at).unwrap_or_default().to_lowercase()));
                start = None;
            }
            _ => {}
        }
    }
    words
}

impl KnownIds {
    /// Adds an id; one without letters and digits is never found.
    pub(super) fn add(&mut self, id: &str, pseudonym: &str) {
        let mut words = words(id).into_iter().map(|(_, word)| word);
        if let Some(first) = words.next() {
            let rest: Vec<String> = words.collect();
            let ids = self.0.entry(first).or_default();
            if !ids.iter().any(|(known, _)| *known == rest) {
                ids.push((rest, pseudonym.to_string()));
                // The longest first.
                ids.sort_by_key(|(rest, _)| std::cmp::Reverse(rest.len()));
            }
        }
    }

    /// Places of ids, with their pseudonyms.
    fn found(&self, text: &str) -> Vec<(Range<usize>, &str)> {
        let words = words(text);
        let (mut found, mut at) = (Vec::new(), 0);
        while let Some(((range, first), rest)) = words.get(at..).and_then(<[_]>::split_first) {
            let ids = self.0.get(first).into_iter().flatten();
            let fits = |id: &&(Vec<String>, String)| {
                rest.len() >= id.0.len() && rest.iter().zip(&id.0).all(|((_, word), known)| word == known)
            };
            at += 1;
            if let Some((more, pseudonym)) = ids.into_iter().find(fits) {
                let end = more
                    .len()
                    .checked_sub(1)
                    .and_then(|last| rest.get(last))
                    .map_or(range.end, |(r, _)| r.end);
                found.push((range.start..end, pseudonym.as_str()));
                at += more.len();
            }
        }
        found
    }

    /// Whether one of the ids is in the text.
    pub(super) fn stands_in(&self, text: &str) -> bool {
        !self.0.is_empty() && !self.found(text).is_empty()
    }

    /// The text with pseudonyms.
    pub(super) fn replaced(&self, text: &str) -> String {
        let mut text = text.to_string();
        let places: Vec<(Range<usize>, String)> = self
            .found(&text)
            .into_iter()
            .map(|(range, pseudonym)| (range, pseudonym.to_string()))
            .collect();
        places
            .into_iter()
            .rev()
            .for_each(|(range, pseudonym)| text.replace_range(range, &pseudonym));
        text
    }
}
