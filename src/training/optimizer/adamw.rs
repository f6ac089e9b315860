use recoup_kernels::{AdamwOptions, AdamwOutput, AdamwState, AdamwStep, UpdateMask, adamw};
use serde::{Deserialize, Serialize};

use super::step::{Optimizer, OptimizerOutput, OptimizerStep, ReplicaStep};
use crate::base::Problems;

/// Adam with decoupled weight decay (Loshchilov & Hutter 2019), in one kernel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamwConfig {
    /// Peak learning rate; the schedule scales it.
    pub learning_rate: f64,
    /// Decay per step, times the learning rate; on all parameters.
    #[serde(default = "default_weight_decay")]
    pub weight_decay: f64,
    /// Memory of the gradient's mean.
    #[serde(default = "default_beta1")]
    pub beta1: f64,
    /// Memory of the gradient's square.
    #[serde(default = "default_beta2")]
    pub beta2: f64,
    /// Added to the root of the second moment.
    #[serde(default = "default_epsilon")]
    pub epsilon: f64,
}

fn default_weight_decay() -> f64 {
    0.01
}
fn default_beta1() -> f64 {
    0.9
}
fn default_beta2() -> f64 {
    0.999
}
fn default_epsilon() -> f64 {
    1e-8
}

impl Optimizer for AdamwConfig {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        for (key, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            problems.require((0.0..1.0).contains(&beta), key, || "must be at least 0 and less than 1");
        }
        let epsilon = self.epsilon;
        problems.require(
            epsilon > 0.0 && epsilon.is_finite(),
            "epsilon",
            || "must be greater than 0",
        );
        problems
    }

    fn slot_names(&self) -> &'static [&'static str] {
        &["first_moment", "second_moment"]
    }

    fn step(&self, step: OptimizerStep) -> OptimizerOutput {
        let part = |replica: &ReplicaStep| AdamwStep {
            step: replica.step,
            learning_rate: replica.learning_rate,
            weight_decay: replica.weight_decay,
            active: replica.active,
        };
        let steps: Vec<AdamwStep> = step.replicas.iter().map(part).collect();
        let update_mask = UpdateMask {
            replicas: Some(step.trusted),
            factors: step.factors,
        };
        let options = AdamwOptions {
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            max_norm: step.max_norm,
        };
        let [first, second] = step.slots.try_into().expect("one matrix per slot name");
        let state = AdamwState {
            weights: step.weights,
            first,
            second,
        };
        let AdamwOutput { state, norm } = adamw(state, step.gradient, &steps, update_mask, &options);
        OptimizerOutput {
            weights: state.weights,
            slots: vec![state.first, state.second],
            norms: norm,
        }
    }
}
