//! Encoders: one stream's input to one vector per sample.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::cnn::{Cnn, CnnConfig, Dims};
use super::layers::{Activation, Mlp, NormConfig, Pooling};
use super::lstm::{Lstm, LstmConfig};
use super::spectrogram::Spectrogram;
pub use super::spectrogram::SpectrogramConfig;
use super::{Context, LayoutBuilder, MAX_WIDTH, StreamInput};
use crate::base::Problems;

/// What a stream looks like to an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum InputShape {
    /// A table row per sample.
    Row {
        /// Columns.
        features: usize,
    },
    /// Rows along time; `fixed` when every sample has all of them.
    Sequence {
        /// Values per row.
        channels: usize,
        /// Rows of the longest sample.
        length: usize,
        /// Whether every sample has `length` rows.
        fixed: bool,
    },
    /// Images of one size; most samples have one. Each is encoded alone, and a sample is the mean of its images.
    Image {
        /// Channels.
        channels: usize,
        /// Rows of pixels.
        height: usize,
        /// Columns of pixels.
        width: usize,
        /// Images of the sample that has most.
        count: usize,
    },
}

/// A stream's encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum EncoderConfig {
    /// Linear layers over a row (or a flattened sequence or image).
    Mlp {
        /// Widths of the hidden layers; the last is the output. Empty: the row itself.
        hidden_sizes: Vec<usize>,
        /// Activation after each layer but the last.
        #[serde(default)]
        activation: Activation,
    },
    /// Convolutions over time, or over an image.
    Cnn(CnnConfig),
    /// Recurrent network over time.
    Lstm(LstmConfig),
    /// Convolutions over time, then a recurrent network over what they give.
    CnnLstm {
        /// The convolutions; their pooling is not used.
        cnn: CnnConfig,
        /// The recurrent network.
        lstm: LstmConfig,
    },
    /// Log-power spectrogram, then convolutions over time and frequency.
    Spectrogram(SpectrogramConfig),
}

impl EncoderConfig {
    /// Every reason why this encoder cannot take this input.
    pub fn problems(&self, input: InputShape) -> Problems {
        let mut problems = Problems::default();
        let expected = match (self, input) {
            (Self::Mlp { .. }, InputShape::Sequence { fixed: false, .. }) => Some("rows of one length"),
            (Self::Mlp { hidden_sizes, .. }, _) => {
                problems.require(
                    !hidden_sizes.contains(&0),
                    "hidden_sizes",
                    || "a layer of width 0 carries nothing: use at least 1",
                );
                for &size in hidden_sizes {
                    problems.require_size(size.max(1), MAX_WIDTH, "hidden_sizes");
                }
                None
            }
            (Self::Cnn(cnn), InputShape::Sequence { length, .. }) => {
                problems.extend(cnn.problems(Dims::One, [1, length]));
                None
            }
            (
                Self::Cnn(cnn),
                InputShape::Image {
                    height, width, count, ..
                },
            ) => {
                problems.extend(cnn.problems(Dims::Two, [height, width]));
                problems.require(
                    count <= 1 || cnn.norm != NormConfig::Batch,
                    "norm",
                    || "batch statistics of several images per sample are not defined here: use group",
                );
                None
            }
            (Self::Lstm(lstm), InputShape::Sequence { .. }) => {
                problems.extend(lstm.problems());
                None
            }
            (Self::CnnLstm { cnn, lstm }, InputShape::Sequence { length, .. }) => {
                problems.extend_below("cnn", cnn.problems(Dims::One, [1, length]));
                problems.extend_below("lstm", lstm.problems());
                None
            }
            (
                Self::Spectrogram(config),
                InputShape::Sequence {
                    length, fixed: true, ..
                },
            ) => {
                problems.extend(config.problems(length));
                None
            }
            (Self::Cnn(_), _) => Some("a signal, a series or an image"),
            (Self::Lstm(_) | Self::CnnLstm { .. }, _) => Some("a signal or a series"),
            (Self::Spectrogram(_), _) => Some("a signal at a constant rate"),
        };
        if let Some(expected) = expected {
            let found = describe(input);
            problems.add(
                "kind",
                format!("this encoder needs {expected}, but the modality is {found}"),
            );
        }
        problems
    }

