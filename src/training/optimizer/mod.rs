//! Optimisers over all parameters of all replicas at once.
//!
//! Each is a file with its settings, its update and the names of the matrices that it remembers between steps
//! ([`Optimizer`]); trainer and checkpoint keep those for it without knowing what they mean.

mod adamw;
mod sgd;
mod step;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::base::Problems;

pub use adamw::AdamwConfig;
pub use sgd::SgdConfig;
pub use step::{Optimizer, OptimizerOutput, OptimizerStep, ReplicaStep};

/// An optimiser and its settings; formulas, defaults and names as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Adam with decoupled weight decay.
    Adamw(AdamwConfig),
    /// Stochastic gradient descent with momentum.
    Sgd(SgdConfig),
}

impl OptimizerConfig {
    /// The optimiser behind the name.
    pub fn optimizer(&self) -> &dyn Optimizer {
        match self {
            Self::Adamw(config) => config,
            Self::Sgd(config) => config,
        }
    }

    /// Learning rate and weight decay, which each replica has of its own.
    pub fn rates_mut(&mut self) -> [&mut f64; 2] {
        match self {
            Self::Adamw(config) => [&mut config.learning_rate, &mut config.weight_decay],
            Self::Sgd(config) => [&mut config.learning_rate, &mut config.weight_decay],
        }
    }

    /// Peak learning rate; the schedule scales it.
    pub fn learning_rate(&self) -> f64 {
        self.optimizer().learning_rate()
    }

    /// Weight decay.
    pub fn weight_decay(&self) -> f64 {
        self.optimizer().weight_decay()
    }

    /// Every setting that cannot work.
    pub fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        let [rate, decay] = [self.learning_rate(), self.weight_decay()];
        problems.require(
            rate > 0.0 && rate.is_finite(),
            "learning_rate",
            || "must be greater than 0",
        );
        problems.require(
            decay >= 0.0 && decay.is_finite(),
            "weight_decay",
            || "must be at least 0",
        );
        problems.extend(self.optimizer().problems());
        problems
    }

    /// State before the first step: zeros like `weights` `[R, P]`, one matrix per name in
    /// [`Optimizer::slot_names`].
    pub fn fresh_slots(&self, weights: &Tensor<2>) -> Vec<Tensor<2>> {
        let names = self.optimizer().slot_names();
        names.iter().map(|_| weights.zeros_like()).collect()
    }

    /// One step of all replicas; see [`OptimizerStep`].
    pub fn step(&self, step: OptimizerStep) -> OptimizerOutput {
        self.optimizer().step(step)
    }
}
