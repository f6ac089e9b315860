use std::path::PathBuf;

use burn::tensor::DType;
use serde::{Deserialize, Serialize};

use crate::base::Problems;

use super::losses::{self, ClassWeights, LossConfig, default_losses};
use super::{EarlyStoppingConfig, MixupConfig, OptimizerConfig, Sampling, ScheduleConfig};

/// Most epochs of a replica.
const MAX_EPOCHS: usize = 1_000_000;

/// Most windows of one forward pass: what an axis of a GPU's grid holds.
const MAX_BATCH_SIZE: usize = 65_535;

/// Most windows of one optimiser step.
const MAX_WINDOWS_PER_STEP: usize = 1 << 20;

/// The `[training]` table of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Most epochs that a replica makes.
    pub epochs: usize,
    /// Windows in a forward pass, per replica; a short last batch is padded with windows of weight 0.
    pub batch_size: usize,
    /// Forward passes whose gradients make one optimiser step.
    #[serde(default = "one")]
    pub accumulate_steps: usize,
    /// Windows of each training subject in an epoch, drawn anew each time; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows_per_subject: Option<usize>,
    /// The optimiser.
    pub optimizer: OptimizerConfig,
    /// The learning-rate schedule.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// Largest global norm of a replica's gradient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_clip_norm: Option<f64>,
    /// Share of the target spread over all classes.
    #[serde(default)]
    pub label_smoothing: f64,
    /// Samples mixed in pairs; absent: not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixup: Option<MixupConfig>,
    /// Weights of the classes in the loss.
    #[serde(default)]
    pub class_weights: ClassWeights,
    /// Losses, which add up.
    #[serde(default = "default_losses")]
    pub loss: Vec<LossConfig>,
    /// Trained weights to start from instead of random ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_from: Option<InitFromConfig>,
    /// Metric of the validation part that chooses the best weights, stops early and drives `plateau`.
    #[serde(default = "default_monitor")]
    pub monitor: String,
    /// Early stopping; absent: every replica makes all its epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStoppingConfig>,
    /// Arithmetic of the forward and backward pass; weights and optimiser are always f32.
    #[serde(default)]
    pub precision: Precision,
    /// Least time between two checkpoints of a group in training.
    #[serde(default = "default_checkpoint_every_secs")]
    pub checkpoint_every_secs: f64,
}

fn one() -> usize {
    1
}
fn default_monitor() -> String {
    "valid/log_loss".into()
}
fn default_checkpoint_every_secs() -> f64 {
    60.0
}

impl TrainingConfig {
    /// Windows that each epoch visits.
    pub fn sampling(&self) -> Sampling {
        self.windows_per_subject.map_or(Sampling::All, Sampling::PerSubject)
    }

    /// Optimiser steps in an epoch of `windows` windows.
    pub fn steps_per_epoch(&self, windows: usize) -> usize {
        windows.div_ceil(self.batch_size * self.accumulate_steps)
    }

    /// Every value that cannot work.
    pub fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        problems.require_size(self.epochs, MAX_EPOCHS, "epochs");
        problems.require_size(self.batch_size, MAX_BATCH_SIZE, "batch_size");
        let most = MAX_WINDOWS_PER_STEP / self.batch_size.clamp(1, MAX_BATCH_SIZE);
        problems.require_size(self.accumulate_steps, most, "accumulate_steps");
        problems.require(
            self.windows_per_subject != Some(0),
            "windows_per_subject",
            || "must be at least 1",
        );
        problems.extend_below("optimizer", self.optimizer.problems());
        problems.extend_below("schedule", self.schedule.problems());
        let clip = self.gradient_clip_norm;
        problems.require(
            clip.is_none_or(|norm| norm > 0.0),
            "gradient_clip_norm",
            || "must be greater than 0",
        );
        problems.require(
            (0.0..1.0).contains(&self.label_smoothing),
            "label_smoothing",
            || "must be at least 0 and less than 1",
        );
        if let Some(init_from) = &self.init_from {
            let factor = init_from.learning_rate_factor;
            problems.require(
                factor >= 0.0 && factor.is_finite(),
                "init_from.learning_rate_factor",
                || "must be at least 0 (0: frozen)",
            );
            problems.require(
                !init_from.streams.is_empty(),
                "init_from.streams",
                || "is empty: name the streams to take",
            );
        }
        if let Some(stopping) = &self.early_stopping {
            problems.extend_below("early_stopping", stopping.problems());
        }
        problems.require(
            self.checkpoint_every_secs >= 0.0,
            "checkpoint_every_secs",
            || "must be at least 0 (0: after every step)",
        );
        if let Some(mixup) = &self.mixup {
            problems.require(
                self.batch_size > 1,
                "mixup",
                || "mixes samples of one batch: use a batch_size of at least 2",
            );
            problems.extend_below("mixup", mixup.problems());
        }
        problems.extend(losses::problems(&self.loss));
        problems
    }

    /// Every value that cannot work for a model with or without decoders on so many classes.
    pub fn model_problems(&self, has_decoder: bool, num_classes: usize) -> Problems {
        let mut problems = losses::model_problems(&self.loss, has_decoder, num_classes);
        if !losses::see_classes(&self.loss) {
            problems.require(
                self.class_weights == ClassWeights::None,
                "class_weights",
                || "an autoencoder must not see the classes: use none",
            );
            problems.require(
                self.label_smoothing == 0.0,
                "label_smoothing",
                || "an autoencoder does not see the labels that this smooths: leave it out",
            );
        }
        problems
    }
}

/// Transfer: streams that start from the trained weights of another run.
///
/// A run on the same data must have the same splits, and each replica starts from the one of the same fold, so that no
/// weight has seen a subject that it will be tested on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitFromConfig {
    /// A finished run, or an experiment whose newest finished run is taken: its folder, seen from the folder of runs
    /// (`pretraining` or `pretraining/20261129-120000-0a1b2c3d`), or an absolute path.
    pub run: PathBuf,
    /// Variant of that run.
    #[serde(default = "base_variant")]
    pub variant: String,
    /// Replica of that run to start all replicas from, such as `repeat0-fold0-seed0`; only for a run on other data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<String>,
    /// Streams to take, under the names that they have in both models.
    pub streams: Vec<String>,
    /// Learning rate of these streams, as a multiple of that of the others; 0 freezes them.
    #[serde(default = "one_f64")]
    pub learning_rate_factor: f64,
}

fn base_variant() -> String {
    "base".into()
}
fn one_f64() -> f64 {
    1.0
}

/// Arithmetic of the forward and backward pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// bfloat16 activations and gradients over f32 weights, where the device has it.
    Bf16,
}

impl Precision {
    /// The dtype that parameters and inputs are cast to, if any.
    pub fn dtype(self) -> Option<DType> {
        match self {
            Self::F32 => None,
            Self::Bf16 => Some(DType::BF16),
        }
    }
}
