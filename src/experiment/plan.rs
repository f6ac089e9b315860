//! The checked plan: the only thing that runs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use recoup_kernels::random;

use super::config::{DataSource, ExperimentConfig, ExperimentFile};
use super::error::{ExperimentError, Problem};
use crate::data::card::Card;
use crate::data::prepared::{Prepared, digest};
use crate::data::split::{Part, Split, Splits, SubjectInfo, TrainFold, majority_class};
use crate::data::window::{Window, windows};
use crate::data::{ModalityKind, ModalitySpec};
use crate::evaluation::{Metric, Monitor};
use crate::features::Scaler;
use crate::models::{InputShape, Model, Scaling};
use crate::training::{Hyper, Replica, StreamSource};

/// Where datasets lie.
#[derive(Clone, Debug)]
pub struct DataPaths {
    /// Folder with one folder per dataset; prepared data goes to `<name>/prepared` in it.
    pub datasets: PathBuf,
}

impl DataPaths {
    /// `<datasets>/<name>/card.toml`.
    pub fn card(&self, name: &str) -> PathBuf {
        self.datasets.join(name).join("card.toml")
    }

    /// `<datasets>/<name>/raw`: files as published.
    pub fn raw(&self, name: &str) -> PathBuf {
        self.datasets.join(name).join("raw")
    }

    /// `<datasets>/<name>/prepared`: tables as training reads them.
    pub fn prepared(&self, name: &str) -> PathBuf {
        self.datasets.join(name).join("prepared")
    }

    /// Opens the cohort of an experiment, prepared; the first time reads the recordings.
    pub fn open(&self, source: &DataSource) -> Result<Prepared, ExperimentError> {
        Ok(match source {
            DataSource::Synthetic(config) => Prepared::build(&config.generate(), &self.prepared("synthetic"))?,
            DataSource::Dataset(dataset) => {
                let card = Card::load(&self.card(&dataset.name))?;
                Prepared::from_card(&card, &self.raw(&dataset.name), &self.prepared(&dataset.name))?
            }
        })
    }
}

/// A replica and what it is called in records.
#[derive(Clone, Debug)]
pub struct PlannedReplica {
    /// What trains.
    pub replica: Replica,
    /// Repeat of the split.
    pub repeat: usize,
    /// Fold of the repeat.
    pub fold: usize,
    /// Inner fold, in nested cross-validation.
    pub inner: Option<usize>,
    /// Seed as the experiment names it.
    pub seed: u64,
}

/// An experiment joined with its data, checked in full.
pub struct ExperimentPlan {
    /// The experiment.
    pub config: ExperimentConfig,
    /// SHA-256 of the resolved experiment and the split: what a checkpoint must match.
    pub hash: String,
    /// The data.
    pub prepared: Prepared,
    /// Classes that are predicted.
    pub classes: Vec<String>,
    /// All samples; their classes are those of the task.
    pub windows: Arc<[Window]>,
    /// What each stream reads.
    pub sources: Vec<StreamSource>,
    /// Who is trained on and tested.
    pub splits: Splits,
    /// The model that all replicas share.
    pub model: Model,
    /// What selects and stops.
    pub monitor: Monitor,
    /// One per split and seed.
    pub replicas: Vec<PlannedReplica>,
}

impl ExperimentPlan {
    /// Joins an experiment with its data.
    ///
    /// # Errors
    /// [`ExperimentError::Problems`] with everything that is wrong, or the data's and the split's own errors.
    pub fn new(file: &ExperimentFile, prepared: Prepared) -> Result<Self, ExperimentError> {
        let config = file.config.clone();
        let mut problems = Problems::new(file);
        for (key, message) in config.training.problems() {
            problems.add(&format!("training.{key}"), message);
        }
        check_names(&config, &mut problems);
        let monitor = monitor(&config, &mut problems);
        let task = Task::new(&config, &prepared, &mut problems);
        problems.finish()?;

        let problems = Problems::new(file);
        let windows = task.windows(windows(&prepared, config.data.window.as_ref())?);
        let (sources, mut problems) = sources(&config, &prepared, &windows, problems);
        problems.finish()?;
        let shapes: Vec<InputShape> = sources.iter().map(|source| source.shape).collect();
        for problem in config.model.problems(&shapes) {
            problems.add(&format!("model.{}", problem.key), problem.message);
        }
        problems.finish()?;

        let subjects = subjects(&prepared, &windows);
        let splits = Splits::make(&config.split, &subjects, prepared.content_hash())?;
        let model = Model::new(&config.model, &shapes, task.classes.len());
        let resolved = toml::to_string(&config).unwrap_or_default();
        let mut plan = Self {
            hash: digest(format!("{resolved}\n{}", splits.hash()).as_bytes()),
            config,
            prepared,
            classes: task.classes,
            windows: windows.into(),
            sources,
            splits,
            model,
            monitor,
            replicas: Vec::new(),
        };
        plan.replicas = plan.plan_replicas()?;
        Ok(plan)
    }

