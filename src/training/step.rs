//! One training step and one evaluation pass for all replicas of a group.

use burn::tensor::{Tensor, activation};

use super::batch::{DeviceData, DeviceScaler};
use super::{Precision, Replica};
use crate::models::{Context, Draw, Mode, Model, Params, StreamInput};

/// What steps of a group share.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// The model of all replicas.
    pub model: &'a Model,
    /// The cohort on the device.
    pub data: &'a DeviceData,
    /// The replicas, in the order of the rows of every `[R, ..]` tensor.
    pub replicas: Vec<&'a Replica>,
    /// Their scalers.
    pub scalers: Vec<DeviceScaler>,
    /// Arithmetic of the passes.
    pub precision: Precision,
}

/// Losses, gradients and buffers of one step.
#[derive(Debug)]
pub struct Gradients {
    /// Weighted mean cross-entropy of each replica, `[R, 1]`.
    pub losses: Tensor<2>,
    /// `[R, P]`.
    pub gradient: Tensor<2>,
    /// `[R, Q]` after the step.
    pub buffers: Tensor<2>,
}

impl<'a> Group<'a> {
    /// A group of `replicas`.
    pub fn new(model: &'a Model, data: &'a DeviceData, replicas: Vec<&'a Replica>, precision: Precision) -> Self {
        let scalers = data.scalers(&replicas);
        Self { model, data, replicas, scalers, precision }
    }

    /// Cross-entropy and its gradient over the micro-batches of one step. `steps[r]` counts the steps that replica
    /// `r` has made; `micro_batches` are R x B windows each.
    ///
    /// The loss of a replica is `sum_b w_b ce_b / sum_b w_b` over its whole step, with the class weights as `w` (as
    /// PyTorch's `CrossEntropyLoss`), so accumulation and padding do not change it.
    pub fn gradients(
        &self,
        weights: &Tensor<2>,
        buffers: &Tensor<2>,
        steps: &[u64],
        micro_batches: &[Vec<Vec<Option<u32>>>],
    ) -> Gradients {
        let total = |(r, replica): (usize, &&Replica)| {
            let weight: f64 = micro_batches.iter().map(|picks| self.data.total_weight(&picks[r], replica)).sum();
            if weight > 0.0 { weight } else { 1.0 }
        };
        let totals: Vec<f64> = self.replicas.iter().enumerate().map(total).collect();
        let mut sum: Option<(Tensor<2>, Tensor<2>)> = None;
        let mut buffers = buffers.clone();
        for (micro, picks) in micro_batches.iter().enumerate() {
            let draws: Vec<Draw> = self
                .replicas
                .iter()
                .zip(steps)
                .map(|(replica, &step)| Draw {
                    seed: replica.seed,
                    step: step * micro_batches.len() as u64 + micro as u64,
                    dropout: replica.hyper.dropout,
                })
                .collect();
            let (losses, gradient, new_buffers) = self.micro_gradients(weights, &buffers, draws, picks, &totals);
            if let Some(new_buffers) = new_buffers {
                buffers = new_buffers;
            }
            sum = Some(match sum {
                None => (losses, gradient),
                Some((loss_sum, gradient_sum)) => (loss_sum + losses, gradient_sum + gradient),
            });
        }
        let (losses, gradient) = sum.unwrap_or_else(|| {
            let device = weights.device();
            (Tensor::zeros([self.replicas.len(), 1], &device), weights.zeros_like())
        });
        Gradients { losses, gradient, buffers }
    }

    fn micro_gradients(
        &self,
        weights: &Tensor<2>,
        buffers: &Tensor<2>,
        draws: Vec<Draw>,
        picks: &[Vec<Option<u32>>],
        totals: &[f64],
    ) -> (Tensor<2>, Tensor<2>, Option<Tensor<2>>) {
        let targets = self.data.targets(picks, &self.replicas, totals);
        let params = Params::cut(self.model.layout(), weights, buffers, true, self.precision.dtype());
        let mode = Mode::Train { draws, sample_mask: targets.sample_mask };
        let context = Context::new(&params, mode);
        let inputs: Vec<_> = self.data.inputs(picks, &self.scalers).into_iter().map(StreamInput::on_tape).collect();
        let logits = self.model.forward(&inputs, &context).logits;
        let buffers = context.into_buffers();
        let log_likelihood = activation::log_softmax(logits, 2) * targets.one_hot.autodiff();
        let losses = (log_likelihood.sum_dim(2) * targets.weights.autodiff()).sum_dim(1).neg();
        let mut gradients = losses.backward();
        let gradient = params.gradients(&mut gradients);
        let losses = losses.without_autodiff().reshape([picks.len(), 1]);
        (losses, gradient, buffers)
    }

    /// Logits and stream weights of each replica's windows, without dropout and off the tape.
    pub fn predict(
        &self,
        weights: &Tensor<2>,
        buffers: &Tensor<2>,
        windows: &[&[u32]],
        batch_size: usize,
    ) -> Vec<Predicted> {
        let params = Params::cut(self.model.layout(), weights, buffers, false, self.precision.dtype());
        let context = Context::new(&params, Mode::Eval);
        let mut predicted = vec![Predicted::default(); windows.len()];
        let most = windows.iter().map(|list| list.len()).max().unwrap_or(0);
        for start in (0..most).step_by(batch_size) {
            let picks: Vec<Vec<Option<u32>>> = windows
                .iter()
                .map(|list| (start..start + batch_size).map(|at| list.get(at).copied()).collect())
                .collect();
            let output = self.model.forward(&self.data.inputs(&picks, &self.scalers), &context);
            let classes = self.model.num_classes();
            let num_streams = output.stream_weights.dims()[2];
            let logits = floats(output.logits);
            let stream_weights = floats(output.stream_weights);
            for (r, list) in windows.iter().enumerate() {
                let count = list.len().saturating_sub(start).min(batch_size);
                let rows = |values: &[f32], width: usize| {
                    let first = r * batch_size * width;
                    values[first..first + count * width].to_vec()
                };
                predicted[r].logits.extend(rows(&logits, classes));
                predicted[r].stream_weights.extend(rows(&stream_weights, num_streams));
            }
        }
        predicted
    }
}

/// Predictions of one replica, in the order of its windows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predicted {
    /// `[windows, K]`.
    pub logits: Vec<f32>,
    /// `[windows, M]`.
    pub stream_weights: Vec<f32>,
}

/// A tensor's values on the host, row-major.
pub fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    // A failed launch shows when a result is read back; nothing after it could be trusted.
    match tensor.without_autodiff().try_into_vec_as() {
        Ok(values) => values,
        Err(error) => panic!("the device failed: {error}"),
    }
}
