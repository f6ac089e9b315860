//! Decoders: one vector per sample back to a stream's rows, for autoencoders.

use burn::tensor::{DType, Tensor, TensorData};
use recoup_kernels::Conv2dOptions;
use serde::{Deserialize, Serialize};

use super::cnn::{Convolution, Dims, Extent};
use super::input::InputShape;
use super::layers::{Activation, Linear, Mlp, Norm, NormConfig, Pooling};
use super::lstm::{Lstm, LstmConfig};
use super::{Context, LayoutBuilder, MAX_LAYERS, MAX_WIDTH};
use crate::base::Problems;

/// A stream's decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DecoderConfig {
    /// Linear layers to all values of the sample at once. Without hidden layers, and behind a linear encoder, the
    /// linear autoencoder, whose best latent space is that of the principal components (Baldi & Hornik 1989).
    Mlp {
        /// Widths of the hidden layers.
        #[serde(default)]
        hidden_sizes: Vec<usize>,
        /// Activation after each hidden layer; the last layer is linear.
        #[serde(default)]
        activation: Activation,
    },
    /// Upsampling and convolutions, over time or over an image.
    Cnn(CnnDecoderConfig),
    /// Recurrent network over time: the latent is its input at every step, from a zero state, and a linear layer reads
    /// its states (the unconditioned decoder of Srivastava et al. 2015, arXiv 1502.04681, which gets the latent as its
    /// first state instead; as an input it is not forgotten over long sequences).
    Lstm {
        /// Width of the state.
        hidden_size: usize,
        /// Stacked layers; dropout lies between them.
        #[serde(default = "one_layer")]
        layers: usize,
    },
}

/// A linear layer to a small grid of the first block's channels, an activation, blocks that make the grid larger, and a
/// last convolution, linear, with the last block's kernel. Sizes are planned backwards from the output: before a block
/// that enlarges `u` times the grid has `ceil(size / u)` positions, and what is too much after it is cut off at the
/// end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CnnDecoderConfig {
    /// From the latent to the rows.
    pub blocks: Vec<UpsamplingConfig>,
    /// Normalisation in every block.
    #[serde(default)]
    pub norm: NormConfig,
    /// Activation after the linear layer and in every block.
    #[serde(default)]
    pub activation: Activation,
}

/// Nearest-neighbour upsampling, then convolution, normalisation and activation: a transposed convolution of the same
/// size weighs positions unequally and shows it (Odena et al. 2016).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpsamplingConfig {
    /// Channels out.
    pub channels: usize,
    /// Taps of the kernel; zeros around the input keep its size.
    pub kernel_size: Extent,
    /// How often each position is repeated.
    #[serde(default = "twice")]
    pub upsample: Extent,
}

fn one_layer() -> usize {
    1
}

fn twice() -> Extent {
    Extent::One(2)
}

impl DecoderConfig {
    /// Every reason why this decoder cannot turn a latent of this size into such an input.
    pub fn problems(&self, latent_size: usize, input: InputShape) -> Problems {
        let mut problems = Problems::default();
        problems.require(latent_size > 0, "latent_size", || "must be at least 1");
        match (self, input) {
            (Self::Mlp { hidden_sizes, .. }, _) => {
                for &size in hidden_sizes {
                    problems.require_size(size, MAX_WIDTH, "hidden_sizes");
                }
            }
            (Self::Cnn(_), InputShape::Row { .. }) => problems.add(
                "kind",
                "this decoder makes signals, series and images, but the modality is a row",
            ),
            (Self::Cnn(cnn), _) => problems.extend(cnn.problems()),
            (Self::Lstm { hidden_size, layers }, InputShape::Sequence { .. }) => {
                problems.require_size(*hidden_size, MAX_WIDTH, "hidden_size");
                problems.require_size(*layers, MAX_LAYERS, "layers");
            }
            (Self::Lstm { .. }, _) => problems.add(
                "kind",
                "this decoder makes signals and series, but the modality is neither",
            ),
        }
        problems
    }

    /// Values that the layers put out for one sample, the rebuilt input included.
    pub fn activations(&self, input: InputShape) -> f64 {
        let hidden = match self {
            Self::Mlp { hidden_sizes, .. } => hidden_sizes.iter().map(|&size| size as f64).sum(),
            Self::Cnn(cnn) => cnn.activations(input),
            Self::Lstm { hidden_size, layers } => {
                6.0 * *hidden_size as f64 * *layers as f64 * input.num_positions() as f64
            }
        };
        hidden + 2.0 * input.num_values()
    }
}

impl CnnDecoderConfig {
    /// Enlarged grid and output of every block; the last has the size of the sample.
    fn activations(&self, input: InputShape) -> f64 {
        let mut positions = input.num_positions() as f64;
        let mut values = 0.0;
        for (index, block) in self.blocks.iter().enumerate().rev() {
            let before = self.blocks[index.saturating_sub(1)].channels;
            values += positions * (before + block.channels) as f64;
            positions = (positions / block.upsample.product().max(1) as f64).ceil();
        }
        values
    }

    fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        problems.require(
            !self.blocks.is_empty(),
            "blocks",
            || "is empty: expected at least one block",
        );
        for (index, block) in self.blocks.iter().enumerate() {
            let sizes = [block.channels, block.kernel_size.product(), block.upsample.product()];
            problems.require(
                !sizes.contains(&0),
                &format!("blocks[{index}]"),
                || "channels, kernel_size and upsample must be at least 1",
            );
            let largest = [block.channels, block.kernel_size.largest(), block.upsample.largest()];
            problems.require(
                largest.iter().all(|&size| size <= MAX_WIDTH),
                &format!("blocks[{index}]"),
                || format!("channels, kernel_size and upsample must be at most {MAX_WIDTH}"),
            );
            problems.extend_below(format_args!("blocks[{index}]"), self.norm.problems(block.channels));
        }
        problems
    }
}

/// A built decoder.
#[derive(Clone, Debug)]
pub struct Decoder {
    input: InputShape,
    /// T and C of the rows that are made; an image is one row.
    rows: [usize; 2],
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Mlp(Mlp),
    Cnn(CnnDecoder),
    Lstm(Lstm, Linear),
}

impl Decoder {
    /// Builds what [`DecoderConfig::problems`] found nothing wrong with.
    pub fn new(layout: &mut LayoutBuilder, config: &DecoderConfig, latent_size: usize, input: InputShape) -> Self {
        let rows = match input {
            InputShape::Row { features } => [1, features],
            InputShape::Sequence { channels, length, .. } => [length, channels],
            InputShape::Image {
                channels,
                height,
                width,
                ..
            } => [1, channels * height * width],
        };
        let kind = match config {
            DecoderConfig::Mlp {
                hidden_sizes,
                activation,
            } => {
                let sizes: Vec<usize> = [latent_size]
                    .into_iter()
                    .chain(hidden_sizes.iter().copied())
                    .chain([rows[0] * rows[1]])
                    .collect();
                Kind::Mlp(Mlp::new(layout, &sizes, *activation))
            }
            DecoderConfig::Cnn(config) => {
                let (dims, channels, size) = match input {
                    InputShape::Image {
                        channels,
                        height,
                        width,
                        ..
                    } => (Dims::Two, channels, [height, width]),
                    _ => (Dims::One, rows[1], [1, rows[0]]),
                };
                Kind::Cnn(CnnDecoder::new(layout, config, latent_size, dims, channels, size))
            }
            &DecoderConfig::Lstm { hidden_size, layers } => {
                let config = LstmConfig {
                    layers,
                    hidden_size,
                    bidirectional: false,
                    pooling: Pooling::Last,
                };
                let lstm = layout.scope("lstm", |layout| Lstm::new(layout, &config, latent_size));
                let output = layout.scope("output", |layout| Linear::new(layout, hidden_size, rows[1]));
                Kind::Lstm(lstm, output)
            }
        };
        Self { input, rows, kind }
    }

    /// `[R, B, latent_size]` to rows `[R, B, T, C]`, scaled as the encoder's input is. `lengths` (`R * B` entries) are
    /// the valid rows of each sample, all of them when absent; what lies past them has no meaning.
    ///
    /// Where samples have several images, which the encoder averages over, the latent tells none from another: one
    /// image is made, and every row is that one.
    pub fn forward(&self, latent: Tensor<3>, lengths: Option<&[usize]>, context: &Context) -> Tensor<4> {
        let [num_replicas, batch, latent_size] = latent.dims();
        let [steps, columns] = self.rows;
        let shape = [num_replicas, batch, steps, columns];
        let rows = match &self.kind {
            Kind::Mlp(mlp) => mlp.forward(latent, context).reshape(shape),
            Kind::Cnn(cnn) => {
                let planes = cnn.forward(latent, context);
                match self.input {
                    InputShape::Image { .. } => planes.reshape(shape),
                    _ => planes.reshape([num_replicas, batch, columns, steps]).swap_dims(2, 3),
                }
            }
            Kind::Lstm(lstm, output) => {
                let repeated = latent
                    .unsqueeze_dim::<4>(2)
                    .expand([num_replicas, batch, steps, latent_size]);
                let (states, _) = lstm.forward(repeated, lengths, context);
                let [_, _, _, hidden_size] = states.dims();
                let states = states.reshape([num_replicas, batch * steps, hidden_size]);
                output.forward(states, context).reshape(shape)
            }
        };
        match self.input {
            InputShape::Image { count, .. } => rows.expand([num_replicas, batch, count, columns]),
            _ => rows,
        }
    }
}

#[derive(Clone, Debug)]
struct CnnDecoder {
    /// From the latent to the first grid.
    grid: Linear,
    grid_shape: [usize; 3],
    blocks: Vec<UpsamplingBlock>,
    last: Convolution,
    activation: Activation,
}

#[derive(Clone, Debug)]
struct UpsamplingBlock {
    upsample: [usize; 2],
    /// `[height, width]` after it.
    size: [usize; 2],
    conv: Convolution,
    norm: Norm,
}

