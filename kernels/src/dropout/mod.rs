//! Dropout whose mask is a pure function of each replica's key.

#[cfg(any(feature = "cpu", feature = "cube"))]
pub mod autodiff;
#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "cube")]
mod kernel;
#[cfg(feature = "cube")]
mod launch;
pub mod reference;

use crate::error::{KernelError, or_panic};
#[cfg(any(feature = "cpu", feature = "cube"))]
use crate::random::DrawProblem;
use crate::random::Key;
use burn::tensor::{DType, Device, Tensor};

/// Inverted dropout at each replica's own rate: `y = x mask`, with the mask of [`dropout_mask`] made and used in one pass.
///
/// - **Shapes**: `x: [R, ...]`, one key and one rate per replica; the index of a draw counts within the replica.
/// - **Precision**: of `x`; the mask has the same bits on every device.
/// - **Gradient**: `dx = dy mask`, with the mask made again: nothing is kept for it.
/// - **Falls back** to [`mod@reference`] for other dtypes than f32 and other devices, and on GPUs for more than 65535
///   replicas or more values than 32-bit indices reach.
///
/// # Panics
/// When keys, rates and shape disagree, or a rate is outside [0, 1).
pub fn dropout<const D: usize>(x: Tensor<D>, keys: &[Key], rates: &[f32]) -> Tensor<D> {
    or_panic(check("dropout", keys, rates, &x.dims()));
    #[cfg(any(feature = "cpu", feature = "cube"))]
    if crate::dispatch::has_kernels(&x, &DrawProblem::of(x.dims())) {
        return autodiff::apply(x, keys, rates);
    }
    reference::dropout(x, keys, rates)
}

/// A mask to multiply with for dropout: 0 with the replica's probability, else `1 / (1 - rate)`.
///
/// `keys` and `rates` hold one entry per replica, the first axis of `shape`; rate 0 gives ones.
/// The mask of a replica depends on its own key and rate only. Made on the device, in f32; no gradient.
///
/// # Panics
/// When keys, rates and shape disagree, or a rate is outside [0, 1).
pub fn dropout_mask<const D: usize>(keys: &[Key], rates: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    or_panic(check("dropout_mask", keys, rates, &shape));
    #[cfg(any(feature = "cpu", feature = "cube"))]
    {
        let ones = Tensor::ones(shape, (device, DType::F32));
        if crate::dispatch::has_kernels(&ones, &DrawProblem::of(shape)) {
            return autodiff::apply(ones, keys, rates);
        }
    }
    reference::mask(keys, rates, shape, device)
}

fn check(op: &'static str, keys: &[Key], rates: &[f32], shape: &[usize]) -> Result<(), KernelError> {
    let replicas = shape.first().copied().unwrap_or(0);
    if keys.len() != replicas || rates.len() != replicas {
        let counts = (keys.len(), rates.len());
        let problem = format!("do not both match the {replicas} replicas of the shape {shape:?}");
        return Err(KernelError::option(op, "(keys, rates)", counts, problem));
    }
    match rates.iter().find(|rate| !(0.0..1.0).contains(*rate)) {
        Some(rate) => Err(KernelError::option(op, "rate", rate, "is outside [0, 1)")),
        None => Ok(()),
    }
}
