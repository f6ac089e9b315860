//! TIFF against tifffile and Pillow, thermal images, films of files, and broken PNG, JPEG and TIFF.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use recoup_formats::image::{Color, Scaling, read, read_image, read_scaled, read_sequence};
use recoup_formats::{Images, Part, Warning, WarningCode};
use serde::Deserialize;

use crate::mutate;

#[derive(Deserialize)]
struct Golden {
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    shape: [usize; 4],
    raw: Vec<f64>,
    largest: f64,
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data");
    fs::read(folder.join(name)).unwrap()
}

fn images(name: &str, bytes: &[u8], scaling: Scaling) -> Result<Images, String> {
    let contents = read_scaled(bytes, Path::new(name), scaling).map_err(|error| error.to_string())?;
    let [Part::Images(images)] = <[Part; 1]>::try_from(contents.parts).unwrap() else {
        panic!("{name}: not one part of images");
    };
    Ok(images)
}

fn refused(name: &str, bytes: &[u8], scaling: Scaling) -> String {
    images(name, bytes, scaling)
        .unwrap_err()
        .lines()
        .next()
        .unwrap()
        .to_owned()
}

#[test]
fn tiff_reads_as_tifffile_and_pillow_read_it() {
    let golden: Golden = serde_json::from_str(include_str!("../golden/tiff.json")).unwrap();
    assert_eq!(golden.cases.len(), 30);
    let (slope, offset) = (0.04, -273.15);
    for (name, case) in &golden.cases {
        let bytes = fixture(&format!("tiff/{name}"));
        let [pages, planes, lines, columns] = case.shape;
        for (scaling, unit, value) in [
            (Scaling::Raw, "1", (|raw, _| raw) as fn(f64, f64) -> f64),
            (Scaling::Share, "1", |raw, largest| raw / largest),
            (Scaling::Celsius { slope, offset }, "degC", |raw, _| 0.04 * raw - 273.15),
        ] {
            if planes > 1 && unit == "degC" {
                let found = refused(name, &bytes, scaling);
                assert_eq!(
                    found,
                    format!("{name}: image: found {planes} planes, expected one plane of counts")
                );
                continue;
            }
            let images = images(name, &bytes, scaling).unwrap();
            assert_eq!(images.unit, unit, "{name}");
            assert_eq!(images.values.dim(), (pages, planes, lines, columns), "{name}");
            let expected: Vec<f32> = case.raw.iter().map(|&raw| value(raw, case.largest) as f32).collect();
            assert_eq!(images.values.as_slice().unwrap(), expected, "{name}, {scaling:?}");
        }
    }
}

#[test]
fn png_and_jpeg_give_the_same_values_as_read_image() {
    for (name, color) in [
        ("gray8.png", Color::Gray),
        ("rgb16.png", Color::Rgb),
        ("gray.jpg", Color::Gray),
    ] {
        let bytes = fixture(&format!("images/{name}"));
        let images = images(name, &bytes, Scaling::Share).unwrap();
        let image = read_image(&bytes, Path::new(name), color).unwrap();
        assert_eq!(images.values.as_slice().unwrap(), image.values, "{name}");
        assert_eq!(images.planes, color.planes(), "{name}");
        assert_eq!(images.display_range, Some([0.0, 1.0]));
    }
}

