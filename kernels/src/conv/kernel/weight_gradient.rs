//! Gradients of the weights: long sums over batch and positions, cut into parts.

use super::pointwise::{UNITS, cube_sum};
use super::sizes::{ConvSizes, Movement, input_index, is_inside};
use cubecl::prelude::*;

/// Positions between two barriers of [`conv_weight_gradient`].
pub const BLOCK_K: usize = 32;
/// Filters and taps of one unit.
pub const TILE_PER_UNIT: usize = 4;
/// Taps that [`conv_weight_gradient_few`] adds up at a time.
pub const TAPS_PER_PASS: usize = 8;
/// Distance of rows in shared memory: neighbouring rows in neighbouring banks.
const PITCH: usize = BLOCK_K + 1;

/// Parts of a sum over the batch and positions of a replica.
#[derive(CubeType, CubeLaunch)]
pub struct Parts {
    pub parts: usize,
    pub per_part: usize,
}

/// Filters and taps of one cube, and the convolution that it differentiates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WeightTile {
    pub filters: usize,
    pub taps: usize,
    pub movement: Movement,
}

impl WeightTile {
    /// Units of a cube along the filters and along the taps.
    fn filter_units(&self) -> usize {
        self.filters / TILE_PER_UNIT
    }

    fn tap_units(&self) -> usize {
        self.taps / TILE_PER_UNIT
    }

    /// Units of a cube.
    pub fn units(&self) -> usize {
        self.filter_units() * self.tap_units()
    }
}

/// Where a cube begins, and where its part ends.
#[derive(CubeType)]
struct Origin {
    tap: usize,
    filter: usize,
    group: usize,
    replica: usize,
    /// Taps of one filter, and output positions of one sample.
    taps: usize,
    positions: usize,
    end: usize,
}

/// One output position of one sample.
#[derive(CubeType)]
struct Place {
    sample: usize,
    position: usize,
    /// Where the first tap reads, in the padded input.
    row: usize,
    col: usize,
    /// First value of the group in `x`.
    x: usize,
}

/// Partial sums, `[R, parts, O, taps]`, of `dw[r, o, (c, u, v)] = sum over b, i, j of dy[r, b, o, i, j] x[...]`: a product
/// whose right operand, the unfolded input, is read from the input itself. Cube = tile of filters and taps, grid = (tiles
/// of taps x tiles of filters, groups, R x parts).
///
/// Each value of `x` leaves global memory once per tile of filters and tap (mostly from the caches), each of `dy` once per
/// tile of taps. A unit stages the same position of every row, whose place it finds once.
#[cube(launch, create_dummy_kernel)]
pub fn conv_weight_gradient(
    x: &[f32],
    dy: &[f32],
    partials: &mut [f32],
    sizes: &ConvSizes,
    parts: &Parts,
    #[comptime] tile: WeightTile,
) {
    let mut dy_tile = Shared::<[f32]>::new_slice(comptime!(tile.filters * PITCH));
    let mut x_tile = Shared::<[f32]>::new_slice(comptime!(tile.taps * PITCH));
    let mut sums = Array::<f32>::new(comptime!(TILE_PER_UNIT * TILE_PER_UNIT));
    #[unroll]
    for i in 0..comptime!(TILE_PER_UNIT * TILE_PER_UNIT) {
        sums[i] = 0.0f32;
    }
    let part = CUBE_POS_Z as usize % parts.parts;
    let origin = origin(sizes, parts, part, tile);
    let unit = UNIT_POS_X as usize;
    let (own_filter, own_tap) = (unit / comptime!(tile.tap_units()), unit % comptime!(tile.tap_units()));

    let mut start = part * parts.per_part;
    while start < origin.end {
        let item = start + unit % BLOCK_K;
        let place = place(
            sizes,
            origin.group,
            origin.replica,
            origin.positions,
            item,
            comptime!(tile.movement),
        );
        stage_gradient(&mut dy_tile, dy, sizes, &origin, &place, item, tile);
        stage_input(&mut x_tile, x, sizes, &origin, &place, item, tile);
        sync_cube();
        for k in 0..BLOCK_K {
            multiply(&mut sums, &dy_tile, &x_tile, own_filter, own_tap, k, tile);
        }
        sync_cube();
        start += BLOCK_K;
    }

    #[unroll]
    for f in 0..TILE_PER_UNIT {
        let filter = origin.filter + own_filter + comptime!(f * tile.filter_units());
        #[unroll]
        for t in 0..TILE_PER_UNIT {
            let tap = origin.tap + own_tap + comptime!(t * tile.tap_units());
            if filter < sizes.filters && tap < origin.taps {
                let row = (CUBE_POS_Z as usize * sizes.groups + origin.group) * sizes.filters + filter;
                partials[row * origin.taps + tap] = sums[comptime!(f * TILE_PER_UNIT + t)];
            }
        }
    }
}

