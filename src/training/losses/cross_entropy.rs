use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

use super::loss::{Basis, Loss, unit_weight};
use crate::models::ModelOutput;

/// Cross-entropy of a sample, `-sum_k q_k log softmax(logits)_k`, for targets `q`.
///
/// The mean over a step is `sum_b w_b ce_b / sum_b w_b`, where `w_b` is the weight of the sample's own class. Without
/// label smoothing this is PyTorch's `CrossEntropyLoss(weight)`. With it, `w_b` weighs the whole of a sample's smoothed
/// loss, the shares of the other classes included: class weights say how much a sample counts, smoothing what its label
/// is. PyTorch weighs each share by the weight of its own class instead, which moves the optimum of every sample
/// towards the classes of large weight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossEntropy {
    /// Factor in the sum of losses.
    #[serde(default = "unit_weight")]
    pub weight: f64,
}

impl Default for CrossEntropy {
    fn default() -> Self {
        Self { weight: unit_weight() }
    }
}

impl Loss for CrossEntropy {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn basis(&self) -> Basis {
        Basis::Classes
    }

    fn per_sample(&self, output: &ModelOutput, one_hot: &Tensor<3>) -> Tensor<3> {
        let log_likelihood = activation::log_softmax(output.logits.clone(), 2) * one_hot.clone();
        log_likelihood.sum_dim(2).neg()
    }
}
