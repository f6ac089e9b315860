//! Keypoints of pose estimation: frames by OpenPose, and files of the KERAAL data set.

use std::fs;
use std::path::{Path, PathBuf};

use recoup_formats::FileError;
use recoup_formats::keypoints::{BLAZEPOSE, BODY_25, COCO_17, COCO_18, Person, read, read_openpose};
use recoup_formats::{Contents, Part, Points};

use crate::c3d::{fixtures, real_data};
use crate::mutate::survives;

fn points(contents: &Contents) -> &Points {
    let [Part::Points(points)] = contents.parts.as_slice() else {
        panic!("one part of points")
    };
    points
}

/// One frame as OpenPose writes it: keypoint k of person p stands at (k + scale, k) with the person's confidence.
fn frame(people: &[(f32, f32)], num_keypoints: usize) -> Vec<u8> {
    let person = |&(scale, confidence): &(f32, f32)| {
        let keypoints: Vec<String> = (0..num_keypoints)
            .map(|k| {
                if k == 3 {
                    "0,0,0".into()
                } else {
                    format!("{},{k},{confidence}", k as f32 + scale)
                }
            })
            .collect();
        format!(
            "{{\"person_id\":[-1],\"pose_keypoints_2d\":[{}],\"face_keypoints_2d\":[]}}",
            keypoints.join(",")
        )
    };
    let people: Vec<String> = people.iter().map(person).collect();
    format!("{{\"version\":1.3,\"people\":[{}]}}", people.join(",")).into_bytes()
}

fn frames(frames: &[Vec<u8>]) -> Vec<(PathBuf, Vec<u8>)> {
    let name = |index: usize| PathBuf::from(format!("walk_{index:012}_keypoints.json"));
    frames
        .iter()
        .enumerate()
        .map(|(index, bytes)| (name(index), bytes.clone()))
        .collect()
}

#[test]
fn openpose_frames_become_the_path_of_one_person() {
    let files = frames(&[
        frame(&[(0.5, 0.75)], 25),
        frame(&[], 25),
        frame(&[(100.5, 0.25), (0.25, 0.5), (200.5, 0.375)], 25),
    ]);
    let contents = read_openpose(&files, Person::default()).unwrap();
    assert_eq!(contents.format, "OpenPose BODY_25");
    assert_eq!(
        told_in(&contents),
        ["1 of 3 frames show several people; the one with the highest total confidence is taken (several-people)"]
    );
    let points = points(&contents);
    assert_eq!(
        (points.unit.as_str(), points.rate_hz, points.positions.dim()),
        ("px", None, (3, 25, 2))
    );
    assert_eq!(points.names, BODY_25);
    let confidence = points.confidence.as_ref().unwrap();
    for point in 0..25 {
        assert!(points.positions[[1, point, 0]].is_nan() && confidence[[1, point]] == 0.0);
        let found = [0, 2].map(|frame| (points.positions[[frame, point, 0]], points.positions[[frame, point, 1]]));
        if point == 3 {
            assert!(found.iter().all(|(x, y)| x.is_nan() && y.is_nan()) && confidence[[0, point]] == 0.0);
        } else {
            assert_eq!(
                found,
                [(point as f32 + 0.5, point as f32), (point as f32 + 0.25, point as f32)]
            );
            assert_eq!([confidence[[0, point]], confidence[[2, point]]], [0.75, 0.5]);
        }
    }
    let coco = read_openpose(&frames(&[frame(&[(0.0, 1.0)], 18)]), Person::default()).unwrap();
    assert_eq!(
        (coco.format.as_str(), self::points(&coco).names[8].as_str()),
        ("OpenPose COCO", "RHip")
    );
}

