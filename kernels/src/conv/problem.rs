//! The sizes of a convolution.

use super::Conv2dOptions;
use crate::error::{KernelError, check_shapes};

/// Name in messages.
const OP: &str = "conv2d";

/// The sizes of one convolution, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvProblem {
    /// R.
    pub replicas: usize,
    /// Replicas of `x`: R, or 1 that all share.
    pub x_replicas: usize,
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
    /// Movement of the filter.
    pub options: Conv2dOptions,
}

impl ConvProblem {
    /// The sizes of these arguments, or why they do not fit.
    pub fn new(
        x: [usize; 5],
        w: [usize; 5],
        bias: Option<[usize; 2]>,
        options: &Conv2dOptions,
    ) -> Result<Self, KernelError> {
        let [x_replicas, batch, channels, height, width] = x;
        let [replicas, filters, _, kernel_height, kernel_width] = w;
        let groups = options.groups;
        if groups == 0 || !channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
            let problem = format!("does not divide {channels} channels and {filters} filters");
            return Err(KernelError::option(OP, "groups", groups, problem));
        }
        check_shapes(
            OP,
            (x_replicas == replicas || x_replicas == 1) && w[2] * groups == channels,
            ("x", &x),
            ("w", &w),
            "expected [R, B, C, ...] (or [1, B, C, ...], shared) and [R, O, C/groups, ...]",
        )?;
        if let Some(bias) = bias {
            check_shapes(
                OP,
                bias == [replicas, filters],
                ("bias", &bias),
                ("w", &w),
                "expected bias [R, O]",
            )?;
        }
        let (input, kernel) = ([height, width], [kernel_height, kernel_width]);
        let mut output = [0; 2];
        for axis in 0..2 {
            let (stride, dilation) = (options.stride[axis], options.dilation[axis]);
            for (option, value) in [("stride", stride), ("dilation", dilation)] {
                if value == 0 {
                    return Err(KernelError::option(OP, option, value, "must be at least 1"));
                }
            }
            let (before, after) = options.padding[axis];
            let padded = input[axis] + before + after;
            let reach = dilation * kernel[axis].saturating_sub(1) + 1;
            check_shapes(
                OP,
                kernel[axis] > 0 && reach <= padded,
                ("x", &x),
                ("w", &w),
                "the padded input is shorter than the dilated filter",
            )?;
            output[axis] = (padded - reach) / stride + 1;
        }
        Ok(Self {
            replicas,
            x_replicas,
            batch,
            channels,
            filters,
            input,
            kernel,
            output,
            options: *options,
        })
    }

    /// Products of one output value: the rows of the unfolded input of one group.
    pub(crate) fn taps(&self) -> usize {
        self.channels / self.options.groups * self.kernel[0] * self.kernel[1]
    }
}
