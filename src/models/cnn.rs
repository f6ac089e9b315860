//! Convolutional networks over signals (`H = 1`) and images.

use std::sync::Arc;

use burn::tensor::Tensor;
use recoup_kernels::{Conv2dOptions, conv2d, conv2d_activated};
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::encode::{Encode, EncoderSettings, planes, wrong_input};
use super::input::InputShape;
use super::layers::{Activation, Norm, NormConfig, Pooling};
use super::limits::MAX_WIDTH;
use super::params::{Init, LayoutBuilder, ParamId};
use crate::base::Problems;

/// A size along time, or along both axes of an image when given as one number; `[height, width]` otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Extent {
    /// Time, or both axes.
    One(usize),
    /// Height and width.
    Two([usize; 2]),
}

impl Extent {
    /// Height times width, with 1 for an axis that is not named.
    pub fn product(self) -> usize {
        match self {
            Self::One(size) => size,
            Self::Two([height, width]) => height.saturating_mul(width),
        }
    }

    /// The larger of height and width.
    pub(super) fn largest(self) -> usize {
        match self {
            Self::One(size) => size,
            Self::Two([height, width]) => height.max(width),
        }
    }

    /// `[height, width]`.
    pub(super) fn over(self, dims: Dims) -> [usize; 2] {
        match (self, dims) {
            (Self::One(size), Dims::One) => [1, size],
            (Self::One(size), Dims::Two) => [size, size],
            (Self::Two(sizes), _) => sizes,
        }
    }
}

/// Axes a network convolves over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dims {
    /// Time: `[R, B, C, 1, T]`.
    One,
    /// Height and width.
    Two,
}

/// Zeros put around the input of a convolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// `ceil(length / stride)` positions out.
    #[default]
    Same,
    /// None.
    Valid,
    /// All before the first position: no output sees its future.
    Causal,
}

/// Down-sampling at the end of a block, over windows that do not overlap; a remainder is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum BlockPooling {
    /// Maximum of each window.
    Max {
        /// Width of the window, which is its stride.
        size: usize,
    },
    /// Mean of each window.
    Mean {
        /// Width of the window, which is its stride.
        size: usize,
    },
}

impl BlockPooling {
    fn size(self) -> usize {
        match self {
            Self::Max { size } | Self::Mean { size } => size,
        }
    }
}

/// Convolution, normalisation, activation, optional shortcut and pooling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockConfig {
    /// Channels out.
    pub channels: usize,
    /// Taps of the kernel.
    pub kernel_size: Extent,
    /// Distance between outputs.
    #[serde(default = "one")]
    pub stride: Extent,
    /// Distance between taps.
    #[serde(default = "one")]
    pub dilation: Extent,
    /// Adds the block's input before the activation, through a 1x1 convolution where the shapes differ.
    #[serde(default)]
    pub residual: bool,
    /// Down-sampling after the activation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<BlockPooling>,
}

fn one() -> Extent {
    Extent::One(1)
}

/// A stack of convolution blocks over time or over an image.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `blocks` | | [`BlockConfig`], from input to output |
/// | `norm` | `group`, 4 groups | normalisation in every block, [`NormConfig`] |
/// | `activation` | `relu` | activation in every block |
/// | `padding` | `same` | zeros around the input of every convolution, [`Padding`] |
/// | `pooling` | `mean` | how positions become one vector, [`Pooling`]; not used where an LSTM follows |
///
/// - **Shapes**: `[R, B, T, C]`, or images `[R, B, 1, C H W]`, to `[R, B, F]` with F the channels of the last block, twice
///   as many with `stats`. Samples may be shorter than T.
/// - **Paper**: over time, Wang, Yan & Oates 2017, "Time series classification from scratch with deep neural networks",
///   <https://arxiv.org/abs/1611.06455>; shortcuts, He et al. 2016, <https://arxiv.org/abs/1512.03385>.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CnnConfig {
    /// From input to output.
    pub blocks: Vec<BlockConfig>,
    /// Normalisation in every block.
    #[serde(default)]
    pub norm: NormConfig,
    /// Activation in every block.
    #[serde(default)]
    pub activation: Activation,
    /// Padding in every block.
    #[serde(default)]
    pub padding: Padding,
    /// How positions become one vector; not used where an LSTM follows.
    #[serde(default)]
    pub pooling: Pooling,
}

impl CnnConfig {
    /// Channels after the last block.
    pub fn output_channels(&self, input_channels: usize) -> usize {
        self.blocks.last().map_or(input_channels, |block| block.channels)
    }

