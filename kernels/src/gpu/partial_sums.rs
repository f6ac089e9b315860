//! Sums of partial results.

use super::{CubeTensor, empty, launch, linear};
use burn::backend::TensorMetadata;
use burn::tensor::Shape;

/// Adds up the partial sums of each replica, in order: `[R, parts, ...]` to `shape`, which is `[R, ...]`.
pub(crate) fn add_partial_sums(partials: CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
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
    let (count, dim) = linear(values);
    let client = sum.client.clone();
    let len = values / sum.shape()[0];
    launch!(add_partial_sums(client, count, dim;
        partials.into_buffer_arg(), sum.clone().into_buffer_arg(), parts, len));
    sum
}
