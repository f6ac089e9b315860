//! The convolution from tiles in shared memory.

use super::pointwise::activate;
use super::sizes::{ConvSizes, Movement, input_index, is_inside};
use crate::conv::Activation;
use cubecl::prelude::*;

/// The part of the output that one cube makes, fixed when the kernel is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Filters and positions of one unit.
    pub filters: usize,
    pub positions: usize,
    /// Units along the filters and along the positions of a cube.
    pub filter_units: usize,
    pub lanes: usize,
    /// Rows and columns of output positions of a cube; their product is that of `positions` and `lanes`.
    pub rows: usize,
    pub cols: usize,
    /// Channels staged at a time.
    pub channels: usize,
    pub movement: Movement,
    /// Whether taps run backwards: the gradient of the input at stride 1.
    pub flipped: bool,
}

impl Tile {
    /// Units of a cube.
    pub fn units(&self) -> usize {
        self.filter_units * self.lanes
    }

    /// Filters of a cube.
    pub fn cube_filters(&self) -> usize {
        self.filters * self.filter_units
    }

    /// Rows and columns of the input under a cube.
    pub fn patch(&self) -> [usize; 2] {
        let (outputs, by) = ([self.rows, self.cols], self.movement);
        [0, 1].map(|axis| (outputs[axis] - 1) * by.stride[axis] + by.dilation[axis] * (by.kernel[axis] - 1) + 1)
    }

    /// Columns of one phase of the horizontal stride.
    pub fn phase_cols(&self) -> usize {
        self.patch()[1].div_ceil(self.phases())
    }

    /// Phases of the horizontal stride.
    pub fn phases(&self) -> usize {
        self.movement.stride[1]
    }

    /// Values of one channel of the input in shared memory.
    pub fn plane(&self) -> usize {
        self.patch()[0] * self.phases() * self.phase_cols()
    }

    /// Values of one channel, with its weights.
    pub fn channel(&self) -> usize {
        self.plane() + self.movement.taps() * self.cube_filters()
    }
}

/// Strides of the weights as the kernel reads them, and inputs skipped before the first.
#[derive(CubeType, CubeLaunch)]
pub struct Filters {
    /// `position + skip - before` is where the first tap reads.
    pub skip_y: usize,
    pub skip_x: usize,
    /// Weights from one filter to the next, and from one channel to the next.
    pub filter_stride: usize,
    pub channel_stride: usize,
}

/// Where a cube begins.
#[derive(CubeType)]
struct Origin {
    /// Place of a unit along the positions and along the filters.
    lane: usize,
    own: usize,
    row: usize,
    col: usize,
    group: usize,
    filter: usize,
    sample: usize,
    replica: usize,
    /// First value of the group in `x`, and its first weight in `w`.
    x: usize,
    w: usize,
}

