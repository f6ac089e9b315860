//! The convolution as a backend operation, with its gradient.

use super::{Activation, ConvProblem};
use crate::autodiff::record;
use burn::backend::{
    Autodiff, Backend, Dispatch, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

/// Convolution, on the shapes of [`conv2d`](super::conv2d).
#[backend_extension(Cube: cfg(feature = "cube"), Flex: cfg(feature = "cpu"), Autodiff)]
pub trait ConvOps: Backend {
    /// The convolution of `x` by `w` plus `bias: [R, O]`, under the activation.
    fn replica_conv2d(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        problem: ConvProblem,
        activation: Activation,
    ) -> FloatTensor<Self>;
}

/// The adjoints of [`ConvOps`], to be called with or without a tape.
#[backend_extension(Cube: cfg(feature = "cube"), Flex: cfg(feature = "cpu"))]
pub trait ConvAdjoint: Backend {
    /// Gradient of `x: [R, ...]`, from `w` and the gradient of the output.
    fn replica_conv2d_input_gradient(
        w: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        problem: ConvProblem,
    ) -> FloatTensor<Self>;

    /// Gradient of `w`, from `x` and the gradient of the output.
    fn replica_conv2d_weight_gradient(
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        problem: ConvProblem,
    ) -> FloatTensor<Self>;

    /// Gradient of `bias`, from the gradient of the output.
    fn replica_conv2d_bias_gradient(dy: FloatTensor<Self>, problem: ConvProblem) -> FloatTensor<Self>;

    /// `dy` times the slope of the activation, at its output or input as `saved` holds it.
    fn replica_activation_gradient(
        saved: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;
}

pub(super) fn apply(
    x: Tensor<5>,
    w: Tensor<5>,
    bias: Option<Tensor<2>>,
    problem: ConvProblem,
    activation: Activation,
) -> Tensor<5> {
    let zeros = || Tensor::zeros([problem.replicas, problem.filters], &x.device());
    let bias = bias.unwrap_or_else(zeros).into_dispatch();
    let (x, w) = (x.into_dispatch(), w.into_dispatch());
    Tensor::from_dispatch(<Dispatch as ConvOps>::replica_conv2d(x, w, bias, problem, activation))
}

fn gradients<B: Backend + ConvAdjoint>(
    (x, w, problem): (FloatTensor<B>, FloatTensor<B>, ConvProblem),
    dy: FloatTensor<B>,
    [for_x, for_w, for_bias]: [bool; 3],
) -> [Option<FloatTensor<B>>; 3] {
    let shared = x.shape()[0] < problem.replicas;
    let dx = for_x.then(|| B::replica_conv2d_input_gradient(w, dy.clone(), problem));
    let dx = dx.map(|dx| if shared { B::float_sum_dim(dx, 0) } else { dx });
    let dw = for_w.then(|| B::replica_conv2d_weight_gradient(x, dy.clone(), problem));
    [dx, dw, for_bias.then(|| B::replica_conv2d_bias_gradient(dy, problem))]
}

impl<B: Backend + ConvOps + ConvAdjoint, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn replica_conv2d(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        problem: ConvProblem,
        activation: Activation,
    ) -> FloatTensor<Self> {
        // With an activation there are two steps on the tape. The first stands for the values before the activation,
        // which are computed on their own only where the slope needs them.
        let mut activated = None;
        let forward = |[x, w, bias]: [FloatTensor<B>; 3], tracked: bool| {
            if !tracked {
                return (B::replica_conv2d(x, w, bias, problem, activation), None);
            }
            let saved = (x.clone(), w.clone(), problem);
            if activation == Activation::None {
                return (B::replica_conv2d(x, w, bias, problem, activation), Some(saved));
            }
            let y = B::replica_conv2d(x.clone(), w.clone(), bias.clone(), problem, activation);
            let before = if activation.slope_from_output() {
                y.clone()
            } else {
                B::replica_conv2d(x, w, bias, problem, Activation::None)
            };
            activated = Some(y);
            (before, Some(saved))
        };
        let before = record::<B, C, _, _>([x, w, bias], forward, gradients::<B>);
        let Some(y) = activated else { return before };
        record::<B, C, _, _>(
            [before],
            |[before], _| (y, Some((before, activation))),
            |(before, activation), dy, _| [Some(B::replica_activation_gradient(before, dy, activation))],
        )
    }
}
