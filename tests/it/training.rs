//! Training through the public API: the replica law, resuming, learning.

mod augment;
mod augment_law;
mod law;
mod learning;
mod memory;
mod mixup;
pub mod support;
mod window_scaling;
