//! Sums of partial results.

use super::{CubeCount, CubeDim, CubeTensor, empty, launch};
use burn::backend::TensorMetadata;
use burn::tensor::Shape;

/// Units of a cube of one-dimensional kernels.
const UNITS: u32 = 256;

/// Cubes for `units` units side by side; beyond what one axis of the grid holds, along the second.
pub(crate) fn grid(units: usize) -> (CubeCount, CubeDim) {
    const LONGEST: u32 = 32_768;
    let cubes = units.div_ceil(UNITS as usize) as u32;
    let count = CubeCount::Static(cubes.min(LONGEST), cubes.div_ceil(LONGEST), 1);
    (count, CubeDim::new_1d(UNITS))
}

/// Adds up the parts of each replica, in order: `[R, parts, ...]` to `shape`, which is `[R, ...]`.
pub(crate) fn add_parts(partials: CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    let (shape, parts) = (shape.into(), partials.shape()[1]);
    if parts == 1 {
        let CubeTensor {
            client,
            handle,
            device,
            dtype,
            ..
        } = partials;
        return CubeTensor::new_contiguous(client, device, shape, handle, dtype);
    }
    let sum = empty(&partials, shape);
    let values = sum.shape().num_elements();
    if values == 0 {
        return sum;
    }
    let (count, dim) = grid(values);
    let client = sum.client.clone();
    let len = values / sum.shape()[0];
    launch!(add_parts(client, count, dim;
        partials.into_buffer_arg(), sum.clone().into_buffer_arg(), parts, len));
    sum
}
