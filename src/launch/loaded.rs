//! A program on its device.

use std::collections::BTreeMap;

use burn::tensor::Device;

use super::error::LaunchError;
use crate::experiment::{ExperimentPlan, Program};
use crate::runs::RunDirectory;
use crate::training::checkpoint::{CheckpointStore, ReplicaState};
use crate::training::{DeviceData, Replica};

/// How to run a plan.
#[derive(Clone, Debug, Default)]
pub struct LocalOptions {
    /// Most replicas in one group; by memory when absent.
    pub max_replicas: Option<usize>,
    /// Only these replicas, by name; all when empty.
    pub only: Vec<String>,
    /// How often test metrics of this experiment were computed before this run.
    pub test_evaluations_before: usize,
    /// No progress.
    pub quiet: bool,
}

impl LocalOptions {
    /// Whether this replica is to be trained.
    pub(super) fn wants(&self, replica: &Replica) -> bool {
        self.only.is_empty() || self.only.contains(&replica.name)
    }
}

/// A program on its device, with what earlier attempts left of it.
pub(super) struct Loaded<'a> {
    pub(super) program: &'a Program,
    /// Replicas that train together.
    pub(super) group_size: usize,
    pub(super) data: DeviceData,
    pub(super) store: CheckpointStore,
    /// Where replicas in training stood.
    pub(super) states: BTreeMap<String, ReplicaState>,
    /// Replicas that are done.
    pub(super) finished: BTreeMap<String, ReplicaState>,
}

impl<'a> Loaded<'a> {
    pub(super) fn new(
        plan: &ExperimentPlan,
        program: &'a Program,
        group_size: usize,
        device: &Device,
        directory: &RunDirectory,
        options: &LocalOptions,
    ) -> Result<(Self, Vec<String>), LaunchError> {
        let place = directory.checkpoints().join(program.name());
        let optimizer = &program.config().training.optimizer;
        let store = CheckpointStore::new(place, plan.hash(), program.model().layout(), optimizer);
        let (states, warnings) = store.latest()?.unwrap_or_default();
        let mut finished = BTreeMap::new();
        for planned in program
            .replicas()
            .iter()
            .filter(|planned| options.wants(planned.replica()))
        {
            if let Some(state) = store.finished(&planned.replica().name)? {
                finished.insert(planned.replica().name.clone(), state);
            }
        }
        let (sources, windows) = (program.sources().to_vec(), program.windows().clone());
        let data = DeviceData::new(program.prepared(), sources, windows, plan.classes().len(), device);
        Ok((
            Self {
                program,
                group_size,
                data,
                store,
                states,
                finished,
            },
            warnings,
        ))
    }
}
