//! Gradients of the weights: long sums over batch and positions, cut into parts.

use super::pointwise::{UNITS, cube_sum};
use cubecl::prelude::*;

/// Positions between two barriers of [`weight_gradient`].
pub const DEPTH: usize = 32;
/// Filters and taps of one unit.
pub const OWN: usize = 4;
/// Taps that [`weight_gradient_of_few`] adds up at a time.
pub const FEW_TAPS: usize = 8;
/// Its units.
pub const FEW_UNITS: usize = UNITS;
/// Distance of rows in shared memory: neighbouring rows in neighbouring banks.
const ROW: usize = DEPTH + 1;

/// Partial sums, `[R, parts, O, taps]`, of `dw[r, o, (c, u, v)] = sum over b, i, j of dy[r, b, o, i, j] x[...]`: a product
/// whose right operand, the unfolded input, is read from the input itself. Cube = tile of filters and taps, grid = (tiles
/// of taps x tiles of filters, groups, R x parts).
///
/// Each value of `x` leaves global memory once per tile of filters and tap (mostly from the caches), each of `dy` once per
/// tile of taps. A unit stages the same position of every row, whose place it finds once.
#[cube(launch, create_dummy_kernel)]
#[allow(clippy::too_many_arguments)]
pub fn weight_gradient(
    x: &[f32],
    dy: &[f32],
    partials: &mut [f32],
    batch: usize,
    x_samples: usize,
    groups: usize,
    channels: usize,
    filters: usize,
    height: usize,
    width: usize,
    out_height: usize,
    out_width: usize,
    before_y: usize,
    before_x: usize,
    parts: usize,
    per_part: usize,
    #[comptime] tile: [usize; 2],
    #[comptime] kernel: [usize; 2],
    #[comptime] stride: [usize; 2],
    #[comptime] dilation: [usize; 2],
) {
    let (tile_filters, tile_taps) = (comptime!(tile[0]), comptime!(tile[1]));
    let (filter_units, tap_units) = (comptime!(tile_filters / OWN), comptime!(tile_taps / OWN));
    let units = comptime!(filter_units * tap_units);
    let mut dy_tile = Shared::<[f32]>::new_slice(comptime!(tile_filters * ROW));
    let mut x_tile = Shared::<[f32]>::new_slice(comptime!(tile_taps * ROW));
    let mut sums = Array::<f32>::new(comptime!(OWN * OWN));
    #[unroll]
    for i in 0..comptime!(OWN * OWN) {
        sums[i] = 0.0f32;
    }

    let kernel_taps = comptime!(kernel[0] * kernel[1]);
    let taps = channels * kernel_taps;
    let tap_tiles = (taps + comptime!(tile_taps - 1)) / tile_taps;
    let first_tap = CUBE_POS_X as usize % tap_tiles * tile_taps;
    let first_filter = CUBE_POS_X as usize / tap_tiles * tile_filters;
    let group = CUBE_POS_Y as usize;
    let (replica, part) = (CUBE_POS_Z as usize / parts, CUBE_POS_Z as usize % parts);
    let positions = out_height * out_width;
    let end = min(batch * positions, (part + 1) * per_part);
    let unit = UNIT_POS_X as usize;
    let (own_filter, own_tap) = (unit / tap_units, unit % tap_units);
    let (depth, first_place) = (unit % DEPTH, unit / DEPTH);

    let mut start = part * per_part;
    while start < end {
        let item = start + depth;
        let sample = replica * batch + item / positions;
        let position = item % positions;
        let row = position / out_width * comptime!(stride[0]);
        let col = position % out_width * comptime!(stride[1]);
        let dy_at = (sample * groups + group) * filters * positions + position;
        let x_at = (sample % x_samples * groups + group) * channels * height * width;
        let mut place = first_place;
        while place < tile_filters {
            let inside = item < end && first_filter + place < filters;
            let at = dy_at + (first_filter + place) * positions;
            dy_tile[place * ROW + depth] = select(inside, dy[select(inside, at, 0)], 0.0f32);
            place += comptime!(units / DEPTH);
        }
        let mut place = first_place;
        while place < tile_taps {
            let tap = first_tap + place;
            let channel = tap / kernel_taps;
            let in_row = row + tap % kernel_taps / comptime!(kernel[1]) * comptime!(dilation[0]);
            let in_col = col + tap % comptime!(kernel[1]) * comptime!(dilation[1]);
            let inside = item < end
                && tap < taps
                && in_row >= before_y
                && in_row - before_y < height
                && in_col >= before_x
                && in_col - before_x < width;
            let at = x_at + (channel * height + in_row - before_y) * width + in_col - before_x;
            x_tile[place * ROW + depth] = select(inside, x[select(inside, at, 0)], 0.0f32);
            place += comptime!(units / DEPTH);
        }
        sync_cube();
        for depth in 0..DEPTH {
            let mut values = Array::<f32>::new(OWN);
            #[unroll]
            for t in 0..OWN {
                values[t] = x_tile[(own_tap + comptime!(t * tap_units)) * ROW + depth];
            }
            #[unroll]
            for f in 0..OWN {
                let slope = dy_tile[(own_filter + comptime!(f * filter_units)) * ROW + depth];
                #[unroll]
                for t in 0..OWN {
                    sums[comptime!(f * OWN + t)] += slope * values[t];
                }
            }
        }
        sync_cube();
        start += DEPTH;
    }

    #[unroll]
    for f in 0..OWN {
        let filter = first_filter + own_filter + comptime!(f * filter_units);
        #[unroll]
        for t in 0..OWN {
            let tap = first_tap + own_tap + comptime!(t * tap_units);
            if filter < filters && tap < taps {
                partials[((CUBE_POS_Z as usize * groups + group) * filters + filter) * taps + tap] =
                    sums[comptime!(f * OWN + t)];
            }
        }
    }
}

