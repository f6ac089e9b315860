//! The choice between the kernels of an operation and its reference.

use crate::limits::Problem;
use burn::tensor::{DType, Device, Tensor};

/// Whether hand-written kernels take this call: f32, on the CPU (flex), or on a CubeCL device that can hold it.
pub(crate) fn has_kernels<const D: usize>(x: &Tensor<D>, problem: &impl Problem) -> bool {
    x.dtype() == DType::F32 && (is_cpu(&x.device()) || is_served(&x.device(), problem))
}

#[cfg(feature = "cpu")]
fn is_cpu(device: &Device) -> bool {
    *device == Device::flex()
}

#[cfg(not(feature = "cpu"))]
fn is_cpu(_: &Device) -> bool {
    false
}

/// Whether the device is one of CubeCL's, and can hold the problem.
#[cfg(feature = "cube")]
pub(crate) fn is_served(device: &Device, problem: &impl Problem) -> bool {
    crate::gpu::limits(device).is_some_and(|limits| problem.is_served(limits))
}

#[cfg(not(feature = "cube"))]
fn is_served(_: &Device, _: &impl Problem) -> bool {
    false
}
