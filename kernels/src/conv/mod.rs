//! Convolutions with one set of filters per replica.

mod activation;
mod geometry;
#[cfg(feature = "cube")]
mod kernel;
#[cfg(feature = "cube")]
mod launch;
#[cfg(feature = "cpu")]
mod native;
pub mod reference;
#[cfg(any(feature = "cpu", feature = "cube"))]
pub mod tape;

pub use activation::Activation;
pub use geometry::Geometry;

use crate::error::{KernelError, or_panic};
use burn::tensor::Tensor;

/// How a 2-D filter moves over its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dOptions {
    /// Steps between outputs, (height, width).
    pub stride: [usize; 2],
    /// Zeros before and after, per axis.
    pub padding: [(usize, usize); 2],
    /// Distance between filter taps.
    pub dilation: [usize; 2],
    /// Number of channel groups that see only themselves.
    pub groups: usize,
}

impl Default for Conv2dOptions {
    fn default() -> Self {
        Self {
            stride: [1, 1],
            padding: [(0, 0), (0, 0)],
            dilation: [1, 1],
            groups: 1,
        }
    }
}

/// How a 1-D filter moves over its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv1dOptions {
    /// Steps between outputs.
    pub stride: usize,
    /// Zeros before and after.
    pub padding: (usize, usize),
    /// Distance between filter taps.
    pub dilation: usize,
    /// Number of channel groups that see only themselves.
    pub groups: usize,
}

impl Default for Conv1dOptions {
    fn default() -> Self {
        Self {
            stride: 1,
            padding: (0, 0),
            dilation: 1,
            groups: 1,
        }
    }
}

impl Conv2dOptions {
    /// Zeros that make the output `ceil(input / stride)` positions long per axis, the odd one after; set the dilation
    /// first.
    pub fn same(self, kernel: [usize; 2]) -> Self {
        Self {
            padding: [0, 1].map(|axis| same(self.dilation[axis], kernel[axis])),
            ..self
        }
    }

    /// No zeros.
    pub fn valid(self) -> Self {
        Self {
            padding: [(0, 0), (0, 0)],
            ..self
        }
    }

    /// As [`same`](Self::same) along the height; along the width, which is time, all zeros before the first position,
    /// so that no output sees its future.
    pub fn causal(self, kernel: [usize; 2]) -> Self {
        let [height, width] = self.same(kernel).padding;
        Self {
            padding: [height, (width.0 + width.1, 0)],
            ..self
        }
    }
}

impl Conv1dOptions {
    /// As [`Conv2dOptions::same`].
    pub fn same(self, kernel: usize) -> Self {
        Self {
            padding: same(self.dilation, kernel),
            ..self
        }
    }

    /// No zeros.
    pub fn valid(self) -> Self {
        Self {
            padding: (0, 0),
            ..self
        }
    }

    /// All zeros before the first position, so that no output sees its future; set the dilation first.
    pub fn causal(self, kernel: usize) -> Self {
        let (before, after) = self.same(kernel).padding;
        Self {
            padding: (before + after, 0),
            ..self
        }
    }

    fn over_height_one(&self) -> Conv2dOptions {
        Conv2dOptions {
            stride: [1, self.stride],
            padding: [(0, 0), self.padding],
            dilation: [1, self.dilation],
            groups: self.groups,
        }
    }
}

fn same(dilation: usize, kernel: usize) -> (usize, usize) {
    let span = dilation * kernel.saturating_sub(1);
    (span / 2, span - span / 2)
}

/// Mean and variance (the mean squared deviation) of each channel over batch and positions, each `[R, O]`.
#[derive(Debug, Clone)]
pub struct ConvStatistics {
    /// Mean of each channel; 0 for an empty batch.
    pub mean: Tensor<2>,
    /// Mean squared deviation from it; 0 for an empty batch.
    pub variance: Tensor<2>,
}

