//! Neural-network operations with a leading **replica axis** on burn tensors.
//!
//! A replica is one model in training. Every operation takes tensors whose first axis counts
//! replicas, `[replica, batch, ...]` for activations and `[replica, ...]` for parameters, and
//! treats replicas independently: the bits of one replica depend neither on how many replicas run
//! beside it nor on the number of threads, and a NaN in one reaches no other.
//!
//! Each operation has one folder: `mod.rs` (the public function and its contract), `reference.rs`
//! (the same maths in plain tensor operations: oracle, and the path on every backend without a
//! kernel) and, where it pays, `native.rs` (hand-written forward and backward for the CPU backend,
//! reached through a backend extension, so that the adjoint can also be called without the tape).
//!
//! The plain functions panic when shapes do not fit (a programmer's error); each has a `try_`
//! variant that returns [`KernelError`] instead.
// An index into registers runs over several arrays at once; a kernel knows neither iterators nor `is_multiple_of`.
#![allow(clippy::needless_range_loop, clippy::manual_is_multiple_of)]
#![warn(missing_docs)]

pub mod adamw;
pub mod conv;
pub mod dropout;
mod error;
#[cfg(feature = "cube")]
pub mod gpu;
pub mod group_norm;
pub mod lstm;
pub mod matmul;
#[cfg(feature = "cpu")]
mod native;
pub mod random;
mod simd;
pub mod stft;

pub use adamw::{AdamwMoves, AdamwOptions, AdamwOutput, AdamwState, AdamwStep, adamw, try_adamw};
pub use conv::{
    Activation, Conv1dOptions, Conv2dOptions, ConvStatistics, conv1d, conv1d_activated, conv1d_with_statistics, conv2d,
    conv2d_activated, conv2d_with_statistics, try_conv1d, try_conv1d_activated, try_conv1d_with_statistics, try_conv2d,
    try_conv2d_activated, try_conv2d_with_statistics,
};
pub use dropout::{dropout, try_dropout};
pub use error::KernelError;
pub use group_norm::{group_norm, try_group_norm};
pub use lstm::{LstmOutput, LstmWeights, lstm, try_lstm};
pub use matmul::{matmul, try_matmul};
pub use stft::{
    Detrend, Filterbank, MelOptions, MelScale, StftOptions, StftOutput, StftPadding, Window, istft, stft, stft_complex,
    try_istft, try_stft, try_stft_complex,
};

use burn::tensor::{DType, Device, Tensor};

/// Replicas that one call takes at most if its kernels are to be used, for batches of this size: what the axes of a GPU's
/// grid hold. More of them, or batches above 65535, go to the references on a GPU, and lose the bits of the kernels;
/// train them in chunks.
pub fn most_replicas(batch: usize) -> usize {
    (65_535 / batch.max(1)).clamp(1, 255)
}

/// Whether hand-written kernels serve this tensor: f32 on the CPU (flex) or on a CubeCL device.
#[cfg(any(feature = "cpu", feature = "cube"))]
fn has_kernels<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && (is_cpu(&x.device()) || is_gpu(&x.device()))
}

/// All memory of a CubeCL device in bytes, where its driver tells; `None` for the CPU (flex) and for WebGPU.
#[cfg(feature = "cube")]
pub fn device_memory_bytes(device: &Device) -> Option<u64> {
    use burn::backend::DispatchDevice;
    match device.clone().inner().as_dispatch() {
        DispatchDevice::Cube(device) => device.client().properties().memory.max_memory(),
        #[allow(unreachable_patterns)] // The CPU is a feature.
        _ => None,
    }
}

/// All memory of a CubeCL device in bytes: no such device is compiled in.
#[cfg(not(feature = "cube"))]
pub fn device_memory_bytes(_: &Device) -> Option<u64> {
    None
}

#[cfg(feature = "cpu")]
fn is_cpu(device: &Device) -> bool {
    *device == Device::flex()
}

#[cfg(all(not(feature = "cpu"), feature = "cube"))]
fn is_cpu(_: &Device) -> bool {
    false
}

#[cfg(feature = "cube")]
fn is_gpu(device: &Device) -> bool {
    use burn::backend::DispatchDevice;
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Cube(_))
}

#[cfg(all(not(feature = "cube"), feature = "cpu"))]
fn is_gpu(_: &Device) -> bool {
    false
}
