//! The formats that are read: one row each, and what tells them apart.
//!
//! Extensions lie and are missing, so the first bytes decide. Only where they say nothing do names and the files beside count.

use std::path::Path;

use crate::FileError;
use crate::delimited::encoding::{decode, head_text};
use crate::format::{Format, Head, Signature, holds};
use crate::{c3d, delimited, dicom, edf, image, keypoints, nifti, parquet, skeleton, wfdb};

/// All formats. The order counts where two fit: signatures first, then what looks like one.
pub static FORMATS: [&Format; 11] = [
    // First of all: what stands before its signature is free, and some writers put the beginning of a TIFF there.
    &dicom::format::FORMAT,
    &image::format::FORMAT,
    &edf::format::FORMAT,
    &nifti::format::FORMAT,
    &parquet::format::FORMAT,
    &c3d::format::FORMAT,
    &keypoints::format::OPENPOSE,
    &keypoints::format::KEYPOINTS,
    &wfdb::format::FORMAT,
    &skeleton::FORMAT,
    // Last of all: many texts are tables.
    &delimited::format::FORMAT,
];

/// What is known and not read, with what to do about it.
const NOT_READ: [(&str, Signature, &str); 27] = [
    (
        "HDF5 (also NetCDF-4, MATLAB 7.3, Keras)",
        &[(0, b"\x89HDF")],
        "export its arrays as Parquet or CSV with h5py",
    ),
    (
        "Excel, OpenDocument or another ZIP archive",
        &[(0, b"PK\x03\x04")],
        "save a sheet as CSV; unpack an archive",
    ),
    (
        "old Excel or another OLE2 document",
        &[(0, b"\xd0\xcf\x11\xe0")],
        "save the sheet as CSV in UTF-8",
    ),
    (
        "MP4 or QuickTime film",
        &[(4, b"ftyp")],
        "cut it into images: ffmpeg -i FILE frames/%06d.png",
    ),
    (
        "Matroska or WebM film",
        &[(0, b"\x1a\x45\xdf\xa3")],
        "cut it into images: ffmpeg -i FILE frames/%06d.png",
    ),
    (
        "AVI film",
        &[(0, b"RIFF"), (8, b"AVI ")],
        "cut it into images: ffmpeg -i FILE frames/%06d.png",
    ),
    (
        "WAV sound",
        &[(0, b"RIFF"), (8, b"WAVE")],
        "convert it to CSV, or to WFDB with wav2mit",
    ),
    ("WebP image", &[(0, b"RIFF"), (8, b"WEBP")], "save the image as PNG"),
    ("GIF image", &[(0, b"GIF8")], "save the image as PNG"),
    ("JPEG 2000 image", &[(4, b"jP  \r\n")], "save the image as PNG"),
    (
        "OpenEXR image",
        &[(0, b"\x76\x2f\x31\x01")],
        "save the image as 16-bit TIFF",
    ),
    (
        "MATLAB 5 file",
        &[(0, b"MATLAB 5.0")],
        "export its arrays as Parquet or CSV with scipy.io.loadmat",
    ),
    (
        "NumPy array",
        &[(0, b"\x93NUMPY")],
        "write it as Parquet with pyarrow, or as CSV with numpy.savetxt",
    ),
    (
        "Python pickle",
        &[(0, b"\x80\x04\x95")],
        "write its arrays as Parquet or CSV; a pickle is a program",
    ),
    (
        "NetCDF 3 (also MINC 1)",
        &[(0, b"CDF")],
        "convert a MINC volume with mnc2nii, other data to CSV with ncdump",
    ),
    (
        "NRRD volume",
        &[(0, b"NRRD000")],
        "convert it to NIfTI with SimpleITK or 3D Slicer",
    ),
    (
        "General Data Format",
        &[(0, b"GDF ")],
        "convert it to EDF with BioSig's save2gdf or MNE",
    ),
    (
        "BrainVision header",
        &[(0, b"Brain Vision Data Exchange")],
        "convert it to EDF with MNE: raw.export",
    ),
    (
        "National Instruments TDMS",
        &[(0, b"TDSm")],
        "export it as CSV with npTDMS",
    ),
    (
        "Feather or Arrow IPC",
        &[(0, b"ARROW1")],
        "write it as Parquet with pyarrow",
    ),
    (
        "SQLite database",
        &[(0, b"SQLite format 3\0")],
        "export its tables as CSV: sqlite3 -csv -header",
    ),
    ("SPSS file", &[(0, b"$FL2")], "save it as CSV with pyreadstat"),
    (
        "Stata file",
        &[(0, b"<stata_dta>")],
        "save it as CSV with pandas.read_stata",
    ),
    ("PDF document", &[(0, b"%PDF")], "ask for the data behind it"),
    ("bzip2 archive", &[(0, b"BZh")], "unpack it"),
    ("xz archive", &[(0, b"\xfd7zXZ\0")], "unpack it"),
    ("Zstandard archive", &[(0, b"\x28\xb5\x2f\xfd")], "unpack it"),
];