impl CnnDecoder {
    fn new(
        layout: &mut LayoutBuilder,
        config: &CnnDecoderConfig,
        latent_size: usize,
        dims: Dims,
        channels: usize,
        size: [usize; 2],
    ) -> Self {
        // The size before each block, and after the last.
        let mut sizes = vec![size];
        for block in config.blocks.iter().rev() {
            let [height, width] = sizes[sizes.len() - 1];
            let [down, across] = block.upsample.over(dims);
            sizes.push([height.div_ceil(down), width.div_ceil(across)]);
        }
        sizes.reverse();
        let first = config.blocks.first().map_or(channels, |block| block.channels);
        let grid_shape = [first, sizes[0][0], sizes[0][1]];
        let grid = layout.scope("grid", |layout| {
            Linear::new(layout, latent_size, grid_shape.iter().product())
        });

        let mut input = first;
        let mut blocks = Vec::with_capacity(config.blocks.len());
        for (index, (block, &size)) in config.blocks.iter().zip(&sizes[1..]).enumerate() {
            blocks.push(layout.scope(&format!("block{index}"), |layout| UpsamplingBlock {
                upsample: block.upsample.over(dims),
                size,
                conv: convolution(layout, "conv", [input, block.channels], block.kernel_size.over(dims)),
                norm: Norm::new(layout, config.norm, block.channels),
            }));
            input = block.channels;
        }
        let kernel = config
            .blocks
            .last()
            .map_or([1, 1], |block| block.kernel_size.over(dims));
        let last = convolution(layout, "last", [input, channels], kernel);
        Self {
            grid,
            grid_shape,
            blocks,
            last,
            activation: config.activation,
        }
    }

    /// `[R, B, latent_size] -> [R, B, C, H, W]`.
    fn forward(&self, latent: Tensor<3>, context: &Context) -> Tensor<5> {
        let [num_replicas, batch, _] = latent.dims();
        let [channels, height, width] = self.grid_shape;
        let grid = self.activation.forward(self.grid.forward(latent, context));
        let mut x = grid.reshape([num_replicas, batch, channels, height, width]);
        for UpsamplingBlock {
            upsample,
            size: [height, width],
            conv,
            norm,
        } in &self.blocks
        {
            let enlarged = repeat(repeat(x, 3, upsample[0]), 4, upsample[1]);
            let y = conv.forward(enlarged.narrow(3, 0, *height).narrow(4, 0, *width), context);
            let shape @ [_, _, channels, _, _] = y.dims();
            let y = norm.forward(y.reshape([num_replicas, batch, channels, height * width]), context);
            x = self.activation.forward(y.reshape(shape));
        }
        self.last.forward(x, context)
    }
}

/// A convolution that keeps the size of its input.
fn convolution(layout: &mut LayoutBuilder, name: &str, channels: [usize; 2], kernel: [usize; 2]) -> Convolution {
    let padding = kernel.map(|taps| ((taps - 1) / 2, taps / 2));
    let options = Conv2dOptions {
        padding,
        ..Conv2dOptions::default()
    };
    layout.scope(name, |layout| Convolution::new(layout, channels, kernel, options))
}

/// Every position of an axis of `[R, B, C, H, W]`, the fourth or fifth, `times` times in a row.
fn repeat(x: Tensor<5>, axis: usize, times: usize) -> Tensor<5> {
    if times == 1 {
        return x;
    }
    let mut shape = x.dims();
    let mut spread = [1; 6];
    spread[..=axis].copy_from_slice(&shape[..=axis]);
    spread[axis + 1] = times;
    spread[axis + 2..].copy_from_slice(&shape[axis + 1..]);
    shape[axis] *= times;
    x.unsqueeze_dim::<6>(axis + 1).expand(spread).reshape(shape)
}

/// Mean squared difference of each sample over its valid values, `[R, B, 1]` in f32; 0 for a sample without any.
///
/// `rows` and `decoded` are `[R, B, T, C]`, `lengths` (`R * B` entries) the valid rows of each sample, all of them when
/// absent, `present` `[R, B, 1]` is 1 where the modality is there and else 0. Values that were missing in the data have
/// been replaced by 0, the mean of the training subjects, and count as zeros: the decoder learns to give the mean
/// there.
pub fn reconstruction_error(
    rows: Tensor<4>,
    decoded: Tensor<4>,
    lengths: Option<&[usize]>,
    present: Tensor<3>,
) -> Tensor<3> {
    let [num_replicas, batch, steps, columns] = rows.dims();
    let weights: Vec<f32> = (0..num_replicas * batch)
        .flat_map(|sample| {
            let length = lengths.map_or(steps, |lengths| lengths[sample]);
            let weight = 1.0 / (length * columns).max(1) as f32;
            (0..steps).map(move |step| if step < length { weight } else { 0.0 })
        })
        .collect();
    let weights = TensorData::new(weights, [num_replicas, batch, steps]);
    let weights = Tensor::<3>::from_data(weights, &decoded.device()) * present.cast(DType::F32);
    let squares = (decoded.cast(DType::F32) - rows.cast(DType::F32)).square();
    let per_step = squares.sum_dim(3).reshape([num_replicas, batch, steps]);
    (per_step * weights).sum_dim(2)
}
