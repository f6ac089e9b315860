//! The kernels of the convolution.

mod depthwise;
mod direct;
mod input_gradient;
mod pointwise;
mod sizes;
mod weight_gradient;

pub use depthwise::{DepthwiseSizesLaunch, OUTPUTS_PER_CUBE, conv_depthwise};
pub use direct::{FiltersLaunch, Tile, conv_direct};
pub use input_gradient::conv_input_gradient;
pub use pointwise::{UNITS, conv_activation_gradient, conv_bias_gradient};
pub use sizes::{ConvSizesLaunch, Movement};
pub use weight_gradient::{
    BLOCK_K, PartsLaunch, TAPS_PER_PASS, TILE_PER_UNIT, WeightTile, conv_weight_gradient, conv_weight_gradient_few,
};
