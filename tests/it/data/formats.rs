//! The WFDB reader against the `wfdb` package, delimited text, and resampling against SciPy.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use recoup::signal::resample::{Resampler, interpolate_missing};
use recoup_formats::delimited::{DelimitedLayout, DelimitedRow};
use recoup_formats::wfdb::{Record, read_record};
use serde::Deserialize;

use super::{copy, edit, fixtures, hash, message, real_data};

#[derive(Deserialize)]
struct WfdbGolden {
    fixtures: BTreeMap<String, WfdbRecord>,
    samples: BTreeMap<String, WfdbRecord>,
}

#[derive(Deserialize)]
struct WfdbRecord {
    rate_hz: f64,
    names: Vec<String>,
    units: Vec<String>,
    num_samples: usize,
    num_missing: usize,
    digital_sha256: String,
    physical_sha256: String,
    digital: Option<Vec<Vec<i32>>>,
    physical: Option<Vec<Vec<Option<f64>>>>,
}

fn wfdb_golden() -> WfdbGolden {
    serde_json::from_str(include_str!("../../../formats/tests/golden/wfdb.json")).unwrap()
}

fn assert_equal(name: &str, record: &Record, golden: &WfdbRecord) {
    let physical: Vec<_> = record.signals.iter().map(|signal| signal.physical().unwrap()).collect();
    assert_eq!(record.rate_hz, golden.rate_hz, "{name}");
    assert_eq!(
        record.signals.iter().map(|s| &s.name).collect::<Vec<_>>(),
        golden.names.iter().collect::<Vec<_>>()
    );
    assert_eq!(
        record.signals.iter().map(|s| &s.unit).collect::<Vec<_>>(),
        golden.units.iter().collect::<Vec<_>>()
    );
    assert!(
        record
            .signals
            .iter()
            .all(|signal| signal.samples.len() == golden.num_samples),
        "{name}"
    );
    assert_eq!(
        physical.iter().flatten().filter(|value| value.is_nan()).count(),
        golden.num_missing,
        "{name}"
    );
    let digital = record.signals.iter().flat_map(|signal| &signal.samples);
    assert_eq!(
        hash(digital.map(|sample| sample.to_le_bytes())),
        golden.digital_sha256,
        "{name}"
    );
    let canonical = |&value: &f32| if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() };
    assert_eq!(
        hash(physical.iter().flatten().map(|value| canonical(value).to_le_bytes())),
        golden.physical_sha256,
        "{name}"
    );
}

#[test]
fn wfdb_fixtures_read_as_the_wfdb_package_reads_them() {
    let golden = wfdb_golden();
    assert_eq!(golden.fixtures.len(), 5);
    for (name, expected) in &golden.fixtures {
        let record = read_record(&fixtures().join(format!("{name}.hea"))).unwrap();
        for (index, signal) in record.signals.iter().enumerate() {
            assert_eq!(
                signal.samples,
                expected.digital.as_ref().unwrap()[index],
                "{name}, signal {index}"
            );
            let physical = signal.physical().unwrap();
            for (value, expected) in physical.iter().zip(&expected.physical.as_ref().unwrap()[index]) {
                assert_eq!(
                    (!value.is_nan()).then_some(*value),
                    expected.map(|value| value as f32),
                    "{name}"
                );
            }
        }
        assert_equal(name, &record, expected);
    }
}

/// Format 61 is format 16 with its bytes swapped; 160 is 16 with the sign bit flipped.
#[test]
fn wfdb_formats_61_and_160_hold_the_same_samples_as_16() {
    let folder = copy(&fixtures().join("formats"));
    let header = folder.path().join("f16.hea");
    let expected = read_record(&header).unwrap();
    let bytes = fs::read(folder.path().join("f16.dat")).unwrap();
    for (format, convert) in [
        (" 61 ", (|pair| [pair[1], pair[0]]) as fn(&[u8]) -> [u8; 2]),
        (" 160 ", |pair| [pair[0], pair[1] ^ 0x80]),
    ] {
        fs::write(
            folder.path().join("f16.dat"),
            bytes.chunks(2).flat_map(convert).collect::<Vec<_>>(),
        )
        .unwrap();
        let text = fs::read_to_string(fixtures().join("formats/f16.hea")).unwrap();
        fs::write(&header, text.replace("f16.dat 16 ", &format!("f16.dat{format}"))).unwrap();
        assert_eq!(read_record(&header).unwrap(), expected, "{format}");
    }
}

