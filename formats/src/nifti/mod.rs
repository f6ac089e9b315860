//! NIfTI-1 and NIfTI-2 images, the format of brain imaging: `.nii`, `.nii.gz`, and pairs of `.hdr` and `.img`.
//!
//! Layouts as in `nifti1.h` and `nifti2.h` of the NIfTI Data Format Working Group; affine, scaling and what is forgiven
//! as in nibabel. The crate `nifti` 0.18 is not used: it knows no NIfTI-2, reserves what the header says before a byte
//! is read, takes a slope of NaN, which stands for none, at its word, and panics on voxel sizes below zero and on
//! quaternions longer than one.
//!
//! Values are `slope x stored + intercept` in `f64` where the slope is finite and not 0, as stored otherwise, rounded
//! to `f32` once; so labels above 2^24 are rounded. Colours (RGB24) are 0 to 255 as stored.

mod affine;
pub mod deidentify;
pub mod format;
mod header;
mod volume;
mod write;

use std::borrow::Cow;
use std::fmt::Display;
use std::io::Read as _;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use ndarray::Array4;

pub use self::affine::{Affine, orientation, orientation_code};
use self::header::Header;
pub use self::volume::{Mask, Volume};
pub use self::write::{gzipped, write_nifti};
use crate::{Contents, FileError, Images, Part, Warning, WarningCode};

/// Deflate gives at most 1032 bytes for one.
const MAX_BYTES_PER_BYTE: usize = 1_032;
const RGB24: i16 = 128;
/// A volume takes seconds; thousands of them are milliseconds under a wrong unit.
const MAX_TR_SECS: f64 = 100.0;

fn damaged(path: &Path, place: impl Display) -> FileError {
    let hint = "the file is damaged or not NIfTI; convert it again, or fetch it again";
    FileError::at(path).place(place).hint(hint)
}

/// Reads a single-file image, `.nii` or `.nii.gz`. Slices are images in the order of the third axis, volume after
/// volume; lines and columns are the second and first axis, as stored. [`Images::rate_hz`] is that of the volumes.
///
/// # Errors
/// [`FileError`] for another format, a header that contradicts itself or the size of the file, more than four
/// dimensions (CIFTI-2 among them), complex numbers, 128-bit fractions, bits and colours with transparency.
pub fn read(bytes: &[u8], path: &Path) -> Result<Contents, FileError> {
    let (header, bytes) = single(bytes, path)?;
    contents(&header, &bytes, path)
}

/// Reads a pair of header (`.hdr`) and data (`.img`), each plain or gzipped; `path` is that of the header.
///
/// # Errors
/// Errors of [`read`].
pub fn read_pair(header: &[u8], data: &[u8], path: &Path) -> Result<Contents, FileError> {
    let header = Header::parse(&head(header), path)?;
    let end = end_of_data(&header, path)?;
    contents(&header, &unzipped(data, end), path)
}

/// Reads a single-file image as volumes in space.
///
/// # Errors
/// Errors of [`read`]; colours.
pub fn read_volume(bytes: &[u8], path: &Path) -> Result<Volume, FileError> {
    let (header, bytes) = single(bytes, path)?;
    let images = images(&header, &bytes, path)?;
    let volume = Volume::from_images(images, header.dims[2]);
    volume.ok_or_else(|| {
        damaged(path, "byte 70, datatype")
            .found("colours")
            .expected("one number per voxel")
    })
}

fn single<'a>(bytes: &'a [u8], path: &Path) -> Result<(Header, Cow<'a, [u8]>), FileError> {
    let header = Header::parse(&head(bytes), path)?;
    if !header.single {
        let hint = "name the `.hdr` file with its `.img` file beside it, or convert both to one `.nii`";
        return Err(FileError::at(path)
            .place("magic")
            .found("the header of a pair")
            .expected("header and data in one file")
            .hint(hint));
    }
    let end = end_of_data(&header, path)?;
    Ok((header, unzipped(bytes, end)))
}

fn head(bytes: &[u8]) -> Cow<'_, [u8]> {
    unzipped(bytes, 540)
}

/// The first `most` bytes, or fewer if there are fewer or the compressed ones are damaged. What a header promises is
/// never reserved, and what comes after it is never decompressed.
fn unzipped(bytes: &[u8], most: usize) -> Cow<'_, [u8]> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Cow::Borrowed(bytes.get(..most).unwrap_or(bytes));
    }
    let mut plain = Vec::with_capacity(most.min(bytes.len().saturating_mul(4)));
    let most = most.min(bytes.len().saturating_mul(MAX_BYTES_PER_BYTE));
    // A damaged stream ends early, and the size is checked by whoever uses the bytes.
    let _ = MultiGzDecoder::new(bytes).take(most as u64).read_to_end(&mut plain);
    Cow::Owned(plain)
}

