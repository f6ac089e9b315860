//! Dropout as a backend operation, with its gradient.

use crate::autodiff::record;
use crate::random::{Key, Stream, UNIFORM_BITS};
use burn::backend::{
    Autodiff, Backend, Dispatch, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

/// The mask of one replica.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    /// The replica's draws.
    pub stream: Stream,
    /// Bits of a uniform number below which a value is dropped.
    pub threshold: u32,
    /// Factor of the values that are kept.
    pub kept: f32,
}

impl Draw {
    fn new(key: &Key, rate: f32) -> Self {
        // `bits / 2^24 < rate` for whole bits.
        let threshold = (f64::from(rate) * f64::from(1u32 << UNIFORM_BITS)).ceil() as u32;
        Self {
            stream: key.stream(),
            threshold,
            kept: 1.0 / (1.0 - rate),
        }
    }
}

/// The product with a mask, its own adjoint.
#[backend_extension(Cube: cfg(feature = "cube"), Flex: cfg(feature = "cpu"), Autodiff)]
pub trait DropoutOps: Backend {
    /// `x` times the mask of one draw per replica, the first axis.
    fn replica_dropout(x: FloatTensor<Self>, draws: Vec<Draw>) -> FloatTensor<Self>;
}

pub(super) fn apply<const D: usize>(x: Tensor<D>, keys: &[Key], rates: &[f32]) -> Tensor<D> {
    let draws = keys
        .iter()
        .zip(rates)
        .map(|(key, &rate)| Draw::new(key, rate))
        .collect();
    Tensor::from_dispatch(<Dispatch as DropoutOps>::replica_dropout(x.into_dispatch(), draws))
}

impl<B: Backend + DropoutOps, C: CheckpointStrategy> DropoutOps for Autodiff<B, C> {
    fn replica_dropout(x: FloatTensor<Self>, draws: Vec<Draw>) -> FloatTensor<Self> {
        record::<B, C, _, _>(
            [x],
            |[x], tracked| {
                let saved = tracked.then(|| draws.clone());
                (B::replica_dropout(x, draws), saved)
            },
            |draws, dy, _| [Some(B::replica_dropout(dy, draws))],
        )
    }
}
