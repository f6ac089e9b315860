//! The experiment file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Value;

use crate::cohort::split::SplitConfig;
use crate::cohort::window::WindowConfig;
use crate::features::tables::FeatureConfigs;
use crate::models::ModelConfig;
use crate::simulate::SimulateConfig;
use crate::training::TrainingConfig;

/// One experiment: data, task, split, model, training. Every table refuses keys that it does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentConfig {
    /// Name; runs go to `checkpoints/<name>/`. Slashes make folders.
    pub name: String,
    /// The question this experiment answers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub question: String,
    /// Seeds; every split is trained once with each.
    #[serde(default = "default_seeds")]
    pub seeds: Vec<u64>,
    /// Data.
    pub data: DataConfig,
    /// Classes to predict.
    #[serde(default)]
    pub task: TaskConfig,
    /// Feature tables, which streams read as modalities: `[features.NAME]`.
    #[serde(default, skip_serializing_if = "FeatureConfigs::is_empty")]
    pub features: FeatureConfigs,
    /// Who is trained on and who is tested.
    #[serde(default)]
    pub split: SplitConfig,
    /// Model.
    pub model: ModelConfig,
    /// How.
    pub training: TrainingConfig,
    /// Records.
    #[serde(default)]
    pub tracking: TrackingConfig,
    /// Named changes of this experiment that are trained beside it and compared with it, `[[variant]]`: an ablation.
    #[serde(default, rename = "variant", skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<VariantConfig>,
}

fn default_seeds() -> Vec<u64> {
    vec![0]
}

/// The `[data]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Where subjects come from.
    pub source: DataSource,
    /// How sessions are cut; absent: a session is one window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowConfig>,
}

/// Where subjects come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DataSource {
    /// `datasets/<name>/card.toml`.
    Dataset(DatasetSource),
    /// The simulated cohort, which needs no files.
    Simulated(SimulateConfig),
}

/// A dataset with a card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetSource {
    /// Name of its folder.
    pub name: String,
}

/// The `[task]` table: which class of the data is which class of the prediction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// Classes to predict, in order; the last of two is the positive one. Absent: those of the data. Sessions whose
    /// class is in none of them are left out.
    #[serde(default, rename = "class", skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<TaskClass>,
    /// Deals the subjects' classes out anew at random with this seed: a control in which nothing can be learned, so
    /// that anything but chance is a leak. A subject's sessions need one class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permute_labels: Option<u64>,
}

/// One class to predict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskClass {
    /// Name.
    pub name: String,
    /// The data's classes that it joins.
    pub from: Vec<String>,
}

/// The `[tracking]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrackingConfig {
    /// Optimiser steps between two records of loss, gradient norm and learning rate.
    pub log_every_steps: usize,
    /// Whether weight histograms are written at the end of each replica.
    pub histograms: bool,
}

impl Default for TrackingConfig {
    fn default() -> Self {
        Self {
            log_every_steps: 10,
            histograms: true,
        }
    }
}

/// One named change, `[[variant]]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantConfig {
    /// Name in tables and folders.
    pub name: String,
    /// Modalities that it does without: streams that read one of them are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_modalities: Vec<String>,
    /// Streams that it does without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_streams: Vec<String>,
    /// Dotted key -> new value, as with `--set`; a table takes the place of the old one as a whole.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, Value>,
}
