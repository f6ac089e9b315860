//! Group normalisation with per-replica scale and shift.

#[cfg(any(feature = "cpu", feature = "cube"))]
pub mod autodiff;
#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "cube")]
mod kernel;
#[cfg(feature = "cube")]
mod launch;
pub mod reference;

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
/// - **Falls back** to [`mod@reference`] for other dtypes and devices, and on GPUs for more than 65535 groups, samples
///   or replicas, or more values than 32-bit indices reach.
///
/// # Panics
/// When the shapes do not fit; the message names both.
pub fn group_norm(x: Tensor<4>, gamma: Tensor<2>, beta: Tensor<2>, groups: usize, eps: f32) -> Tensor<4> {
    or_panic(check(x.dims(), gamma.dims(), beta.dims(), groups));
    #[cfg(any(feature = "cpu", feature = "cube"))]
    {
        let problem = GroupNormProblem {
            shape: x.dims(),
            groups,
            eps,
        };
        if crate::dispatch::has_kernels(&x, &problem) {
            return autodiff::apply(x, gamma, beta, problem);
        }
    }
    reference::group_norm(x, gamma, beta, groups, eps)
}

/// The sizes of one normalisation, and the constant under its root.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupNormProblem {
    /// `[R, B, C, S]`.
    pub shape: [usize; 4],
    /// Groups of channels.
    pub groups: usize,
    /// Added to the variance.
    pub eps: f32,
}

fn check(x: [usize; 4], gamma: [usize; 2], beta: [usize; 2], groups: usize) -> Result<(), KernelError> {
    let [replicas, _, channels, _] = x;
    for (name, parameter) in [("gamma", gamma), ("beta", beta)] {
        check_shapes(
            "group_norm",
            parameter == [replicas, channels],
            ("x", &x),
            (name, &parameter),
            "expected [R, B, C, S] and [R, C]",
        )?;
    }
    if groups == 0 || !channels.is_multiple_of(groups) {
        let problem = format!("does not divide {channels} channels");
        return Err(KernelError::option("group_norm", "groups", groups, problem));
    }
    Ok(())
}
