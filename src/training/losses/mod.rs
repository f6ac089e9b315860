//! Losses: what training makes small.
//!
//! `training.loss` is a list, and the loss of a replica is the sum over it of `weight` times the weighted mean of one
//! loss over the samples of a step. Each loss is a file with its settings and its formula ([`Loss`]); what it is
//! computed against, class weights and smoothed labels included, are the [`Targets`].

mod class_weights;
mod cross_entropy;
mod loss;
mod reconstruction;
mod targets;

use std::mem;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::base::Problems;
use crate::models::ModelOutput;

pub use class_weights::ClassWeights;
pub use cross_entropy::CrossEntropy;
pub use loss::{Basis, Loss};
pub use reconstruction::Reconstruction;
pub use targets::{Labels, Targets};

/// One loss of the list `training.loss`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LossConfig {
    /// Cross-entropy of the predicted classes.
    CrossEntropy(CrossEntropy),
    /// Squared error of what the decoders make of their streams.
    Reconstruction(Reconstruction),
}

impl LossConfig {
    /// The loss behind the name.
    pub fn loss(&self) -> &dyn Loss {
        match self {
            Self::CrossEntropy(loss) => loss,
            Self::Reconstruction(loss) => loss,
        }
    }
}

/// The list that stands for an absent one: cross-entropy alone.
pub(super) fn default_losses() -> Vec<LossConfig> {
    vec![LossConfig::CrossEntropy(CrossEntropy::default())]
}

/// Loss of each replica over one micro-batch, `[R, 1, 1]`: per loss its weight times `sum_b w_b loss_b`, where `w` are
/// the weights of the samples, which sum to 1 over a whole step.
pub fn total(losses: &[LossConfig], output: &ModelOutput, targets: &Targets) -> Tensor<3> {
    let weighted = |config: &LossConfig| {
        let loss = config.loss();
        let per_sample = loss.per_sample(output, &targets.one_hot);
        (per_sample * targets.weights.clone()).sum_dim(1) * loss.weight()
    };
    let sum = losses.iter().map(weighted).reduce(|sum, term| sum + term);
    sum.expect("a checked configuration has a loss")
}

/// Whether any of the losses looks at the classes; a model that none shows them to is an autoencoder, and predicts its
/// reconstruction error as the score of the second of two classes.
pub fn see_classes(losses: &[LossConfig]) -> bool {
    losses.iter().any(|config| config.loss().basis() == Basis::Classes)
}

/// Every reason why these losses cannot be added up, seen from `training`.
pub(super) fn problems(losses: &[LossConfig]) -> Problems {
    let mut problems = Problems::default();
    problems.require(
        !losses.is_empty(),
        "loss",
        || "is empty: expected at least one loss, such as { kind = \"cross-entropy\" }",
    );
    for (index, config) in losses.iter().enumerate() {
        let key = format!("loss[{index}]");
        let weight = config.loss().weight();
        problems.require(weight > 0.0 && weight.is_finite(), &format!("{key}.weight"), || {
            format!("is {weight}: must be greater than 0; leave the loss out to switch it off")
        });
        let is_same = |other: &LossConfig| mem::discriminant(other) == mem::discriminant(config);
        problems.require(
            !losses[..index].iter().any(is_same),
            &key,
            || "this kind is in the list already: one entry with the sum of the weights is the same",
        );
        problems.extend_below(&key, config.loss().problems());
    }
    problems
}

/// Every reason why these losses cannot train a model with or without decoders on so many classes, seen from
/// `training`.
pub(super) fn model_problems(losses: &[LossConfig], has_decoder: bool, num_classes: usize) -> Problems {
    let mut problems = Problems::default();
    let rebuilds = losses
        .iter()
        .any(|config| config.loss().basis() == Basis::Reconstruction);
    problems.require(
        has_decoder || !rebuilds,
        "loss",
        || "has a reconstruction, but no stream has a decoder: add `decoder = { kind = ... }` to one",
    );
    problems.require(rebuilds || !has_decoder, "loss", || {
        "has no reconstruction, but a stream has a decoder, which nothing would train: add { kind = \"reconstruction\" }"
    });
    problems.require(losses.is_empty() || see_classes(losses) || num_classes == 2, "loss", || {
        format!(
            "has no loss of the classes, so the prediction is one score per window, the reconstruction error: expected \
             two classes, the second being the anomaly, found {num_classes}"
        )
    });
    problems
}
