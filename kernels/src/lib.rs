//! Neural-network operations with a leading **replica axis** on burn tensors.
//!
//! A replica is one model in training. Every operation takes tensors whose first axis counts
//! replicas, `[replica, batch, ...]` for activations and `[replica, ...]` for parameters, and
//! treats replicas independently: the bits of one replica depend neither on how many replicas run
//! beside it nor on the number of threads, and a NaN in one reaches no other.
//!
//! Each operation has one folder:
//!
//! - `mod.rs`: the public function, its contract, and its `Problem`, the checked sizes of one call;
//! - `reference.rs`: the same maths in plain tensor operations. It is the oracle of the tests, and takes the call
//!   wherever no kernel does;
//! - `autodiff.rs`: the operation and its adjoints as backend operations, which can be called without a tape, and the
//!   rule that puts them on one;
//! - `cpu.rs`: forward and adjoints on the CPU backend;
//! - `kernel.rs`: the GPU kernels (`#[cube]` only);
//! - `launch.rs`: what the GPU kernels serve, their grids and tiles, and forward and adjoints from them.
//!
//! Beside them, `dispatch` decides between kernels and reference, `limits` says what one launch holds, and `autodiff`,
//! `cpu`, `simd` and `gpu` hold what several operations use.
//!
//! The functions panic when shapes do not fit, with both shapes in the message: that is a programmer's error.
// An index into registers runs over several arrays at once; a kernel knows neither iterators nor `is_multiple_of`.
#![allow(clippy::needless_range_loop, clippy::manual_is_multiple_of)]
#![warn(missing_docs)]

pub mod adamw;
#[cfg(any(feature = "cpu", feature = "cube"))]
mod autodiff;
pub mod conv;
#[cfg(feature = "cpu")]
mod cpu;
#[cfg(any(feature = "cpu", feature = "cube"))]
mod dispatch;
pub mod dropout;
mod error;
#[cfg(feature = "cube")]
pub mod gpu;
pub mod group_norm;
mod limits;
pub mod lstm;
pub mod matmul;
mod memory;
pub mod random;
mod simd;
pub mod stft;

pub use adamw::{AdamwOptions, AdamwOutput, AdamwState, AdamwStep, UpdateMask, adamw};
pub use conv::{Activation, Conv2dOptions, conv2d, conv2d_activated};
pub use dropout::dropout;
pub use error::KernelError;
pub use group_norm::group_norm;
pub use limits::max_replicas;
pub use lstm::{LstmOutput, LstmWeights, lstm};
pub use matmul::matmul;
pub use memory::device_memory_bytes;
pub use stft::{
    Detrend, Filterbank, MelOptions, MelScale, StftOptions, StftOutput, StftPadding, Window, istft, stft, stft_complex,
};
