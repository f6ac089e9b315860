//! Optimisers over all parameters of all replicas at once.

use burn::tensor::{Bool, Device, Tensor, TensorData};
use recoup_kernels::{AdamwMoves, AdamwOptions, AdamwOutput, AdamwState, AdamwStep, adamw};
use serde::{Deserialize, Serialize};

/// An optimiser and its settings; formulas, defaults and names as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    Adamw {
        /// Peak learning rate; the schedule scales it.
        learning_rate: f64,
        /// Decay per step, times the learning rate; on all parameters.
        #[serde(default = "default_weight_decay")]
        weight_decay: f64,
        /// Memory of the gradient's mean.
        #[serde(default = "default_beta1")]
        beta1: f64,
        /// Memory of the gradient's square.
        #[serde(default = "default_beta2")]
        beta2: f64,
        /// Added to the root of the second moment.
        #[serde(default = "default_epsilon")]
        epsilon: f64,
    },
    /// Stochastic gradient descent with momentum.
    Sgd {
        /// Peak learning rate; the schedule scales it.
        learning_rate: f64,
        /// L2 penalty, added to the gradient.
        #[serde(default)]
        weight_decay: f64,
        /// Memory of the update.
        #[serde(default)]
        momentum: f64,
        /// Nesterov's look-ahead.
        #[serde(default)]
        nesterov: bool,
    },
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

impl OptimizerConfig {
    /// Peak learning rate.
    pub fn learning_rate(&self) -> f64 {
        match self {
            Self::Adamw { learning_rate, .. } | Self::Sgd { learning_rate, .. } => *learning_rate,
        }
    }

    /// Weight decay.
    pub fn weight_decay(&self) -> f64 {
        match self {
            Self::Adamw { weight_decay, .. } | Self::Sgd { weight_decay, .. } => *weight_decay,
        }
    }
}

/// What the optimiser remembers: each `[R, P]`.
#[derive(Clone, Debug)]
pub struct Moments {
    /// Mean of the gradient (AdamW) or the velocity (SGD).
    pub first: Tensor<2>,
    /// Mean of the squared gradient (AdamW); stays 0 with SGD.
    pub second: Tensor<2>,
}

/// One replica's part in a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepSize {
    /// Steps this replica has made before this one.
    pub step: u64,
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Weight decay of this replica.
    pub weight_decay: f64,
    /// Whether the replica takes the step; otherwise every bit of its state stays.
    pub active: bool,
}

/// Weights, moments and norms after a step.
#[derive(Clone, Debug)]
pub struct Stepped {
    /// `[R, P]`.
    pub weights: Tensor<2>,
    /// Each `[R, P]`.
    pub moments: Moments,
    /// Global norm of each replica's gradient before clipping, `[R, 1]`.
    pub norms: Tensor<2>,
}

/// One step of all replicas.
///
/// `weights` and `gradient` are `[R, P]`. Each replica's gradient is first scaled to a global norm of at most `max_norm`,
/// as `torch.nn.utils.clip_grad_norm_`: the factor is `min(1, max_norm / (norm + 1e-6))`. Replicas that are not active,
/// not in `trusted` (`[R, 1]`) or whose norm is not finite keep weights and moments by selection: `0 * NaN` would not.
/// `factors` `[R, P]` multiply the learning rate, 1 when absent; parameters whose factor is 0 stay as if their
/// `requires_grad` were false, and have no part in the norm.
#[allow(clippy::too_many_arguments)]
pub fn step(
    config: &OptimizerConfig,
    max_norm: Option<f64>,
    sizes: &[StepSize],
    trusted: &Tensor<2, Bool>,
    factors: Option<&Tensor<2>>,
    weights: Tensor<2>,
    gradient: Tensor<2>,
    moments: Moments,
) -> Stepped {
    match *config {
        OptimizerConfig::Adamw {
            beta1, beta2, epsilon, ..
        } => {
            let state = AdamwState {
                weights,
                first: moments.first,
                second: moments.second,
            };
            let part = |size: &StepSize| AdamwStep {
                step: size.step,
                learning_rate: size.learning_rate,
                weight_decay: size.weight_decay,
                active: size.active,
            };
            let steps: Vec<AdamwStep> = sizes.iter().map(part).collect();
            let moves = AdamwMoves {
                replicas: Some(trusted),
                factors,
            };
            let AdamwOutput { state, norm } = adamw(
                state,
                gradient,
                &steps,
                moves,
                &AdamwOptions {
                    beta1,
                    beta2,
                    epsilon,
                    max_norm,
                },
            );
            let moments = Moments {
                first: state.first,
                second: state.second,
            };
            Stepped {
                weights: state.weights,
                moments,
                norms: norm,
            }
        }
        OptimizerConfig::Sgd { momentum, nesterov, .. } => {
            let sgd = Sgd {
                momentum,
                nesterov,
                max_norm,
            };
            sgd.step(sizes, trusted, factors, weights, gradient, moments)
        }
    }
}

struct Sgd {
    momentum: f64,
    nesterov: bool,
    max_norm: Option<f64>,
}

impl Sgd {
    fn step(
        &self,
        sizes: &[StepSize],
        trusted: &Tensor<2, Bool>,
        factors: Option<&Tensor<2>>,
        weights: Tensor<2>,
        gradient: Tensor<2>,
        moments: Moments,
    ) -> Stepped {
        let device = weights.device();
        let column = |value: &dyn Fn(&StepSize) -> f64| column(sizes.iter().map(value), &device);
        let gradient = match factors {
            Some(factors) => gradient.mask_fill(factors.clone().lower_equal_elem(0.0), 0.0),
            None => gradient,
        };
        let norms = gradient.clone().square().sum_dim(1).sqrt();
        let gradient = match self.max_norm {
            Some(max_norm) => gradient * ((norms.clone() + 1e-6).recip() * max_norm).clamp_max(1.0),
            None => gradient,
        };
        let active = TensorData::new(
            sizes.iter().map(|size| size.active).collect::<Vec<_>>(),
            [sizes.len(), 1],
        );
        let active = Tensor::<2, Bool>::from_data(active, &device);
        let moves = active
            .bool_and(trusted.clone())
            .bool_and(norms.clone().is_finite())
            .expand(weights.dims());
        let moves = match factors {
            Some(factors) => moves.bool_and(factors.clone().greater_elem(0.0)),
            None => moves,
        };
        let gradient = gradient + weights.clone() * column(&|size| size.weight_decay);
        let velocity = moments.first.clone() * self.momentum + gradient.clone();
        let direction = if self.nesterov {
            gradient + velocity.clone() * self.momentum
        } else {
            velocity.clone()
        };
        let learning_rate = column(&|size| size.learning_rate);
        let learning_rate = match factors {
            Some(factors) => learning_rate * factors.clone(),
            None => learning_rate,
        };
        let select = |new: Tensor<2>, old: Tensor<2>| old.mask_where(moves.clone(), new);
        Stepped {
            weights: select(weights.clone() - direction * learning_rate, weights),
            moments: Moments {
                first: select(velocity, moments.first),
                second: moments.second,
            },
            norms,
        }
    }
}

/// One value per replica as `[R, 1]`.
fn column(values: impl Iterator<Item = f64>, device: &Device) -> Tensor<2> {
    let values: Vec<f32> = values.map(|value| value as f32).collect();
    let rows = values.len();
    Tensor::from_data(TensorData::new(values, [rows, 1]), device)
}
