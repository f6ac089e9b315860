//! Keypoints of pose estimation in JSON: OpenPose, AlphaPose and BlazePose.
//!
//! [`read_openpose`] reads what OpenPose writes, a file per frame; [`read`] reads a file with all frames, in one of two layouts:
//! `{"positions": {FRAME: {JOINT: [x, y(, z)]}}}` of the KERAAL data set, whose joints are those of BlazePose, OpenPose or
//! AlphaPose, and `[[{"x", "y", "z", "visibility"}, ...], ...]`, the 33 landmarks of MediaPipe's BlazePose frame by frame.

pub mod format;
mod json;
mod names;
pub mod openpose;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use ndarray::{Array2, Array3};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::contents::{Contents, Part, Points};
use crate::{FileError, Warning, WarningCode};

use self::json::{REPAIR, guard, parse};
pub use self::names::{BLAZEPOSE, BODY_25, COCO_17, COCO_18};
pub use self::openpose::{Person, read_openpose};

/// Reads a file with the keypoints of all frames; see the module for its layouts. `path` is for messages.
///
/// Coordinates are shares of the image's width and height (`1`), z of BlazePose in shares of the width before the middle of the hips.
/// Frames that the file leaves out between others are NaN, as are joints that a frame does not have.
///
/// # Errors
/// [`FileError`] for other JSON, names of frames that are not ascending numbers, joints that belong to no known skeleton or
/// differ in their number of coordinates.
pub fn read(bytes: &[u8], path: &Path) -> Result<Contents, FileError> {
    let is_list = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if is_list {
        read_landmarks(bytes, path)
    } else {
        read_positions(bytes, path)
    }
}

#[derive(Deserialize)]
struct Landmark {
    x: f64,
    y: f64,
    #[serde(default)]
    z: f64,
    visibility: Option<f32>,
}

fn read_landmarks(bytes: &[u8], path: &Path) -> Result<Contents, FileError> {
    let frames: Vec<Vec<Landmark>> = parse(
        bytes,
        path,
        "a list of frames, each a list of landmarks with x, y and z",
    )?;
    guard(path, frames.len(), BLAZEPOSE.len() * 4, bytes.len())?;
    let mut positions = Array3::from_elem((frames.len(), BLAZEPOSE.len(), 3), f32::NAN);
    let mut confidence = Array2::zeros((frames.len(), BLAZEPOSE.len()));
    let mut has_confidence = false;
    for (index, frame) in frames.iter().enumerate() {
        if !frame.is_empty() && frame.len() != BLAZEPOSE.len() {
            let (found, expected) = (
                format!("{} landmarks", frame.len()),
                "33, or none where nobody was found",
            );
            return Err(FileError::at(path)
                .place(format!("frame {index}"))
                .found(found)
                .expected(expected)
                .hint("BlazePose has 33 landmarks"));
        }
        for (point, landmark) in frame.iter().enumerate() {
            has_confidence |= landmark.visibility.is_some();
            confidence[[index, point]] = landmark.visibility.unwrap_or(1.0).clamp(0.0, 1.0);
            for (axis, value) in [landmark.x, landmark.y, landmark.z].into_iter().enumerate() {
                positions[[index, point, axis]] = coordinate(value, path, index)?;
            }
        }
    }
    let confidence = has_confidence.then_some(confidence);
    let names = BLAZEPOSE.map(String::from).to_vec();
    contents(
        "BlazePose landmarks",
        Points {
            unit: "1".into(),
            rate_hz: None,
            names,
            positions,
            confidence,
        },
        path,
    )
}

/// The three skeletons of the KERAAL files: what it is called, the joint's names there in lower case, and the names here.
fn skeletons() -> [(&'static str, Vec<String>, Vec<&'static str>); 3] {
    let lower = |names: &[&str]| names.iter().map(|name| name.to_lowercase()).collect();
    let numbers = (0..COCO_17.len()).map(|number| number.to_string()).collect();
    [
        ("BlazePose positions", lower(&BLAZEPOSE), BLAZEPOSE.to_vec()),
        ("OpenPose COCO positions", lower(&COCO_18), COCO_18.to_vec()),
        ("AlphaPose COCO positions", numbers, COCO_17.to_vec()),
    ]
}

