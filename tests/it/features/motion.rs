//! Motion features against NumPy, SciPy and Pillow, and against what was planted.

use std::f64::consts::TAU;

use ndarray::{Array2, Array3, Axis, array, s};
use recoup::base::Problem;
use recoup::dataset::subjects::Channel;
use recoup::features::motion::{
    Cleaning, GaitPoints, Joints, MotionExtractor, MotionFeature, MotionImage, direction_of_travel, fill_gaps,
    gait_events, joint_angle, lengths, log_dimensionless_jerk, mask_low_confidence, mean_squared_jerk, normalise,
    range_of_motion, velocity,
};
use recoup::features::signals::{Scratch, SignalFeature, SignalInfo};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    rate_hz: f64,
    paths: Vec<Option<f64>>,
    gaps: Vec<Option<f64>>,
    filled: Vec<Option<f64>>,
    angle: Vec<f64>,
    speed: Vec<f64>,
    mean_squared_jerk: f64,
    log_dimensionless_jerk: f64,
    normalised: Vec<Option<f64>>,
    image_range: [f64; 2],
    image: Vec<f64>,
    walk: Vec<Option<f64>>,
    strikes: [Vec<f64>; 2],
    offs: [Vec<f64>; 2],
    gait: Vec<f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../golden/motion.json")).unwrap()
}

/// `[frames, 5, 3]`.
fn paths(values: &[Option<f64>]) -> Array3<f64> {
    let values: Vec<f64> = values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
    Array3::from_shape_vec((values.len() / 15, 5, 3), values).unwrap()
}

#[track_caller]
fn assert_close<'v>(
    found: impl IntoIterator<Item = &'v f64>,
    expected: impl IntoIterator<Item = &'v f64>,
    tolerance: f64,
) {
    let (found, expected): (Vec<_>, Vec<_>) = (found.into_iter().collect(), expected.into_iter().collect());
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.into_iter().zip(expected).enumerate() {
        let equal = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
        assert!(
            equal || found.is_nan() && expected.is_nan(),
            "{index}: {found}, not {expected}"
        );
    }
}

/// Channels `NAME.x`, `NAME.y`, ... in millimetres, and the samples of each.
fn signal(names: &[&str], positions: &Array3<f64>) -> (Vec<Channel>, Vec<Vec<f64>>) {
    let mut channels = Vec::new();
    let mut samples = Vec::new();
    for (name, path) in names.iter().zip(positions.axis_iter(Axis(1))) {
        for (axis, values) in ["x", "y", "z"].iter().zip(path.columns()) {
            channels.push(Channel {
                name: format!("{name}.{axis}"),
                unit: "mm".into(),
            });
            samples.push(values.to_vec());
        }
    }
    (channels, samples)
}

fn feature(text: &str) -> MotionFeature {
    toml::from_str(text).unwrap()
}

/// Names and values of a feature of one window.
fn extract(text: &str, rate_hz: f64, channels: &[Channel], samples: &[Vec<f64>]) -> Vec<(String, f64)> {
    let info = SignalInfo {
        channels,
        rate_hz,
        num_samples: samples[0].len(),
    };
    let extractor = feature(text).extractor(channels).unwrap();
    extractor.check(&info).unwrap();
    let window: Vec<&[f64]> = samples.iter().map(Vec::as_slice).collect();
    let mut values = Vec::new();
    extractor.extract(&window, rate_hz, &mut Scratch::default(), &mut values);
    let columns = extractor.columns(&info);
    assert_eq!(columns.len(), values.len(), "{text}");
    columns.into_iter().map(|column| column.name).zip(values).collect()
}

const ANGLES: &str = "angles = [{ name = \"left-knee\", points = [\"b\", \"c\", \"d\"] }]";
const BODY: &str = "body = { root = [\"a\", \"b\"], top = [\"e\"] }";
const GAIT: &str =
    "kind = \"gait\"\npelvis = [\"e\"]\nleft_heel = \"a\"\nright_heel = \"b\"\nleft_toe = \"c\"\nright_toe = \"d\"";
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

