//! Programs: variants that can train together, joined with their data.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use recoup_kernels::random;

use super::config::ExperimentConfig;
use super::error::ExperimentError;
use super::task::Task;
use super::view::View;
use crate::base::Problems;
use crate::cohort::prepared::Prepared;
use crate::cohort::split::{Part, Splits, SubjectInfo, TrainFold};
use crate::cohort::window::Window;
use crate::dataset::subjects::{ModalityKind, ModalitySpec};
use crate::evaluation::{Metric, Monitor};
use crate::features::tables::Fitted;
use crate::features::transforms::Scaler;
use crate::models::{InputShape, Model, Scaling};
use crate::training::{Hyperparameters, Replica, StreamSource, losses};

/// Replicas of one model over one view of the data: what trains as one program on a device.
#[derive(Clone, Debug)]
pub struct Program {
    /// Name of its first variant, and of its folder of checkpoints.
    pub name: String,
    /// The experiment as its first variant has it. The others differ only in what their replicas carry.
    pub config: ExperimentConfig,
    /// The data with this program's features as its last modalities.
    pub prepared: Arc<Prepared>,
    /// All samples; their classes are those of the task.
    pub windows: Arc<[Window]>,
    /// What each stream reads.
    pub sources: Vec<StreamSource>,
    /// The model that all replicas share.
    pub model: Model,
    /// What selects and stops.
    pub selection: Selection,
    /// One per variant, split and seed.
    pub replicas: Vec<PlannedReplica>,
}

/// A replica and what it is called in records.
#[derive(Clone, Debug)]
pub struct PlannedReplica {
    /// Position among all replicas of the experiment.
    pub index: usize,
    /// Its variant.
    pub variant: String,
    /// Repeat of the split.
    pub repeat: usize,
    /// Fold of the repeat.
    pub fold: usize,
    /// Inner fold, in nested cross-validation.
    pub inner: Option<usize>,
    /// Seed as the experiment names it.
    pub seed: u64,
    /// What trains.
    pub replica: Replica,
    /// By stream: the transforms of its features that were fitted on the training subjects.
    pub pipelines: Vec<Option<Arc<Fitted>>>,
}

impl PlannedReplica {
    /// Its repeat, fold, inner fold and seed as one word: the same for every variant.
    pub fn place(&self) -> String {
        place_name(self.repeat, self.fold, self.inner, self.seed)
    }

    /// Its variant in records: inner folds of nested cross-validation are variants of their own, as each trains on
    /// other rows.
    pub fn record_variant(&self) -> String {
        self.inner
            .map_or(self.variant.clone(), |inner| format!("{}-inner{inner}", self.variant))
    }
}

/// What chooses the best weights, stops early and drives the plateau schedule, on the validation part.
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

impl Program {
    /// Estimated bytes of one replica in training.
    pub fn bytes_per_replica(&self) -> u64 {
        let shapes: Vec<InputShape> = self.sources.iter().map(|source| source.shape).collect();
        super::memory::bytes_per_replica(&self.config.model, self.model.layout(), &shapes, &self.config.training)
    }

    /// Replicas that train together: all or, where given, so many; as many of them as memory and kernels hold.
    pub fn group_size(&self, asked: Option<usize>) -> usize {
        let fitting = || super::memory::fitting_replicas(self.bytes_per_replica());
        let held = recoup_kernels::most_replicas(self.config.training.batch_size).min(self.replicas.len());
        asked.or_else(fitting).map_or(held, |most| most.min(held)).max(1)
    }
}

/// One variant on its way to a program.
pub(super) struct Draft {
    name: String,
    pub(super) config: ExperimentConfig,
    view: Arc<View>,
    sources: Vec<StreamSource>,
    selection: Selection,
}

impl Draft {
    /// Joins a variant with the data, or finds out why it cannot run.
    pub(super) fn new(
        name: &str,
        config: &ExperimentConfig,
        view: Option<Arc<View>>,
        task: &Task,
        problems: &mut Problems,
    ) -> Option<Self> {
        problems.extend_below("training", config.training.problems());
        let selection = selection(config, problems);
        let view = view?;
        let sources = sources(config, &view, problems);
        if sources.len() < config.model.stream.len() {
            return None;
        }
        let shapes: Vec<InputShape> = sources.iter().map(|source| source.shape).collect();
        problems.extend_below("model", config.model.problems(&shapes));
        let has_decoder = config.model.stream.iter().any(|stream| stream.decoder.is_some());
        let num_classes = task.classes.len();
        problems.extend_below("training", config.training.model_problems(has_decoder, num_classes));
        check_selection(config, has_decoder, selection, problems);
        Some(Self {
            name: name.into(),
            config: config.clone(),
            view,
            sources,
            selection: selection?,
        })
    }

