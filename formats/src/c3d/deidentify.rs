//! C3D files without what names people, places and times.
//!
//! Of the parameters those stay that coordinates, analog values and force plates need; all others go, numbers too
//! (`PROCESSING` holds heights and weights), and all descriptions. Of a label `HansMeyer:LASI`, as of several subjects in one
//! trial, the part after the colon stays.

use std::path::Path;

use super::parameters::{Parameters, text};
use super::{BLOCK, Layout, damaged, num_frames, parameter_section, processor};
use crate::FileError;
use crate::strip::{Identity, StripOptions, Stripped, annotations_done};

/// Parameters that stay; a number behind the name continues it.
const KEPT: [(&str, &[&str]); 4] = [
    (
        "POINT",
        &[
            "USED",
            "SCALE",
            "RATE",
            "DATA_START",
            "FRAMES",
            "LONG_FRAMES",
            "LABELS",
            "UNITS",
            "X_SCREEN",
            "Y_SCREEN",
            "ANGLES",
            "FORCES",
            "MOMENTS",
            "POWERS",
            "SCALARS",
        ],
    ),
    (
        "ANALOG",
        &[
            "USED",
            "LABELS",
            "GEN_SCALE",
            "SCALE",
            "OFFSET",
            "UNITS",
            "RATE",
            "FORMAT",
            "BITS",
            "GAIN",
        ],
    ),
    (
        "FORCE_PLATFORM",
        &[
            "USED",
            "TYPE",
            "ZERO",
            "CORNERS",
            "ORIGIN",
            "CHANNEL",
            "CAL_MATRIX",
            "TRANSLATION",
            "ROTATION",
        ],
    ),
    ("TRIAL", &["ACTUAL_START_FIELD", "ACTUAL_END_FIELD", "CAMERA_RATE"]),
];
/// Those of annotations.
const EVENTS: [&str; 5] = ["USED", "TIMES", "LABELS", "CONTEXTS", "GENERIC_FLAGS"];

/// One record of the section; of a group without a body.
struct Record<'b> {
    group: u8,
    is_group: bool,
    name: String,
    raw_name: &'b [u8],
    body: &'b [u8],
}

/// Names of the subjects, the first of which is the patient.
///
/// # Errors
/// Those of [`subjects`].
pub fn identity(bytes: &[u8], path: &Path) -> Result<Identity, FileError> {
    let names = subjects(bytes, path)?;
    Ok(Identity {
        id: names.first().cloned().unwrap_or_default(),
        names,
        ..Identity::default()
    })
}

/// [`deidentify`], with the texts that are left.
///
/// # Errors
/// Those of [`deidentify`].
pub fn strip(bytes: &[u8], path: &Path, options: &StripOptions) -> Result<Stripped, FileError> {
    let out = deidentify(bytes, path, options.keep_annotations)?;
    let contents = super::read(&out, path)?;
    let marks = contents.annotations.into_iter().map(|mark| mark.text.into_bytes());
    let facts = contents.facts.into_iter().map(|(_, text)| text.into_bytes());
    Ok(Stripped {
        texts: facts.chain(marks).collect(),
        bytes: out,
        sort: "C3D",
        done: vec![
            "other parameters than those of points, channels and plates dropped",
            annotations_done(options.keep_annotations),
        ],
    })
}

/// Names of the subjects, `SUBJECTS:NAMES`; `path` is for messages.
///
/// # Errors
/// [`FileError`] for parameters that contradict their own lengths.
pub fn subjects(bytes: &[u8], path: &Path) -> Result<Vec<String>, FileError> {
    let (order, start) = processor(bytes, path)?;
    let data_start = usize::from(order.word_at(bytes, 16) as u16).saturating_sub(1) * BLOCK;
    let parameters =
        Parameters::parse(parameter_section(bytes, start, data_start), order).map_err(|(at, found, expected)| {
            damaged(path, format!("byte {}", start + at))
                .found(found)
                .expected(expected)
        })?;
    Ok(parameters
        .texts("SUBJECTS", "NAMES")
        .into_iter()
        .filter(|name| !name.is_empty())
        .collect())
}

