//! Trains all replicas of a plan on one device of this machine.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use burn::tensor::{DType, Device};

use super::recorder::Recorder;
use super::signals::StopFlag;
use crate::data::split::{Part, SplitError};
use crate::evaluation::{Evaluation, EvaluationError, EvaluationOptions, Level, Metric, Prediction, evaluate};
use crate::experiment::ExperimentPlan;
use crate::models::matrix;
use crate::runs::predictions::{self, PredictionsError};
use crate::runs::{Life, Manifest, RunDirectory, RunError, RunStatus};
use crate::tracking::{
    Chart, ChartCategory, DatasetRole, ExperimentSummary, GroupStatus, HparamValue, MetricInfo, Progress, RunTracker,
    SessionStatus, TrackedReplica, TrackingError, figure,
};
use crate::training::checkpoint::{CheckpointError, CheckpointStore, ReplicaState};
use crate::training::step::{Group, Predicted, floats};
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
    crate::runs::write_document(&directory.evaluation(), &to_json(&evaluation))?;
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
    let group_size = options.max_replicas.unwrap_or_else(|| plan.group_size()).max(1);
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

/// Predictions of each finished replica's best weights on its three parts.
fn predict(
    plan: &ExperimentPlan,
    data: &DeviceData,
    finished: &BTreeMap<String, ReplicaState>,
    options: &LocalOptions,
) -> BTreeMap<usize, [Predicted; 3]> {
    let group_size = options.max_replicas.unwrap_or_else(|| plan.group_size()).max(1);
    let done: Vec<usize> =
        (0..plan.replicas.len()).filter(|&at| finished.contains_key(&plan.replicas[at].replica.name)).collect();
    let mut predicted = BTreeMap::new();
    for chunk in done.chunks(group_size) {
        let replicas: Vec<&Replica> = chunk.iter().map(|&at| &plan.replicas[at].replica).collect();
        let group = Group::new(&plan.model, data, replicas.clone(), plan.config.training.precision);
        let rows = |what: &str| {
            let row = |replica: &&Replica| finished[&replica.name].tensors.get(what).cloned().unwrap_or_default();
            matrix(replicas.iter().flat_map(row).collect(), replicas.len(), data.device())
        };
        let (weights, buffers) = (rows("best_weights"), rows("best_buffers"));
        let train: Vec<Vec<u32>> = replicas.iter().map(|replica| replica.train.concat()).collect();
        let parts: [Vec<&[u32]>; 3] = [
            train.iter().map(Vec::as_slice).collect(),
            replicas.iter().map(|replica| &replica.valid[..]).collect(),
            replicas.iter().map(|replica| &replica.test[..]).collect(),
        ];
        let [train, valid, test] =
            parts.map(|windows| group.predict(&weights, &buffers, &windows, plan.config.training.batch_size));
        for (((&at, train), valid), test) in chunk.iter().zip(train).zip(valid).zip(test) {
            predicted.insert(at, [train, valid, test]);
        }
    }
    predicted
}

/// Rows of `predictions.parquet`; a replica with any logit that is not finite is left out.
fn prediction_rows(plan: &ExperimentPlan, predicted: &BTreeMap<usize, [Predicted; 3]>) -> Vec<Prediction> {
    let mut rows = Vec::new();
    for (&at, parts) in predicted {
        if parts.iter().any(|part| part.logits.iter().any(|logit| !logit.is_finite())) {
            continue;
        }
        let planned = &plan.replicas[at];
        let replica = &planned.replica;
        let windows = [replica.train.concat(), replica.valid.clone(), replica.test.clone()];
        for ((part, windows), predicted) in Part::ALL.into_iter().zip(windows).zip(parts) {
            for (&window, logits) in windows.iter().zip(predicted.logits.chunks_exact(plan.classes.len())) {
                let window = &plan.windows[window as usize];
                let subject = &plan.prepared.subjects()[window.subject as usize];
                rows.push(Prediction {
                    variant: variant(planned.inner),
                    repeat: planned.repeat as u32,
                    fold: planned.fold as u32,
                    seed: planned.seed,
                    part,
                    subject: subject.id.clone(),
                    session: subject.sessions[window.session as usize].id.clone(),
                    window_start_secs: window.start_secs,
                    target: window.class,
                    logits: logits.to_vec(),
                });
            }
        }
    }
    rows
}

/// Inner folds of nested cross-validation are variants of their own: each trains on other rows.
fn variant(inner: Option<usize>) -> String {
    inner.map_or(BASE_VARIANT.into(), |inner| format!("{BASE_VARIANT}-inner{inner}"))
}

