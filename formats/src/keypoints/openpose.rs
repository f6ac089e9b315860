//! Output of OpenPose with `--write_json`: a file for each frame.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3};
use serde::{Deserialize, Serialize};

use super::json::{REPAIR, guard, parse};
use super::names::{BODY_25, COCO_18};
use crate::frames::FrameOrder;
use crate::{Contents, FileError, Part, Points, Warning, WarningCode};

/// Who of several people in a frame of OpenPose is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Person {
    /// The one with the highest sum of confidences, frame by frame.
    #[default]
    MostConfident,
    /// The most confident one of the first frame with people, and from then on whoever is nearest to where that person was
    /// last: by the mean distance of the keypoints that both have.
    Followed,
    /// The one at this place of each frame's list, from 0; missing where a frame shows fewer people.
    Number(usize),
}

impl Person {
    fn told(self) -> String {
        match self {
            Self::MostConfident => "the one with the highest total confidence is taken".into(),
            Self::Followed => "the most confident one of the first of them is followed".into(),
            Self::Number(number) => format!("number {number} of each frame's list is taken"),
        }
    }

    /// The keypoints of one of `people`; `last` is where the person was seen last.
    fn of(self, mut people: Vec<Vec<f32>>, last: Option<&[f32]>) -> Option<Vec<f32>> {
        let total = |keypoints: &[f32]| keypoints.iter().skip(2).step_by(3).sum::<f32>();
        let nearest = |last: &[f32]| {
            let distances = people
                .iter()
                .enumerate()
                .filter_map(|(index, person)| Some((distance(person, last)?, index)));
            distances.min_by(|one, other| one.0.total_cmp(&other.0))
        };
        let index = match (self, last) {
            (Self::Number(number), _) => number,
            (Self::Followed, Some(last)) if nearest(last).is_some() => nearest(last)?.1,
            _ => (0..people.len()).max_by(|&one, &other| total(&people[one]).total_cmp(&total(&people[other])))?,
        };
        (index < people.len()).then(|| people.swap_remove(index))
    }
}

/// Mean distance of the keypoints that both have; `None` where there is none.
fn distance(one: &[f32], other: &[f32]) -> Option<f32> {
    let pairs = one.as_chunks().0.iter().zip(other.as_chunks().0);
    let seen = pairs.filter(|&(&[.., one], &[.., other]): &(&[f32; 3], &[f32; 3])| one > 0.0 && other > 0.0);
    let distances: Vec<f32> = seen
        .map(|(one, other)| (one[0] - other[0]).hypot(one[1] - other[1]))
        .collect();
    (!distances.is_empty()).then(|| distances.iter().sum::<f32>() / distances.len() as f32)
}

