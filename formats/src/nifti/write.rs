//! Volumes as NIfTI-1.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use ndarray::{ArrayView4, Axis};

use super::affine::Affine;

const HEADER_BYTES: usize = 348;
const DATA_OFFSET: usize = 352;

/// The bytes of a single-file NIfTI-1 image (`.nii`), little-endian `f32`, which keeps values bit for bit. `values` are
/// `[volumes, slices, lines, columns]`; `affine` takes a voxel index (column, line, slice) to millimetres in the
/// scanner's space and is stored as `sform` in `f32`; `volume_secs` is the time from one volume to the next.
///
/// # Errors
/// A side of 0 or above 32767, and an affine beyond `f32`; in words.
pub fn write_nifti(values: ArrayView4<f32>, affine: &Affine, volume_secs: Option<f64>) -> Result<Vec<u8>, String> {
    let mut dim = [0i16; 8];
    for (to, axis) in dim.iter_mut().skip(1).zip([3, 2, 1, 0]) {
        let size = values.len_of(Axis(axis));
        let fits = i16::try_from(size).ok().filter(|&size| size > 0);
        *to = fits.ok_or_else(|| format!("a side of {size} voxels, expected 1 to 32767"))?;
    }
    dim[0] = if dim[4] == 1 { 3 } else { 4 };
    dim[5..].fill(1);
    if affine.iter().flatten().any(|&value| !(value as f32).is_finite()) {
        return Err(format!("the affine {affine:?}, expected numbers that f32 can hold"));
    }
    let mut pixdim = [1f32; 8];
    for (axis, to) in pixdim.iter_mut().skip(1).take(3).enumerate() {
        *to = affine.iter().map(|row| row[axis].powi(2)).sum::<f64>().sqrt() as f32;
    }
    pixdim[4] = volume_secs.map_or(1.0, |secs| secs as f32);
    let mut bytes = vec![0; HEADER_BYTES];
    let mut put = |at: usize, field: &[u8]| {
        for (to, &from) in bytes.iter_mut().skip(at).zip(field) {
            *to = from;
        }
    };
    put(0, &(HEADER_BYTES as i32).to_le_bytes());
    put(40, &dim.map(i16::to_le_bytes).concat());
    // Type 16 is f32, of 32 bits.
    put(70, &[16i16, 32].map(i16::to_le_bytes).concat());
    put(76, &pixdim.map(f32::to_le_bytes).concat());
    put(108, &(DATA_OFFSET as f32).to_le_bytes());
    put(112, &1f32.to_le_bytes());
    // Millimetres (2) and seconds (8).
    put(123, &[2 | 8]);
    // `sform` holds the scanner's space (1), `qform` nothing (0).
    put(254, &1i16.to_le_bytes());
    put(
        280,
        &affine
            .map(|row| row.map(|value| (value as f32).to_le_bytes()).concat())
            .concat(),
    );
    put(344, b"n+1\0");
    // No extensions.
    bytes.resize(DATA_OFFSET, 0);
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    Ok(bytes)
}

/// The bytes compressed as `.nii.gz`, without a name or a time, so that equal volumes give equal files.
pub fn gzipped(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}