fn tracked(
    plan: &ExperimentPlan,
    states: &BTreeMap<String, ReplicaState>,
    done: &BTreeMap<String, ReplicaState>,
) -> Vec<TrackedReplica> {
    let hparams = hparams(plan);
    let group = format!("{BASE_VARIANT}-{}", plan.hash.get(..8).unwrap_or_default());
    plan.replicas
        .iter()
        .map(|planned| TrackedReplica {
            variant: variant(planned.inner),
            group: group.clone(),
            repeat: planned.repeat,
            fold: planned.fold,
            seed: planned.seed,
            hparams: hparams.clone(),
            first_step: done
                .get(&planned.replica.name)
                .or_else(|| states.get(&planned.replica.name))
                .map_or(0, |state| state.progress.steps + 1),
        })
        .collect()
}

/// The numbers, switches and names of the model and training tables under their dotted keys.
fn hparams(plan: &ExperimentPlan) -> Vec<(String, HparamValue)> {
    fn flatten(prefix: &str, value: &toml::Value, into: &mut Vec<(String, HparamValue)>) {
        let number = |number: f64| (prefix.to_owned(), HparamValue::Number(number));
        match value {
            toml::Value::Table(table) => {
                for (key, value) in table {
                    flatten(&format!("{prefix}.{key}"), value, into);
                }
            }
            toml::Value::Array(array) => {
                for (index, value) in array.iter().enumerate() {
                    let name = value.get("name").and_then(toml::Value::as_str).map_or(index.to_string(), str::to_owned);
                    flatten(&format!("{prefix}.{name}"), value, into);
                }
            }
            toml::Value::Integer(value) => into.push(number(*value as f64)),
            toml::Value::Float(value) => into.push(number(*value)),
            toml::Value::Boolean(value) => into.push((prefix.to_owned(), HparamValue::Bool(*value))),
            toml::Value::String(value) => into.push((prefix.to_owned(), HparamValue::Text(value.clone()))),
            toml::Value::Datetime(_) => {}
        }
    }
    let mut flat = Vec::new();
    let model = toml::Value::try_from(&plan.config.model);
    let training = toml::Value::try_from(&plan.config.training);
    for (name, value) in [("model", model), ("training", training)] {
        if let Ok(value) = value {
            flatten(name, &value, &mut flat);
        }
    }
    flat
}

fn write_experiment(plan: &ExperimentPlan, tracker: &mut RunTracker) -> Result<(), TrackingError> {
    let metric = |tag: &str, role: DatasetRole| MetricInfo {
        tag: tag.into(),
        group: String::new(),
        display_name: String::new(),
        dataset: role,
    };
    let events = tracker.root_events()?;
    events.experiment(&ExperimentSummary {
        name: plan.config.name.clone(),
        description: plan.config.question.clone(),
        variants: vec![hparams(plan)],
        metrics: vec![
            metric("test/subject_accuracy", DatasetRole::Other),
            metric("test/subject_balanced_accuracy", DatasetRole::Other),
            metric("test/window_accuracy", DatasetRole::Other),
            metric("valid/log_loss", DatasetRole::Valid),
        ],
    })?;
    let chart = |title: &str, pattern: &str| Chart { title: title.into(), tag_patterns: vec![pattern.into()] };
    events.custom_scalars(&[ChartCategory {
        title: "learning".into(),
        charts: vec![
            chart("loss", "train/loss|epoch/train_loss|valid/log_loss"),
            chart("validation", "valid/.*accuracy|valid/auc_roc"),
            chart("optimiser", "train/learning_rate|train/gradient_norm"),
        ],
    }])?;
    events.text("experiment", &format!("```toml\n{}```\n", plan.resolved_toml()))?;
    tracker.flush()
}

/// Step of what is recorded after training: behind all that was recorded during it, so that a later life that records it
/// again supersedes nothing else.
fn result_step(state: &ReplicaState) -> u64 {
    state.progress.steps + 1
}

