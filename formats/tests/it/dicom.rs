//! DICOM against pydicom and nibabel, de-identification, and broken bytes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use recoup_formats::dicom::deidentify::{Deidentification, deidentify};
use recoup_formats::dicom::{read, read_series};
use recoup_formats::{Contents, Images, Part, SignalChannel};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::mutate;

#[derive(Deserialize)]
struct Golden {
    fixtures: BTreeMap<String, Reading>,
    samples: BTreeMap<String, Reading>,
    deidentified: Deidentified,
}

#[derive(Deserialize)]
struct Reading {
    image: Option<Image>,
    waveform: Option<Vec<Channel>>,
    refused: Option<String>,
    /// Transfer syntax that pydicom has no decoder for.
    unread: Option<String>,
}

#[derive(Deserialize)]
struct Image {
    shape: [usize; 4],
    lossy: bool,
    sha256: String,
    at: Vec<usize>,
    values: Vec<f32>,
    affine: Option<[[f64; 4]; 3]>,
}

#[derive(Deserialize)]
struct Channel {
    name: String,
    unit: String,
    rate_hz: f64,
    num_values: usize,
    sha256: String,
}

#[derive(Deserialize)]
struct Deidentified {
    pixels_identical: bool,
    unknown: Vec<String>,
    read: BTreeMap<String, String>,
    meta: BTreeMap<String, String>,
    days: [i64; 3],
    original_days: [i64; 3],
    texts: Vec<String>,
}

/// Two steps of 255, at the 60 values of each image that the golden file holds.
const MOST_LOSSY: f32 = 2.0 / 255.0;

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/dicom_readings.json")).unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/data/dicom")
            .join(name),
    )
    .unwrap()
}

fn read_fixture(name: &str) -> Contents {
    read(&fixture(name), Path::new(name)).unwrap_or_else(|error| panic!("{error}"))
}

fn images(contents: &Contents) -> &Images {
    match contents.parts.as_slice() {
        [Part::Images(images)] => images,
        other => panic!("{other:?}"),
    }
}

fn signals(contents: &Contents) -> &[SignalChannel] {
    match contents.parts.as_slice() {
        [Part::Signals(signals)] => signals,
        other => panic!("{other:?}"),
    }
}

