//! The C3D reader against ezc3d, its six encodings against each other, its own writer, and broken bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::Array3;
use recoup_formats::c3d::{read, write_c3d};
use recoup_formats::{Contents, Part, Points, SignalChannel};
use serde::Deserialize;

use crate::mutate::survives;

#[derive(Deserialize)]
struct Golden {
    fixtures: BTreeMap<String, Full>,
    samples: BTreeMap<String, Short>,
}

#[derive(Deserialize)]
struct Head {
    rate_hz: f64,
    analog_hz: f64,
    points: Vec<String>,
    channels: Vec<String>,
    units: Vec<String>,
    frames: usize,
}

#[derive(Deserialize)]
struct Full {
    #[serde(flatten)]
    head: Head,
    positions: Vec<Option<f64>>,
    analog: Vec<Option<f64>>,
    plates: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct Short {
    #[serde(flatten)]
    head: Head,
    positions: Vec<Sums>,
    analog: Vec<Sums>,
    plates: Vec<Sums>,
}

#[derive(Deserialize)]
struct Sums {
    num_missing: usize,
    sum: f64,
    absolute: f64,
    some: Vec<Option<f64>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/c3d.json")).unwrap()
}

/// A folder of the real data, or `None` (with a word) where there is none.
pub(super) fn real_data(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("RECOUP_TEST_DATA").map(|folder| PathBuf::from(folder).join(name));
    if folder.is_none() {
        eprintln!("skipped: RECOUP_TEST_DATA is not set, {name} was not read");
    }
    folder
}

macro_rules! fixtures {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("../fixtures/data/motion/", $name)).as_slice())),*]
    };
}
pub(super) use fixtures;

fn fixture(name: &str) -> Vec<u8> {
    let files = fixtures![
        "written.c3d",
        "eb015pi.c3d",
        "eb015pr.c3d",
        "eb015si.c3d",
        "eb015sr.c3d",
        "eb015vi.c3d",
        "eb015vr.c3d",
        "plates.c3d",
        "many.c3d",
        "unsigned.c3d",
    ];
    files.iter().find(|(known, _)| *known == name).unwrap().1.to_vec()
}

fn read_fixture(name: &str) -> Contents {
    read(&fixture(name), Path::new(name)).unwrap()
}

fn points(contents: &Contents) -> &Points {
    contents
        .parts
        .iter()
        .find_map(|part| {
            if let Part::Points(points) = part {
                Some(points)
            } else {
                None
            }
        })
        .unwrap()
}

/// Analog channels, and those of the force plates.
fn signals(contents: &Contents) -> [&[SignalChannel]; 2] {
    let mut signals = contents.parts.iter().filter_map(|part| match part {
        Part::Signals(channels) => Some(channels.as_slice()),
        _ => None,
    });
    [signals.next().unwrap_or_default(), signals.next().unwrap_or_default()]
}

fn assert_head(name: &str, contents: &Contents, golden: &Head) {
    let points = points(contents);
    assert_eq!(points.rate_hz, Some(golden.rate_hz), "{name}");
    assert_eq!(points.names, golden.points, "{name}");
    assert_eq!(
        points.positions.dim(),
        (golden.frames, golden.points.len(), 3),
        "{name}"
    );
    let [analog, _] = signals(contents);
    assert_eq!(
        analog.iter().map(|channel| &channel.name).collect::<Vec<_>>(),
        golden.channels.iter().collect::<Vec<_>>()
    );
    assert_eq!(
        analog.iter().map(|channel| &channel.unit).collect::<Vec<_>>(),
        golden.units.iter().collect::<Vec<_>>()
    );
    assert!(
        analog.iter().all(|channel| channel.rate_hz == golden.analog_hz),
        "{name}"
    );
}

/// Equal to one part in a million of `scale`.
fn assert_close(what: &str, found: f32, expected: Option<f64>, scale: f64) {
    let found = f64::from(found);
    match expected {
        None => assert!(found.is_nan(), "{what}: {found}"),
        Some(expected) => assert!(
            (found - expected).abs() <= 1e-6 * scale,
            "{what}: {found}, not {expected}"
        ),
    }
}

fn assert_values<'v>(what: &str, found: impl IntoIterator<Item = &'v f32>, expected: &[Option<f64>]) {
    let found: Vec<f32> = found.into_iter().copied().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.into_iter().zip(expected) {
        assert_close(what, found, *expected, expected.unwrap_or(0.0).abs().max(1.0));
    }
}