/// Test metrics, curves, matrices, pictures and histograms, once everything is trained.
#[allow(clippy::too_many_arguments)] // All there is to record, each from another owner.
fn record_results(
    plan: &ExperimentPlan,
    data: &DeviceData,
    finished: &BTreeMap<String, ReplicaState>,
    predicted: &BTreeMap<usize, [Predicted; 3]>,
    evaluation: &Evaluation,
    rows: &[Prediction],
    directory: &RunDirectory,
    tracker: &mut RunTracker,
) -> Result<(), LaunchError> {
    for (at, planned) in plan.replicas.iter().enumerate() {
        let Some(state) = finished.get(&planned.replica.name) else { continue };
        let step = result_step(state);
        let name = variant(planned.inner);
        let same = |repeat: u32, fold: u32, seed: u64| {
            (repeat as usize, fold as usize, seed) == (planned.repeat, planned.fold, planned.seed)
        };
        let fold = evaluation
            .variant(&name)
            .and_then(|variant| variant.folds.iter().find(|fold| same(fold.repeat, fold.fold, fold.seed)));
        if let Some(fold) = fold {
            let mut scalars = Vec::new();
            for (level, metrics) in &fold.metrics {
                let level = if *level == Level::Window { "window" } else { "subject" };
                scalars.extend(
                    metrics
                        .iter()
                        .filter_map(|(metric, value)| Some((format!("test/{level}_{}", metric.name()), value?))),
                );
            }
            scalars.extend(predicted.get(&at).into_iter().flat_map(|[_, _, test]| mean_stream_weights(plan, test)));
            let named: Vec<(&str, f64)> = scalars.iter().map(|(tag, value)| (tag.as_str(), *value)).collect();
            tracker.log_scalars(at, step, &named)?;
        }
        let own: Vec<&Prediction> = rows
            .iter()
            .filter(|row| row.part == Part::Test && row.variant == name && same(row.repeat, row.fold, row.seed))
            .collect();
        record_replica(plan, at, state, &own, tracker)?;
        let status =
            if state.progress.status == Status::Diverged { SessionStatus::Failure } else { SessionStatus::Success };
        tracker.finish(at, status)?;
    }
    record_pictures(plan, data, evaluation, directory, tracker)?;
    Ok(tracker.sync()?)
}

/// Mean over the test windows of the weight that fusion gives each stream.
fn mean_stream_weights(plan: &ExperimentPlan, test: &Predicted) -> Vec<(String, f64)> {
    let streams = &plan.config.model.stream;
    let windows = (test.stream_weights.len() / streams.len().max(1)).max(1) as f64;
    let mean = |m: usize| {
        test.stream_weights.iter().skip(m).step_by(streams.len()).map(|&w| f64::from(w)).sum::<f64>() / windows
    };
    streams.iter().enumerate().map(|(m, stream)| (format!("stream_weight/{}", stream.name), mean(m))).collect()
}

fn record_replica(
    plan: &ExperimentPlan,
    at: usize,
    state: &ReplicaState,
    test: &[&Prediction],
    tracker: &mut RunTracker,
) -> Result<(), TrackingError> {
    let step = result_step(state);
    let events = tracker.events(at)?;
    for (class, name) in plan.classes.iter().enumerate() {
        // Of two classes the positive one says it all.
        if plan.classes.len() == 2 && class == 0 || test.is_empty() {
            continue;
        }
        let labels: Vec<bool> = test.iter().map(|row| row.target as usize == class).collect();
        let scores: Vec<f32> = test
            .iter()
            .map(|row| crate::evaluation::softmax(row.logits.iter().map(|&logit| f64::from(logit)))[class] as f32)
            .collect();
        events.pr_curve(&format!("test/{name}"), step, &labels, &scores, 101)?;
    }
    if plan.config.tracking.histograms {
        let weights = state.tensors.get("best_weights").map(Vec::as_slice).unwrap_or_default();
        let mut start = 0;
        for spec in plan.model.layout().params() {
            let end = start + spec.len();
            if let Some(values) = weights.get(start..end) {
                events.histogram(&format!("weights/{}", spec.path), step, values)?;
            }
            start = end;
        }
    }
    Ok(())
}

fn record_pictures(
    plan: &ExperimentPlan,
    data: &DeviceData,
    evaluation: &Evaluation,
    directory: &RunDirectory,
    tracker: &mut RunTracker,
) -> Result<(), LaunchError> {
    let mut pictures = Vec::new();
    for variant in &evaluation.variants {
        for level in [Level::Subject, Level::Window] {
            // Repeats and seeds are counted together: each subject once for each of them.
            let mut counts = vec![vec![0u64; plan.classes.len()]; plan.classes.len()];
            for pooled in &variant.pooled {
                let Some(confusion) = pooled.confusion.get(&level) else { continue };
                for (sums, row) in counts.iter_mut().zip(&confusion.0) {
                    sums.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
                }
            }
            let name = if level == Level::Subject { "subjects" } else { "windows" };
            let title = format!("{}: test {name} over all folds", plan.config.name);
            if counts.iter().flatten().any(|&count| count > 0) {
                pictures.push((format!("confusion_{name}"), figure::confusion_matrix(&plan.classes, &counts, &title)?));
            }
        }
    }
    if let Some(picture) = spectrogram(plan, data)? {
        pictures.push(("spectrogram".into(), picture));
    }
    for (name, picture) in pictures {
        tracker.root_events()?.image_png(&name, 0, picture.width, picture.height, &picture.png)?;
        crate::runs::write_document(&directory.figure(&name), &picture.png)?;
    }
    Ok(())
}

