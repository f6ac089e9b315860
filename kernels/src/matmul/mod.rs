//! Batched matrix product, one matrix pair per replica.

#[cfg(any(feature = "cpu", feature = "cube"))]
pub mod autodiff;
#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "cube")]
mod kernel;
#[cfg(feature = "cube")]
pub(crate) mod launch;
pub mod reference;

use crate::error::{check_shapes, or_panic};
use burn::tensor::Tensor;

/// `y[r] = x[r] w[r]`: the product behind every linear layer.
///
/// - **Shapes**: `x: [R, M, K]`, or `[1, M, K]` shared by all replicas, `w: [R, K, N]` to `[R, M, N]`.
/// - **Precision**: f32 products and sums, on tensor-core GPUs too; other dtypes as burn's product.
/// - **Gradient**: `dx = dy wᵀ`, `dw = xᵀ dy`; only those of tracked inputs are computed.
/// - **Falls back** to burn's own product for other dtypes and devices, and on GPUs where one of the three products
///   needs more than 32-bit indices or a larger grid.
///
/// Use it instead of burn's `matmul` where the replica law matters: burn's CPU product chooses
/// its threading by the number of matrices, and its GPU product rounds f32 to TF32.
///
/// # Panics
/// When the shapes do not fit; the message names both.
pub fn matmul(x: Tensor<3>, w: Tensor<3>) -> Tensor<3> {
    let (xs, ws) = (x.dims(), w.dims());
    or_panic(check_shapes(
        "matmul",
        (xs[0] == ws[0] || xs[0] == 1) && xs[2] == ws[1],
        ("x", &xs),
        ("w", &ws),
        "expected [R, M, K] (or [1, M, K], shared) and [R, K, N]",
    ));
    #[cfg(any(feature = "cpu", feature = "cube"))]
    if crate::dispatch::has_kernels(&x, &MatmulProblem::of(xs, ws)) {
        return autodiff::apply(x, w);
    }
    reference::matmul(x, w)
}

/// The sizes of one product.
#[cfg(any(feature = "cpu", feature = "cube"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "cube"), allow(dead_code))]
pub(crate) struct MatmulProblem {
    /// Replicas of the result.
    pub replicas: usize,
    /// M.
    pub rows: usize,
    /// K.
    pub inner: usize,
    /// N.
    pub cols: usize,
}

#[cfg(any(feature = "cpu", feature = "cube"))]
impl MatmulProblem {
    /// The product of `x: [R or 1, M, K]` and `w: [R or 1, K, N]`.
    pub(crate) fn of(x: [usize; 3], w: [usize; 3]) -> Self {
        Self {
            replicas: x[0].max(w[0]),
            rows: x[1],
            inner: x[2],
            cols: w[2],
        }
    }
}
