//! Group normalisation with per-replica scale and shift.

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

/// Standardises each group of channels of each sample over its channels and positions, then
/// scales and shifts per channel (Wu and He 2018): `y = gamma (x - mean) / sqrt(var + eps) + beta`
/// with the biased variance.
///
/// - **Shapes**: `x: [R, B, C, S]`, `gamma`, `beta: [R, C]` to `[R, B, C, S]`. Images: reshape
///   height and width into S.
/// - **Precision**: f32 statistics in two passes (mean first, then squared deviations).
/// - **Gradient**: of `x`, `gamma` and `beta`; the statistics are computed again, only `x` and `gamma` are kept.
/// - **Cost**: on a GPU one cube per group, which reads a group once where it fits in shared memory.
/// - **Falls back** to [`mod@reference`] for other dtypes and devices.
///
/// # Panics
/// When the shapes do not fit; see [`try_group_norm`].
pub fn group_norm(x: Tensor<4>, gamma: Tensor<2>, beta: Tensor<2>, groups: usize, eps: f32) -> Tensor<4> {
    or_panic(try_group_norm(x, gamma, beta, groups, eps))
}

/// [`group_norm`], returning an error that names both shapes when they do not fit.
pub fn try_group_norm(
    x: Tensor<4>,
    gamma: Tensor<2>,
    beta: Tensor<2>,
    groups: usize,
    eps: f32,
) -> Result<Tensor<4>, KernelError> {
    let shape = x.dims();
    let [replicas, _, channels, _] = shape;
    for (name, parameter) in [("gamma", gamma.dims()), ("beta", beta.dims())] {
        check_shapes(
            "group_norm",
            parameter == [replicas, channels],
            ("x", &shape),
            (name, &parameter),
            "expected [R, B, C, S] and [R, C]",
        )?;
    }
    if groups == 0 || !channels.is_multiple_of(groups) {
        let problem = format!("does not divide {channels} channels");
        return Err(KernelError::option("group_norm", "groups", groups, problem));
    }
    #[cfg(any(feature = "cpu", feature = "cube"))]
    if crate::has_kernels(&x) {
        return Ok(tape::call(x, gamma, beta, tape::Norm { groups, eps }));
    }
    Ok(reference::group_norm(x, gamma, beta, groups, eps))
}
