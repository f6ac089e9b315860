//! The training loop: epochs, validation, early stopping and checkpoints of a group of replicas.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::{Bool, Tensor, TensorData};

use super::checkpoint::{CheckpointError, CheckpointStore, ReplicaState};
use super::optimizer::{OptimizerOutput, OptimizerStep, ReplicaStep};
use super::state::{State, select_rows};
use super::step::{Group, floats};
use super::{Progress, Replica, ScheduleConfig, Status, TrainingConfig};
use crate::base::{Class, Classified};

/// Listener of the training loop. Scores and records are the caller's: the loop knows losses only.
pub trait Observer {
    /// After optimiser steps, oldest first: one report per replica that took part.
    fn steps(&mut self, reports: &[StepReport]) -> Result<(), ObserverError>;
    /// After each epoch: the validation logits of every replica still in training. Gives each one's score by the
    /// monitored metric, oriented so that higher is better; `None` where it is not defined.
    fn epoch(&mut self, reports: &[EpochReport]) -> Result<Vec<Option<f64>>, ObserverError>;
    /// Whether to write a checkpoint and leave at this step boundary.
    fn interrupted(&self) -> bool;
}

/// A failure of the observer, passed through.
pub type ObserverError = Box<dyn std::error::Error + Send + Sync>;

/// One replica's optimiser step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Name of the replica.
    pub replica: String,
    /// Steps of the replica, this one included.
    pub step: u64,
    /// Loss of the step.
    pub loss: f64,
    /// Global norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
}

/// One replica after an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochReport {
    /// Name of the replica.
    pub replica: String,
    /// Epochs made, this one included.
    pub epoch: usize,
    /// Steps of the replica.
    pub step: u64,
    /// Mean of the epoch's step losses.
    pub train_loss: f64,
    /// Logits of its validation windows, `[windows, K]`.
    pub valid_logits: Vec<f32>,
    /// Mean reconstruction error of its validation windows, where the model has a decoder.
    pub valid_reconstruction: Option<f64>,
}

/// Why the loop ended early.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A checkpoint could not be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The observer failed.
    #[error(transparent)]
    Observer(ObserverError),
    /// A signal asked to stop; a checkpoint was written.
    #[error("interrupted: a checkpoint was written, --resume continues from it")]
    Interrupted,
}

impl Classified for TrainError {
    fn class(&self) -> Class {
        match self {
            Self::Checkpoint(error) => error.class(),
            Self::Observer(_) => Class::Failure,
            Self::Interrupted => Class::Interrupted,
        }
    }
}

/// Steps whose numbers are still on the device: reading one back would wait for it.
struct Pending {
    losses: Tensor<2>,
    norms: Tensor<2>,
    parts: Vec<ReplicaStep>,
}

/// Trains replicas of one shape together.
pub struct Trainer<'a> {
    group: Group<'a>,
    config: &'a TrainingConfig,
    store: &'a CheckpointStore,
    log_every_steps: usize,
    state: State,
    last_checkpoint: Instant,
    /// Checkpointed states of replicas that are not in this group. They were restored from an earlier attempt and are
    /// written back with every checkpoint.
    others: BTreeMap<String, ReplicaState>,
}

impl<'a> Trainer<'a> {
    /// A trainer of `group`. Replicas found in `states` go on from there, and must all stand at the same epoch and
    /// step (see [`aligned`]); the others start from their seeds.
    pub fn new(
        group: Group<'a>,
        store: &'a CheckpointStore,
        log_every_steps: usize,
        states: &BTreeMap<String, ReplicaState>,
    ) -> Result<Self, CheckpointError> {
        let state = State::new(&group, states)?;
        let mut others = states.clone();
        others.retain(|name, _| group.replicas.iter().all(|replica| replica.name != *name));
        Ok(Self {
            config: group.config,
            group,
            store,
            log_every_steps: log_every_steps.max(1),
            state,
            last_checkpoint: Instant::now(),
            others,
        })
    }

    /// Trains until no replica is left and gives the final state of each: `best_weights` and `best_buffers` are those
    /// to predict with.
    pub fn run(mut self, observer: &mut dyn Observer) -> Result<BTreeMap<String, ReplicaState>, TrainError> {
        let mut finished = BTreeMap::new();
        while !self.group.replicas.is_empty() {
            self.epoch(observer)?;
            self.validate(observer)?;
            for (name, state) in self.take_finished() {
                self.store.finish(&name, &state)?;
                finished.insert(name, state);
            }
            if self.checkpoint_is_due() {
                self.checkpoint()?;
            }
        }
        Ok(finished)
    }