fn read_positions(bytes: &[u8], path: &Path) -> Result<Contents, FileError> {
    let layout = "{\"positions\": {frame: {joint: [x, y]}}}";
    let file: PositionsFile = parse(bytes, path, layout)?;
    let mut frames = Vec::new();
    for (key, joints) in file.positions.0 {
        let number = key
            .parse::<f64>()
            .ok()
            .filter(|number| number.fract() == 0.0 && number.abs() < 1e9);
        let number = number.ok_or_else(|| {
            FileError::at(path)
                .place("positions")
                .found(format!("frame `{key}`"))
                .expected("a whole number")
                .hint(REPAIR)
        })?;
        frames.push((number as i64, joints));
    }
    frames.sort_by_key(|(number, _)| *number);
    if let Some([(twice, _), _]) = frames.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(FileError::at(path)
            .place("positions")
            .found(format!("frame {twice} twice"))
            .expected("each frame once")
            .hint(REPAIR));
    }
    let joints = || frames.iter().flat_map(|(_, joints)| &joints.0);
    let Some(num_axes) = joints()
        .next()
        .map(|(_, position)| position.len())
        .filter(|axes| (2..=3).contains(axes))
    else {
        return Err(FileError::at(path)
            .place("positions")
            .found("no position with two or three coordinates")
            .expected(layout)
            .hint(REPAIR));
    };
    let is_known = |names: &[String]| joints().all(|(joint, _)| names.contains(&joint.to_lowercase()));
    let known = skeletons().into_iter().find(|(_, names, _)| is_known(names));
    let Some((format, keys, names)) = known else {
        let shown: Vec<&str> = joints().take(3).map(|(joint, _)| joint.as_str()).collect();
        let expected = "the joints of BlazePose, OpenPose COCO or AlphaPose COCO (0 to 16)";
        return Err(FileError::at(path)
            .place("positions")
            .found(format!("joints such as {}", shown.join(", ")))
            .expected(expected)
            .hint(REPAIR));
    };
    let (first, last) = (
        frames.first().map_or(0, |frame| frame.0),
        frames.last().map_or(0, |frame| frame.0),
    );
    let num_frames = (last - first) as usize + 1;
    guard(path, num_frames, names.len() * num_axes, bytes.len())?;
    let order: HashMap<&str, usize> = keys
        .iter()
        .enumerate()
        .map(|(index, key)| (key.as_str(), index))
        .collect();
    let mut positions = Array3::from_elem((num_frames, names.len(), num_axes), f32::NAN);
    for (number, joints) in &frames {
        let frame = (number - first) as usize;
        for (joint, position) in &joints.0 {
            if position.len() != num_axes {
                let found = format!("{} coordinates of `{joint}`", position.len());
                let expected = format!("{num_axes}, as in the first frame");
                return Err(FileError::at(path)
                    .place(format!("frame {number}"))
                    .found(found)
                    .expected(expected)
                    .hint(REPAIR));
            }
            let Some(&point) = order.get(joint.to_lowercase().as_str()) else {
                continue;
            };
            for (axis, &value) in position.iter().enumerate() {
                positions[[frame, point, axis]] = coordinate(value, path, frame)?;
            }
        }
    }
    let names = names.into_iter().map(String::from).collect();
    let points = Points {
        unit: "1".into(),
        rate_hz: None,
        names,
        positions,
        confidence: None,
    };
    let mut contents = contents(format, points, path)?;
    if num_frames > frames.len() {
        let left_out = num_frames - frames.len();
        let text = format!("{left_out} frames between {first} and {last} are left out; they are missing");
        contents.warnings.push(Warning::new(WarningCode::MissingFrames, text));
    }
    contents.facts.push(("first frame".into(), first.to_string()));
    Ok(contents)
}

#[derive(Deserialize)]
struct PositionsFile {
    positions: Pairs<Pairs<Vec<f64>>>,
}

/// An object as its pairs, in the order of the file and with every repetition.
struct Pairs<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = Pairs<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs: Vec<(String, T)> = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Reader(std::marker::PhantomData))
    }
}

fn contents(format: &str, points: Points, path: &Path) -> Result<Contents, FileError> {
    let num_frames = points.positions.dim().0;
    if num_frames == 0 {
        return Err(FileError::at(path)
            .place("frames")
            .found("none")
            .expected("at least one frame")
            .hint(REPAIR));
    }
    Ok(Contents {
        format: format.into(),
        facts: vec![("frames".into(), num_frames.to_string())],
        parts: vec![Part::Points(points)],
        ..Contents::default()
    })
}

fn coordinate(value: f64, path: &Path, frame: usize) -> Result<f32, FileError> {
    let value = value as f32;
    let place = format!("frame {frame} of the file");
    if value.is_finite() {
        Ok(value)
    } else {
        Err(FileError::at(path)
            .place(place)
            .found("a huge number")
            .expected("coordinates")
            .hint(REPAIR))
    }
}
