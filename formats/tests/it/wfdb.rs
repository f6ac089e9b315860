//! The WFDB reader against the `wfdb` package: every storage format, frames, segments, FLAC, annotations.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use recoup_formats::FileError;
use recoup_formats::wfdb::{Annotations, contents_with, read_annotations, read_record};
use recoup_formats::{Annotation, Contents, Part, SignalChannel, WarningCode};
use serde::Deserialize;
use sha2::{Digest, Sha256};

mod damage;
mod mutations;
mod written;

#[derive(Deserialize)]
struct Golden {
    records: BTreeMap<String, Record>,
    marks: BTreeMap<String, Marks>,
    samples: BTreeMap<String, Record>,
    sample_marks: BTreeMap<String, Marks>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Record {
    Refused {
        #[serde(rename = "error")]
        _error: String,
    },
    Read(Channels),
}

#[derive(Deserialize)]
struct Channels {
    rates_hz: Vec<f64>,
    names: Vec<String>,
    units: Vec<Option<String>>,
    lengths: Vec<usize>,
    num_missing: Vec<usize>,
    sha256: Vec<String>,
    comments: Vec<String>,
    digital: Option<Vec<Vec<i32>>>,
}

/// Time, symbol, subtype, channel, number, text.
type Row = (i64, String, i8, u8, i8, String);

#[derive(Deserialize)]
struct Marks {
    rate_hz: Option<f64>,
    count: usize,
    sha256: String,
    rows: Option<Vec<Row>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/wfdb_complete.json")).unwrap()
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data/wfdb")
}

/// A folder of real data; the test prints a line and does nothing without it.
fn real_data(folder: &str) -> Option<PathBuf> {
    let path = std::env::var_os("RECOUP_TEST_DATA").map(|root| Path::new(&root).join(folder));
    if path.is_none() {
        println!("skipped: RECOUP_TEST_DATA is not set");
    }
    path
}

fn read_file(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(FileError::io(path, "read"))
}

fn read(header: &Path) -> Result<Contents, FileError> {
    contents_with(header, read_file)
}

type Folder = BTreeMap<String, Vec<u8>>;

/// Reads a record whose files are in memory.
fn read_from(folder: &Folder, header: &str) -> Result<Contents, FileError> {
    contents_with(Path::new(header), |path| file_from(folder, path))
}

fn file_from(folder: &Folder, path: &Path) -> Result<Vec<u8>, FileError> {
    let missing = || FileError::io(path, "read")(Error::from(ErrorKind::NotFound));
    folder.get(path.to_str().unwrap()).cloned().ok_or_else(missing)
}

fn channels(contents: &Contents) -> &[SignalChannel] {
    match contents.parts.as_slice() {
        [Part::Signals(channels)] => channels,
        parts => panic!("{parts:?}"),
    }
}

fn hash(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn hash_values(values: &[f32]) -> String {
    let bits = |value: &f32| if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() };
    hash(
        values
            .iter()
            .flat_map(|value| bits(value).to_le_bytes())
            .collect::<Vec<_>>(),
    )
}

/// Compares all but channels without calibration, to which the package gives a gain of 200.
fn assert_equal(name: &str, contents: &Contents, golden: &Channels) {
    let channels = channels(contents);
    assert_eq!(
        channels.iter().map(|c| &c.name).collect::<Vec<_>>(),
        golden.names.iter().collect::<Vec<_>>(),
        "{name}"
    );
    assert_eq!(
        channels.iter().map(|c| c.rate_hz).collect::<Vec<_>>(),
        golden.rates_hz,
        "{name}"
    );
    assert_eq!(
        channels.iter().map(|c| c.values.len()).collect::<Vec<_>>(),
        golden.lengths,
        "{name}"
    );
    let comments = contents
        .facts
        .iter()
        .filter(|(key, _)| key == "comment")
        .map(|(_, text)| text);
    assert_eq!(
        comments.collect::<Vec<_>>(),
        golden.comments.iter().filter(|c| !c.is_empty()).collect::<Vec<_>>()
    );
    for (index, channel) in channels.iter().enumerate() {
        let what = format!("{name}, {}", channel.name);
        let num_missing = channel.values.iter().filter(|value| value.is_nan()).count();
        assert_eq!(num_missing, golden.num_missing[index], "{what}");
        if channel.unit != "adu" {
            assert_eq!(hash_values(&channel.values), golden.sha256[index], "{what}");
            // The package knows no unit that is not ASCII, and none of a signal that no segment has.
            if let Some(unit) = golden.units[index].as_ref().filter(|_| channel.unit.is_ascii()) {
                assert_eq!(&channel.unit, unit, "{what}");
            }
        }
    }
}

#[test]
fn fixtures_read_as_the_wfdb_package_reads_them() {
    let golden = golden();
    assert_eq!(golden.records.len(), 36);
    for (name, record) in &golden.records {
        let path = fixtures().join(format!("{name}.hea"));
        let (contents, Record::Read(expected)) = (read(&path), record) else {
            assert_eq!(name, "variable_layout");
            continue;
        };
        let contents = without_numbers(contents.unwrap());
        assert!(contents.warnings.is_empty(), "{:?}", contents.warnings);
        assert_equal(name, &contents, expected);
        if let (Ok(record), Some(digital)) = (read_record(&path), &expected.digital) {
            let found: Vec<_> = record.signals.iter().map(|signal| &signal.samples).collect();
            assert_eq!(found, digital.iter().collect::<Vec<_>>(), "{name}");
        }
    }
}

/// Names as the wfdb package has them, where several signals of one name got numbers.
fn without_numbers(mut contents: Contents) -> Contents {
    let num_warnings = contents.warnings.len();
    contents
        .warnings
        .retain(|warning| warning.code != WarningCode::DuplicateNames);
    for part in contents
        .parts
        .iter_mut()
        .filter(|_| contents.warnings.len() < num_warnings)
    {
        let Part::Signals(channels) = part else { continue };
        for channel in channels {
            let stem = channel
                .name
                .rsplit_once('-')
                .filter(|(_, number)| number.parse::<usize>().is_ok());
            channel.name = stem.map_or(channel.name.clone(), |(stem, _)| stem.into());
        }
    }
    contents
}

fn assert_marks(name: &str, found: &Annotations, golden: &Marks) {
    let rows: Vec<Row> = (found.marks.iter())
        .map(|mark| {
            (
                mark.time,
                mark.symbol.clone(),
                mark.subtype,
                mark.channel,
                mark.number,
                mark.text.clone(),
            )
        })
        .collect();
    if let Some(expected) = &golden.rows {
        assert_eq!(&rows, expected, "{name}");
    }
    let line = |(time, symbol, subtype, channel, number, text): &Row| {
        format!("{time}\t{symbol}\t{subtype}\t{channel}\t{number}\t{text}\n")
    };
    assert_eq!(rows.len(), golden.count, "{name}");
    assert_eq!(hash(rows.iter().map(line).collect::<String>()), golden.sha256, "{name}");
    assert!(found.rate_hz.is_none() || found.rate_hz == golden.rate_hz, "{name}");
}

#[test]
fn annotations_read_as_the_wfdb_package_reads_them() {
    let golden = golden();
    let read_marks = |path: &Path| read_annotations(&read_file(path).unwrap(), path).unwrap();
    for (name, expected) in &golden.marks {
        let found = read_marks(&fixtures().join(name));
        assert!(found.warnings.is_empty());
        assert_marks(name, &found, expected);
    }
    let own = read_marks(&fixtures().join("frames.own"));
    assert_eq!(own.rate_hz, Some(125.0));
    let mark = |onset_secs, text: &str| Annotation {
        onset_secs,
        duration_secs: None,
        text: text.into(),
    };
    assert_eq!(
        own.in_secs(62.5),
        [mark(0.08, "#"), mark(9.6, "N"), mark(32.0, "# left")]
    );
    let beside = read(&fixtures().join("frames.hea")).unwrap().annotations;
    assert_eq!(beside[1..3], [mark(0.032, "V"), mark(0.08, "+ (AFIB")]);
    assert_eq!(beside.last(), Some(&mark(1120.0, "N end")));
    let Some(folder) = real_data("wfdb_samples/sample-data") else {
        return;
    };
    assert_eq!(golden.sample_marks.len(), 10);
    for (name, expected) in &golden.sample_marks {
        // The package drops all notes at time 0, also those that say which program wrote the file.
        let mut found = read_marks(&folder.join(name));
        found.marks.retain(|mark| mark.time != 0 || mark.symbol != "\"");
        if name == "12726.wabp" {
            // It also knows no definitions outside of a block.
            let own: Vec<_> = found.marks.iter_mut().filter(|mark| mark.symbol == "CAL").collect();
            assert_eq!(own.len(), 45);
            own.into_iter().for_each(|mark| mark.symbol = "nan".into());
        }
        assert_marks(name, &found, expected);
    }
}

/// Samples that are refused: those whose files were left out, layouts, and two headers that were edited by hand and whose
/// initial value is that of another signal.
const REFUSED: [(&str, &str); 18] = [
    ("1003", "1003.dat: cannot read: "),
    ("12726", "12726.dat: cannot read: "),
    ("drive02", "drive02.dat: cannot read: "),
    ("drive02-no-len", "drive02.dat: cannot read: "),
    (
        "multi-segment/p000878/3269321_layout",
        "3269321_layout.hea: line 2: found `~`, expected a file",
    ),
    (
        "multi-segment/p000878/p000878-2137-10-26-16-57",
        "line 6, segment `3269321_0003`: found no file ",
    ),
    (
        "multi-segment/s00001/3248903_layout",
        "3248903_layout.hea: line 2: found `~`, expected a file",
    ),
    ("multi-segment/s00001/3975656_0009", "3975656_0009.dat: cannot read: "),
    ("multi-segment/s00001/3975656_0010", "3975656_0010.dat: cannot read: "),
    ("multi-segment/s00001/3975656_0011", "3975656_0011.dat: cannot read: "),
    (
        "multi-segment/s00001/3975656_layout",
        "3975656_layout.hea: line 2: found `~`, expected a file",
    ),
    (
        "multi-segment/s00001/s00001-2896-10-10-00-31",
        "line 13, segment `3975656_0009`: found no file ",
    ),
    (
        "multi-segment/s25047/3234460_layout",
        "3234460_layout.hea: line 2: found `~`, expected a file",
    ),
    ("n16", "n16.dat: cannot read: "),
    ("n8_evoked_raw_95_F1_R9", "n8_evoked_raw_95_F1_R9.dat: cannot read: "),
    (
        "test01_00s_frame",
        "test01_00s.dat: first sample: found -66, expected -57 (",
    ),
    (
        "test01_00s_skewframe",
        "test01_00s.dat: first sample: found -66, expected -57 (",
    ),
    ("wave_4", "wave_4.dat: cannot read: "),
];

#[test]
fn samples_read_as_the_wfdb_package_reads_them() {
    let Some(folder) = real_data("wfdb_samples/sample-data") else {
        return;
    };
    let (golden, refused) = (golden(), BTreeMap::from(REFUSED));
    assert_eq!(golden.samples.len(), 88);
    for (name, record) in &golden.samples {
        match (
            read(&folder.join(format!("{name}.hea"))),
            refused.get(name.as_str()),
            record,
        ) {
            (Ok(contents), None, Record::Read(expected)) => {
                let contents = without_numbers(contents);
                assert!(contents.warnings.is_empty(), "{name}: {:?}", contents.warnings);
                assert_equal(name, &contents, expected);
            }
            // Samples that contradict their header are read with a warning, and refused by loading.
            (Ok(contents), Some(message), _) => {
                let told = contents
                    .warnings
                    .iter()
                    .find(|warning| warning.code == WarningCode::Checksum);
                assert!(told.unwrap().text.contains(message), "{name}: {told:?}");
            }
            (Err(error), Some(message), _) => assert!(error.to_string().contains(message), "{name}: {error}"),
            (found, ..) => panic!("{name}: {found:?}"),
        }
    }
    let contents = read(&folder.join("test_generator_2.hea")).unwrap();
    let channel = &channels(&contents)[8];
    assert_eq!((channel.name.as_str(), channel.unit.as_str()), ("sine 15 Hz", "°"));
}

#[test]
fn checksums_of_the_gait_database_hold() {
    let Some(folder) = real_data("gaitndd") else { return };
    let mut count = 0;
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "hea") {
            let (contents, record) = (read(&path).unwrap(), read_record(&path).unwrap());
            assert!(contents.warnings.is_empty(), "{:?}", contents.warnings);
            for (channel, signal) in channels(&contents).iter().zip(&record.signals) {
                assert_eq!(
                    (channel.values.len(), channel.rate_hz),
                    (90_000, 300.0),
                    "{}",
                    path.display()
                );
                let values = signal.physical().unwrap_or(signal.digital());
                assert_eq!(hash_values(&channel.values), hash_values(&values));
            }
            count += 1;
        }
    }
    assert_eq!(count, 64);
}

