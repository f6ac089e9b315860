//! The adjoint kernel.

use super::Blueprint;
use super::arguments::{Frames, Points, StftSizes, SynthesisInputs, points};
use super::frames::{apply_window, detrend, filtered, load, powers, read_bin};
use super::transform::backward;
use cubecl::prelude::*;

/// Frames `first..last` of a signal.
#[derive(CubeType)]
struct Range {
    first: usize,
    last: usize,
}

/// The gradient of a stretch of one signal, from that of the spectrum: grid = (stretches, signals).
///
/// A cube owns the stretch and takes every frame that touches it, as many at a time as it holds; each unit adds up the
/// samples that are its own, frame by frame, so that there is one order and one write. For a reduced spectrum the frames
/// are transformed again. What was mirrored is added where it came from, by the cube that owns that place.
#[cube(launch, create_dummy_kernel)]
pub fn stft_synthesis(inputs: &SynthesisInputs, out: &mut [f32], sizes: &StftSizes, #[comptime] plan: Blueprint) {
    let mut points = points(plan);
    let mut power = Shared::<[f32]>::new_slice(comptime!(plan.powers()));
    let mut slopes = Shared::<[f32]>::new_slice(comptime!(plan.slopes()));
    let mut sums = Shared::<[f32]>::new_slice(comptime!(plan.owned));
    let signal = (CUBE_POS_Z * CUBE_COUNT_Y + CUBE_POS_Y) as usize;
    let begin = CUBE_POS_X as usize * comptime!(plan.owned);
    if signal < sizes.signals {
        let mut own = UNIT_POS_X as usize;
        while own < comptime!(plan.owned) {
            sums[own] = 0.0f32;
            own += comptime!(plan.units);
        }
        let touched = touched(begin, sizes, plan);
        let last = touched.last;
        let mut first = touched.first;
        while first < last {
            let frames = Frames { signal, first };
            if comptime!(!plan.complex) {
                load(&inputs.x, &inputs.tables, &mut points, &frames, sizes, plan);
                if comptime!(plan.filters > 0) {
                    powers(&mut power, &mut points, &inputs.tables, plan);
                    filter_slopes(&mut slopes, &power, inputs, &frames, sizes, plan);
                }
            }
            pack_real(&mut points, &slopes, inputs, &frames, sizes, plan);
            sync_cube();
            backward(&mut points.re, &mut points.im, &inputs.tables.numbers, plan);
            apply_window(&inputs.tables, &mut points, plan);
            if comptime!(plan.detrend > 0) {
                detrend(&mut points, plan);
            }
            sync_cube();
            let behind = min(last, first + comptime!(plan.frames_per_cube));
            add_stretch(
                &mut sums,
                &points,
                begin,
                sizes.samples,
                Range { first, last: behind },
                plan,
            );
            sync_cube();
            first += comptime!(plan.frames_per_cube);
        }
        let mut own = UNIT_POS_X as usize;
        while own < comptime!(plan.owned) {
            let at = begin + own;
            if at < sizes.samples {
                let at = signal * sizes.samples + at;
                out[at] = sums[own];
            }
            own += comptime!(plan.units);
        }
    }
}

/// The frames that touch the stretch of a cube, or what was mirrored from it.
#[cube]
fn touched(begin: usize, sizes: &StftSizes, #[comptime] plan: Blueprint) -> Range {
    let pad = comptime!(plan.pad);
    let hop = comptime!(plan.hop);
    let samples = sizes.samples;
    // The padded positions of the stretch, the mirrored ones with it.
    let end = min(begin + comptime!(plan.owned), samples);
    let mut low = begin + pad;
    let mut high = end + pad;
    if comptime!(plan.reflect) {
        if begin <= pad {
            low = pad - min(pad, end - 1);
        }
        let mirror = samples - 1 - min(pad, samples - 1);
        if end > mirror {
            high = pad + 2 * (samples - 1) - max(begin, mirror) + 1;
        }
    }
    let mut first = 0usize;
    if low >= comptime!(plan.n_fft) {
        first = (low - comptime!(plan.n_fft)) / hop + 1;
    }
    let last = min(sizes.frames, (high - 1) / hop + 1);
    Range { first, last }
}

