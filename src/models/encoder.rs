//! Encoders: one stream's input to one vector per sample.

use std::sync::Arc;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::cnn::CnnConfig;
use super::cnn_lstm::CnnLstmConfig;
use super::context::Context;
use super::encode::{Encode, EncoderSettings};
use super::input::{InputShape, StreamInput};
use super::layers::Pooling;
use super::lstm::LstmConfig;
use super::mlp::MlpConfig;
use super::params::LayoutBuilder;
use super::spectrogram::SpectrogramConfig;
use crate::base::Problems;

/// A stream's encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum EncoderConfig {
    /// Linear layers over a row (or a flattened sequence or image).
    Mlp(MlpConfig),
    /// Convolutions over time, or over an image.
    Cnn(CnnConfig),
    /// Recurrent network over time.
    Lstm(LstmConfig),
    /// Convolutions over time, then a recurrent network over what they give.
    CnnLstm(CnnLstmConfig),
    /// Log-power spectrogram, then convolutions over time and frequency.
    Spectrogram(SpectrogramConfig),
}

impl EncoderConfig {
    /// The settings behind the name.
    fn settings(&self) -> &dyn EncoderSettings {
        match self {
            Self::Mlp(config) => config,
            Self::Cnn(config) => config,
            Self::Lstm(config) => config,
            Self::CnnLstm(config) => config,
            Self::Spectrogram(config) => config,
        }
    }

    /// Every reason why this encoder cannot take this input.
    pub fn problems(&self, input: InputShape) -> Problems {
        self.settings().problems(input)
    }

    /// Values that the layers put out for one sample.
    pub fn activations(&self, input: InputShape) -> f64 {
        let count = match input {
            InputShape::Image { count, .. } => count,
            _ => 1,
        };
        self.settings().activations(input) * count as f64
    }
}

/// A built encoder.
#[derive(Clone, Debug)]
pub struct Encoder {
    input: InputShape,
    built: Arc<dyn Encode>,
}

impl Encoder {
    /// Builds what [`EncoderConfig::problems`] found nothing wrong with.
    pub fn new(layout: &mut LayoutBuilder, config: &EncoderConfig, input: InputShape) -> Self {
        let built = config.settings().build(layout, input);
        Self { input, built }
    }

    /// Features that [`forward`](Self::forward) gives.
    pub fn output_size(&self) -> usize {
        self.built.output_size()
    }

    /// Scaled rows `[R, B, T, C]` (`T` = 1 for a row; an image is one row of `C * H * W`) to `[R, B, output_size]`.
    pub fn forward(&self, input: &StreamInput, context: &Context) -> Tensor<3> {
        let [num_replicas, batch, steps, channels] = input.rows.dims();
        if !matches!(self.input, InputShape::Image { .. }) || steps == 1 {
            return self.built.encode(input.rows.clone(), input.lengths.as_deref(), context);
        }
        let images = input.rows.clone().reshape([num_replicas, batch * steps, 1, channels]);
        let features = self.built.encode(images, None, context);
        let features = features
            .reshape([num_replicas, batch, steps, self.output_size()])
            .swap_dims(2, 3);
        Pooling::Mean.forward(features, input.lengths.as_deref())
    }

    /// Whether [`spectrogram`](Self::spectrogram) gives one.
    pub fn makes_spectrogram(&self) -> bool {
        self.built.makes_spectrogram()
    }

    /// Log-power spectrogram `[R, B, C, bins, frames]` of the input, where the encoder makes one.
    pub fn spectrogram(&self, input: &StreamInput) -> Option<Tensor<5>> {
        self.built.spectrogram(input.rows.clone())
    }
}