#[test]
fn wfdb_samples_read_as_the_wfdb_package_reads_them() {
    let Some(folder) = real_data("wfdb_samples/sample-data") else {
        return;
    };
    let golden = wfdb_golden();
    assert!(golden.samples.len() >= 9);
    for (name, expected) in &golden.samples {
        assert_equal(
            name,
            &read_record(&folder.join(format!("{name}.hea"))).unwrap(),
            expected,
        );
    }
}

#[test]
fn wfdb_errors_name_the_place() {
    let folder = copy(&fixtures().join("formats"));
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| {
        message(
            read_record(&path(name)).map_err(recoup::dataset::DataError::from),
            folder.path(),
        )
    };

    fs::write(path("f24.dat"), &fs::read(path("f24.dat")).unwrap()[..605]).unwrap();
    assert_eq!(
        text("f24.hea"),
        "f24.dat: size: found 605 bytes, expected at least 606 bytes for 101 samples\nhint: the file is cut short; \
         fetch it again"
    );
    let mut bytes = fs::read(path("f80.dat")).unwrap();
    bytes[21] ^= 1;
    fs::write(path("f80.dat"), bytes).unwrap();
    assert_eq!(
        text("f80.hea"),
        "f80.dat: checksum: found 1384, expected 1385 (f80.hea, line 3)\nhint: file and header do not belong \
         together, or the file is damaged; fetch both again"
    );
    edit(&path("f32.hea"), "2147483647", "2147483646");
    assert_eq!(
        text("f32.hea").lines().next().unwrap(),
        "f32.dat: first sample: found 2147483647, expected 2147483646 (f32.hea, line 2)"
    );
    edit(&path("f16.hea"), "f16.dat 16 ", "f16.dat 16x2 ");
    assert_eq!(
        text("f16.hea").lines().next().unwrap(),
        "f16.hea: line 2: found `16x2`, expected format 16, 24, 32, 61, 80, 160 or 212"
    );
    edit(&path("f212.hea"), "f212 2", "f212 3");
    assert_eq!(
        text("f212.hea").lines().next().unwrap(),
        "f212.hea: line 4: found `the end of the file`, expected 3 signal lines"
    );
    edit(&path("f212.hea"), "f212 3 250", "f212 2 fast");
    assert_eq!(
        text("f212.hea").lines().next().unwrap(),
        "f212.hea: line 1: found `fast`, expected a rate in Hz"
    );
    edit(&path("f212.hea"), "fast 101\nf212_1.dat", "250 101\n../f212_1.dat");
    assert_eq!(
        text("f212.hea").lines().next().unwrap(),
        "f212.hea: line 2: found `../f212_1.dat`, expected a file beside the header"
    );
}

// ---- delimited text

#[test]
fn delimited_text_keeps_quotes_lines_and_joins_what_is_short() {
    let layout = |separator: &str, join: bool| -> DelimitedLayout {
        let text = format!(
            "separator = \"{separator}\"\nheader = [\"a\", \"b\", \"c\"]\nskip_lines = 1\njoin_short_lines = {join}"
        );
        toml::from_str(&text).unwrap()
    };
    let rows = |layout: DelimitedLayout, text: &str| -> Vec<(usize, Vec<String>)> {
        let table = layout.table(text.as_bytes(), Path::new("t.csv")).unwrap();
        let fields = |row: DelimitedRow| row.fields().map(String::from).collect();
        table.rows().map(|row| (row.line(), fields(row))).collect()
    };
    let fields = |fields: [&str; 3]| fields.map(String::from).to_vec();
    assert_eq!(
        rows(layout("comma", false), "x\r\n1,\"2,\"\"5\"\"\", 3 \r\n\r\n4,,6"),
        [(2, fields(["1", "2,\"5\"", "3"])), (4, fields(["4", "", "6"]))]
    );
    assert_eq!(
        rows(layout("whitespace", false), "x\n  1 \t2  3\n\n"),
        [(2, fields(["1", "2", "3"]))]
    );
    assert_eq!(
        rows(layout("semicolon", true), "x\n1;2\n2;3\n4;5;6\n"),
        [(2, fields(["1", "22", "3"])), (4, fields(["4", "5", "6"]))]
    );
    assert_eq!(
        layout("semicolon", false)
            .table(b"x\n1;2\n2;3\n", Path::new("t.csv"))
            .unwrap_err()
            .to_string(),
        "t.csv: line 2: found 2 fields, expected 3 (a, b, c)\nhint: check `separator` and `header` in the card's layout; write \
         `fill_short_lines = true` where rows lack their last fields, or `join_short_lines = true` where they go on in the next \
         line"
    );
}

