//! Which reader a file gets, by its bytes and whatever its name, and what is said about files that have none.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use recoup_formats::{Part, detect, open};
use tempfile::TempDir;

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data")
}

/// One file per variant that is read.
const FILES: [(&str, &str); 31] = [
    ("wfdb/frames.hea", "WFDB"),
    ("wfdb/fixed.hea", "WFDB"),
    ("formats/f212.hea", "WFDB"),
    ("gaitndd/als4.hea", "WFDB"),
    ("edf/plain.edf", "EDF"),
    ("edf/plus.edf", "EDF"),
    ("edf/plus.bdf", "EDF"),
    ("motion/eb015pi.c3d", "C3D"),
    ("motion/eb015sr.c3d", "C3D"),
    ("motion/eb015vr.c3d", "C3D"),
    ("nifti/f4le.nii", "NIfTI"),
    ("nifti/f4be.nii", "NIfTI"),
    ("nifti/v2.nii", "NIfTI"),
    ("nifti/film.nii.gz", "NIfTI"),
    ("nifti/pair.hdr", "NIfTI"),
    ("images/gray8.png", "image (PNG, JPEG, TIFF)"),
    ("images/rgb.jpg", "image (PNG, JPEG, TIFF)"),
    ("tiff/u16.tif", "image (PNG, JPEG, TIFF)"),
    ("tiff/u16be.tif", "image (PNG, JPEG, TIFF)"),
    ("tiff/big.tif", "image (PNG, JPEG, TIFF)"),
    ("parquet/types-v1-snappy.parquet", "Parquet"),
    ("gaitndd/als4.ts", "delimited text"),
    ("dicom/ct_implicit.dcm", "DICOM"),
    ("dicom/ct_big_endian.dcm", "DICOM"),
    ("dicom/ct_no_preamble.dcm", "DICOM"),
    ("dicom/ecg.dcm", "DICOM"),
    ("motion/ap.json", "keypoints (JSON)"),
    ("motion/bp.json", "keypoints (JSON)"),
    ("motion/kinect.txt", "skeletons (text)"),
    ("motion/vicon.txt", "skeletons (text)"),
    ("motion/kimore.csv", "skeletons (text)"),
];

#[test]
fn the_bytes_tell_the_format_and_a_wrong_name_does_not() {
    let folder = TempDir::new().unwrap();
    for (name, format) in FILES {
        let bytes = fs::read(fixtures().join(name)).unwrap();
        if !name.ends_with(".gz") {
            let head = &bytes[..bytes.len().min(16 << 10)];
            assert_eq!(detect(head, Path::new("wrong.mp4")).unwrap().name, format, "{name}");
        }
        let own = open(&fixtures().join(name)).unwrap();
        assert!(!own.parts.is_empty() || !own.facts.is_empty(), "{name}");
        // A header leads to other files by their names, which stay.
        if format == "WFDB" || name.ends_with(".hdr") {
            continue;
        }
        for wrong in ["file", "file.xyz", "file.png", "file.csv", "file.edf", "file.nii.gz"] {
            let path = folder.path().join(wrong);
            fs::write(&path, &bytes).unwrap();
            assert_eq!(open(&path).unwrap().format, own.format, "{name} as {wrong}");
        }
    }
}

#[test]
fn compressed_files_are_read_as_what_is_inside() {
    let folder = TempDir::new().unwrap();
    for name in ["edf/plain.edf", "nifti/f4le.nii", "gaitndd/als4.ts", "images/gray8.png"] {
        let bytes = fs::read(fixtures().join(name)).unwrap();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&bytes).unwrap();
        let compressed = encoder.finish().unwrap();
        let path = folder.path().join("file.gz");
        fs::write(&path, &compressed).unwrap();
        let found = open(&path).unwrap();
        assert_eq!(
            format!("{:?}", found.facts),
            format!("{:?}", open(&fixtures().join(name)).unwrap().facts),
            "{name}"
        );
        fs::write(&path, &compressed[..compressed.len() - 20]).unwrap();
        let message = open(&path).unwrap_err().to_string();
        assert!(message.contains("file.gz"), "{name}: {message}");
    }
}

