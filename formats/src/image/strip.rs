//! Images without their metadata; pixels are not looked at.

use std::path::Path;

use super::{strip_metadata, strip_tiff};
use crate::FileError;
use crate::strip::{StripOptions, Stripped, damaged};

/// The image with what its pixels need and nothing else.
///
/// # Errors
/// [`FileError`] for a damaged image.
pub fn strip(bytes: &[u8], path: &Path, _: &StripOptions) -> Result<Stripped, FileError> {
    let is_tiff = bytes.starts_with(b"II") || bytes.starts_with(b"MM");
    let clean = if is_tiff {
        strip_tiff::clean(bytes)
    } else {
        strip_metadata::clean(bytes)
    };
    Ok(Stripped {
        bytes: clean.ok_or_else(|| damaged(path, "image"))?,
        sort: "image",
        done: vec!["metadata dropped", "pixels not looked at"],
        texts: Vec::new(),
    })
}
