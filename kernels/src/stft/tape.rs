//! The transform and its adjoints as backend operations, and their place on the tape.

use super::Plan;
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

/// The transform, its adjoint, and the gradient through the reduction.
#[backend_extension(Cube: cfg(feature = "cube"), Flex: cfg(feature = "cpu"), Autodiff)]
pub trait StftOps: Backend {
    /// `[R, B, C, T]` to the reduced spectrum `[R, B, C, rows, frames]` or the complex one `[R, B, C, bins, frames, 2]`.
    fn stft_analysis(x: FloatTensor<Self>, plan: Plan) -> FloatTensor<Self>;

    /// The adjoint of the complex analysis: `[R, B, C, bins, frames, 2]` to `[R, B, C, T]`.
    fn stft_synthesis(spectrum: FloatTensor<Self>, plan: Plan) -> FloatTensor<Self>;

    /// The gradient of `x`, from that of the reduced spectrum.
    fn stft_gradient(x: FloatTensor<Self>, gradient: FloatTensor<Self>, plan: Plan) -> FloatTensor<Self>;
}

pub(super) fn analysis<const D: usize>(x: Tensor<4>, plan: Plan) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as StftOps>::stft_analysis(x.into_dispatch(), plan))
}

pub(super) fn synthesis(spectrum: Tensor<6>, plan: Plan) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as StftOps>::stft_synthesis(spectrum.into_dispatch(), plan))
}

#[derive(Debug)]
struct AnalysisBackward;

impl<B: Backend + StftOps> Backward<B, 1> for AnalysisBackward {
    /// The signal is kept for reduced spectra only: the complex one is linear.
    type State = (Option<FloatTensor<B>>, Plan);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ([node], (x, plan)) = (ops.parents, ops.state);
        let gradient = grads.consume::<B>(&ops.node);
        if let Some(node) = node {
            let gradient = match x {
                Some(x) => B::stft_gradient(x, gradient, plan),
                None => B::stft_synthesis(gradient, plan),
            };
            grads.register::<B>(node.id, gradient);
        }
    }
}

#[derive(Debug)]
struct SynthesisBackward;

impl<B: Backend + StftOps> Backward<B, 1> for SynthesisBackward {
    type State = Plan;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ([node], plan) = (ops.parents, ops.state);
        let gradient = grads.consume::<B>(&ops.node);
        if let Some(node) = node {
            grads.register::<B>(node.id, B::stft_analysis(gradient, plan));
        }
    }
}

impl<B: Backend + StftOps, C: CheckpointStrategy> StftOps for Autodiff<B, C> {
    fn stft_analysis(x: FloatTensor<Self>, plan: Plan) -> FloatTensor<Self> {
        let node = x.node();
        let x = x.into_primitive();
        match AnalysisBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let kept = plan.reduction.is_some().then(|| x.clone());
                prep.finish((kept, plan.clone()), B::stft_analysis(x, plan))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::stft_analysis(x, plan)),
        }
    }

    fn stft_synthesis(spectrum: FloatTensor<Self>, plan: Plan) -> FloatTensor<Self> {
        let node = spectrum.node();
        let spectrum = spectrum.into_primitive();
        match SynthesisBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(plan.clone(), B::stft_synthesis(spectrum, plan)),
            OpsKind::UnTracked(prep) => prep.finish(B::stft_synthesis(spectrum, plan)),
        }
    }

    fn stft_gradient(_: FloatTensor<Self>, _: FloatTensor<Self>, _: Plan) -> FloatTensor<Self> {
        unimplemented!("second-order gradients")
    }
}
