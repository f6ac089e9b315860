//! The step as a backend operation.

use super::{AdamwOptions, AdamwOutput, AdamwState, AdamwStep, UpdateMask};
use burn::backend::{
    Autodiff, Backend, Dispatch, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

/// The numbers of one step, rounded to f32.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Numbers of each replica.
    pub replicas: Vec<ReplicaUpdate>,
    /// Memory of the gradient's mean, and 1 less it.
    pub beta1: [f32; 2],
    /// Memory of the gradient's square, and 1 less it.
    pub beta2: [f32; 2],
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Largest norm of a gradient.
    pub max_norm: Option<f32>,
    /// Whether `mask` is given.
    pub has_mask: bool,
    /// Whether `factors` are given.
    pub has_factors: bool,
}

/// The numbers of one replica.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReplicaUpdate {
    /// Whether it takes the step.
    pub active: bool,
    /// `1 - learning_rate weight_decay`: what is left of a weight.
    pub kept: f32,
    /// `learning_rate weight_decay`, which factors multiply.
    pub decay: f32,
    /// `learning_rate / (1 - beta1^t)`.
    pub step_size: f32,
    /// `sqrt(1 - beta2^t)`.
    pub correction: f32,
}

impl Update {
    fn new(steps: &[AdamwStep], mask: UpdateMask, options: &AdamwOptions) -> Self {
        let AdamwOptions {
            beta1,
            beta2,
            epsilon,
            max_norm,
        } = *options;
        let of_replica = |of: &AdamwStep| {
            let decay = of.learning_rate * of.weight_decay;
            let unbias = |beta: f64| 1.0 - beta.powf(of.step as f64 + 1.0);
            ReplicaUpdate {
                active: of.active,
                kept: (1.0 - decay) as f32,
                decay: decay as f32,
                step_size: (of.learning_rate / unbias(beta1)) as f32,
                correction: unbias(beta2).sqrt() as f32,
            }
        };
        let memory = |beta: f64| [beta as f32, (1.0 - beta) as f32];
        Self {
            replicas: steps.iter().map(of_replica).collect(),
            beta1: memory(beta1),
            beta2: memory(beta2),
            epsilon: epsilon as f32,
            max_norm: max_norm.map(|norm| norm as f32),
            has_mask: mask.replicas.is_some(),
            has_factors: mask.factors.is_some(),
        }
    }

    /// Factor of a gradient of this norm.
    #[cfg(feature = "cpu")]
    pub(super) fn clip(&self, norm: f32) -> f32 {
        self.max_norm
            .map_or(1.0, |max_norm| (1.0 / (norm + 1e-6) * max_norm).min(1.0))
    }
}

/// AdamW on the shapes of [`adamw`](super::adamw). `mask: [R, 1]` holds 0 for replicas that are not
/// updated; any tensor will do for what [`Update`] says is not given, since extensions take no optional tensors.
#[backend_extension(Cube: cfg(feature = "cube"), Flex: cfg(feature = "cpu"), Autodiff)]
pub trait AdamwOps: Backend {
    /// New `(weights, first, second)` and the norms `[R, 1]`.
    fn replica_adamw(
        weights: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        factors: FloatTensor<Self>,
        update: Update,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
    );
}

pub(super) fn apply(
    state: AdamwState,
    gradient: Tensor<2>,
    steps: &[AdamwStep],
    mask: UpdateMask,
    options: &AdamwOptions,
) -> AdamwOutput {
    let update = Update::new(steps, mask, options);
    let gradient = gradient.into_dispatch();
    let given = |tensor: Option<Tensor<2>>| tensor.map_or_else(|| gradient.clone(), Tensor::into_dispatch);
    let (mask, factors) = (
        given(mask.replicas.map(|mask| mask.clone().float())),
        given(mask.factors.cloned()),
    );
    let (weights, first, second, norm) = <Dispatch as AdamwOps>::replica_adamw(
        state.weights.into_dispatch(),
        gradient,
        state.first.into_dispatch(),
        state.second.into_dispatch(),
        mask,
        factors,
        update,
    );
    let state = AdamwState {
        weights: Tensor::from_dispatch(weights),
        first: Tensor::from_dispatch(first),
        second: Tensor::from_dispatch(second),
    };
    AdamwOutput {
        state,
        norm: Tensor::from_dispatch(norm),
    }
}

impl<B: Backend + AdamwOps, C: CheckpointStrategy> AdamwOps for Autodiff<B, C> {
    fn replica_adamw(
        weights: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        factors: FloatTensor<Self>,
        update: Update,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
    ) {
        let (weights, first, second, norm) = B::replica_adamw(
            weights.into_primitive(),
            gradient.into_primitive(),
            first.into_primitive(),
            second.into_primitive(),
            mask.into_primitive(),
            factors.into_primitive(),
            update,
        );
        let constant = FloatTensor::<Self>::new;
        (constant(weights), constant(first), constant(second), constant(norm))
    }
}