#[test]
fn fixtures_read_as_ezc3d_reads_them() {
    let golden = golden();
    assert_eq!(golden.fixtures.len(), 4);
    for (name, expected) in &golden.fixtures {
        let contents = read_fixture(&format!("{name}.c3d"));
        assert_head(name, &contents, &expected.head);
        assert_values(name, &points(&contents).positions, &expected.positions);
        let [analog, plates] = signals(&contents);
        assert_values(
            name,
            analog.iter().flat_map(|channel| &channel.values),
            &expected.analog,
        );
        assert_values(
            name,
            plates.iter().flat_map(|channel| &channel.values),
            &expected.plates,
        );
        assert!(contents.warnings.is_empty(), "{name}: {:?}", contents.warnings);
    }
    assert!(golden.fixtures["eb015pr"].positions.contains(&None));
    assert!(
        golden.fixtures["plates"].plates.contains(&None),
        "a vertical force of zero has no centre"
    );
    assert_eq!(golden.fixtures["plates"].plates.len(), 3 * 9 * 12);
}

#[test]
fn six_encodings_hold_the_same_trial() {
    let expected = read_fixture("eb015pr.c3d");
    for (name, format) in [
        ("eb015pi", "C3D, PC, integer"),
        ("eb015si", "C3D, SGI, integer"),
        ("eb015vi", "C3D, DEC, integer"),
        ("eb015sr", "C3D, SGI, real"),
        ("eb015vr", "C3D, DEC, real"),
    ] {
        let contents = read_fixture(&format!("{name}.c3d"));
        assert_eq!(contents.format, format);
        let (found, expected_points) = (points(&contents), points(&expected));
        assert_eq!(found.names, expected_points.names);
        for (found, expected) in found.positions.iter().zip(&expected_points.positions) {
            let expected = (!expected.is_nan()).then_some(f64::from(*expected));
            assert_close(name, *found, expected, expected.unwrap_or(0.0).abs());
        }
        assert_eq!(signals(&contents), signals(&expected), "{name}");
        assert_eq!(contents.annotations, expected.annotations, "{name}");
    }
}

#[test]
fn unsigned_words_give_the_values_of_signed_ones() {
    assert_eq!(
        signals(&read_fixture("unsigned.c3d")),
        signals(&read_fixture("eb015pi.c3d"))
    );
}

#[test]
fn events_and_parameters_are_told() {
    let told = |name: &str| -> Vec<(f64, String)> {
        let rounded = |seconds: f64| (seconds * 1e6).round() / 1e6;
        read_fixture(name)
            .annotations
            .into_iter()
            .map(|event| (rounded(event.onset_secs), event.text))
            .collect()
    };
    let expected = [
        (0.015, "Left Foot Off"),
        (0.045, "Right Foot Strike"),
        (62.5, "General Event"),
    ];
    assert_eq!(
        told("plates.c3d"),
        expected.map(|(time, text)| (time, text.to_string()))
    );
    let expected = [(2.72, "RIC"), (5.4, "RHS"), (7.32, "RTO")];
    assert_eq!(
        told("eb015vr.c3d"),
        expected.map(|(time, text)| (time, text.to_string()))
    );
    let facts = read_fixture("eb015vr.c3d").facts;
    let fact = |name: &str| facts.iter().find(|(key, _)| key == name).unwrap().1.as_str();
    assert_eq!(fact("ANALOG:GEN_SCALE"), "0.5");
    assert_eq!(fact("POINT:RATE"), "50");
    assert!(fact("ANALOG:LABELS").starts_with("FX1, FY1, FZ1, MX1,"));
    assert!(fact("ANALOG:LABELS").ends_with("... (32 values)"));
}

