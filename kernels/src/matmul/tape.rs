//! The product as a backend operation, and its place on the tape.

use burn::backend::{
    Autodiff, Backend, Dispatch, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

/// The batched product, with either operand transposed: its own adjoint.
#[backend_extension(Cube: cfg(feature = "cube"), Flex: cfg(feature = "cpu"), Autodiff)]
pub trait MatmulOps: Backend {
    /// `op(x) op(w)` per replica, where `op` transposes the last two axes on request.
    fn replica_matmul(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        transpose_x: bool,
        transpose_w: bool,
    ) -> FloatTensor<Self>;
}

pub(super) fn call(x: Tensor<3>, w: Tensor<3>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as MatmulOps>::replica_matmul(
        x.into_dispatch(),
        w.into_dispatch(),
        false,
        false,
    ))
}

impl<B: Backend + MatmulOps, C: CheckpointStrategy> MatmulOps for Autodiff<B, C> {
    fn replica_matmul(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        transpose_x: bool,
        transpose_w: bool,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct ProductBackward;

        impl<B: Backend + MatmulOps> Backward<B, 2> for ProductBackward {
            type State = (FloatTensor<B>, FloatTensor<B>);

            fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
                let [node_x, node_w] = ops.parents;
                let dy = grads.consume::<B>(&ops.node);
                let (x, w) = ops.state;
                if let Some(node) = node_x {
                    let shared = x.shape()[0] < w.shape()[0];
                    let dx = B::replica_matmul(dy.clone(), w, false, true);
                    grads.register::<B>(node.id, if shared { B::float_sum_dim(dx, 0) } else { dx });
                }
                if let Some(node) = node_w {
                    grads.register::<B>(node.id, B::replica_matmul(x, dy, true, false));
                }
            }
        }

        assert!(!transpose_x && !transpose_w, "the tape takes the plain product only");
        let nodes = [x.node(), w.node()];
        let (x, w) = (x.into_primitive(), w.into_primitive());
        match ProductBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let y = B::replica_matmul(x.clone(), w.clone(), false, false);
                prep.finish((x, w), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::replica_matmul(x, w, false, false)),
        }
    }
}
