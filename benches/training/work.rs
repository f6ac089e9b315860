//! The work that is timed: an experiment's replicas, as a launch would train them but with nothing recorded.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use recoup::dataset::DataPaths;
use recoup::evaluation::{Metric, MetricSet, Scores, softmax};
use recoup::experiment::{ExperimentFile, ExperimentPlan, open_data};
use recoup::models::{Model, ModelConfig};
use recoup::training::checkpoint::CheckpointStore;
use recoup::training::step::Group;
use recoup::training::trainer::{EpochReport, Observer, ObserverError, StepReport, TrainError, Trainer};
use recoup::training::{DeviceData, Precision, Replica, StreamSource, TrainingConfig};

/// An experiment, ready to train.
pub struct Work {
    pub model_config: ModelConfig,
    pub training: TrainingConfig,
    pub model: Model,
    pub sources: Vec<StreamSource>,
    pub data: DeviceData,
    pub replicas: Vec<Replica>,
    pub num_classes: usize,
}

impl Work {
    /// The experiment at `path` with `seeds` seeds and `epochs` epochs for every replica. PyTorch cannot draw the masks
    /// of our dropout: `has_dropout` is false where numbers are compared.
    pub fn new(path: &Path, datasets: &Path, seeds: u64, epochs: usize, has_dropout: bool) -> anyhow::Result<Self> {
        let mut file = ExperimentFile::load(path, &[])?;
        file.config.seeds = (0..seeds).collect();
        file.config.variants.clear();
        if !has_dropout {
            file.config.model.dropout = 0.0;
            file.config.model.modality_dropout = 0.0;
        }
        let training = &mut file.config.training;
        training.epochs = epochs;
        // Both sides make the same steps and write nothing.
        training.early_stopping = None;
        training.checkpoint_every_secs = 1e9;
        training.precision = Precision::F32;
        let paths = DataPaths {
            datasets: datasets.into(),
            prepared: None,
        };
        let prepared = open_data(&file, &paths, &|_, _| {})?;
        let runs = Path::new("checkpoints");
        Ok(Self::of(&ExperimentPlan::new(&file, prepared, runs, &|_, _| {})?))
    }

    /// The only function that knows how a plan is made up.
    fn of(plan: &ExperimentPlan) -> Self {
        let program = plan.base();
        let (sources, windows) = (program.sources().to_vec(), program.windows().clone());
        let data = DeviceData::new(
            program.prepared(),
            sources.clone(),
            windows,
            plan.classes().len(),
            &Device::flex(),
        );
        Self {
            model_config: program.config().model.clone(),
            training: program.config().training.clone(),
            model: program.model().clone(),
            sources,
            data,
            replicas: program
                .replicas()
                .iter()
                .map(|planned| planned.replica().clone())
                .collect(),
            num_classes: plan.classes().len(),
        }
    }

    /// Optimiser steps of all replicas.
    pub fn num_steps(&self) -> usize {
        let steps = |replica: &Replica| {
            self.training
                .steps_per_epoch(replica.epoch_len(self.training.sampling()))
        };
        self.replicas.iter().map(steps).sum::<usize>() * self.training.epochs
    }

    /// Trains all replicas in groups of at most `group_size`.
    pub fn train(&self, group_size: usize, losses: &mut Losses) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let store = CheckpointStore::new(folder.path(), "", self.model.layout(), &self.training.optimizer);
        let replicas: Vec<&Replica> = self.replicas.iter().collect();
        for group in replicas.chunks(group_size) {
            let group = Group::new(&self.model, &self.data, group.to_vec(), &self.training);
            let trainer = Trainer::new(group, &store, 10, &BTreeMap::new())?;
            match trainer.run(&mut Validator { work: self, losses }) {
                Ok(_) | Err(TrainError::Interrupted) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Losses by replica of the first `steps` steps of all replicas together.
    pub fn train_until(&self, steps: Option<u64>) -> anyhow::Result<BTreeMap<String, Vec<f64>>> {
        let mut losses = Losses {
            steps_left: Cell::new(steps),
            by_replica: BTreeMap::new(),
        };
        self.train(self.replicas.len(), &mut losses)?;
        Ok(losses.by_replica)
    }

    /// Validation windows to their classes.
    fn log_loss(&self, replica: &Replica, logits: &[f32]) -> Option<f64> {
        let class = |&window: &u32| self.data.windows()[window as usize].class as usize;
        let rows = logits.chunks_exact(self.num_classes);
        let probabilities = rows
            .flat_map(|row| softmax(row.iter().map(|&logit| f64::from(logit))))
            .collect();
        let scores = Scores::new(
            self.num_classes,
            replica.valid.iter().map(class).collect(),
            probabilities,
        )
        .ok()?;
        MetricSet::of(&scores).get(Metric::LogLoss)
    }
}

/// Training losses by replica.
#[derive(Default)]
pub struct Losses {
    /// Steps until the training ends; all when absent.
    steps_left: Cell<Option<u64>>,
    by_replica: BTreeMap<String, Vec<f64>>,
}

/// Selects by the log loss of the validation windows.
struct Validator<'a> {
    work: &'a Work,
    losses: &'a mut Losses,
}

impl Observer for Validator<'_> {
    fn steps(&mut self, reports: &[StepReport]) -> Result<(), ObserverError> {
        for report in reports {
            self.losses
                .by_replica
                .entry(report.replica.clone())
                .or_default()
                .push(report.loss);
        }
        Ok(())
    }

    fn epoch(&mut self, reports: &[EpochReport]) -> Result<Vec<Option<f64>>, ObserverError> {
        let replica = |report: &EpochReport| self.work.replicas.iter().find(|replica| replica.name == report.replica);
        let score = |report: &EpochReport| Some(-self.work.log_loss(replica(report)?, &report.valid_logits)?);
        Ok(reports.iter().map(score).collect())
    }

    fn interrupted(&self) -> bool {
        let left = self.losses.steps_left.get().map(|left| left.saturating_sub(1));
        self.losses.steps_left.set(left);
        left == Some(0)
    }
}
