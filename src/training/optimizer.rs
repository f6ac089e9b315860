//! Optimisers over all parameters of all replicas at once.

use burn::tensor::{Bool, Device, Tensor, TensorData};
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

/// Scales each replica's gradient to a global norm of at most `max_norm`; gives the norms `[R, 1]` before that.
///
/// As `torch.nn.utils.clip_grad_norm_`: the factor is `min(1, max_norm / (norm + 1e-6))`.
pub fn clip_by_global_norm(gradient: Tensor<2>, max_norm: Option<f64>) -> (Tensor<2>, Tensor<2>) {
    let norm = gradient.clone().square().sum_dim(1).sqrt();
    match max_norm {
        None => (gradient, norm),
        Some(max_norm) => {
            let factor = ((norm.clone() + 1e-6).recip() * max_norm).clamp_max(1.0);
            (gradient * factor, norm)
        }
    }
}

/// One step of all replicas: new weights and moments.
///
/// `weights` and `gradient` are `[R, P]`. What `moves` (`[R, 1]` or `[R, P]`) does not let move keeps its weights and
/// moments by selection: `0 * NaN` would not. `factors` `[R, P]` multiply the learning rate, 1 when absent.
pub fn step(
    config: &OptimizerConfig,
    sizes: &[StepSize],
    moves: &Tensor<2, Bool>,
    factors: Option<&Tensor<2>>,
    weights: Tensor<2>,
    gradient: Tensor<2>,
    moments: Moments,
) -> (Tensor<2>, Moments) {
    let device = weights.device();
    let column = |value: &dyn Fn(&StepSize) -> f64| column(sizes.iter().map(value), &device);
    let scaled = |rates: Tensor<2>| match factors {
        Some(factors) => rates * factors.clone(),
        None => rates,
    };
    let moves = moves.clone().expand(weights.dims());

    let (new_weights, new) = match *config {
        OptimizerConfig::Adamw { beta1, beta2, epsilon, .. } => {
            let decay = match factors {
                None => column(&|size| 1.0 - size.learning_rate * size.weight_decay),
                Some(_) => scaled(column(&|size| size.learning_rate * size.weight_decay)).neg() + 1.0,
            };
            let step_size = scaled(column(&|size| size.learning_rate / (1.0 - beta1.powf(size.step as f64 + 1.0))));
            let correction = column(&|size| (1.0 - beta2.powf(size.step as f64 + 1.0)).sqrt());
            let first = moments.first.clone() * beta1 + gradient.clone() * (1.0 - beta1);
            let second = moments.second.clone() * beta2 + gradient.square() * (1.0 - beta2);
            let denominator = second.clone().sqrt() / correction + epsilon;
            let updated = weights.clone() * decay - first.clone() / denominator * step_size;
            (updated, Moments { first, second })
        }
        OptimizerConfig::Sgd { momentum, nesterov, .. } => {
            let gradient = gradient + weights.clone() * column(&|size| size.weight_decay);
            let velocity = moments.first.clone() * momentum + gradient.clone();
            let direction = if nesterov { gradient + velocity.clone() * momentum } else { velocity.clone() };
            let second = moments.second.clone();
            let learning_rate = scaled(column(&|size| size.learning_rate));
            (weights.clone() - direction * learning_rate, Moments { first: velocity, second })
        }
    };
    let select = |new: Tensor<2>, old: Tensor<2>| old.mask_where(moves.clone(), new);
    (
        select(new_weights, weights),
        Moments { first: select(new.first, moments.first), second: select(new.second, moments.second) },
    )
}

/// One value per replica as `[R, 1]`.
fn column(values: impl Iterator<Item = f64>, device: &Device) -> Tensor<2> {
    let values: Vec<f32> = values.map(|value| value as f32).collect();
    let rows = values.len();
    Tensor::from_data(TensorData::new(values, [rows, 1]), device)
}