    /// Every reason why this network cannot run on an input of `size` `[height, width]`.
    pub(super) fn block_problems(&self, dims: Dims, mut size: [usize; 2]) -> Problems {
        let mut problems = Problems::default();
        problems.require(
            !self.blocks.is_empty(),
            "blocks",
            || "is empty: expected at least one block",
        );
        for (index, block) in self.blocks.iter().enumerate() {
            let key = format!("blocks[{index}]");
            let [kernel, stride, dilation] = [block.kernel_size, block.stride, block.dilation].map(|e| e.over(dims));
            if block.channels == 0 || [kernel, stride, dilation].iter().flatten().any(|&v| v == 0) {
                problems.add(key, "channels, kernel_size, stride and dilation must be at least 1");
                break;
            }
            let span = |axis: usize| dilation[axis].saturating_mul(kernel[axis] - 1).saturating_add(1);
            let largest = [block.channels, stride[0], stride[1], span(0), span(1)];
            if largest.iter().any(|&size| size > MAX_WIDTH) {
                let message = format!(
                    "channels, stride and the span of the kernel, dilation * (kernel_size - 1) + 1, must be at most {MAX_WIDTH}"
                );
                problems.add(key, message);
                break;
            }
            problems.extend_below(&key, self.norm.problems(block.channels));
            let Some(next) = self.output_size(block, dims, size) else {
                let message = format!(
                    "nothing is left of an input of {} positions: use fewer blocks, a smaller stride or pool, \
                     or padding = \"same\"",
                    size[1]
                );
                problems.add(key, message);
                break;
            };
            size = next;
        }
        problems
    }

    /// Values that the layers put out for one sample of `size` `[height, width]`, and its size after the last block.
    pub(super) fn block_activations(&self, dims: Dims, mut size: [usize; 2]) -> (f64, [usize; 2]) {
        let mut values = 0.0;
        for block in &self.blocks {
            let unpooled = BlockConfig {
                pool: None,
                ..block.clone()
            };
            // A block that leaves nothing is a problem of the configuration.
            let convolved = self.output_size(&unpooled, dims, size).unwrap_or([0, 0]);
            size = self.output_size(block, dims, size).unwrap_or([0, 0]);
            let count = |size: [usize; 2]| block.channels as f64 * size[0] as f64 * size[1] as f64;
            // A residual adds its sum; batch statistics keep the normalised values beside the convolved ones.
            let extra = u8::from(block.residual) + u8::from(matches!(self.norm, NormConfig::Batch));
            values += count(convolved) * f64::from(1 + extra);
            if block.pool.is_some() {
                values += count(size);
            }
        }
        (values, size)
    }

    /// `[height, width]` after `block`, or `None` when nothing is left.
    fn output_size(&self, block: &BlockConfig, dims: Dims, size: [usize; 2]) -> Option<[usize; 2]> {
        let [kernel, stride, dilation] = [block.kernel_size, block.stride, block.dilation].map(|e| e.over(dims));
        let mut out = [0; 2];
        for axis in 0..2 {
            let span = dilation[axis] * (kernel[axis] - 1);
            let (before, after) = self.pad(axis, dims, span);
            let positions = (size[axis] + before + after).checked_sub(span + 1)? / stride[axis] + 1;
            let pool = block
                .pool
                .map_or(1, |pool| if size[axis] == 1 { 1 } else { pool.size() });
            out[axis] = positions.checked_div(pool).filter(|&left| left > 0)?;
        }
        Some(out)
    }

    fn pad(&self, axis: usize, dims: Dims, span: usize) -> (usize, usize) {
        match self.padding {
            Padding::Valid => (0, 0),
            Padding::Causal if axis == 1 || dims == Dims::One => (span, 0),
            Padding::Same | Padding::Causal => (span / 2, span - span / 2),
        }
    }
}

impl EncoderSettings for CnnConfig {
    fn problems(&self, input: InputShape) -> Problems {
        match input {
            InputShape::Row { .. } => wrong_input("a signal, a series or an image", input),
            InputShape::Sequence { length, .. } => self.block_problems(Dims::One, [1, length]),
            InputShape::Image {
                height, width, count, ..
            } => {
                let mut problems = self.block_problems(Dims::Two, [height, width]);
                problems.require(
                    count <= 1 || self.norm != NormConfig::Batch,
                    "norm",
                    || "batch statistics of several images per sample are not defined here: use group",
                );
                problems
            }
        }
    }