    pub(super) fn program(self, num_classes: usize, replicas: Vec<PlannedReplica>) -> Program {
        let shapes: Vec<InputShape> = self.sources.iter().map(|source| source.shape).collect();
        Program {
            model: Model::new(&self.config.model, &shapes, num_classes),
            name: self.name,
            config: self.config,
            prepared: self.view.prepared.clone(),
            windows: self.view.windows.clone(),
            sources: self.sources,
            selection: self.selection,
            replicas,
        }
    }

    /// One replica per split and seed, counted from `first_index`.
    pub(super) fn replicas(
        &self,
        splits: &Splits,
        num_classes: usize,
        first_index: usize,
    ) -> Result<Vec<PlannedReplica>, ExperimentError> {
        let (prepared, windows) = (&*self.view.prepared, &self.view.windows);
        let mut by_subject: HashMap<u32, Vec<u32>> = HashMap::new();
        for (index, window) in (0u32..).zip(windows.iter()) {
            by_subject.entry(window.subject).or_default().push(index);
        }
        // Everyone in the cohort's order, so that positions are those of the prepared subjects.
        let everyone: Vec<SubjectInfo> = prepared
            .subjects()
            .iter()
            .map(|subject| SubjectInfo {
                id: subject.id.clone(),
                class: 0,
                site: None,
                group: None,
            })
            .collect();
        let fits = (self.sources.iter()).map(|source| self.view.fitted(source.modality, splits, &everyone));
        let fits = fits.collect::<Result<Vec<_>, _>>()?;
        let mut replicas = Vec::new();
        for (at, split) in splits.splits().iter().enumerate() {
            let of_part = |part| -> Result<Vec<Vec<u32>>, ExperimentError> {
                let positions = split.positions(part, &everyone)?;
                let windows = |position: &usize| by_subject.get(&(*position as u32)).cloned().unwrap_or_default();
                Ok(positions.iter().map(windows).collect())
            };
            let (train, valid, test) = (of_part(Part::Train)?, of_part(Part::Valid)?, of_part(Part::Test)?);
            let fold = split.train_fold(&everyone)?;
            let pipelines: Vec<_> = fits.iter().map(|fits| fits.map(|fits| fits[at].clone())).collect();
            let scaler = |(source, fitted): (&StreamSource, &Option<Arc<Fitted>>)| match fitted {
                None => Scaler::fit(&fold, prepared, source.modality, &source.columns),
                Some(fitted) => {
                    let width = source.columns.len();
                    Scaler::fit_table(&fold, prepared, source.modality, &fitted.values, width, &source.columns)
                }
            };
            let scalers: Vec<Scaler> = self.sources.iter().zip(&pipelines).map(scaler).collect();
            let fitted: Vec<_> = pipelines
                .iter()
                .map(|fitted| fitted.as_ref().map(|f| f.values.clone()))
                .collect();
            for &seed in &self.config.seeds {
                let place = place_name(split.repeat(), split.fold(), split.inner(), seed);
                replicas.push(PlannedReplica {
                    index: first_index + replicas.len(),
                    variant: self.name.clone(),
                    repeat: split.repeat(),
                    fold: split.fold(),
                    inner: split.inner(),
                    seed,
                    replica: Replica {
                        // Without the variant: changed and unchanged model start alike and see the data in one order,
                        // so their difference is that of the change.
                        seed: random::path_hash(&place),
                        name: replica_name(&self.name, &place),
                        hyper: self.hyper(&fold, num_classes),
                        scalers: scalers.clone(),
                        fitted: fitted.clone(),
                        train: train.clone(),
                        valid: valid.concat(),
                        test: test.concat(),
                        start: None,
                    },
                    pipelines: pipelines.clone(),
                });
            }
        }
        Ok(replicas)
    }

    fn hyper(&self, fold: &TrainFold, num_classes: usize) -> Hyperparameters {
        let training = &self.config.training;
        Hyperparameters {
            learning_rate: training.optimizer.learning_rate(),
            weight_decay: training.optimizer.weight_decay(),
            dropout: self.config.model.dropout,
            label_smoothing: training.label_smoothing,
            class_weights: training.class_weights.weights(fold, &self.view.windows, num_classes),
        }
    }
}

/// The name of the replica of `variant` at `place`, unique in an experiment; the base's is the place alone.
pub(crate) fn replica_name(variant: &str, place: &str) -> String {
    if variant == super::BASE_VARIANT {
        place.into()
    } else {
        format!("{variant}-{place}")
    }
}

/// Repeat, fold, inner fold and seed of a replica as one word.
fn place_name(repeat: usize, fold: usize, inner: Option<usize>, seed: u64) -> String {
    let inner = inner.map(|inner| format!("-inner{inner}")).unwrap_or_default();
    format!("repeat{repeat}-fold{fold}{inner}-seed{seed}")
}