/// As [`weight_gradient`] where a group has few filters: cube = filter, grid = (filters of all groups, blocks of taps,
/// R x parts). Each unit adds up `FEW_TAPS` taps over every `FEW_UNITS`-th position, from global memory and its caches;
/// then the units are added up.
#[cube(launch, create_dummy_kernel)]
#[allow(clippy::too_many_arguments)]
pub fn weight_gradient_of_few(
    x: &[f32],
    dy: &[f32],
    partials: &mut [f32],
    batch: usize,
    x_samples: usize,
    groups: usize,
    channels: usize,
    filters: usize,
    height: usize,
    width: usize,
    out_height: usize,
    out_width: usize,
    before_y: usize,
    before_x: usize,
    parts: usize,
    per_part: usize,
    #[comptime] kernel: [usize; 2],
    #[comptime] stride: [usize; 2],
    #[comptime] dilation: [usize; 2],
) {
    let mut scratch = Shared::<[f32]>::new_slice(UNITS);
    let mut sums = Array::<f32>::new(FEW_TAPS);
    #[unroll]
    for i in 0..FEW_TAPS {
        sums[i] = 0.0f32;
    }
    let kernel_taps = comptime!(kernel[0] * kernel[1]);
    let taps = channels * kernel_taps;
    let (filter, first_tap) = (CUBE_POS_X as usize, CUBE_POS_Y as usize * FEW_TAPS);
    let group = filter / filters;
    let (replica, part) = (CUBE_POS_Z as usize / parts, CUBE_POS_Z as usize % parts);
    let positions = out_height * out_width;
    let end = min(batch * positions, (part + 1) * per_part);
    let unit = UNIT_POS_X as usize;

    let mut item = part * per_part + unit;
    while item < end {
        let sample = replica * batch + item / positions;
        let position = item % positions;
        let row = position / out_width * comptime!(stride[0]);
        let col = position % out_width * comptime!(stride[1]);
        let slope = dy[(sample * groups * filters + filter) * positions + position];
        let x_at = (sample % x_samples * groups + group) * channels * height * width;
        #[unroll]
        for i in 0..FEW_TAPS {
            let tap = first_tap + i;
            let channel = tap / kernel_taps;
            let in_row = row + tap % kernel_taps / comptime!(kernel[1]) * comptime!(dilation[0]);
            let in_col = col + tap % comptime!(kernel[1]) * comptime!(dilation[1]);
            let inside = tap < taps
                && in_row >= before_y
                && in_row - before_y < height
                && in_col >= before_x
                && in_col - before_x < width;
            let at = x_at + (channel * height + in_row - before_y) * width + in_col - before_x;
            sums[i] += slope * select(inside, x[select(inside, at, 0)], 0.0f32);
        }
        item += UNITS;
    }
    #[unroll]
    for i in 0..FEW_TAPS {
        let sum = cube_sum(&mut scratch, sums[i], unit);
        let tap = first_tap + i;
        if unit == 0 && tap < taps {
            partials[(CUBE_POS_Z as usize * groups * filters + filter) * taps + tap] = sum;
        }
    }
}