    /// The rest of the present epoch, for all replicas.
    fn epoch(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let sampling = self.config.sampling();
        let orders: Vec<Vec<u32>> = self
            .group
            .replicas
            .iter()
            .map(|replica| replica.epoch_order(self.state.epoch, sampling))
            .collect();
        let steps = |order: &Vec<u32>| self.config.steps_per_epoch(order.len());
        let round = orders.iter().map(steps).max().unwrap_or(0);
        let mut pending = Vec::new();
        while self.state.step_in_epoch < round {
            pending.push(self.step(&orders));
            self.state.step_in_epoch += 1;
            if pending.len() == self.log_every_steps {
                self.report(&mut pending, observer)?;
            }
            let interrupted = observer.interrupted();
            if interrupted || (self.checkpoint_is_due() && self.state.step_in_epoch < round) {
                self.report(&mut pending, observer)?;
                self.checkpoint()?;
            }
            if interrupted {
                return Err(TrainError::Interrupted);
            }
        }
        self.report(&mut pending, observer)
    }

    /// One optimiser step of every replica that has one left in this epoch.
    fn step(&mut self, orders: &[Vec<u32>]) -> Pending {
        let config = self.config;
        let state = &mut self.state;
        let window = |order: &[u32], at: usize| order.get(at).copied();
        let micro_batches: Vec<Vec<Vec<Option<u32>>>> = (0..config.accumulate_steps)
            .map(|micro| {
                let start = (state.step_in_epoch * config.accumulate_steps + micro) * config.batch_size;
                let range = start..start + config.batch_size;
                orders
                    .iter()
                    .map(|order| range.clone().map(|at| window(order, at)).collect())
                    .collect()
            })
            .collect();
        let parts: Vec<ReplicaStep> = self
            .group
            .replicas
            .iter()
            .zip(&state.progress)
            .zip(orders)
            .map(|((replica, progress), order)| {
                replica_step(config, replica, progress, order.len(), state.step_in_epoch)
            })
            .collect();
        let steps: Vec<u64> = parts.iter().map(|part| part.step).collect();
        let made = self
            .group
            .gradients(&state.weights, &state.buffers, &steps, &micro_batches);

        let device = made.losses.device();
        let active: Vec<bool> = parts.iter().map(|part| part.active).collect();
        let active = Tensor::<2, Bool>::from_data(TensorData::new(active, [parts.len(), 1]), &device);
        let loss_is_finite = made.losses.clone().is_finite();
        let OptimizerOutput { weights, slots, norms } = config.optimizer.step(OptimizerStep {
            replicas: &parts,
            max_norm: config.gradient_clip_norm,
            trusted: &state.alive.clone().bool_and(loss_is_finite.clone()),
            factors: state.rates.as_ref().map(|rates| &rates.params),
            weights: state.weights.clone(),
            gradient: made.gradient,
            slots: state.slots.clone(),
        });
        // A replica that sits out keeps its standing: its padded batch says nothing about it.
        let finite = loss_is_finite.bool_and(norms.clone().is_finite());
        state.alive = state.alive.clone().bool_and(finite.bool_or(active.clone().bool_not()));
        let update_mask = active.bool_and(state.alive.clone());
        let buffer_mask = match state.rates.as_ref().map(|rates| &rates.buffers) {
            // A model without buffers has [R, 0]: nothing can be expanded to no columns.
            Some(factors) if factors.dims()[1] > 0 => update_mask
                .expand(factors.dims())
                .bool_and(factors.clone().greater_elem(0.0)),
            _ => update_mask,
        };
        state.weights = weights;
        state.slots = slots;
        state.buffers = select_rows(&buffer_mask, made.buffers, state.buffers.clone());
        for (progress, part) in state.progress.iter_mut().zip(&parts) {
            progress.steps += u64::from(part.active);
        }
        Pending {
            losses: made.losses,
            norms,
            parts,
        }
    }

    /// Reads pending steps back, marks diverged replicas and tells the observer.
    fn report(&mut self, pending: &mut Vec<Pending>, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let mut reports = Vec::new();
        for pending in pending.drain(..) {
            let (losses, norms) = (floats(pending.losses), floats(pending.norms));
            for (r, part) in pending.parts.iter().enumerate() {
                let progress = &mut self.state.progress[r];
                if !part.active || progress.status == Status::Diverged {
                    continue;
                }
                let (loss, gradient_norm) = (f64::from(losses[r]), f64::from(norms[r]));
                if loss.is_finite() && gradient_norm.is_finite() {
                    progress.loss_sum += loss;
                    progress.loss_count += 1;
                } else {
                    progress.status = Status::Diverged;
                    // Steps after this one changed nothing; how many there were depends on when it was noticed.
                    progress.steps = part.step;
                }
                reports.push(StepReport {
                    replica: self.group.replicas[r].name.clone(),
                    step: part.step + 1,
                    loss,
                    gradient_norm,
                    learning_rate: part.learning_rate,
                });
            }
        }
        observer.steps(&reports).map_err(TrainError::Observer)
    }

