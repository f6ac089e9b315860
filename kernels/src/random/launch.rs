//! CubeCL path of [`uniform`](super::uniform).

use super::Stream;
use super::tape::UniformOps;
use crate::gpu::{CubeBackend, CubeCount, CubeDim, CubeTensor, empty, launch};
use burn::tensor::{DType, Shape};
use cubecl::prelude::CubeElement;

/// Units of a cube, along its first axis.
const UNITS: u32 = 256;

/// Rows of words on the device of `like`.
pub(crate) fn table<const COLUMNS: usize>(
    like: &CubeTensor,
    rows: impl ExactSizeIterator<Item = [u32; COLUMNS]>,
) -> CubeTensor {
    let shape = Shape::from([rows.len(), COLUMNS]);
    let handle = like
        .client
        .create_from_slice(u32::as_bytes(&rows.flatten().collect::<Vec<u32>>()));
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, handle, DType::U32)
}

/// One unit for each block of four draws of each replica.
pub(crate) fn grid(replicas: usize, len: usize) -> (CubeCount, CubeDim) {
    let cubes = len.div_ceil(4).div_ceil(UNITS as usize);
    (
        CubeCount::Static(cubes as u32, replicas as u32, 1),
        CubeDim::new_1d(UNITS),
    )
}

/// Width of the vectors that rows of `len` values are made of.
pub(crate) fn width(len: usize) -> usize {
    if len.is_multiple_of(4) { 4 } else { 1 }
}

impl UniformOps for CubeBackend {
    fn replica_uniform(like: CubeTensor, streams: Vec<Stream>, len: usize) -> CubeTensor {
        let y = empty(&like, [streams.len(), len]);
        let (count, dim) = grid(streams.len(), len);
        let client = y.client.clone();
        let table = table(&like, streams.iter().map(Stream::words));
        launch!(uniform(client, count, dim; width(len), y.clone().into_buffer_arg(), table.into_buffer_arg(), 4, len));
        y
    }
}
