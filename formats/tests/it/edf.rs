//! EDF and BDF against pyedflib, the writer against both, and broken bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use recoup_formats::edf::{EdfRecording, EdfSignal, read, write_edf};
use recoup_formats::{Annotation, Contents, Part, SignalChannel, Warning, WarningCode};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::mutate;

#[derive(Deserialize)]
struct Golden {
    fixtures: BTreeMap<String, Reading>,
    samples: BTreeMap<String, Reading>,
}

#[derive(Deserialize)]
struct Reading {
    signals: Vec<Signal>,
    num_annotations: Option<usize>,
    #[serde(default)]
    annotations: Vec<(f64, Option<f64>, String)>,
    start: Option<String>,
    record_secs: Option<f64>,
}

#[derive(Deserialize)]
struct Signal {
    name: String,
    unit: String,
    rate_hz: f64,
    num_samples: usize,
    first: Vec<f64>,
    sha256: String,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/data/edf")
        .join(name)
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/edf_readings.json")).unwrap()
}

fn read_file(path: &Path) -> Contents {
    read(&fs::read(path).unwrap(), path).unwrap()
}

fn signals(contents: &Contents) -> &[SignalChannel] {
    match contents.parts.as_slice() {
        [Part::Signals(signals)] => signals,
        other => panic!("{other:?}"),
    }
}

fn fact<'c>(contents: &'c Contents, name: &str) -> &'c str {
    contents
        .facts
        .iter()
        .find(|fact| fact.0 == name)
        .map_or("", |fact| &fact.1)
}

/// The bits of all values: pyedflib's f64, rounded once to f32.
fn assert_equal(name: &str, contents: &Contents, golden: &Reading) {
    let signals = signals(contents);
    assert_eq!(signals.len(), golden.signals.len(), "{name}");
    for (signal, golden) in signals.iter().zip(&golden.signals) {
        let values: Vec<f32> = signal.values.iter().copied().filter(|value| !value.is_nan()).collect();
        assert_eq!((&signal.name, &signal.unit), (&golden.name, &golden.unit), "{name}");
        assert_eq!(
            (signal.rate_hz, values.len()),
            (golden.rate_hz, golden.num_samples),
            "{name}"
        );
        let first: Vec<f32> = golden.first.iter().map(|&value| value as f32).collect();
        assert_eq!(values[..first.len()], first, "{name}, {}", signal.name);
        let hash = Sha256::digest(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, golden.sha256, "{name}, {}", signal.name);
    }
    let Some(num_annotations) = golden.num_annotations else {
        return;
    };
    assert_eq!(contents.annotations.len(), num_annotations, "{name}");
    let half = golden.annotations.len() / 2;
    let (first, last) = golden.annotations.split_at(half);
    let found = contents
        .annotations
        .iter()
        .take(first.len())
        .chain(&contents.annotations[num_annotations - last.len()..]);
    for (found, (onset, duration, text)) in found.zip(&golden.annotations) {
        // EDFlib counts in steps of 100 ns.
        assert!(
            (found.onset_secs - onset).abs() < 1e-7,
            "{name}: {found:?}, not {onset}"
        );
        assert_eq!((found.duration_secs, &found.text), (*duration, text), "{name}");
    }
    // To the second: pyedflib 0.1.42 tells 0.039453 s for a first record at +0.3945310.
    assert_eq!(
        fact(contents, "start")[..19],
        golden.start.as_deref().unwrap()[..19],
        "{name}"
    );
    assert_eq!(
        fact(contents, "record_secs").parse::<f64>().ok(),
        golden.record_secs,
        "{name}"
    );
}

#[test]
fn fixtures_read_as_pyedflib_reads_them() {
    let golden = golden();
    assert_eq!(golden.fixtures.len(), 8);
    for (name, expected) in &golden.fixtures {
        assert_equal(name, &read_file(&fixture(name)), expected);
    }
}

#[test]
fn samples_read_as_pyedflib_reads_them() {
    let Some(folder) = std::env::var_os("RECOUP_TEST_DATA") else {
        return println!("skipped: RECOUP_TEST_DATA is not set");
    };
    let golden = golden();
    assert!(golden.samples.len() >= 9);
    for (name, expected) in &golden.samples {
        let contents = read_file(&Path::new(&folder).join(name));
        assert_equal(name, &contents, expected);
        assert!(contents.warnings.is_empty(), "{name}: {:?}", contents.warnings);
    }
}

