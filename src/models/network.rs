//! The whole model: streams, fusion, head.

use burn::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};

use super::augment::{AugmentConfig, Augmentation};
use super::decoder::{Decoder, DecoderConfig, reconstruction_error};
use super::encoder::{Encoder, EncoderConfig};
use super::fusion::{Combine, Fusion, FusionConfig};
use super::input::{InputShape, StreamInput};
use super::layers::{Activation, Dropout, Linear, Mlp};
use super::modality_dropout::ModalityDropout;
use super::{Context, Draw, Layout, LayoutBuilder, MAX_WIDTH};
use crate::base::Problems;

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
    /// Scaling of its values.
    #[serde(default)]
    pub scaling: Scaling,
    /// The encoder.
    pub encoder: EncoderConfig,
    /// Makes the stream an autoencoder: what rebuilds its input from its embedding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder: Option<DecoderConfig>,
    /// Random changes of its training samples, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub augment: Vec<AugmentConfig>,
}

impl StreamConfig {
    /// Every reason why this stream cannot be built for `input`.
    fn problems(&self, embedding_size: usize, input: InputShape) -> Problems {
        let mut problems = Problems::default();
        problems.extend_below("encoder", self.encoder.problems(input));
        if let Some(decoder) = &self.decoder {
            problems.extend_below("decoder", decoder.problems(embedding_size, input));
        }
        problems.extend(Augmentation::problems(&self.augment, input));
        problems
    }
}

/// Scaling of the values of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// Mean and standard deviation of each channel over the training subjects.
    #[default]
    Train,
    /// After that, mean and standard deviation of each channel within the window, over the samples that are there; its
    /// shape stays, its level and amplitude go, and a missing sample becomes 0. For sensors whose gain differs between
    /// recordings.
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
    /// Rate at which each modality of a training sample is dropped, though never all that it has.
    #[serde(default)]
    pub modality_dropout: f32,
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
    FusionConfig::Attention {
        hidden_size: 32,
        combine: Combine::Sum,
    }
}

impl ModelConfig {
    /// Every reason why this model cannot be built for these inputs, one shape per stream.
    pub fn problems(&self, inputs: &[InputShape]) -> Problems {
        let mut problems = Problems::default();
        problems.require(
            !self.stream.is_empty(),
            "stream",
            || "is empty: expected at least one [[model.stream]]",
        );
        for (key, rate) in [("dropout", self.dropout), ("modality_dropout", self.modality_dropout)] {
            problems.require((0.0..1.0).contains(&rate), key, || "must be at least 0 and less than 1");
        }
        problems.require_size(self.embedding_size, MAX_WIDTH, "embedding_size");
        for &size in &self.head.hidden_sizes {
            problems.require_size(size, MAX_WIDTH, "head.hidden_sizes");
        }
        for (index, stream) in self.stream.iter().enumerate() {
            let is_taken = self.stream[..index].iter().any(|other| other.name == stream.name);
            problems.require(
                !is_taken,
                &format!("stream.{}", stream.name),
                || "two streams have this name",
            );
        }
        problems.extend_below("fusion", self.fusion.problems(self.embedding_size));
        for (stream, &input) in self.stream.iter().zip(inputs) {
            problems.extend_below(
                format_args!("stream.{}", stream.name),
                stream.problems(self.embedding_size, input),
            );
        }
        problems
    }
}

impl ModelConfig {
    /// Values that all layers put out for one sample, inputs included. A float: products of sizes may exceed integers.
    pub fn activations(&self, inputs: &[InputShape]) -> f64 {
        let stream = |(stream, &input): (&StreamConfig, &InputShape)| {
            let decoded = (stream.decoder.as_ref()).map_or(0.0, |decoder| decoder.activations(input));
            input.num_values() + stream.encoder.activations(input) + self.embedding_size as f64 + decoded
        };
        let streams: f64 = self.stream.iter().zip(inputs).map(stream).sum();
        let head: f64 = self.head.hidden_sizes.iter().map(|&size| size as f64).sum();
        streams + self.fusion.activations(self.stream.len(), self.embedding_size) + head
    }
}

/// Results of a forward pass.
#[derive(Clone, Debug)]
pub struct ModelOutput {
    /// `[R, B, K]`.
    pub logits: Tensor<3>,
    /// `[R, B, M]`: share of each stream in the fused vector.
    pub stream_weights: Tensor<3>,
    /// `[R, B, 1]`: squared error per value of the decoded streams, averaged over those that are there; absent when no
    /// stream has a decoder.
    pub reconstruction: Option<Tensor<3>>,
}

#[derive(Clone, Debug)]
struct Stream {
    augmentation: Augmentation,
    encoder: Encoder,
    embed: Linear,
    dropout: Dropout,
    decoder: Option<Decoder>,
}

