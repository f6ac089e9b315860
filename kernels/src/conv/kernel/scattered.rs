//! The gradient of the input where tiles do not serve.

use cubecl::prelude::*;

/// `dx[s, c, p, q] = sum over o, u, v of w[r, o, c, u, v] dy[s, o', i, j]` over the outputs `(i, j)` that saw `(p, q)`
/// through a tap: one unit per value of `dx`, for any stride. No zeros are put between outputs, and nothing is added in
/// memory. Weights and outputs come through the caches.
#[cube(launch, create_dummy_kernel)]
#[allow(clippy::too_many_arguments)]
pub fn input_gradient(
    w: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    batch: usize,
    groups: usize,
    channels: usize,
    filters: usize,
    height: usize,
    width: usize,
    out_height: usize,
    out_width: usize,
    before_y: usize,
    before_x: usize,
    #[comptime] kernel: [usize; 2],
    #[comptime] stride: [usize; 2],
    #[comptime] dilation: [usize; 2],
) {
    let at = ABSOLUTE_POS;
    if at < dx.len() {
        let (row, col) = (at / width % height + before_y, at % width + before_x);
        let channel = at / (width * height) % channels;
        let group = at / (width * height * channels) % groups;
        let sample = at / (width * height * channels * groups);
        let taps = comptime!(kernel[0] * kernel[1]);
        let w_group = (sample / batch * groups + group) * filters;
        let mut sum = 0.0f32;
        for u in 0..comptime!(kernel[0]) {
            let seen_row = row - min(row, u * comptime!(dilation[0]));
            let out_row = seen_row / comptime!(stride[0]);
            let row_fits =
                row >= u * comptime!(dilation[0]) && seen_row % comptime!(stride[0]) == 0 && out_row < out_height;
            for v in 0..comptime!(kernel[1]) {
                let seen_col = col - min(col, v * comptime!(dilation[1]));
                let out_col = seen_col / comptime!(stride[1]);
                let fits = row_fits
                    && col >= v * comptime!(dilation[1])
                    && seen_col % comptime!(stride[1]) == 0
                    && out_col < out_width;
                if fits {
                    let mut w_at = (w_group * channels + channel) * taps + u * comptime!(kernel[1]) + v;
                    let mut dy_at = ((sample * groups + group) * filters * out_height + out_row) * out_width + out_col;
                    for _filter in 0..filters {
                        sum += w[w_at] * dy[dy_at];
                        w_at += channels * taps;
                        dy_at += out_height * out_width;
                    }
                }
            }
        }
        dx[at] = sum;
    }
}
