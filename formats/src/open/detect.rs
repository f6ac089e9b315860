//! The format of a file, by its first bytes.

use std::borrow::Cow;
use std::path::Path;

use super::HEAD_BYTES;
use crate::FileError;
use crate::delimited::encoding::{decode, decode_head};
use crate::delimited::sniff::is_table;

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// Header of a WFDB record.
    Wfdb,
    /// European Data Format, 16 bits, or BioSemi's with 24 bits.
    Edf,
    /// DICOM file, with or without its preamble.
    Dicom,
    /// C3D motion capture.
    C3d,
    /// NIfTI-1 or NIfTI-2 volume.
    Nifti,
    /// PNG, JPEG or TIFF.
    Image,
    /// Apache Parquet table.
    Parquet,
    /// Output of OpenPose: JSON with the people of one frame.
    OpenPose,
    /// JSON with the keypoints of all frames.
    Keypoints,
    /// Skeletons of Kinect or Vicon as text, one frame per line.
    Skeleton,
    /// Text table.
    Delimited,
}

impl Format {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wfdb => "WFDB",
            Self::Edf => "EDF",
            Self::Dicom => "DICOM",
            Self::C3d => "C3D",
            Self::Nifti => "NIfTI",
            Self::Image => "image",
            Self::Parquet => "Parquet",
            Self::OpenPose => "OpenPose",
            Self::Keypoints => "keypoints",
            Self::Skeleton => "skeletons",
            Self::Delimited => "delimited text",
        }
    }
}

/// Where a signature lies and what it is; more than one must hold for some formats.
type Signature = &'static [(usize, &'static [u8])];

/// Signatures that no other content has by chance.
const READ: [(Format, Signature); 16] = [
    // First of all: what stands before it is free, and some writers put the beginning of a TIFF there.
    (Format::Dicom, &[(128, b"DICM")]),
    (Format::Image, &[(0, b"\x89PNG\r\n\x1a\n")]),
    (Format::Image, &[(0, b"\xff\xd8\xff")]),
    (Format::Image, &[(0, b"II*\0")]),
    (Format::Image, &[(0, b"MM\0*")]),
    (Format::Image, &[(0, b"II+\0")]),
    (Format::Image, &[(0, b"MM\0+")]),
    (Format::Edf, &[(0, b"0       ")]),
    (Format::Edf, &[(0, b"\xffBIOSEMI")]),
    (Format::Nifti, &[(344, b"n+1\0")]),
    (Format::Nifti, &[(344, b"ni1\0")]),
    (Format::Nifti, &[(4, b"n+2\0\r\n\x1a\n")]),
    (Format::Nifti, &[(4, b"ni2\0\r\n\x1a\n")]),
    (Format::Parquet, &[(0, b"PAR1")]),
    (Format::Nifti, &[(0, b"\x5c\x01\0\0"), (38, b"r")]),
    (Format::Nifti, &[(0, b"\0\0\x01\x5c"), (38, b"r")]),
];

/// Formats that are known and not read, with what to do about them.
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

/// For messages.
const SUPPORTED: &str = "WFDB (.hea), EDF, EDF+, BDF, C3D, DICOM, NIfTI (.nii, .nii.gz), PNG, JPEG, TIFF, Parquet, OpenPose \
                         and other pose JSON, or delimited text (CSV, TSV)";

/// Whether the format is certain.
pub(super) fn has_signature(head: &[u8]) -> bool {
    READ.iter().any(|(_, signature)| holds(signature, head))
}

fn holds(signature: Signature, head: &[u8]) -> bool {
    signature
        .iter()
        .all(|(at, magic)| head.get(*at..).is_some_and(|rest| rest.starts_with(magic)))
}

