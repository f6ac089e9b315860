//! NIfTI files without their texts.

use std::path::Path;

use super::header::{Header, length};
use super::{damaged, end_of_data};
use crate::FileError;
use crate::strip::{StripOptions, Stripped};

/// Texts and unused bytes of a header, by version: `data_type`, `db_name`, `extents`, `session_error`; `descrip`,
/// `aux_file`; `intent_name`; what is unused.
const TEXTS: [&[(usize, usize)]; 2] = [
    &[(4, 38), (148, 252), (328, 344)],
    &[(240, 344), (508, 524), (525, 540)],
];

/// [`deidentify`], or [`deidentify_data`] for the values of a pair.
///
/// # Errors
/// Those of [`deidentify`].
pub fn strip(bytes: &[u8], path: &Path, options: &StripOptions) -> Result<Stripped, FileError> {
    let header = path.with_extension("hdr");
    let is_data = path.extension().is_some_and(|extension| extension == "img") && header.is_file();
    let (bytes, sort, done) = match is_data {
        true => {
            let header = (options.read_file)(&header)?;
            (deidentify_data(&header, bytes, path)?, "NIfTI data", "values kept")
        }
        false => (deidentify(bytes, path)?, "NIfTI", "texts and extensions dropped"),
    };
    Ok(Stripped {
        bytes,
        sort,
        done: vec![done],
        texts: Vec::new(),
    })
}

/// Clears the texts of an uncompressed file (`.nii`, or `.hdr` of a pair) and its extensions, and cuts off what comes
/// after the data. Other bytes stay.
///
/// # Errors
/// [`FileError`] for a header that does not hold, and fewer bytes than voxels.
pub fn deidentify(bytes: &[u8], path: &Path) -> Result<Vec<u8>, FileError> {
    let header = Header::parse(bytes, path)?;
    let (length, ..) = length(bytes).ok_or_else(|| damaged(path, "byte 0").found("no header").expected("a header"))?;
    let mut out = bytes.to_vec();
    for &(start, end) in TEXTS.get(usize::from(header.version) - 1).copied().unwrap_or_default() {
        clear(&mut out, start, end);
    }
    if !header.single {
        out.truncate(length);
        return Ok(out);
    }
    data(out, &header, length, path)
}

/// The values of a pair (`.img`), without what comes before and after them; `header` are the bytes of the `.hdr`.
///
/// # Errors
/// Those of [`deidentify`].
pub fn deidentify_data(header: &[u8], bytes: &[u8], path: &Path) -> Result<Vec<u8>, FileError> {
    data(bytes.to_vec(), &Header::parse(header, path)?, 0, path)
}

fn data(mut out: Vec<u8>, header: &Header, length: usize, path: &Path) -> Result<Vec<u8>, FileError> {
    let end = end_of_data(header, path)?;
    if out.len() < end {
        return Err(damaged(path, "size")
            .found(format!("{} bytes, uncompressed", out.len()))
            .expected(end));
    }
    out.truncate(end);
    clear(&mut out, length, header.data_offset);
    Ok(out)
}

fn clear(bytes: &mut [u8], start: usize, end: usize) {
    bytes.iter_mut().take(end).skip(start).for_each(|byte| *byte = 0);
}
