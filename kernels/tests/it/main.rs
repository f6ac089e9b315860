//! Every operation against its reference, PyTorch, finite differences and the replica law.
#![allow(clippy::unwrap_used)]

mod adamw;
mod adjoints;
mod agreement;
mod cases;
mod devices;
mod errors;
mod golden;
mod golden_conv;
mod golden_lstm;
mod golden_stft;
mod law;
mod random;
#[cfg(feature = "cube")]
mod sources;
