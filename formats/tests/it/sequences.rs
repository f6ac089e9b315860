//! Sequences of files: frames by the numbers in their names, people by choice, and what is not opened.

use std::path::{Path, PathBuf};

use ndarray::s;
use recoup_formats::frames::FrameOrder;
use recoup_formats::image::{Scaling, read_sequence};
use recoup_formats::keypoints::{Person, read_openpose};
use recoup_formats::{Contents, Part, Warning, WarningCode, open};

fn order(names: &[&str]) -> Result<FrameOrder, String> {
    let paths: Vec<&Path> = names.iter().map(Path::new).collect();
    FrameOrder::of(&paths, false).map_err(|error| error.to_string())
}

#[test]
fn the_number_in_a_name_is_the_frame() {
    let frames = |names: &[&str]| {
        let order = order(names).unwrap();
        (
            order.frames,
            order.num_frames,
            order.warning.map(|warning| warning.text),
        )
    };
    let missing = "2 of 6 frames, 6 to 11, have no file; they are missing".to_string();
    // Digits of one width and of several; a gap at the start does not count.
    let padded = ["clip_006.json", "clip_007.json", "clip_010.json", "clip_011.json"];
    assert_eq!(frames(&padded), (vec![0, 1, 4, 5], 6, Some(missing.clone())));
    let plain = ["clip_6.json", "clip_7.json", "clip_10.json", "clip_11.json"];
    assert_eq!(frames(&plain), (vec![0, 1, 4, 5], 6, Some(missing.clone())));
    // In any order, and beside numbers that do not count.
    let beside = [
        "P01/v2_11_kp.json",
        "P01/v2_6_kp.json",
        "P01/v2_10_kp.json",
        "P01/v2_7_kp.json",
    ];
    assert_eq!(frames(&beside), (vec![5, 0, 4, 1], 6, Some(missing)));
    // A counter beside a time stamp.
    let stamped = [
        "f_0001_20210304120000.png",
        "f_0002_20210304120033.png",
        "f_0003_20210304120066.png",
    ];
    assert_eq!(frames(&stamped), (vec![0, 1, 2], 3, None));
    assert_eq!(frames(&["one.json"]), (vec![0], 1, None));
}

#[test]
fn names_that_do_not_number_the_frames_are_told() {
    for names in [
        &["left.json", "right.json"][..],
        &["a_1.json", "b_2.json"],
        &["1_1.json", "1_2.json", "2_1.json"],
    ] {
        let order = order(names).unwrap();
        assert_eq!(order.frames, (0..names.len()).collect::<Vec<_>>());
        assert_eq!(order.warning.unwrap().code, WarningCode::UnnumberedFrames, "{names:?}");
    }
    let twice = order(&["clip_7.json", "clip_8.json", "clip_007.json"]).unwrap_err();
    assert!(
        twice.contains("number 7 again, after clip_007.json, expected a file for each number"),
        "{twice}"
    );
    let far = order(&["clip_7.json", "clip_70000.json"]).unwrap_err();
    assert!(far.contains("found 2 files numbered 7 to 70000"), "{far}");
    // Names of pictures may be any numbers.
    let pictures = FrameOrder::of(&[Path::new("7.png"), Path::new("70000.png")], true).unwrap();
    assert_eq!(pictures.frames, [0, 1]);
    assert_eq!(pictures.warning.unwrap().code, WarningCode::UnnumberedFrames);
}

/// A frame of people, all of whose 25 keypoints stand at one x and have one confidence.
fn openpose(people: &[(f32, f32)]) -> Vec<u8> {
    let person = |&(x, c): &(f32, f32)| {
        let keypoints = vec![format!("{x},5,{c}"); 25].join(",");
        format!("{{\"pose_keypoints_2d\":[{keypoints}]}}")
    };
    let people: Vec<String> = people.iter().map(person).collect();
    format!("{{\"version\":1.3,\"people\":[{}]}}", people.join(",")).into_bytes()
}

fn path_of(contents: &Contents) -> Vec<Option<f32>> {
    let [Part::Points(points)] = contents.parts.as_slice() else {
        panic!("{contents:?}")
    };
    let path = points.positions.slice(s![.., 0, 0]);
    path.iter().map(|&x| Some(x).filter(|x| !x.is_nan())).collect()
}