/// Name and bytes of a voxel of the types that are read.
fn datatype(code: i16) -> Result<(&'static str, usize), &'static str> {
    Ok(match code {
        2 => ("uint8", 1),
        4 => ("int16", 2),
        8 => ("int32", 4),
        16 => ("float32", 4),
        64 => ("float64", 8),
        RGB24 => ("RGB24", 3),
        256 => ("int8", 1),
        512 => ("uint16", 2),
        768 => ("uint32", 4),
        1024 => ("int64", 8),
        1280 => ("uint64", 8),
        1 => return Err("bits"),
        32 => return Err("complex64"),
        1536 => return Err("float128"),
        1792 => return Err("complex128"),
        2048 => return Err("complex256"),
        2304 => return Err("RGBA32"),
        _ => return Err("an unknown type"),
    })
}

/// Where the data of the image end in their file.
fn end_of_data(header: &Header, path: &Path) -> Result<usize, FileError> {
    let (_, voxel_bytes) = datatype(header.datatype).map_err(|name| {
        let expected = "integers of 8 to 64 bits, float32, float64 or RGB24";
        let hint = "convert the image, for complex numbers to magnitude and phase";
        FileError::at(path)
            .place("datatype")
            .found(format!("{name} (code {})", header.datatype))
            .expected(expected)
            .hint(hint)
    })?;
    let mut factors = header.dims.into_iter().chain([voxel_bytes]);
    let end = factors.try_fold(1usize, |product, factor| product.checked_mul(factor));
    let end = end.and_then(|num_bytes| num_bytes.checked_add(header.data_offset));
    end.ok_or_else(|| {
        damaged(path, "dim")
            .found(format!("{:?} voxels", header.dims))
            .expected("sizes that a file can have")
    })
}

fn contents(header: &Header, bytes: &[u8], path: &Path) -> Result<Contents, FileError> {
    let images = images(header, bytes, path)?;
    let (affine, source) = header.affine(path)?;
    let (type_name, _) = datatype(header.datatype).unwrap_or_default();
    let order = if header.big_endian { ", big-endian" } else { "" };
    let [columns, lines, slices, volumes] = header.dims;
    let mut facts = vec![
        ("type".to_owned(), type_name.to_owned()),
        (
            "dimensions".to_owned(),
            format!("{columns} x {lines} x {slices}, volumes: {volumes}"),
        ),
        ("affine from".to_owned(), source.to_owned()),
    ];
    let mut warnings = Vec::new();
    let [x, y, z] = [0, 1, 2].map(|axis: usize| affine.iter().map(|row| row[axis].powi(2)).sum::<f64>().sqrt());
    facts.push(("voxel size".into(), format!("{x:.4} x {y:.4} x {z:.4} mm")));
    match orientation_code(&affine) {
        Some(code) => facts.push(("orientation".into(), code)),
        None => {
            let text = "the affine flattens space: the image has no orientation";
            warnings.push(Warning::new(WarningCode::NoVolume, text));
        }
    }
    if let Some(secs) = header.volume_secs() {
        facts.push(("TR".into(), format!("{secs} s")));
        if secs > MAX_TR_SECS {
            let text = format!("{secs} s from one volume to the next: the header's unit of time is likely wrong");
            warnings.push(Warning::new(WarningCode::Contradiction, text));
        }
    }
    if !header.description.is_empty() {
        facts.push(("description".into(), header.description.clone()));
    }
    let format = format!("NIfTI-{}{order}", header.version);
    Ok(Contents {
        format,
        facts,
        parts: vec![Part::Images(images)],
        annotations: Vec::new(),
        warnings,
    })
}

fn images(header: &Header, bytes: &[u8], path: &Path) -> Result<Images, FileError> {
    let end = end_of_data(header, path)?;
    let Some(data) = bytes.get(header.data_offset..end) else {
        let expected = format!("{end} for {:?} voxels", header.dims);
        return Err(damaged(path, "size")
            .found(format!("{} bytes, uncompressed", bytes.len()))
            .expected(expected));
    };
    let (affine, _) = header.affine(path)?;
    let [columns, lines, slices, volumes] = header.dims;
    let color = header.datatype == RGB24;
    let (shape, values) = if color {
        let plane = |image: &[u8], plane| {
            image
                .iter()
                .skip(plane)
                .step_by(3)
                .map(|&v| f32::from(v))
                .collect::<Vec<_>>()
        };
        let images = data.chunks_exact(3 * columns * lines);
        let values = images
            .flat_map(|image| (0..3).flat_map(move |index| plane(image, index)))
            .collect();
        ((slices * volumes, 3, lines, columns), values)
    } else {
        ((slices * volumes, 1, lines, columns), decoded(header, data, path)?)
    };
    let values = Array4::from_shape_vec(shape, values)
        .map_err(|error| damaged(path, "size").found(error).expected("as many values as voxels"))?;
    let names: &[&str] = if color { &["red", "green", "blue"] } else { &["gray"] };
    Ok(Images {
        planes: names.iter().map(|&name| name.into()).collect(),
        unit: "1".into(),
        rate_hz: header.volume_secs().map(|secs| 1.0 / secs),
        values,
        num_volumes: volumes,
        affine: Some(affine),
        display_range: if color {
            Some([0.0, 255.0])
        } else {
            header.display_range
        },
    })
}

/// Scaled values in the order of the file.
fn decoded(header: &Header, data: &[u8], path: &Path) -> Result<Vec<f32>, FileError> {
    let scaled = header.slope.is_finite() && header.slope != 0.0;
    if scaled && !header.intercept.is_finite() {
        return Err(damaged(path, "scl_inter")
            .found(header.intercept)
            .expected("a finite number beside a slope"));
    }
    let (slope, intercept) = if scaled {
        (header.slope, header.intercept)
    } else {
        (1.0, 0.0)
    };
    // Adding 0 would take the sign from -0.
    let physical = |stored: f64| if intercept == 0.0 { stored * slope } else { stored * slope + intercept } as f32;
    macro_rules! decode {
        ($type:ty) => {{
            let number = if header.big_endian {
                <$type>::from_be_bytes
            } else {
                <$type>::from_le_bytes
            };
            data.as_chunks()
                .0
                .iter()
                .map(|&word| physical(number(word) as f64))
                .collect()
        }};
    }
    Ok(match header.datatype {
        2 => decode!(u8),
        256 => decode!(i8),
        4 => decode!(i16),
        512 => decode!(u16),
        8 => decode!(i32),
        768 => decode!(u32),
        1024 => decode!(i64),
        1280 => decode!(u64),
        16 => decode!(f32),
        _ => decode!(f64),
    })
}