/// Adds what the frames in the lanes hold to the sums of the stretch, each unit to its own.
#[cube]
fn add_stretch(
    sums: &mut Shared<[f32]>,
    points: &Points,
    begin: usize,
    samples: usize,
    frames: Range,
    #[comptime] plan: Blueprint,
) {
    let pad = comptime!(plan.pad);
    let (first, behind) = (frames.first, frames.last);
    let mut own = UNIT_POS_X as usize;
    while own < comptime!(plan.owned) {
        let at = begin + own;
        if at < samples {
            let mut sum = sums[own] + touching(points, at + pad, first, behind, plan);
            if comptime!(plan.reflect) {
                if at > 0 && at <= pad {
                    sum += touching(points, pad - at, first, behind, plan);
                }
                if at + 1 < samples && at + pad + 1 >= samples {
                    sum += touching(points, pad + 2 * (samples - 1) - at, first, behind, plan);
                }
            }
            sums[own] = sum;
        }
        own += comptime!(plan.units);
    }
}

/// The sum over the frames `first..behind`, which lie in the lanes, of what they hold at a padded position.
#[cube]
fn touching(points: &Points, position: usize, first: usize, behind: usize, #[comptime] plan: Blueprint) -> f32 {
    let hop = comptime!(plan.hop);
    let mut frame = first;
    if position >= comptime!(plan.n_fft) {
        frame = max(first, (position - comptime!(plan.n_fft)) / hop + 1);
    }
    let end = min(behind, position / hop + 1);
    let mut sum = 0.0f32;
    while frame < end {
        let n = position - frame * hop;
        let lane = frame - first;
        if comptime!(plan.packs_pairs) {
            let at = n / 2 * comptime!(plan.pitch()) + lane;
            sum += select(n % 2 == 0, points.re[at], points.im[at]);
        } else {
            sum += points.re[n * comptime!(plan.pitch()) + lane];
        }
        frame += 1;
    }
    sum
}

/// The gradient of the logarithm's argument.
#[cube]
fn slope(gradient: f32, value: f32, sizes: &StftSizes, #[comptime] plan: Blueprint) -> f32 {
    let mut slope = gradient;
    if comptime!(plan.logarithm) {
        let above = value >= sizes.floor;
        slope = select(above, gradient * sizes.log_scale / select(above, value, 1.0f32), 0.0f32);
    }
    slope
}

/// The gradient of each filtered power.
#[cube]
fn filter_slopes(
    slopes: &mut Shared<[f32]>,
    power: &Shared<[f32]>,
    inputs: &SynthesisInputs,
    frames: &Frames,
    sizes: &StftSizes,
    #[comptime] plan: Blueprint,
) {
    let lane = UNIT_POS_X as usize % comptime!(plan.frames_per_cube);
    let there = frames.first + lane < sizes.frames;
    let mut row = UNIT_POS_X as usize / comptime!(plan.frames_per_cube);
    while row < comptime!(plan.filters) {
        let at = (frames.signal * comptime!(plan.filters) + row) * sizes.frames + frames.first + lane;
        let of_row = select(there, inputs.gradient[select(there, at, 0)], 0.0f32);
        let value = filtered(power, &inputs.tables, row, lane, plan);
        slopes[row * comptime!(plan.frames_per_cube) + lane] = slope(of_row, value, sizes, plan);
        row += comptime!(plan.groups());
    }
    sync_cube();
}

