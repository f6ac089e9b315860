//! [`matmul`](super::matmul) in plain tensor operations.

use burn::tensor::Tensor;

/// The batched product of burn.
pub fn matmul(x: Tensor<3>, w: Tensor<3>) -> Tensor<3> {
    x.matmul(w)
}
