//! Uniform numbers as a backend operation of CubeCL devices.

use super::{Key, Stream};
use burn::backend::{
    Autodiff, Backend, Dispatch, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::{DType, Device, Tensor};

/// Draws made where a tensor lies.
#[backend_extension(Cube: cfg(feature = "cube"), Autodiff)]
pub trait UniformOps: Backend {
    /// `[R, len]` uniform numbers on the device of `like`.
    fn replica_uniform(like: FloatTensor<Self>, streams: Vec<Stream>, len: usize) -> FloatTensor<Self>;
}

pub(super) fn uniform<const D: usize>(keys: &[Key], shape: [usize; D], device: &Device) -> Tensor<D> {
    let like = Tensor::<1>::empty([1], (device, DType::F32)).into_dispatch();
    let streams = keys.iter().map(Key::stream).collect();
    let draws = <Dispatch as UniformOps>::replica_uniform(like, streams, shape[1..].iter().product());
    Tensor::<2>::from_dispatch(draws).reshape(shape)
}

impl<B: Backend + UniformOps, C: CheckpointStrategy> UniformOps for Autodiff<B, C> {
    fn replica_uniform(like: FloatTensor<Self>, streams: Vec<Stream>, len: usize) -> FloatTensor<Self> {
        FloatTensor::<Self>::new(B::replica_uniform(like.into_primitive(), streams, len))
    }
}
