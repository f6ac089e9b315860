//! Convolutions over time, then an LSTM over what they give.

use std::sync::Arc;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::cnn::{Cnn, CnnConfig, Dims};
use super::context::Context;
use super::encode::{Encode, EncoderSettings, planes, wrong_input};
use super::input::InputShape;
use super::lstm::{Lstm, LstmConfig};
use super::params::LayoutBuilder;
use crate::base::Problems;

/// Convolutions that shorten a signal, then a recurrent network over the positions that are left.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `cnn` | | the convolutions, [`CnnConfig`]; their `pooling` is not used |
/// | `lstm` | | the recurrent network, [`LstmConfig`] |
///
/// - **Shapes**: `[R, B, T, C]` to `[R, B, F]` with F that of the LSTM; samples may be shorter than T.
/// - **Paper**: Ordóñez & Roggen 2016, "Deep convolutional and LSTM recurrent neural networks for multimodal wearable
///   activity recognition", <https://doi.org/10.3390/s16010115>.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CnnLstmConfig {
    /// The convolutions; their pooling is not used.
    pub cnn: CnnConfig,
    /// The recurrent network.
    pub lstm: LstmConfig,
}

impl EncoderSettings for CnnLstmConfig {
    fn problems(&self, input: InputShape) -> Problems {
        let InputShape::Sequence { length, .. } = input else {
            return wrong_input("a signal or a series", input);
        };
        let mut problems = Problems::default();
        problems.extend_below("cnn", self.cnn.block_problems(Dims::One, [1, length]));
        problems.extend_below("lstm", self.lstm.layer_problems());
        problems
    }

    fn activations(&self, input: InputShape) -> f64 {
        let (values, [_, steps]) = self.cnn.block_activations(Dims::One, [1, input.num_positions()]);
        values + self.lstm.layer_activations(steps)
    }

    fn build(&self, layout: &mut LayoutBuilder, input: InputShape) -> Arc<dyn Encode> {
        let channels = input.num_channels();
        let features = self.cnn.output_channels(channels);
        Arc::new(CnnLstm {
            cnn: layout.scope("cnn", |layout| Cnn::new(layout, &self.cnn, Dims::One, channels)),
            lstm: layout.scope("lstm", |layout| Lstm::new(layout, &self.lstm, features)),
        })
    }
}

#[derive(Debug)]
struct CnnLstm {
    cnn: Cnn,
    lstm: Lstm,
}

impl Encode for CnnLstm {
    fn output_size(&self) -> usize {
        self.lstm.output_size()
    }

    fn encode(&self, rows: Tensor<4>, lengths: Option<&[usize]>, context: &Context) -> Tensor<3> {
        let features = self.cnn.forward(planes(rows), context);
        let [num_replicas, batch, channels, _, positions] = features.dims();
        let sequence = features
            .reshape([num_replicas, batch, channels, positions])
            .swap_dims(2, 3);
        let lengths = lengths.map(|lengths| self.cnn.output_lengths(lengths));
        self.lstm.encode(sequence, lengths.as_deref(), context)
    }
}