    /// The experiment with every default filled in, as TOML.
    pub fn resolved_toml(&self) -> String {
        // The configuration came from TOML, so it can be written as TOML.
        toml::to_string(&self.config).unwrap_or_default()
    }

    /// Estimated bytes of one replica in training.
    pub fn bytes_per_replica(&self) -> u64 {
        let shapes: Vec<InputShape> = self.sources.iter().map(|source| source.shape).collect();
        super::memory::bytes_per_replica(&self.config.model, self.model.layout(), &shapes, &self.config.training)
    }

    /// Replicas that train together: all, or as many as memory holds.
    pub fn group_size(&self) -> usize {
        let all = self.replicas.len().max(1);
        super::memory::fitting_replicas(self.bytes_per_replica()).map_or(all, |fitting| fitting.min(all))
    }

    fn plan_replicas(&self) -> Result<Vec<PlannedReplica>, ExperimentError> {
        let mut by_subject: HashMap<u32, Vec<u32>> = HashMap::new();
        for (index, window) in (0u32..).zip(self.windows.iter()) {
            by_subject.entry(window.subject).or_default().push(index);
        }
        // Everyone in the cohort's order, so that positions are those of the prepared subjects.
        let everyone: Vec<SubjectInfo> = self
            .prepared
            .subjects()
            .iter()
            .map(|subject| SubjectInfo { id: subject.id.clone(), class: 0, site: None })
            .collect();
        let mut replicas = Vec::new();
        for split in self.splits.splits() {
            let of_part = |part| -> Result<Vec<Vec<u32>>, ExperimentError> {
                let positions = split.positions(part, &everyone)?;
                let windows = |position: &usize| by_subject.get(&(*position as u32)).cloned().unwrap_or_default();
                Ok(positions.iter().map(windows).collect())
            };
            let (train, valid, test) = (of_part(Part::Train)?, of_part(Part::Valid)?, of_part(Part::Test)?);
            let fold = split.train_fold(&everyone)?;
            let scalers: Vec<Scaler> = self
                .sources
                .iter()
                .map(|source| Scaler::fit(&fold, &self.prepared, source.modality, &source.columns))
                .collect();
            for &seed in &self.config.seeds {
                let name = replica_name(split, seed);
                replicas.push(PlannedReplica {
                    replica: Replica {
                        seed: random::path_hash(&name),
                        name,
                        hyper: self.hyper(&fold),
                        scalers: scalers.clone(),
                        train: train.clone(),
                        valid: valid.concat(),
                        test: test.concat(),
                    },
                    repeat: split.repeat(),
                    fold: split.fold(),
                    inner: split.inner(),
                    seed,
                });
            }
        }
        Ok(replicas)
    }

    fn hyper(&self, fold: &TrainFold) -> Hyper {
        let training = &self.config.training;
        Hyper {
            learning_rate: training.optimizer.learning_rate(),
            weight_decay: training.optimizer.weight_decay(),
            dropout: self.config.model.dropout,
            label_smoothing: training.label_smoothing,
            class_weights: training.class_weights.weights(fold, &self.windows, self.classes.len()),
        }
    }
}

fn replica_name(split: &Split, seed: u64) -> String {
    let inner = split.inner().map(|inner| format!("-inner{inner}")).unwrap_or_default();
    format!("repeat{}-fold{}{inner}-seed{seed}", split.repeat(), split.fold())
}

/// Problems as they are found, with the lines of their keys.
struct Problems<'a> {
    file: &'a ExperimentFile,
    found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    fn new(file: &'a ExperimentFile) -> Self {
        Self { file, found: Vec::new() }
    }

    fn add(&mut self, key: &str, message: impl Into<String>) {
        self.found.push(Problem { key: key.into(), line: self.file.line_of(key), message: message.into() });
    }

    fn finish(&mut self) -> Result<(), ExperimentError> {
        if self.found.is_empty() {
            return Ok(());
        }
        Err(ExperimentError::Problems { path: self.file.path.clone(), problems: std::mem::take(&mut self.found) })
    }
}

fn check_names(config: &ExperimentConfig, problems: &mut Problems) {
    let safe = |name: &str| {
        !name.is_empty() && Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_)))
    };
    if !safe(&config.name) {
        problems.add("name", format!("{:?} cannot name a folder of runs: use letters, digits, - and /", config.name));
    }
    if config.seeds.is_empty() {
        problems.add("seeds", "is empty: expected at least one seed");
    }
    for (at, seed) in config.seeds.iter().enumerate() {
        if config.seeds[..at].contains(seed) {
            problems.add("seeds", format!("has {seed} twice: the two replicas would be one"));
        }
    }
}

fn monitor(config: &ExperimentConfig, problems: &mut Problems) -> Monitor {
    let fallback = Monitor { part: Part::Valid, metric: Metric::LogLoss };
    match config.training.monitor.parse::<Monitor>() {
        Ok(monitor) if monitor.part == Part::Valid => monitor,
        Ok(monitor) => {
            let message =
                format!("{monitor} would select by rows that selection must not see: use valid/{}", monitor.metric);
            problems.add("training.monitor", message);
            fallback
        }
        Err(error) => {
            problems.add("training.monitor", error.to_string());
            fallback
        }
    }
}