#[test]
fn a_record_reads_equal_in_every_format() {
    let read_same = |format: u32| {
        let mut channels = channels(&read(&fixtures().join(format!("same_{format}.hea"))).unwrap()).to_vec();
        channels[0].name.clear();
        channels
    };
    let expected = read_same(16);
    assert_eq!(expected[0].values.len(), 32);
    for format in [8, 24, 32, 61, 80, 160, 212, 310, 311, 508, 516, 524] {
        assert_eq!(read_same(format), expected, "{format}");
    }
}

#[test]
fn segments_join_where_their_lines_say() {
    let part = |name: &str| channels(&read(&fixtures().join(format!("{name}.hea"))).unwrap()).to_vec();
    let gap = |count| vec![f32::NAN; count];
    let (whole, first, second) = (part("variable"), part("variable_1"), part("variable_2"));
    let expected = [
        (
            "II",
            "mV",
            [gap(20), first[1].values.clone(), gap(5), second[0].values.clone()].concat(),
        ),
        ("V", "mV", gap(46)),
        ("ABP", "mmHg", [gap(20), first[0].values.clone(), gap(14)].concat()),
    ];
    for (channel, (name, unit, values)) in whole.iter().zip(expected) {
        assert_eq!(
            (channel.name.as_str(), channel.unit.as_str(), channel.rate_hz),
            (name, unit, 125.0)
        );
        assert_eq!(hash_values(&channel.values), hash_values(&values), "{name}");
    }
    let (whole, first, second) = (part("fixed"), part("fixed_1"), part("fixed_2"));
    for index in 0..2 {
        assert_eq!(
            whole[index].values,
            [first[index].values.clone(), second[index].values.clone()].concat()
        );
    }
}

#[test]
fn signals_without_calibration_are_digital_and_skew_and_offset_are_undone() {
    let contents = read(&fixtures().join("frames.hea")).unwrap();
    let Record::Read(golden) = &golden().records["frames"] else {
        panic!()
    };
    let digital = &golden.digital.as_ref().unwrap()[2];
    let [_, abp, raw] = channels(&contents) else { panic!() };
    assert_eq!((raw.unit.as_str(), raw.rate_hz), ("adu", 125.0));
    assert_eq!(raw.values, digital.iter().map(|&v| v as f32).collect::<Vec<_>>());
    assert!(abp.values[..17].iter().all(|v| v.is_finite()) && abp.values[17..].iter().all(|v| v.is_nan()));
    let facts: Vec<_> = contents
        .facts
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let expected = [
        ("frames per second", "62.5"),
        ("record", "frames"),
        ("counter", "1000(12.5)"),
        ("start time", "12:44:02"),
        ("start date", "10/12/2009"),
        ("comment", "made for tests"),
        ("comment", "<age>: 25 <sex>: M"),
    ];
    assert_eq!(facts, expected);
    assert_eq!(contents.format, "WFDB, format 212");
}
