//! Convolutions with one set of filters per replica.

#[cfg(feature = "cpu")]
mod direct;
#[cfg(feature = "cpu")]
pub mod native;
#[cfg(feature = "cpu")]
mod padded;
pub mod reference;

use crate::error::{KernelError, check_shapes, or_panic};
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
        Self { stride: [1, 1], padding: [(0, 0), (0, 0)], dilation: [1, 1], groups: 1 }
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
        Self { stride: 1, padding: (0, 0), dilation: 1, groups: 1 }
    }
}

/// 2-D cross-correlation, as deep learning calls convolution:
/// `y[r,b,o,i,j] = bias[r,o] + sum over c,u,v of w[r,o,c,u,v] x[r,b,c',i*s+u*d-p,j*s+v*d-p]`,
/// with zeros outside `x` and `c'` the c-th channel of the group of `o`.
///
/// - **Shapes**: `x: [R, B, C, H, W]`, `w: [R, O, C/groups, KH, KW]`, `bias: [R, O]` to
///   `[R, B, O, H', W']`, where `H' = (H + padding - dilation (KH - 1) - 1) / stride + 1`.
/// - **Precision**: f32 products and sums on the CPU; on other devices that of burn's product.
/// - **Gradient**: of every tracked input; that of an untracked `x` (data) is not computed.
/// - **Falls back** to [`mod@reference`] off the CPU device and for other dtypes.
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
    convolve("conv2d", x, w, bias, options)
}

/// 1-D cross-correlation: [`conv2d`] on inputs of height 1.
///
/// `x: [R, B, C, T]`, `w: [R, O, C/groups, K]`, `bias: [R, O]` to `[R, B, O, T']`.
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
    let options = Conv2dOptions {
        stride: [1, options.stride],
        padding: [(0, 0), options.padding],
        dilation: [1, options.dilation],
        groups: options.groups,
    };
    let (x, w) = (x.unsqueeze_dim(3), w.unsqueeze_dim(3));
    let y = convolve("conv1d", x, w, bias, &options).map_err(without_height)?;
    Ok(y.squeeze_dim(3))
}

fn convolve(
    op: &'static str,
    x: Tensor<5>,
    w: Tensor<5>,
    bias: Option<Tensor<2>>,
    options: &Conv2dOptions,
) -> Result<Tensor<5>, KernelError> {
    let bias_shape = bias.as_ref().map(|bias| bias.dims());
    let geometry = Geometry::new(op, x.dims(), w.dims(), bias_shape, options)?;
    #[cfg(feature = "cpu")]
    if crate::runs_natively(&x) {
        return Ok(native::call(x, w, bias, geometry));
    }
    Ok(reference::conv2d(x, w, bias, &geometry))
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

/// Every size of one convolution, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// R.
    pub replicas: usize,
    /// B.
    pub batch: usize,
    /// C.
    pub channels: usize,
    /// O.
    pub filters: usize,
    /// H, W.
    pub input: [usize; 2],
    /// KH, KW.
    pub kernel: [usize; 2],
    /// H', W'.
    pub output: [usize; 2],
    /// How the filter moves.
    pub options: Conv2dOptions,
}

impl Geometry {
    /// The sizes of `op`'s arguments, or why they do not fit.
    pub fn new(
        op: &'static str,
        x: [usize; 5],
        w: [usize; 5],
        bias: Option<[usize; 2]>,
        options: &Conv2dOptions,
    ) -> Result<Self, KernelError> {
        let [replicas, batch, channels, height, width] = x;
        let [_, filters, _, kernel_height, kernel_width] = w;
        let groups = options.groups;
        if groups == 0 || !channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
            let problem = format!("does not divide {channels} channels and {filters} filters");
            return Err(KernelError::option(op, "groups", groups, problem));
        }
        check_shapes(
            op,
            w[0] == replicas && w[2] * groups == channels,
            ("x", &x),
            ("w", &w),
            "expected [R, B, C, ...] and [R, O, C/groups, ...]",
        )?;
        if let Some(bias) = bias {
            check_shapes(op, bias == [replicas, filters], ("bias", &bias), ("w", &w), "expected bias [R, O]")?;
        }
        let (input, kernel) = ([height, width], [kernel_height, kernel_width]);
        let mut output = [0; 2];
        for axis in 0..2 {
            let (stride, dilation) = (options.stride[axis], options.dilation[axis]);
            for (option, value) in [("stride", stride), ("dilation", dilation)] {
                if value == 0 {
                    return Err(KernelError::option(op, option, value, "must be at least 1"));
                }
            }
            let (before, after) = options.padding[axis];
            let padded = input[axis] + before + after;
            let reach = dilation * kernel[axis].saturating_sub(1) + 1;
            check_shapes(
                op,
                kernel[axis] > 0 && reach <= padded,
                ("x", &x),
                ("w", &w),
                "the padded input is shorter than the dilated filter",
            )?;
            output[axis] = (padded - reach) / stride + 1;
        }
        Ok(Self { replicas, batch, channels, filters, input, kernel, output, options: *options })
    }

    /// Products in one output value: the rows of the unfolded input of one group.
    fn taps(&self) -> usize {
        self.channels / self.options.groups * self.kernel[0] * self.kernel[1]
    }
}