#[cube]
fn origin(sizes: &ConvSizes, parts: &Parts, part: usize, #[comptime] tile: WeightTile) -> Origin {
    let taps = sizes.channels * comptime!(tile.movement.taps());
    let tap_tiles = (taps + comptime!(tile.taps - 1)) / comptime!(tile.taps);
    let tap = CUBE_POS_X as usize % tap_tiles * comptime!(tile.taps);
    let filter = CUBE_POS_X as usize / tap_tiles * comptime!(tile.filters);
    let group = CUBE_POS_Y as usize;
    let replica = CUBE_POS_Z as usize / parts.parts;
    let positions = sizes.out_height * sizes.out_width;
    let end = min(sizes.batch * positions, (part + 1) * parts.per_part);
    Origin {
        tap,
        filter,
        group,
        replica,
        taps,
        positions,
        end,
    }
}

/// Output position `item` of those of all samples of a replica.
#[cube]
fn place(
    sizes: &ConvSizes,
    group: usize,
    replica: usize,
    positions: usize,
    item: usize,
    #[comptime] movement: Movement,
) -> Place {
    let sample = replica * sizes.batch + item / positions;
    let position = item % positions;
    let row = position / sizes.out_width * comptime!(movement.stride[0]);
    let col = position % sizes.out_width * comptime!(movement.stride[1]);
    let x = (sample % sizes.x_samples * sizes.groups + group) * sizes.channels * sizes.height * sizes.width;
    Place {
        sample,
        position,
        row,
        col,
        x,
    }
}

/// Copies one position of all filters of a tile to shared memory.
#[cube]
fn stage_gradient(
    dy_tile: &mut Shared<[f32]>,
    dy: &[f32],
    sizes: &ConvSizes,
    origin: &Origin,
    place: &Place,
    item: usize,
    #[comptime] tile: WeightTile,
) {
    let unit = UNIT_POS_X as usize;
    let first = (place.sample * sizes.groups + origin.group) * sizes.filters * origin.positions + place.position;
    let mut filter = unit / BLOCK_K;
    while filter < comptime!(tile.filters) {
        let inside = item < origin.end && origin.filter + filter < sizes.filters;
        let at = first + (origin.filter + filter) * origin.positions;
        dy_tile[filter * PITCH + unit % BLOCK_K] = select(inside, dy[select(inside, at, 0)], 0.0f32);
        filter += comptime!(tile.units() / BLOCK_K);
    }
}

/// Copies what all taps of a tile read for one position to shared memory.
#[cube]
fn stage_input(
    x_tile: &mut Shared<[f32]>,
    x: &[f32],
    sizes: &ConvSizes,
    origin: &Origin,
    place: &Place,
    item: usize,
    #[comptime] tile: WeightTile,
) {
    let unit = UNIT_POS_X as usize;
    let mut tap = unit / BLOCK_K;
    while tap < comptime!(tile.taps) {
        let from = origin.tap + tap;
        let is_used = item < origin.end && from < origin.taps;
        x_tile[tap * PITCH + unit % BLOCK_K] = unfolded(x, sizes, place, from, is_used, comptime!(tile.movement));
        tap += comptime!(tile.units() / BLOCK_K);
    }
}