/// Reads the files that OpenPose wrote with `--write_json`, one per frame; the paths are for messages and for the frames'
/// numbers, see [`FrameOrder`]: a frame without a file is missing, and a warning tells how many are.
///
/// Names follow from the number of keypoints, 25 (BODY_25) or 18 (COCO). Where a frame shows several people, `person` says
/// who is taken, and a warning tells how many frames that concerns. A keypoint without confidence is NaN, as is every keypoint
/// of a frame without people. Coordinates are pixels unless OpenPose was told to scale them (`--keypoint_scale`), which the
/// files do not tell.
///
/// # Errors
/// [`FileError`] for other JSON, another number of keypoints, a number that differs between frames, and two files of one frame.
pub fn read_openpose(files: &[(PathBuf, Vec<u8>)], person: Person) -> Result<Contents, FileError> {
    let paths: Vec<&Path> = files.iter().map(|(path, _)| path.as_path()).collect();
    let order = FrameOrder::of(&paths, false)?;
    let mut in_order: Vec<(usize, &(PathBuf, Vec<u8>))> = order.frames.iter().copied().zip(files).collect();
    in_order.sort_by_key(|(frame, _)| *frame);
    let mut names: Option<&'static [&'static str]> = None;
    let (mut frames, mut last, mut num_crowded) = (Vec::new(), None, 0);
    for (number, (path, bytes)) in in_order {
        let frame: OpenPoseFrame = parse(bytes, path, "a file of OpenPose with a list `people`")?;
        for figure in &frame.people {
            names = Some(model(&figure.pose_keypoints_2d, names, path)?);
        }
        num_crowded += usize::from(frame.people.len() > 1);
        let people = frame
            .people
            .into_iter()
            .map(|figure| figure.pose_keypoints_2d)
            .collect();
        let keypoints = person.of(people, last.as_deref());
        last = keypoints.clone().or(last);
        frames.push((number, keypoints.unwrap_or_default()));
    }
    let (Some(names), Some((first, _))) = (names, files.first()) else {
        return Err(FileError::at(paths.first().copied().unwrap_or(Path::new("")))
            .place("people")
            .found("nobody in any frame")
            .expected("a person in one frame at least")
            .hint(REPAIR));
    };
    let num_bytes = files.iter().map(|(_, bytes)| bytes.len()).sum();
    guard(first, order.num_frames, names.len() * 3, num_bytes)?;
    let mut positions = Array3::from_elem((order.num_frames, names.len(), 2), f32::NAN);
    let mut confidence = Array2::zeros((order.num_frames, names.len()));
    for (frame, keypoints) in frames {
        let points = keypoints.as_chunks().0.iter().enumerate();
        for (point, &[x, y, c]) in points.filter(|(_, point): &(usize, &[f32; 3])| point[2] > 0.0) {
            confidence[[frame, point]] = c.min(1.0);
            positions[[frame, point, 0]] = x;
            positions[[frame, point, 1]] = y;
        }
    }
    let model = if names.len() == BODY_25.len() {
        "BODY_25"
    } else {
        "COCO"
    };
    let mut warnings: Vec<Warning> = order.warning.into_iter().collect();
    if num_crowded > 0 {
        let text = format!(
            "{num_crowded} of {} frames show several people; {}",
            files.len(),
            person.told()
        );
        warnings.push(Warning::new(WarningCode::SeveralPeople, text));
    }
    Ok(Contents {
        format: format!("OpenPose {model}"),
        facts: vec![("frames".into(), order.num_frames.to_string())],
        warnings,
        parts: vec![Part::Points(Points {
            unit: "px".into(),
            rate_hz: None,
            names: names.iter().map(|name| name.to_string()).collect(),
            positions,
            confidence: Some(confidence),
        })],
        ..Contents::default()
    })
}

/// Names of a person's keypoints by their number, which must be that of `before`.
fn model(
    keypoints: &[f32],
    before: Option<&'static [&'static str]>,
    path: &Path,
) -> Result<&'static [&'static str], FileError> {
    let place = "pose_keypoints_2d";
    if keypoints.iter().any(|value| !value.is_finite()) {
        return Err(FileError::at(path)
            .place(place)
            .found("a huge number")
            .expected("coordinates")
            .hint(REPAIR));
    }
    let models: Vec<&'static [&'static str]> = before.map_or(vec![&BODY_25, &COCO_18], |names| vec![names]);
    models
        .iter()
        .find(|names| 3 * names.len() == keypoints.len())
        .copied()
        .ok_or_else(|| {
            let counts: Vec<String> = models.iter().map(|names| (3 * names.len()).to_string()).collect();
            let expected = format!("{}: x, y and confidence of each keypoint", counts.join(" or "));
            let hint = "models BODY_25 and COCO are read, one of them in all frames";
            FileError::at(path)
                .place(place)
                .found(format!("{} numbers", keypoints.len()))
                .expected(expected)
                .hint(hint)
        })
}

#[derive(Deserialize)]
struct OpenPoseFrame {
    people: Vec<Figure>,
}

#[derive(Deserialize)]
struct Figure {
    /// Called so since version 1.2.
    #[serde(alias = "pose_keypoints")]
    pose_keypoints_2d: Vec<f32>,
}
