//! A variant joined with its data: the step from an experiment to a program.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use recoup_kernels::random;

use super::config::ExperimentConfig;
use super::error::ExperimentError;
use super::init_from::InitFrom;
use super::program::{PlannedReplica, Program, ReplicaKey, Selection, replica_name};
use super::sources::sources;
use super::task::Task;
use super::view::View;
use crate::base::Problems;
use crate::cohort::split::{Part, Split, Splits, SubjectInfo, TrainFold};
use crate::evaluation::Monitor;
use crate::features::tables::FittedTransforms;
use crate::features::transforms::Scaler;
use crate::models::{InputShape, Model};
use crate::training::{Hyperparameters, InitialWeights, Replica, StreamSource, losses};

/// A variant that nothing is wrong with, and what it reads.
pub(super) struct VariantPlan {
    name: String,
    config: ExperimentConfig,
    view: Arc<View>,
    sources: Vec<StreamSource>,
    selection: Selection,
}

/// Windows, transforms and scalers that the replicas of one split share.
struct SplitData {
    train: Vec<Vec<u32>>,
    valid: Vec<u32>,
    test: Vec<u32>,
    transforms: Vec<Option<Arc<FittedTransforms>>>,
    scalers: Vec<Scaler>,
    hyper: Hyperparameters,
}

impl VariantPlan {
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

    pub(super) fn config(&self) -> &ExperimentConfig {
        &self.config
    }

    pub(super) fn model(&self, num_classes: usize) -> Model {
        let shapes: Vec<InputShape> = self.sources.iter().map(|source| source.shape).collect();
        Model::new(&self.config.model, &shapes, num_classes)
    }

    pub(super) fn program(self, model: Model, replicas: Vec<PlannedReplica>) -> Program {
        Program {
            model,
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
        model: &Model,
        init_from: Option<&InitFrom>,
        first_index: usize,
    ) -> Result<Vec<PlannedReplica>, ExperimentError> {
        let mut by_subject: HashMap<u32, Vec<u32>> = HashMap::new();
        for (index, window) in (0u32..).zip(self.view.windows.iter()) {
            by_subject.entry(window.subject).or_default().push(index);
        }
        let everyone = self.everyone();
        let fits = (self.sources.iter()).map(|source| self.view.fitted(source.modality, splits, &everyone));
        let fits = fits.collect::<Result<Vec<_>, _>>()?;
        let mut replicas = Vec::new();
        for (at, split) in splits.splits().iter().enumerate() {
            let transforms = fits.iter().map(|fits| fits.map(|fits| fits[at].clone())).collect();
            let data = self.split_data(split, &everyone, &by_subject, transforms, model.num_classes())?;
            for &seed in &self.config.seeds {
                let key = ReplicaKey {
                    repeat: split.repeat(),
                    fold: split.fold(),
                    inner: split.inner(),
                    seed,
                };
                let weights = init_from.map(|run| self.initial_weights(run, key, &data.test, model));
                let replica = self.replica(key, &data, weights.transpose()?);
                replicas.push(PlannedReplica {
                    index: first_index + replicas.len(),
                    variant: self.name.clone(),
                    key,
                    replica,
                    transforms: data.transforms.clone(),
                });
            }
        }
        Ok(replicas)
    }

    /// Everyone in the cohort's order, so that positions are those of the prepared subjects.
    fn everyone(&self) -> Vec<SubjectInfo> {
        let info = |subject: &crate::cohort::prepared::PreparedSubject| SubjectInfo {
            id: subject.id.clone(),
            class: 0,
            site: None,
            group: None,
        };
        self.view.prepared.subjects().iter().map(info).collect()
    }

    fn split_data(
        &self,
        split: &Split,
        everyone: &[SubjectInfo],
        by_subject: &HashMap<u32, Vec<u32>>,
        transforms: Vec<Option<Arc<FittedTransforms>>>,
        num_classes: usize,
    ) -> Result<SplitData, ExperimentError> {
        let of_part = |part| -> Result<Vec<Vec<u32>>, ExperimentError> {
            let positions = split.positions(part, everyone)?;
            let windows = |position: &usize| by_subject.get(&(*position as u32)).cloned().unwrap_or_default();
            Ok(positions.iter().map(windows).collect())
        };
        let prepared = &*self.view.prepared;
        let fold = split.train_fold(everyone)?;
        let scaler = |(source, fitted): (&StreamSource, &Option<Arc<FittedTransforms>>)| match fitted {
            None => Scaler::fit(&fold, prepared, source.modality, &source.columns),
            Some(fitted) => {
                let width = source.columns.len();
                Scaler::fit_table(&fold, prepared, source.modality, &fitted.values, width, &source.columns)
            }
        };
        Ok(SplitData {
            train: of_part(Part::Train)?,
            valid: of_part(Part::Valid)?.concat(),
            test: of_part(Part::Test)?.concat(),
            scalers: self.sources.iter().zip(&transforms).map(scaler).collect(),
            hyper: self.hyper(&fold, num_classes),
            transforms,
        })
    }

    fn replica(&self, key: ReplicaKey, data: &SplitData, init_from: Option<InitialWeights>) -> Replica {
        let key = key.to_string();
        let fitted = data.transforms.iter();
        Replica {
            // Without the variant: changed and unchanged model start alike and see the data in one order, so their
            // difference is that of the change.
            seed: random::path_hash(&key),
            name: replica_name(&self.name, &key),
            hyper: data.hyper.clone(),
            scalers: data.scalers.clone(),
            fitted: fitted
                .map(|fitted| fitted.as_ref().map(|fitted| fitted.values.clone()))
                .collect(),
            train: data.train.clone(),
            valid: data.valid.clone(),
            test: data.test.clone(),
            init_from: init_from.map(Arc::new),
        }
    }

    fn initial_weights(
        &self,
        run: &InitFrom,
        key: ReplicaKey,
        test: &[u32],
        model: &Model,
    ) -> Result<InitialWeights, ExperimentError> {
        let subject = |&window: &u32| self.view.windows[window as usize].subject as usize;
        let tested: BTreeSet<usize> = test.iter().map(subject).collect();
        let subjects = self.view.prepared.subjects();
        let tested = tested.into_iter().map(|at| subjects[at].id.as_str()).collect();
        Ok(run.weights(key, &tested, model.layout())?)
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
