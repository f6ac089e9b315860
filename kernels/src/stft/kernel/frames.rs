//! Frames from the signal into shared memory, and bins out of it.

use super::Blueprint;
use super::arguments::{Frames, Points, StftSizes, Tables};
use super::transform::forward;
use cubecl::prelude::*;

/// The sample at a position of the padded signal.
#[cube]
fn sample(x: &[f32], signal: usize, samples: usize, position: usize, #[comptime] plan: Blueprint) -> f32 {
    let last = samples as i32 - 1;
    let mut at = position as i32 - comptime!(plan.pad as i32);
    if comptime!(plan.reflect) {
        at = select(at < 0, -at, at);
        at = select(at > last, 2 * last - at, at);
    }
    let inside = at >= 0 && at <= last;
    let at = select(inside, at, 0);
    select(inside, x[signal * samples + at as usize], 0.0f32)
}

/// The spectra of the frames from the first on, one to a lane; zeros behind the last frame.
///
/// Where frames overlap, the stretch that they cover is read from the signal once, in order, and staged.
#[cube]
pub(super) fn load(
    x: &[f32],
    tables: &Tables,
    points: &mut Points,
    frames: &Frames,
    sizes: &StftSizes,
    #[comptime] plan: Blueprint,
) {
    let hop = comptime!(plan.hop);
    if comptime!(plan.hop < plan.n_fft) {
        let mut i = UNIT_POS_X as usize;
        while i < comptime!((plan.frames_per_cube - 1) * plan.hop + plan.n_fft) {
            points.stretch[i / hop * comptime!(plan.hop | 1) + i % hop] =
                sample(x, frames.signal, sizes.samples, frames.first * hop + i, plan);
            i += comptime!(plan.units);
        }
        sync_cube();
    }
    let lane = UNIT_POS_X as usize % comptime!(plan.frames_per_cube);
    let there = frames.first + lane < sizes.frames;
    let mut point = UNIT_POS_X as usize / comptime!(plan.frames_per_cube);
    while point < comptime!(plan.num_points) {
        let at = point * comptime!(plan.pitch()) + lane;
        let n = if comptime!(plan.packs_pairs) { 2 * point } else { point };
        points.re[at] = weighted(x, tables, points, frames, sizes, n, there, plan);
        let mut value = 0.0f32;
        if comptime!(plan.packs_pairs) {
            value = weighted(x, tables, points, frames, sizes, n + 1, there, plan);
        }
        points.im[at] = value;
        point += comptime!(plan.groups());
    }
    if comptime!(plan.detrend > 0) {
        detrend(points, plan);
        apply_window(tables, points, plan);
    }
    sync_cube();
    forward(&mut points.re, &mut points.im, &tables.numbers, plan);
}

/// Sample `n` of this lane's frame, weighted unless a trend is to be taken out first; 0 where there is no frame.
#[cube]
fn weighted(
    x: &[f32],
    tables: &Tables,
    points: &mut Points,
    frames: &Frames,
    sizes: &StftSizes,
    n: usize,
    there: bool,
    #[comptime] plan: Blueprint,
) -> f32 {
    let hop = comptime!(plan.hop);
    let lane = UNIT_POS_X as usize % comptime!(plan.frames_per_cube);
    let mut value = if comptime!(plan.hop < plan.n_fft) {
        points.stretch[(lane + n / hop) * comptime!(plan.hop | 1) + n % hop]
    } else {
        sample(x, frames.signal, sizes.samples, (frames.first + lane) * hop + n, plan)
    };
    value = select(there, value, 0.0f32);
    if comptime!(plan.detrend == 0) {
        value *= tables.numbers[comptime!(plan.window_table()) + n];
    }
    value
}

/// Multiplies the samples of each frame by the window; a unit its own points.
#[cube]
pub(super) fn apply_window(tables: &Tables, points: &mut Points, #[comptime] plan: Blueprint) {
    let lane = UNIT_POS_X as usize % comptime!(plan.frames_per_cube);
    let mut point = UNIT_POS_X as usize / comptime!(plan.frames_per_cube);
    while point < comptime!(plan.num_points) {
        let at = point * comptime!(plan.pitch()) + lane;
        if comptime!(plan.packs_pairs) {
            points.re[at] *= tables.numbers[comptime!(plan.window_table()) + 2 * point];
            points.im[at] *= tables.numbers[comptime!(plan.window_table() + 1) + 2 * point];
        } else {
            points.re[at] *= tables.numbers[comptime!(plan.window_table()) + point];
        }
        point += comptime!(plan.groups());
    }
}

/// Takes the trend out of frames; its own adjoint. A unit reads and writes its own points only, as in [`load`] and
/// [`apply_window`]; what is shared are the partial sums.
#[cube]
pub(super) fn detrend(points: &mut Points, #[comptime] plan: Blueprint) {
    remove(points, plan, false);
    if comptime!(plan.detrend > 1 && plan.n_fft > 1) {
        remove(points, plan, true);
    }
}