/// The value of `x` that a tap reads for an output position, if it is used at all; 0 outside the input.
#[cube]
fn unfolded(
    x: &[f32],
    sizes: &ConvSizes,
    place: &Place,
    tap: usize,
    is_used: bool,
    #[comptime] movement: Movement,
) -> f32 {
    let (kernel, dilation) = comptime!((movement.kernel, movement.dilation));
    let kernel_taps = comptime!(movement.taps());
    let channel = tap / kernel_taps;
    let row = place.row + tap % kernel_taps / comptime!(kernel[1]) * comptime!(dilation[0]);
    let col = place.col + tap % comptime!(kernel[1]) * comptime!(dilation[1]);
    // Not in one expression: a call behind `&&` becomes a branch.
    let on_input = is_inside(sizes, row, col);
    let inside = is_used && on_input;
    let at = input_index(sizes, place.x, channel, row, col);
    select(inside, x[select(inside, at, 0)], 0.0f32)
}

/// Adds the products of one position to the sums of a unit.
#[cube]
fn multiply(
    sums: &mut Array<f32>,
    dy_tile: &Shared<[f32]>,
    x_tile: &Shared<[f32]>,
    own_filter: usize,
    own_tap: usize,
    k: usize,
    #[comptime] tile: WeightTile,
) {
    let mut values = Array::<f32>::new(TILE_PER_UNIT);
    #[unroll]
    for t in 0..TILE_PER_UNIT {
        values[t] = x_tile[(own_tap + comptime!(t * tile.tap_units())) * PITCH + k];
    }
    #[unroll]
    for f in 0..TILE_PER_UNIT {
        let slope = dy_tile[(own_filter + comptime!(f * tile.filter_units())) * PITCH + k];
        #[unroll]
        for t in 0..TILE_PER_UNIT {
            sums[comptime!(f * TILE_PER_UNIT + t)] += slope * values[t];
        }
    }
}

/// As [`conv_weight_gradient`] where a group has few filters: cube = filter, grid = (filters of all groups, blocks of taps,
/// R x parts). Each unit adds up `TAPS_PER_PASS` taps over every `UNITS`-th position, from global memory and its caches;
/// then the units are added up.
#[cube(launch, create_dummy_kernel)]
pub fn conv_weight_gradient_few(
    x: &[f32],
    dy: &[f32],
    partials: &mut [f32],
    sizes: &ConvSizes,
    parts: &Parts,
    #[comptime] movement: Movement,
) {
    let mut scratch = Shared::<[f32]>::new_slice(UNITS);
    let mut sums = Array::<f32>::new(TAPS_PER_PASS);
    #[unroll]
    for i in 0..TAPS_PER_PASS {
        sums[i] = 0.0f32;
    }
    let taps = sizes.channels * comptime!(movement.taps());
    let (filter, first_tap) = (CUBE_POS_X as usize, CUBE_POS_Y as usize * TAPS_PER_PASS);
    let (replica, part) = (CUBE_POS_Z as usize / parts.parts, CUBE_POS_Z as usize % parts.parts);
    let positions = sizes.out_height * sizes.out_width;
    let end = min(sizes.batch * positions, (part + 1) * parts.per_part);
    let group = filter / sizes.filters;
    let unit = UNIT_POS_X as usize;

    let mut item = part * parts.per_part + unit;
    while item < end {
        let place = place(sizes, group, replica, positions, item, movement);
        let slope = dy[(place.sample * sizes.groups * sizes.filters + filter) * positions + place.position];
        #[unroll]
        for i in 0..TAPS_PER_PASS {
            let tap = first_tap + i;
            sums[i] += slope * unfolded(x, sizes, &place, tap, tap < taps, movement);
        }
        item += UNITS;
    }
    #[unroll]
    for i in 0..TAPS_PER_PASS {
        let sum = cube_sum(&mut scratch, sums[i], unit);
        let tap = first_tap + i;
        if unit == 0 && tap < taps {
            partials[(CUBE_POS_Z as usize * sizes.groups * sizes.filters + filter) * taps + tap] = sum;
        }
    }
}
