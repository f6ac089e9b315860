//! JSON of keypoints: parsing it, and how much memory it may ask for.

use std::path::Path;

use serde::Deserialize;

use crate::FileError;

pub(super) const REPAIR: &str = "the file is damaged or of another program; write it again";

/// Frames can be named in a few bytes and still take memory for all their points: more than 64 bytes of it for each byte of the
/// file are a sign of frames that nobody was seen in.
pub(super) fn guard(
    path: &Path,
    num_frames: usize,
    values_per_frame: usize,
    num_bytes: usize,
) -> Result<(), FileError> {
    if num_frames.saturating_mul(values_per_frame) <= 16 * num_bytes.max(4096) {
        return Ok(());
    }
    let found = format!("{num_frames} frames in {num_bytes} bytes");
    let expected = "positions in more frames, and few frames left out";
    Err(FileError::at(path)
        .place("frames")
        .found(found)
        .expected(expected)
        .hint("cut the file to where somebody is seen"))
}

pub(super) fn parse<'b, T: Deserialize<'b>>(bytes: &'b [u8], path: &Path, expected: &str) -> Result<T, FileError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        FileError::at(path)
            .place(place)
            .found(error)
            .expected(expected)
            .hint(REPAIR)
    })
}
