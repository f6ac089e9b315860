//! Long short-term memory over sequences of unequal length.

use std::sync::Arc;

use burn::tensor::Tensor;
use recoup_kernels::{LstmWeights, lstm};
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::encode::{Encode, EncoderSettings, wrong_input};
use super::input::InputShape;
use super::layers::{Dropout, Pooling};
use super::limits::{MAX_LAYERS, MAX_WIDTH};
use super::params::{Init, LayoutBuilder, ParamId};
use crate::base::Problems;

/// A stack of LSTM layers.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `hidden_size` | | H, width of the state, per direction |
/// | `layers` | 1 | stacked layers; dropout lies between them |
/// | `bidirectional` | `false` | reads the sequence in both directions and concatenates |
/// | `pooling` | `last` | how steps become one vector, [`Pooling`]; `last`: the final state of each direction |
///
/// - **Shapes**: `[R, B, T, C]` to `[R, B, F]` with F = H, 2 H in both directions, and twice as many with `stats`.
///   Samples may be shorter than T.
/// - **Paper**: Hochreiter & Schmidhuber 1997, "Long short-term memory", <https://doi.org/10.1162/neco.1997.9.8.1735>;
///   forget gate, Gers et al. 2000; one bias per gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LstmConfig {
    /// Stacked layers; dropout lies between them.
    #[serde(default = "one")]
    pub layers: usize,
    /// Width of the state, per direction.
    pub hidden_size: usize,
    /// Reads the sequence in both directions and concatenates.
    #[serde(default)]
    pub bidirectional: bool,
    /// How steps become one vector. `last`: the final state of each direction.
    #[serde(default = "last")]
    pub pooling: Pooling,
}

fn one() -> usize {
    1
}

fn last() -> Pooling {
    Pooling::Last
}

impl LstmConfig {
    /// Every reason why the configuration cannot run.
    pub(super) fn layer_problems(&self) -> Problems {
        let mut problems = Problems::default();
        problems.require_size(self.layers, MAX_LAYERS, "layers");
        problems.require_size(self.hidden_size, MAX_WIDTH, "hidden_size");
        problems
    }

    /// Values that the layers put out for one sample of `steps` steps: gates, state and output of each.
    pub(super) fn layer_activations(&self, steps: usize) -> f64 {
        6.0 * self.width() as f64 * steps as f64 * self.layers as f64
    }

    fn width(&self) -> usize {
        self.hidden_size * if self.bidirectional { 2 } else { 1 }
    }
}

impl EncoderSettings for LstmConfig {
    fn problems(&self, input: InputShape) -> Problems {
        match input {
            InputShape::Sequence { .. } => self.layer_problems(),
            _ => wrong_input("a signal or a series", input),
        }
    }

    fn activations(&self, input: InputShape) -> f64 {
        self.layer_activations(input.num_positions())
    }

    fn build(&self, layout: &mut LayoutBuilder, input: InputShape) -> Arc<dyn Encode> {
        Arc::new(Lstm::new(layout, self, input.num_channels()))
    }
}

#[derive(Clone, Debug)]
struct Direction {
    input: ParamId,
    hidden: ParamId,
    bias: ParamId,
    reverse: bool,
}

/// Stacked, optionally bidirectional LSTM.
#[derive(Clone, Debug)]
pub struct Lstm {
    config: LstmConfig,
    layers: Vec<(Vec<Direction>, Dropout)>,
}

impl Lstm {
    /// A stack for `input_size` features per step. One bias per gate: PyTorch's two always add up.
    pub fn new(layout: &mut LayoutBuilder, config: &LstmConfig, input_size: usize) -> Self {
        let hidden_size = config.hidden_size;
        let init = Init::Uniform {
            bound: 1.0 / (hidden_size.max(1) as f32).sqrt(),
        };
        let mut features = input_size;
        let mut layers = Vec::with_capacity(config.layers);
        for layer in 0..config.layers {
            let directions: &[bool] = if config.bidirectional { &[false, true] } else { &[false] };
            let built = layout.scope(&format!("layer{layer}"), |layout| {
                let directions = directions
                    .iter()
                    .map(|&reverse| {
                        layout.scope(if reverse { "backward" } else { "forward" }, |layout| Direction {
                            input: layout.param("input", &[features, 4 * hidden_size], init),
                            hidden: layout.param("hidden", &[hidden_size, 4 * hidden_size], init),
                            bias: layout.param("bias", &[4 * hidden_size], init),
                            reverse,
                        })
                    })
                    .collect();
                (directions, Dropout::new(layout))
            });
            layers.push(built);
            features = config.width();
        }
        Self {
            config: config.clone(),
            layers,
        }
    }

    /// `[R, B, T, I]` to the last layer's state after each step, `[R, B, T, width]`, zeros past a sample's end, and to
    /// the final state `[R, B, H]` of each direction. `lengths` (`R * B` entries) are the valid steps of each sample,
    /// `T` when absent.
    pub fn forward(
        &self,
        mut x: Tensor<4>,
        lengths: Option<&[usize]>,
        context: &Context,
    ) -> (Tensor<4>, Vec<Tensor<3>>) {
        let mut last_states = Vec::new();
        for (index, (directions, dropout)) in self.layers.iter().enumerate() {
            if index > 0 {
                let [num_replicas, batch, steps, features] = x.dims();
                x = dropout
                    .forward(x.reshape([num_replicas, batch, steps * features]), context)
                    .reshape([num_replicas, batch, steps, features]);
            }
            let mut sequences = Vec::with_capacity(directions.len());
            last_states.clear();
            for direction in directions {
                let weights = LstmWeights {
                    input: context.params.get(direction.input),
                    hidden: context.params.get(direction.hidden),
                    bias: context.params.get(direction.bias),
                };
                let output = lstm(x.clone(), lengths, &weights, direction.reverse);
                sequences.push(output.sequence);
                last_states.push(output.last_hidden);
            }
            x = Tensor::cat(sequences, 3);
        }
        (x, last_states)
    }
}

impl Encode for Lstm {
    fn output_size(&self) -> usize {
        self.config.pooling.output_size(self.config.width())
    }

    /// [`forward`](Self::forward), then pooling over the valid steps.
    fn encode(&self, x: Tensor<4>, lengths: Option<&[usize]>, context: &Context) -> Tensor<3> {
        let (x, last_states) = self.forward(x, lengths, context);
        match self.config.pooling {
            Pooling::Last => Tensor::cat(last_states, 2),
            pooling => pooling.forward(x.swap_dims(2, 3), lengths),
        }
    }
}