#[test]
fn a_record_opens_by_any_of_its_files() {
    let at = |name: &str| open(&fixtures().join("wfdb").join(name)).unwrap();
    let whole = at("frames.hea");
    assert_eq!(whole.annotations.len(), 6);
    for name in ["frames", "frames.dat", "frames.atr"] {
        assert_eq!(format!("{:?}", at(name).parts), format!("{:?}", whole.parts), "{name}");
        assert_eq!(at(name).annotations, whole.annotations, "{name}");
    }
    // Another file of annotations takes the place of the usual one.
    let own = at("frames.own");
    assert_eq!(format!("{:?}", own.parts), format!("{:?}", whole.parts));
    assert_ne!(own.annotations, whole.annotations);
    // The header of these has another stem than the signal file.
    let parts = [at("flacframes_a.dat"), at("flacframes_b.dat")].map(|contents| format!("{:?}", contents.parts));
    assert_eq!(parts[0], parts[1]);
    let pair = ["pair.hdr", "pair.img"].map(|name| open(&fixtures().join("nifti").join(name)).unwrap());
    assert_eq!(format!("{:?}", pair[0].parts), format!("{:?}", pair[1].parts));
}

#[test]
fn decimal_commas_become_points() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("table.csv");
    fs::write(&path, "name;weight\nx;71,5\ny;80\n").unwrap();
    let contents = open(&path).unwrap();
    let [Part::Table(table)] = &contents.parts[..] else {
        panic!()
    };
    let fields: Vec<_> = table.rows().map(|row| row.field(1)).collect();
    assert_eq!(fields, ["71.5", "80"]);
    assert_eq!(table.columns, ["name", "weight"]);
    assert!(contents.facts.contains(&("decimal mark".into(), "comma".into())));
}