#[test]
fn the_three_skeletons_of_keraal_are_read() {
    let [(_, op), (_, bp), (_, ap)] = fixtures!["op.json", "bp.json", "ap.json"];
    // Frames 182 to 185, one of which shows a part of the joints, one none.
    let contents = read(op, Path::new("op.json")).unwrap();
    let openpose = points(&contents);
    assert_eq!(
        (contents.format.as_str(), openpose.positions.dim()),
        ("OpenPose COCO positions", (4, 18, 2))
    );
    assert_eq!(
        (openpose.names.as_slice(), openpose.unit.as_str()),
        (COCO_18.map(String::from).as_slice(), "1")
    );
    assert_eq!(contents.facts[1], ("first frame".into(), "182".into()));
    let text: serde_json::Value = serde_json::from_slice(op).unwrap();
    let mut num_seen = 0;
    for (frame, number) in (182..186).enumerate() {
        for (point, name) in COCO_18.iter().enumerate() {
            // As the files spell them: Nose, Neck, rShoulder.
            let key = match name.strip_prefix(['R', 'L']) {
                Some(rest) => format!("{}{rest}", name[..1].to_lowercase()),
                None => name.to_string(),
            };
            let expected = &text["positions"][format!("{number}.0")][key];
            for axis in 0..2 {
                let found = openpose.positions[[frame, point, axis]];
                match expected[axis].as_f64() {
                    Some(expected) => assert_eq!(found, expected as f32),
                    None => assert!(found.is_nan(), "{name}"),
                }
            }
            num_seen += usize::from(!expected.is_null());
        }
    }
    assert!((1..4 * 18).contains(&num_seen), "some joints are missing: {num_seen}");

    let contents = read(bp, Path::new("bp.json")).unwrap();
    let blazepose = points(&contents);
    assert_eq!(
        (contents.format.as_str(), blazepose.positions.dim()),
        ("BlazePose positions", (4, 33, 3))
    );
    assert_eq!(blazepose.names, BLAZEPOSE);
    let text: serde_json::Value = serde_json::from_slice(bp).unwrap();
    let expected = text["positions"]["3.0"]["Left_heel"][2].as_f64().unwrap();
    assert_eq!(blazepose.positions[[2, 29, 2]], expected as f32);

    let contents = read(ap, Path::new("ap.json")).unwrap();
    assert_eq!(
        (contents.format.as_str(), points(&contents).positions.dim()),
        ("AlphaPose COCO positions", (4, 17, 2))
    );
    assert_eq!(points(&contents).names, COCO_17);
}

/// OpenPose and AlphaPose saw the same films: both wrists go up and down together.
#[test]
fn keraal_samples_agree_with_each_other() {
    let Some(folder) = real_data("keraal_sample/official") else {
        return;
    };
    for exercise in ["CTK", "ELK", "RTK"] {
        let load = |kind: &str, dims: (usize, usize)| -> Points {
            let path = folder.join(format!("G3-{kind}-{exercise}-P1T1-Unknown-C-0.json"));
            let contents = read(&fs::read(&path).unwrap(), &path).unwrap();
            let (frames, points, axes) = self::points(&contents).positions.dim();
            assert!(frames > 190 && (points, axes) == dims, "{kind} {exercise}");
            self::points(&contents).clone()
        };
        load("BP", (33, 3));
        let (openpose, alphapose) = (load("OP", (18, 2)), load("AP", (17, 2)));
        for wrist in ["LWrist", "RWrist"] {
            let height = |points: &Points| -> Vec<f64> {
                let point = points.names.iter().position(|name| name == wrist).unwrap();
                points
                    .positions
                    .slice(ndarray::s![..190, point, 1])
                    .iter()
                    .map(|&y| y.into())
                    .collect()
            };
            // OpenPose counts frames from 1, AlphaPose from 0.
            let pairs: Vec<(f64, f64)> = height(&openpose).into_iter().zip(height(&alphapose)).collect();
            let pairs: Vec<(f64, f64)> = pairs.into_iter().filter(|(a, b)| !(a + b).is_nan()).collect();
            let mean = |value: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(value).sum::<f64>() / pairs.len() as f64;
            let (a, b) = (mean(&|pair| pair.0), mean(&|pair| pair.1));
            let covariance = mean(&|pair| (pair.0 - a) * (pair.1 - b));
            let deviations = (mean(&|pair| (pair.0 - a).powi(2)) * mean(&|pair| (pair.1 - b).powi(2))).sqrt();
            assert!(
                pairs.len() > 150 && covariance / deviations > 0.98,
                "{exercise} {wrist}: {}",
                covariance / deviations
            );
        }
    }
}

fn landmarks(num_frames: usize) -> String {
    let landmark = |k: usize| {
        format!(
            "{{\"x\":{},\"y\":0.5,\"z\":-0.25,\"visibility\":0.{k}}}",
            k as f32 / 64.0
        )
    };
    let frame: Vec<String> = (0..33).map(landmark).collect();
    vec![format!("[{}]", frame.join(",")); num_frames].join(",")
}

#[test]
fn blazepose_landmarks_keep_their_visibility() {
    let text = format!("[{},[]]", landmarks(2));
    let contents = read(text.as_bytes(), Path::new("a.json")).unwrap();
    let points = points(&contents);
    assert_eq!(
        (contents.format.as_str(), points.positions.dim()),
        ("BlazePose landmarks", (3, 33, 3))
    );
    assert_eq!(
        [0, 1, 2].map(|axis| points.positions[[1, 16, axis]]),
        [0.25, 0.5, -0.25]
    );
    assert!(points.positions[[2, 16, 0]].is_nan());
    let confidence = points.confidence.as_ref().unwrap();
    assert_eq!([confidence[[1, 5]], confidence[[2, 5]]], [0.5, 0.0]);
}

