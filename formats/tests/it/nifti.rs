//! NIfTI against nibabel, and against laws that need no reference.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{Array3, Array4};
use recoup_formats::nifti::{Affine, Mask, Volume, gzipped, read, read_pair, read_volume, write_nifti};
use recoup_formats::{Contents, Images, Part, Warning, WarningCode};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::mutate;

#[derive(Deserialize)]
struct Golden {
    fixtures: BTreeMap<String, Image>,
    turned: Vec<Turned>,
    resampled: Vec<Resampled>,
    samples: BTreeMap<String, Image>,
}

#[derive(Deserialize)]
struct Image {
    shape: Vec<usize>,
    affine: Affine,
    axes: String,
    values: Option<Vec<f64>>,
    sha256: Option<String>,
}

#[derive(Deserialize)]
struct Turned {
    shape: [usize; 3],
    affine: Affine,
    values: Vec<f32>,
    axes: String,
    new_shape: [usize; 3],
    new_affine: Affine,
    new_values: Vec<f32>,
}

#[derive(Deserialize)]
struct Resampled {
    shape: [usize; 3],
    affine: Affine,
    values: Vec<f32>,
    voxel_mm: [f64; 3],
    new_shape: [usize; 3],
    new_affine: Affine,
    new_values: Vec<Option<f64>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/nifti.json")).unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data/nifti");
    fs::read(folder.join(name)).unwrap()
}

fn images(contents: &Contents) -> &Images {
    let [Part::Images(images)] = contents.parts.as_slice() else {
        panic!("not one part of images");
    };
    images
}

fn fact<'c>(contents: &'c Contents, name: &str) -> Option<&'c str> {
    contents
        .facts
        .iter()
        .find(|(fact, _)| fact == name)
        .map(|(_, value)| value.as_str())
}

fn assert_close(name: &str, found: &Affine, expected: &Affine, tolerance: f64) {
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert!(
            (found - expected).abs() <= tolerance * expected.abs().max(1.0),
            "{name}: {found}, expected {expected}"
        );
    }
}

/// Shape, axes, affine.
fn assert_place(name: &str, contents: &Contents, expected: &Image) {
    let size = |axis: usize| expected.shape.get(axis).copied().unwrap_or(1);
    let images = images(contents);
    let planes = images.planes.len();
    assert_eq!(
        images.values.dim(),
        (size(2) * size(3), planes, size(1), size(0)),
        "{name}"
    );
    assert_eq!(fact(contents, "orientation"), Some(expected.axes.as_str()), "{name}");
    assert_close(name, images.affine.as_ref().unwrap(), &expected.affine, 1e-14);
    // Two samples call their 2000 milliseconds seconds.
    let doubtful = ["example4d.nii.gz", "example_nifti2.nii.gz"].contains(&name);
    let warning = "2000 s from one volume to the next: the header's unit of time is likely wrong";
    assert_eq!(
        contents.warnings,
        doubtful
            .then(|| Warning::new(WarningCode::Contradiction, warning))
            .into_iter()
            .collect::<Vec<_>>(),
        "{name}"
    );
}

#[test]
fn nifti_fixtures_read_as_nibabel_reads_them() {
    let golden = golden();
    assert_eq!(golden.fixtures.len(), 29);
    for (name, expected) in &golden.fixtures {
        let contents = match name.as_str() {
            "pair.hdr" => read_pair(&fixture(name), &fixture("pair.img"), Path::new(name)),
            _ => read(&fixture(name), Path::new(name)),
        };
        let contents = contents.unwrap();
        assert_place(name, &contents, expected);
        let values = expected.values.as_ref().unwrap();
        let found = &images(&contents).values;
        if name == "colour.nii" {
            // The golden values have the colours side by side.
            let (slices, _, lines, columns) = found.dim();
            let mut expected = values.iter();
            for pixel in 0..slices * lines * columns {
                let (slice, line, column) = (pixel / (lines * columns), pixel / columns % lines, pixel % columns);
                for plane in 0..3 {
                    assert_eq!(
                        f64::from(found[[slice, plane, line, column]]),
                        *expected.next().unwrap()
                    );
                }
            }
        } else {
            assert!(
                found
                    .iter()
                    .zip(values)
                    .all(|(&found, &expected)| f64::from(found) == expected),
                "{name}"
            );
            assert_eq!(found.len(), values.len(), "{name}");
        }
    }
}