    /// Ends the epoch: validation, best weights, early stopping.
    fn validate(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let state = &mut self.state;
        state.epoch += 1;
        state.step_in_epoch = 0;
        let windows: Vec<&[u32]> = self.group.replicas.iter().map(|replica| &replica.valid[..]).collect();
        let predicted = self
            .group
            .predict(&state.weights, &state.buffers, &windows, self.config.batch_size);
        let reports: Vec<EpochReport> = self
            .group
            .replicas
            .iter()
            .zip(&mut state.progress)
            .zip(predicted)
            .map(|((replica, progress), predicted)| EpochReport {
                replica: replica.name.clone(),
                epoch: state.epoch,
                step: progress.steps,
                train_loss: std::mem::take(&mut progress.loss_sum) / std::mem::take(&mut progress.loss_count) as f64,
                valid_reconstruction: predicted.mean_reconstruction(),
                valid_logits: predicted.logits,
            })
            .collect();
        let scores = observer.epoch(&reports).map_err(TrainError::Observer)?;
        let mut improved = Vec::with_capacity(scores.len());
        for (progress, score) in state.progress.iter_mut().zip(scores) {
            if progress.status == Status::Diverged {
                improved.push(false);
                continue;
            }
            let stopping = self.config.early_stopping.as_ref();
            improved.push(progress.epoch_end(state.epoch, score, stopping, &self.config.schedule));
            if progress.status == Status::Running && state.epoch >= self.config.epochs {
                progress.status = Status::Finished;
            }
        }
        state.keep_best(improved);
        Ok(())
    }

    /// Takes the replicas that are done out of the group: a gather of the other rows.
    fn take_finished(&mut self) -> BTreeMap<String, ReplicaState> {
        let running = |progress: &Progress| progress.status == Status::Running;
        let left: Vec<usize> = (0..self.state.progress.len())
            .filter(|&r| running(&self.state.progress[r]))
            .collect();
        if left.len() == self.state.progress.len() {
            return BTreeMap::new();
        }
        let mut states = self.state.by_replica(&self.group.replicas);
        for &r in &left {
            states.remove(&self.group.replicas[r].name);
        }
        let replicas = left.iter().map(|&r| self.group.replicas[r]).collect();
        self.group = Group::new(self.group.model, self.group.data, replicas, self.group.config);
        if !left.is_empty() {
            self.state.take_rows(&left, &self.group);
        }
        states
    }

    fn checkpoint_is_due(&self) -> bool {
        !self.group.replicas.is_empty()
            && self.last_checkpoint.elapsed().as_secs_f64() >= self.config.checkpoint_every_secs
    }

    fn checkpoint(&mut self) -> Result<(), TrainError> {
        let mut states = self.state.by_replica(&self.group.replicas);
        states.extend(self.others.clone());
        self.store.save(&states)?;
        self.last_checkpoint = Instant::now();
        Ok(())
    }
}

/// Part of a replica in the optimiser's step at `step_in_epoch` of an epoch of `windows` windows.
fn replica_step(
    config: &TrainingConfig,
    replica: &Replica,
    progress: &Progress,
    windows: usize,
    step_in_epoch: usize,
) -> ReplicaStep {
    let steps_per_epoch = config.steps_per_epoch(windows);
    let plateau = match config.schedule {
        ScheduleConfig::Plateau { .. } => progress.plateau_factor,
        _ => 1.0,
    };
    let factor = config.schedule.factor(progress.steps, steps_per_epoch, config.epochs);
    ReplicaStep {
        step: progress.steps,
        learning_rate: replica.hyper.learning_rate * factor * plateau,
        weight_decay: replica.hyper.weight_decay,
        active: progress.status == Status::Running && step_in_epoch < steps_per_epoch,
    }
}

/// Groups replicas by where they stand, since a [`Trainer`] moves all of its replicas in step.
pub fn aligned<'a>(
    replicas: &[&'a Replica],
    states: &BTreeMap<String, ReplicaState>,
) -> BTreeMap<(usize, usize), Vec<&'a Replica>> {
    let mut groups: BTreeMap<_, Vec<&Replica>> = BTreeMap::new();
    for &replica in replicas {
        let place = states
            .get(&replica.name)
            .map_or((0, 0), |state| (state.epoch, state.step_in_epoch));
        groups.entry(place).or_default().push(replica);
    }
    groups
}