#[test]
fn kinematics_equal_numpy() {
    let golden = golden();
    let positions = paths(&golden.paths);
    let angle = joint_angle(positions.view(), [1, 2, 3]);
    assert_close(&angle, &golden.angle, 1e-12);
    let path = positions.index_axis(Axis(1), 3);
    assert_close(&lengths(velocity(path, golden.rate_hz).view()), &golden.speed, 1e-12);
    assert_close(
        [&mean_squared_jerk(path, golden.rate_hz)],
        [&golden.mean_squared_jerk],
        1e-11,
    );
    assert_close(
        [&log_dimensionless_jerk(path, golden.rate_hz)],
        [&golden.log_dimensionless_jerk],
        1e-12,
    );
    let mut normalised = positions.clone();
    normalise(normalised.view_mut(), &[0, 1], &[4]);
    assert_close(&normalised, &paths(&golden.normalised), 1e-12);
    assert!(
        (range_of_motion(&angle) - (max(&angle) + max(&angle.iter().map(|x| -x).collect::<Vec<_>>()))).abs() < 1e-12
    );
}

fn max(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

#[test]
fn gaps_up_to_the_limit_become_lines() {
    let golden = golden();
    let mut positions = paths(&golden.gaps);
    fill_gaps(positions.view_mut(), golden.rate_hz, 0.1);
    assert_close(&positions, &paths(&golden.filled), 1e-12);
    let missing = |point: usize| positions.slice(s![.., point, 0]).iter().filter(|x| x.is_nan()).count();
    assert_eq!([0, 1, 2, 3, 4].map(missing), [0, 0, 6, 3, 0]);
    let mut positions = Array3::from_shape_fn((4, 2, 2), |(frame, _, _)| frame as f64);
    let confidence = array![[1.0, 0.29], [f64::NAN, 0.3], [0.3, 0.0], [1.0, 1.0]];
    mask_low_confidence(positions.view_mut(), confidence.view(), 0.3);
    assert_eq!(
        positions.map_axis(Axis(2), |point| point.iter().any(|x| x.is_nan())),
        confidence.map(|c| c.is_nan() || *c < 0.3)
    );
}

#[test]
fn gait_equals_scipy() {
    let golden = golden();
    let positions = paths(&golden.walk);
    // Left heel, right heel, left toe, right toe, pelvis.
    let points = GaitPoints {
        pelvis: vec![4],
        heels: [0, 1],
        toes: [2, 3],
    };
    let forward = direction_of_travel(positions.view(), &points, 2).unwrap();
    assert!(forward[0] > 0.59 && forward[1] > 0.79 && forward[2] == 0.0);
    let events = gait_events(positions.view(), golden.rate_hz, &points, &forward);
    for side in [0, 1] {
        assert_close(&events.heel_strikes[side], &golden.strikes[side], 1e-12);
        assert_close(&events.toe_offs[side], &golden.offs[side], 1e-12);
    }
    let (channels, samples) = signal(&NAMES, &positions);
    let found = extract(GAIT, golden.rate_hz, &channels, &samples);
    // Golden: stride, step and stance of both sides, cadence, speed, asymmetries.
    assert_close(found.iter().map(|(_, value)| value), &golden.gait, 1e-10);
    assert_eq!(found[0].0, "gait.left.stride-time");
    assert_eq!(found[9].0, "gait.stance.asymmetry");
}

/// A walk with strides of 1.1 s, left steps of 0.5 s, right ones of 0.6 s, stances of 60 and 64 % at 1.3 m/s.
fn planted_walk(rate_hz: f64, treadmill: bool) -> Array3<f64> {
    let (stride, frames) = (1.1, (10.0 * rate_hz) as usize);
    let mut positions = Array3::zeros((frames, 5, 3));
    for frame in 0..frames {
        let t = frame as f64 / rate_hz;
        let pelvis = if treadmill { 0.0 } else { -1300.0 * t };
        let ahead = |t0: f64| -300.0 * (TAU * (t - t0) / stride).cos();
        let (left, right) = (0.3, 0.9);
        let toe = |strike: f64, share: f64| ahead(strike + share * stride - stride / 2.0);
        for (point, offset) in [ahead(left), ahead(right), toe(left, 0.60), toe(right, 0.64), 0.0]
            .into_iter()
            .enumerate()
        {
            positions[[frame, point, 1]] = pelvis + offset;
        }
    }
    positions
}

#[test]
fn planted_steps_are_found() {
    let rate_hz = 500.0;
    let expected = [
        1.1,
        1.1,
        0.5,
        0.6,
        60.0,
        64.0,
        120.0 / 1.1,
        1300.0,
        0.2 / 1.1,
        8.0 / 124.0,
    ];
    let (channels, samples) = signal(&NAMES, &planted_walk(rate_hz, false));
    let found: Vec<f64> = extract(GAIT, rate_hz, &channels, &samples)
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    // An event is as exact as a frame: 0.002 s.
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 0.005 * expected, "{found}, not {expected}");
    }
    // On a treadmill nothing tells where "forward" is, until the experiment does.
    let (channels, samples) = signal(&NAMES, &planted_walk(rate_hz, true));
    assert!(
        extract(GAIT, rate_hz, &channels, &samples)
            .iter()
            .all(|(_, value)| value.is_nan())
    );
    let told = extract(&format!("{GAIT}\nforward = \"-y\""), rate_hz, &channels, &samples);
    for (index, (_, found)) in told.iter().enumerate().filter(|(index, _)| *index != 7) {
        assert!(
            (found - expected[index]).abs() <= 0.005 * expected[index],
            "{found}, not {}",
            expected[index]
        );
    }
    assert_eq!(told[7].1, 0.0);
}

