//! Variants: named changes of one experiment.

use serde::Deserialize as _;
use toml::{Table, Value};

use super::config::{ExperimentConfig, VariantConfig};
use super::overrides;
use crate::base::Problem;

/// Name of the experiment without changes, among its variants.
pub const BASE_VARIANT: &str = "base";

/// Tables that a variant may change; the rest makes it comparable: data, task, splits, seeds.
const CHANGEABLE: [&str; 4] = ["features", "model", "training", "data.window"];

impl VariantConfig {
    /// The experiment with this change, without variants of its own.
    ///
    /// # Errors
    /// The key below this variant that is wrong, and why.
    pub fn apply(&self, base: &ExperimentConfig) -> Result<ExperimentConfig, Problem> {
        let at = |key: &str| format!("variant.{}.{key}", self.name);
        let mut document = Table::try_from(base).map_err(|error| Problem::new(at("set"), error.to_string()))?;
        document.remove("variant");
        self.remove_streams(&mut document)
            .map_err(|problem| problem.below(format_args!("variant.{}", self.name)))?;
        for (key, value) in &self.set {
            let is_below = |root: &&str| {
                key.strip_prefix(*root)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            if !CHANGEABLE.iter().any(is_below) {
                let message = format!(
                    "{key} is what variants share, so that they can be compared: they may change {}",
                    CHANGEABLE.join(", ")
                );
                return Err(Problem::new(at("set"), message));
            }
            overrides::set_key(&mut document, key, value.clone())
                .map_err(|message| Problem::new(at("set"), format!("{key}: {message}")))?;
        }
        ExperimentConfig::deserialize(document).map_err(|error| Problem::new(at("set"), error.to_string().trim_end()))
    }

    fn remove_streams(&self, document: &mut Table) -> Result<(), Problem> {
        let streams = document
            .get_mut("model")
            .and_then(|model| model.get_mut("stream"))
            .and_then(Value::as_array_mut);
        let Some(streams) = streams else { return Ok(()) };
        let lists = [
            ("without_modalities", "modality", &self.without_modalities),
            ("without_streams", "name", &self.without_streams),
        ];
        for (key, field, unwanted) in lists {
            for name in unwanted {
                let before = streams.len();
                let known: Vec<String> = streams
                    .iter()
                    .filter_map(|stream| stream.get(field)?.as_str().map(str::to_owned))
                    .collect();
                streams.retain(|stream| stream.get(field).and_then(Value::as_str) != Some(name));
                if streams.len() == before {
                    return Err(Problem::new(
                        key,
                        format!("no stream has {field} {name:?}; there is {}", known.join(", ")),
                    ));
                }
            }
        }
        if streams.is_empty() {
            return Err(Problem::new("name", "this variant has no stream left"));
        }
        Ok(())
    }
}

/// The part of an experiment that is equal for variants whose replicas can train together: everything but what a
/// replica has of its own ([`Hyperparameters`](crate::training::Hyperparameters) and its first weights).
pub(super) fn shared_config(config: &ExperimentConfig) -> ExperimentConfig {
    let mut shared = config.clone();
    shared.model.dropout = 0.0;
    shared.training.label_smoothing = 0.0;
    shared.training.class_weights = Default::default();
    for rate in shared.training.optimizer.rates_mut() {
        *rate = 0.0;
    }
    shared.training.init_from = None;
    shared
}