    fn activations(&self, input: InputShape) -> f64 {
        let (dims, size) = match input {
            InputShape::Image { height, width, .. } => (Dims::Two, [height, width]),
            _ => (Dims::One, [1, input.num_positions()]),
        };
        self.block_activations(dims, size).0
    }

    fn build(&self, layout: &mut LayoutBuilder, input: InputShape) -> Arc<dyn Encode> {
        let channels = input.num_channels();
        let (dims, image_size) = match input {
            InputShape::Image { height, width, .. } => (Dims::Two, Some([height, width])),
            _ => (Dims::One, None),
        };
        let cnn = Cnn::new(layout, self, dims, channels);
        Arc::new(CnnEncoder {
            output_size: cnn.output_size(channels),
            cnn,
            channels,
            image_size,
        })
    }
}

#[derive(Debug)]
struct CnnEncoder {
    cnn: Cnn,
    channels: usize,
    /// Height and width of an image.
    image_size: Option<[usize; 2]>,
    output_size: usize,
}

impl Encode for CnnEncoder {
    fn output_size(&self) -> usize {
        self.output_size
    }

    fn encode(&self, rows: Tensor<4>, lengths: Option<&[usize]>, context: &Context) -> Tensor<3> {
        let [num_replicas, batch, _, _] = rows.dims();
        match self.image_size {
            None => self.cnn.encode(planes(rows), lengths, context),
            Some([height, width]) => {
                let image = rows.reshape([num_replicas, batch, self.channels, height, width]);
                self.cnn.encode(image, None, context)
            }
        }
    }
}

/// Filters with a bias.
#[derive(Clone, Debug)]
pub(super) struct Convolution {
    weight: ParamId,
    bias: ParamId,
    options: Conv2dOptions,
}

impl Convolution {
    /// `[input, output]` channels and `[height, width]` taps.
    pub(super) fn new(
        layout: &mut LayoutBuilder,
        [input, output]: [usize; 2],
        [height, width]: [usize; 2],
        options: Conv2dOptions,
    ) -> Self {
        let bound = 1.0 / ((input * height * width).max(1) as f32).sqrt();
        let init = Init::Uniform { bound };
        Self {
            weight: layout.param("weight", &[output, input, height, width], init),
            bias: layout.param("bias", &[output], init),
            options,
        }
    }

    /// `[R, B, input, H, W] -> [R, B, output, H', W']`.
    pub(super) fn forward(&self, x: Tensor<5>, context: &Context) -> Tensor<5> {
        let bias = context.params.get(self.bias);
        conv2d(x, context.params.get(self.weight), Some(bias), &self.options)
    }

    /// [`forward`](Self::forward) and an activation in one pass over the output.
    fn forward_activated(&self, x: Tensor<5>, activation: Activation, context: &Context) -> Tensor<5> {
        let bias = context.params.get(self.bias);
        conv2d_activated(
            x,
            context.params.get(self.weight),
            Some(bias),
            &self.options,
            activation.fused(),
        )
    }
}

#[derive(Clone, Debug)]
struct Block {
    conv: Convolution,
    norm: Norm,
    /// `None`: no shortcut. `Some(None)`: the input itself.
    shortcut: Option<Option<Convolution>>,
    pool: Option<BlockPooling>,
}

impl Block {
    fn pool_blocks(&self, y: Tensor<5>) -> Tensor<5> {
        match self.pool {
            Some(pool) => pool_blocks(y, pool),
            None => y,
        }
    }
}

/// A stack of convolution blocks over `[R, B, C, H, W]`.
#[derive(Clone, Debug)]
pub struct Cnn {
    config: CnnConfig,
    dims: Dims,
    blocks: Vec<Block>,
}

impl Cnn {
    /// A network for `input_channels` channels.
    pub fn new(layout: &mut LayoutBuilder, config: &CnnConfig, dims: Dims, input_channels: usize) -> Self {
        let mut channels = input_channels;
        let mut blocks = Vec::with_capacity(config.blocks.len());
        for (index, block) in config.blocks.iter().enumerate() {
            let built = layout.scope(&format!("block{index}"), |layout| {
                Self::block(layout, config, block, dims, channels)
            });
            blocks.push(built);
            channels = block.channels;
        }
        Self {
            config: config.clone(),
            dims,
            blocks,
        }
    }