/// The first test window as the first spectrogram stream sees it.
fn spectrogram(plan: &ExperimentPlan, data: &DeviceData) -> Result<Option<figure::Picture>, TrackingError> {
    let Some(planned) = plan.replicas.first() else { return Ok(None) };
    let Some(&window) = planned.replica.test.first() else { return Ok(None) };
    let inputs = data.inputs(&[vec![Some(window)]], &data.scalers(&[&planned.replica]));
    let Some((stream, values)) = plan.model.spectrograms(&inputs).into_iter().next() else { return Ok(None) };
    let [_, _, _, bins, frames] = values.dims();
    let source = &plan.sources[stream];
    let crate::data::ModalityKind::Signal { rate_hz } = plan.prepared.modalities()[source.modality].kind else {
        return Ok(None);
    };
    let values = floats(values.narrow(2, 0, 1));
    let count = plan.windows[window as usize].rows[source.modality].count;
    let subject = &plan.prepared.subjects()[plan.windows[window as usize].subject as usize].id;
    let picture = figure::Spectrogram {
        values: &values,
        num_bins: bins,
        num_frames: frames,
        duration_secs: f64::from(count) / rate_hz,
        nyquist_hz: rate_hz / 2.0,
        value_label: "log power",
        title: &format!("{}: first test window of {subject}", plan.config.model.stream[stream].name),
    };
    picture.draw().map(Some)
}

fn open_manifest(
    plan: &ExperimentPlan,
    device: &Device,
    directory: &RunDirectory,
    earlier_looks: usize,
) -> Result<Manifest, LaunchError> {
    let mut manifest = match directory.manifest() {
        Ok(manifest) => manifest,
        Err(RunError::Io { .. }) => Manifest {
            experiment: plan.config.name.clone(),
            status: RunStatus::Running,
            recoup_version: env!("CARGO_PKG_VERSION").into(),
            git_commit: option_env!("RECOUP_GIT_COMMIT").filter(|commit| !commit.is_empty()).map(Into::into),
            burn_version: option_env!("RECOUP_BURN_VERSION").unwrap_or("unknown").into(),
            device: format!("{device:?}"),
            precision: precision(plan, device),
            experiment_hash: plan.hash.clone(),
            data_hash: plan.prepared.content_hash().into(),
            split_hash: plan.splits.hash().into(),
            seeds: plan.config.seeds.clone(),
            num_replicas: plan.replicas.len(),
            num_params: plan.model.layout().num_params(),
            earlier_looks,
            lives: Vec::new(),
        },
        Err(error) => return Err(error.into()),
    };
    if manifest.experiment_hash != plan.hash {
        return Err(LaunchError::Checkpoint(CheckpointError::Other {
            path: directory.root().into(),
            what: "experiment",
            found: manifest.experiment_hash,
            expected: plan.hash.clone(),
        }));
    }
    manifest.status = RunStatus::Running;
    manifest.lives.push(Life {
        host: host_name(),
        process: std::process::id(),
        started_unix_secs: unix_secs(),
        ended_unix_secs: None,
    });
    directory.write_manifest(&manifest)?;
    Ok(manifest)
}

fn end_life(directory: &RunDirectory, manifest: &mut Manifest, status: RunStatus) -> Result<(), RunError> {
    manifest.status = status;
    if let Some(life) = manifest.lives.last_mut() {
        life.ended_unix_secs = Some(unix_secs());
    }
    directory.write_manifest(manifest)
}

fn precision(plan: &ExperimentPlan, device: &Device) -> String {
    let asked = format!("{:?}", plan.config.training.precision).to_lowercase();
    // burn's matrix product uses TF32 units where a GPU has them; our own products will not.
    let cuda = format!("{device:?}").to_lowercase().contains("cuda");
    if cuda && asked == "f32" { "f32 (matrix products in TF32 on tensor cores)".into() } else { asked }
}

fn to_json(evaluation: &Evaluation) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(evaluation).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn unix_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

fn host_name() -> String {
    std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).map_or("unknown".into(), |name| name.trim().into())
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
