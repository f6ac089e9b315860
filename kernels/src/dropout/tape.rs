//! Dropout as a backend operation, and its place on the tape.

use crate::random::{Key, Stream, UNIFORM_BITS};
use burn::backend::{
    Autodiff, Backend, Dispatch,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

/// How one replica's mask is made.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    /// The replica's draws.
    pub stream: Stream,
    /// A uniform number's bits below this are dropped.
    pub threshold: u32,
    /// What the others are multiplied by.
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

pub(super) fn call<const D: usize>(x: Tensor<D>, keys: &[Key], rates: &[f32]) -> Tensor<D> {
    let draws = keys
        .iter()
        .zip(rates)
        .map(|(key, &rate)| Draw::new(key, rate))
        .collect();
    Tensor::from_dispatch(<Dispatch as DropoutOps>::replica_dropout(x.into_dispatch(), draws))
}

impl<B: Backend + DropoutOps, C: CheckpointStrategy> DropoutOps for Autodiff<B, C> {
    fn replica_dropout(x: FloatTensor<Self>, draws: Vec<Draw>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct DropoutBackward;

        impl<B: Backend + DropoutOps> Backward<B, 1> for DropoutBackward {
            type State = Vec<Draw>;

            fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
                let [node] = ops.parents;
                let dy = grads.consume::<B>(&ops.node);
                if let Some(node) = node {
                    grads.register::<B>(node.id, B::replica_dropout(dy, ops.state));
                }
            }
        }

        let nodes = [x.node()];
        let y = B::replica_dropout(x.into_primitive(), draws.clone());
        match DropoutBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(draws, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