/// The format of a file that begins with `head` (16 kB or all of it); `path` is for messages.
///
/// # Errors
/// [`FileError`] for a format that is known but not read, with the way to convert it, and for an unknown one.
pub fn detect(head: &[u8], path: &Path) -> Result<Format, FileError> {
    let refused = |found: String, hint: &str| {
        FileError::at(path)
            .place("first bytes")
            .found(found)
            .expected(SUPPORTED)
            .hint(hint)
    };
    if head.is_empty() {
        return Err(refused("an empty file".into(), "fetch or export it again"));
    }
    if let Some((format, _)) = READ.iter().find(|(_, signature)| holds(signature, head)) {
        return Ok(*format);
    }
    if let Some((name, _, hint)) = NOT_READ.iter().find(|(_, signature, _)| holds(signature, head)) {
        return Err(refused(format!("what looks like {name}, which is not read"), hint));
    }
    if is_c3d(head) {
        return Ok(Format::C3d);
    }
    if is_bare_dicom(head) {
        return Ok(Format::Dicom);
    }
    let Some(text) = text(head) else {
        if !head.iter().any(|&byte| is_control(char::from(byte)) && byte < 0x80) {
            // Text but for its encoding.
            decode(head, path)?;
        }
        return Err(refused(
            format!("{}, which no reader knows", glimpse(head)),
            "convert it to one of these formats",
        ));
    };
    match text.trim_start() {
        json if json.starts_with(['{', '[']) => match () {
            () if json.contains("\"people\"") => Ok(Format::OpenPose),
            () if json.contains("\"positions\"") || json.contains("\"visibility\"") => Ok(Format::Keypoints),
            () => Err(refused(
                "JSON without poses".into(),
                "write its numbers as CSV or Parquet",
            )),
        },
        markup if markup.starts_with('<') => Err(refused("XML or HTML".into(), "export the data as CSV or EDF")),
        _ if is_wfdb_header(&text) => Ok(Format::Wfdb),
        _ if is_skeleton(&text) => Ok(Format::Skeleton),
        // One line of words is no table.
        _ if text.trim().contains(['\n', '\r']) && is_table(&text) => Ok(Format::Delimited),
        _ => {
            let hint = "a table has one separator and as many fields in every line";
            Err(refused(format!("text that is no table: {}", glimpse(head)), hint))
        }
    }
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

/// Text without control characters; the last line of a long one may be cut and does not count.
fn text(head: &[u8]) -> Option<Cow<'_, str>> {
    let text = decode_head(head)?;
    let end = if head.len() < HEAD_BYTES {
        text.len()
    } else {
        text.rfind(['\n', '\r']).unwrap_or(text.len())
    };
    if text.get(..end)?.contains(is_control) {
        return None;
    }
    Some(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..end)?),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    })
}

fn is_control(letter: char) -> bool {
    letter.is_control() && !matches!(letter, '\n' | '\r' | '\t' | '\u{c}')
}

/// Whether the beginning of a file is that of a text with so few lines that more are needed to see its columns.
pub(super) fn has_long_lines(head: &[u8]) -> bool {
    const NUM_LINES: usize = 4;
    let begins_table = |text: &str| !text.trim_start().starts_with(['{', '[', '<']);
    !has_signature(head)
        && text(head).is_some_and(|text| begins_table(&text) && text.split(['\n', '\r']).nth(NUM_LINES).is_none())
}

/// The parameters begin in block 2 to 31, and `P` follows; the letters that texts have below 32 do not count.
fn is_c3d(head: &[u8]) -> bool {
    matches!(head, [2..=8 | 11 | 12 | 14..=31, 0x50, ..])
}

/// First element of group 2 or 8 in either byte order, with a value representation or a short length.
fn is_bare_dicom(head: &[u8]) -> bool {
    let &[a, b, c, d, e, f, g, h, ..] = head else {
        return false;
    };
    let little = matches!((a, b, d), (2 | 8, 0, 0)) && c <= 0x90;
    let big = matches!((a, b, c), (0, 2 | 8, 0)) && d <= 0x90;
    let representation = e.is_ascii_uppercase() && f.is_ascii_uppercase();
    let short = if little {
        (f, g, h) == (0, 0, 0)
    } else {
        (e, f, g) == (0, 0, 0)
    };
    (little || big) && (representation || short)
}

/// As many numbers as the joints of a skeleton take, each joint with a quaternion of length 1 (or none) or a tracking
/// state behind its position.
fn is_skeleton(text: &str) -> bool {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let fields = line.split([',', ' ', '\t', '\r']).filter(|field| !field.is_empty());
    let numbers: Option<Vec<f64>> = fields.map(|field| field.parse().ok()).collect();
    let numbers = numbers.unwrap_or_default();
    let is_turn = |joint: &[f64]| {
        let length = joint.iter().skip(3).map(|number| number * number).sum::<f64>();
        length == 0.0 || (length - 1.0).abs() < 0.01
    };
    match numbers.len() {
        175 | 119 => numbers.chunks_exact(7).all(is_turn),
        100 => numbers
            .chunks_exact(4)
            .all(|joint| joint.last().is_some_and(|state| [0.0, 1.0, 2.0].contains(state))),
        _ => false,
    }
}

/// `NAME[/SEGMENTS] SIGNALS ...` and, unless there are no signals, `FILE FORMAT ...` or `SEGMENT SAMPLES`.
fn is_wfdb_header(text: &str) -> bool {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut record = lines.next().unwrap_or_default().split_whitespace();
    let name = record.next().unwrap_or_default();
    let num_signals = record.next().and_then(|count| count.parse::<usize>().ok());
    let is_name = name.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_')
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '/' | '.'))
        && name.parse::<f64>().map_or(true, |_| record.next().is_some());
    let line = lines.next().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let is_code = |text: &str| text.starts_with(|letter: char| letter.is_ascii_digit());
    match (num_signals, line.as_deref()) {
        (Some(0), None) => is_name,
        (Some(_), Some([file, code, ..])) => {
            is_name && is_code(code) && (name.contains('/') || file.parse::<f64>().is_err())
        }
        _ => false,
    }
}