/// `y[s, o, i, j] = bias[r, o] + sum over c, u, v of w[r, o, c, u, v] x[s, c', ...]` under the activation, for the samples
/// `s = (r, b)` of `[R, B, ...]`: cube = tile of filters and positions of one sample, grid = (tiles of positions, groups x
/// tiles of filters, samples).
///
/// Input tile and weights are staged in shared memory, some channels at a time: each value of `x` leaves global memory
/// once per tile of filters, plus the reach of the filter between tiles. The columns of a tile are stored by phase of the
/// stride, and the positions of a unit lie `lanes` apart, so that neighbouring units read neighbouring banks; all units of
/// a warp read the same weights. Flipped, it is the gradient of the input at stride 1: filters and channels of `w` are
/// exchanged by their strides, and its taps run backwards.
#[cube(launch, create_dummy_kernel)]
pub fn conv_direct(
    x: &[f32],
    w: &[f32],
    bias: &[f32],
    y: &mut [f32],
    sizes: &ConvSizes,
    by: &Filters,
    #[comptime] tile: Tile,
    #[comptime] activation: Activation,
) {
    let taps = comptime!(tile.movement.taps());
    let mut x_tile = Shared::<[f32]>::new_slice(comptime!(tile.channels * tile.plane()));
    let mut w_tile = Shared::<[f32]>::new_slice(comptime!(tile.channels * taps * tile.cube_filters()));
    let origin = origin(sizes, tile);

    let mut places = Array::<usize>::new(comptime!(tile.positions));
    #[unroll]
    for i in 0..comptime!(tile.positions) {
        let place = origin.lane + comptime!(i * tile.lanes);
        places[i] = place / comptime!(tile.cols)
            * comptime!(tile.movement.stride[0] * tile.phases() * tile.phase_cols())
            + place % comptime!(tile.cols);
    }
    let mut sums = Array::<f32>::new(comptime!(tile.filters * tile.positions));
    #[unroll]
    for i in 0..comptime!(tile.filters * tile.positions) {
        sums[i] = 0.0f32;
    }

    let mut first_channel = 0usize;
    while first_channel < sizes.channels {
        let count = min(comptime!(tile.channels), sizes.channels - first_channel);
        stage_input(&mut x_tile, x, sizes, by, &origin, first_channel, count, tile);
        stage_weights(&mut w_tile, w, sizes, by, &origin, first_channel, count, tile);
        sync_cube();
        for channel in 0..count {
            multiply(&mut sums, &x_tile, &w_tile, &places, channel, origin.own, tile);
        }
        sync_cube();
        first_channel += comptime!(tile.channels);
    }
    store(y, &sums, bias, sizes, &origin, tile, activation);
}

#[cube]
fn origin(sizes: &ConvSizes, #[comptime] tile: Tile) -> Origin {
    let cube_filters = comptime!(tile.cube_filters());
    let unit = UNIT_POS_X as usize;
    let (lane, own) = (unit % comptime!(tile.lanes), unit / comptime!(tile.lanes));
    let col_tiles = (sizes.out_width + comptime!(tile.cols - 1)) / comptime!(tile.cols);
    let row = CUBE_POS_X as usize / col_tiles * comptime!(tile.rows);
    let col = CUBE_POS_X as usize % col_tiles * comptime!(tile.cols);
    let filter_tiles = (sizes.filters + comptime!(cube_filters - 1)) / cube_filters;
    let group = CUBE_POS_Y as usize / filter_tiles;
    let filter = CUBE_POS_Y as usize % filter_tiles * cube_filters;
    let sample = CUBE_POS_Z as usize;
    let replica = sample / sizes.batch;
    let x = (sample % sizes.x_samples * sizes.groups + group) * sizes.channels * sizes.height * sizes.width;
    let taps = comptime!(tile.movement.taps());
    let w = (replica * sizes.groups + group) * sizes.channels * sizes.filters * taps;
    Origin {
        lane,
        own,
        row,
        col,
        group,
        filter,
        sample,
        replica,
        x,
        w,
    }
}

/// Copies the patches of `count` channels to shared memory, by phase of the stride.
#[cube]
fn stage_input(
    x_tile: &mut Shared<[f32]>,
    x: &[f32],
    sizes: &ConvSizes,
    by: &Filters,
    origin: &Origin,
    first_channel: usize,
    count: usize,
    #[comptime] tile: Tile,
) {
    let (patch_rows, patch_cols) = (comptime!(tile.patch()[0]), comptime!(tile.patch()[1]));
    let (phase_cols, phases) = (comptime!(tile.phase_cols()), comptime!(tile.phases()));
    let mut place = UNIT_POS_X as usize;
    while place < count * comptime!(patch_rows * patch_cols) {
        let channel = place / comptime!(patch_rows * patch_cols);
        let (row, col) = (place / patch_cols % patch_rows, place % patch_cols);
        let in_row = origin.row * comptime!(tile.movement.stride[0]) + row + by.skip_y;
        let in_col = origin.col * comptime!(tile.movement.stride[1]) + col + by.skip_x;
        let inside = is_inside(sizes, in_row, in_col);
        let at = input_index(sizes, origin.x, first_channel + channel, in_row, in_col);
        let to = ((channel * patch_rows + row) * phases + col % phases) * phase_cols + col / phases;
        x_tile[to] = select(inside, x[select(inside, at, 0)], 0.0f32);
        place += comptime!(tile.units());
    }
}

