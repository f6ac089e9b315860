//! The gradient of the input where tiles do not serve.

use super::sizes::{ConvSizes, Movement};
use cubecl::prelude::*;

/// `dx[s, c, p, q] = sum over o, u, v of w[r, o, c, u, v] dy[s, o', i, j]` over the outputs `(i, j)` that saw `(p, q)`
/// through a tap: one unit per value of `dx`, for any stride. No zeros are put between outputs, and nothing is added in
/// memory. Weights and outputs come through the caches.
#[cube(launch, create_dummy_kernel)]
pub fn conv_input_gradient(w: &[f32], dy: &[f32], dx: &mut [f32], sizes: &ConvSizes, #[comptime] by: Movement) {
    let at = ABSOLUTE_POS;
    if at < dx.len() {
        let (row, col) = (
            at / sizes.width % sizes.height + sizes.before_y,
            at % sizes.width + sizes.before_x,
        );
        let channel = at / (sizes.width * sizes.height) % sizes.channels;
        let group = at / (sizes.width * sizes.height * sizes.channels) % sizes.groups;
        let sample = at / (sizes.width * sizes.height * sizes.channels * sizes.groups);
        let taps = comptime!(by.kernel[0] * by.kernel[1]);
        let w_group = (sample / sizes.batch * sizes.groups + group) * sizes.filters;
        let mut sum = 0.0f32;
        for u in 0..comptime!(by.kernel[0]) {
            let seen_row = row - min(row, u * comptime!(by.dilation[0]));
            let out_row = seen_row / comptime!(by.stride[0]);
            let row_fits = row >= u * comptime!(by.dilation[0])
                && seen_row % comptime!(by.stride[0]) == 0
                && out_row < sizes.out_height;
            for v in 0..comptime!(by.kernel[1]) {
                let seen_col = col - min(col, v * comptime!(by.dilation[1]));
                let out_col = seen_col / comptime!(by.stride[1]);
                let fits = row_fits
                    && col >= v * comptime!(by.dilation[1])
                    && seen_col % comptime!(by.stride[1]) == 0
                    && out_col < sizes.out_width;
                if fits {
                    let mut w_at = (w_group * sizes.channels + channel) * taps + u * comptime!(by.kernel[1]) + v;
                    let mut dy_at = ((sample * sizes.groups + group) * sizes.filters * sizes.out_height + out_row)
                        * sizes.out_width
                        + out_col;
                    for _filter in 0..sizes.filters {
                        sum += w[w_at] * dy[dy_at];
                        w_at += sizes.channels * taps;
                        dy_at += sizes.out_height * sizes.out_width;
                    }
                }
            }
        }
        dx[at] = sum;
    }
}
