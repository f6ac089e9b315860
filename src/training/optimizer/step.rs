use burn::tensor::{Bool, Tensor, TensorData};

use crate::base::Problems;

/// An optimiser.
pub trait Optimizer {
    /// Peak learning rate; the schedule scales it.
    fn learning_rate(&self) -> f64;

    /// Weight decay.
    fn weight_decay(&self) -> f64;

    /// Every setting besides these two that cannot work.
    fn problems(&self) -> Problems;

    /// Names of the matrices `[R, P]` that it remembers between steps, 0 before the first; a checkpoint stores them
    /// under these names.
    fn slot_names(&self) -> &'static [&'static str];

    /// One step of all replicas.
    fn step(&self, step: OptimizerStep) -> OptimizerOutput;
}

/// One replica's part in a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplicaStep {
    /// Steps this replica has made before this one.
    pub step: u64,
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Weight decay of this replica.
    pub weight_decay: f64,
    /// Whether the replica takes the step; otherwise every bit of its state stays.
    pub active: bool,
}

/// Input of a step.
///
/// Each replica's gradient is first scaled to a global norm of at most `max_norm`, as
/// `torch.nn.utils.clip_grad_norm_`: the factor is `min(1, max_norm / (norm + 1e-6))`. Replicas that are not active, not
/// in `trusted` or whose norm is not finite keep weights and slots by selection: `0 * NaN` would not.
#[derive(Clone, Debug)]
pub struct OptimizerStep<'a> {
    /// One per replica.
    pub replicas: &'a [ReplicaStep],
    /// Largest global norm of a replica's gradient; absent: any.
    pub max_norm: Option<f64>,
    /// `[R, 1]`: whether a replica's loss can be trusted.
    pub trusted: &'a Tensor<2, Bool>,
    /// `[R, P]`: multiples of the learning rate, 1 when absent. Parameters whose factor is 0 stay as if their
    /// `requires_grad` were false, and have no part in the norm.
    pub factors: Option<&'a Tensor<2>>,
    /// `[R, P]`.
    pub weights: Tensor<2>,
    /// `[R, P]`.
    pub gradient: Tensor<2>,
    /// One `[R, P]` per name in [`Optimizer::slot_names`].
    pub slots: Vec<Tensor<2>>,
}

/// Weights, state and norms after a step.
#[derive(Clone, Debug)]
pub struct OptimizerOutput {
    /// `[R, P]`.
    pub weights: Tensor<2>,
    /// One `[R, P]` per name in [`Optimizer::slot_names`].
    pub slots: Vec<Tensor<2>>,
    /// Global norm of each replica's gradient before clipping, `[R, 1]`.
    pub norms: Tensor<2>,
}

impl OptimizerStep<'_> {
    /// The gradient after clipping, without what frozen parameters have of it, and its norms `[R, 1]` before.
    pub(super) fn clipped_gradient(&self) -> (Tensor<2>, Tensor<2>) {
        let gradient = self.gradient.clone();
        let gradient = match self.factors {
            Some(factors) => gradient.mask_fill(factors.clone().lower_equal_elem(0.0), 0.0),
            None => gradient,
        };
        let norms = gradient.clone().square().sum_dim(1).sqrt();
        let gradient = match self.max_norm {
            Some(max_norm) => gradient * ((norms.clone() + 1e-6).recip() * max_norm).clamp_max(1.0),
            None => gradient,
        };
        (gradient, norms)
    }

    /// `[R, P]`: whether a parameter takes the step.
    pub(super) fn update_mask(&self, norms: &Tensor<2>) -> Tensor<2, Bool> {
        let active: Vec<bool> = self.replicas.iter().map(|replica| replica.active).collect();
        let active = TensorData::new(active, [self.replicas.len(), 1]);
        let mask = Tensor::<2, Bool>::from_data(active, &self.weights.device())
            .bool_and(self.trusted.clone())
            .bool_and(norms.clone().is_finite())
            .expand(self.weights.dims());
        match self.factors {
            Some(factors) => mask.bool_and(factors.clone().greater_elem(0.0)),
            None => mask,
        }
    }

    /// Learning rates, `[R, 1]`, or `[R, P]` where parameters have factors.
    pub(super) fn learning_rates(&self) -> Tensor<2> {
        let rates = self.column(|replica| replica.learning_rate);
        match self.factors {
            Some(factors) => rates * factors.clone(),
            None => rates,
        }
    }

    /// One value per replica as `[R, 1]`.
    pub(super) fn column(&self, value: impl Fn(&ReplicaStep) -> f64) -> Tensor<2> {
        let values: Vec<f32> = self.replicas.iter().map(|replica| value(replica) as f32).collect();
        Tensor::from_data(
            TensorData::new(values, [self.replicas.len(), 1]),
            &self.weights.device(),
        )
    }
}
