//! Activations, and the sums that end reductions.

use crate::conv::Activation;
use cubecl::prelude::*;

/// Units of a cube that adds up.
pub const UNITS: usize = 128;

/// The activation of one value.
#[cube]
pub fn activate(z: f32, #[comptime] activation: Activation) -> f32 {
    match comptime!(activation) {
        Activation::None => z,
        // NaN stays NaN.
        Activation::Relu => select(z < 0.0f32, 0.0f32, z),
        Activation::Gelu => z * normal_cdf(z),
        Activation::Silu => z / (1.0f32 + f32::exp(-z)),
        Activation::Tanh => f32::tanh(z),
    }
}

#[cube]
fn normal_cdf(z: f32) -> f32 {
    0.5f32 * (1.0f32 + Erf::erf(z * 0.707_106_77f32))
}

#[cube]
#[allow(clippy::useless_conversion)] // The arms of a comptime match must all be values of the kernel.
fn slope(saved: f32, #[comptime] activation: Activation) -> f32 {
    match comptime!(activation) {
        Activation::None => 1.0f32.into(),
        Activation::Relu => select(saved > 0.0f32, 1.0f32, 0.0f32),
        Activation::Gelu => normal_cdf(saved) + saved * 0.398_942_3f32 * f32::exp(-0.5f32 * saved * saved),
        Activation::Silu => {
            let sigmoid = 1.0f32 / (1.0f32 + f32::exp(-saved));
            sigmoid * (1.0f32 + saved * (1.0f32 - sigmoid))
        }
        Activation::Tanh => 1.0f32 - saved * saved,
    }
}

/// `dz = dy` times the slope of the activation: one unit per value.
#[cube(launch, create_dummy_kernel)]
pub fn conv_activation_gradient(saved: &[f32], dy: &[f32], dz: &mut [f32], #[comptime] activation: Activation) {
    let at = ABSOLUTE_POS;
    if at < dz.len() {
        dz[at] = dy[at] * slope(saved[at], activation);
    }
}

/// `sums[row]` of `rows: [rows, len]`: cube = row, each unit every `UNITS`-th value, then halves to halves.
#[cube(launch, create_dummy_kernel)]
pub fn conv_bias_gradient(rows: &[f32], sums: &mut [f32], len: usize) {
    let mut scratch = Shared::<[f32]>::new_slice(UNITS);
    let row = CUBE_POS_Y as usize * CUBE_COUNT_X as usize + CUBE_POS_X as usize;
    let unit = UNIT_POS_X as usize;
    let inside = row < sums.len();
    let mut sum = 0.0f32;
    let mut at = select(inside, unit, len);
    while at < len {
        sum += rows[row * len + at];
        at += UNITS;
    }
    let total = cube_sum(&mut scratch, sum, unit);
    if unit == 0 && inside {
        sums[row] = total;
    }
}

/// The sum of one value of each of `UNITS` units.
#[cube]
pub fn cube_sum(scratch: &mut Shared<[f32]>, value: f32, unit: usize) -> f32 {
    scratch[unit] = value;
    sync_cube();
    let mut half = comptime!(UNITS / 2).runtime();
    while half > 0 {
        if unit < half {
            let other = scratch[unit + half];
            scratch[unit] += other;
        }
        sync_cube();
        half /= 2;
    }
    let sum = scratch[0];
    sync_cube();
    sum
}