    /// Values that the layers put out for one sample.
    pub fn activations(&self, input: InputShape) -> f64 {
        let (dims, size, count) = match input {
            InputShape::Image {
                height, width, count, ..
            } => (Dims::Two, [height, width], count),
            _ => (Dims::One, [1, input.num_positions()], 1),
        };
        let encoded = match self {
            Self::Mlp { hidden_sizes, .. } => hidden_sizes.iter().map(|&size| size as f64).sum(),
            Self::Cnn(cnn) => cnn.activations(dims, size).0,
            Self::Lstm(lstm) => lstm.activations(size[1]),
            Self::CnnLstm { cnn, lstm } => {
                let (values, [_, steps]) = cnn.activations(dims, size);
                values + lstm.activations(steps)
            }
            Self::Spectrogram(config) => config.activations(input.num_channels(), size[1]),
        };
        encoded * count as f64
    }
}

impl InputShape {
    /// Channels of one sample.
    pub fn num_channels(self) -> usize {
        match self {
            Self::Row { features } => features,
            Self::Sequence { channels, .. } | Self::Image { channels, .. } => channels,
        }
    }

    /// Positions of one sample: rows along time, or pixels of all images.
    pub fn num_positions(self) -> usize {
        match self {
            Self::Row { .. } => 1,
            Self::Sequence { length, .. } => length,
            Self::Image {
                height, width, count, ..
            } => height * width * count,
        }
    }

    /// Values of one sample.
    pub fn num_values(self) -> f64 {
        self.num_channels() as f64 * self.num_positions() as f64
    }
}

fn describe(input: InputShape) -> String {
    match input {
        InputShape::Row { features } => format!("a row of {features} values"),
        InputShape::Sequence {
            channels,
            length,
            fixed,
        } => {
            let most = if fixed { "" } else { "at most " };
            format!("a sequence of {most}{length} rows of {channels} values")
        }
        InputShape::Image {
            channels,
            height,
            width,
            count,
        } => {
            let most = if count > 1 {
                format!("at most {count} images")
            } else {
                "an image".into()
            };
            format!("{most} of {channels} x {height} x {width}")
        }
    }
}

/// A built encoder.
#[derive(Clone, Debug)]
pub struct Encoder {
    input: InputShape,
    kind: Kind,
    output_size: usize,
}

#[derive(Clone, Debug)]
enum Kind {
    Mlp(Mlp, Activation),
    Cnn(Cnn),
    Lstm(Lstm),
    CnnLstm(Cnn, Lstm),
    Spectrogram(Spectrogram),
}

impl Encoder {
    /// Builds what [`EncoderConfig::problems`] found nothing wrong with.
    pub fn new(layout: &mut LayoutBuilder, config: &EncoderConfig, input: InputShape) -> Self {
        let (channels, dims) = match input {
            InputShape::Row { features } => (features, Dims::One),
            InputShape::Sequence { channels, .. } => (channels, Dims::One),
            InputShape::Image { channels, .. } => (channels, Dims::Two),
        };
        let (kind, output_size) = match config {
            EncoderConfig::Mlp {
                hidden_sizes,
                activation,
            } => {
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
                let sizes: Vec<usize> = std::iter::once(flat).chain(hidden_sizes.iter().copied()).collect();
                let output_size = *sizes.last().unwrap_or(&flat);
                (
                    Kind::Mlp(Mlp::new(layout, &sizes, *activation), *activation),
                    output_size,
                )
            }
            EncoderConfig::Cnn(config) => {
                let cnn = Cnn::new(layout, config, dims, channels);
                let output_size = cnn.output_size(channels);
                (Kind::Cnn(cnn), output_size)
            }
            EncoderConfig::Lstm(config) => {
                let lstm = Lstm::new(layout, config, channels);
                let output_size = lstm.output_size();
                (Kind::Lstm(lstm), output_size)
            }
            EncoderConfig::CnnLstm { cnn, lstm } => {
                let features = cnn.output_channels(channels);
                let cnn = layout.scope("cnn", |layout| Cnn::new(layout, cnn, dims, channels));
                let lstm = layout.scope("lstm", |layout| Lstm::new(layout, lstm, features));
                let output_size = lstm.output_size();
                (Kind::CnnLstm(cnn, lstm), output_size)
            }
            EncoderConfig::Spectrogram(config) => {
                let spectrogram = Spectrogram::new(layout, config, channels);
                let output_size = spectrogram.output_size(channels);
                (Kind::Spectrogram(spectrogram), output_size)
            }
        };
        Self {
            input,
            kind,
            output_size,
        }
    }

