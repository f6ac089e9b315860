//! Records of a run beside its predictions: the experiment's table, test metrics, curves, pictures, histograms.

use std::collections::BTreeMap;

use super::error::LaunchError;
use super::loaded::Loaded;
use crate::cohort::split::Part;
use crate::evaluation::{Evaluation, Level, Prediction};
use crate::experiment::{ExperimentConfig, ExperimentPlan, Program};
use crate::figures;
use crate::runs::RunDirectory;
use crate::tracking::{
    Chart, ChartCategory, DatasetRole, ExperimentSummary, HparamValue, MetricInfo, RunTracker, SessionStatus,
    TrackedReplica, TrackingError,
};
use crate::training::Status;
use crate::training::checkpoint::ReplicaState;
use crate::training::step::{Predicted, floats};

pub(super) fn tracked(plan: &ExperimentPlan, programs: &[Loaded]) -> Vec<TrackedReplica> {
    let hash = plan.hash().get(..8).unwrap_or_default();
    let mut hparams_of: BTreeMap<&str, Vec<(String, HparamValue)>> = BTreeMap::new();
    for variant in plan.variants() {
        hparams_of.insert(&variant.name, hparams(&variant.config));
    }
    let mut tracked = Vec::new();
    for loaded in programs {
        for planned in loaded.program.replicas() {
            let name = &planned.replica().name;
            let state = loaded.finished.get(name).or_else(|| loaded.states.get(name));
            let replica = TrackedReplica {
                variant: planned.record_variant(),
                group: format!("{}-{hash}", planned.variant()),
                repeat: planned.key().repeat,
                fold: planned.key().fold,
                seed: planned.key().seed,
                hparams: hparams_of.get(planned.variant()).cloned().unwrap_or_default(),
                first_step: state.map_or(0, |state| state.progress.steps + 1),
            };
            tracked.push((planned.index(), replica));
        }
    }
    tracked.sort_by_key(|(index, _)| *index);
    tracked.into_iter().map(|(_, replica)| replica).collect()
}

/// The numbers, switches and names of the model and training tables under their dotted keys.
fn hparams(config: &ExperimentConfig) -> Vec<(String, HparamValue)> {
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
                    let name = value
                        .get("name")
                        .and_then(toml::Value::as_str)
                        .map_or(index.to_string(), str::to_owned);
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
    let model = toml::Value::try_from(&config.model);
    let training = toml::Value::try_from(&config.training);
    for (name, value) in [("model", model), ("training", training)] {
        if let Ok(value) = value {
            flatten(name, &value, &mut flat);
        }
    }
    flat
}

pub(super) fn write_experiment(plan: &ExperimentPlan, tracker: &mut RunTracker) -> Result<(), TrackingError> {
    let metric = |tag: &str, role: DatasetRole| MetricInfo {
        tag: tag.into(),
        group: String::new(),
        display_name: String::new(),
        dataset: role,
    };
    let events = tracker.root_events()?;
    events.experiment(&ExperimentSummary {
        name: plan.config().name.clone(),
        description: plan.config().question.clone(),
        variants: plan.variants().iter().map(|variant| hparams(&variant.config)).collect(),
        metrics: vec![
            metric("test/subject_accuracy", DatasetRole::Other),
            metric("test/subject_balanced_accuracy", DatasetRole::Other),
            metric("test/window_accuracy", DatasetRole::Other),
            metric("valid/log_loss", DatasetRole::Valid),
        ],
    })?;
    let chart = |title: &str, pattern: &str| Chart {
        title: title.into(),
        tag_patterns: vec![pattern.into()],
    };
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

/// Step of what is recorded after training: behind all that was recorded during it, so that a later attempt that records
/// it again supersedes nothing else.
fn result_step(state: &ReplicaState) -> u64 {
    state.progress.steps + 1
}

/// Test metrics, curves, matrices, pictures and histograms, once everything is trained.
#[allow(clippy::too_many_arguments)] // All there is to record, each from another owner.
pub(super) fn record_results(
    plan: &ExperimentPlan,
    programs: &[Loaded],
    predicted: &BTreeMap<usize, [Predicted; 3]>,
    evaluation: &Evaluation,
    rows: &[Prediction],
    directory: &RunDirectory,
    tracker: &mut RunTracker,
) -> Result<(), LaunchError> {
    let all = programs
        .iter()
        .flat_map(|loaded| loaded.program.replicas().iter().map(move |planned| (loaded, planned)));
    for (loaded, planned) in all {
        let Some(state) = loaded.finished.get(&planned.replica().name) else {
            continue;
        };
        let (step, at, name) = (result_step(state), planned.index(), planned.record_variant());
        let same = |repeat: u32, fold: u32, seed: u64| {
            (repeat as usize, fold as usize, seed) == (planned.key().repeat, planned.key().fold, planned.key().seed)
        };
        let fold = evaluation.variant(&name).and_then(|variant| {
            variant
                .folds
                .iter()
                .find(|fold| same(fold.repeat, fold.fold, fold.seed))
        });
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
            if let Some([_, _, test]) = predicted.get(&at) {
                scalars.extend(mean_stream_weights(loaded.program, test));
                scalars.extend(
                    test.mean_reconstruction()
                        .map(|error| ("test/reconstruction".to_owned(), error)),
                );
            }
            let named: Vec<(&str, f64)> = scalars.iter().map(|(tag, value)| (tag.as_str(), *value)).collect();
            tracker.log_scalars(at, step, &named)?;
        }
        let own: Vec<&Prediction> = rows
            .iter()
            .filter(|row| row.part == Part::Test && row.variant == name && same(row.repeat, row.fold, row.seed))
            .collect();
        record_replica(plan, loaded.program, at, state, &own, tracker)?;
        let status = if state.progress.status == Status::Diverged {
            SessionStatus::Failure
        } else {
            SessionStatus::Success
        };
        tracker.finish(at, status)?;
    }
    record_pictures(plan, programs, evaluation, directory, tracker)?;
    Ok(tracker.sync()?)
}