#[test]
fn thermal_counts_come_out_of_16_bits_and_never_out_of_jpeg() {
    let bytes = fixture("images/gray16.png");
    let raw = images("t.png", &bytes, Scaling::Raw).unwrap();
    assert!(
        raw.values
            .iter()
            .all(|value| value.fract() == 0.0 && (0.0..65536.0).contains(value))
    );
    assert!(raw.values.iter().any(|&value| value > 255.0));
    let share = images("t.png", &bytes, Scaling::Share).unwrap();
    assert_eq!(
        share.values,
        raw.values.mapv(|value| (f64::from(value) / 65535.0) as f32)
    );
    let celsius = images(
        "t.png",
        &bytes,
        Scaling::Celsius {
            slope: 0.01,
            offset: -100.0,
        },
    )
    .unwrap();
    assert_eq!(
        celsius.values,
        raw.values.mapv(|value| (0.01 * f64::from(value) - 100.0) as f32)
    );
    assert_eq!((celsius.unit.as_str(), celsius.display_range), ("degC", None));
    let found = refused("t.jpg", &fixture("images/gray.jpg"), Scaling::Raw);
    assert_eq!(
        found,
        "t.jpg: image: found JPEG, expected counts that no lossy compression has changed"
    );
    let mut turned_over = fixture("tiff/u16.tif");
    set_tag(&mut turned_over, 262, 0);
    let found = refused("t.tif", &turned_over, Scaling::Raw);
    assert_eq!(
        found,
        "t.tif: image: found white-is-zero, expected counts that grow with brightness"
    );
    let straight = images("t.tif", &fixture("tiff/u16.tif"), Scaling::Share).unwrap();
    let turned_over = images("t.tif", &turned_over, Scaling::Share).unwrap();
    assert!(
        straight
            .values
            .iter()
            .zip(&turned_over.values)
            .all(|(a, b)| (a + b - 1.0).abs() < 1e-6)
    );
}

/// Sets a short value in the first directory of a little-endian classic TIFF.
fn set_tag(bytes: &mut [u8], tag: u16, value: u16) {
    let at = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let count = usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()));
    let entry = (0..count)
        .map(|entry| at + 2 + 12 * entry)
        .find(|&entry| bytes[entry..entry + 2] == tag.to_le_bytes());
    bytes[entry.unwrap() + 8..][..2].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn files_become_a_film_if_they_have_one_size() {
    let file = |name: &str| (PathBuf::from(name), fixture(name));
    let names = ["turned1.tif", "turned2.tif", "turned3.tif"].map(|name| file(&format!("tiff/{name}")));
    let (film, warnings) = read_sequence(&names, Some(120.0), Scaling::Share).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!((film.values.dim(), film.rate_hz), ((3, 1, 3, 4), Some(120.0)));
    for (frame, (path, bytes)) in film.values.outer_iter().zip(&names) {
        let name = path.to_str().unwrap();
        assert_eq!(
            frame,
            images(name, bytes, Scaling::Share)
                .unwrap()
                .values
                .index_axis(ndarray::Axis(0), 0)
        );
    }
    let error = |files: &[_], rate_hz| {
        read_sequence(files, Some(rate_hz), Scaling::Share)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error(&[file("images/gray8.png"), file("images/rgb8.png")], 30.0),
        "images/rgb8.png: image: found 5 x 6 pixels of red, green, blue, expected 9 x 7 pixels of gray, as the image \
         before\nhint: images of one file or film share their size and colours; split them"
    );
    assert!(error(&names, 0.0).contains("found 0 Hz, expected frames per second above zero"));
    assert!(error(&[], 30.0).contains("found no image, expected one or more"));
}