fn ramp_middle(plan: Blueprint) -> f32 {
    (plan.n_fft - 1) as f32 / 2.0
}

fn normalisation(plan: Blueprint, slope: bool) -> f32 {
    if slope {
        super::super::fourier::one_over_square_of_ramp(plan.n_fft)
    } else {
        1.0 / plan.n_fft as f32
    }
}

/// Takes the part of each frame along ones, or along a centred ramp, out of it.
#[cube]
fn remove(points: &mut Points, #[comptime] plan: Blueprint, #[comptime] slope: bool) {
    let lanes = comptime!(plan.frames_per_cube);
    let unit = UNIT_POS_X as usize;
    let lane = unit % lanes;
    let middle = f32::new(comptime!(ramp_middle(plan)));
    let mut sum = 0.0f32;
    let mut point = unit / lanes;
    while point < comptime!(plan.num_points) {
        let at = point * comptime!(plan.pitch()) + lane;
        let n = if comptime!(plan.packs_pairs) { 2 * point } else { point };
        let mut even = 1.0f32;
        let mut odd = 1.0f32;
        if slope {
            even = n as f32 - middle;
            odd = even + 1.0f32;
        }
        sum += points.re[at] * even;
        if comptime!(plan.packs_pairs) {
            sum += points.im[at] * odd;
        }
        point += comptime!(plan.groups());
    }
    sync_cube();
    points.partials[unit] = sum;
    sync_cube();
    let mut total = 0.0f32;
    for group in 0..comptime!(plan.groups()) {
        total += points.partials[group * lanes + lane];
    }
    total *= f32::new(comptime!(normalisation(plan, slope)));
    let mut point = unit / lanes;
    while point < comptime!(plan.num_points) {
        let at = point * comptime!(plan.pitch()) + lane;
        let n = if comptime!(plan.packs_pairs) { 2 * point } else { point };
        let mut even = 1.0f32;
        let mut odd = 1.0f32;
        if slope {
            even = n as f32 - middle;
            odd = even + 1.0f32;
        }
        points.re[at] -= total * even;
        if comptime!(plan.packs_pairs) {
            points.im[at] -= total * odd;
        }
        point += comptime!(plan.groups());
    }
}

/// Reads a bin of a frame, `(real, imaginary)`, from the transformed points.
#[cube]
pub(super) fn read_bin(
    value: &mut Array<f32>,
    points: &mut Points,
    tables: &Tables,
    bin: usize,
    lane: usize,
    #[comptime] plan: Blueprint,
) {
    let pitch = comptime!(plan.pitch());
    let (re, im) = (&points.re, &points.im);
    if comptime!(plan.packs_pairs) {
        let count = comptime!(plan.num_points);
        let a = tables.places[bin % count] as usize * pitch + lane;
        let b = tables.places[(count - bin) % count] as usize * pitch + lane;
        let (even_re, even_im) = (0.5f32 * (re[a] + re[b]), 0.5f32 * (im[a] - im[b]));
        let (odd_re, odd_im) = (0.5f32 * (im[a] + im[b]), 0.5f32 * (re[b] - re[a]));
        let entry = comptime!(plan.unpack_table()) + 2 * bin;
        let (cos, sin) = (tables.numbers[entry], tables.numbers[entry + 1]);
        value[0] = even_re + (odd_re * cos - odd_im * sin);
        value[1] = even_im + (odd_re * sin + odd_im * cos);
    } else {
        let a = tables.places[bin] as usize * pitch + lane;
        value[0] = re[a];
        value[1] = im[a];
    }
}

/// `|X|²` of all bins and lanes, for filters.
#[cube]
pub(super) fn powers(powers: &mut Shared<[f32]>, points: &mut Points, tables: &Tables, #[comptime] plan: Blueprint) {
    let lane = UNIT_POS_X as usize % comptime!(plan.frames_per_cube);
    let mut bin = UNIT_POS_X as usize / comptime!(plan.frames_per_cube);
    let mut value = Array::<f32>::new(2usize);
    while bin < comptime!(plan.bins()) {
        read_bin(&mut value, points, tables, bin, lane, plan);
        powers[bin * comptime!(plan.frames_per_cube) + lane] = value[0] * value[0] + value[1] * value[1];
        bin += comptime!(plan.groups());
    }
    sync_cube();
}

/// The filtered power of a frame. The places hold `(first bin, bins, first weight)` of each filter behind those of bins.
#[cube]
pub(super) fn filtered(
    powers: &Shared<[f32]>,
    tables: &Tables,
    filter: usize,
    lane: usize,
    #[comptime] plan: Blueprint,
) -> f32 {
    let entry = comptime!(plan.num_points) + 3 * filter;
    let (first, count, weights) = (
        tables.places[entry] as usize,
        tables.places[entry + 1] as usize,
        tables.places[entry + 2] as usize,
    );
    let mut sum = 0.0f32;
    for i in 0..count {
        sum += tables.numbers[weights + i] * powers[(first + i) * comptime!(plan.frames_per_cube) + lane];
    }
    sum
}