#[test]
fn channels_of_different_rates_span_equal_time() {
    for name in ["plus.edf", "plus.bdf", "plain.edf", "gaps.edf"] {
        let contents = read_file(&fixture(name));
        // Four records of 2 s and a pause of 3.4 s, which is a whole number of samples for one of the channels only.
        let (secs, samples) = if name == "gaps.edf" { (11.4, 0.5) } else { (4.0, 0.0) };
        assert!(signals(&contents).len() > 1);
        for signal in signals(&contents) {
            let error = signal.values.len() as f64 - secs * signal.rate_hz;
            assert!(
                error.abs() <= samples + 1e-9,
                "{name}, {}: {error} samples",
                signal.name
            );
        }
    }
}

#[test]
fn formats_and_warnings_are_told() {
    let expected = [
        ("plus.edf", "EDF+C"),
        ("plain.edf", "EDF"),
        ("plus.bdf", "BDF+C"),
        ("status.bdf", "BDF"),
        ("gaps.edf", "EDF+D"),
    ];
    for (name, format) in expected {
        assert_eq!(read_file(&fixture(name)).format, format);
    }
    let odd = read_file(&fixture("odd.edf"));
    assert_eq!(odd.warnings.len(), 2, "{:?}", odd.warnings);
    assert!(
        odd.warnings[0]
            .text
            .starts_with("signal `same limits` stays digital: its physical range is 0 to 0")
    );
    let status = read_file(&fixture("status.bdf"));
    assert_eq!(
        (signals(&status)[1].name.as_str(), signals(&status)[1].values[16]),
        ("Status", -8_257_536.0)
    );
}

/// The pause is NaN in both rates, from 4 s to 7.4 s; the clock starts at the first record, 0.125 s after the header's.
#[test]
fn pauses_are_missing_samples_on_one_clock() {
    let contents = read_file(&fixture("gaps.edf"));
    let signals = signals(&contents);
    for (signal, missing) in [(&signals[0], 40..74), (&signals[1], 8..15)] {
        let found: Vec<usize> = (0..signal.values.len())
            .filter(|&index| signal.values[index].is_nan())
            .collect();
        assert_eq!(found, missing.collect::<Vec<_>>(), "{}", signal.name);
    }
    // The ramps go on after the pause where they stopped.
    assert_eq!([signals[0].values[39], signals[0].values[74]], [3.9, 4.0]);
    let times: Vec<(f64, &str)> = contents
        .annotations
        .iter()
        .map(|mark| (mark.onset_secs, mark.text.as_str()))
        .collect();
    assert_eq!(times, [(2.375, "one"), (2.375, "two"), (7.475, "after the pause")]);
    assert_eq!(
        contents.warnings,
        [Warning::new(
            WarningCode::Gap,
            "no data for 3.400000 s at 4.000000 s, before record 3"
        )]
    );
    assert_eq!(fact(&contents, "start"), "2011-04-04T12:57:02.125");
}

fn edited(name: &str, from: &str, to: &str) -> Result<Contents, String> {
    let mut bytes = fs::read(fixture(name)).unwrap();
    assert_eq!(from.len(), to.len());
    let at = bytes
        .windows(from.len())
        .position(|window| window == from.as_bytes())
        .unwrap();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    read(&bytes, Path::new("a.edf")).map_err(|error| error.to_string())
}

#[test]
fn a_pause_of_years_and_records_out_of_order_are_errors() {
    let error = edited("gaps.edf", "+9.525\x14\x14\0\0\0\0", "+3e8\x14\x14\0\0\0\0\0\0").unwrap_err();
    assert!(
        error.contains("300000003 s of pauses") || error.contains("s of pauses, expected at most"),
        "{error}"
    );
    let error = edited("gaps.edf", "+7.525", "+2.525").unwrap_err();
    assert!(
        error.starts_with("a.edf: record 3: found 2.525000 s, expected 4.125000 s, the end of the record before"),
        "{error}"
    );
    let error = edited("gaps.edf", "+7.525", "no  ti").unwrap_err();
    assert!(
        error.starts_with("a.edf: record 3: found no time, expected the time of the record"),
        "{error}"
    );
}

#[test]
fn cut_off_and_unclosed_files_give_their_whole_records() {
    let bytes = fs::read(fixture("plus.edf")).unwrap();
    let whole = read_file(&fixture("plus.edf"));
    let cut = read(&bytes[..bytes.len() - 1], Path::new("a.edf")).unwrap();
    assert_eq!(signals(&cut)[0].values, signals(&whole)[0].values[..300]);
    assert!(
        cut.warnings[0]
            .text
            .starts_with("the file is cut off: 3 whole records of the 4"),
        "{:?}",
        cut.warnings
    );
    let number = |text: &str| edited("plus.edf", "4       1       4   ", &format!("{text:8}1       4   ")).unwrap();
    let running = number("-1");
    assert_eq!(signals(&running), signals(&whole));
    assert!(
        running.warnings[0]
            .text
            .contains("the recording was not closed; 4 read"),
        "{:?}",
        running.warnings
    );
    let lying = number("99999999");
    assert_eq!(signals(&lying), signals(&whole));
    assert!(
        lying.warnings[0]
            .text
            .starts_with("the file is cut off: 4 whole records of the 99999999")
    );
    assert_eq!(signals(&number("2"))[0].values, signals(&whole)[0].values[..200]);
}