// ---- resampling

#[derive(Deserialize)]
struct ResampleGolden {
    signal: Vec<f32>,
    cases: Vec<ResampleCase>,
}

#[derive(Deserialize)]
struct ResampleCase {
    source_hz: f64,
    target_hz: f64,
    length: usize,
    resampled: Vec<f64>,
}

#[test]
fn resampling_equals_scipy_resample_poly() {
    let golden: ResampleGolden = serde_json::from_str(include_str!("../../golden/resample.json")).unwrap();
    for case in &golden.cases {
        let resampler = Resampler::new(case.source_hz, case.target_hz).unwrap();
        let resampled = resampler.resample(&golden.signal[..case.length]);
        assert_eq!(resampled.len(), case.resampled.len());
        for (found, expected) in resampled.iter().zip(&case.resampled) {
            // One rounding to f32 of numbers near 1.
            assert!(
                (f64::from(*found) - expected).abs() < 1e-7,
                "{} -> {} Hz",
                case.source_hz,
                case.target_hz
            );
        }
    }
}

#[test]
fn resampling_keeps_the_pass_band_in_phase_and_suppresses_aliases() {
    let sine = |frequency_hz: f64, rate_hz: f64, count: usize| -> Vec<f32> {
        (0..count)
            .map(|i| (std::f64::consts::TAU * frequency_hz * i as f64 / rate_hz).sin() as f32)
            .collect()
    };
    let largest = |values: &[f32]| values.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let resampler = Resampler::new(300.0, 100.0).unwrap();
    let kept = resampler.resample(&sine(17.0, 300.0, 3000));
    let error: Vec<f32> = kept.iter().zip(sine(17.0, 100.0, 1000)).map(|(a, b)| a - b).collect();
    assert!(largest(&error[20..980]) < 5e-3);
    // 70 Hz would come out as 30 Hz.
    assert!(largest(&resampler.resample(&sine(70.0, 300.0, 3000))[20..980]) < 10f32.powf(-50.0 / 20.0));
    assert_eq!(resampler.resample(&[7.5; 10]), [7.5; 4]);
    assert!(resampler.resample(&[]).is_empty());
}

#[test]
fn resampling_spreads_missing_samples_over_the_filter_and_refuses_odd_ratios() {
    let mut samples = vec![1.0f32; 300];
    samples[150] = f32::NAN;
    let resampled = Resampler::new(300.0, 100.0).unwrap().resample(&samples);
    let missing: Vec<_> = (0..100).filter(|&i| resampled[i].is_nan()).collect();
    assert_eq!(missing, (40..=60).collect::<Vec<_>>());
    assert!(Resampler::new(300.0, 100.0 * std::f64::consts::SQRT_2).is_none());
    assert!(Resampler::new(300.0, f64::NAN).is_none());
    assert_eq!(Resampler::new(250.0, 250.0).unwrap().resample(&samples[..3]), [1.0; 3]);
}

#[test]
fn missing_samples_become_a_line_between_their_neighbours() {
    let nan = f32::NAN;
    let mut samples = [nan, nan, 1.0, nan, nan, nan, 3.0, 5.0, nan];
    assert!(interpolate_missing(&mut samples));
    assert_eq!(samples, [1.0, 1.0, 1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 5.0]);
    assert!(!interpolate_missing(&mut [nan, nan]));
}
