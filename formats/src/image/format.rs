//! Row of the registry.

use std::path::PathBuf;

use super::contents::{Scaling, read, read_sequence};
use super::strip;
use crate::FileError;
use crate::contents::{Contents, Part};
use crate::format::Format;
use crate::keypoints::openpose::Person;
use crate::strip::{Deidentify, Stripper};

/// Pictures, films of pictures and thermal images.
pub static FORMAT: Format = Format {
    signatures: &[
        &[(0, b"\x89PNG\r\n\x1a\n")],
        &[(0, b"\xff\xd8\xff")],
        &[(0, b"II*\0")],
        &[(0, b"MM\0*")],
        &[(0, b"II+\0")],
        &[(0, b"MM\0+")],
    ],
    read_many: Some(sequence),
    deidentify: Deidentify::ByFile(Stripper {
        needs_patient: false,
        identity: None,
        strip: strip::strip,
    }),
    ..Format::new(
        "image (PNG, JPEG, TIFF)",
        "PNG (`.png`), JPEG (`.jpg`), TIFF and BigTIFF (`.tif`) with pages, 1 to 64 bits; folders of them as films",
        |input| read(input.bytes, input.path),
    )
};

fn sequence(files: &[(PathBuf, Vec<u8>)], _: Person) -> Result<Contents, FileError> {
    read_sequence(files, None, Scaling::Share).map(|(images, warnings)| Contents {
        format: "sequence of images".into(),
        parts: vec![Part::Images(images)],
        warnings,
        ..Contents::default()
    })
}
