//! Headers of NIfTI-1 (348 bytes) and NIfTI-2 (540 bytes), in either byte order.

use std::path::Path;

use super::damaged;
use crate::FileError;
use crate::text::decode;

/// Codes of `intent_code` that belong to CIFTI-2.
const CIFTI: std::ops::Range<i32> = 3000..3100;

/// The fields that are used.
#[derive(Debug, Clone)]
pub struct Header {
    /// 1 or 2.
    pub version: u8,
    pub big_endian: bool,
    /// Whether the data follow in the same file (`n+1`, `n+2`) rather than in a second one (`ni1`, `ni2`).
    pub single: bool,
    pub datatype: i16,
    /// Columns, lines, slices, volumes.
    pub dims: [usize; 4],
    pub pixdim: [f64; 8],
    pub data_offset: usize,
    pub slope: f64,
    pub intercept: f64,
    pub display_range: Option<[f32; 2]>,
    pub units: i32,
    pub qform_code: i32,
    pub sform_code: i32,
    /// b, c, d.
    pub quaternion: [f64; 3],
    pub quaternion_offset: [f64; 3],
    pub srow: [[f64; 4]; 3],
    pub description: String,
}

/// Numbers at byte offsets; the header's length was checked before.
struct Fields<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    version: u8,
}

impl Fields<'_> {
    fn word<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut word = [0; N];
        let bytes = self.bytes.get(at..at + N).unwrap_or_default();
        word.iter_mut().zip(bytes).for_each(|(to, &from)| *to = from);
        if self.big_endian {
            word.reverse();
        }
        word
    }

    fn i16(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.word(at))
    }

    fn i32(&self, at: usize) -> i32 {
        i32::from_le_bytes(self.word(at))
    }

    fn i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.word(at))
    }

    /// An integer of 16 bits in version 1 and 32 in version 2.
    fn code(&self, at: [usize; 2]) -> i32 {
        if self.version == 1 {
            self.i16(at[0]).into()
        } else {
            self.i32(at[1])
        }
    }

    /// A fraction of 32 bits in version 1 and 64 in version 2, `index` places after the first.
    fn real(&self, at: [usize; 2], index: usize) -> f64 {
        match self.version {
            1 => f32::from_le_bytes(self.word(at[0] + 4 * index)).into(),
            _ => f64::from_le_bytes(self.word(at[1] + 8 * index)),
        }
    }
}

/// Length of the header that the first bytes announce, with version and byte order.
pub fn length(bytes: &[u8]) -> Option<(usize, u8, bool)> {
    let &word = bytes.first_chunk()?;
    match (i32::from_le_bytes(word), i32::from_be_bytes(word)) {
        (348, _) => Some((348, 1, false)),
        (_, 348) => Some((348, 1, true)),
        (540, _) => Some((540, 2, false)),
        (_, 540) => Some((540, 2, true)),
        _ => None,
    }
}

