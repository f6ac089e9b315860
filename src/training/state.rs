use std::collections::BTreeMap;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use super::checkpoint::{CheckpointError, ReplicaState, slot_key};
use super::step::{Group, floats};
use super::{Progress, Replica};
use crate::models::matrix;

/// State of a group in training, one row per replica still in it.
pub(super) struct State {
    pub(super) weights: Tensor<2>,
    /// State of the optimiser, one matrix per name of `slot_names`.
    pub(super) slots: Vec<Tensor<2>>,
    slot_names: &'static [&'static str],
    pub(super) buffers: Tensor<2>,
    best_weights: Tensor<2>,
    best_buffers: Tensor<2>,
    /// Present where a replica starts from trained weights.
    pub(super) rates: Option<Rates>,
    /// `[R, 1]`: false once a loss or gradient was not finite.
    pub(super) alive: Tensor<2, Bool>,
    pub(super) progress: Vec<Progress>,
    pub(super) epoch: usize,
    pub(super) step_in_epoch: usize,
}

/// Multiples of the learning rate; 0 is frozen.
pub(super) struct Rates {
    /// `[R, P]`.
    pub(super) params: Tensor<2>,
    /// `[R, Q]`.
    pub(super) buffers: Tensor<2>,
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

impl State {
    /// State of replicas that go on from `states` or, where those do not name them, start from their seeds.
    ///
    /// # Errors
    /// Weights to start from that cannot be read.
    pub(super) fn new(group: &Group, states: &BTreeMap<String, ReplicaState>) -> Result<Self, CheckpointError> {
        let (layout, device) = (group.model.layout(), group.data.device());
        // A replica that goes on has its own values of everything.
        let fresh = |replica: &&Replica| match states.contains_key(&replica.name) {
            true => Ok([Vec::new(), Vec::new()]),
            false => replica.first_values(layout),
        };
        let fresh: Vec<[Vec<f32>; 2]> = group.replicas.iter().map(fresh).collect::<Result<_, _>>()?;
        let rows = |name: &str, fresh: &dyn Fn(usize) -> Vec<f32>| {
            let row = |(at, replica): (usize, &&Replica)| {
                let stored = states.get(&replica.name).map(|state| state.tensors[name].clone());
                stored.unwrap_or_else(|| fresh(at))
            };
            matrix(
                group.replicas.iter().enumerate().flat_map(row).collect(),
                group.replicas.len(),
                device,
            )
        };
        let params = |at: usize| fresh[at][0].clone();
        let buffers = |at: usize| fresh[at][1].clone();
        let zeros = |_: usize| vec![0.0; layout.num_params()];
        let slot_names = group.config.optimizer.optimizer().slot_names();
        let first = group.replicas.first().and_then(|replica| states.get(&replica.name));
        let progress = |replica: &&Replica| states.get(&replica.name).map(|state| state.progress.clone());
        Ok(Self {
            weights: rows("weights", &params),
            slots: slot_names.iter().map(|name| rows(&slot_key(name), &zeros)).collect(),
            slot_names,
            buffers: rows("buffers", &buffers),
            best_weights: rows("best_weights", &params),
            best_buffers: rows("best_buffers", &buffers),
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

    /// State of each of `replicas`, whose rows these are.
    pub(super) fn by_replica(&self, replicas: &[&Replica]) -> BTreeMap<String, ReplicaState> {
        let slots = self.slot_names.iter().map(|name| slot_key(name)).zip(&self.slots);
        let tensors: Vec<(String, usize, Vec<f32>)> = [
            ("weights", &self.weights),
            ("buffers", &self.buffers),
            ("best_weights", &self.best_weights),
            ("best_buffers", &self.best_buffers),
        ]
        .into_iter()
        .map(|(name, tensor)| (name.to_owned(), tensor))
        .chain(slots)
        .map(|(name, tensor)| (name, tensor.dims()[1], floats(tensor.clone())))
        .collect();
        let row = |r: usize| {
            tensors
                .iter()
                .map(|(name, width, values)| (name.clone(), values[r * width..(r + 1) * width].to_vec()))
                .collect()
        };
        let state = |(r, (replica, progress)): (usize, (&&Replica, &Progress))| {
            let state = ReplicaState {
                progress: progress.clone(),
                epoch: self.epoch,
                step_in_epoch: self.step_in_epoch,
                tensors: row(r),
            };
            (replica.name.clone(), state)
        };
        replicas.iter().zip(&self.progress).enumerate().map(state).collect()
    }

    /// Keeps the weights and buffers of the replicas that `improved`, to predict with.
    pub(super) fn keep_best(&mut self, improved: Vec<bool>) {
        let rows = improved.len();
        let improved = TensorData::new(improved, [rows, 1]);
        let improved = Tensor::<2, Bool>::from_data(improved, &self.weights.device());
        self.best_weights = select_rows(&improved, self.weights.clone(), self.best_weights.clone());
        self.best_buffers = select_rows(&improved, self.buffers.clone(), self.best_buffers.clone());
    }

    /// Leaves the rows `left`, at least one, whose replicas are those of `group`; they are running, and so alive.
    pub(super) fn take_rows(&mut self, left: &[usize], group: &Group) {
        let device = self.weights.device();
        let indices: Vec<i32> = left.iter().map(|&r| r as i32).collect();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [left.len()]), &device);
        let state = [
            &mut self.weights,
            &mut self.buffers,
            &mut self.best_weights,
            &mut self.best_buffers,
        ];
        for tensor in state.into_iter().chain(&mut self.slots) {
            *tensor = tensor.clone().select(0, indices.clone());
        }
        self.rates = Rates::new(group);
        self.alive = all_true(left.len(), &device);
        self.progress = left.iter().map(|&r| self.progress[r].clone()).collect();
    }
}

/// `new` where `choose` (`[R, 1]` for whole rows, or of their shape) is true, else `old`, by selection: no arithmetic touches either.
pub(super) fn select_rows(choose: &Tensor<2, Bool>, new: Tensor<2>, old: Tensor<2>) -> Tensor<2> {
    let shape = new.dims();
    if shape[1] == 0 {
        return old;
    }
    old.mask_where(choose.clone().expand(shape), new)
}

fn all_true(rows: usize, device: &Device) -> Tensor<2, Bool> {
    Tensor::from_data(TensorData::new(vec![true; rows], [rows, 1]), device)
}