fn selection(config: &ExperimentConfig, problems: &mut Problems) -> Option<Selection> {
    let name = &config.training.monitor;
    if *name == Selection::Reconstruction.to_string() {
        return Some(Selection::Reconstruction);
    }
    match name.parse::<Monitor>() {
        Ok(monitor) if monitor.part == Part::Valid => Some(Selection::Metric(monitor.metric)),
        Ok(monitor) => {
            let message = format!(
                "{monitor} would select by rows that selection must not see: use valid/{}",
                monitor.metric
            );
            problems.add("training.monitor", message);
            None
        }
        Err(error) => {
            problems.add("training.monitor", error.to_string());
            None
        }
    }
}

/// Selection by reconstruction needs a decoder, and that of an autoencoder must not look at classes.
fn check_selection(
    config: &ExperimentConfig,
    has_decoder: bool,
    selection: Option<Selection>,
    problems: &mut Problems,
) {
    if selection == Some(Selection::Reconstruction) && !has_decoder {
        problems.add("training.monitor", "valid/reconstruction needs a stream with a decoder");
    }
    if matches!(selection, Some(Selection::Metric(_))) && !losses::see_classes(&config.training.loss) {
        let message = "selects by the classes, which an autoencoder must not see: use valid/reconstruction";
        problems.add("training.monitor", message);
    }
}

/// What each stream reads, or why it cannot.
fn sources(config: &ExperimentConfig, view: &View, problems: &mut Problems) -> Vec<StreamSource> {
    let (prepared, windows) = (&view.prepared, &view.windows);
    let mut sources = Vec::new();
    for stream in &config.model.stream {
        let key = |field: &str| format!("model.stream.{}.{field}", stream.name);
        if !stream
            .name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            || stream.name.is_empty()
        {
            problems.add(&key("name"), "expected letters, digits, - and _");
        }
        let Some(modality) = prepared.modality(&stream.modality) else {
            let names: Vec<&str> = prepared.modalities().iter().map(|spec| spec.name.as_str()).collect();
            let message = format!(
                "the data has no modality {:?}; it has {}",
                stream.modality,
                names.join(", ")
            );
            problems.add(&key("modality"), message);
            continue;
        };
        let spec = &prepared.modalities()[modality];
        let is_window_scaled = stream.scaling == Scaling::Window;
        let window_scaling = "only a signal at a constant rate can be scaled by its window";
        if let Some(columns) = view.fitted_columns(modality) {
            problems.require(!is_window_scaled, &key("scaling"), || window_scaling);
            if stream.channels.is_some() {
                let message = "the columns that a fit puts out cannot be chosen: choose what goes in, in `[features]`";
                problems.add(&key("channels"), message);
            }
            let shape = InputShape::Row {
                features: columns.len(),
            };
            let columns = (0..columns.len()).collect();
            sources.push(StreamSource {
                modality,
                columns,
                shape,
                scaling: stream.scaling,
                fitted: true,
            });
            continue;
        }
        match columns(spec, stream.channels.as_deref()) {
            Ok(columns) => {
                let shape = input_shape(spec, columns.len(), modality, windows);
                let is_signal = matches!(shape, InputShape::Sequence { fixed: true, .. });
                problems.require(is_signal || !is_window_scaled, &key("scaling"), || window_scaling);
                sources.push(StreamSource {
                    modality,
                    columns,
                    shape,
                    scaling: stream.scaling,
                    fitted: false,
                });
            }
            Err(message) => problems.add(&key("channels"), message),
        }
    }
    sources
}

fn columns(spec: &ModalitySpec, channels: Option<&[String]>) -> Result<Vec<usize>, String> {
    let Some(channels) = channels else {
        return Ok((0..spec.num_columns()).collect());
    };
    if matches!(spec.kind, ModalityKind::Image { .. }) {
        return Err("channels of an image cannot be chosen".into());
    }
    if channels.is_empty() {
        return Err("is empty: leave it out to read all channels".into());
    }
    let names = || {
        spec.channels
            .iter()
            .map(|channel| channel.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let position = |name: &String| {
        let at = spec.channels.iter().position(|channel| channel.name == *name);
        at.ok_or_else(|| format!("modality {:?} has no channel {name:?}; it has {}", spec.name, names()))
    };
    channels.iter().map(position).collect()
}

fn input_shape(spec: &ModalitySpec, channels: usize, modality: usize, windows: &[Window]) -> InputShape {
    let counts = || {
        windows
            .iter()
            .map(|window| window.rows[modality].count as usize)
            .filter(|&count| count > 0)
    };
    let length = counts().max().unwrap_or(0);
    match spec.kind {
        ModalityKind::Row => InputShape::Row { features: channels },
        ModalityKind::Image { height, width } => InputShape::Image {
            channels: spec.channels.len(),
            height,
            width,
            count: length.max(1),
        },
        ModalityKind::Signal { .. } => InputShape::Sequence {
            channels,
            length,
            fixed: counts().all(|count| count == length),
        },
        ModalityKind::Series => InputShape::Sequence {
            channels,
            length,
            fixed: false,
        },
    }
}
