//! Multi-layer perceptron over rows of one length.

use std::sync::Arc;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::encode::{Encode, EncoderSettings, wrong_input};
use super::input::InputShape;
use super::layers::{Activation, Mlp};
use super::limits::MAX_WIDTH;
use super::params::LayoutBuilder;
use crate::base::Problems;

/// Linear layers over a row, or over a flattened sequence or image.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `hidden_sizes` | | widths of the layers; the last is the output. Empty: the row itself |
/// | `activation` | `relu` | after each layer; dropout lies between them |
///
/// - **Shapes**: `[R, B, T, C]`, all samples of one length, to `[R, B, F]` with F the last width.
/// - **Paper**: Rumelhart, Hinton & Williams 1986, "Learning representations by back-propagating errors",
///   <https://doi.org/10.1038/323533a0>.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// Widths of the layers; the last is the output. Empty: the row itself.
    pub hidden_sizes: Vec<usize>,
    /// Activation after each layer.
    #[serde(default)]
    pub activation: Activation,
}

impl EncoderSettings for MlpConfig {
    fn problems(&self, input: InputShape) -> Problems {
        if let InputShape::Sequence { fixed: false, .. } = input {
            return wrong_input("rows of one length", input);
        }
        let mut problems = Problems::default();
        problems.require(
            !self.hidden_sizes.contains(&0),
            "hidden_sizes",
            || "a layer of width 0 carries nothing: use at least 1",
        );
        for &size in &self.hidden_sizes {
            problems.require_size(size.max(1), MAX_WIDTH, "hidden_sizes");
        }
        problems
    }

    fn activations(&self, _: InputShape) -> f64 {
        self.hidden_sizes.iter().map(|&size| size as f64).sum()
    }

    fn build(&self, layout: &mut LayoutBuilder, input: InputShape) -> Arc<dyn Encode> {
        let flat = match input {
            InputShape::Row { features } => features,
            InputShape::Sequence { channels, length, .. } => channels * length,
            InputShape::Image {
                channels,
                height,
                width,
                ..
            } => channels * height * width,
        };
        let sizes: Vec<usize> = [flat].into_iter().chain(self.hidden_sizes.iter().copied()).collect();
        Arc::new(MlpEncoder {
            layers: Mlp::new(layout, &sizes, self.activation),
            activation: self.activation,
            output_size: *sizes.last().unwrap_or(&flat),
        })
    }
}

#[derive(Debug)]
struct MlpEncoder {
    layers: Mlp,
    activation: Activation,
    output_size: usize,
}

impl Encode for MlpEncoder {
    fn output_size(&self) -> usize {
        self.output_size
    }

    fn encode(&self, rows: Tensor<4>, _: Option<&[usize]>, context: &Context) -> Tensor<3> {
        let [num_replicas, batch, steps, channels] = rows.dims();
        let flat = rows.reshape([num_replicas, batch, steps * channels]);
        self.activation.forward(self.layers.forward(flat, context))
    }
}