/// The names of all formats, for messages.
fn supported() -> String {
    FORMATS.map(|format| format.name).join(", ")
}

/// The format of a file that begins with `head`, decompressed (16 KiB or all of it); `path` is for messages.
///
/// # Errors
/// [`FileError`] for a format that is known but not read, with the way to convert it, and for an unknown one.
pub fn detect(head: &[u8], path: &Path) -> Result<&'static Format, FileError> {
    let refused = |found: String, hint: &str| {
        FileError::at(path)
            .place("first bytes")
            .found(found)
            .expected(supported())
            .hint(hint)
    };
    if head.is_empty() {
        return Err(refused("an empty file".into(), "fetch or export it again"));
    }
    if let Some(format) = by_signature(head) {
        return Ok(format);
    }
    if let Some((name, _, hint)) = NOT_READ.iter().find(|(_, signature, _)| holds(signature, head)) {
        return Err(refused(format!("what looks like {name}, which is not read"), hint));
    }
    let head = Head::new(head);
    if let Some(format) = FORMATS.iter().find(|format| (format.sniff)(&head)) {
        return Ok(format);
    }
    let text = head_text(head.bytes);
    let Some(text) = text.as_deref().map(str::trim_start) else {
        let is_control = |byte: &u8| byte.is_ascii_control() && !b"\n\r\t\x0c".contains(byte);
        if !head.bytes.iter().any(is_control) {
            // A text but for its encoding.
            decode(head.bytes, path)?;
        }
        let found = format!("{}, which no reader knows", glimpse(head.bytes));
        return Err(refused(found, "convert it to one of these formats"));
    };
    Err(match text.chars().next() {
        Some('{' | '[') => refused("JSON without poses".into(), "write its numbers as CSV or Parquet"),
        Some('<') => refused("XML or HTML".into(), "export the data as CSV or EDF"),
        _ => refused(
            format!("text that is no table: {}", glimpse(head.bytes)),
            "a table has one separator and as many fields in every line",
        ),
    })
}

fn by_signature(head: &[u8]) -> Option<&'static Format> {
    FORMATS.into_iter().find(|format| format.has_signature(head))
}

/// The format that reads a file: that of its content, or of the recording that it belongs to by the files beside it.
///
/// # Errors
/// Those of [`detect`].
pub fn reader_of(head: &[u8], path: &Path) -> Result<&'static Format, FileError> {
    if let Some(format) = by_signature(head) {
        return Ok(format);
    }
    let detected = detect(head, path);
    let beside = Head::new(head);
    let owner = FORMATS
        .into_iter()
        .find(|format| (format.owns)(path, &beside, detected.is_ok()));
    owner.map_or(detected, Ok)
}

/// The first bytes as hexadecimal numbers, and what of them can be read.
fn glimpse(head: &[u8]) -> String {
    let head = head.get(..16).unwrap_or(head);
    let hex: Vec<String> = head.iter().map(|byte| format!("{byte:02x}")).collect();
    let letter = |&byte: &u8| {
        if (b' '..=b'~').contains(&byte) {
            char::from(byte)
        } else {
            '.'
        }
    };
    format!("{} ({:?})", hex.join(" "), head.iter().map(letter).collect::<String>())
}