#[test]
fn a_pendulum_swings_by_its_angle() {
    let (rate_hz, swing_deg) = (100.0, 25.0f64);
    // Hip above, knee at the origin, ankle on a circle below: the knee's angle is 180 minus the swing.
    let positions = Array3::from_shape_fn((201, 3, 3), |(frame, point, axis)| {
        let swing = swing_deg.to_radians() * (1.0 - (TAU * frame as f64 / 200.0).cos()) / 2.0;
        match (point, axis) {
            (0, 2) => 400.0,
            (2, 0) => -350.0 * swing.sin(),
            (2, 2) => -350.0 * swing.cos(),
            _ => 0.0,
        }
    });
    let (channels, samples) = signal(&["b", "c", "d"], &positions);
    let angles = extract(
        &format!("kind = \"joint-angles\"\n{ANGLES}"),
        rate_hz,
        &channels,
        &samples,
    );
    let [_, _, (_, least), (name, most)] = angles.as_slice() else {
        panic!()
    };
    assert_eq!(name, "left-knee.angle.max");
    // arccos near 180 degrees loses half of the digits.
    assert!(
        (least - 155.0).abs() < 1e-9 && (most - 180.0).abs() < 1e-5,
        "{least} {most}"
    );
    let range = extract(
        &format!("kind = \"range-of-motion\"\n{ANGLES}"),
        rate_hz,
        &channels,
        &samples,
    );
    assert!((range[0].1 - 25.0).abs() < 1e-5);
}

/// The movement of least jerk from 0 to 1: the integral of its squared jerk is 720 and its peak speed 15 / 8, whatever its
/// duration and length.
#[test]
fn jerk_of_the_smoothest_movement_is_known() {
    for (secs, way, rate_hz) in [(1.0, 1.0, 4000.0), (2.5, 300.0, 1600.0)] {
        let frames = (secs * rate_hz) as usize + 1;
        let path = Array2::from_shape_fn((frames, 2), |(frame, axis)| {
            let t = frame as f64 / (frames - 1) as f64;
            let x = t.powi(3) * (10.0 - 15.0 * t + 6.0 * t * t);
            way * x * [0.6, 0.8][axis]
        });
        let expected = -(720.0 / (15.0f64 / 8.0).powi(2)).ln();
        let found = log_dimensionless_jerk(path.view(), rate_hz);
        assert!((found - expected).abs() < 5e-3, "{found}, not {expected}");
        let expected = 720.0 * way * way / f64::powi(secs, 6);
        let found = mean_squared_jerk(path.view(), rate_hz);
        assert!((found / expected - 1.0).abs() < 5e-3, "{found}, not {expected}");
    }
    assert!(log_dimensionless_jerk(Array2::zeros((9, 2)).view(), 100.0).is_nan());
    assert!(mean_squared_jerk(Array2::zeros((3, 2)).view(), 100.0).is_nan());
}

