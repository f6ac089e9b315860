//! Waveforms: ECG and other signals. PS3.3 C.10.9.
//!
//! Physical value = stored * sensitivity * correction factor + baseline; stored padding values are NaN. Channels without a
//! sensitivity stay digital, with unit `1`. The file's clock starts with its first multiplex group; groups that start
//! later begin with NaN.

use std::path::Path;

use super::dataset::{Dataset, EXPLICIT, Tag, integers};
use super::pixels::DAMAGED;
use crate::FileError;
use crate::contents::number_duplicates;
use crate::{Annotation, Contents, Part, SignalChannel};

pub(super) const WAVEFORMS: Tag = Tag(0x5400, 0x0100);
const GROUP_OFFSET_MS: Tag = Tag(0x0018, 0x1068);
const NUM_CHANNELS: Tag = Tag(0x003A, 0x0005);
const NUM_SAMPLES: Tag = Tag(0x003A, 0x0010);
const RATE_HZ: Tag = Tag(0x003A, 0x001A);
const GROUP_LABEL: Tag = Tag(0x003A, 0x0020);
const CHANNELS: Tag = Tag(0x003A, 0x0200);
const CHANNEL_LABEL: Tag = Tag(0x003A, 0x0203);
const CHANNEL_SOURCE: Tag = Tag(0x003A, 0x0208);
const SENSITIVITY: Tag = Tag(0x003A, 0x0210);
const SENSITIVITY_UNITS: Tag = Tag(0x003A, 0x0211);
const CORRECTION: Tag = Tag(0x003A, 0x0212);
const BASELINE: Tag = Tag(0x003A, 0x0213);
const CODE_VALUE: Tag = Tag(0x0008, 0x0100);
const CODE_MEANING: Tag = Tag(0x0008, 0x0104);
const BITS: Tag = Tag(0x5400, 0x1004);
const INTERPRETATION: Tag = Tag(0x5400, 0x1006);
const PADDING: Tag = Tag(0x5400, 0x100A);
const DATA: Tag = Tag(0x5400, 0x1010);
const ANNOTATIONS: Tag = Tag(0x0040, 0xB020);
const ANNOTATED_CHANNELS: Tag = Tag(0x0040, 0xA0B0);
const ANNOTATED_SAMPLES: Tag = Tag(0x0040, 0xA132);
const CONCEPT: Tag = Tag(0x0040, 0xA043);

/// A group may start this many times its own samples later, and this many samples.
const MAX_LEAD_PER_SAMPLE: usize = 32;
const MAX_LEAD: usize = 1 << 16;

/// A multiplex group.
struct Group {
    start_secs: f64,
    rate_hz: f64,
    channels: Vec<SignalChannel>,
}

/// All channels of all groups on one clock.
pub(super) fn read(dataset: &Dataset, path: &Path) -> Result<Contents, FileError> {
    let items = dataset.items(WAVEFORMS);
    let groups: Vec<Group> = items
        .iter()
        .enumerate()
        .map(|(index, item)| group(item, index, path))
        .collect::<Result<_, _>>()?;
    let start_secs = groups
        .iter()
        .map(|group| group.start_secs)
        .fold(f64::INFINITY, f64::min);
    let annotations = annotations(dataset, &groups, start_secs);
    let mut groups = groups;
    let names = groups
        .iter_mut()
        .flat_map(|group| &mut group.channels)
        .map(|channel| &mut channel.name);
    let twins = number_duplicates("channels", names);
    let mut channels = Vec::new();
    for (index, group) in groups.into_iter().enumerate() {
        let lead = ((group.start_secs - start_secs) * group.rate_hz).round();
        for mut channel in group.channels {
            if lead > (MAX_LEAD_PER_SAMPLE * channel.values.len() + MAX_LEAD) as f64 {
                let found = format!("a start {lead} samples after the first group's");
                return Err(FileError::at(path)
                    .place(place(index))
                    .found(found)
                    .expected("groups of one recording")
                    .hint(DAMAGED));
            }
            channel
                .values
                .splice(0..0, std::iter::repeat_n(f32::NAN, lead as usize));
            channels.push(channel);
        }
    }
    Ok(Contents {
        parts: vec![Part::Signals(channels)],
        annotations,
        warnings: Vec::from_iter(twins),
        ..Contents::default()
    })
}

fn place(index: usize) -> String {
    format!("waveform group {}", index + 1)
}

