//! Group normalisation as a backend operation, with its gradient.

use super::GroupNormProblem;
use crate::autodiff::record;
use burn::backend::{
    Autodiff, Backend, Dispatch, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

/// Group normalisation, on the shapes of [`group_norm`](super::group_norm()).
#[backend_extension(Cube: cfg(feature = "cube"), Flex: cfg(feature = "cpu"), Autodiff)]
pub trait GroupNormOps: Backend {
    /// The normalised, scaled and shifted `x`.
    fn replica_group_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        problem: GroupNormProblem,
    ) -> FloatTensor<Self>;
}

/// The adjoint of [`GroupNormOps`], to be called with or without a tape.
#[backend_extension(Cube: cfg(feature = "cube"), Flex: cfg(feature = "cpu"))]
pub trait GroupNormAdjoint: Backend {
    /// Gradients of `(x, gamma, beta)`; the statistics are computed again from `x`.
    fn replica_group_norm_backward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        problem: GroupNormProblem,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

pub(super) fn apply(x: Tensor<4>, gamma: Tensor<2>, beta: Tensor<2>, problem: GroupNormProblem) -> Tensor<4> {
    let (gamma, beta) = (gamma.into_dispatch(), beta.into_dispatch());
    let y = <Dispatch as GroupNormOps>::replica_group_norm(x.into_dispatch(), gamma, beta, problem);
    Tensor::from_dispatch(y)
}

impl<B: Backend + GroupNormOps + GroupNormAdjoint, C: CheckpointStrategy> GroupNormOps for Autodiff<B, C> {
    fn replica_group_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        problem: GroupNormProblem,
    ) -> FloatTensor<Self> {
        record::<B, C, _, _>(
            [x, gamma, beta],
            |[x, gamma, beta], tracked| {
                let saved = tracked.then(|| (x.clone(), gamma.clone(), problem));
                (B::replica_group_norm(x, gamma, beta, problem), saved)
            },
            |(x, gamma, problem), dy, _| {
                let (dx, d_gamma, d_beta) = B::replica_group_norm_backward(x, gamma, dy, problem);
                [Some(dx), Some(d_gamma), Some(d_beta)]
            },
        )
    }
}