#[test]
fn errors_name_the_place() {
    let error =
        |name: &str, from: &str, to: &str| edited(name, from, to).unwrap_err().lines().next().unwrap().to_string();
    assert_eq!(
        error("plain.edf", "0       ", "1       "),
        "a.edf: byte 0 (version): found \"1       \", expected `0` and seven blanks (EDF) or byte 255 and `BIOSEMI` (BDF)"
    );
    assert_eq!(
        error("plain.edf", "768     ", "512     "),
        "a.edf: byte 184 (bytes of the header): found 512, expected 768 for 2 signals"
    );
    assert_eq!(
        error("odd.edf", "-2048   ", "low     "),
        "a.edf: byte 736 (signal 1: digital minimum): found `low`, expected a number"
    );
    let bytes = fs::read(fixture("plain.edf")).unwrap();
    let message = read(&bytes[..700], Path::new("a.edf")).unwrap_err().to_string();
    assert!(
        message.starts_with("a.edf: header: found 700 bytes, expected a whole header"),
        "{message}"
    );
}

// ---- the writer

fn recording() -> EdfRecording {
    let wave = |rate: f64, count: usize| {
        (0..count)
            .map(|i| (i as f64 / rate * 7.0).sin() as f32 * 0.87)
            .collect::<Vec<_>>()
    };
    let mark = |onset_secs, duration_secs, text: &str| Annotation {
        onset_secs,
        duration_secs,
        text: text.into(),
    };
    EdfRecording {
        subject: "sim 001".into(),
        start: chrono::NaiveDate::from_ymd_opt(2031, 5, 17).and_then(|date| date.and_hms_opt(23, 59, 58)),
        signals: vec![
            EdfSignal::from_physical("force", "N", 62.5, &wave(62.5, 250)).unwrap(),
            EdfSignal {
                digital: vec![i16::MIN, -1, 0, i16::MAX],
                ..EdfSignal::from_physical("step", "1", 1.0, &[2.0]).unwrap()
            },
        ],
        annotations: vec![
            mark(0.0, None, "start"),
            mark(1.5, Some(0.25), "Schritt über"),
            mark(3.75, Some(2.0), "end"),
        ],
    }
}

/// `written.edf` is in the golden file as well: pyedflib opens it and reads the same.
#[test]
fn what_is_written_is_read_back_exactly() {
    let recording = recording();
    let bytes = write_edf(&recording, Path::new("a.edf")).unwrap();
    if fs::read(fixture("written.edf")).ok().as_ref() != Some(&bytes) {
        let new = std::env::temp_dir().join("written.edf");
        fs::write(&new, &bytes).unwrap();
        panic!("not the bytes of the fixture; the new ones are in {}", new.display());
    }
    let contents = read(&bytes, Path::new("a.edf")).unwrap();
    assert_eq!(contents.format, "EDF+C");
    assert_eq!(contents.annotations, recording.annotations);
    assert!(contents.warnings.is_empty());
    assert_eq!(fact(&contents, "start"), "2031-05-17T23:59:58");
    assert_eq!(fact(&contents, "patient"), "sim_001 X X X");
    for (read, written) in signals(&contents).iter().zip(&recording.signals) {
        assert_eq!(
            (&read.name, read.rate_hz, read.values.len()),
            (&written.name, written.rate_hz, written.digital.len())
        );
        let [low, high] = written.physical_range;
        let step = (high - low) / 65535.0;
        let digital = read
            .values
            .iter()
            .map(|&value| ((f64::from(value) - low) / step - 32768.0).round() as i16);
        assert_eq!(digital.collect::<Vec<_>>(), written.digital);
    }
    // From physical values: half a step of a range of three digits.
    assert_eq!(recording.signals[0].physical_range, [-0.87, 0.87]);
    let wave = (0..250).map(|i| (f64::from(i) / 62.5 * 7.0).sin() as f32 * 0.87);
    assert!(
        signals(&contents)[0]
            .values
            .iter()
            .zip(wave)
            .all(|(read, wave)| (read - wave).abs() < 0.87 / 65535.0 * 1.001)
    );
}

