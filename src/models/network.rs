//! The whole model: streams, fusion, head.

use std::sync::Arc;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::encoder::{Encoder, EncoderConfig, InputShape};
use super::fusion::{Combine, Fusion, FusionConfig};
use super::layers::{Activation, Dropout, Linear, Mlp};
use super::{ConfigProblem, Context, Layout, LayoutBuilder};

/// One stream: a modality and its encoder. Two streams may read the same modality in two ways.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamConfig {
    /// Name of the stream; prefix of its parameters.
    pub name: String,
    /// Modality of the data that it reads.
    pub modality: String,
    /// Channels that it reads, all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// What its values are scaled by.
    #[serde(default)]
    pub scaling: Scaling,
    /// The encoder.
    pub encoder: EncoderConfig,
}

/// What the values of a stream are scaled by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// Mean and deviation of each channel over the training subjects.
    #[default]
    Train,
    /// After that, mean and deviation of each channel within the window: its shape stays, its level and amplitude go.
    /// For sensors whose gain differs between recordings.
    Window,
}

/// The classification head.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadConfig {
    /// Widths of hidden layers.
    #[serde(default)]
    pub hidden_sizes: Vec<usize>,
}

/// The parameters of the model family. One stream is a CNN, an LSTM or an MLP on its own; several are a fusion model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Width that every stream is projected to before fusion.
    #[serde(default = "default_embedding_size")]
    pub embedding_size: usize,
    /// Dropout rate on every embedding and hidden layer, per replica.
    #[serde(default)]
    pub dropout: f32,
    /// How streams are fused.
    #[serde(default = "default_fusion")]
    pub fusion: FusionConfig,
    /// From the fused vector to the classes.
    #[serde(default)]
    pub head: HeadConfig,
    /// The streams, `[[model.stream]]`.
    pub stream: Vec<StreamConfig>,
}

fn default_embedding_size() -> usize {
    32
}

fn default_fusion() -> FusionConfig {
    FusionConfig::Attention { hidden_size: 32, combine: Combine::Sum }
}

impl ModelConfig {
    /// Every reason why this model cannot be built for these inputs, one shape per stream.
    pub fn problems(&self, inputs: &[InputShape]) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut check = |wrong: bool, key: &str, message: &str| {
            if wrong {
                problems.push(ConfigProblem { key: key.into(), message: message.into() });
            }
        };
        check(self.stream.is_empty(), "stream", "is empty: expected at least one [[model.stream]]");
        check(!(0.0..1.0).contains(&self.dropout), "dropout", "must be at least 0 and less than 1");
        check(self.embedding_size == 0, "embedding_size", "must be at least 1");
        check(self.head.hidden_sizes.contains(&0), "head.hidden_sizes", "must be at least 1");
        check(
            matches!(self.fusion, FusionConfig::Attention { hidden_size: 0, .. }),
            "fusion.hidden_size",
            "must be at least 1",
        );
        for (index, stream) in self.stream.iter().enumerate() {
            if self.stream[..index].iter().any(|other| other.name == stream.name) {
                check(true, &format!("stream.{}", stream.name), "two streams have this name");
            }
        }
        for (stream, &input) in self.stream.iter().zip(inputs) {
            problems.extend(stream.encoder.problems(&format!("stream.{}.encoder", stream.name), input));
        }
        problems
    }
}

/// Scaled input of one stream for a batch of R x B samples.
#[derive(Clone, Debug)]
pub struct StreamInput {
    /// `[R, B, T, C]`; zeros past a sample's length and where the modality is missing.
    pub rows: Tensor<4>,
    /// Valid rows of each sample, `R * B` entries; absent when all have `T`.
    pub lengths: Option<Arc<[usize]>>,
    /// `[R, B, 1]`: 1 where the modality is there, else 0.
    pub present: Tensor<3>,
}

