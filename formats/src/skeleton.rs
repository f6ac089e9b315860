//! Skeletons as text, one frame per line: Kinect v2 and the bodies that Vicon tracks.
//!
//! Numbers stand between blanks (KERAAL) or commas (KIMORE); how many tell the layout:
//!
//! | numbers | points | each |
//! |---|---|---|
//! | 175 | 25 joints of Kinect v2, m | position and quaternion (KERAAL) |
//! | 119 | 17 targets of Vicon, mm | position and quaternion (KERAAL) |
//! | 100 | 25 joints of Kinect v2, m | position and tracking state (KIMORE) |

use std::path::Path;

use ndarray::{Array2, Array3};

use super::contents::{Contents, Part, Points};
use crate::FileError;
use crate::format::{Format, Head};
use crate::strip::{Deidentify, StripOptions, Stripped, Stripper, copied};
use crate::text::decode;

/// Row of the registry: skeletons of Kinect and Vicon.
pub static FORMAT: Format = Format {
    sniff: is_skeleton,
    deidentify: Deidentify::ByFile(Stripper {
        needs_patient: false,
        identity: None,
        strip,
    }),
    ..Format::new(
        "skeletons (text)",
        "skeletons of Kinect v2 and Vicon as text (`.txt`, `.csv`), one frame per line",
        |input| read(input.bytes, input.path),
    )
};

/// The 25 joints of Kinect v2, in the order of its `JointType`.
pub const KINECT_V2: [&str; 25] = [
    "SpineBase",
    "SpineMid",
    "Neck",
    "Head",
    "ShoulderLeft",
    "ElbowLeft",
    "WristLeft",
    "HandLeft",
    "ShoulderRight",
    "ElbowRight",
    "WristRight",
    "HandRight",
    "HipLeft",
    "KneeLeft",
    "AnkleLeft",
    "FootLeft",
    "HipRight",
    "KneeRight",
    "AnkleRight",
    "FootRight",
    "SpineShoulder",
    "HandTipLeft",
    "ThumbLeft",
    "HandTipRight",
    "ThumbRight",
];

/// The 17 targets of the KERAAL data set's Vicon files, in the order of its documentation.
pub const KERAAL_VICON: [&str; 17] = [
    "RightForearm",
    "LeftForearm",
    "RightArm",
    "LeftArm",
    "Chest",
    "RightThigh",
    "LeftThigh",
    "RightShoulder",
    "LeftShoulder",
    "RightHand",
    "LeftHand",
    "RightFoot",
    "LeftFoot",
    "Hips",
    "Head",
    "RightTibia",
    "LeftTibia",
];

struct Layout {
    format: &'static str,
    names: &'static [&'static str],
    unit: &'static str,
    /// Numbers per point.
    stride: usize,
}

const LAYOUTS: [Layout; 3] = [
    Layout {
        format: "Kinect v2, positions and quaternions",
        names: &KINECT_V2,
        unit: "m",
        stride: 7,
    },
    Layout {
        format: "Vicon, positions and quaternions",
        names: &KERAAL_VICON,
        unit: "mm",
        stride: 7,
    },
    Layout {
        format: "Kinect v2, positions and tracking states",
        names: &KINECT_V2,
        unit: "m",
        stride: 4,
    },
];

impl Layout {
    fn num_columns(&self) -> usize {
        self.names.len() * self.stride
    }
}

