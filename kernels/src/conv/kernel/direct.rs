//! The convolution from tiles in shared memory.

use super::pointwise::activate;
use crate::conv::Activation;
use cubecl::prelude::*;

/// What is fixed when the kernel is compiled.
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
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
}

impl Tile {
    /// Units of a cube.
    pub fn units(&self) -> usize {
        self.filter_units * self.lanes
    }

    /// Filters of a cube.
    pub fn all_filters(&self) -> usize {
        self.filters * self.filter_units
    }

    /// Rows and columns of the input under a cube.
    pub fn patch(&self) -> [usize; 2] {
        let outputs = [self.rows, self.cols];
        [0, 1].map(|axis| (outputs[axis] - 1) * self.stride[axis] + self.dilation[axis] * (self.kernel[axis] - 1) + 1)
    }

    /// Columns of one phase of the horizontal stride.
    pub fn phase(&self) -> usize {
        self.patch()[1].div_ceil(self.stride[1])
    }

    /// Values of one channel of the input in shared memory.
    pub fn plane(&self) -> usize {
        self.patch()[0] * self.stride[1] * self.phase()
    }

    /// Values of one channel, with its weights.
    pub fn channel(&self) -> usize {
        self.plane() + self.kernel[0] * self.kernel[1] * self.all_filters()
    }
}