impl StreamInput {
    /// The same input for a forward pass whose parameters are on the tape.
    pub fn on_tape(self) -> Self {
        Self { rows: self.rows.autodiff(), lengths: self.lengths, present: self.present.autodiff() }
    }
}

/// What a forward pass gives.
#[derive(Clone, Debug)]
pub struct ModelOutput {
    /// `[R, B, K]`.
    pub logits: Tensor<3>,
    /// `[R, B, M]`: share of each stream in the fused vector.
    pub stream_weights: Tensor<3>,
}

#[derive(Clone, Debug)]
struct Stream {
    encoder: Encoder,
    embed: Linear,
    dropout: Dropout,
}

/// A built model: structure and parameter ids, no weights.
#[derive(Clone, Debug)]
pub struct Model {
    streams: Vec<Stream>,
    fusion: Fusion,
    head: Mlp,
    layout: Layout,
    num_classes: usize,
}

impl Model {
    /// Builds what [`ModelConfig::problems`] found nothing wrong with; one input shape per stream.
    pub fn new(config: &ModelConfig, inputs: &[InputShape], num_classes: usize) -> Self {
        let mut layout = LayoutBuilder::new();
        let embedding_size = config.embedding_size;
        let streams: Vec<Stream> = config
            .stream
            .iter()
            .zip(inputs)
            .map(|(stream, &input)| {
                layout.scope(&stream.name, |layout| {
                    let encoder = Encoder::new(layout, &stream.encoder, input);
                    let embed =
                        layout.scope("embed", |layout| Linear::new(layout, encoder.output_size(), embedding_size));
                    let dropout = Dropout::new(layout);
                    Stream { encoder, embed, dropout }
                })
            })
            .collect();
        let (fusion, fused_size) = layout.scope("fusion", |layout| {
            let fusion = Fusion::new(layout, &config.fusion, embedding_size);
            let size = fusion.output_size(streams.len(), embedding_size);
            (fusion, size)
        });
        let mut sizes = vec![fused_size];
        sizes.extend(&config.head.hidden_sizes);
        sizes.push(num_classes);
        let head = layout.scope("head", |layout| Mlp::new(layout, &sizes, Activation::Relu));
        Self { streams, fusion, head, layout: layout.finish(), num_classes }
    }

    /// Names and shapes of the parameters.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// K.
    pub fn num_classes(&self) -> usize {
        self.num_classes
    }

    /// One [`StreamInput`] per stream to `[R, B, K]` logits.
    pub fn forward(&self, inputs: &[StreamInput], context: &Context) -> ModelOutput {
        let dtype = context.params.dtype();
        let mut embeddings = Vec::with_capacity(self.streams.len());
        let mut present = Vec::with_capacity(self.streams.len());
        for (stream, input) in self.streams.iter().zip(inputs) {
            let mut input = input.clone();
            if let Some(dtype) = dtype {
                input.rows = input.rows.cast(dtype);
                input.present = input.present.cast(dtype);
            }
            let features = stream.encoder.forward(&input, context);
            let embedding = Activation::Relu.forward(stream.embed.forward(features, context));
            embeddings.push(stream.dropout.forward(embedding, context));
            present.push(input.present);
        }
        let (fused, stream_weights) = self.fusion.forward(&embeddings, &present, context);
        let logits = self.head.forward(fused, context);
        let full = burn::tensor::DType::F32;
        ModelOutput {
            logits: if dtype.is_some() { logits.cast(full) } else { logits },
            stream_weights: if dtype.is_some() { stream_weights.cast(full) } else { stream_weights },
        }
    }

    /// Log-power spectrograms of the streams that make one, with the index of the stream.
    pub fn spectrograms(&self, inputs: &[StreamInput]) -> Vec<(usize, Tensor<5>)> {
        let made = self.streams.iter().zip(inputs).enumerate();
        made.filter_map(|(index, (stream, input))| Some((index, stream.encoder.spectrogram(input)?))).collect()
    }
}
