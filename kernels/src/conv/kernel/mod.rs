//! The kernels of the convolution.

mod direct;
mod pointwise;
mod scattered;
mod single;
mod weights;

pub use direct::{Tile, correlate};
pub use pointwise::{activation_gradient, bias_gradient, combine_moments};
pub use scattered::input_gradient;
pub use single::{SPAN, depthwise};
pub use weights::{DEPTH, FEW_TAPS, FEW_UNITS, OWN, weight_gradient, weight_gradient_of_few};
