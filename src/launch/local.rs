//! Trains all replicas of a plan on one device of this machine.

use std::collections::BTreeMap;

use burn::tensor::Device;

use super::ablation;
use super::error::LaunchError;
use super::loaded::{Loaded, LocalOptions};
use super::memory::{DeviceMemory, group_sizes};
use super::predict::{predict, prediction_rows};
use super::recorder::Recorder;
use super::results::{record_results, tracked, write_experiment};
use super::signals::StopFlag;
use crate::evaluation::{Ablation, Evaluation, EvaluationOptions, Metric, evaluate};
use crate::experiment::{ExperimentPlan, Program};
use crate::launch::attempt::{end_attempt, open_manifest};
use crate::runs::predictions;
use crate::runs::{RunDirectory, RunStatus};
use crate::tracking::{GroupStatus, Progress, RunTracker};
use crate::training::checkpoint::ReplicaState;
use crate::training::step::Group;
use crate::training::trainer::{TrainError, Trainer, aligned};
use crate::training::{Replica, Status};

/// Result of a run.
#[derive(Debug)]
pub struct Outcome {
    /// Metrics of the test parts.
    pub evaluation: Evaluation,
    /// The variants against the base, one entry per metric; empty for an experiment without variants.
    pub ablations: Vec<Ablation>,
    /// Replicas that diverged, by name.
    pub diverged: Vec<String>,
    /// Warnings for the user.
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
    check_precision(plan, device)?;
    let group_sizes = group_sizes(plan, DeviceMemory::of(device), options.max_replicas)?;
    let mut manifest = open_manifest(plan, device, directory, options.test_evaluations_before)?;
    plan.splits().freeze(&directory.split())?;
    crate::runs::write_document(&directory.experiment(), plan.resolved_toml().as_bytes())?;
    crate::runs::write_json(&directory.fitted(), &super::fitted::records(plan))?;

    let mut warnings = Vec::new();
    let mut programs = Vec::new();
    for (program, group_size) in plan.programs().iter().zip(group_sizes) {
        let (loaded, found) = Loaded::new(plan, program, group_size, device, directory, options)?;
        programs.push(loaded);
        warnings.extend(found);
    }
    let mut tracker = RunTracker::open(directory.root(), tracked(plan, &programs))?;
    write_experiment(plan, &mut tracker)?;
    let mut progress = Progress::new(options.quiet);
    for loaded in &mut programs {
        let trained = train(plan, loaded, options, &mut tracker, &mut progress, stop);
        if let Err(LaunchError::Train(TrainError::Interrupted)) = &trained {
            tracker.sync()?;
            end_attempt(directory, &mut manifest, RunStatus::Interrupted)?;
        }
        trained?;
    }

    let predicted: BTreeMap<usize, _> = programs.iter().flat_map(|loaded| predict(loaded)).collect();
    let rows = prediction_rows(plan, &predicted);
    let finished = || programs.iter().flat_map(|loaded| &loaded.finished);
    if rows.is_empty() {
        return Err(LaunchError::AllDiverged(finished().count()));
    }
    predictions::write(&directory.predictions(), plan.classes(), &rows)?;
    let evaluation = evaluate(&rows, plan.classes(), &EvaluationOptions::default())?;
    crate::runs::write_json(&directory.evaluation(), &evaluation)?;
    let ablations = ablation::ablations(plan, &evaluation)?;
    ablation::record(plan, &ablations, directory, &mut tracker)?;
    record_results(plan, &programs, &predicted, &evaluation, &rows, directory, &mut tracker)?;
    end_attempt(directory, &mut manifest, RunStatus::Finished)?;
    if options.only.is_empty() {
        programs.iter().try_for_each(|loaded| loaded.store.clear_latest())?;
    }
    let is_diverged = |(_, state): &(&String, &ReplicaState)| state.progress.status == Status::Diverged;
    let diverged = finished().filter(is_diverged).map(|(name, _)| name.clone()).collect();
    Ok(Outcome {
        evaluation,
        ablations,
        diverged,
        warnings,
    })
}

fn check_precision(plan: &ExperimentPlan, device: &Device) -> Result<(), LaunchError> {
    let dtypes = plan
        .programs()
        .iter()
        .filter_map(|program| program.config().training.precision.dtype());
    match dtypes.into_iter().find(|&dtype| !device.supports_dtype(dtype)) {
        Some(dtype) => Err(LaunchError::Precision {
            device: format!("{device:?}"),
            dtype,
        }),
        None => Ok(()),
    }
}

/// Trains what is left of a program, group by group.
fn train(
    plan: &ExperimentPlan,
    loaded: &mut Loaded,
    options: &LocalOptions,
    tracker: &mut RunTracker,
    progress: &mut Progress,
    stop: &StopFlag,
) -> Result<(), LaunchError> {
    let Loaded {
        program,
        group_size,
        data,
        store,
        states,
        finished,
    } = loaded;
    let program: &Program = program;
    let all = program.replicas().iter().map(|planned| planned.replica());
    let left: Vec<&Replica> = all
        .filter(|replica| options.wants(replica) && !finished.contains_key(&replica.name))
        .collect();
    let config = &program.config().training;
    let groups: Vec<Vec<&Replica>> = aligned(&left, states)
        .into_values()
        .flat_map(|replicas| replicas.chunks(*group_size).map(<[_]>::to_vec).collect::<Vec<_>>())
        .collect();
    let count = groups.len();
    for (index, replicas) in groups.into_iter().enumerate() {
        let steps = |replica: &&Replica| config.steps_per_epoch(replica.epoch_len(config.sampling())) * config.epochs;
        let num_steps = replicas.iter().map(steps).max().unwrap_or(0) as u64;
        let first_step = replicas
            .iter()
            .filter_map(|replica| Some(states.get(&replica.name)?.progress.steps))
            .max();
        let mut name = if plan.programs().len() == 1 {
            plan.config().name.clone()
        } else {
            program.name().into()
        };
        if count > 1 {
            name.push_str(&format!(", group {} of {count}", index + 1));
        }
        let id = progress.start_group(&name, first_step.unwrap_or(0), num_steps, replicas.len());
        let mut recorder = Recorder::new(program, tracker, progress, id, stop);
        let group = Group::new(program.model(), data, replicas, config);
        let trainer = Trainer::new(group, store, plan.config().tracking.log_every_steps, states)?;
        let done = trainer.run(&mut recorder)?;
        let count = |status| done.values().filter(|state| state.progress.status == status).count();
        let outcome = format!(
            "{} finished, {} stopped early, {} diverged",
            count(Status::Finished),
            count(Status::Stopped),
            count(Status::Diverged)
        );
        let steps = done.values().map(|state| state.progress.steps).max().unwrap_or(0);
        progress.finish_group(
            id,
            &GroupStatus {
                step: steps,
                ..GroupStatus::default()
            },
            &outcome,
        );
        finished.extend(done);
    }
    Ok(())
}

/// Metrics of the closing table, by number of classes.
pub fn headline_metrics(num_classes: usize) -> Vec<Metric> {
    let mut metrics = vec![Metric::Accuracy, Metric::BalancedAccuracy];
    metrics.extend(if num_classes == 2 {
        [Metric::Precision, Metric::Recall, Metric::Specificity, Metric::F1]
    } else {
        [
            Metric::MacroPrecision,
            Metric::MacroRecall,
            Metric::MacroSpecificity,
            Metric::MacroF1,
        ]
    });
    metrics.extend([
        Metric::AucRoc,
        Metric::AucPr,
        Metric::LogLoss,
        Metric::Brier,
        Metric::EceEqualWidth,
    ]);
    metrics
}