fn group(item: &Dataset, index: usize, path: &Path) -> Result<Group, FileError> {
    let wrong = |found: &str, expected: &str| {
        FileError::at(path)
            .place(place(index))
            .found(found)
            .expected(expected)
            .hint(DAMAGED)
    };
    let missing = |name: &str| wrong(&format!("no {name} that can be read"), name);
    let num_channels = item
        .count(NUM_CHANNELS)
        .filter(|&count| count > 0)
        .ok_or_else(|| missing("NumberOfWaveformChannels"))?;
    let num_samples = item
        .count(NUM_SAMPLES)
        .ok_or_else(|| missing("NumberOfWaveformSamples"))?;
    let rate_hz = item
        .number(RATE_HZ)
        .filter(|&rate| rate > 0.0)
        .ok_or_else(|| missing("SamplingFrequency"))?;
    let interpretation = item.text(INTERPRETATION).unwrap_or_default();
    let signed = interpretation.starts_with('S');
    let bits = match (item.count(BITS), interpretation.as_str()) {
        (Some(8), "SB" | "UB") => 8,
        (Some(16), "SS" | "US") => 16,
        (Some(32), "SL" | "UL") => 32,
        (bits, _) => {
            let found = format!("{} bits as `{interpretation}`", bits.unwrap_or_default());
            return Err(wrong(&found, "8 bits as SB or UB, 16 as SS or US, 32 as SL or UL"));
        }
    };
    let data = item.bytes(DATA).ok_or_else(|| missing("WaveformData"))?;
    let expected = num_channels
        .checked_mul(num_samples)
        .and_then(|samples| samples.checked_mul(bits / 8));
    if expected.is_none_or(|expected| expected > data.len()) {
        let expected = format!("{num_channels} channels of {num_samples} samples of {bits} bits");
        return Err(wrong(&format!("{} bytes of data", data.len()), &expected));
    }
    let definitions = item.items(CHANNELS);
    if definitions.len() != num_channels {
        return Err(wrong(
            &format!("{} channel definitions", definitions.len()),
            &format!("{num_channels}"),
        ));
    }
    // Bytes do not swap their ends; OB in a big-endian file is the only one to differ, and 8 bits have no ends.
    let big_endian = item.encoding.big_endian && item.encoding != EXPLICIT;
    let stored: Vec<i64> = integers(data, bits, signed, big_endian)
        .take(num_channels * num_samples)
        .collect();
    let padding = item
        .bytes(PADDING)
        .and_then(|bytes| integers(bytes, bits, signed, big_endian).next());
    // Groups repeat the names of their channels: those after the first carry the group's.
    let prefix = match item.text(GROUP_LABEL).filter(|_| index > 0) {
        Some(label) => format!("{label}: "),
        None if index > 0 => format!("{}: ", index + 1),
        None => String::new(),
    };
    let channels = definitions.iter().enumerate().map(|(channel, definition)| {
        let values = stored.iter().skip(channel).step_by(num_channels).copied();
        let name = format!("{prefix}{}", name(definition, channel));
        self::channel(definition, name, rate_hz, values, padding)
    });
    let start_secs = item.number(GROUP_OFFSET_MS).unwrap_or(0.0) / 1000.0;
    Ok(Group {
        start_secs,
        rate_hz,
        channels: channels.collect(),
    })
}

/// The label, or what the channel's source is called.
fn name(definition: &Dataset, index: usize) -> String {
    let source = || {
        definition
            .items(CHANNEL_SOURCE)
            .first()
            .and_then(|source| source.text(CODE_MEANING))
    };
    definition
        .text(CHANNEL_LABEL)
        .or_else(source)
        .unwrap_or_else(|| format!("channel {}", index + 1))
}

fn channel(
    definition: &Dataset,
    name: String,
    rate_hz: f64,
    stored: impl Iterator<Item = i64>,
    padding: Option<i64>,
) -> SignalChannel {
    let sensitivity = definition.number(SENSITIVITY);
    let correction = definition.number(CORRECTION).unwrap_or(1.0);
    let baseline = definition.number(BASELINE).unwrap_or(0.0);
    let units = definition
        .items(SENSITIVITY_UNITS)
        .first()
        .and_then(|units| units.text(CODE_VALUE));
    let physical = |stored: i64| match sensitivity {
        _ if padding == Some(stored) => f32::NAN,
        Some(sensitivity) => (stored as f64 * sensitivity * correction + baseline) as f32,
        None => stored as f32,
    };
    let unit = sensitivity.and(units).unwrap_or_else(|| "1".into());
    SignalChannel {
        name,
        unit,
        rate_hz,
        values: stored.map(physical).collect(),
    }
}

/// Marks at samples; free text is left out, because it may name the patient.
fn annotations(dataset: &Dataset, groups: &[Group], start_secs: f64) -> Vec<Annotation> {
    let mut annotations = Vec::new();
    for item in dataset.items(ANNOTATIONS) {
        let text = item
            .items(CONCEPT)
            .first()
            .and_then(|concept| concept.text(CODE_MEANING));
        // Group and channel, counted from 1.
        let group = item
            .numbers(ANNOTATED_CHANNELS)
            .first()
            .map_or(0, |&group| group as usize);
        let (Some(text), Some(group)) = (text, group.checked_sub(1).and_then(|index| groups.get(index))) else {
            continue;
        };
        for sample in item
            .numbers(ANNOTATED_SAMPLES)
            .into_iter()
            .filter(|sample| sample.is_finite())
        {
            let onset_secs = (sample - 1.0) / group.rate_hz + group.start_secs - start_secs;
            annotations.push(Annotation {
                onset_secs,
                duration_secs: None,
                text: text.clone(),
            });
        }
    }
    annotations.sort_by(|one, other| one.onset_secs.total_cmp(&other.onset_secs));
    annotations
}
