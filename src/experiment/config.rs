//! The experiment file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ExperimentError;
use crate::data::split::SplitConfig;
use crate::data::synthetic::SyntheticConfig;
use crate::data::window::WindowConfig;
use crate::models::ModelConfig;
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
    /// What to read.
    pub data: DataConfig,
    /// What to predict.
    #[serde(default)]
    pub task: TaskConfig,
    /// Who is trained on and who is tested.
    #[serde(default)]
    pub split: SplitConfig,
    /// What is trained.
    pub model: ModelConfig,
    /// How.
    pub training: TrainingConfig,
    /// What is recorded.
    #[serde(default)]
    pub tracking: TrackingConfig,
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
    /// A small made-up cohort that needs no files.
    Synthetic(SyntheticConfig),
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
}

/// One class to predict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskClass {
    /// Its name.
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
        Self { log_every_steps: 10, histograms: true }
    }
}

/// An experiment file as read: its text with overrides applied, and what it says.
#[derive(Clone, Debug)]
pub struct ExperimentFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// The text with overrides applied.
    pub text: String,
    /// What it says.
    pub config: ExperimentConfig,
}

impl ExperimentFile {
    /// Reads `path` and applies `--set` assignments.
    ///
    /// # Errors
    /// A file that cannot be read, TOML that is none, an unknown key or a value of the wrong type (with line and
    /// column), an override that names nothing.
    pub fn load(path: &Path, assignments: &[String]) -> Result<Self, ExperimentError> {
        let text = std::fs::read_to_string(path).map_err(|source| ExperimentError::Io { path: path.into(), source })?;
        Self::parse(path, &text, assignments)
    }

    /// Like [`load`](Self::load), of a text.
    pub fn parse(path: &Path, text: &str, assignments: &[String]) -> Result<Self, ExperimentError> {
        let syntax =
            |message: String| ExperimentError::Syntax { path: path.into(), message: message.trim_end().into() };
        if assignments.is_empty() {
            let config = toml::from_str(text).map_err(|error| syntax(error.to_string()))?;
            return Ok(Self { path: path.into(), text: text.into(), config });
        }
        let mut table: toml::Table = toml::from_str(text).map_err(|error| syntax(error.to_string()))?;
        for assignment in assignments {
            super::overrides::apply(&mut table, assignment)?;
        }
        let text = toml::to_string(&table).map_err(|error| syntax(error.to_string()))?;
        let config = ExperimentConfig::deserialize(table).map_err(|error| {
            syntax(format!("{} (with --set {})", error.to_string().trim_end(), assignments.join(" --set ")))
        })?;
        Ok(Self { path: path.into(), text, config })
    }

    /// The line (from 1) that `key` stands on, or that of the innermost table around it.
    pub fn line_of(&self, key: &str) -> Option<usize> {
        use toml::de::{DeTable, DeValue};
        let document = DeTable::parse(&self.text).ok()?;
        let key = key.replace('[', ".").replace(']', "");
        let mut parts = key.split('.');
        let (first, mut value) = document.get_ref().get_key_value(parts.next()?)?;
        let mut start = first.span().start;
        for part in parts {
            value = match value.get_ref() {
                DeValue::Table(table) => match table.get_key_value(part) {
                    Some((key, value)) => {
                        start = key.span().start;
                        value
                    }
                    None => break,
                },
                DeValue::Array(array) => {
                    let name = |value: &'_ toml::Spanned<DeValue>| {
                        value.get_ref().get("name").and_then(|name| name.get_ref().as_str().map(str::to_owned))
                    };
                    let names: Vec<Option<String>> = array.iter().map(name).collect();
                    let at = super::overrides::position(names.iter().map(Option::as_deref), part);
                    match at.and_then(|at| array.get(at)) {
                        Some(value) => {
                            start = value.span().start;
                            value
                        }
                        None => break,
                    }
                }
                _ => break,
            };
        }
        Some(1 + self.text.get(..start)?.matches('\n').count())
    }
}