/// About the middle of the surface, the force at its centre of pressure leaves only a moment across the surface.
#[test]
fn the_centre_of_pressure_carries_the_moment() {
    let cross = |a: [f64; 3], b: [f64; 3]| {
        [
            a[1] * b[2] - a[2] * b[1],
            a[2] * b[0] - a[0] * b[2],
            a[0] * b[1] - a[1] * b[0],
        ]
    };
    let minus = |a: [f64; 3], b: [f64; 3]| [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    let norm = |a: [f64; 3]| a.iter().map(|x| x * x).sum::<f64>().sqrt();
    let contents = read_fixture("plates.c3d");
    let [_, plates] = signals(&contents);
    assert_eq!(plates.len(), 27);
    assert_eq!(
        (plates[0].name.as_str(), plates[26].name.as_str()),
        ("plate1.Fx", "plate3.COPz")
    );
    assert_eq!([0, 3, 6].map(|index| plates[index].unit.as_str()), ["N", "Nmm", "mm"]);
    assert!(plates.iter().all(|channel| channel.rate_hz == 200.0));
    // From make_motion.py: the middle of the corners and what is upright on both axes.
    let normals = [
        cross([400.0, 0.0, -2.0], [0.0, 600.0, 1.0]),
        cross([0.0, 400.0, -2.0], [-600.0, 0.0, 1.0]),
    ];
    let middles = [[200.0, 300.0, 0.5], [600.0, 300.0, 5.5], [1200.0, 300.0, 0.5]];
    for (number, plate) in plates.chunks(9).enumerate() {
        for sample in (0..12).filter(|&sample| plate[2].values[sample].abs() > 10.0) {
            let vector = |first: usize| std::array::from_fn(|axis| f64::from(plate[first + axis].values[sample]));
            let (force, moment): ([f64; 3], [f64; 3]) = (vector(0), vector(3));
            let free = minus(moment, cross(minus(vector(6), middles[number]), force));
            let across = cross(free, normals[number % 2]);
            assert!(
                norm(across) < 1e-5 * norm(moment) * norm(normals[0]),
                "plate {number}, sample {sample}"
            );
        }
    }
}

#[test]
fn samples_read_as_ezc3d_reads_them() {
    let Some(folder) = real_data("c3d/Samples_C3D") else {
        return;
    };
    let golden = golden();
    assert_eq!(golden.samples.len(), 22);
    for (name, expected) in &golden.samples {
        let contents = read(&fs::read(folder.join(name)).unwrap(), Path::new(name)).unwrap();
        assert_head(name, &contents, &expected.head);
        let positions = &points(&contents).positions;
        let axes = (0..3).map(|axis| {
            positions
                .index_axis(ndarray::Axis(2), axis)
                .iter()
                .copied()
                .collect::<Vec<f32>>()
        });
        let [analog, plates] = signals(&contents).map(|channels| channels.iter().map(|channel| channel.values.clone()));
        let groups = [
            (axes.collect::<Vec<_>>(), &expected.positions),
            (analog.collect(), &expected.analog),
        ];
        for (found, expected) in groups.into_iter().chain([(plates.collect(), &expected.plates)]) {
            assert_eq!(found.len(), expected.len(), "{name}");
            for (values, expected) in found.iter().zip(expected) {
                assert_sums(name, values, expected);
            }
        }
        feet_stand_where_the_force_is(name, &contents);
    }
}

fn assert_sums(name: &str, values: &[f32], expected: &Sums) {
    assert_eq!(
        values.iter().filter(|value| value.is_nan()).count(),
        expected.num_missing,
        "{name}"
    );
    let seen = || {
        values
            .iter()
            .filter(|value| !value.is_nan())
            .map(|&value| f64::from(value))
    };
    let largest = seen().fold(1.0, |most: f64, value| most.max(value.abs()));
    assert!(
        (seen().sum::<f64>() - expected.sum).abs() <= 1e-6 * expected.absolute,
        "{name}"
    );
    assert!(
        (seen().map(f64::abs).sum::<f64>() - expected.absolute).abs() <= 1e-6 * expected.absolute,
        "{name}"
    );
    for (found, expected) in values.iter().step_by((values.len() / 3).max(1)).zip(&expected.some) {
        assert_close(name, *found, *expected, largest);
    }
}

/// Under the full weight of a step, the centre of pressure lies in the plate and a marker of a foot is near.
fn feet_stand_where_the_force_is(name: &str, contents: &Contents) {
    if !name.starts_with("Sample26/Walking") {
        return;
    }
    let points = points(contents);
    let [_, plates] = signals(contents);
    for plate in plates.chunks(9) {
        let weights = &plate[2].values;
        let frame = (0..weights.len())
            .max_by(|&a, &b| weights[a].abs().total_cmp(&weights[b].abs()))
            .unwrap();
        let [x, y] = [6, 7].map(|index| plate[index].values[frame]);
        let distance = |point: usize| {
            let position = |axis| points.positions[[frame, point, axis]];
            if position(2) < 120.0 {
                (position(0) - x).hypot(position(1) - y)
            } else {
                f32::INFINITY
            }
        };
        let nearest = (0..points.names.len()).map(distance).fold(f32::INFINITY, f32::min);
        assert!(
            nearest < 100.0,
            "{name}: the nearest foot marker is {nearest} mm from the force"
        );
    }
}

fn simulated(num_points: usize, num_frames: usize) -> (Points, Vec<SignalChannel>) {
    let value = |index: usize| ((index * 2_654_435_761) % 1_000_003) as f32 * 0.001 - 470.123;
    let mut positions = Array3::from_shape_fn((num_frames, num_points, 3), |(f, p, d)| value(f * 31 + p * 7 + d));
    positions.slice_mut(ndarray::s![1, 0, ..]).fill(f32::NAN);
    let names = (0..num_points).map(|point| format!("marker {point}")).collect();
    let points = Points {
        unit: "mm".into(),
        rate_hz: Some(100.0),
        names,
        positions,
        confidence: None,
    };
    let channel = |index: usize| SignalChannel {
        name: format!("emg{index}"),
        unit: "mV".into(),
        rate_hz: 400.0,
        values: (0..4 * num_frames)
            .map(|sample| value(sample + 1000 * index) * 1e-3)
            .collect(),
    };
    (points, (0..2).map(channel).collect())
}

#[test]
fn what_was_written_is_read_back_to_the_last_bit() {
    for (num_points, num_frames) in [(3, 5), (300, 2), (0, 4), (1, 65_535), (1, 70_000)] {
        let (points, channels) = simulated(num_points.max(1), num_frames);
        let points = if num_points == 0 {
            Points {
                names: Vec::new(),
                positions: Array3::zeros((num_frames, 0, 3)),
                ..points
            }
        } else {
            points
        };
        let bytes = write_c3d(&points, &channels, Path::new("out.c3d")).unwrap();
        let contents = read(&bytes, Path::new("out.c3d")).unwrap();
        assert_eq!(contents.format, "C3D, PC, real");
        assert_eq!(signals(&contents)[0], channels);
        if num_points == 0 {
            assert_eq!(contents.parts.len(), 1);
            continue;
        }
        let found = self::points(&contents);
        assert_eq!(
            (&found.names, found.rate_hz, &found.unit),
            (&points.names, points.rate_hz, &points.unit)
        );
        let bits = |positions: &Array3<f32>| positions.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found.positions), bits(&points.positions));
        assert!(contents.warnings.is_empty(), "{:?}", contents.warnings);
    }
}