/// The classes to predict and where each class of the data goes.
struct Task {
    classes: Vec<String>,
    of_data_class: Vec<Option<u32>>,
}

impl Task {
    fn new(config: &ExperimentConfig, prepared: &Prepared, problems: &mut Problems) -> Self {
        let data_classes = prepared.classes();
        if config.task.classes.is_empty() {
            return Self {
                classes: data_classes.to_vec(),
                of_data_class: (0..data_classes.len() as u32).map(Some).collect(),
            };
        }
        let mut of_data_class = vec![None; data_classes.len()];
        for (index, class) in (0u32..).zip(&config.task.classes) {
            for from in &class.from {
                let key = format!("task.class.{}.from", class.name);
                match data_classes.iter().position(|data| data == from) {
                    None => problems
                        .add(&key, format!("the data has no class {from:?}; it has {}", data_classes.join(", "))),
                    Some(at) if of_data_class[at].is_some() => {
                        problems.add(&key, format!("{from:?} is in two classes"))
                    }
                    Some(at) => of_data_class[at] = Some(index),
                }
            }
        }
        if config.task.classes.len() < 2 {
            problems.add("task.class", "one class leaves nothing to predict: expected at least two");
        }
        Self { classes: config.task.classes.iter().map(|class| class.name.clone()).collect(), of_data_class }
    }

    fn windows(&self, windows: Vec<Window>) -> Vec<Window> {
        let class = |window: Window| {
            let class = self.of_data_class[window.class as usize]?;
            Some(Window { class, ..window })
        };
        windows.into_iter().filter_map(class).collect()
    }
}

fn subjects(prepared: &Prepared, windows: &[Window]) -> Vec<SubjectInfo> {
    let mut classes: Vec<Vec<usize>> = vec![Vec::new(); prepared.subjects().len()];
    for window in windows {
        classes[window.subject as usize].push(window.class as usize);
    }
    let subject = |(subject, classes): (&crate::data::prepared::PreparedSubject, &Vec<usize>)| {
        Some(SubjectInfo { id: subject.id.clone(), class: majority_class(classes)?, site: subject.site.clone() })
    };
    prepared.subjects().iter().zip(&classes).filter_map(subject).collect()
}

/// What each stream reads, or why it cannot.
fn sources<'a>(
    config: &ExperimentConfig,
    prepared: &Prepared,
    windows: &[Window],
    mut problems: Problems<'a>,
) -> (Vec<StreamSource>, Problems<'a>) {
    let mut sources = Vec::new();
    for stream in &config.model.stream {
        let key = |field: &str| format!("model.stream.{}.{field}", stream.name);
        if !stream.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') || stream.name.is_empty() {
            problems.add(&key("name"), "expected letters, digits, - and _");
        }
        let Some(modality) = prepared.modality(&stream.modality) else {
            let names: Vec<&str> = prepared.modalities().iter().map(|spec| spec.name.as_str()).collect();
            let message = format!("the data has no modality {:?}; it has {}", stream.modality, names.join(", "));
            problems.add(&key("modality"), message);
            continue;
        };
        let spec = &prepared.modalities()[modality];
        match columns(spec, stream.channels.as_deref()) {
            Ok(columns) => {
                let shape = input_shape(spec, columns.len(), modality, windows);
                if stream.scaling == Scaling::Window && !matches!(shape, InputShape::Sequence { fixed: true, .. }) {
                    problems.add(&key("scaling"), "only a signal at a constant rate can be scaled by its window");
                }
                sources.push(StreamSource { modality, columns, shape, scaling: stream.scaling });
            }
            Err(message) => problems.add(&key("channels"), message),
        }
    }
    (sources, problems)
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
    let names = || spec.channels.iter().map(|channel| channel.name.as_str()).collect::<Vec<_>>().join(", ");
    let position = |name: &String| {
        let at = spec.channels.iter().position(|channel| channel.name == *name);
        at.ok_or_else(|| format!("modality {:?} has no channel {name:?}; it has {}", spec.name, names()))
    };
    channels.iter().map(position).collect()
}

fn input_shape(spec: &ModalitySpec, channels: usize, modality: usize, windows: &[Window]) -> InputShape {
    let counts = || windows.iter().map(|window| window.rows[modality].count as usize).filter(|&count| count > 0);
    let length = counts().max().unwrap_or(0);
    match spec.kind {
        ModalityKind::Row => InputShape::Row { features: channels },
        ModalityKind::Image { height, width } => InputShape::Image { channels: spec.channels.len(), height, width },
        ModalityKind::Signal { .. } => {
            InputShape::Sequence { channels, length, fixed: counts().all(|count| count == length) }
        }
        ModalityKind::Series => InputShape::Sequence { channels, length, fixed: false },
    }
}