impl Header {
    /// Reads and checks a header.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, FileError> {
        let known = length(bytes).filter(|&(length, ..)| bytes.len() >= length);
        let Some((length, version, big_endian)) = known else {
            let found = format!(
                "{} bytes that start with {:?}",
                bytes.len(),
                bytes.get(..4).unwrap_or(bytes)
            );
            return Err(damaged(path, "byte 0")
                .found(found)
                .expected("the length of a header, 348 or 540, and that many bytes"));
        };
        let fields = Fields {
            bytes,
            big_endian,
            version,
        };
        let magic_at = if version == 1 { 344 } else { 4 };
        let magic = bytes.get(magic_at..magic_at + 3).unwrap_or_default();
        let single = match (version, magic) {
            (1, b"n+1") | (2, b"n+2") => true,
            (1, b"ni1") | (2, b"ni2") => false,
            _ => {
                let found = format!("`{}`", String::from_utf8_lossy(magic).escape_debug());
                let expected = "n+1, ni1, n+2 or ni2 (ANALYZE 7.5 files, which have none, leave left and right open)";
                return Err(damaged(path, format!("byte {magic_at}"))
                    .found(found)
                    .expected(expected));
            }
        };
        let dims = dims(&fields, path)?;
        let real = |at, index| fields.real(at, index);
        let (low, high) = (real([128, 200], 0) as f32, real([124, 192], 0) as f32);
        let description = bytes
            .get(if version == 1 { 148..228 } else { 240..320 })
            .unwrap_or_default();
        let description = decode(description.split(|&byte| byte == 0).next().unwrap_or_default());
        let header = Self {
            version,
            big_endian,
            single,
            datatype: fields.i16(if version == 1 { 70 } else { 12 }),
            dims,
            pixdim: std::array::from_fn(|index| real([76, 104], index)),
            data_offset: data_offset(&fields, single, length, path)?,
            slope: real([112, 176], 0),
            intercept: real([116, 184], 0),
            display_range: (low.is_finite() && high.is_finite() && low < high).then_some([low, high]),
            units: if version == 1 {
                bytes.get(123).copied().unwrap_or_default().into()
            } else {
                fields.i32(500)
            },
            qform_code: fields.code([252, 344]),
            sform_code: fields.code([254, 348]),
            quaternion: std::array::from_fn(|index| real([256, 352], index)),
            quaternion_offset: std::array::from_fn(|index| real([268, 376], index)),
            srow: std::array::from_fn(|row| std::array::from_fn(|column| real([280, 400], 4 * row + column))),
            description: description.trim().to_owned(),
        };
        Ok(header)
    }

    /// Millimetres per unit of space; files that do not tell mean millimetres.
    pub fn mm_per_unit(&self) -> f64 {
        match self.units & 7 {
            1 => 1e3,
            3 => 1e-3,
            _ => 1.0,
        }
    }

    /// Seconds from one volume to the next, where the file tells them with their unit.
    pub fn volume_secs(&self) -> Option<f64> {
        let secs_per_unit = match self.units & 0o70 {
            8 => 1.0,
            16 => 1e-3,
            24 => 1e-6,
            _ => return None,
        };
        let secs = self.pixdim[4] * secs_per_unit;
        (self.dims[3] > 1 && secs.is_finite() && secs > 0.0).then_some(secs)
    }
}

fn dims(fields: &Fields, path: &Path) -> Result<[usize; 4], FileError> {
    let at = if fields.version == 1 { 40 } else { 16 };
    let dim = |index: usize| match fields.version {
        1 => fields.i16(at + 2 * index).into(),
        _ => fields.i64(at + 8 * index),
    };
    let place = format!("byte {at}, dim");
    let (num_dims, dims) = (dim(0), [1, 2, 3, 4, 5, 6, 7].map(dim));
    let used: Vec<i64> = (0..num_dims.clamp(0, 7)).zip(dims).map(|(_, size)| size).collect();
    let found = format!("{num_dims} dimensions, {used:?}");
    let intent = fields.code([68, 504]);
    if CIFTI.contains(&intent) {
        let found = format!("{found} of CIFTI-2 (intent {intent})");
        let hint = "it holds a matrix of brain parts, not a volume; export volumes with `wb_command -cifti-separate`";
        return Err(FileError::at(path)
            .place(place)
            .found(found)
            .expected("an image in space")
            .hint(hint));
    }
    let size = |axis: usize| match used.get(axis) {
        Some(&size) => usize::try_from(size).ok().filter(|&size| size > 0),
        None => Some(1),
    };
    let (sizes, rest) = ([0, 1, 2, 3].map(size), [4, 5, 6].map(size));
    match sizes {
        [Some(x), Some(y), Some(z), Some(t)] if (1..=7).contains(&num_dims) && rest == [Some(1); 3] => Ok([x, y, z, t]),
        _ => Err(damaged(path, place)
            .found(found)
            .expected("1 to 4 dimensions of at least 1, any others of 1")),
    }
}

/// Where the data start in their file.
fn data_offset(fields: &Fields, single: bool, length: usize, path: &Path) -> Result<usize, FileError> {
    let (at, offset) = match fields.version {
        1 => (108, fields.real([108, 108], 0)),
        _ => (168, fields.i64(168) as f64),
    };
    // Four bytes after the header say whether extensions follow.
    let least = if single { length + 4 } else { 0 };
    match offset {
        0.0 => Ok(least),
        offset if offset >= least as f64 && offset < 2f64.powi(48) => Ok(offset as usize),
        _ => Err(damaged(path, format!("byte {at}, vox_offset"))
            .found(offset)
            .expected(format!("0, or at least {least}"))),
    }
}