/// 2-D cross-correlation, as deep learning calls convolution:
/// `y[r,b,o,i,j] = bias[r,o] + sum over c,u,v of w[r,o,c,u,v] x[r,b,c',i*s+u*d-p,j*s+v*d-p]`,
/// with zeros outside `x` and `c'` the c-th channel of the group of `o`.
///
/// - **Shapes**: `x: [R, B, C, H, W]`, `w: [R, O, C/groups, KH, KW]`, `bias: [R, O]` to
///   `[R, B, O, H', W']`, where `H' = (H + padding - dilation (KH - 1) - 1) / stride + 1`.
///   `x` may also be `[1, B, C, H, W]`: all replicas read it, without a copy, and its gradient is their sum in order.
/// - **Precision**: f32 products and sums, on GPUs with tensor cores too; for other dtypes that of burn's product. On
///   the CPU the order of sums, and so the last bits, depend on the vector instructions of the machine.
/// - **Gradient**: of every tracked input; that of an untracked `x` (data) is not computed. Long sums (weights, bias)
///   are cut by the shape of one replica, and the parts added in order.
/// - **Falls back** to [`mod@reference`] for other dtypes and devices, and on GPUs for filters whose reach does not fit
///   24 KiB of shared memory beside one position, or more than 65535 samples.
///
/// # Panics
/// When shapes or options do not fit; see [`try_conv2d`].
pub fn conv2d(x: Tensor<5>, w: Tensor<5>, bias: Option<Tensor<2>>, options: &Conv2dOptions) -> Tensor<5> {
    or_panic(try_conv2d(x, w, bias, options))
}

/// [`conv2d`], returning an error that names both shapes when they do not fit.
pub fn try_conv2d(
    x: Tensor<5>,
    w: Tensor<5>,
    bias: Option<Tensor<2>>,
    options: &Conv2dOptions,
) -> Result<Tensor<5>, KernelError> {
    try_conv2d_activated(x, w, bias, options, Activation::None)
}

/// [`conv2d`] with an activation behind it, in the same pass over the output.
///
/// Training keeps the output for [`Activation::Relu`] and [`Activation::Tanh`], and computes and keeps the input of the
/// activation besides for the others.
///
/// # Panics
/// When shapes or options do not fit; see [`try_conv2d_activated`].
pub fn conv2d_activated(
    x: Tensor<5>,
    w: Tensor<5>,
    bias: Option<Tensor<2>>,
    options: &Conv2dOptions,
    activation: Activation,
) -> Tensor<5> {
    or_panic(try_conv2d_activated(x, w, bias, options, activation))
}

/// [`conv2d_activated`], returning an error that names both shapes when they do not fit.
pub fn try_conv2d_activated(
    x: Tensor<5>,
    w: Tensor<5>,
    bias: Option<Tensor<2>>,
    options: &Conv2dOptions,
    activation: Activation,
) -> Result<Tensor<5>, KernelError> {
    convolve("conv2d", x, w, bias, options, activation)
}

/// [`conv2d`], and mean and variance of what it gives, which batch normalisation needs, without another pass over it.
///
/// Partial means and squared deviations (of a sample on the CPU, of a tile on GPUs) are put together in a fixed order
/// by the formulas of Chan, Golub & LeVeque (1983): no squares of large numbers are subtracted.
///
/// # Panics
/// When shapes or options do not fit; see [`try_conv2d_with_statistics`].
pub fn conv2d_with_statistics(
    x: Tensor<5>,
    w: Tensor<5>,
    bias: Option<Tensor<2>>,
    options: &Conv2dOptions,
) -> (Tensor<5>, ConvStatistics) {
    or_panic(try_conv2d_with_statistics(x, w, bias, options))
}

/// [`conv2d_with_statistics`], returning an error that names both shapes when they do not fit.
pub fn try_conv2d_with_statistics(
    x: Tensor<5>,
    w: Tensor<5>,
    bias: Option<Tensor<2>>,
    options: &Conv2dOptions,
) -> Result<(Tensor<5>, ConvStatistics), KernelError> {
    convolve_with_statistics("conv2d", x, w, bias, options)
}

/// 1-D cross-correlation: [`conv2d`] on inputs of height 1.
///
/// `x: [R, B, C, T]` (or `[1, B, C, T]`, shared), `w: [R, O, C/groups, K]`, `bias: [R, O]` to `[R, B, O, T']`.
///
/// # Panics
/// When shapes or options do not fit; see [`try_conv1d`].
pub fn conv1d(x: Tensor<4>, w: Tensor<4>, bias: Option<Tensor<2>>, options: &Conv1dOptions) -> Tensor<4> {
    or_panic(try_conv1d(x, w, bias, options))
}

/// [`conv1d`], returning an error that names both shapes when they do not fit.
pub fn try_conv1d(
    x: Tensor<4>,
    w: Tensor<4>,
    bias: Option<Tensor<2>>,
    options: &Conv1dOptions,
) -> Result<Tensor<4>, KernelError> {
    try_conv1d_activated(x, w, bias, options, Activation::None)
}

