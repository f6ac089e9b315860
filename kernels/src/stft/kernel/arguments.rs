//! Arguments of the kernels, and the memory of one cube.

use super::Blueprint;
use cubecl::prelude::*;

/// The constants of a transform.
#[derive(CubeType, CubeLaunch)]
pub struct Tables {
    /// Numbers, in the order of [`Blueprint`].
    pub numbers: Box<[f32]>,
    /// Places of bins, of filters, and of the transposed filters.
    pub places: Box<[u32]>,
}

/// Inputs of the gradient.
#[derive(CubeType, CubeLaunch)]
pub struct SynthesisInputs {
    pub x: Box<[f32]>,
    /// The gradient of the spectrum.
    pub gradient: Box<[f32]>,
    pub tables: Tables,
}

/// The sizes of a transform, and the numbers of its reduction.
#[derive(CubeType, CubeLaunch)]
pub struct StftSizes {
    pub samples: usize,
    pub frames: usize,
    pub signals: usize,
    /// Smallest argument and factor of the logarithm.
    pub floor: f32,
    pub log_scale: f32,
    /// Factors of complex bins: of 0 and half the sampling rate, and of the others.
    pub edge: f32,
    pub interior: f32,
}

/// The frames of a cube: the signal, and the first of them.
#[derive(CubeType)]
pub struct Frames {
    pub signal: usize,
    pub first: usize,
}

/// Shared memory of the frames of a cube: points as `[point][frame]`, the stretch of the signal that they cover, and
/// partial sums of trends.
#[derive(CubeType)]
pub struct Points {
    pub re: Shared<[f32]>,
    pub im: Shared<[f32]>,
    pub stretch: Shared<[f32]>,
    pub partials: Shared<[f32]>,
}

#[cube]
pub fn points(#[comptime] plan: Blueprint) -> Points {
    let re = Shared::<[f32]>::new_slice(comptime!(plan.padded_len * plan.pitch()));
    let im = Shared::<[f32]>::new_slice(comptime!(plan.padded_len * plan.pitch()));
    let stretch = Shared::<[f32]>::new_slice(comptime!(plan.staged()));
    let partials = Shared::<[f32]>::new_slice(comptime!(plan.partials()));
    Points {
        re,
        im,
        stretch,
        partials,
    }
}