/// Frames 7, 8 and 9 of 20 have no file.
#[test]
fn lost_frames_of_openpose_are_missing() {
    let frames = (0..20).filter(|frame| !(7..10).contains(frame));
    let files: Vec<(PathBuf, Vec<u8>)> = frames
        .map(|frame| {
            (
                PathBuf::from(format!("clip_{frame:012}_keypoints.json")),
                openpose(&[(frame as f32, 0.9)]),
            )
        })
        .collect();
    let contents = read_openpose(&files, Person::default()).unwrap();
    let expected: Vec<Option<f32>> = (0..20)
        .map(|frame| (!(7..10).contains(&frame)).then_some(frame as f32))
        .collect();
    assert_eq!(path_of(&contents), expected);
    let told = "3 of 20 frames, 0 to 19, have no file; they are missing";
    assert_eq!(contents.warnings, [Warning::new(WarningCode::MissingFrames, told)]);
}

/// Two people, whose confidences take turns, and who change their places in the list.
#[test]
fn one_of_several_people_is_taken_by_choice() {
    let frames = [
        openpose(&[(100.0, 0.9), (1000.0, 0.5)]),
        openpose(&[(1010.0, 0.9), (110.0, 0.5)]),
        openpose(&[]),
        openpose(&[(1020.0, 0.5)]),
        openpose(&[(120.0, 0.25), (1030.0, 0.75)]),
    ];
    let files: Vec<(PathBuf, Vec<u8>)> = (0..)
        .zip(frames)
        .map(|(frame, bytes)| (PathBuf::from(format!("f{frame}.json")), bytes))
        .collect();
    let path = |person| {
        let contents = read_openpose(&files, person).unwrap();
        let [warning] = contents.warnings.as_slice() else {
            panic!("{:?}", contents.warnings)
        };
        assert_eq!(warning.code, WarningCode::SeveralPeople);
        assert!(
            warning.text.starts_with("3 of 5 frames show several people; "),
            "{warning}"
        );
        path_of(&contents)
    };
    assert_eq!(
        path(Person::MostConfident),
        [Some(100.0), Some(1010.0), None, Some(1020.0), Some(1030.0)]
    );
    // Followed to whoever is nearest: in frame 3 only the other one is there.
    assert_eq!(
        path(Person::Followed),
        [Some(100.0), Some(110.0), None, Some(1020.0), Some(1030.0)]
    );
    assert_eq!(
        path(Person::Number(1)),
        [Some(1000.0), Some(110.0), None, None, Some(1030.0)]
    );
}

/// Older than version 1.2.
#[test]
fn openpose_had_another_key_once() {
    let old = String::from_utf8(openpose(&[(7.0, 0.5)]))
        .unwrap()
        .replace("pose_keypoints_2d", "pose_keypoints");
    let contents = read_openpose(&[(PathBuf::from("a.json"), old.into_bytes())], Person::default()).unwrap();
    assert_eq!(path_of(&contents), [Some(7.0)]);
}

fn picture(gray: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels = image::GrayImage::from_pixel(3, 2, image::Luma([gray]));
    pixels
        .write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png)
        .unwrap();
    bytes
}

#[test]
fn lost_frames_of_a_film_are_missing() {
    let files = [(9, 0), (10, 51), (12, 255)]
        .map(|(number, gray)| (PathBuf::from(format!("frame{number}.png")), picture(gray)));
    let (film, warnings) = read_sequence(&files, Some(30.0), Scaling::Share).unwrap();
    assert_eq!(film.values.dim(), (4, 1, 2, 3));
    let first: Vec<f32> = film.values.slice(s![.., 0, 0, 0]).to_vec();
    assert_eq!((first[0], first[1], first[3]), (0.0, 0.2, 1.0));
    assert!(film.values.slice(s![2, .., .., ..]).iter().all(|value| value.is_nan()));
    assert_eq!(
        warnings,
        [Warning::new(
            WarningCode::MissingFrames,
            "1 of 4 frames, 9 to 12, have no file; they are missing"
        )]
    );
}

#[test]
fn a_folder_of_frames_tells_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    for (number, gray) in [(1, 10), (2, 20), (4, 40)] {
        std::fs::write(folder.path().join(format!("{number}.png")), picture(gray)).unwrap();
    }
    let contents = open(folder.path()).unwrap();
    assert_eq!(contents.warnings[0].code, WarningCode::MissingFrames);
    let [Part::Images(images)] = contents.parts.as_slice() else {
        panic!("{contents:?}")
    };
    assert_eq!(images.values.dim().0, 4);
}

/// To open a pipe waits for a writer, and /dev/zero has no end.
#[cfg(unix)]
#[test]
fn pipes_and_devices_are_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("a.edf");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let socket = folder.path().join("b.edf");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("c.edf")).unwrap();
    for name in ["a.edf", "b.edf", "c.edf"] {
        let error = open(&folder.path().join(name)).unwrap_err().to_string();
        assert!(
            error.contains("found a pipe, a socket or a device, expected a regular file"),
            "{error}"
        );
    }
    assert!(open(folder.path()).unwrap_err().to_string().contains("no file"));
}
