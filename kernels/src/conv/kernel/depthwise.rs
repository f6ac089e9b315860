//! The convolution of one channel by one filter.

use super::pointwise::{UNITS, activate};
use crate::conv::Activation;
use cubecl::prelude::*;

/// Neighbouring outputs of one unit, and taps between two moves of its window.
pub const WINDOW: usize = 8;
/// Outputs of one cube.
pub const OUTPUTS_PER_CUBE: usize = UNITS * WINDOW;

/// The sizes of a convolution along rows.
#[derive(CubeType, CubeLaunch)]
pub struct DepthwiseSizes {
    pub batch: usize,
    /// Samples of `x`: those of all replicas, or of one that all share.
    pub x_samples: usize,
    /// Filters of all groups, and of one.
    pub filters: usize,
    pub filters_per_group: usize,
    pub height: usize,
    pub width: usize,
    pub out_width: usize,
    /// Zeros before a row, and inputs skipped instead.
    pub before: usize,
    pub skip: usize,
}

/// Where value `at` of a row lies in shared memory: units read values `WINDOW` apart, and one place more for each window
/// puts these into different banks.
#[cube]
fn place(at: usize) -> usize {
    at + at / WINDOW
}

/// Convolution along rows with one channel per group, stride and dilation 1: cube = `OUTPUTS_PER_CUBE` outputs of one row of one
/// filter, grid = (tiles of a row, filters x rows, samples).
///
/// Bound by memory: each value of `x` is read once for each filter of its group, plus the reach between tiles, and each of
/// `y` written once. A unit keeps `WINDOW` values in registers and loads one more for each tap: two loads from shared
/// memory for `WINDOW` products. `flipped` turns the taps round: the gradient of the input where each group has one filter.
#[cube(launch, create_dummy_kernel)]
pub fn conv_depthwise(
    x: &[f32],
    w: &[f32],
    bias: &[f32],
    y: &mut [f32],
    sizes: &DepthwiseSizes,
    #[comptime] taps: usize,
    #[comptime] flipped: bool,
    #[comptime] activation: Activation,
) {
    let blocks = comptime!(taps.div_ceil(WINDOW));
    let reach = comptime!(OUTPUTS_PER_CUBE + blocks * WINDOW);
    let mut row = Shared::<[f32]>::new_slice(comptime!(reach + reach / WINDOW + 1));
    let mut weights = Shared::<[f32]>::new_slice(comptime!(blocks * WINDOW));
    let unit = UNIT_POS_X as usize;
    let first = CUBE_POS_X as usize * OUTPUTS_PER_CUBE;
    let (filter, y_row) = (CUBE_POS_Y as usize / sizes.height, CUBE_POS_Y as usize % sizes.height);
    let sample = CUBE_POS_Z as usize;
    let replica = sample / sizes.batch;
    let channel = filter / sizes.filters_per_group;
    let x_at = ((sample % sizes.x_samples * (sizes.filters / sizes.filters_per_group) + channel) * sizes.height
        + y_row)
        * sizes.width;
    let w_at = (replica * sizes.filters + filter) * taps;

    let mut at = unit;
    while at < reach {
        let col = first + at + sizes.skip;
        let inside = col >= sizes.before && col - sizes.before < sizes.width;
        row[place(at)] = select(inside, x[select(inside, x_at + col - sizes.before, 0)], 0.0f32);
        at += UNITS;
    }
    let mut tap = unit;
    while tap < comptime!(blocks * WINDOW) {
        let inside = tap < taps;
        let from = if comptime!(flipped) {
            comptime!(taps - 1) - min(tap, comptime!(taps - 1))
        } else {
            tap
        };
        weights[tap] = select(inside, w[select(inside, w_at + from, 0)], 0.0f32);
        tap += UNITS;
    }
    sync_cube();

    let mut sums = Array::<f32>::new(WINDOW);
    // The window and what comes after it: tap `t` reads values `t..t + WINDOW`.
    let mut values = Array::<f32>::new(comptime!(2 * WINDOW));
    let own = unit * WINDOW;
    #[unroll]
    for i in 0..WINDOW {
        sums[i] = 0.0f32;
        values[comptime!(i + WINDOW)] = row[place(own + i)];
    }
    for block in 0..blocks {
        #[unroll]
        for i in 0..WINDOW {
            let kept = values[comptime!(i + WINDOW)];
            values[i] = kept;
            values[comptime!(i + WINDOW)] = row[place(own + (block + 1) * WINDOW + i)];
        }
        #[unroll]
        for tap in 0..WINDOW {
            let weight = weights[block * WINDOW + tap];
            #[unroll]
            for i in 0..WINDOW {
                sums[i] += weight * values[comptime!(tap + i)];
            }
        }
    }

    let offset = bias[replica * sizes.filters + filter];
    // Back through shared memory, so that neighbouring units write neighbouring values.
    sync_cube();
    #[unroll]
    for i in 0..WINDOW {
        row[place(own + i)] = activate(sums[i] + offset, activation);
    }
    sync_cube();
    let y_at = ((sample * sizes.filters + filter) * sizes.height + y_row) * sizes.out_width;
    #[unroll]
    for i in 0..WINDOW {
        let at = unit + comptime!(i * UNITS);
        if first + at < sizes.out_width {
            y[y_at + first + at] = row[place(at)];
        }
    }
}
