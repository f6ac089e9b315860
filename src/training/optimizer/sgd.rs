use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::step::{Optimizer, OptimizerOutput, OptimizerStep};
use crate::base::Problems;

/// Stochastic gradient descent with momentum, as `torch.optim.SGD`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SgdConfig {
    /// Peak learning rate; the schedule scales it.
    pub learning_rate: f64,
    /// L2 penalty, added to the gradient.
    #[serde(default)]
    pub weight_decay: f64,
    /// Memory of the update.
    #[serde(default)]
    pub momentum: f64,
    /// Nesterov's look-ahead.
    #[serde(default)]
    pub nesterov: bool,
}

impl Optimizer for SgdConfig {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        problems.require(
            (0.0..1.0).contains(&self.momentum),
            "momentum",
            || "must be at least 0 and less than 1",
        );
        problems.require(
            !self.nesterov || self.momentum > 0.0,
            "nesterov",
            || "looks ahead along the momentum: set momentum above 0",
        );
        problems
    }

    fn slot_names(&self) -> &'static [&'static str] {
        &["velocity"]
    }

    fn step(&self, step: OptimizerStep) -> OptimizerOutput {
        let (gradient, norms) = step.clipped_gradient();
        let update_mask = step.update_mask(&norms);
        let gradient = gradient + step.weights.clone() * step.column(|replica| replica.weight_decay);
        let [old_velocity] = &step.slots[..] else {
            panic!("one matrix per slot name");
        };
        let velocity = old_velocity.clone() * self.momentum + gradient.clone();
        let direction = if self.nesterov {
            gradient + velocity.clone() * self.momentum
        } else {
            velocity.clone()
        };
        let select = |new: Tensor<2>, old: &Tensor<2>| old.clone().mask_where(update_mask.clone(), new);
        OptimizerOutput {
            weights: select(step.weights.clone() - direction * step.learning_rates(), &step.weights),
            slots: vec![select(velocity, old_velocity)],
            norms,
        }
    }
}
