//! The forward kernel.

use super::Blueprint;
use super::arguments::{Frames, Points, StftSizes, Tables, points};
use super::frames::{filtered, load, powers, read_bin};
use cubecl::prelude::*;

/// Spectra of some frames of one signal: grid = (groups of frames, signals).
///
/// The signal is read once (but for the overlap of two cubes), the result written once, in runs of as many frames as the
/// cube holds.
#[cube(launch, create_dummy_kernel)]
pub fn stft_analysis(x: &[f32], tables: &Tables, out: &mut [f32], sizes: &StftSizes, #[comptime] plan: Blueprint) {
    let mut points = points(plan);
    let signal = (CUBE_POS_Z * CUBE_COUNT_Y + CUBE_POS_Y) as usize;
    let lanes = comptime!(plan.frames_per_cube);
    let first = CUBE_POS_X as usize * lanes;
    if signal < sizes.signals {
        let at = Frames { signal, first };
        load(x, tables, &mut points, &at, sizes, plan);
        if comptime!(plan.filters > 0) {
            write_filtered(out, &mut points, tables, &at, sizes, plan);
        } else {
            write_bins(out, &mut points, tables, &at, sizes, plan);
        }
    }
}

/// Writes the filtered powers, or their logarithms.
#[cube]
fn write_filtered(
    out: &mut [f32],
    points: &mut Points,
    tables: &Tables,
    at: &Frames,
    sizes: &StftSizes,
    #[comptime] plan: Blueprint,
) {
    let lane = UNIT_POS_X as usize % comptime!(plan.frames_per_cube);
    let frame = at.first + lane;
    let mut row = UNIT_POS_X as usize / comptime!(plan.frames_per_cube);
    let mut power = Shared::<[f32]>::new_slice(comptime!(plan.powers()));
    powers(&mut power, points, tables, plan);
    while row < comptime!(plan.filters) {
        let mut value = filtered(&power, tables, row, lane, plan);
        if comptime!(plan.logarithm) {
            value = sizes.log_scale * max(value, sizes.floor).ln();
        }
        if frame < sizes.frames {
            let at = (at.signal * comptime!(plan.filters) + row) * sizes.frames + frame;
            out[at] = value;
        }
        row += comptime!(plan.groups());
    }
}

/// Writes the complex bins, or what they are reduced to.
#[cube]
fn write_bins(
    out: &mut [f32],
    points: &mut Points,
    tables: &Tables,
    at: &Frames,
    sizes: &StftSizes,
    #[comptime] plan: Blueprint,
) {
    let lane = UNIT_POS_X as usize % comptime!(plan.frames_per_cube);
    let frame = at.first + lane;
    let mut row = UNIT_POS_X as usize / comptime!(plan.frames_per_cube);
    let mut bin = Array::<f32>::new(2usize);
    while row < comptime!(plan.bins()) {
        read_bin(&mut bin, points, tables, row, lane, plan);
        let at = (at.signal * comptime!(plan.bins()) + row) * sizes.frames + frame;
        if comptime!(plan.complex) {
            let at_edge = row == 0 || 2 * row == comptime!(plan.n_fft);
            let factor = select(at_edge, sizes.edge, sizes.interior);
            if frame < sizes.frames {
                let at = 2 * at;
                out[at] = factor * bin[0];
                out[at + 1] = factor * bin[1];
            }
        } else {
            let mut value = bin[0] * bin[0] + bin[1] * bin[1];
            if comptime!(plan.magnitude) {
                value = value.sqrt();
            }
            if comptime!(plan.logarithm) {
                value = sizes.log_scale * max(value, sizes.floor).ln();
            }
            if frame < sizes.frames {
                out[at] = value;
            }
        }
        row += comptime!(plan.groups());
    }
}
