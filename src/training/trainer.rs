//! The loop.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::{Bool, Int, Tensor, TensorData};

use super::checkpoint::{CheckpointError, CheckpointStore, ReplicaState};
use super::optimizer::{Moments, StepSize, Stepped, step};
use super::step::{Group, floats};
use super::{Progress, Replica, ScheduleConfig, Status, TrainingConfig};
use crate::models::matrix;

/// What the loop tells, and asks, while it runs. Scores and records are the caller's: the loop knows losses only.
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
    /// Its steps so far, this one included.
    pub step: u64,
    /// Weighted mean cross-entropy of the step.
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
    /// Its steps so far.
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

/// Rows of the group: one per replica still in training.
struct State {
    weights: Tensor<2>,
    moments: Moments,
    buffers: Tensor<2>,
    best_weights: Tensor<2>,
    best_buffers: Tensor<2>,
    /// Present where a replica starts from trained weights.
    rates: Option<Rates>,
    /// `[R, 1]`: false once a loss or gradient was not finite.
    alive: Tensor<2, Bool>,
    progress: Vec<Progress>,
    epoch: usize,
    step_in_epoch: usize,
}

/// Multiples of the learning rate; 0 is frozen.
struct Rates {
    /// `[R, P]`.
    params: Tensor<2>,
    /// `[R, Q]`.
    buffers: Tensor<2>,
}

impl Rates {
    fn new(group: &Group) -> Option<Self> {
        group
            .replicas
            .iter()
            .any(|replica| replica.init_from.is_some())
            .then(|| {
                let rows: Vec<[Vec<f32>; 2]> = group
                    .replicas
                    .iter()
                    .map(|replica| replica.learning_rate_factors(group.model.layout()))
                    .collect();
                let matrix = |which: usize| {
                    let values = rows.iter().flat_map(|row| row[which].iter().copied()).collect();
                    matrix(values, rows.len(), group.data.device())
                };
                Self {
                    params: matrix(0),
                    buffers: matrix(1),
                }
            })
    }
}

/// Steps whose numbers are still on the device: reading one back would wait for it.
struct Pending {
    losses: Tensor<2>,
    norms: Tensor<2>,
    sizes: Vec<StepSize>,
}

