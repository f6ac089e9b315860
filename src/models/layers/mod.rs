//! Blocks that two or more models use, each written with the replica axis in front.

mod activation;
mod batch_norm;
mod dropout;
mod linear;
mod norm;
mod pooling;

pub use activation::Activation;
pub use batch_norm::BatchNorm;
pub use dropout::Dropout;
pub use linear::{Linear, Mlp};
pub use norm::{Norm, NormConfig};
pub use pooling::Pooling;
