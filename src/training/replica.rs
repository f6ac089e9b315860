//! A replica: one (variant, fold, seed) in training, and the order of its data.

use std::sync::Arc;

use recoup_kernels::random::{self, Key, Purpose};
use serde::{Deserialize, Serialize};

use super::checkpoint::CheckpointError;
use super::initial::InitialWeights;
use crate::features::transforms::Scaler;
use crate::models::Layout;

/// Values that may differ between replicas of one group without a change of shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hyperparameters {
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Dropout rate.
    pub dropout: f32,
    /// Share of the target that is spread over all classes.
    pub label_smoothing: f64,
    /// Weight of each class in the loss.
    pub class_weights: Vec<f64>,
}

/// One model in training, fully specified: given the data, its weights at any step are a function of this value.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Unique in the run, e.g. `repeat0-fold3-seed1`.
    pub name: String,
    /// Root of its random draws.
    pub seed: u64,
    /// Hyper-parameters.
    pub hyper: Hyperparameters,
    /// One scaler per stream, fitted on its training subjects.
    pub scalers: Vec<Scaler>,
    /// For each stream that reads features with transforms fitted on the training subjects: the table that comes out,
    /// `[rows, columns]`, which the windows index.
    pub fitted: Vec<Option<Arc<[f32]>>>,
    /// Windows to train on, grouped by subject, in the order of the sorted ids.
    pub train: Vec<Vec<u32>>,
    /// Windows to select by.
    pub valid: Vec<u32>,
    /// Windows to test on.
    pub test: Vec<u32>,
    /// Trained weights that it starts from instead of random ones.
    pub init_from: Option<Arc<InitialWeights>>,
}

/// How many windows of each subject an epoch visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// Every window once.
    All,
    /// At most this many windows of each subject, drawn anew each epoch.
    PerSubject(usize),
}

impl Replica {
    /// Weights before the first step, P values, and buffers, Q values.
    ///
    /// # Errors
    /// Weights to start from that cannot be read.
    pub fn first_values(&self, layout: &Layout) -> Result<[Vec<f32>; 2], CheckpointError> {
        let mut params = layout.init_params(&[self.seed]);
        let mut buffers = layout.init_buffers(&[self.seed]);
        if let Some(weights) = &self.init_from {
            weights.put(&mut params, &mut buffers)?;
        }
        Ok([params, buffers])
    }

    /// Multiples of the learning rate, one for each of P weights and Q buffers.
    pub fn learning_rate_factors(&self, layout: &Layout) -> [Vec<f32>; 2] {
        let widths = [layout.num_params(), layout.num_buffers()];
        match &self.init_from {
            None => widths.map(|width| vec![1.0; width]),
            Some(weights) => [
                weights.factors(&weights.params, widths[0]),
                weights.factors(&weights.buffers, widths[1]),
            ],
        }
    }

    /// The windows of `epoch` (from 0) in the order of their use: a function of (seed, epoch) and the window lists.
    pub fn epoch_order(&self, epoch: usize, sampling: Sampling) -> Vec<u32> {
        let key = |path: u64| Key {
            seed: self.seed,
            purpose: Purpose::Shuffle,
            step: epoch as u64,
            path,
        };
        let chosen: Vec<u32> = match sampling {
            Sampling::All => self.train.iter().flatten().copied().collect(),
            Sampling::PerSubject(count) => (1u64..)
                .zip(&self.train)
                .flat_map(|(subject, windows)| {
                    let order = random::permutation(key(subject), windows.len());
                    order.into_iter().take(count).map(|at| windows[at])
                })
                .collect(),
        };
        let order = random::permutation(key(0), chosen.len());
        order.into_iter().map(|at| chosen[at]).collect()
    }

    /// Windows in an epoch; the same in each.
    pub fn epoch_len(&self, sampling: Sampling) -> usize {
        let count = |windows: &Vec<u32>| match sampling {
            Sampling::All => windows.len(),
            Sampling::PerSubject(count) => count.min(windows.len()),
        };
        self.train.iter().map(count).sum()
    }
}