#[test]
fn nifti_tells_the_rate_and_the_units() {
    let contents = |name: &str| read(&fixture(name), Path::new(name)).unwrap();
    let film = contents("film.nii.gz");
    assert_eq!((images(&film).rate_hz, fact(&film, "TR")), (Some(0.4), Some("2.5 s")));
    assert_eq!(images(&contents("v2be.nii.gz")).rate_hz, Some(0.8));
    assert_eq!(images(&contents("u1le.nii")).rate_hz, None);
    assert_eq!(contents("v2be.nii.gz").format, "NIfTI-2, big-endian");
    assert_eq!(fact(&contents("half-turn.nii"), "affine from"), Some("qform"));
    // Metres and micrometres become millimetres.
    let mut bytes = fixture("f4le.nii");
    let place = |bytes: &[u8]| images(&read(bytes, Path::new("a")).unwrap()).affine.unwrap();
    let in_mm = place(&bytes);
    for (code, scale) in [(1, 1e3), (3, 1e-3), (0, 1.0)] {
        bytes[123] = code;
        assert_close(
            "units",
            &place(&bytes),
            &in_mm.map(|row| row.map(|value| value * scale)),
            1e-15,
        );
    }
}

#[test]
fn nifti_samples_read_as_nibabel_reads_them() {
    let Some(folder) = std::env::var_os("RECOUP_TEST_DATA").map(|folder| PathBuf::from(folder).join("nifti")) else {
        eprintln!("skipped: RECOUP_TEST_DATA is not set, nifti was not read");
        return;
    };
    let golden = golden();
    let mut num_read = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.contains(".nii") {
            continue;
        }
        let result = read(&fs::read(folder.join(&name)).unwrap(), Path::new(&name));
        let Some(expected) = golden.samples.get(&name) else {
            assert_eq!(name, "row_major.dconn.nii");
            assert_eq!(
                result.unwrap_err().to_string(),
                "row_major.dconn.nii: byte 16, dim: found 6 dimensions, [1, 1, 1, 1, 10, 10] of CIFTI-2 (intent 3001), \
                 expected an image in space\nhint: it holds a matrix of brain parts, not a volume; export volumes with \
                 `wb_command -cifti-separate`"
            );
            continue;
        };
        let contents = result.unwrap();
        assert_place(&name, &contents, expected);
        let bytes: Vec<u8> = images(&contents)
            .values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let hash: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(Some(&hash), expected.sha256.as_ref(), "{name}");
        num_read += 1;
    }
    assert_eq!((num_read, golden.samples.len()), (7, 7));
}