#[test]
fn tiff_errors_say_what_was_found() {
    let share = |bytes: &[u8]| refused("a.tif", bytes, Scaling::Share);
    assert_eq!(
        share(&fixture("tiff/transparent.tif")),
        "a.tif: image: found transparent pixels, expected an opaque image"
    );
    let mut bytes = fixture("tiff/u16.tif");
    set_tag(&mut bytes, 259, 7);
    assert_eq!(
        share(&bytes),
        "a.tif: image: found page 1: compression 7, expected a compression without loss"
    );
    let mut bytes = fixture("tiff/u16.tif");
    set_tag(&mut bytes, 257, 65_535);
    set_tag(&mut bytes, 278, 65_535);
    assert_eq!(
        share(&bytes),
        "a.tif: image: found page 1: 9 x 65535 pixels of 1 samples, expected at most 16384 x 16384 pixels of 64 samples, and \
         as many as the file has bytes for"
    );
    let bytes = fixture("tiff/u16.tif");
    assert!(share(&bytes[..bytes.len() - 40]).starts_with("a.tif: image: found page 1: "));
    assert_eq!(share(b"text"), "a.tif: image: found neither, expected PNG or JPEG");
    // A page of lower resolution is left out, with a word.
    let mut bytes = fixture("tiff/pages.tif");
    let whole = images("a.tif", &bytes, Scaling::Raw).unwrap();
    set_tag(&mut bytes, 254, 1);
    let contents = read(&bytes, Path::new("a.tif")).unwrap();
    assert_eq!(
        contents.warnings,
        [Warning::new(
            WarningCode::LeftOut,
            "1 copies of lower resolution were left out"
        )]
    );
    let rest = images("a.tif", &bytes, Scaling::Raw).unwrap();
    assert_eq!(rest.values, whole.values.slice(ndarray::s![1.., .., .., ..]));
}

/// A PNG that promises ten thousand lines, each of which would be one bit deep, is not given memory for them.
#[test]
fn a_lying_header_gets_no_memory() {
    for (name, at) in [("images/gray8.png", 16), ("images/palette.png", 16)] {
        let mut bytes = fixture(name);
        bytes[at..at + 8].copy_from_slice(&[0, 0, 0x3f, 0xff, 0, 0, 0x3f, 0xff]);
        let crc = {
            let mut crc = flate2::Crc::new();
            crc.update(&bytes[12..29]);
            crc.sum()
        };
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        let (result, peak) = crate::allocation::peak(|| read(&bytes, Path::new("a.png")));
        let message = result.unwrap_err().to_string();
        assert!(message.contains("bytes for 16383 x 16383 pixels"), "{message}");
        assert!(peak < 1 << 20, "{peak}");
    }
}

fn survive(samples: &[(&str, Vec<u8>, usize)], kept: &[u64]) {
    mutate::survives(samples, 100_000, kept, |name, bytes| {
        match read(bytes, Path::new(name)) {
            Ok(contents) => {
                assert!(
                    contents
                        .parts
                        .iter()
                        .all(|part| matches!(part, Part::Images(images) if !images.values.is_empty()))
                );
                true
            }
            Err(error) => {
                assert!(error.to_string().starts_with(name), "{error}");
                false
            }
        }
    });
}

#[test]
fn broken_png_is_an_error_within_bounded_memory() {
    let names = ["gray8.png", "rgb16.png", "palette.png", "bits.png", "opaque.png"];
    survive(&names.map(|name| (name, fixture(&format!("images/{name}")), 33)), &[]);
}

#[test]
fn broken_jpeg_is_an_error_within_bounded_memory() {
    let names = ["gray.jpg", "rgb.jpg", "turned.jpg"];
    survive(&names.map(|name| (name, fixture(&format!("images/{name}")), 200)), &[]);
    for name in names {
        let bytes = fixture(&format!("images/{name}"));
        for end in [bytes.len() - 1, bytes.len() - 2, bytes.len() - bytes.len() / 4] {
            assert!(read(&bytes[..end], Path::new(name)).is_err(), "{name} cut at {end}");
        }
        // What comes after the end is not part of the image.
        assert!(read(&[&bytes[..], &[0; 9]].concat(), Path::new(name)).is_ok());
    }
}

#[test]
fn broken_tiff_is_an_error_within_bounded_memory() {
    let names = [
        "u16.tif",
        "u16be.tif",
        "bits.tif",
        "tiles.tif",
        "big.tif",
        "deflate.tif",
        "pages.tif",
        "planar.tif",
        "opaque.tif",
        "bands.tif",
        "lzw.tif",
        "lzw-difference.tif",
        "packbits.tif",
        "deflate-float.tif",
        "f16.tif",
        "turned6.tif",
    ];
    survive(&names.map(|name| (name, fixture(&format!("tiff/{name}")), 250)), &[]);
}
