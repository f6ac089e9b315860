//! One filter per group (depthwise): a product with one row would spend its time on unfolding, so
//! each tap adds a scaled row of the input in place.

use super::Geometry;
use super::native::{Sizes, runs, taps};
use crate::native::sum_of;

/// Calls `run(tap index, first output, plane and first input, count)` for every row of every tap.
fn rows(g: &Geometry, sizes: &Sizes, mut run: impl FnMut(usize, usize, usize, usize)) {
    for (index, (channel, tap)) in taps(g, sizes.channels_per_group).enumerate() {
        runs(g, tap, &(0..sizes.positions), |at, from, count| {
            run(index, at, channel * sizes.plane + from, count);
        });
    }
}

/// Adds the convolution of one group to `y`.
pub(super) fn forward(g: &Geometry, sizes: &Sizes, x: &[f32], filter: &[f32], y: &mut [f32]) {
    let stride = g.options.stride[1];
    rows(g, sizes, |tap, at, from, count| {
        let (weight, y) = (filter[tap], &mut y[at..at + count]);
        if stride == 1 {
            for (y, x) in y.iter_mut().zip(&x[from..from + count]) {
                *y += weight * x;
            }
        } else {
            for (y, x) in y.iter_mut().zip(x[from..].iter().step_by(stride)) {
                *y += weight * x;
            }
        }
    });
}

/// Adds the gradient of one group of the input to `dx`.
pub(super) fn input_gradient(g: &Geometry, sizes: &Sizes, filter: &[f32], dy: &[f32], dx: &mut [f32]) {
    let stride = g.options.stride[1];
    rows(g, sizes, |tap, at, from, count| {
        let (weight, dy) = (filter[tap], &dy[at..at + count]);
        if stride == 1 {
            for (dx, dy) in dx[from..from + count].iter_mut().zip(dy) {
                *dx += weight * dy;
            }
        } else {
            for (dx, dy) in dx[from..].iter_mut().step_by(stride).zip(dy) {
                *dx += weight * dy;
            }
        }
    });
}

/// Adds the gradient of the filter of one group to `dw`.
pub(super) fn weight_gradient(g: &Geometry, sizes: &Sizes, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let stride = g.options.stride[1];
    rows(g, sizes, |tap, at, from, count| {
        let dy = &dy[at..at + count];
        dw[tap] += if stride == 1 {
            sum_of(&x[from..from + count], dy, |x, dy| x * dy)
        } else {
            let x = x[from..].iter().step_by(stride);
            x.zip(dy).map(|(x, dy)| x * dy).sum()
        };
    });
}