#[test]
fn nifti_errors_name_the_place() {
    let error = |bytes: &[u8]| read(bytes, Path::new("a.nii")).unwrap_err().to_string();
    let line = |bytes: &[u8]| error(bytes).lines().next().unwrap().to_owned();
    let whole = fixture("i2le.nii");
    let edited = |at: usize, field: &[u8]| {
        let mut bytes = whole.clone();
        bytes[at..at + field.len()].copy_from_slice(field);
        bytes
    };
    assert_eq!(
        error(&whole[..whole.len() - 1]),
        "a.nii: size: found 399 bytes, uncompressed, expected 400 for [4, 3, 2, 1] voxels\nhint: the file is damaged or \
         not NIfTI; convert it again, or fetch it again"
    );
    for (code, name) in [
        (1536i16, "float128"),
        (32, "complex64"),
        (1792, "complex128"),
        (2304, "RGBA32"),
        (1, "bits"),
    ] {
        let expected = format!(
            "a.nii: datatype: found {name} (code {code}), expected integers of 8 to 64 bits, float32, float64 or RGB24"
        );
        assert_eq!(line(&edited(70, &code.to_le_bytes())), expected);
    }
    assert_eq!(
        line(&edited(40, &[5, 0, 4, 0, 3, 0, 2, 0, 1, 0, 3, 0])),
        "a.nii: byte 40, dim: found 5 dimensions, [4, 3, 2, 1, 3], expected 1 to 4 dimensions of at least 1, any others of 1"
    );
    // A fifth dimension of 1 is none.
    assert!(read(&edited(40, &[5, 0, 4, 0, 3, 0, 2, 0, 1, 0, 1, 0]), Path::new("a")).is_ok());
    assert_eq!(
        line(&edited(344, b"n+0")),
        "a.nii: byte 344: found `n+0`, expected n+1, ni1, n+2 or ni2 (ANALYZE 7.5 files, which have none, leave left and \
         right open)"
    );
    assert_eq!(
        line(&edited(108, &350f32.to_le_bytes())),
        "a.nii: byte 108, vox_offset: found 350, expected 0, or at least 352"
    );
    assert_eq!(
        line(&edited(0, &[9])),
        "a.nii: byte 0: found 400 bytes that start with [9, 1, 0, 0], expected the length of a header, 348 or 540, and that \
         many bytes"
    );
    assert_eq!(
        line(&fixture("pair.hdr")),
        "a.nii: magic: found the header of a pair, expected header and data in one file"
    );
    let slope = [2f32.to_le_bytes(), f32::INFINITY.to_le_bytes()].concat();
    assert_eq!(
        line(&edited(112, &slope)),
        "a.nii: scl_inter: found inf, expected a finite number beside a slope"
    );
    assert!(line(&edited(280, &f32::NAN.to_le_bytes())).starts_with("a.nii: sform: found [[NaN, "));
    let error = read_volume(&fixture("colour.nii"), Path::new("a.nii"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("a.nii: byte 70, datatype: found colours, expected one number per voxel"),
        "{error}"
    );
}

#[test]
fn written_volumes_are_what_nibabel_writes_and_read_back_bit_for_bit() {
    let bytes = fixture("written.nii");
    let volume = read_volume(&bytes, Path::new("written.nii")).unwrap();
    assert_eq!(volume.values.dim(), (2, 2, 3, 4));
    assert!(volume.values.iter().any(|value| value.is_nan()) && volume.values.iter().any(|value| value.is_subnormal()));
    let written = write_nifti(volume.values.view(), &volume.affine, volume.volume_secs).unwrap();
    assert_eq!(written, bytes);
    let compressed = gzipped(&written).unwrap();
    let again = read_volume(&compressed, Path::new("written.nii.gz")).unwrap();
    assert_eq!(
        write_nifti(again.values.view(), &again.affine, again.volume_secs).unwrap(),
        bytes
    );
    let long = Array4::<f32>::zeros((1, 1, 1, 40_000));
    assert_eq!(
        write_nifti(long.view(), &volume.affine, None).unwrap_err(),
        "a side of 40000 voxels, expected 1 to 32767"
    );
}

fn volume([x, y, z]: [usize; 3], values: &[f32], affine: Affine) -> Volume {
    let values = Array4::from_shape_vec((1, z, y, x), values.to_vec()).unwrap();
    Volume {
        values,
        affine,
        volume_secs: None,
    }
}

#[test]
fn volumes_turn_as_in_nibabel_and_keep_their_voxels() {
    for (index, case) in golden().turned.iter().enumerate() {
        let old = volume(case.shape, &case.values, case.affine);
        assert_eq!(old.orientation().as_deref(), Some(case.axes.as_str()), "{index}");
        let new = old.to_ras().unwrap();
        assert_eq!(new, volume(case.new_shape, &case.new_values, new.affine), "{index}");
        assert_close(&index.to_string(), &new.affine, &case.new_affine, 1e-13);
        // Sums of whole numbers are exact in any order.
        assert_eq!(new.values.sum(), old.values.sum());
        assert_eq!(new.orientation().as_deref(), Some("RAS"));
        assert_eq!(new.to_ras().unwrap(), new);
    }
    let mut flat = volume([1, 1, 1], &[1.0], [[1.0, 0.0, 0.0, 0.0]; 3]);
    assert!(flat.to_ras().unwrap_err().contains("flattens space"));
    flat.affine[1][1] = f64::NAN;
    assert_eq!((flat.orientation(), flat.resampled([1.0; 3]).is_err()), (None, true));
}

#[test]
fn volumes_resample_as_in_nibabel() {
    for case in &golden().resampled {
        let new = volume(case.shape, &case.values, case.affine)
            .resampled(case.voxel_mm)
            .unwrap();
        let [x, y, z] = case.new_shape;
        assert_eq!(new.values.dim(), (1, z, y, x));
        assert_close("grid", &new.affine, &case.new_affine, 1e-13);
        let inside = new
            .values
            .iter()
            .zip(&case.new_values)
            .filter_map(|(&found, expected)| Some((found, (*expected)?)));
        let largest = inside
            .clone()
            .map(|(found, expected)| (f64::from(found) - expected).abs())
            .fold(0.0, f64::max);
        // Values reach 100; what is left is the rounding to f32.
        assert!(largest < 4e-6, "{largest}");
        assert!(inside.clone().count() > 20 && inside.clone().any(|(found, _)| found != 0.0));
    }
}

/// A ramp along each axis is what linear interpolation reproduces, also where the grid ends within a voxel.
#[test]
fn a_linear_ramp_resamples_exactly() {
    let affine = [[-2.0, 0.0, 0.0, 10.0], [0.0, 0.0, 3.0, -7.0], [0.0, 2.5, 0.0, 1.0]];
    let ramp = |[x, y, z]: [f64; 3]| 3.0 * x - 2.0 * y + 0.5 * z + 1.0;
    let place = |affine: &Affine, index: [usize; 3]| {
        affine.map(|row| (0..3).map(|axis| row[axis] * index[axis] as f64).sum::<f64>() + row[3])
    };
    let values = |affine: &Affine, (volumes, z, y, x): (usize, usize, usize, usize)| {
        Array4::from_shape_fn((volumes, z, y, x), |(_, z, y, x)| ramp(place(affine, [x, y, z])) as f32)
    };
    let old = Volume {
        values: values(&affine, (2, 4, 5, 6)),
        affine,
        volume_secs: Some(2.0),
    };
    let new = old.resampled([1.0, 1.0, 1.0]).unwrap();
    // 5 x 2, 3 x 3 and 4 x 2.5 mm.
    assert_eq!(new.values.dim(), (2, 11, 10, 11));
    let expected = values(&new.affine, new.values.dim());
    let largest = (&new.values - &expected)
        .iter()
        .fold(0f32, |largest, error| largest.max(error.abs()));
    assert!(largest <= 4e-6, "{largest}");
    assert_eq!((new.volume_secs, new.voxel_mm()), (Some(2.0), [1.0; 3]));
    // A grid beyond the last voxel: 10 mm in steps of 4 are 3 steps, the last of which is outside and 0.
    let coarse = old.resampled([4.0, 1.0, 1.0]).unwrap();
    assert_eq!(coarse.values.dim().3, 4);
    assert!(
        coarse
            .values
            .slice(ndarray::s![.., .., .., 3])
            .iter()
            .all(|&value| value == 0.0)
    );
    for size in [0.0, -1.0, f64::NAN, 1e-6] {
        assert!(
            old.resampled([size, 1.0, 1.0])
                .unwrap_err()
                .contains("expected at most 2^31 voxels above 0 mm")
        );
    }
}

#[test]
fn standardised_volumes_have_mean_0_and_deviation_1_within_the_mask() {
    let mut draws = mutate::Draws(5);
    let values = Array4::from_shape_fn((2, 3, 4, 5), |_| draws.below(1000) as f32 - 300.0);
    let identity = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
    let whole = Volume {
        values: values.clone(),
        affine: identity,
        volume_secs: None,
    };
    let given = Array3::from_shape_fn((3, 4, 5), |(z, y, _)| (z + y) % 2 == 0);
    for mask in [Mask::Above(0.0), Mask::Given(&given)] {
        let mut volume = whole.clone();
        volume.values[[0, 0, 0, 0]] = f32::NAN;
        volume.standardise(mask).unwrap();
        let inside = |(volume, z, y, x): (usize, usize, usize, usize)| match mask {
            Mask::Above(threshold) => values[[volume, z, y, x]] > threshold && (volume, z, y, x) != (0, 0, 0, 0),
            Mask::Given(given) => given[[z, y, x]] && (volume, z, y, x) != (0, 0, 0, 0),
        };
        let (within, without): (Vec<_>, Vec<_>) = volume.values.indexed_iter().partition(|(at, _)| inside(*at));
        assert!(without.iter().all(|(_, value)| **value == 0.0) && !without.is_empty());
        let count = within.len() as f64;
        let mean = within.iter().map(|(_, value)| f64::from(**value)).sum::<f64>() / count;
        let variance = within.iter().map(|(_, value)| f64::from(**value).powi(2)).sum::<f64>() / count;
        assert!(mean.abs() < 1e-7 && (variance - 1.0).abs() < 1e-6, "{mean}, {variance}");
        // The order of values is kept.
        let (a, b) = (within[0], within[1]);
        assert_eq!(values[a.0] < values[b.0], a.1 < b.1);
    }
    let mut constant = Volume {
        values: Array4::from_elem((1, 2, 2, 2), 0.1),
        ..whole.clone()
    };
    constant.standardise(Mask::Above(0.0)).unwrap();
    assert!(constant.values.iter().all(|&value| value == 0.0));
    let mut empty = whole.clone();
    empty.standardise(Mask::Above(f32::MAX)).unwrap();
    assert!(empty.values.iter().all(|&value| value == 0.0));
    let small = Array3::from_elem((1, 4, 5), true);
    assert_eq!(
        empty.standardise(Mask::Given(&small)).unwrap_err(),
        "a mask of [1, 4, 5], expected 3 x 4 x 5"
    );
}

/// A header that promises 8 GB before compressed zeros of 1 MB, and one that promises 24 voxels before as many.
#[test]
fn compressed_zeros_do_not_fill_memory() {
    let mut bytes = fixture("i2le.nii");
    bytes.extend(vec![0; 1 << 24]);
    let compressed = gzipped(&bytes).unwrap();
    let (result, peak) = crate::allocation::peak(|| read(&compressed, Path::new("a.nii.gz")));
    assert_eq!(images(&result.unwrap()).values.len(), 24);
    assert!(peak < 1 << 18, "{peak}");
    bytes.truncate(1 << 12);
    bytes[42..48].copy_from_slice(&[0xff, 0x7f, 0xff, 0x7f, 4, 0]);
    let compressed = gzipped(&bytes).unwrap();
    let (result, peak) = crate::allocation::peak(|| read(&compressed, Path::new("a.nii.gz")));
    let expected = "found 4096 bytes, uncompressed, expected 8589410664 for [32767, 32767, 4, 1] voxels";
    assert!(result.unwrap_err().to_string().contains(expected));
    assert!(peak < 1 << 18, "{peak}");
}

fn survive(samples: &[(&str, Vec<u8>, usize)], kept: &[u64]) {
    mutate::survives(samples, 100_000, kept, |name, bytes| {
        match read(bytes, Path::new(name)) {
            Ok(contents) => {
                let _ = images(&contents)
                    .affine
                    .map(|affine| volume([1, 1, 1], &[0.0], affine).to_ras().is_ok());
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
fn broken_nifti_is_an_error_within_bounded_memory() {
    let names = ["i2le.nii", "f8be.nii", "v2.nii", "colour.nii", "slice.nii", "u4be.nii"];
    survive(&names.map(|name| (name, fixture(name), 352)), &[]);
}

#[test]
fn broken_compressed_nifti_is_an_error_within_bounded_memory() {
    // Broken before compression, so that the checksum holds, and after it.
    let inner = gzipped(&fixture("written.nii")).unwrap();
    survive(
        &[
            ("film.nii.gz", fixture("film.nii.gz"), 20),
            ("v2be.nii.gz", fixture("v2be.nii.gz"), 20),
            ("w", inner, 20),
        ],
        &[],
    );
    let samples = ["i2le.nii", "v2.nii"].map(|name| (name, fixture(name), 352));
    mutate::survives(&samples, 10_000, &[], |name, bytes| {
        let compressed = gzipped(bytes).unwrap();
        read(&compressed, Path::new(name)).is_ok()
    });
}