/// The fixture was written here, and ezc3d's reading of it stands in the golden file.
#[test]
fn ezc3d_opens_what_is_written() {
    let (points, channels) = simulated(3, 5);
    assert_eq!(
        write_c3d(&points, &channels, Path::new("written.c3d")).unwrap(),
        fixture("written.c3d")
    );
}

#[test]
fn what_cannot_be_written_is_refused() {
    let (points, mut channels) = simulated(2, 5);
    channels[1].values.pop();
    let error = write_c3d(&points, &channels, Path::new("out.c3d"))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "out.c3d: signal `emg1`: found 19 samples at 400 Hz for 5 frames at 100 Hz, expected the same whole number of samples \
         per frame in all signals\nhint: resample the signal first"
    );
    let points = Points {
        rate_hz: None,
        ..points
    };
    let error = write_c3d(&points, &[], Path::new("out.c3d")).unwrap_err().to_string();
    assert!(
        error.starts_with("out.c3d: points: found 5 frames in 3 dimensions at None Hz"),
        "{error}"
    );
}

#[test]
fn damage_is_told_by_its_place() {
    let message = |bytes: &[u8]| {
        read(bytes, Path::new("a.c3d"))
            .unwrap_err()
            .to_string()
            .lines()
            .next()
            .unwrap()
            .to_string()
    };
    let bytes = fixture("eb015pr.c3d");
    let change = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        bytes
    };
    let start = "a.c3d: header: found 10752 bytes that begin with [02, 51], expected 512 bytes";
    assert!(message(&change(1, 0x51)).starts_with(start));
    assert_eq!(
        message(&change(515, 83)),
        "a.c3d: processor of the parameters (byte 515): found 83, expected 84 (PC), 85 (DEC) or 86 (SGI)"
    );
    assert_eq!(
        message(&bytes[..bytes.len() - 512]),
        "a.c3d: frames: found 5120 bytes of frames, expected 8 frames of 672 bytes, at least one"
    );
    // The distance of the first record.
    let at = 516 + 2 + usize::from((bytes[516] as i8).unsigned_abs());
    let cut = message(&change(at + 1, 0x7f));
    assert!(cut.starts_with("a.c3d: byte 516: found a record of 32"), "{cut}");
    assert!(
        cut.ends_with("are left, expected records inside the parameter section"),
        "{cut}"
    );
    assert!(message(b"").starts_with("a.c3d: header: found 0 bytes"));
}

#[test]
fn broken_files_give_a_value_or_an_error() {
    let (points, channels) = simulated(3, 5);
    let written = write_c3d(&points, &channels, Path::new("w")).unwrap();
    let sample = |name: &'static str, header| (name, fixture(name), header);
    let samples = [
        ("w", written, 1536),
        sample("plates.c3d", 3000),
        sample("eb015pi.c3d", 5120),
        sample("eb015sr.c3d", 5120),
        sample("eb015vr.c3d", 5120),
    ];
    survives(&samples, 100_000, &[], |name, bytes| {
        match read(bytes, Path::new(name)) {
            Ok(contents) => {
                let finite = |value: &f32| !value.is_infinite();
                for part in &contents.parts {
                    match part {
                        Part::Points(points) => assert!(points.positions.iter().all(finite)),
                        Part::Signals(channels) => assert!(channels.iter().flat_map(|c| &c.values).all(finite)),
                        _ => panic!("{name}: C3D holds nothing else"),
                    }
                }
                true
            }
            Err(error) => {
                assert!(error.io_kind().is_none() && error.to_string().starts_with(name));
                false
            }
        }
    });
}
