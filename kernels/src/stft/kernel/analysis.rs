//! The forward kernel.

use super::Shape;
use super::frames::{filtered, load, powers, read_bin};
use cubecl::prelude::*;

/// Spectra of some frames of one signal: grid = (groups of frames, signals).
///
/// The signal is read once (but for the overlap of two cubes), the result written once, in runs of as many frames as the
/// cube has lanes.
#[cube(launch, create_dummy_kernel)]
#[allow(clippy::too_many_arguments)]
pub fn stft_analysis(
    x: &[f32],
    tables: &[f32],
    places: &[u32],
    out: &mut [f32],
    samples: usize,
    frames: usize,
    signals: usize,
    floor: f32,
    log_scale: f32,
    edge: f32,
    interior: f32,
    #[comptime] shape: Shape,
) {
    let mut re = Shared::<[f32]>::new_slice(comptime!(shape.len * shape.pitch()));
    let mut im = Shared::<[f32]>::new_slice(comptime!(shape.len * shape.pitch()));
    let mut stretch = Shared::<[f32]>::new_slice(comptime!(shape.staged()));
    let mut partials = Shared::<[f32]>::new_slice(comptime!(shape.partials()));
    let signal = (CUBE_POS_Z * CUBE_COUNT_Y + CUBE_POS_Y) as usize;
    let lanes = comptime!(shape.lanes);
    let first = CUBE_POS_X as usize * lanes;
    if signal < signals {
        load(
            x,
            tables,
            &mut re,
            &mut im,
            &mut stretch,
            &mut partials,
            signal,
            samples,
            first,
            frames,
            shape,
        );
        let lane = UNIT_POS_X as usize % lanes;
        let frame = first + lane;
        let mut row = UNIT_POS_X as usize / lanes;
        if comptime!(shape.filters > 0) {
            let mut power = Shared::<[f32]>::new_slice(comptime!(shape.powers()));
            powers(&mut power, &mut re, &mut im, tables, places, shape);
            while row < comptime!(shape.filters) {
                let mut value = filtered(&power, tables, places, row, lane, shape);
                if comptime!(shape.logarithm) {
                    value = log_scale * max(value, floor).ln();
                }
                if frame < frames {
                    let at = (signal * comptime!(shape.filters) + row) * frames + frame;
                    out[at] = value;
                }
                row += comptime!(shape.groups());
            }
        } else {
            let mut bin = Array::<f32>::new(2usize);
            while row < comptime!(shape.bins()) {
                read_bin(&mut bin, &mut re, &mut im, tables, places, row, lane, shape);
                let at = (signal * comptime!(shape.bins()) + row) * frames + frame;
                if comptime!(shape.complex) {
                    let factor = select(row == 0 || 2 * row == comptime!(shape.n_fft), edge, interior);
                    if frame < frames {
                        let at = 2 * at;
                        out[at] = factor * bin[0];
                        out[at + 1] = factor * bin[1];
                    }
                } else {
                    let mut value = bin[0] * bin[0] + bin[1] * bin[1];
                    if comptime!(shape.magnitude) {
                        value = value.sqrt();
                    }
                    if comptime!(shape.logarithm) {
                        value = log_scale * max(value, floor).ln();
                    }
                    if frame < frames {
                        out[at] = value;
                    }
                }
                row += comptime!(shape.groups());
            }
        }
    }
}