    fn block(layout: &mut LayoutBuilder, config: &CnnConfig, block: &BlockConfig, dims: Dims, input: usize) -> Block {
        let [kernel, stride, dilation] = [block.kernel_size, block.stride, block.dilation].map(|e| e.over(dims));
        let span = |axis: usize| dilation[axis] * (kernel[axis] - 1);
        let options = Conv2dOptions {
            stride,
            padding: [config.pad(0, dims, span(0)), config.pad(1, dims, span(1))],
            dilation,
            groups: 1,
        };
        let shortcut = block.residual.then(|| {
            let same = input == block.channels && stride == [1, 1] && config.padding != Padding::Valid;
            (!same).then(|| {
                let options = Conv2dOptions {
                    padding: [(0, 0), (0, 0)],
                    dilation: [1, 1],
                    ..options
                };
                layout.scope("shortcut", |layout| {
                    Convolution::new(layout, [input, block.channels], [1, 1], options)
                })
            })
        });
        Block {
            conv: layout.scope("conv", |layout| {
                Convolution::new(layout, [input, block.channels], kernel, options)
            }),
            norm: Norm::new(layout, config.norm, block.channels),
            shortcut,
            pool: block.pool,
        }
    }

    /// `[R, B, C, H, W] -> [R, B, C', H', W']`.
    pub fn forward(&self, mut x: Tensor<5>, context: &Context) -> Tensor<5> {
        for block in &self.blocks {
            if matches!(block.norm, Norm::Identity) && block.shortcut.is_none() {
                let y = block.conv.forward_activated(x, self.config.activation, context);
                x = block.pool_blocks(y);
                continue;
            }
            let mut y = block.conv.forward(x.clone(), context);
            let [num_replicas, batch, channels, height, width] = y.dims();
            if !matches!(block.norm, Norm::Identity) {
                let flat = y.reshape([num_replicas, batch, channels, height * width]);
                y = block
                    .norm
                    .forward(flat, context)
                    .reshape([num_replicas, batch, channels, height, width]);
            }
            if let Some(shortcut) = &block.shortcut {
                let residual = match shortcut {
                    Some(projection) => projection.forward(x, context),
                    None => x,
                };
                y = y + residual.narrow(3, 0, height).narrow(4, 0, width);
            }
            x = block.pool_blocks(self.config.activation.forward(y));
        }
        x
    }

    /// [`forward`](Self::forward), then pooling over the positions: `[R, B, C, H, W] -> [R, B, F]`. `lengths` are the
    /// valid positions of each sample at the input, along time.
    pub fn encode(&self, x: Tensor<5>, lengths: Option<&[usize]>, context: &Context) -> Tensor<3> {
        let y = self.forward(x, context);
        let [num_replicas, batch, channels, height, width] = y.dims();
        let lengths = lengths.map(|lengths| self.output_lengths(lengths));
        self.config.pooling.forward(
            y.reshape([num_replicas, batch, channels, height * width]),
            lengths.as_deref(),
        )
    }

    /// Valid positions after the last block, for each count of valid positions at the input.
    pub fn output_lengths(&self, lengths: &[usize]) -> Vec<usize> {
        let after = |length: usize| {
            self.config.blocks.iter().try_fold([1, length], |size, block| {
                self.config.output_size(block, self.dims, size)
            })
        };
        lengths
            .iter()
            .map(|&length| after(length).map_or(0, |size| size[1]))
            .collect()
    }

    /// Features that [`encode`](Self::encode) gives.
    pub fn output_size(&self, input_channels: usize) -> usize {
        self.config
            .pooling
            .output_size(self.config.output_channels(input_channels))
    }
}

/// Pools each axis that is longer than one position.
fn pool_blocks(x: Tensor<5>, pool: BlockPooling) -> Tensor<5> {
    let size = pool.size();
    let reduce = |x: Tensor<6>, dim: usize| match pool {
        BlockPooling::Max { .. } => x.max_dim(dim),
        BlockPooling::Mean { .. } => x.sum_dim(dim) / size as f64,
    };
    let [r, b, c, h, w] = x.dims();
    let (out_h, out_w) = (if h == 1 { 1 } else { h / size }, if w == 1 { 1 } else { w / size });
    let mut y = x;
    if w > 1 {
        let cut = y.narrow(4, 0, out_w * size).reshape([r, b, c, h, out_w, size]);
        y = reduce(cut, 5).reshape([r, b, c, h, out_w]);
    }
    if h > 1 {
        let cut = y.narrow(3, 0, out_h * size).reshape([r, b, c, out_h, size, out_w]);
        y = reduce(cut, 4).reshape([r, b, c, out_h, out_w]);
    }
    y
}