/// Copies the weights of `count` channels to shared memory, filters side by side.
#[cube]
fn stage_weights(
    w_tile: &mut Shared<[f32]>,
    w: &[f32],
    sizes: &ConvSizes,
    by: &Filters,
    origin: &Origin,
    first_channel: usize,
    count: usize,
    #[comptime] tile: Tile,
) {
    let taps = comptime!(tile.movement.taps());
    let cube_filters = comptime!(tile.cube_filters());
    let mut place = UNIT_POS_X as usize;
    while place < count * comptime!(taps * cube_filters) {
        // Neighbouring units read neighbouring taps.
        let (filter, rest) = (place / (count * taps), place % (count * taps));
        let (channel, tap) = (rest / taps, rest % taps);
        let from = if comptime!(tile.flipped) {
            comptime!(taps - 1) - tap
        } else {
            tap
        };
        let inside = origin.filter + filter < sizes.filters;
        let at = origin.w
            + (origin.filter + filter) * by.filter_stride
            + (first_channel + channel) * by.channel_stride
            + from;
        w_tile[rest * cube_filters + filter] = select(inside, w[select(inside, at, 0)], 0.0f32);
        place += comptime!(tile.units());
    }
}

/// Adds the products of one channel to the sums of a unit.
#[cube]
fn multiply(
    sums: &mut Array<f32>,
    x_tile: &Shared<[f32]>,
    w_tile: &Shared<[f32]>,
    places: &Array<usize>,
    channel: usize,
    own: usize,
    #[comptime] tile: Tile,
) {
    let (kernel, dilation) = comptime!((tile.movement.kernel, tile.movement.dilation));
    let (phase_cols, phases) = (comptime!(tile.phase_cols()), comptime!(tile.phases()));
    for u in 0..comptime!(kernel[0]) {
        for v in 0..comptime!(kernel[1]) {
            let col = v * comptime!(dilation[1]);
            let row = channel * comptime!(tile.patch()[0]) + u * comptime!(dilation[0]);
            let at = (row * phases + col % phases) * phase_cols + col / phases;
            let w_from = ((channel * comptime!(kernel[0]) + u) * comptime!(kernel[1]) + v)
                * comptime!(tile.cube_filters())
                + own * comptime!(tile.filters);
            let mut values = Array::<f32>::new(comptime!(tile.positions));
            #[unroll]
            for i in 0..comptime!(tile.positions) {
                values[i] = x_tile[at + places[i]];
            }
            #[unroll]
            for j in 0..comptime!(tile.filters) {
                let weight = w_tile[w_from + j];
                #[unroll]
                for i in 0..comptime!(tile.positions) {
                    sums[comptime!(j * tile.positions + i)] += weight * values[i];
                }
            }
        }
    }
}

/// Adds the bias to the sums of a unit and writes them under the activation.
#[cube]
fn store(
    y: &mut [f32],
    sums: &Array<f32>,
    bias: &[f32],
    sizes: &ConvSizes,
    origin: &Origin,
    #[comptime] tile: Tile,
    #[comptime] activation: Activation,
) {
    #[unroll]
    for j in 0..comptime!(tile.filters) {
        let filter = origin.filter + origin.own * comptime!(tile.filters) + j;
        let channel = origin.group * sizes.filters + filter;
        let offset = bias[select(
            filter < sizes.filters,
            origin.replica * sizes.groups * sizes.filters + channel,
            0,
        )];
        #[unroll]
        for i in 0..comptime!(tile.positions) {
            let place = origin.lane + comptime!(i * tile.lanes);
            let (row, col) = (
                origin.row + place / comptime!(tile.cols),
                origin.col + place % comptime!(tile.cols),
            );
            let value = activate(sums[comptime!(j * tile.positions + i)] + offset, activation);
            if filter < sizes.filters && row < sizes.out_height && col < sizes.out_width {
                y[((origin.sample * sizes.groups * sizes.filters + channel) * sizes.out_height + row)
                    * sizes.out_width
                    + col] = value;
            }
        }
    }
}
