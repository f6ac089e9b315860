//! Group normalisation as a backend operation, and its place on the tape.

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

/// What is normalised together, and the constant under the root.
#[derive(Debug, Clone, Copy)]
pub struct Norm {
    /// Groups of channels.
    pub groups: usize,
    /// Added to the variance.
    pub eps: f32,
}

/// Group normalisation and its adjoint, on the shapes of [`group_norm`](super::group_norm).
#[backend_extension(Cube: cfg(feature = "cube"), Flex: cfg(feature = "cpu"), Autodiff)]
pub trait GroupNormOps: Backend {
    /// The normalised, scaled and shifted `x`.
    fn replica_group_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        norm: Norm,
    ) -> FloatTensor<Self>;

    /// Gradients of `(x, gamma, beta)`; the statistics are computed again from `x`.
    fn replica_group_norm_backward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        norm: Norm,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

pub(super) fn call(x: Tensor<4>, gamma: Tensor<2>, beta: Tensor<2>, norm: Norm) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as GroupNormOps>::replica_group_norm(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        norm,
    ))
}

impl<B: Backend + GroupNormOps, C: CheckpointStrategy> GroupNormOps for Autodiff<B, C> {
    fn replica_group_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        norm: Norm,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct NormBackward;

        impl<B: Backend + GroupNormOps> Backward<B, 3> for NormBackward {
            type State = (FloatTensor<B>, FloatTensor<B>, Norm);

            fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
                let dy = grads.consume::<B>(&ops.node);
                let (x, gamma, norm) = ops.state;
                let (dx, d_gamma, d_beta) = B::replica_group_norm_backward(x, gamma, dy, norm);
                for (node, grad) in ops.parents.into_iter().zip([dx, d_gamma, d_beta]) {
                    if let Some(node) = node {
                        grads.register::<B>(node.id, grad);
                    }
                }
            }
        }

        let nodes = [x.node(), gamma.node(), beta.node()];
        let (x, gamma) = (x.into_primitive(), gamma.into_primitive());
        let beta = beta.into_primitive();
        match NormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let y = B::replica_group_norm(x.clone(), gamma.clone(), beta, norm);
                prep.finish((x, gamma, norm), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::replica_group_norm(x, gamma, beta, norm)),
        }
    }

    fn replica_group_norm_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Norm,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unimplemented!("second-order gradients")
    }
}
