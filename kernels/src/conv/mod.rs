//! Convolutions with one set of filters per replica.

mod activation;
#[cfg(any(feature = "cpu", feature = "cube"))]
pub mod autodiff;
#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "cube")]
mod kernel;
#[cfg(feature = "cube")]
mod launch;
mod problem;
pub mod reference;

pub use activation::Activation;
pub use problem::ConvProblem;

use crate::error::or_panic;
use burn::tensor::Tensor;

/// Movement of a filter over its input.
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

fn same(dilation: usize, kernel: usize) -> (usize, usize) {
    let span = dilation * kernel.saturating_sub(1);
    (span / 2, span - span / 2)
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
///   24 KiB of shared memory beside one position, more than 65535 samples, and tensors beyond 32-bit indices.
///
/// A signal is an image of height 1.
///
/// # Panics
/// When shapes or options do not fit; the message names both shapes.
pub fn conv2d(x: Tensor<5>, w: Tensor<5>, bias: Option<Tensor<2>>, options: &Conv2dOptions) -> Tensor<5> {
    conv2d_activated(x, w, bias, options, Activation::None)
}

/// [`conv2d`] with an activation behind it, in the same pass over the output.
///
/// Training keeps the output for [`Activation::Relu`] and [`Activation::Tanh`], and computes and keeps the input of the
/// activation besides for the others.
///
/// # Panics
/// When shapes or options do not fit; the message names both shapes.
pub fn conv2d_activated(
    x: Tensor<5>,
    w: Tensor<5>,
    bias: Option<Tensor<2>>,
    options: &Conv2dOptions,
    activation: Activation,
) -> Tensor<5> {
    let bias_shape = bias.as_ref().map(|bias| bias.dims());
    let problem = or_panic(ConvProblem::new(x.dims(), w.dims(), bias_shape, options));
    #[cfg(any(feature = "cpu", feature = "cube"))]
    if problem.taps() > 0 && crate::dispatch::has_kernels(&x, &problem) {
        return autodiff::apply(x, w, bias, problem, activation);
    }
    reference::activate(reference::conv2d(x, w, bias, &problem), activation)
}