#[test]
fn what_is_no_such_json_is_told() {
    let first = |error: FileError| error.to_string().lines().next().unwrap().to_string();
    let message = |text: &str| first(read(text.as_bytes(), Path::new("a.json")).unwrap_err());
    let openpose = |files: &[Vec<u8>]| first(read_openpose(&frames(files), Person::default()).unwrap_err());
    assert_eq!(
        openpose(&[frame(&[(0.0, 1.0)], 25), frame(&[(0.0, 1.0)], 18)]),
        "walk_000000000001_keypoints.json: pose_keypoints_2d: found 54 numbers, expected 75: x, y and confidence of each keypoint"
    );
    assert_eq!(
        openpose(&[frame(&[(0.0, 1.0)], 24)]),
        "walk_000000000000_keypoints.json: pose_keypoints_2d: found 72 numbers, expected 75 or 54: x, y and confidence of each \
         keypoint"
    );
    assert!(openpose(&[frame(&[], 25)]).contains("found nobody in any frame"));
    assert!(first(read_openpose(&[], Person::default()).unwrap_err()).contains("found nobody in any frame"));
    assert!(
        openpose(&[b"{\"people\": 3}".to_vec()])
            .starts_with("walk_000000000000_keypoints.json: line 1, column 12: found ")
    );
    assert_eq!(
        message("{\"positions\": {\"1\": {\"Tail\": [0.5, 0.5]}}}"),
        "a.json: positions: found joints such as Tail, expected the joints of BlazePose, OpenPose COCO or AlphaPose COCO (0 to 16)"
    );
    assert_eq!(
        message("{\"positions\": {\"1\": {\"Nose\": [0.5, 0.5]}, \"2\": {\"Nose\": [0.5]}}}"),
        "a.json: frame 2: found 1 coordinates of `Nose`, expected 2, as in the first frame"
    );
    assert_eq!(
        message("{\"positions\": {\"1\": {\"Nose\": [0.5, 0.5]}, \"1.0\": {}}}"),
        "a.json: positions: found frame 1 twice, expected each frame once"
    );
    assert_eq!(
        message("{\"positions\": {\"one\": {}}}"),
        "a.json: positions: found frame `one`, expected a whole number"
    );
    assert!(
        message("{\"positions\": {\"1\": {\"Nose\": [0.5, 0.5]}, \"900000000\": {}}}")
            .contains("found 900000000 frames in")
    );
    assert!(message("[[{\"x\": 1, \"y\": 2}]]").starts_with("a.json: frame 0: found 1 landmarks, expected 33"));
    assert!(message("[]").contains("expected at least one frame"));
}

#[test]
fn frames_that_are_left_out_are_missing() {
    let text = "{\"positions\": {\"7\": {\"Nose\": [0.5, 0.25]}, \"10\": {\"Nose\": [1.5, 1.25]}}}";
    let contents = read(text.as_bytes(), Path::new("a.json")).unwrap();
    let x: Vec<f32> = points(&contents).positions.slice(ndarray::s![.., 0, 0]).to_vec();
    assert!(x[1].is_nan() && x[2].is_nan());
    assert_eq!([x[0], x[3]], [0.5, 1.5]);
    assert_eq!(
        told_in(&contents),
        ["2 frames between 7 and 10 are left out; they are missing (missing-frames)"]
    );
}

fn told_in(contents: &Contents) -> Vec<String> {
    contents.warnings.iter().map(ToString::to_string).collect()
}

fn told(name: &str, result: Result<Contents, FileError>) -> bool {
    match result {
        Ok(contents) => {
            assert!(points(&contents).positions.iter().all(|value| !value.is_infinite()));
            true
        }
        Err(error) => {
            assert!(error.io_kind().is_none() && error.to_string().starts_with(name));
            false
        }
    }
}

#[test]
fn broken_json_gives_a_value_or_an_error() {
    let short =
        b"{\"positions\": {\"1\": {\"Nose\": [0.5, 0.25], \"Neck\": [0.5, 1]}, \"2\": {\"Nose\": [1, 2]}}}".to_vec();
    let samples = [
        ("short.json", short, 60),
        ("ap.json", fixtures!["ap.json"][0].1.to_vec(), 200),
    ];
    survives(&samples, 100_000, &[], |name, bytes| {
        told(name, read(bytes, Path::new(name)))
    });
    let samples = [("landmarks.json", format!("[{}]", landmarks(1)).into_bytes(), 200)];
    survives(&samples, 100_000, &[], |name, bytes| {
        told(name, read(bytes, Path::new(name)))
    });
    let samples = [
        ("f25", frame(&[(0.5, 0.75), (1.5, 0.5)], 25), 100),
        ("f18", frame(&[(0.5, 0.75)], 18), 100),
    ];
    survives(&samples, 100_000, &[], |name, bytes| {
        told(
            name,
            read_openpose(&[(PathBuf::from(name), bytes.to_vec())], Person::default()),
        )
    });
}