/// The gradient of one complex bin, `(real, imaginary)`; but for the edges halved, as one half of a symmetric spectrum.
#[cube]
fn bin_gradient(
    value: &mut Array<f32>,
    points: &mut Points,
    slopes: &Shared<[f32]>,
    inputs: &SynthesisInputs,
    frames: &Frames,
    sizes: &StftSizes,
    bin: usize,
    #[comptime] plan: Blueprint,
) {
    let (tables, gradient) = (&inputs.tables, &inputs.gradient);
    let lane = UNIT_POS_X as usize % comptime!(plan.frames_per_cube);
    let there = frames.first + lane < sizes.frames;
    let at_edge = bin == 0 || 2 * bin == comptime!(plan.n_fft);
    let at = (frames.signal * comptime!(plan.bins()) + bin) * sizes.frames + frames.first + lane;
    let half = select(at_edge, 1.0f32, 0.5f32);
    if comptime!(plan.complex) {
        let at = select(there, 2 * at, 0);
        let factor = half * select(at_edge, sizes.edge, sizes.interior);
        value[0] = select(there, factor * gradient[at], 0.0f32);
        value[1] = select(there && !at_edge, factor * gradient[at + 1], 0.0f32);
    } else {
        read_bin(value, points, tables, bin, lane, plan);
        let power = value[0] * value[0] + value[1] * value[1];
        let mut factor = 0.0f32;
        if comptime!(plan.filters > 0) {
            let entry = comptime!(plan.num_points + 3 * plan.filters) + 3 * bin;
            let (row, count, weights) = (
                tables.places[entry] as usize,
                tables.places[entry + 1] as usize,
                tables.places[entry + 2] as usize,
            );
            for i in 0..count {
                factor += tables.numbers[weights + i] * slopes[(row + i) * comptime!(plan.frames_per_cube) + lane];
            }
            factor *= 2.0f32;
        } else {
            let of_row = select(there, gradient[select(there, at, 0)], 0.0f32);
            if comptime!(plan.magnitude) {
                let positive = power > 0.0f32;
                factor = select(positive, of_row / select(positive, power, 1.0f32).sqrt(), 0.0f32);
            } else {
                factor = 2.0f32 * slope(of_row, power, sizes, plan);
            }
        }
        value[0] *= half * factor;
        value[1] *= half * factor;
        if at_edge {
            value[1] = 0.0f32;
        }
    }
}

/// The points whose backward transform is the gradient of the weighted frames, in the place of the spectrum. A unit takes
/// mirrored bins together: what it reads is what it writes.
#[cube]
fn pack_real(
    points: &mut Points,
    slopes: &Shared<[f32]>,
    inputs: &SynthesisInputs,
    frames: &Frames,
    sizes: &StftSizes,
    #[comptime] plan: Blueprint,
) {
    let count = comptime!(plan.num_points);
    let pitch = comptime!(plan.pitch());
    let tables = &inputs.tables;
    let lane = UNIT_POS_X as usize % comptime!(plan.frames_per_cube);
    let mut a = Array::<f32>::new(2usize);
    let mut b = Array::<f32>::new(2usize);
    let mut bin = UNIT_POS_X as usize / comptime!(plan.frames_per_cube);
    while bin < comptime!(plan.num_points / 2 + 1) {
        bin_gradient(&mut a, points, slopes, inputs, frames, sizes, bin, plan);
        let at = tables.places[bin] as usize * pitch + lane;
        let mirrored = tables.places[(count - bin) % count] as usize * pitch + lane;
        if comptime!(plan.packs_pairs) {
            bin_gradient(&mut b, points, slopes, inputs, frames, sizes, count - bin, plan);
            let (even_re, even_im) = (a[0] + b[0], a[1] - b[1]);
            let (odd_re, odd_im) = (a[0] - b[0], a[1] + b[1]);
            let entry = comptime!(plan.unpack_table()) + 2 * bin;
            let (cos, sin) = (tables.numbers[entry], tables.numbers[entry + 1]);
            // i times the conjugate of the twiddle.
            let product_re = odd_re * sin - odd_im * cos;
            let product_im = odd_re * cos + odd_im * sin;
            points.re[mirrored] = even_re - product_re;
            points.im[mirrored] = product_im - even_im;
            points.re[at] = even_re + product_re;
            points.im[at] = even_im + product_im;
        } else {
            points.re[mirrored] = a[0];
            points.im[mirrored] = -a[1];
            points.re[at] = a[0];
            points.im[at] = a[1];
        }
        bin += comptime!(plan.groups());
    }
}
