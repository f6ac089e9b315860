//! One training step and one evaluation pass for all replicas of a group.

use burn::tensor::{Tensor, activation};

use super::batch::{DeviceData, DeviceScaler};
use super::{Mixup, Replica, TrainingConfig};
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
    /// How it trains.
    pub config: &'a TrainingConfig,
}

/// Losses, gradients and buffers of one step.
#[derive(Debug)]
pub struct Gradients {
    /// Loss of each replica, `[R, 1]`.
    pub losses: Tensor<2>,
    /// `[R, P]`.
    pub gradient: Tensor<2>,
    /// `[R, Q]` after the step.
    pub buffers: Tensor<2>,
}

impl<'a> Group<'a> {
    /// A group of `replicas`.
    pub fn new(model: &'a Model, data: &'a DeviceData, replicas: Vec<&'a Replica>, config: &'a TrainingConfig) -> Self {
        let scalers = data.scalers(&replicas);
        Self {
            model,
            data,
            replicas,
            scalers,
            config,
        }
    }

    /// The loss and its gradient over the micro-batches of one step. `steps[r]` counts the steps that replica
    /// `r` has made; `micro_batches` are R x B windows each.
    ///
    /// The cross-entropy of a replica is `sum_b w_b ce_b / sum_b w_b` over its whole step, with the class weights as `w`
    /// (as PyTorch's `CrossEntropyLoss`), so accumulation and padding do not change it. The reconstruction error of
    /// streams with a decoder is averaged with the same weights; [`Objective`](super::Objective) adds the two. Under
    /// `mixup`, see [`Mixup::targets`] for the cross-entropy and weight of a mixed sample.
    pub fn gradients(
        &self,
        weights: &Tensor<2>,
        buffers: &Tensor<2>,
        steps: &[u64],
        micro_batches: &[Vec<Vec<Option<u32>>>],
    ) -> Gradients {
        let draw = |replica: &Replica, step: u64, micro: usize| Draw {
            seed: replica.seed,
            step: step * micro_batches.len() as u64 + micro as u64,
            dropout: replica.hyper.dropout,
        };
        let micro_draws: Vec<Vec<Draw>> = (0..micro_batches.len())
            .map(|micro| {
                self.replicas
                    .iter()
                    .zip(steps)
                    .map(|(replica, &step)| draw(replica, step, micro))
                    .collect()
            })
            .collect();
        let mixups: Vec<Option<Mixup>> = micro_draws
            .iter()
            .zip(micro_batches)
            .map(|(draws, picks)| {
                self.config
                    .mixup
                    .as_ref()
                    .map(|config| Mixup::draw(config, draws, picks))
            })
            .collect();
        let total = |(r, replica): (usize, &&Replica)| {
            let of_batch = |(picks, mixup): (&Vec<Vec<Option<u32>>>, &Option<Mixup>)| {
                let amounts = mixup.as_ref().map(|mixup| mixup.amounts(r));
                self.data.total_weight(&picks[r], replica, |at| {
                    amounts.as_ref().map_or(1.0, |amounts| amounts[at])
                })
            };
            let weight: f64 = micro_batches.iter().zip(&mixups).map(of_batch).sum();
            if weight > 0.0 { weight } else { 1.0 }
        };
        let totals: Vec<f64> = self.replicas.iter().enumerate().map(total).collect();
        let mut sum: Option<(Tensor<2>, Tensor<2>)> = None;
        let mut buffers = buffers.clone();
        for ((picks, draws), mixup) in micro_batches.iter().zip(micro_draws).zip(&mixups) {
            let (losses, gradient, new_buffers) =
                self.micro_gradients(weights, &buffers, draws, picks, &totals, mixup.as_ref());
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
        Gradients {
            losses,
            gradient,
            buffers,
        }
    }

    fn micro_gradients(
        &self,
        weights: &Tensor<2>,
        buffers: &Tensor<2>,
        draws: Vec<Draw>,
        picks: &[Vec<Option<u32>>],
        totals: &[f64],
        mixup: Option<&Mixup>,
    ) -> (Tensor<2>, Tensor<2>, Option<Tensor<2>>) {
        let mut targets = self.data.targets(picks, &self.replicas, totals);
        let mut inputs = self.data.inputs(picks, &self.scalers);
        if let Some(mixup) = mixup {
            inputs = mixup.inputs(inputs);
            targets = mixup.targets(targets);
        }
        let on_tape = |inputs: Vec<StreamInput>| inputs.into_iter().map(StreamInput::on_tape).collect::<Vec<_>>();
        let seen = on_tape(self.model.augment(inputs.clone(), &draws));
        let inputs = on_tape(inputs);
        let params = Params::cut(
            self.model.layout(),
            weights,
            buffers,
            true,
            self.config.precision.dtype(),
        );
        let mode = Mode::Train {
            draws,
            sample_mask: targets.sample_mask,
        };
        let context = Context::new(&params, mode);
        let output = self.model.forward_to(&seen, &inputs, &context);
        let buffers = context.into_buffers();
        let sample_weights = targets.weights.autodiff();
        let log_likelihood = activation::log_softmax(output.logits, 2) * targets.one_hot.autodiff();
        let cross_entropy = (log_likelihood.sum_dim(2) * sample_weights.clone()).sum_dim(1).neg();
        let objective = &self.config.objective;
        let losses = match output.reconstruction {
            None => cross_entropy,
            Some(errors) => {
                let reconstruction = (errors * sample_weights).sum_dim(1) * objective.reconstruction;
                match objective.classification > 0.0 {
                    true => cross_entropy * objective.classification + reconstruction,
                    false => reconstruction,
                }
            }
        };
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
        let params = Params::cut(
            self.model.layout(),
            weights,
            buffers,
            false,
            self.config.precision.dtype(),
        );
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
            let reconstruction = output.reconstruction.map(floats);
            // An autoencoder says how badly it knows a window: the score of the second class is ln(error).
            let logits = match &reconstruction {
                Some(errors) if self.config.objective.classification == 0.0 => errors
                    .iter()
                    .flat_map(|error| [0.0, error.max(f32::MIN_POSITIVE).ln()])
                    .collect(),
                _ => floats(output.logits),
            };
            let stream_weights = floats(output.stream_weights);
            for (r, list) in windows.iter().enumerate() {
                let count = list.len().saturating_sub(start).min(batch_size);
                let rows = |values: &[f32], width: usize| {
                    let first = r * batch_size * width;
                    values[first..first + count * width].to_vec()
                };
                predicted[r].logits.extend(rows(&logits, classes));
                predicted[r].stream_weights.extend(rows(&stream_weights, num_streams));
                if let Some(errors) = &reconstruction {
                    predicted[r].reconstruction.extend(rows(errors, 1));
                }
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
    /// Reconstruction error of each window; empty without a decoder.
    pub reconstruction: Vec<f32>,
}

impl Predicted {
    /// Mean reconstruction error; `None` without a decoder or a window.
    pub fn mean_reconstruction(&self) -> Option<f64> {
        let sum: f64 = self.reconstruction.iter().map(|&error| f64::from(error)).sum();
        (!self.reconstruction.is_empty()).then(|| sum / self.reconstruction.len() as f64)
    }
}

/// A tensor's values on the host, row-major.
pub fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    // A failed launch shows when a result is read back; nothing after it could be trusted.
    match tensor.without_autodiff().try_into_vec_as() {
        Ok(values) => values,
        Err(error) => panic!("the device failed: {error}"),
    }
}