/// `y[s, o, i, j] = bias[r, o] + sum over c, u, v of w[r, o, c, u, v] x[s, c', ...]` under the activation, for the samples
/// `s = (r, b)` of `[R, B, ...]`: cube = tile of filters and positions of one sample, grid = (tiles of positions, groups x
/// tiles of filters, samples).
///
/// Input tile and weights are staged in shared memory, some channels at a time: each value of `x` leaves global memory
/// once per tile of filters, plus the reach of the filter between tiles. The columns of a tile are stored by phase of the
/// stride, and the positions of a unit lie `lanes` apart, so that neighbouring units read neighbouring banks; all units of
/// a warp read the same weights. `flipped` makes it the gradient of the input at stride 1: filters and channels of `w`
/// are exchanged by their strides, and its taps run backwards. `position + skip - before` is where the first tap reads.
///
/// With `moments`, each cube also writes count, mean and sum of squared deviations of each of its channels to
/// `partials: [samples, tiles of positions, O, 3]`.
#[cube(launch, create_dummy_kernel)]
#[allow(clippy::too_many_arguments)]
pub fn correlate(
    x: &[f32],
    w: &[f32],
    bias: &[f32],
    y: &mut [f32],
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
    skip_y: usize,
    skip_x: usize,
    w_filter: usize,
    w_channel: usize,
    #[comptime] tile: Tile,
    #[comptime] flipped: bool,
    #[comptime] activation: Activation,
    #[comptime] moments: bool,
) {
    let plane = comptime!(tile.plane());
    let taps = comptime!(tile.kernel[0] * tile.kernel[1]);
    let cube_filters = comptime!(tile.all_filters());
    let units = comptime!(tile.units());
    let (patch_rows, patch_cols) = (comptime!(tile.patch()[0]), comptime!(tile.patch()[1]));
    let (phase_cols, phases) = (comptime!(tile.phase()), comptime!(tile.stride[1]));
    let mut x_tile = Shared::<[f32]>::new_slice(comptime!(tile.channels * plane));
    let mut w_tile = Shared::<[f32]>::new_slice(comptime!(tile.channels * taps * cube_filters));

    let unit = UNIT_POS_X as usize;
    let (lane, own) = (unit % comptime!(tile.lanes), unit / comptime!(tile.lanes));
    let col_tiles = (out_width + comptime!(tile.cols - 1)) / comptime!(tile.cols);
    let first_row = CUBE_POS_X as usize / col_tiles * comptime!(tile.rows);
    let first_col = CUBE_POS_X as usize % col_tiles * comptime!(tile.cols);
    let filter_tiles = (filters + comptime!(cube_filters - 1)) / cube_filters;
    let group = CUBE_POS_Y as usize / filter_tiles;
    let first_filter = CUBE_POS_Y as usize % filter_tiles * cube_filters;
    let sample = CUBE_POS_Z as usize;
    let replica = sample / batch;
    let x_at = (sample % x_samples * groups + group) * channels * height * width;
    let w_at = (replica * groups + group) * channels * filters * taps;

    let mut places = Array::<usize>::new(comptime!(tile.positions));
    #[unroll]
    for i in 0..comptime!(tile.positions) {
        let place = lane + comptime!(i * tile.lanes);
        places[i] = place / comptime!(tile.cols) * comptime!(tile.stride[0] * phases * phase_cols)
            + place % comptime!(tile.cols);
    }
    let mut sums = Array::<f32>::new(comptime!(tile.filters * tile.positions));
    #[unroll]
    for i in 0..comptime!(tile.filters * tile.positions) {
        sums[i] = 0.0f32;
    }

    let mut first_channel = 0usize;
    while first_channel < channels {
        let count = min(comptime!(tile.channels), channels - first_channel);
        let mut place = unit;
        while place < count * comptime!(patch_rows * patch_cols) {
            let channel = place / comptime!(patch_rows * patch_cols);
            let (row, col) = (place / patch_cols % patch_rows, place % patch_cols);
            let in_row = first_row * comptime!(tile.stride[0]) + row + skip_y;
            let in_col = first_col * comptime!(tile.stride[1]) + col + skip_x;
            let inside =
                in_row >= before_y && in_row - before_y < height && in_col >= before_x && in_col - before_x < width;
            let at = x_at + ((first_channel + channel) * height + in_row - before_y) * width + in_col - before_x;
            let to = ((channel * patch_rows + row) * phases + col % phases) * phase_cols + col / phases;
            x_tile[to] = select(inside, x[select(inside, at, 0)], 0.0f32);
            place += units;
        }
        let mut place = unit;
        while place < count * comptime!(taps * cube_filters) {
            // Neighbouring units read neighbouring taps.
            let (filter, rest) = (place / (count * taps), place % (count * taps));
            let (channel, tap) = (rest / taps, rest % taps);
            let from = if comptime!(flipped) {
                comptime!(taps - 1) - tap
            } else {
                tap
            };
            let inside = first_filter + filter < filters;
            let at = w_at + (first_filter + filter) * w_filter + (first_channel + channel) * w_channel + from;
            w_tile[rest * cube_filters + filter] = select(inside, w[select(inside, at, 0)], 0.0f32);
            place += units;
        }
        sync_cube();
        for channel in 0..count {
            for u in 0..comptime!(tile.kernel[0]) {
                for v in 0..comptime!(tile.kernel[1]) {
                    let col = v * comptime!(tile.dilation[1]);
                    let row = channel * patch_rows + u * comptime!(tile.dilation[0]);
                    let at = (row * phases + col % phases) * phase_cols + col / phases;
                    let w_from = ((channel * comptime!(tile.kernel[0]) + u) * comptime!(tile.kernel[1]) + v)
                        * cube_filters
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
        sync_cube();
        first_channel += comptime!(tile.channels);
    }

    #[unroll]
    for j in 0..comptime!(tile.filters) {
        let filter = first_filter + own * comptime!(tile.filters) + j;
        let channel = group * filters + filter;
        let offset = bias[select(filter < filters, replica * groups * filters + channel, 0)];
        #[unroll]
        for i in 0..comptime!(tile.positions) {
            let place = lane + comptime!(i * tile.lanes);
            let (row, col) = (
                first_row + place / comptime!(tile.cols),
                first_col + place % comptime!(tile.cols),
            );
            let value = activate(sums[comptime!(j * tile.positions + i)] + offset, activation);
            sums[comptime!(j * tile.positions + i)] = value;
            if filter < filters && row < out_height && col < out_width {
                y[((sample * groups * filters + channel) * out_height + row) * out_width + col] = value;
            }
        }
    }

    if comptime!(moments) {
        let rows = min(comptime!(tile.rows), out_height - first_row);
        let cols = min(comptime!(tile.cols), out_width - first_col);
        let scale = 1.0f32 / (rows * cols) as f32;
        let mut scratch = Shared::<[f32]>::new_slice(units);
        #[unroll]
        for j in 0..comptime!(tile.filters) {
            let mut sum = 0.0f32;
            #[unroll]
            for i in 0..comptime!(tile.positions) {
                let place = lane + comptime!(i * tile.lanes);
                let inside = place / comptime!(tile.cols) < rows && place % comptime!(tile.cols) < cols;
                sum += select(inside, sums[comptime!(j * tile.positions + i)], 0.0f32);
            }
            let mean = lanes_sum(&mut scratch, sum, unit, lane, tile) * scale;
            let mut squares = 0.0f32;
            #[unroll]
            for i in 0..comptime!(tile.positions) {
                let place = lane + comptime!(i * tile.lanes);
                let inside = place / comptime!(tile.cols) < rows && place % comptime!(tile.cols) < cols;
                let deviation = sums[comptime!(j * tile.positions + i)] - mean;
                squares += select(inside, deviation * deviation, 0.0f32);
            }
            let squares = lanes_sum(&mut scratch, squares, unit, lane, tile);
            let filter = first_filter + own * comptime!(tile.filters) + j;
            if lane == 0 && filter < filters {
                let tiles = col_tiles * ((out_height + comptime!(tile.rows - 1)) / comptime!(tile.rows));
                let part = (sample * tiles + CUBE_POS_X as usize) * groups * filters + group * filters + filter;
                partials[part * 3] = (rows * cols) as f32;
                partials[part * 3 + 1] = mean;
                partials[part * 3 + 2] = squares;
            }
        }
    }
}

/// The sum over the lanes of each row of units, halves added to halves: a fixed order.
#[cube]
fn lanes_sum(scratch: &mut Shared<[f32]>, value: f32, unit: usize, lane: usize, #[comptime] tile: Tile) -> f32 {
    scratch[unit] = value;
    sync_cube();
    let mut half = comptime!(tile.lanes / 2).runtime();
    while half > 0 {
        if lane < half {
            let other = scratch[unit + half];
            scratch[unit] += other;
        }
        sync_cube();
        half /= 2;
    }
    let sum = scratch[unit - lane];
    sync_cube();
    sum
}