#[test]
fn place_and_size_do_not_matter_relative_to_the_body() {
    let golden = golden();
    let positions = paths(&golden.paths);
    let moved = positions.mapv(|x| 0.37 * x) + &array![-900.0, 30.0, 5000.0];
    let texts = [
        format!("kind = \"joint-angles\"\n{ANGLES}"),
        format!("kind = \"range-of-motion\"\n{ANGLES}"),
        format!("kind = \"speed\"\npoints = [\"d\", \"e\"]\n{BODY}"),
        format!("kind = \"jerk\"\npoints = [\"d\"]\n{BODY}"),
    ];
    for text in texts {
        let values = |positions: &Array3<f64>| {
            let (channels, samples) = signal(&NAMES, positions);
            extract(&text, golden.rate_hz, &channels, &samples)
                .into_iter()
                .map(|(_, value)| value)
                .collect::<Vec<f64>>()
        };
        assert_close(&values(&moved), &values(&positions), 1e-8);
        assert!(
            values(&positions)
                .iter()
                .all(|value| value.is_finite() && *value != 0.0)
        );
    }
    // Without a body, speed is in the file's unit.
    let (channels, samples) = signal(&NAMES, &positions);
    let found = extract(
        "kind = \"speed\"\npoints = [\"d\"]",
        golden.rate_hz,
        &channels,
        &samples,
    );
    let mean = golden.speed.iter().sum::<f64>() / golden.speed.len() as f64;
    assert_close(found.iter().map(|(_, value)| value), &[mean, max(&golden.speed)], 1e-12);
}

#[test]
fn columns_have_names_and_units() {
    let (channels, _) = signal(&NAMES, &Array3::zeros((1, 5, 3)));
    let info = SignalInfo {
        channels: &channels,
        rate_hz: 100.0,
        num_samples: 1,
    };
    let columns = |text: &str| -> Vec<String> {
        let columns = feature(text).extractor(&channels).unwrap().columns(&info);
        columns
            .into_iter()
            .map(|column| format!("{} [{}]", column.name, column.unit))
            .collect()
    };
    assert_eq!(
        columns("kind = \"jerk\"\npoints = [\"d\"]"),
        ["d.jerk.mean-squared [mm^2/s^6]", "d.jerk.log-dimensionless [1]"]
    );
    assert_eq!(
        columns(&format!("kind = \"speed\"\npoints = [\"d\"]\n{BODY}")),
        ["d.speed.mean [1/s]", "d.speed.max [1/s]"]
    );
    assert_eq!(columns(GAIT)[6..8], ["gait.cadence [1/min]", "gait.speed [mm/s]"]);
}

#[test]
fn what_is_missing_too_long_makes_nan_of_what_needs_it() {
    let golden = golden();
    let (channels, samples) = signal(&NAMES, &paths(&golden.gaps));
    // Point c has a gap of 0.12 s, d misses its start; a, b and e are filled.
    let speed = |extra: &str| {
        let text = format!("kind = \"speed\"\npoints = [\"a\", \"c\", \"d\", \"e\"]\n{extra}");
        let found = extract(&text, golden.rate_hz, &channels, &samples);
        found
            .into_iter()
            .map(|(_, value)| value.is_nan())
            .collect::<Vec<bool>>()
    };
    assert_eq!(speed(""), [false, false, true, true, true, true, false, false]);
    assert_eq!(
        speed("cleaning = { max_gap_secs = 0.12 }"),
        [false, false, false, false, true, true, false, false]
    );
    let nothing: Vec<Vec<f64>> = samples.iter().map(|samples| vec![f64::NAN; samples.len()]).collect();
    for text in [
        GAIT.to_string(),
        format!("kind = \"joint-angles\"\n{ANGLES}"),
        format!("kind = \"jerk\"\npoints = [\"a\"]\n{BODY}"),
    ] {
        assert!(
            extract(&text, golden.rate_hz, &channels, &nothing)
                .iter()
                .all(|(_, value)| value.is_nan()),
            "{text}"
        );
        assert!(
            extract(&text, golden.rate_hz, &channels, &vec![Vec::new(); 15])
                .iter()
                .all(|(_, v)| v.is_nan()),
            "{text}"
        );
    }
    // A doubtful frame is as good as none.
    let mut channels = channels;
    let mut samples = samples;
    channels.push(Channel {
        name: "a.confidence".into(),
        unit: "1".into(),
    });
    samples.push(
        (0..samples[0].len())
            .map(|frame| if (30..40).contains(&frame) { 0.2 } else { 1.0 })
            .collect(),
    );
    let text = "kind = \"speed\"\npoints = [\"a\"]";
    assert!(extract(text, golden.rate_hz, &channels, &samples)[0].1.is_nan());
    let text = "kind = \"speed\"\npoints = [\"a\"]\ncleaning = { min_confidence = 0.1 }";
    assert!(extract(text, golden.rate_hz, &channels, &samples)[0].1.is_finite());
}