/// Mean over the test windows of the weight that fusion gives each stream.
fn mean_stream_weights(program: &Program, test: &Predicted) -> Vec<(String, f64)> {
    let streams = &program.config().model.stream;
    let windows = (test.stream_weights.len() / streams.len().max(1)).max(1) as f64;
    let mean = |m: usize| {
        test.stream_weights
            .iter()
            .skip(m)
            .step_by(streams.len())
            .map(|&w| f64::from(w))
            .sum::<f64>()
            / windows
    };
    streams
        .iter()
        .enumerate()
        .map(|(m, stream)| (format!("stream_weight/{}", stream.name), mean(m)))
        .collect()
}

fn record_replica(
    plan: &ExperimentPlan,
    program: &Program,
    at: usize,
    state: &ReplicaState,
    test: &[&Prediction],
    tracker: &mut RunTracker,
) -> Result<(), TrackingError> {
    let step = result_step(state);
    let events = tracker.events(at)?;
    for (class, name) in plan.classes().iter().enumerate() {
        // Of two classes the positive one says it all.
        if plan.classes().len() == 2 && class == 0 || test.is_empty() {
            continue;
        }
        let labels: Vec<bool> = test.iter().map(|row| row.target as usize == class).collect();
        let scores: Vec<f32> = test
            .iter()
            .map(|row| crate::evaluation::softmax(row.logits.iter().map(|&logit| f64::from(logit)))[class] as f32)
            .collect();
        events.pr_curve(&format!("test/{name}"), step, &labels, &scores, 101)?;
    }
    if plan.config().tracking.histograms {
        let weights = state.tensors.get("best_weights").map(Vec::as_slice).unwrap_or_default();
        let mut start = 0;
        for spec in program.model().layout().params() {
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
    programs: &[Loaded],
    evaluation: &Evaluation,
    directory: &RunDirectory,
    tracker: &mut RunTracker,
) -> Result<(), LaunchError> {
    let mut pictures = Vec::new();
    for variant in &evaluation.variants {
        for level in [Level::Subject, Level::Window] {
            // Repeats and seeds are counted together: each subject once for each of them.
            let mut counts = vec![vec![0u64; plan.classes().len()]; plan.classes().len()];
            for pooled in &variant.pooled {
                let Some(confusion) = pooled.confusion.get(&level) else {
                    continue;
                };
                for (sums, row) in counts.iter_mut().zip(&confusion.0) {
                    sums.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
                }
            }
            let name = if level == Level::Subject { "subjects" } else { "windows" };
            let (mut title, mut file) = (
                format!("{}: test {name} over all folds", plan.config().name),
                format!("confusion_{name}"),
            );
            if plan.variants().len() > 1 {
                title = format!("{} of {title}", variant.variant);
                file = format!("{file}_{}", variant.variant);
            }
            if counts.iter().flatten().any(|&count| count > 0) {
                pictures.push((file, figures::confusion_matrix(plan.classes(), &counts, &title)?));
            }
        }
    }
    if let Some(picture) = programs
        .first()
        .map(|base| spectrogram(plan, base))
        .transpose()?
        .flatten()
    {
        pictures.push(("spectrogram".into(), picture));
    }
    for (name, picture) in pictures {
        tracker
            .root_events()?
            .image_png(&name, 0, picture.width, picture.height, &picture.png)?;
        crate::runs::write_document(&directory.figure(&name), &picture.png)?;
    }
    Ok(())
}

/// The first test window that has the modality of the first spectrogram stream, as that stream sees it.
fn spectrogram(plan: &ExperimentPlan, loaded: &Loaded) -> Result<Option<figures::Picture>, figures::FigureError> {
    let Loaded { program, data, .. } = loaded;
    let Some(planned) = program.replicas().first() else {
        return Ok(None);
    };
    let is_read = |stream: usize, window: u32| {
        program.windows()[window as usize].rows[program.sources()[stream].modality].count > 0
    };
    let (Some(stream), test) = (program.model().first_spectrogram(), &planned.replica().test) else {
        return Ok(None);
    };
    let Some(window) = test.iter().copied().find(|&window| is_read(stream, window)) else {
        return Ok(None);
    };
    let inputs = data.inputs(&[vec![Some(window)]], &data.scalers(&[planned.replica()]));
    let Some(values) = inputs
        .get(stream)
        .and_then(|input| program.model().spectrogram(stream, input))
    else {
        return Ok(None);
    };
    let [_, _, _, bins, frames] = values.dims();
    let source = &program.sources()[stream];
    let crate::dataset::subjects::ModalityKind::Signal { rate_hz } =
        program.prepared().modalities()[source.modality].kind
    else {
        return Ok(None);
    };
    let values = floats(values.narrow(2, 0, 1));
    let count = program.windows()[window as usize].rows[source.modality].count;
    let subject = &plan.prepared().subjects()[program.windows()[window as usize].subject as usize].id;
    let picture = figures::Spectrogram {
        values: &values,
        num_bins: bins,
        num_frames: frames,
        duration_secs: f64::from(count) / rate_hz,
        nyquist_hz: rate_hz / 2.0,
        value_label: "log power",
        title: &format!(
            "{}: first test window of {subject}",
            program.config().model.stream[stream].name
        ),
    };
    picture.draw().map(Some)
}