    /// Features that [`forward`](Self::forward) gives.
    pub fn output_size(&self) -> usize {
        self.output_size
    }

    /// Scaled rows `[R, B, T, C]` (`T` = 1 for a row; an image is one row of `C * H * W`) to `[R, B, output_size]`.
    pub fn forward(&self, input: &StreamInput, context: &Context) -> Tensor<3> {
        let [num_replicas, batch, steps, channels] = input.rows.dims();
        if !matches!(self.input, InputShape::Image { .. }) || steps == 1 {
            return self.encode(input.rows.clone(), input.lengths.as_deref(), context);
        }
        let images = input.rows.clone().reshape([num_replicas, batch * steps, 1, channels]);
        let features = self.encode(images, None, context);
        let features = features
            .reshape([num_replicas, batch, steps, self.output_size])
            .swap_dims(2, 3);
        Pooling::Mean.forward(features, input.lengths.as_deref())
    }

    fn encode(&self, rows: Tensor<4>, lengths: Option<&[usize]>, context: &Context) -> Tensor<3> {
        let [num_replicas, batch, steps, channels] = rows.dims();
        match &self.kind {
            Kind::Mlp(mlp, activation) => {
                let flat = rows.reshape([num_replicas, batch, steps * channels]);
                activation.forward(mlp.forward(flat, context))
            }
            Kind::Cnn(cnn) => match self.input {
                InputShape::Image {
                    channels,
                    height,
                    width,
                    ..
                } => cnn.encode(
                    rows.reshape([num_replicas, batch, channels, height, width]),
                    None,
                    context,
                ),
                _ => cnn.encode(planes(rows), lengths, context),
            },
            Kind::Lstm(lstm) => lstm.encode(rows, lengths, context),
            Kind::CnnLstm(cnn, lstm) => {
                let features = cnn.forward(planes(rows), context);
                let [_, _, channels, _, positions] = features.dims();
                let sequence = features
                    .reshape([num_replicas, batch, channels, positions])
                    .swap_dims(2, 3);
                let lengths = lengths.map(|lengths| cnn.output_lengths(lengths));
                lstm.encode(sequence, lengths.as_deref(), context)
            }
            Kind::Spectrogram(spectrogram) => spectrogram.encode(rows.swap_dims(2, 3), context),
        }
    }

    /// Whether [`spectrogram`](Self::spectrogram) gives one.
    pub fn makes_spectrogram(&self) -> bool {
        matches!(self.kind, Kind::Spectrogram(_))
    }

    /// Log-power spectrogram `[R, B, C, bins, frames]` of the input, where the encoder makes one.
    pub fn spectrogram(&self, input: &StreamInput) -> Option<Tensor<5>> {
        match &self.kind {
            Kind::Spectrogram(spectrogram) => Some(spectrogram.transform(input.rows.clone().swap_dims(2, 3))),
            _ => None,
        }
    }
}

/// Rows `[R, B, T, C]` as planes `[R, B, C, 1, T]`.
fn planes(rows: Tensor<4>) -> Tensor<5> {
    let [num_replicas, batch, steps, channels] = rows.dims();
    rows.swap_dims(2, 3).reshape([num_replicas, batch, channels, 1, steps])
}