fn hash<'v>(values: impl Iterator<Item = &'v f32>) -> String {
    let digest = Sha256::digest(values.flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bits of pydicom's f64 values rounded once to f32; lossy JPEG, which each decoder rounds its own way, within
/// `MOST_LOSSY`.
fn assert_image(name: &str, images: &Images, golden: &Image) {
    let values = images.values.as_slice().unwrap();
    assert_eq!(images.values.dim(), golden.shape.into(), "{name}");
    if !golden.lossy {
        let spread: Vec<f32> = golden.at.iter().map(|&at| values[at]).collect();
        assert_eq!(spread, golden.values, "{name}");
        assert_eq!(hash(values.iter()), golden.sha256, "{name}");
    }
    let largest = if images.planes.len() == 3 { 1.0 } else { 255.0 };
    for (&at, golden) in golden.at.iter().zip(&golden.values).filter(|_| golden.lossy) {
        let error = (values[at] - golden).abs() / largest;
        assert!(
            error <= MOST_LOSSY,
            "{name}: value {at} is {}, not {golden}",
            values[at]
        );
    }
    if let Some(golden) = golden.affine {
        let affine = images.affine.unwrap();
        for (found, golden) in affine.iter().flatten().zip(golden.iter().flatten()) {
            assert!((found - golden).abs() < 1e-9, "{name}: {affine:?}, not {golden:?}");
        }
    }
}

fn assert_waveform(name: &str, found: &[SignalChannel], golden: &[Channel]) {
    assert_eq!(found.len(), golden.len(), "{name}");
    for (found, golden) in found.iter().zip(golden) {
        assert_eq!(
            (&found.name, &found.unit, found.rate_hz),
            (&golden.name, &golden.unit, golden.rate_hz),
            "{name}"
        );
        let values: Vec<f32> = found.values.iter().copied().filter(|value| !value.is_nan()).collect();
        assert_eq!(values.len(), golden.num_values, "{name}, {}", golden.name);
        assert_eq!(hash(values.iter()), golden.sha256, "{name}, {}", golden.name);
    }
}

fn assert_reading(name: &str, bytes: &[u8], golden: &Reading) {
    let found = read(bytes, Path::new("a.dcm"));
    match (found, golden) {
        (
            Ok(found),
            Reading {
                image: Some(golden), ..
            },
        ) => assert_image(name, images(&found), golden),
        (
            Ok(found),
            Reading {
                waveform: Some(golden), ..
            },
        ) => assert_waveform(name, signals(&found), golden),
        (Ok(found), Reading { unread: Some(_), .. }) => assert_eq!(found.parts.len(), 1),
        (
            Err(error),
            Reading {
                refused: Some(refused), ..
            },
        ) => {
            let message = error.to_string();
            assert!(
                message.starts_with("a.dcm: ") && message.contains(refused),
                "{name}: {message}"
            );
        }
        (Ok(_), _) => panic!("{name} is read, but should be refused"),
        (Err(error), _) => panic!("{name}: {error}"),
    }
}

#[test]
fn fixtures_read_as_pydicom_reads_them() {
    let golden = golden();
    assert_eq!(golden.fixtures.len(), 31);
    for (name, golden) in &golden.fixtures {
        assert_reading(name, &fixture(name), golden);
    }
}

#[test]
fn samples_read_as_pydicom_reads_them_or_are_refused() {
    let Some(folder) = std::env::var_os("RECOUP_TEST_DATA") else {
        return println!("skipped: RECOUP_TEST_DATA is not set");
    };
    let folder = Path::new(&folder).join("dicom");
    let golden = golden();
    assert!(golden.samples.len() > 70);
    let bytes = |name: &str| {
        let bytes = fs::read(folder.join(name)).unwrap();
        let mut plain = Vec::new();
        match flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain) {
            Ok(_) if name.ends_with(".gz") => plain,
            _ => bytes,
        }
    };
    for (name, golden) in &golden.samples {
        assert_reading(name, &bytes(name), golden);
    }
    // JPEG lossless, which pydicom does not read without a plugin: the same image as another sample.
    let pixels = |name: &str| images(&read(&bytes(name), Path::new(name)).unwrap()).values.clone();
    assert_eq!(pixels("pydicom/SC_rgb_jpeg_gdcm.dcm"), pixels("pydicom/SC_rgb_rle.dcm"));
}

#[test]
fn one_image_in_every_encoding_reads_equal() {
    let explicit = read_fixture("ct_explicit.dcm");
    let expected = images(&explicit);
    assert_eq!(
        (expected.unit.as_str(), &expected.planes[..]),
        ("HU", &["gray".to_string()][..])
    );
    // Window 40 / 400: PS3.3 C.11.2.1.2.1.
    assert_eq!(expected.display_range, Some([-160.0, 239.0]));
    for encoding in [
        "implicit",
        "big_endian",
        "deflated",
        "rle",
        "jpeg_lossless",
        "no_preamble",
        "mislabelled",
    ] {
        let contents = read_fixture(&format!("ct_{encoding}.dcm"));
        let found = images(&contents);
        assert_eq!(found.values, expected.values, "{encoding}");
        assert_eq!(
            (&found.unit, found.affine, found.display_range),
            (&expected.unit, expected.affine, expected.display_range)
        );
        assert_eq!(
            contents.warnings.len(),
            usize::from(["no_preamble", "mislabelled"].contains(&encoding)),
            "{:?}",
            contents.warnings
        );
    }
    let facts = [
        "transfer_syntax",
        "modality",
        "tube_voltage_kv",
        "convolution_kernel",
        "bits_stored",
    ];
    let values = facts.map(|name| {
        explicit
            .facts
            .iter()
            .find(|fact| fact.0 == name)
            .map(|fact| fact.1.as_str())
    });
    assert_eq!(
        values,
        ["Explicit VR Little Endian", "CT", "120", "B30f", "16"].map(Some)
    );
    let error = read(&fixture("ct_jpeg_2000.dcm"), Path::new("a.dcm"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("JPEG 2000 Lossless") && error.contains("gdcmconv --raw"),
        "{error}"
    );
}

#[test]
fn polarity_planes_and_rates_are_told() {
    let inverted = read_fixture("monochrome1.dcm");
    assert_eq!(images(&inverted).display_range, Some([255.0, 0.0]));
    let film = read_fixture("film.dcm");
    assert_eq!(
        (images(&film).rate_hz, images(&film).affine, images(&film).display_range),
        (Some(25.0), None, None)
    );
    for name in ["rgb.dcm", "rgb_planes.dcm", "ybr.dcm", "palette.dcm"] {
        assert_eq!(
            (
                &images(&read_fixture(name)).planes[..],
                images(&read_fixture(name)).unit.as_str()
            ),
            (&["red", "green", "blue"].map(String::from)[..], "1")
        );
    }
    let dose = read_fixture("dose_rle.dcm");
    assert_eq!(
        (images(&dose).unit.as_str(), images(&dose).values.dim()),
        ("Gy", (3, 1, 4, 5))
    );
    assert_eq!(
        images(&dose).affine.unwrap(),
        [[-0.5, 0.0, 0.0, 40.0], [0.0, -0.75, 0.0, -10.0], [0.0, 0.0, 2.5, 30.0]]
    );
    assert_eq!(images(&read_fixture("modality_lut.dcm")).unit, "OD");
    // Slices along the normal (0 1 0) x (0 0 -1) = (-1 0 0), against which the frames go in the file: they are turned.
    let enhanced = read_fixture("enhanced.dcm");
    let affine = images(&enhanced).affine.unwrap();
    assert_eq!(
        affine,
        [[0.0, 0.0, 3.5, 23.0], [-1.25, 0.0, 0.0, -5.0], [0.0, -1.5, 0.0, 7.0]]
    );
}

#[test]
fn a_series_is_one_volume_in_the_order_of_its_positions() {
    let files: Vec<(PathBuf, Vec<u8>)> = (0..4)
        .map(|index| format!("series_{index}.dcm"))
        .map(|name| (name.clone().into(), fixture(&name)))
        .collect();
    let series = read_series(&files).unwrap();
    let volume = images(&series);
    assert!(series.warnings.is_empty(), "{:?}", series.warnings);
    // The script wrote slice 2, 0, 3, 1; the normal (1 0 0) x (0 0.8 0.6) = (0 -0.6 0.8) goes with their number.
    for (slice, file) in [1, 3, 0, 2].into_iter().enumerate() {
        let single = read(&files[file].1, &files[file].0).unwrap();
        assert_eq!(
            volume.values.index_axis(ndarray::Axis(0), slice),
            images(&single).values.index_axis(ndarray::Axis(0), 0)
        );
    }
    // The steps are 2 mm along the normal.
    let expected = [[-0.5, 0.0, 0.0, -10.0], [0.0, -0.6, 1.2, 20.0], [0.0, 0.45, 1.6, 30.0]];
    for (found, expected) in volume.affine.unwrap().iter().flatten().zip(expected.iter().flatten()) {
        assert!((found - expected).abs() < 1e-12, "{:?}", volume.affine);
    }
    let message = |files: &[(PathBuf, Vec<u8>)]| {
        read_series(files)
            .unwrap_err()
            .to_string()
            .lines()
            .next()
            .unwrap()
            .to_string()
    };
    let twice = [
        files[0].clone(),
        files[1].clone(),
        ("copy.dcm".into(), files[0].1.clone()),
    ];
    assert_eq!(
        message(&twice),
        "copy.dcm: slice: found the same place, expected another place than series_0.dcm"
    );
    let mixed = [files[0].clone(), ("ct.dcm".into(), fixture("ct_explicit.dcm"))];
    assert!(
        message(&mixed).starts_with("ct.dcm: size: found (1, 1, 18, 14) values in \"HU\""),
        "{}",
        message(&mixed)
    );
    assert_eq!(message(&[]), "series: files: found none, expected at least one");
    let film = [("film.dcm".into(), fixture("film.dcm"))];
    assert_eq!(
        message(&film),
        "film.dcm: NumberOfFrames: found 3 frames, expected one slice in each file"
    );
}

#[test]
fn waveform_groups_share_a_clock() {
    let contents = read_fixture("ecg.dcm");
    let signals = signals(&contents);
    let names: Vec<&str> = signals.iter().map(|signal| signal.name.as_str()).collect();
    assert_eq!(names, ["Lead I", "Lead II", "Lead V1", "BEAT: Lead I", "BEAT: Lead II"]);
    assert_eq!(
        signals.iter().map(|signal| signal.unit.as_str()).collect::<Vec<_>>(),
        ["uV", "uV", "1", "uV", "uV"]
    );
    let missing = |signal: &SignalChannel| {
        (0..signal.values.len())
            .filter(|&i| signal.values[i].is_nan())
            .collect::<Vec<_>>()
    };
    // The padding value; 40 ms at 250 Hz.
    assert_eq!([missing(&signals[0]), missing(&signals[1])], [vec![], vec![7]]);
    assert_eq!(missing(&signals[3]), (0..10).collect::<Vec<_>>());
    assert_eq!((signals[0].values.len(), signals[3].values.len()), (60, 30));
    let marks: Vec<(f64, &str)> = contents
        .annotations
        .iter()
        .map(|mark| (mark.onset_secs, mark.text.as_str()))
        .collect();
    assert_eq!(marks, [(0.04, "P onset"), (0.08, "P onset")]);
}

// ---- de-identification

const HOW: Deidentification = Deidentification {
    key: b"the cohort's secret",
    pseudonym: "S-0042",
    shift_days: Some(-137),
};

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// `deidentified.dcm` is in the golden file as well: what pydicom finds in it.
#[test]
fn nothing_of_the_patient_stays() {
    let original = fixture("patient.dcm");
    let clean = deidentify(&original, Path::new("a.dcm"), HOW).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data/dicom/deidentified.dcm");
    if fs::read(path).ok().as_ref() != Some(&clean) {
        let new = std::env::temp_dir().join("deidentified.dcm");
        fs::write(&new, &clean).unwrap();
        panic!("not the bytes of the fixture; the new ones are in {}", new.display());
    }
    let golden = golden().deidentified;
    assert!(golden.texts.len() > 40);
    for text in &golden.texts {
        assert!(contains(&original, text), "{text}");
        assert!(!contains(&clean, text), "{text}");
        // Names are also told by their parts.
        for part in text.split(['^', ' ', ',']).filter(|part| part.len() > 3) {
            assert!(!contains(&clean, part), "{part}");
        }
    }
    for text in ["Mustermann", "046Y", "61.375", "unknownia", "ACME"] {
        assert!(contains(&original, text) && !contains(&clean, text), "{text}");
    }
    assert!(golden.pixels_identical && golden.unknown.is_empty());
    assert_eq!(golden.days, golden.original_days);
    let expected = [
        ("PatientName", "S-0042"),
        ("PatientID", "S-0042"),
        ("PatientIdentityRemoved", "YES"),
        ("PatientBirthDate", ""),
        ("DeidentificationMethod", "PS3.15 Basic Profile; dates shifted"),
        ("AccessionNumber", ""),
        ("LongitudinalTemporalInformationModified", "MODIFIED"),
        ("StudyDate", "20101118"),
        ("StudyTime", "125702.25"),
        ("AcquisitionDateTime", "20101118125702.250000+0100"),
        ("Manufacturer", "Recoup"),
        ("Rows", "4"),
    ];
    for (name, value) in expected {
        assert_eq!(golden.read.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(golden.meta["MediaStorageSOPInstanceUID"], golden.read["SOPInstanceUID"]);
    assert!(golden.read["StudyInstanceUID"].starts_with("2.25."));
    let pixels = |bytes: &[u8]| images(&read(bytes, Path::new("a.dcm")).unwrap()).values.clone();
    assert_eq!(pixels(&clean), pixels(&original));
}

#[test]
fn deidentification_keeps_the_data_in_every_encoding() {
    for name in [
        "ct_implicit.dcm",
        "ct_big_endian.dcm",
        "ct_deflated.dcm",
        "ct_rle.dcm",
        "ct_jpeg_lossless.dcm",
        "ct_no_preamble.dcm",
        "ct_mislabelled.dcm",
        "enhanced.dcm",
        "palette.dcm",
        "film_fragments.dcm",
    ] {
        let clean = deidentify(&fixture(name), Path::new(name), HOW).unwrap();
        let (original, read) = (read_fixture(name), read(&clean, Path::new(name)).unwrap());
        assert_eq!(images(&read).values, images(&original).values, "{name}");
        assert_eq!(
            (images(&read).affine, &images(&read).unit),
            (images(&original).affine, &images(&original).unit),
            "{name}"
        );
        assert!(
            contains(&clean, "S-0042") && !contains(&clean, "1.2.826.0.1.3680043"),
            "{name}"
        );
        // Once more changes nothing but the hashes of hashes.
        assert_eq!(
            deidentify(&clean, Path::new(name), HOW).unwrap().len() / 16,
            clean.len() / 16,
            "{name}"
        );
    }
    let ecg = deidentify(&fixture("ecg.dcm"), Path::new("ecg.dcm"), HOW).unwrap();
    let (one, other) = (read(&ecg, Path::new("ecg.dcm")).unwrap(), read_fixture("ecg.dcm"));
    let bits = |contents: &Contents| {
        signals(contents)
            .iter()
            .flat_map(|s| s.values.iter().map(|v| v.to_bits()))
            .collect::<Vec<_>>()
    };
    assert_eq!(bits(&one), bits(&other));
    assert_eq!(one.annotations, other.annotations);
}

#[test]
fn deidentification_depends_on_the_key_and_may_drop_dates() {
    let bytes = fixture("patient.dcm");
    let clean = |how| deidentify(&bytes, Path::new("a.dcm"), how).unwrap();
    assert_eq!(clean(HOW), clean(HOW));
    let uids = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.match_indices("2.25.")
            .map(|(at, _)| {
                text[at..]
                    .chars()
                    .take_while(|c| c.is_ascii_digit() || *c == '.')
                    .collect::<String>()
            })
            .collect::<Vec<_>>()
    };
    let (one, other) = (
        uids(&clean(HOW)),
        uids(&clean(Deidentification { key: b"another", ..HOW })),
    );
    assert!(one.len() >= 8 && one.iter().all(|uid| uid.len() <= 64));
    assert_eq!(one.len(), other.len());
    // The program's own is the only one that stays.
    assert_eq!(one.iter().filter(|uid| other.contains(uid)).count(), 1);
    let dropped = clean(Deidentification {
        shift_days: None,
        ..HOW
    });
    assert!(
        !contains(&dropped, "2010")
            && !contains(&dropped, "2011")
            && !contains(&dropped, "125702")
            && contains(&dropped, "REMOVED")
    );
    let message = |bytes: &[u8], how| deidentify(bytes, Path::new("a.dcm"), how).unwrap_err().to_string();
    assert!(
        message(
            &bytes,
            Deidentification {
                pseudonym: "Erika\\x",
                ..HOW
            }
        )
        .starts_with("a.dcm: pseudonym: found Erika")
    );
    assert!(message(&bytes[..bytes.len() - 9], HOW).starts_with("a.dcm: byte "));
}

// ---- broken bytes

fn accepts<T>(name: &str, result: Result<T, recoup_formats::FileError>) -> bool {
    if let Err(error) = &result {
        assert!(error.to_string().starts_with(&format!("{name}: ")), "{error}");
    }
    result.is_ok()
}

fn samples<'n>(names: &[&'n str]) -> Vec<(&'n str, Vec<u8>, usize)> {
    names.iter().map(|&name| (name, fixture(name), 1 << 20)).collect()
}

#[test]
fn images_survive_broken_bytes() {
    let names = [
        "ct_explicit.dcm",
        "ct_implicit.dcm",
        "ct_big_endian.dcm",
        "ct_deflated.dcm",
        "ct_rle.dcm",
        "ct_jpeg_lossless.dcm",
        "ct_no_preamble.dcm",
        "jpeg_gray.dcm",
        "jpeg_colour.dcm",
        "palette.dcm",
        "enhanced.dcm",
        "film.dcm",
        "film_fragments.dcm",
        "dose_rle.dcm",
        "bits1.dcm",
    ];
    mutate::survives(&samples(&names), 100_000, &[], |name, bytes| {
        accepts(name, read(bytes, Path::new(name)))
    });
}

#[test]
fn waveforms_survive_broken_bytes() {
    mutate::survives(&samples(&["ecg.dcm"]), 100_000, &[], |name, bytes| {
        accepts(name, read(bytes, Path::new(name)))
    });
}

#[test]
fn deidentification_survives_broken_bytes() {
    let names = ["patient.dcm", "enhanced.dcm", "ct_implicit.dcm"];
    mutate::survives(&samples(&names), 100_000, &[], |name, bytes| {
        accepts(name, deidentify(bytes, Path::new(name), HOW))
    });
}

#[test]
fn sequences_in_sequences_without_end_are_an_error() {
    let mut bytes = fixture("ct_implicit.dcm");
    // Items of undefined length in a sequence of undefined length, ReferencedSeriesSequence.
    for _ in 0..100_000 {
        bytes.extend([
            0x08, 0x00, 0x15, 0x11, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xff, 0x00, 0xe0, 0xff, 0xff, 0xff, 0xff,
        ]);
    }
    let message = read(&bytes, Path::new("a.dcm")).unwrap_err().to_string();
    assert!(
        message.contains("found a deeper sequence, expected at most 32 sequences in sequences"),
        "{message}"
    );
}
