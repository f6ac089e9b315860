//! Skeletons as text: Kinect and Vicon of the KERAAL data set, Kinect of KIMORE.

use std::fs;
use std::path::Path;

use recoup_formats::skeleton::{KERAAL_VICON, KINECT_V2, read};
use recoup_formats::{Contents, Part, Points};

use crate::c3d::{fixtures, real_data};
use crate::mutate::survives;

fn points(contents: &Contents) -> &Points {
    let [Part::Points(points)] = contents.parts.as_slice() else {
        panic!("one part of points")
    };
    points
}

#[test]
fn the_three_layouts_are_known_by_their_width() {
    let files = fixtures!["kinect.txt", "vicon.txt", "kimore.csv"];
    let [kinect, vicon, kimore] = files.map(|(name, bytes)| read(bytes, Path::new(name)).unwrap());
    let at = |contents: &Contents, frame: usize, point: usize| {
        [0, 1, 2].map(|axis| points(contents).positions[[frame, point, axis]])
    };
    assert_eq!(points(&kinect).positions.dim(), (3, 25, 3));
    assert_eq!(
        (points(&kinect).names.as_slice(), points(&kinect).unit.as_str()),
        (KINECT_V2.map(String::from).as_slice(), "m")
    );
    assert_eq!(at(&kinect, 0, 1), [0.329507, -0.317089, 3.03224]);
    assert!(points(&kinect).confidence.is_none());
    assert_eq!(kinect.facts[1].0, "orientations");
    assert_eq!(points(&vicon).positions.dim(), (3, 17, 3));
    assert_eq!(
        (points(&vicon).names.as_slice(), points(&vicon).unit.as_str()),
        (KERAAL_VICON.map(String::from).as_slice(), "mm")
    );
    assert_eq!(at(&vicon, 1, 0), [683.6802, -36.491257, 676.51465]);
    assert_eq!(points(&kimore).positions.dim(), (4, 25, 3));
    assert_eq!(at(&kimore, 0, 24), [0.268744, -0.429149, 2.3974]);
    // Joint 5, the left elbow, is inferred.
    let confidence = points(&kimore).confidence.as_ref().unwrap();
    assert_eq!([confidence[[0, 4]], confidence[[0, 5]]], [1.0, 0.5]);
}

#[test]
fn points_without_tracking_are_missing() {
    let line = |state: &str, x: &str| format!("{}{x},1,2,{state},\n", "1,2,3,2,".repeat(24));
    let text = [
        line("2", "0.5"),
        line("0", "0.5"),
        line("1", "0.5"),
        "0,0,0,2,".repeat(25) + "\n",
    ]
    .concat();
    let contents = read(text.as_bytes(), Path::new("a.csv")).unwrap();
    let found = points(&contents);
    let x: Vec<f32> = found.positions.slice(ndarray::s![.., 24, 0]).to_vec();
    assert_eq!((x[0], x[1].is_nan(), x[2], x[3].is_nan()), (0.5, true, 0.5, true));
    assert_eq!(
        found.confidence.as_ref().unwrap().column(24).to_vec(),
        [1.0, 0.0, 0.5, 0.0]
    );
    assert!(
        found
            .positions
            .slice(ndarray::s![..3, 0, ..])
            .iter()
            .all(|value| value.is_finite())
    );
}

#[test]
fn lines_that_do_not_fit_are_told() {
    let message = |text: &str| {
        read(text.as_bytes(), Path::new("a.txt"))
            .unwrap_err()
            .to_string()
            .lines()
            .next()
            .unwrap()
            .to_string()
    };
    let row = "1 ".repeat(175);
    assert_eq!(
        message(&format!("{row}\n\n{}", "1 ".repeat(174))),
        "a.txt: line 3: found 174 numbers, expected 175"
    );
    assert_eq!(
        message("1 2 3"),
        "a.txt: line 1: found 3 numbers, expected 175 (Kinect, KERAAL), 119 (Vicon, KERAAL) or 100 (Kinect, KIMORE)"
    );
    assert_eq!(
        message(&row.replacen("1 1", "1 x", 1)),
        "a.txt: line 1: found `x`, expected a number"
    );
    assert_eq!(
        message(&row.replacen("1 1", "1 1e999", 1)),
        "a.txt: line 1: found `1e999`, expected a number"
    );
    assert_eq!(
        message(" \n"),
        "a.txt: line 1: found no frames, expected one frame per line"
    );
}

#[test]
fn samples_are_read_whole() {
    let Some(folder) = real_data(".") else {
        return;
    };
    for (exercise, kinect, vicon) in [("CTK", 197, 390), ("ELK", 193, 385), ("RTK", 193, 389)] {
        for (kind, frames, unit) in [("Kinect", kinect, "m"), ("Vicon", vicon, "mm")] {
            let path = folder.join(format!(
                "keraal_sample/official/G3-{kind}-{exercise}-P1T1-Unknown-C-0.txt"
            ));
            let contents = read(&fs::read(&path).unwrap(), &path).unwrap();
            let points = points(&contents);
            assert_eq!(
                (points.positions.dim().0, points.unit.as_str()),
                (frames, unit),
                "{kind} {exercise}"
            );
            let head = points.names.iter().position(|name| name == "Head").unwrap();
            let foot = points.names.iter().position(|name| name.contains("Foot")).unwrap();
            // The vertical axis of Kinect is y, that of Vicon z: a person is between 1.2 and 1.9 m tall there.
            let (axis, metre) = if kind == "Kinect" { (1, 1.0) } else { (2, 1000.0) };
            let height = (points.positions[[0, head, axis]] - points.positions[[0, foot, axis]]) / metre;
            assert!((1.0..1.9).contains(&height), "{kind} {exercise}: {height}");
        }
    }
    let path = folder.join("kimore_sample/stgcn_demo/input.csv");
    assert_eq!(
        points(&read(&fs::read(&path).unwrap(), &path).unwrap()).positions.dim(),
        (1423, 25, 3)
    );
}

#[test]
fn broken_text_gives_a_value_or_an_error() {
    let samples = fixtures!["kinect.txt", "vicon.txt", "kimore.csv"].map(|(name, bytes)| (name, bytes.to_vec(), 1000));
    survives(&samples, 100_000, &[], |name, bytes| {
        match read(bytes, Path::new(name)) {
            Ok(contents) => {
                assert!(points(&contents).positions.iter().all(|value| !value.is_infinite()));
                true
            }
            Err(error) => {
                assert!(error.io_kind().is_none() && error.to_string().starts_with(name));
                false
            }
        }
    });
}
