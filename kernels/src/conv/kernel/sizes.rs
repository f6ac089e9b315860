//! The sizes that the kernels of a convolution share, and its input read tap by tap.

use cubecl::prelude::*;

/// The sizes of a convolution; channels and filters are those of one group.
#[derive(CubeType, CubeLaunch)]
pub struct ConvSizes {
    pub batch: usize,
    /// Samples of `x`: those of all replicas, or of one that all share.
    pub x_samples: usize,
    pub groups: usize,
    pub channels: usize,
    pub filters: usize,
    pub height: usize,
    pub width: usize,
    pub out_height: usize,
    pub out_width: usize,
    /// Zeros above and left of the input.
    pub before_y: usize,
    pub before_x: usize,
}

/// The filter and its movement, (height, width).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Movement {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
}

impl Movement {
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}

/// Whether a position of the padded input is one of the input.
#[cube]
pub fn is_inside(sizes: &ConvSizes, row: usize, col: usize) -> bool {
    row >= sizes.before_y
        && row - sizes.before_y < sizes.height
        && col >= sizes.before_x
        && col - sizes.before_x < sizes.width
}

/// Index of a position of the padded input in plane `channel` of those that begin at `first`.
#[cube]
pub fn input_index(sizes: &ConvSizes, first: usize, channel: usize, row: usize, col: usize) -> usize {
    first + (channel * sizes.height + row - sizes.before_y) * sizes.width + col - sizes.before_x
}