#[test]
fn wrong_configurations_are_told() {
    let (channels, _) = signal(&["a", "b"], &Array3::zeros((1, 2, 3)));
    let problem = |text: &str| feature(text).extractor(&channels).unwrap_err();
    let told = |key: &str, expected: &str| Problem::new(key, expected);
    assert_eq!(
        problem("kind = \"speed\"\npoints = [\"hip\"]"),
        told("hip", "a point with channels `.x` and `.y`, such as a, b")
    );
    assert_eq!(
        problem("kind = \"speed\"\npoints = []"),
        told("points", "at least one entry, and points in each list")
    );
    assert_eq!(
        problem("kind = \"speed\"\npoints = [\"a\"]\ncleaning = { max_gap_secs = -1.0 }"),
        told("cleaning.max_gap_secs", "a number that is not negative")
    );
    let mut flat = channels.clone();
    flat.pop();
    let error = feature("kind = \"speed\"\npoints = [\"a\", \"b\"]")
        .extractor(&flat)
        .unwrap_err();
    assert_eq!(error, told("b", "3 coordinates, as the other points have"));
    for text in [
        "kind = \"jerk\"\npoints = [\"a\"]\nspeed = 1",
        "kind = \"gait\"",
        "kind = \"jerk\"\npoints = [\"a\"]\ncleaning = { gap = 1 }",
    ] {
        assert!(toml::from_str::<MotionFeature>(text).is_err(), "{text}");
    }
    let extractor: MotionExtractor = feature("kind = \"speed\"\npoints = [\"a\"]")
        .extractor(&channels)
        .unwrap();
    let other: Vec<Channel> = channels.iter().rev().cloned().collect();
    assert!(
        extractor
            .check(&SignalInfo {
                channels: &other,
                rate_hz: 1.0,
                num_samples: 9
            })
            .is_err()
    );
    let text = toml::to_string(&feature(&format!("{GAIT}\nforward = \"-y\""))).unwrap();
    assert_eq!(feature(&text), feature(&format!("{GAIT}\nforward = \"-y\"")));
}

#[test]
fn the_motion_image_equals_pillow() {
    let golden = golden();
    let (channels, samples) = signal(&NAMES, &paths(&golden.paths));
    let text = format!(
        "points = [\"a\", \"b\", \"c\", \"d\", \"e\"]\n{BODY}\nheight = 7\nwidth = 32\nrange = {:?}",
        golden.image_range
    );
    let config: MotionImage = toml::from_str(&text).unwrap();
    let joints: Joints = config.find(&channels).unwrap();
    let window: Vec<&[f64]> = samples.iter().map(Vec::as_slice).collect();
    let image = config.draw(&joints, &window, golden.rate_hz);
    assert_eq!(image.planes, ["x", "y", "z"]);
    assert_eq!(image.values.dim(), (1, 3, 7, 32));
    assert_close(
        &image.values.iter().map(|&value| value.into()).collect::<Vec<f64>>(),
        &golden.image,
        1e-6,
    );
    assert!(golden.image.contains(&0.0) && golden.image.iter().all(|value| (0.0..=1.0).contains(value)));
    assert_eq!(
        config.cleaning,
        Cleaning {
            min_confidence: 0.3,
            max_gap_secs: 0.1
        }
    );
    let wrong = MotionImage {
        range: [1.0, 1.0],
        ..config
    };
    assert_eq!(wrong.find(&channels).unwrap_err().key, "range");
}