#[test]
fn the_writer_divides_any_duration_and_refuses_what_edf_cannot_hold() {
    for (rate_hz, count) in [
        (250.0, 101),
        (1000.0, 60_001),
        (128.0, 48),
        (31.25, 125),
        (100.0, 90_000),
    ] {
        let values: Vec<f32> = (0..count).map(|i| i as f32).collect();
        let signals = vec![EdfSignal::from_physical("x", "1", rate_hz, &values).unwrap()];
        let bytes = write_edf(
            &EdfRecording {
                signals,
                ..EdfRecording::default()
            },
            Path::new("a.edf"),
        )
        .unwrap();
        let contents = read(&bytes, Path::new("a.edf")).unwrap();
        let [Part::Signals(read)] = contents.parts.as_slice() else {
            panic!()
        };
        assert_eq!(read[0].values.len(), count, "{rate_hz} Hz");
        assert!((read[0].rate_hz - rate_hz).abs() < 1e-9 * rate_hz);
    }
    let refused = |change: &dyn Fn(&mut EdfRecording)| {
        let mut recording = recording();
        change(&mut recording);
        let message = write_edf(&recording, Path::new("a.edf")).unwrap_err().to_string();
        message.lines().next().unwrap().to_string()
    };
    assert_eq!(
        refused(&|r| r.signals[0].name = "a name too long for it".into()),
        "a.edf: name: found \"a name too long for it\", expected at most 16 characters of ASCII"
    );
    assert_eq!(
        refused(&|r| r.signals[1].digital.push(0)),
        "a.edf: signal `step`: found 5 s, expected 4 s, as the first signal, and more than 0"
    );
    assert_eq!(
        refused(&|r| r.annotations[0].text = "a\x14b".into()),
        "a.edf: annotation: found \"a\\u{14}b\", expected text without the control characters 0, 20 and 21"
    );
    assert!(
        refused(&|r| r.signals[0].physical_range = [0.0, 1.0 / 3.0]).starts_with("a.edf: physical range of `force`")
    );
    assert_eq!(
        refused(&|r| r.signals[1].digital_range = [-1, i16::MAX]),
        "a.edf: digital range of `step`: found a sample of -32768, expected -1 to 32767"
    );
    assert_eq!(
        refused(&|r| r.signals[1].digital_range = [7, 7]),
        "a.edf: digital range of `step`: found 7 to 7, expected an ascending range"
    );
    assert!(EdfSignal::from_physical("x", "1", 1.0, &[f32::NAN]).is_none());
    assert!(EdfSignal::from_physical("x", "1", 1.0, &[2e6]).is_none());
}

/// Ranges of their own give steps that are exact: here 1/16 N, up to the largest of 16 bits.
#[test]
fn steps_of_a_power_of_two_are_exact() {
    let (physical_range, digital_range) = ([-2047.0, 2048.0], [-32753, 32767]);
    let digital = vec![-32753, -32752, -2, -1, 0, 1, 32766, 32767];
    let force = EdfSignal::from_physical("force", "N", 8.0, &[0.0]).unwrap();
    let force = EdfSignal {
        physical_range,
        digital_range,
        digital,
        ..force
    };
    let recording = EdfRecording {
        signals: vec![force],
        ..EdfRecording::default()
    };
    let contents = read(&write_edf(&recording, Path::new("a.edf")).unwrap(), Path::new("a.edf")).unwrap();
    let found: Vec<_> = signals(&contents)[0]
        .values
        .iter()
        .map(|value| value.to_bits())
        .collect();
    let expected = [-2047.0f32, -2046.9375, -0.0625, 0.0, 0.0625, 0.125, 2047.9375, 2048.0];
    assert_eq!(found, expected.map(f32::to_bits));
}

// ---- broken bytes

fn survives(names: &[&str], kept: &[u64]) {
    let samples: Vec<_> = names
        .iter()
        .map(|name| (*name, fs::read(fixture(name)).unwrap(), 1024))
        .collect();
    mutate::survives(&samples, 100_000, kept, |name, bytes| {
        match read(bytes, Path::new(name)) {
            Ok(_) => true,
            Err(error) => {
                assert!(error.to_string().starts_with(&format!("{name}: ")), "{error}");
                false
            }
        }
    });
}

#[test]
fn edf_survives_broken_bytes() {
    survives(&["plus.edf", "gaps.edf", "odd.edf"], &[]);
}

#[test]
fn bdf_survives_broken_bytes() {
    survives(&["plus.bdf", "status.bdf"], &[]);
}