#[test]
fn files_without_a_reader_are_named_for_what_they_are() {
    let message = |bytes: &[u8]| detect(bytes, Path::new("f")).unwrap_err().to_string();
    let supported = "expected DICOM, image (PNG, JPEG, TIFF), EDF, NIfTI, Parquet, C3D, OpenPose (JSON), keypoints (JSON), WFDB, \
                     skeletons (text), delimited text";
    assert_eq!(
        message(b"\x89HDF\r\n\x1a\n and more"),
        format!(
            "f: first bytes: found what looks like HDF5 (also NetCDF-4, MATLAB 7.3, Keras), which is not read, {supported}\n\
             hint: export its arrays as Parquet or CSV with h5py"
        )
    );
    for (bytes, name) in [
        (&b"PK\x03\x04rest"[..], "Excel"),
        (b"\0\0\0\x20ftypisom", "MP4"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "WAV"),
        (b"RIFF\x24\0\0\0AVI LIST", "AVI"),
        (b"\x93NUMPY\x01\0", "NumPy"),
        (b"MATLAB 5.0 MAT-file", "MATLAB 5"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old Excel"),
        (b"GIF89a", "GIF"),
        (b"%PDF-1.7", "PDF"),
    ] {
        let message = message(bytes);
        assert!(
            message.contains(&format!("looks like {name}")) && message.contains("hint: "),
            "{message}"
        );
    }
    assert_eq!(
        message(b"\x01\x02\xfe\xff something"),
        format!(
            "f: first bytes: found 01 02 fe ff 20 73 6f 6d 65 74 68 69 6e 67 (\".... something\"), which no reader knows, \
             {supported}\nhint: convert it to one of these formats"
        )
    );
    assert!(message(b"").contains("an empty file"));
    assert!(message(b"Dear reader,\nthis is\na letter with words.\n").contains("text that is no table"));
    assert!(message(b"{\"a\": 1}").contains("JSON without poses"));
    assert!(message(b"<html><body>1,2</body></html>").contains("XML or HTML"));
    let mut both = fs::read(fixtures().join("dicom/ct_implicit.dcm")).unwrap();
    both[..4].copy_from_slice(b"II*\0");
    assert_eq!(detect(&both, Path::new("f.tif")).unwrap().name, "DICOM");
    // Nothing else that begins with the numbers of a header is one.
    assert_eq!(detect(b"3 4\n1 2\n", Path::new("f")).unwrap().name, "delimited text");
    assert_eq!(
        detect(b"a b\n1 2\n3 4\n", Path::new("f")).unwrap().name,
        "delimited text"
    );
}

#[test]
fn a_folder_is_one_thing_or_named_for_what_it_holds() {
    let folder = TempDir::new().unwrap();
    let message = || open(folder.path()).unwrap_err().to_string();
    assert!(message().contains("found no file"));
    for (index, name) in ["b10.dcm", "b9.dcm", "b1.dcm", "b2.dcm"].iter().enumerate() {
        let slice = fixtures().join(format!("dicom/series_{index}.dcm"));
        fs::copy(slice, folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("README"), "words only").unwrap();
    let series = open(folder.path()).unwrap();
    let [Part::Images(images)] = &series.parts[..] else {
        panic!()
    };
    assert_eq!((images.values.dim().0, images.affine.is_some()), (4, true));
    assert_eq!(
        series.warnings.last().unwrap().to_string(),
        "left out: README (left-out)"
    );
    let folder = TempDir::new().unwrap();
    for (index, name) in [(0_u8, "frame2.png"), (1, "frame10.png"), (2, "frame1.png")] {
        image::GrayImage::from_pixel(3, 2, image::Luma([index * 51]))
            .save(folder.path().join(name))
            .unwrap();
    }
    let film = open(folder.path()).unwrap();
    let [Part::Images(images)] = &film.parts[..] else {
        panic!()
    };
    // Frames 3 to 9 have no file.
    let shades: Vec<f32> = images.values.outer_iter().map(|frame| frame[(0, 0, 0)]).collect();
    assert_eq!((shades.len(), shades[0], shades[1], shades[9]), (10, 0.4, 0.0, 0.2));
    assert!(shades[2..9].iter().all(|shade| shade.is_nan()));
    assert_eq!((images.rate_hz, images.num_volumes), (None, 1));
    let folder = TempDir::new().unwrap();
    let message = || open(folder.path()).unwrap_err().to_string();
    fs::copy(fixtures().join("edf/plain.edf"), folder.path().join("a.edf")).unwrap();
    fs::write(folder.path().join("b.csv"), "a,b\n1,2\n").unwrap();
    fs::write(folder.path().join(".hidden"), "x").unwrap();
    let message = message();
    assert!(
        message.contains("found 1 EDF, 1 delimited text, expected the images"),
        "{message}"
    );
    assert!(
        message.contains("hint: name one of its files: a.edf, b.csv"),
        "{message}"
    );
    let missing = open(Path::new("/does/not/exist")).unwrap_err();
    assert_eq!(missing.io_kind(), Some(std::io::ErrorKind::NotFound));
}

#[test]
fn broken_bytes_never_panic_in_detection() {
    let samples: Vec<(&str, Vec<u8>, usize)> = FILES
        .iter()
        .map(|(name, _)| {
            let mut bytes = fs::read(fixtures().join(name)).unwrap();
            bytes.truncate(2048);
            (*name, bytes, 600)
        })
        .collect();
    crate::mutate::survives(&samples, 100_000, &[], |name, bytes| {
        match detect(bytes, Path::new(name)) {
            Ok(_) => true,
            Err(error) => {
                assert!(error.to_string().contains(name));
                false
            }
        }
    });
}
