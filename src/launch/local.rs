//! Trains all replicas of a plan on one device of this machine.

use std::collections::BTreeMap;

use burn::tensor::{DType, Device};

use super::life::{end_life, open_manifest};
use super::predict::{predict, prediction_rows};
use super::recorder::Recorder;
use super::results::{record_results, tracked, write_experiment};
use super::signals::StopFlag;
use crate::data::split::SplitError;
use crate::evaluation::{Evaluation, EvaluationError, EvaluationOptions, Metric, evaluate};
use crate::experiment::ExperimentPlan;
use crate::runs::predictions::{self, PredictionsError};
use crate::runs::{RunDirectory, RunError, RunStatus};
use crate::tracking::{GroupStatus, Progress, RunTracker, TrackingError};
use crate::training::checkpoint::{CheckpointError, CheckpointStore, ReplicaState};
use crate::training::step::Group;
use crate::training::trainer::{TrainError, Trainer, aligned};
use crate::training::{DeviceData, Replica, Status};

/// Name of the only variant of an experiment without changes.
pub const BASE_VARIANT: &str = "base";

/// Why a run did not end well.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The loop failed or was interrupted.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A checkpoint could not be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The run directory could not be written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The splits could not be frozen.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// Metrics could not be recorded.
    #[error(transparent)]
    Tracking(#[from] TrackingError),
    /// Predictions could not be stored.
    #[error(transparent)]
    Predictions(#[from] PredictionsError),
    /// Predictions could not be evaluated.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// The device cannot compute with the experiment's dtype.
    #[error("training.precision: {device} has no {dtype:?}\nhint: use precision = \"f32\" on this device")]
    Precision {
        /// As burn names it.
        device: String,
        /// What the experiment asks for.
        dtype: DType,
    },
    /// No replica has finite predictions.
    #[error(
        "all {0} replicas diverged: a loss or gradient was not finite\n\
         hint: lower training.optimizer.learning_rate, or set training.gradient_clip_norm"
    )]
    AllDiverged(usize),
}

/// How to run a plan.
#[derive(Clone, Debug, Default)]
pub struct LocalOptions {
    /// Most replicas in one group; by memory when absent.
    pub max_replicas: Option<usize>,
    /// Only these replicas, by name; all when empty.
    pub only: Vec<String>,
    /// Looks at test metrics before this run.
    pub earlier_looks: usize,
    /// No progress.
    pub quiet: bool,
}

impl LocalOptions {
    /// Most replicas in one group of this plan.
    pub(super) fn group_size(&self, plan: &ExperimentPlan) -> usize {
        self.max_replicas.unwrap_or_else(|| plan.group_size()).max(1)
    }
}