/// Trains replicas of one shape together.
pub struct Trainer<'a> {
    group: Group<'a>,
    config: &'a TrainingConfig,
    store: &'a CheckpointStore,
    log_every_steps: usize,
    state: State,
    last_checkpoint: Instant,
    /// States of an earlier attempt whose replicas are not in this group: a snapshot must not lose them.
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
        let state = initial_state(&group, states)?;
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
        let sizes: Vec<StepSize> = self
            .group
            .replicas
            .iter()
            .zip(&state.progress)
            .zip(orders)
            .map(|((replica, progress), order)| step_size(config, replica, progress, order.len(), state.step_in_epoch))
            .collect();
        let steps: Vec<u64> = sizes.iter().map(|size| size.step).collect();
        let made = self
            .group
            .gradients(&state.weights, &state.buffers, &steps, &micro_batches);

        let device = made.losses.device();
        let active = TensorData::new(
            sizes.iter().map(|size| size.active).collect::<Vec<_>>(),
            [sizes.len(), 1],
        );
        let active = Tensor::<2, Bool>::from_data(active, &device);
        let loss_is_finite = made.losses.clone().is_finite();
        let factors = state.rates.as_ref().map(|rates| &rates.params);
        let Stepped {
            weights,
            moments,
            norms,
        } = step(
            &config.optimizer,
            config.gradient_clip_norm,
            &sizes,
            &state.alive.clone().bool_and(loss_is_finite.clone()),
            factors,
            state.weights.clone(),
            made.gradient,
            state.moments.clone(),
        );
        // A replica that sits out keeps its standing: its padded batch says nothing about it.
        let finite = loss_is_finite.bool_and(norms.clone().is_finite());
        state.alive = state.alive.clone().bool_and(finite.bool_or(active.clone().bool_not()));
        let moves = active.bool_and(state.alive.clone());
        let buffer_moves = match state.rates.as_ref().map(|rates| &rates.buffers) {
            // A model without buffers has [R, 0]: nothing can be expanded to no columns.
            Some(factors) if factors.dims()[1] > 0 => {
                moves.expand(factors.dims()).bool_and(factors.clone().greater_elem(0.0))
            }
            _ => moves,
        };
        state.weights = weights;
        state.moments = moments;
        state.buffers = select_rows(&buffer_moves, made.buffers, state.buffers.clone());
        for (progress, size) in state.progress.iter_mut().zip(&sizes) {
            progress.steps += u64::from(size.active);
        }
        Pending {
            losses: made.losses,
            norms,
            sizes,
        }
    }

    /// Reads pending steps back, marks diverged replicas and tells the observer.
    fn report(&mut self, pending: &mut Vec<Pending>, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let mut reports = Vec::new();
        for pending in pending.drain(..) {
            let (losses, norms) = (floats(pending.losses), floats(pending.norms));
            for (r, size) in pending.sizes.iter().enumerate() {
                let progress = &mut self.state.progress[r];
                if !size.active || progress.status == Status::Diverged {
                    continue;
                }
                let (loss, gradient_norm) = (f64::from(losses[r]), f64::from(norms[r]));
                if loss.is_finite() && gradient_norm.is_finite() {
                    progress.loss_sum += loss;
                    progress.loss_count += 1;
                } else {
                    progress.status = Status::Diverged;
                    // Steps after this one changed nothing; how many there were depends on when it was noticed.
                    progress.steps = size.step;
                }
                reports.push(StepReport {
                    replica: self.group.replicas[r].name.clone(),
                    step: size.step + 1,
                    loss,
                    gradient_norm,
                    learning_rate: size.learning_rate,
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
        let rows = improved.len();
        let improved = Tensor::<2, Bool>::from_data(TensorData::new(improved, [rows, 1]), self.group.data.device());
        state.best_weights = select_rows(&improved, state.weights.clone(), state.best_weights.clone());
        state.best_buffers = select_rows(&improved, state.buffers.clone(), state.best_buffers.clone());
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
        let mut states = self.states();
        for &r in &left {
            states.remove(&self.group.replicas[r].name);
        }
        let device = self.group.data.device();
        let indices: Vec<i32> = left.iter().map(|&r| r as i32).collect();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [left.len()]), device);
        let replicas = left.iter().map(|&r| self.group.replicas[r]).collect();
        self.group = Group::new(self.group.model, self.group.data, replicas, self.group.config);
        if !left.is_empty() {
            let take = |t: &mut Tensor<2>| *t = t.clone().select(0, indices.clone());
            let state = &mut self.state;
            take(&mut state.weights);
            take(&mut state.moments.first);
            take(&mut state.moments.second);
            take(&mut state.buffers);
            take(&mut state.best_weights);
            take(&mut state.best_buffers);
            state.rates = Rates::new(&self.group);
            // Only running replicas are left, and they are alive.
            state.alive = all_true(left.len(), self.group.data.device());
            state.progress = left.iter().map(|&r| state.progress[r].clone()).collect();
        }
        states
    }

    fn checkpoint_is_due(&self) -> bool {
        !self.group.replicas.is_empty()
            && self.last_checkpoint.elapsed().as_secs_f64() >= self.config.checkpoint_every_secs
    }

    fn checkpoint(&mut self) -> Result<(), TrainError> {
        let mut states = self.states();
        states.extend(self.others.clone());
        self.store.save(&states)?;
        self.last_checkpoint = Instant::now();
        Ok(())
    }

    /// The state of every replica in the group.
    fn states(&self) -> BTreeMap<String, ReplicaState> {
        let state = &self.state;
        let tensors = [
            ("weights", &state.weights),
            ("first_moment", &state.moments.first),
            ("second_moment", &state.moments.second),
            ("buffers", &state.buffers),
            ("best_weights", &state.best_weights),
            ("best_buffers", &state.best_buffers),
        ]
        .map(|(what, tensor)| (what, tensor.dims()[1], floats(tensor.clone())));
        let row = |r: usize| {
            tensors
                .iter()
                .map(|(what, width, values)| (what.to_string(), values[r * width..(r + 1) * width].to_vec()))
                .collect()
        };
        let replicas = self.group.replicas.iter().zip(&state.progress).enumerate();
        replicas
            .map(|(r, (replica, progress))| {
                let state = ReplicaState {
                    progress: progress.clone(),
                    epoch: state.epoch,
                    step_in_epoch: state.step_in_epoch,
                    tensors: row(r),
                };
                (replica.name.clone(), state)
            })
            .collect()
    }
}

/// What a replica does at `step_in_epoch` of an epoch of `windows` windows.
fn step_size(
    config: &TrainingConfig,
    replica: &Replica,
    progress: &Progress,
    windows: usize,
    step_in_epoch: usize,
) -> StepSize {
    let steps_per_epoch = config.steps_per_epoch(windows);
    let plateau = match config.schedule {
        ScheduleConfig::Plateau { .. } => progress.plateau_factor,
        _ => 1.0,
    };
    let factor = config.schedule.factor(progress.steps, steps_per_epoch, config.epochs);
    StepSize {
        step: progress.steps,
        learning_rate: replica.hyper.learning_rate * factor * plateau,
        weight_decay: replica.hyper.weight_decay,
        active: progress.status == Status::Running && step_in_epoch < steps_per_epoch,
    }
}

fn initial_state(group: &Group, states: &BTreeMap<String, ReplicaState>) -> Result<State, CheckpointError> {
    let (layout, device) = (group.model.layout(), group.data.device());
    // A replica that goes on has its own values of everything.
    let fresh = |replica: &&Replica| match states.contains_key(&replica.name) {
        true => Ok([Vec::new(), Vec::new()]),
        false => replica.first_values(layout),
    };
    let fresh: Vec<[Vec<f32>; 2]> = group.replicas.iter().map(fresh).collect::<Result<_, _>>()?;
    let (num_params, num_buffers) = (layout.num_params(), layout.num_buffers());
    let zeros = vec![0.0; num_params];
    let rows = |what: &str, width: usize, fresh: &dyn Fn(usize) -> Vec<f32>| {
        let row = |(at, replica): (usize, &&Replica)| {
            let stored = states.get(&replica.name).and_then(|state| state.tensors.get(what));
            stored.cloned().unwrap_or_else(|| fresh(at))
        };
        let values: Vec<f32> = group.replicas.iter().enumerate().flat_map(row).collect();
        debug_assert_eq!(values.len(), width * group.replicas.len());
        matrix(values, group.replicas.len(), device)
    };
    let params = |at: usize| fresh[at][0].clone();
    let buffers = |at: usize| fresh[at][1].clone();
    let zeros = |_: usize| zeros.clone();
    let first = group.replicas.first().and_then(|replica| states.get(&replica.name));
    let progress = |replica: &&Replica| states.get(&replica.name).map(|state| state.progress.clone());
    Ok(State {
        weights: rows("weights", num_params, &params),
        moments: Moments {
            first: rows("first_moment", num_params, &zeros),
            second: rows("second_moment", num_params, &zeros),
        },
        buffers: rows("buffers", num_buffers, &buffers),
        best_weights: rows("best_weights", num_params, &params),
        best_buffers: rows("best_buffers", num_buffers, &buffers),
        rates: Rates::new(group),
        alive: all_true(group.replicas.len(), device),
        progress: group
            .replicas
            .iter()
            .map(|replica| progress(replica).unwrap_or_default())
            .collect(),
        epoch: first.map_or(0, |state| state.epoch),
        step_in_epoch: first.map_or(0, |state| state.step_in_epoch),
    })
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

/// `new` where `choose` (`[R, 1]` for whole rows, or of their shape) is true, else `old`, by selection: no arithmetic touches either.
fn select_rows(choose: &Tensor<2, Bool>, new: Tensor<2>, old: Tensor<2>) -> Tensor<2> {
    let shape = new.dims();
    if shape[1] == 0 {
        return old;
    }
    old.mask_where(choose.clone().expand(shape), new)
}

fn all_true(rows: usize, device: &burn::tensor::Device) -> Tensor<2, Bool> {
    Tensor::from_data(TensorData::new(vec![true; rows], [rows, 1]), device)
}