/// The file without other parameters than those that are needed, and without what lies between its parts; events with
/// their labels stay if `keep_events`. Frames stay byte for byte.
///
/// # Errors
/// Those of [`super::read`].
pub fn deidentify(bytes: &[u8], path: &Path, keep_events: bool) -> Result<Vec<u8>, FileError> {
    let (order, start) = processor(bytes, path)?;
    let data_start = usize::from(order.word_at(bytes, 16) as u16).saturating_sub(1) * BLOCK;
    let section = parameter_section(bytes, start, data_start);
    let parameters = Parameters::parse(section, order).map_err(|(at, found, expected)| {
        damaged(path, format!("byte {}", start + at))
            .found(found)
            .expected(expected)
    })?;
    let layout = Layout::new(bytes, order, &parameters, data_start, &mut Vec::new());
    let body = bytes.get(data_start..).filter(|_| data_start > 0).unwrap_or_default();
    let data_bytes = num_frames(&layout, body, path)?.saturating_mul(layout.frame_bytes());
    if data_start < start + section.len() {
        let found = format!("frames at byte {data_start}");
        return Err(damaged(path, "header")
            .found(found)
            .expected("frames behind the parameters"));
    }
    let mut out = vec![0; data_start];
    let mut put = |at: usize, from: &[u8]| out.iter_mut().skip(at).zip(from).for_each(|(to, &byte)| *to = byte);
    put(0, bytes.get(..24).unwrap_or_default());
    if keep_events {
        put(298, bytes.get(298..468).unwrap_or_default());
    }
    let record = |length: u16| {
        if order.name() == "SGI" {
            length.to_be_bytes()
        } else {
            length.to_le_bytes()
        }
    };
    let mut clean = section.get(..4).unwrap_or_default().to_vec();
    let records = records(section, order);
    let group_name = |id: u8| {
        records
            .iter()
            .rev()
            .find(|r| r.is_group && r.group == id)
            .map(|r| r.name.as_str())
    };
    let is_kept = |r: &&Record| {
        let group = group_name(r.group).unwrap_or_default();
        let name = r.name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let needed = KEPT
            .iter()
            .any(|(known, names)| *known == group && names.contains(&name));
        !r.is_group && (needed || (keep_events && group == "EVENT" && EVENTS.contains(&r.name.as_str())))
    };
    let kept: Vec<&Record> = records.iter().filter(is_kept).collect();
    let groups = records
        .iter()
        .filter(|r| r.is_group && kept.iter().any(|kept| kept.group == r.group));
    for r in groups.chain(kept.iter().copied()) {
        let id = if r.is_group {
            (r.group as i8).wrapping_neg() as u8
        } else {
            r.group
        };
        let is_label = r.name.starts_with("LABELS");
        // An empty description ends each record.
        let body = if r.is_group {
            Vec::new()
        } else {
            without_subjects(r.body, is_label)
        };
        clean.extend([r.raw_name.len() as u8, id]);
        clean.extend(r.raw_name);
        clean.extend(record((body.len() + 3) as u16));
        clean.extend(body);
        clean.push(0);
    }
    if clean.len() > section.len() {
        return Err(damaged(path, "parameters")
            .found(format!("{} bytes", clean.len()))
            .expected("no more than before"));
    }
    put(start, &clean);
    out.extend(body.get(..data_bytes).unwrap_or_default());
    out.resize(out.len().next_multiple_of(BLOCK), 0);
    Ok(out)
}

/// The records of a section that holds, see [`Parameters::parse`].
fn records(section: &[u8], order: super::Order) -> Vec<Record<'_>> {
    let (mut records, mut at) = (Vec::new(), 4);
    while let Some(&[length, id, ref rest @ ..]) = section.get(at..).filter(|rest| rest.first() != Some(&0)) {
        let length = usize::from((length as i8).unsigned_abs());
        let Some((raw_name, rest)) = rest.split_at_checked(length) else {
            break;
        };
        let Some((&distance, body)) = rest.split_first_chunk() else {
            break;
        };
        let distance = order.word(distance) as u16;
        let fits = |distance: u16| usize::from(distance) <= body.len() + 2;
        let distance = usize::from(if !fits(distance) && fits(distance.swap_bytes()) {
            distance.swap_bytes()
        } else {
            distance
        });
        let body = if distance == 0 {
            body
        } else {
            body.get(..distance.saturating_sub(2)).unwrap_or_default()
        };
        let is_group = (id as i8) < 0;
        let name = text(raw_name).to_uppercase();
        let body = if is_group {
            &[]
        } else {
            body.get(..value_bytes(body)).unwrap_or_default()
        };
        records.push(Record {
            group: (id as i8).unsigned_abs(),
            is_group,
            name,
            raw_name,
            body,
        });
        if distance == 0 {
            break;
        }
        at += 2 + length + distance;
    }
    records
}

/// Type, axes and values, without the description behind them.
fn value_bytes(body: &[u8]) -> usize {
    let &[kind, num_axes, ref rest @ ..] = body else {
        return 0;
    };
    let axes = rest.get(..num_axes.into()).unwrap_or_default();
    let size = (kind as i8).unsigned_abs().into();
    let values = axes
        .iter()
        .fold(size, |product: usize, &axis| product.saturating_mul(axis.into()));
    values.saturating_add(2 + usize::from(num_axes)).min(body.len())
}

/// Labels with what follows a colon only.
fn without_subjects(body: &[u8], is_label: bool) -> Vec<u8> {
    let mut out = body.to_vec();
    let (Some(&0xff), Some(&num_axes), Some(&width), true) = (body.first(), body.get(1), body.get(2), is_label) else {
        return out;
    };
    let values = out.get_mut(2 + usize::from(num_axes)..).unwrap_or_default();
    for label in values.chunks_exact_mut(usize::from(width).max(1)) {
        if let Some(colon) = label.iter().position(|&byte| byte == b':') {
            label.rotate_left(colon + 1);
            let rest = label.len() - colon - 1;
            label.iter_mut().skip(rest).for_each(|byte| *byte = b' ');
        }
    }
    out
}