/// What a run gives.
#[derive(Debug)]
pub struct Outcome {
    /// Metrics of the test parts.
    pub evaluation: Evaluation,
    /// Replicas that diverged, by name.
    pub diverged: Vec<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Trains what is not done yet, predicts with the best weights of each replica, evaluates and records.
pub fn run(
    plan: &ExperimentPlan,
    device: &Device,
    directory: &RunDirectory,
    options: &LocalOptions,
    stop: &StopFlag,
) -> Result<Outcome, LaunchError> {
    if let Some(dtype) = plan.config.training.precision.dtype()
        && !device.supports_dtype(dtype)
    {
        return Err(LaunchError::Precision { device: format!("{device:?}"), dtype });
    }
    let mut manifest = open_manifest(plan, device, directory, options.earlier_looks)?;
    plan.splits.freeze(&directory.split())?;
    crate::runs::write_document(&directory.experiment(), plan.resolved_toml().as_bytes())?;

    let store = CheckpointStore::new(directory.checkpoints(), &plan.hash, plan.model.layout());
    let (states, warnings) = store.latest()?.unwrap_or_default();
    let data = DeviceData::new(&plan.prepared, plan.sources.clone(), plan.windows.clone(), plan.classes.len(), device);
    let done = finished_before(plan, &store, options)?;
    let mut tracker = RunTracker::open(directory.root(), tracked(plan, &states, &done))?;
    write_experiment(plan, &mut tracker)?;

    let trained = train(plan, &data, &store, &states, done, options, &mut tracker, stop);
    if let Err(LaunchError::Train(TrainError::Interrupted)) = &trained {
        tracker.sync()?;
        end_life(directory, &mut manifest, RunStatus::Interrupted)?;
    }
    let finished = trained?;
    let predicted = predict(plan, &data, &finished, options);
    let rows = prediction_rows(plan, &predicted);
    if rows.is_empty() {
        return Err(LaunchError::AllDiverged(finished.len()));
    }
    predictions::write(&directory.predictions(), &plan.classes, &rows)?;
    let evaluation = evaluate(&rows, &plan.classes, &EvaluationOptions::default())?;
    crate::runs::write_json(&directory.evaluation(), &evaluation)?;
    record_results(plan, &data, &finished, &predicted, &evaluation, &rows, directory, &mut tracker)?;
    end_life(directory, &mut manifest, RunStatus::Finished)?;
    if options.only.is_empty() {
        store.clear_latest()?;
    }
    let is_diverged = |(_, state): &(&String, &ReplicaState)| state.progress.status == Status::Diverged;
    Ok(Outcome {
        evaluation,
        diverged: finished.iter().filter(is_diverged).map(|(name, _)| name.clone()).collect(),
        warnings,
    })
}

/// Replicas that an earlier life brought to their end, of those asked for.
fn finished_before(
    plan: &ExperimentPlan,
    store: &CheckpointStore,
    options: &LocalOptions,
) -> Result<BTreeMap<String, ReplicaState>, CheckpointError> {
    let mut done = BTreeMap::new();
    for planned in plan.replicas.iter().filter(|planned| is_wanted(&planned.replica, options)) {
        if let Some(state) = store.finished(&planned.replica.name)? {
            done.insert(planned.replica.name.clone(), state);
        }
    }
    Ok(done)
}

fn is_wanted(replica: &Replica, options: &LocalOptions) -> bool {
    options.only.is_empty() || options.only.contains(&replica.name)
}

#[allow(clippy::too_many_arguments)] // What a training needs, each from another owner.
fn train(
    plan: &ExperimentPlan,
    data: &DeviceData,
    store: &CheckpointStore,
    states: &BTreeMap<String, ReplicaState>,
    mut finished: BTreeMap<String, ReplicaState>,
    options: &LocalOptions,
    tracker: &mut RunTracker,
    stop: &StopFlag,
) -> Result<BTreeMap<String, ReplicaState>, LaunchError> {
    let all = plan.replicas.iter().map(|planned| &planned.replica);
    let left: Vec<&Replica> =
        all.filter(|replica| is_wanted(replica, options) && !finished.contains_key(&replica.name)).collect();
    let config = &plan.config.training;
    let mut progress = Progress::new(options.quiet);
    let group_size = options.group_size(plan);
    let groups: Vec<Vec<&Replica>> = aligned(&left, states)
        .into_values()
        .flat_map(|replicas| replicas.chunks(group_size).map(<[_]>::to_vec).collect::<Vec<_>>())
        .collect();
    let count = groups.len();
    for (index, replicas) in groups.into_iter().enumerate() {
        let steps = |replica: &&Replica| config.steps_per_epoch(replica.epoch_len(config.sampling())) * config.epochs;
        let num_steps = replicas.iter().map(steps).max().unwrap_or(0) as u64;
        let first_step = replicas.iter().filter_map(|replica| Some(states.get(&replica.name)?.progress.steps)).max();
        let name = if count == 1 { plan.config.name.clone() } else { format!("group {} of {count}", index + 1) };
        let id = progress.start_group(&name, first_step.unwrap_or(0), num_steps, replicas.len());
        let mut recorder = Recorder::new(plan, tracker, &mut progress, id, stop);
        let group = Group::new(&plan.model, data, replicas, config.precision);
        let trainer = Trainer::new(group, config, store, plan.config.tracking.log_every_steps, states);
        let done = trainer.run(&mut recorder)?;
        let count = |status| done.values().filter(|state| state.progress.status == status).count();
        let outcome = format!(
            "{} finished, {} stopped early, {} diverged",
            count(Status::Finished),
            count(Status::Stopped),
            count(Status::Diverged)
        );
        let steps = done.values().map(|state| state.progress.steps).max().unwrap_or(0);
        progress.finish_group(id, &GroupStatus { step: steps, ..GroupStatus::default() }, &outcome);
        finished.extend(done);
    }
    Ok(finished)
}

/// Inner folds of nested cross-validation are variants of their own: each trains on other rows.
pub(super) fn variant(inner: Option<usize>) -> String {
    inner.map_or(BASE_VARIANT.into(), |inner| format!("{BASE_VARIANT}-inner{inner}"))
}

/// Metrics of the closing table, by number of classes.
pub fn headline_metrics(num_classes: usize) -> Vec<Metric> {
    let mut metrics = vec![Metric::Accuracy, Metric::BalancedAccuracy];
    metrics.extend(if num_classes == 2 {
        [Metric::Precision, Metric::Recall, Metric::Specificity, Metric::F1]
    } else {
        [Metric::MacroPrecision, Metric::MacroRecall, Metric::MacroSpecificity, Metric::MacroF1]
    });
    metrics.extend([Metric::AucRoc, Metric::AucPr, Metric::LogLoss, Metric::Brier, Metric::EceEqualWidth]);
    metrics
}
