//! One training step and one evaluation pass for all replicas of a group.

use burn::tensor::Tensor;

use super::batch::{DeviceData, DeviceScaler};
use super::losses;
use super::{Mixup, Replica, TrainingConfig};
use crate::models::{Context, Draw, Mode, Model, Params, StreamInput};

/// Replicas that make their steps together, with model and data.
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
    /// The loss of a replica is that of its whole step ([`losses::total`]), so accumulation and padding do not change it.
    /// Under `mixup`, see [`Mixup::targets`] for label and weight of a mixed sample.
    pub fn gradients(
        &self,
        weights: &Tensor<2>,
        buffers: &Tensor<2>,
        steps: &[u64],
        micro_batches: &[Vec<Vec<Option<u32>>>],
    ) -> Gradients {
        let micro_draws = self.draws(steps, micro_batches.len());
        let mixups: Vec<Option<Mixup>> = micro_draws
            .iter()
            .zip(micro_batches)
            .map(|(draws, window_indices)| {
                let config = self.config.mixup.as_ref()?;
                Some(Mixup::draw(config, draws, window_indices))
            })
            .collect();
        let totals = self.total_weights(micro_batches, &mixups);
        let mut sum: Option<(Tensor<2>, Tensor<2>)> = None;
        let mut buffers = buffers.clone();
        for ((window_indices, draws), mixup) in micro_batches.iter().zip(micro_draws).zip(&mixups) {
            let (losses, gradient, new_buffers) =
                self.micro_gradients(weights, &buffers, draws, window_indices, &totals, mixup.as_ref());
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

    /// Keys of the random draws of each micro-batch, one per replica.
    fn draws(&self, steps: &[u64], num_micro_batches: usize) -> Vec<Vec<Draw>> {
        let draw = |replica: &Replica, step: u64, micro: usize| Draw {
            seed: replica.seed,
            step: step * num_micro_batches as u64 + micro as u64,
            dropout: replica.hyper.dropout,
        };
        let of_micro_batch = |micro| {
            let replicas = self.replicas.iter().zip(steps);
            replicas.map(|(replica, &step)| draw(replica, step, micro)).collect()
        };
        (0..num_micro_batches).map(of_micro_batch).collect()
    }

    /// Sum of the weights of the samples of each replica's step; 1 for a step without samples.
    fn total_weights(&self, micro_batches: &[Vec<Vec<Option<u32>>>], mixups: &[Option<Mixup>]) -> Vec<f64> {
        let total = |(r, replica): (usize, &&Replica)| {
            let of_batch = |(window_indices, mixup): (&Vec<Vec<Option<u32>>>, &Option<Mixup>)| {
                let amounts = mixup.as_ref().map(|mixup| mixup.amounts(r));
                self.data.total_weight(&window_indices[r], replica, |at| {
                    amounts.as_ref().map_or(1.0, |amounts| amounts[at])
                })
            };
            let weight: f64 = micro_batches.iter().zip(mixups).map(of_batch).sum();
            if weight > 0.0 { weight } else { 1.0 }
        };
        self.replicas.iter().enumerate().map(total).collect()
    }

    fn micro_gradients(
        &self,
        weights: &Tensor<2>,
        buffers: &Tensor<2>,
        draws: Vec<Draw>,
        window_indices: &[Vec<Option<u32>>],
        totals: &[f64],
        mixup: Option<&Mixup>,
    ) -> (Tensor<2>, Tensor<2>, Option<Tensor<2>>) {
        let mut targets = self.data.targets(window_indices, &self.replicas, totals);
        let mut inputs = self.data.inputs(window_indices, &self.scalers);
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
            sample_mask: targets.sample_mask.clone(),
        };
        let context = Context::new(&params, mode);
        let output = self.model.forward_to(&seen, &inputs, &context);
        let buffers = context.into_buffers();
        let losses = losses::total(&self.config.loss, &output, &targets.on_tape());
        let mut gradients = losses.backward();
        let gradient = params.gradients(&mut gradients);
        let losses = losses.without_autodiff().reshape([window_indices.len(), 1]);
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
            let window_indices: Vec<Vec<Option<u32>>> = windows
                .iter()
                .map(|list| (start..start + batch_size).map(|at| list.get(at).copied()).collect())
                .collect();
            let output = self
                .model
                .forward(&self.data.inputs(&window_indices, &self.scalers), &context);
            let classes = self.model.num_classes();
            let num_streams = output.stream_weights.dims()[2];
            let reconstruction = output.reconstruction.map(floats);
            // An autoencoder says how badly it knows a window: the score of the second class is ln(error).
            let logits = match &reconstruction {
                Some(errors) if !losses::see_classes(&self.config.loss) => errors
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