/// Reads a text of frames; `path` is for messages. The rate is not in the file. A point whose three coordinates are exactly 0 was
/// not tracked and is NaN, as is one whose tracking state is 0; states 0, 1 (inferred) and 2 (tracked) become the
/// confidences 0, 0.5 and 1. Orientations are not read.
///
/// # Errors
/// [`FileError`] with the line that is no number, or that has more or fewer numbers than the layout.
pub fn read(bytes: &[u8], path: &Path) -> Result<Contents, FileError> {
    let wrong = |line: usize| FileError::at(path).place(format!("line {line}"));
    let text = decode(bytes);
    let mut values: Vec<f32> = Vec::new();
    let mut layout: Option<&Layout> = None;
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let before = values.len();
        // A comma at the end of the line separates nothing.
        let line = line.trim().trim_end_matches(',');
        let fields = line.split([',', ' ', '\t']).filter(|field| !field.is_empty());
        for field in fields {
            let value = field.parse::<f32>().ok().filter(|value| !value.is_infinite());
            let Some(value) = value else {
                let shown: String = field.chars().take(40).collect();
                return Err(wrong(number)
                    .found(format!("`{shown}`"))
                    .expected("a number")
                    .hint("the file has no header"));
            };
            values.push(value);
        }
        let count = values.len() - before;
        let expected = match layout {
            Some(layout) => layout.num_columns().to_string(),
            None => "175 (Kinect, KERAAL), 119 (Vicon, KERAAL) or 100 (Kinect, KIMORE)".into(),
        };
        let known = layout
            .map_or(&LAYOUTS[..], std::slice::from_ref)
            .iter()
            .find(|layout| layout.num_columns() == count);
        let Some(known) = known else {
            let hint = "the line is cut short, or this is another format";
            return Err(wrong(number)
                .found(format!("{count} numbers"))
                .expected(expected)
                .hint(hint));
        };
        layout = Some(known);
    }
    let Some(layout) = layout else {
        return Err(wrong(1)
            .found("no frames")
            .expected("one frame per line")
            .hint("the file is empty"));
    };
    let frames = values.chunks_exact(layout.num_columns());
    let shape = (frames.len(), layout.names.len());
    let mut positions = Array3::from_elem((shape.0, shape.1, 3), f32::NAN);
    let mut confidence = Array2::zeros(shape);
    for (index, frame) in frames.enumerate() {
        for (point, numbers) in frame.chunks_exact(layout.stride).enumerate() {
            let state = if layout.stride == 4 {
                numbers.get(3).map_or(0.0, |state| state / 2.0)
            } else {
                1.0
            };
            let seen = numbers.iter().take(3).any(|&value| value != 0.0) && state > 0.0;
            if seen {
                confidence[[index, point]] = state.min(1.0);
                numbers
                    .iter()
                    .take(3)
                    .enumerate()
                    .for_each(|(axis, &value)| positions[[index, point, axis]] = value);
            }
        }
    }
    let orientations = (layout.stride == 7).then(|| ("orientations".into(), "quaternions, not read".into()));
    Ok(Contents {
        format: layout.format.into(),
        facts: [("frames".into(), shape.0.to_string())]
            .into_iter()
            .chain(orientations)
            .collect(),
        parts: vec![Part::Points(Points {
            unit: layout.unit.into(),
            rate_hz: None,
            names: layout.names.iter().map(|name| name.to_string()).collect(),
            positions,
            confidence: (layout.stride == 4).then_some(confidence),
        })],
        ..Contents::default()
    })
}

/// As many numbers as the joints of a skeleton take, each joint with a quaternion of length 1 (or none) or a tracking
/// state behind its position.
fn is_skeleton(head: &Head) -> bool {
    let text = head.text.unwrap_or_default();
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let fields = line.split([',', ' ', '\t', '\r']).filter(|field| !field.is_empty());
    let numbers: Option<Vec<f64>> = fields.map(|field| field.parse().ok()).collect();
    let numbers = numbers.unwrap_or_default();
    let is_turn = |joint: &[f64]| {
        let length = joint.iter().skip(3).map(|number| number * number).sum::<f64>();
        length == 0.0 || (length - 1.0).abs() < 0.01
    };
    match numbers.len() {
        175 | 119 => numbers.chunks_exact(7).all(is_turn),
        100 => numbers
            .chunks_exact(4)
            .all(|joint| joint.last().is_some_and(|state| [0.0, 1.0, 2.0].contains(state))),
        _ => false,
    }
}

/// A file of nothing but numbers is copied.
fn strip(bytes: &[u8], path: &Path, _: &StripOptions) -> Result<Stripped, FileError> {
    read(bytes, path)?;
    let is_number = |byte: &u8| byte.is_ascii_digit() || b" \t\r\n,.+-eENaAinfINF".contains(byte);
    if bytes.iter().all(is_number) {
        return Ok(copied(bytes, "skeletons"));
    }
    Err(FileError::at(path)
        .place("text")
        .found("letters")
        .expected("numbers only")
        .hint("remove them"))
}
