//! Events: of the group `EVENT`, or else of the header.

use super::bytes::Order;
use super::parameters::{Parameters, text};
use crate::Annotation;

/// The events, ascending, in seconds after the first frame of the file: `start_secs` is what the trial's clock shows there.
///
/// `EVENT:TIMES` holds minutes and seconds; a text is the event's context and label, such as `Right Foot Strike`.
pub(super) fn events(header: &[u8], order: Order, parameters: &Parameters, start_secs: f64) -> Vec<Annotation> {
    let times = parameters.numbers("EVENT", "TIMES");
    let (labels, contexts) = (
        parameters.texts("EVENT", "LABELS"),
        parameters.texts("EVENT", "CONTEXTS"),
    );
    let used = parameters.count("EVENT", "USED").unwrap_or(0);
    let named = times
        .as_chunks()
        .0
        .iter()
        .take(used)
        .enumerate()
        .map(|(index, &[minutes, seconds])| {
            let name = |texts: &[String]| texts.get(index).cloned().unwrap_or_default();
            (
                minutes * 60.0 + seconds,
                format!("{} {}", name(&contexts), name(&labels)).trim().to_string(),
            )
        });
    let mut events: Vec<(f64, String)> = named.collect();
    if events.is_empty() {
        events = header_events(header, order);
    }
    let mut annotations: Vec<Annotation> = (events.into_iter())
        .filter(|(time, _)| time.is_finite())
        .map(|(time, text)| Annotation {
            onset_secs: time - start_secs,
            duration_secs: None,
            text,
        })
        .collect();
    annotations.sort_by(|a, b| a.onset_secs.total_cmp(&b.onset_secs));
    annotations
}

/// Up to 18 events with labels of four letters, if the header's key says so.
fn header_events(header: &[u8], order: Order) -> Vec<(f64, String)> {
    const KEY: i16 = 12345;
    let word = |number: usize| order.word_at(header, 2 * (number - 1));
    if word(150) != KEY {
        return Vec::new();
    }
    let count = usize::try_from(word(151)).unwrap_or(0).min(18);
    let event = |index: usize| {
        let time = order.float_at(header, 304 + 4 * index);
        let label = header
            .get(396 + 4 * index..)
            .and_then(|rest| rest.get(..4))
            .unwrap_or_default();
        (f64::from(time), text(label))
    };
    (0..count).map(event).collect()
}