/// A built model: structure and parameter ids, no weights.
#[derive(Clone, Debug)]
pub struct Model {
    streams: Vec<Stream>,
    modality_dropout: (ModalityDropout, f32),
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
                    let embed = layout.scope("embed", |layout| {
                        Linear::new(layout, encoder.output_size(), embedding_size)
                    });
                    let dropout = Dropout::new(layout);
                    let decoder = stream.decoder.as_ref().map(|decoder| {
                        layout.scope("decoder", |layout| Decoder::new(layout, decoder, embedding_size, input))
                    });
                    let augmentation = Augmentation::new(layout, &stream.augment, input);
                    Stream {
                        augmentation,
                        encoder,
                        embed,
                        dropout,
                        decoder,
                    }
                })
            })
            .collect();
        let names: Vec<&str> = config.stream.iter().map(|stream| stream.name.as_str()).collect();
        let modalities: Vec<usize> = config
            .stream
            .iter()
            .map(|stream| {
                config
                    .stream
                    .iter()
                    .position(|other| other.modality == stream.modality)
                    .unwrap_or(0)
            })
            .collect();
        let modality_dropout = (ModalityDropout::new(&layout, &modalities), config.modality_dropout);
        let (fusion, fused_size) = layout.scope("fusion", |layout| {
            let fusion = Fusion::new(layout, &config.fusion, &names, embedding_size);
            let size = fusion.output_size(streams.len(), embedding_size);
            (fusion, size)
        });
        let mut sizes = vec![fused_size];
        sizes.extend(&config.head.hidden_sizes);
        sizes.push(num_classes);
        let head = layout.scope("head", |layout| Mlp::new(layout, &sizes, Activation::Relu));
        Self {
            streams,
            modality_dropout,
            fusion,
            head,
            layout: layout.finish(),
            num_classes,
        }
    }

    /// Names and shapes of the parameters.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// K.
    pub fn num_classes(&self) -> usize {
        self.num_classes
    }

    /// Inputs with the random changes that each stream's `augment` asks for; for training only, off the tape.
    pub fn augment(&self, inputs: Vec<StreamInput>, draws: &[Draw]) -> Vec<StreamInput> {
        self.streams
            .iter()
            .zip(inputs)
            .map(|(stream, input)| stream.augmentation.apply(input, draws))
            .collect()
    }

    /// One [`StreamInput`] per stream to `[R, B, K]` logits.
    pub fn forward(&self, inputs: &[StreamInput], context: &Context) -> ModelOutput {
        self.forward_to(inputs, inputs, context)
    }

    /// [`forward`](Self::forward) whose decoders are compared with `wanted` instead of `inputs`: an autoencoder that sees
    /// augmented samples and is held against the samples themselves is a denoising one (Vincent et al. 2008).
    pub fn forward_to(&self, inputs: &[StreamInput], wanted: &[StreamInput], context: &Context) -> ModelOutput {
        let dtype = context.params.dtype();
        let as_used = |tensor: Tensor<4>| dtype.map_or(tensor.clone(), |dtype| tensor.cast(dtype));
        let mut embeddings = Vec::with_capacity(self.streams.len());
        let mut present = Vec::with_capacity(self.streams.len());
        let mut errors = Vec::new();
        for ((stream, input), wanted) in self.streams.iter().zip(inputs).zip(wanted) {
            let mut input = input.clone();
            input.rows = as_used(input.rows);
            if let Some(dtype) = dtype {
                input.present = input.present.cast(dtype);
            }
            let features = stream.encoder.forward(&input, context);
            let embedding = stream.embed.forward(features, context);
            if let Some(decoder) = &stream.decoder {
                let lengths = input.lengths.as_deref();
                let decoded = decoder.forward(embedding.clone(), lengths, context);
                let error = reconstruction_error(as_used(wanted.rows.clone()), decoded, lengths, input.present.clone());
                errors.push((error, input.present.clone().cast(DType::F32)));
            }
            embeddings.push(stream.dropout.forward(Activation::Relu.forward(embedding), context));
            present.push(input.present);
        }
        let (modality_dropout, rate) = &self.modality_dropout;
        let present = modality_dropout.forward(present, *rate, context);
        let (fused, stream_weights) = self.fusion.forward(&embeddings, &present, context);
        let logits = self.head.forward(fused, context);
        let full = |tensor: Tensor<3>| {
            if dtype.is_some() {
                tensor.cast(DType::F32)
            } else {
                tensor
            }
        };
        ModelOutput {
            logits: full(logits),
            stream_weights: full(stream_weights),
            reconstruction: mean_error(errors),
        }
    }

    /// Index of the first stream that makes a spectrogram.
    pub fn first_spectrogram(&self) -> Option<usize> {
        self.streams
            .iter()
            .position(|stream| stream.encoder.makes_spectrogram())
    }

    /// Log-power spectrogram `[R, B, C, bins, frames]` of a stream's input, where the stream makes one.
    pub fn spectrogram(&self, stream: usize, input: &StreamInput) -> Option<Tensor<5>> {
        self.streams.get(stream)?.encoder.spectrogram(input)
    }
}

/// Mean of the errors of a sample's streams that are there, from (error, presence) pairs.
fn mean_error(errors: Vec<(Tensor<3>, Tensor<3>)>) -> Option<Tensor<3>> {
    let (sum, count) = errors
        .into_iter()
        .reduce(|(sum, count), (error, present)| (sum + error, count + present))?;
    Some(sum / count.clamp_min(1.0))
}