/// [`conv1d`] with an activation behind it: [`conv2d_activated`] on inputs of height 1.
///
/// # Panics
/// When shapes or options do not fit; see [`try_conv1d_activated`].
pub fn conv1d_activated(
    x: Tensor<4>,
    w: Tensor<4>,
    bias: Option<Tensor<2>>,
    options: &Conv1dOptions,
    activation: Activation,
) -> Tensor<4> {
    or_panic(try_conv1d_activated(x, w, bias, options, activation))
}

/// [`conv1d_activated`], returning an error that names both shapes when they do not fit.
pub fn try_conv1d_activated(
    x: Tensor<4>,
    w: Tensor<4>,
    bias: Option<Tensor<2>>,
    options: &Conv1dOptions,
    activation: Activation,
) -> Result<Tensor<4>, KernelError> {
    let (x, w) = (x.unsqueeze_dim(3), w.unsqueeze_dim(3));
    let y = convolve("conv1d", x, w, bias, &options.over_height_one(), activation).map_err(without_height)?;
    Ok(y.squeeze_dim(3))
}

/// [`conv2d_with_statistics`] on inputs of height 1.
///
/// # Panics
/// When shapes or options do not fit; see [`try_conv1d_with_statistics`].
pub fn conv1d_with_statistics(
    x: Tensor<4>,
    w: Tensor<4>,
    bias: Option<Tensor<2>>,
    options: &Conv1dOptions,
) -> (Tensor<4>, ConvStatistics) {
    or_panic(try_conv1d_with_statistics(x, w, bias, options))
}

/// [`conv1d_with_statistics`], returning an error that names both shapes when they do not fit.
pub fn try_conv1d_with_statistics(
    x: Tensor<4>,
    w: Tensor<4>,
    bias: Option<Tensor<2>>,
    options: &Conv1dOptions,
) -> Result<(Tensor<4>, ConvStatistics), KernelError> {
    let (x, w) = (x.unsqueeze_dim(3), w.unsqueeze_dim(3));
    let (y, statistics) =
        convolve_with_statistics("conv1d", x, w, bias, &options.over_height_one()).map_err(without_height)?;
    Ok((y.squeeze_dim(3), statistics))
}

fn convolve(
    op: &'static str,
    x: Tensor<5>,
    w: Tensor<5>,
    bias: Option<Tensor<2>>,
    options: &Conv2dOptions,
    activation: Activation,
) -> Result<Tensor<5>, KernelError> {
    let geometry = Geometry::new(op, x.dims(), w.dims(), bias.as_ref().map(|bias| bias.dims()), options)?;
    #[cfg(any(feature = "cpu", feature = "cube"))]
    if is_served(&x, &geometry) {
        return Ok(tape::call(x, w, bias, geometry, activation));
    }
    Ok(reference::activate(
        reference::conv2d(x, w, bias, &geometry),
        activation,
    ))
}

fn convolve_with_statistics(
    op: &'static str,
    x: Tensor<5>,
    w: Tensor<5>,
    bias: Option<Tensor<2>>,
    options: &Conv2dOptions,
) -> Result<(Tensor<5>, ConvStatistics), KernelError> {
    let geometry = Geometry::new(op, x.dims(), w.dims(), bias.as_ref().map(|bias| bias.dims()), options)?;
    #[cfg(any(feature = "cpu", feature = "cube"))]
    if is_served(&x, &geometry) {
        let (y, statistics) = tape::call_with_statistics(x, w, bias, geometry);
        let row = |index: usize| statistics.clone().narrow(1, index, 1).squeeze_dim(1);
        return Ok((
            y,
            ConvStatistics {
                mean: row(0),
                variance: row(1),
            },
        ));
    }
    let y = reference::conv2d(x, w, bias, &geometry);
    let statistics = reference::statistics(y.clone());
    Ok((y, statistics))
}

/// Whether kernels serve this convolution where `x` lies.
#[cfg(any(feature = "cpu", feature = "cube"))]
fn is_served(x: &Tensor<5>, geometry: &Geometry) -> bool {
    #[cfg(feature = "cube")]
    if crate::is_gpu(&x.device()) && !launch::serves(geometry) {
        return false;
    }
    geometry.taps() > 0 && crate::has_kernels(x)
}

/// Shapes as the caller of the 1-D function knows them.
fn without_height(mut error: KernelError) -> KernelError {
    if let KernelError::Shapes { left, right, .. } = &mut error {
        for shape in [left, right] {
            if shape.len() == 5 {
                shape.remove(3);
            }
        }
    }
    error
}
