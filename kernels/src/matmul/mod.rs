//! Batched matrix product, one matrix pair per replica.

#[cfg(feature = "cube")]
mod kernel;
#[cfg(feature = "cube")]
mod launch;
#[cfg(feature = "cpu")]
mod native;
pub mod reference;
#[cfg(any(feature = "cpu", feature = "cube"))]
pub mod tape;

use crate::error::{KernelError, check_shapes, or_panic};
use burn::tensor::Tensor;

/// `y[r] = x[r] w[r]`: the product behind every linear layer.
///
/// - **Shapes**: `x: [R, M, K]`, or `[1, M, K]` shared by all replicas, `w: [R, K, N]` to `[R, M, N]`.
/// - **Precision**: f32 products and sums, on tensor-core GPUs too; other dtypes as burn's product.
/// - **Gradient**: `dx = dy wᵀ`, `dw = xᵀ dy`; only those of tracked inputs are computed.
/// - **Falls back** to burn's own product for other dtypes and devices.
///
/// Use it instead of burn's `matmul` where the replica law matters: burn's CPU product chooses
/// its threading by the number of matrices, and its GPU product rounds f32 to TF32.
///
/// # Panics
/// When the shapes do not fit; see [`try_matmul`].
pub fn matmul(x: Tensor<3>, w: Tensor<3>) -> Tensor<3> {
    or_panic(try_matmul(x, w))
}

/// [`matmul`], returning an error that names both shapes when they do not fit.
pub fn try_matmul(x: Tensor<3>, w: Tensor<3>) -> Result<Tensor<3>, KernelError> {
    let (xs, ws) = (x.dims(), w.dims());
    check_shapes(
        "matmul",
        (xs[0] == ws[0] || xs[0] == 1) && xs[2] == ws[1],
        ("x", &xs),
        ("w", &ws),
        "expected [R, M, K] (or [1, M, K], shared) and [R, K, N]",
    )?;
    #[cfg(any(feature = "cpu", feature = "cube"))]
    if crate::has_kernels(&x) {
        return Ok(tape::call(x, w));
    }
    Ok(reference::matmul(x, w))
}
