//! The transform as a backend operation, with its gradients.

use super::StftProblem;
use crate::autodiff::record;
use burn::backend::{
    Autodiff, Backend, Dispatch, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

/// The transform and its adjoint.
#[backend_extension(Cube: cfg(feature = "cube"), Flex: cfg(feature = "cpu"), Autodiff)]
pub trait StftOps: Backend {
    /// `[R, B, C, T]` to the reduced spectrum `[R, B, C, rows, frames]` or the complex one `[R, B, C, bins, frames, 2]`.
    fn stft_analysis(x: FloatTensor<Self>, problem: StftProblem) -> FloatTensor<Self>;

    /// The adjoint of the complex analysis: `[R, B, C, bins, frames, 2]` to `[R, B, C, T]`.
    fn stft_synthesis(spectrum: FloatTensor<Self>, problem: StftProblem) -> FloatTensor<Self>;
}

/// The adjoint of the analysis with a reduction, to be called with or without a tape.
#[backend_extension(Cube: cfg(feature = "cube"), Flex: cfg(feature = "cpu"))]
pub trait StftAdjoint: Backend {
    /// The gradient of `x`, from that of the reduced spectrum.
    fn stft_gradient(x: FloatTensor<Self>, gradient: FloatTensor<Self>, problem: StftProblem) -> FloatTensor<Self>;
}

pub(super) fn analysis<const D: usize>(x: Tensor<4>, problem: StftProblem) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as StftOps>::stft_analysis(x.into_dispatch(), problem))
}

pub(super) fn synthesis(spectrum: Tensor<6>, problem: StftProblem) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as StftOps>::stft_synthesis(spectrum.into_dispatch(), problem))
}

impl<B: Backend + StftOps + StftAdjoint, C: CheckpointStrategy> StftOps for Autodiff<B, C> {
    fn stft_analysis(x: FloatTensor<Self>, problem: StftProblem) -> FloatTensor<Self> {
        record::<B, C, _, _>(
            [x],
            |[x], tracked| {
                // The complex spectrum is linear: its gradient does not need the signal.
                let kept = problem.reduction.is_some().then(|| x.clone());
                let saved = tracked.then(|| (kept, problem.clone()));
                (B::stft_analysis(x, problem), saved)
            },
            |(x, problem), gradient, _| {
                [Some(match x {
                    Some(x) => B::stft_gradient(x, gradient, problem),
                    None => B::stft_synthesis(gradient, problem),
                })]
            },
        )
    }

    fn stft_synthesis(spectrum: FloatTensor<Self>, problem: StftProblem) -> FloatTensor<Self> {
        record::<B, C, _, _>(
            [spectrum],
            |[spectrum], tracked| {
                let saved = tracked.then(|| problem.clone());
                (B::stft_synthesis(spectrum, problem), saved)
            },
            |problem, gradient, _| [Some(B::stft_analysis(gradient, problem))],
        )
    }
}
