//! The product as a backend operation, with its gradient.

use crate::autodiff::record;
use burn::backend::{
    Autodiff, Backend, Dispatch, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension,
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

pub(super) fn apply(x: Tensor<3>, w: Tensor<3>) -> Tensor<3> {
    let (x, w) = (x.into_dispatch(), w.into_dispatch());
    Tensor::from_dispatch(<Dispatch as MatmulOps>::replica_matmul(x, w, false, false))
}

/// `dx = dy wᵀ`, summed over the replicas that shared `x`, and `dw = xᵀ dy`.
fn gradients<B: Backend + MatmulOps>(
    (x, w): (FloatTensor<B>, FloatTensor<B>),
    dy: FloatTensor<B>,
    [for_x, for_w]: [bool; 2],
) -> [Option<FloatTensor<B>>; 2] {
    let shared = x.shape()[0] < w.shape()[0];
    let dx = for_x.then(|| B::replica_matmul(dy.clone(), w, false, true));
    let dx = dx.map(|dx| if shared { B::float_sum_dim(dx, 0) } else { dx });
    [dx, for_w.then(|| B::replica_matmul(x, dy, true, false))]
}

impl<B: Backend + MatmulOps, C: CheckpointStrategy> MatmulOps for Autodiff<B, C> {
    fn replica_matmul(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        transpose_x: bool,
        transpose_w: bool,
    ) -> FloatTensor<Self> {
        assert!(!transpose_x && !transpose_w, "the tape takes the plain product only");
        let forward = |[x, w]: [FloatTensor<B>; 2], tracked: bool| {
            let saved = tracked.then(|| (x.clone(), w.clone()));
            (B::replica_matmul(x, w, false, false), saved)
        };
        record::<B, C, _, _>([x, w], forward, gradients::<B>)
    }
}
