//! Programs: variants that train together, joined with their data.

use std::fmt;
use std::sync::Arc;

use super::config::ExperimentConfig;
use super::variant::BASE_VARIANT;
use crate::cohort::prepared::Prepared;
use crate::cohort::window::Window;
use crate::evaluation::Metric;
use crate::features::tables::FittedTransforms;
use crate::models::{InputShape, Model};
use crate::training::{Replica, StreamSource};

/// Replicas of one model over one view of the data: what trains as one program on a device.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) name: String,
    pub(super) config: ExperimentConfig,
    pub(super) prepared: Arc<Prepared>,
    pub(super) windows: Arc<[Window]>,
    pub(super) sources: Vec<StreamSource>,
    pub(super) model: Model,
    pub(super) selection: Selection,
    pub(super) replicas: Vec<PlannedReplica>,
}

impl Program {
    /// Name of its first variant, and of its folder of checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The experiment as its first variant has it. The others differ only in what their replicas carry.
    pub fn config(&self) -> &ExperimentConfig {
        &self.config
    }

    /// The data with this program's features as its last modalities.
    pub fn prepared(&self) -> &Arc<Prepared> {
        &self.prepared
    }

    /// All samples; their classes are those of the task.
    pub fn windows(&self) -> &Arc<[Window]> {
        &self.windows
    }

    /// Sources of the streams.
    pub fn sources(&self) -> &[StreamSource] {
        &self.sources
    }

    /// The shape of each stream's input.
    pub fn input_shapes(&self) -> Vec<InputShape> {
        self.sources.iter().map(|source| source.shape).collect()
    }

    /// The model that all replicas share.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Value that selects weights and stops training.
    pub fn selection(&self) -> Selection {
        self.selection
    }

    /// One replica per variant, split and seed.
    pub fn replicas(&self) -> &[PlannedReplica] {
        &self.replicas
    }

    pub(super) fn extend(&mut self, replicas: Vec<PlannedReplica>) {
        self.replicas.extend(replicas);
    }
}

/// A replica and what it is called in records.
#[derive(Clone, Debug)]
pub struct PlannedReplica {
    pub(super) index: usize,
    pub(super) variant: String,
    pub(super) key: ReplicaKey,
    pub(super) replica: Replica,
    pub(super) transforms: Vec<Option<Arc<FittedTransforms>>>,
}

impl PlannedReplica {
    /// Position among all replicas of the experiment.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Name of the variant.
    pub fn variant(&self) -> &str {
        &self.variant
    }

    /// Split and seed, the same for every variant.
    pub fn key(&self) -> ReplicaKey {
        self.key
    }

    /// Replica as training takes it.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// By stream: the transforms of its features that were fitted on the training subjects.
    pub fn transforms(&self) -> &[Option<Arc<FittedTransforms>>] {
        &self.transforms
    }

    /// Name of the variant in records: inner folds of nested cross-validation are variants of their own, as each
    /// trains on other rows.
    pub fn record_variant(&self) -> String {
        self.key
            .inner
            .map_or(self.variant.clone(), |inner| format!("{}-inner{inner}", self.variant))
    }
}

/// Split and seed of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaKey {
    /// Repeat of the split.
    pub repeat: usize,
    /// Fold of the repeat.
    pub fold: usize,
    /// Inner fold, in nested cross-validation.
    pub inner: Option<usize>,
    /// Seed as the experiment names it.
    pub seed: u64,
}

/// As one word, such as `repeat0-fold3-seed1`.
impl fmt::Display for ReplicaKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "repeat{}-fold{}", self.repeat, self.fold)?;
        if let Some(inner) = self.inner {
            write!(formatter, "-inner{inner}")?;
        }
        write!(formatter, "-seed{}", self.seed)
    }
}

/// The name of the replica of `variant` with this key, unique in an experiment; the base's is the key alone.
pub(super) fn replica_name(variant: &str, key: &str) -> String {
    if variant == BASE_VARIANT {
        key.into()
    } else {
        format!("{variant}-{key}")
    }
}

/// Value that chooses the best weights, stops early and drives the plateau schedule, on the validation part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// A metric of the predicted classes.
    Metric(Metric),
    /// The mean squared error of what the decoders make of their streams, `valid/reconstruction`.
    Reconstruction,
}

impl fmt::Display for Selection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metric(metric) => write!(formatter, "valid/{metric}"),
            Self::Reconstruction => write!(formatter, "valid/reconstruction"),
        }
    }
}
