//! Frames from the signal into shared memory, and bins out of it.

use super::Shape;
use super::transform::forward;
use cubecl::prelude::*;

/// The sample at a position of the padded signal.
#[cube]
fn sample(x: &[f32], signal: usize, samples: usize, position: usize, #[comptime] shape: Shape) -> f32 {
    let last = samples as i32 - 1;
    let mut at = position as i32 - comptime!(shape.side as i32);
    if comptime!(shape.reflect) {
        at = select(at < 0, -at, at);
        at = select(at > last, 2 * last - at, at);
    }
    let inside = at >= 0 && at <= last;
    let at = select(inside, at, 0);
    select(inside, x[signal * samples + at as usize], 0.0f32)
}

/// The spectra of the frames from `first` on, one to a lane; zeros behind the last frame.
///
/// Where frames overlap, the stretch that they cover is read from the signal once, in order, and staged.
#[cube]
#[allow(clippy::too_many_arguments)]
pub(super) fn load(
    x: &[f32],
    tables: &[f32],
    re: &mut Shared<[f32]>,
    im: &mut Shared<[f32]>,
    stretch: &mut Shared<[f32]>,
    partials: &mut Shared<[f32]>,
    signal: usize,
    samples: usize,
    first: usize,
    frames: usize,
    #[comptime] shape: Shape,
) {
    let hop = comptime!(shape.hop);
    let row = comptime!(shape.hop | 1);
    let staged = comptime!(shape.hop < shape.n_fft);
    if staged {
        let mut i = UNIT_POS_X as usize;
        while i < comptime!((shape.lanes - 1) * shape.hop + shape.n_fft) {
            stretch[i / hop * row + i % hop] = sample(x, signal, samples, first * hop + i, shape);
            i += comptime!(shape.units);
        }
        sync_cube();
    }
    let lane = UNIT_POS_X as usize % comptime!(shape.lanes);
    let there = first + lane < frames;
    let mut point = UNIT_POS_X as usize / comptime!(shape.lanes);
    while point < comptime!(shape.points) {
        let at = point * comptime!(shape.pitch()) + lane;
        let n = if comptime!(shape.halved) { 2 * point } else { point };
        let mut value = if staged {
            stretch[(lane + n / hop) * row + n % hop]
        } else {
            sample(x, signal, samples, (first + lane) * hop + n, shape)
        };
        value = select(there, value, 0.0f32);
        if comptime!(shape.detrend == 0) {
            value *= tables[comptime!(shape.window_table()) + n];
        }
        re[at] = value;
        let mut value = 0.0f32;
        if comptime!(shape.halved) {
            let n = n + 1;
            value = if staged {
                stretch[(lane + n / hop) * row + n % hop]
            } else {
                sample(x, signal, samples, (first + lane) * hop + n, shape)
            };
            value = select(there, value, 0.0f32);
            if comptime!(shape.detrend == 0) {
                value *= tables[comptime!(shape.window_table()) + n];
            }
        }
        im[at] = value;
        point += comptime!(shape.groups());
    }
    if comptime!(shape.detrend > 0) {
        detrend(re, im, partials, shape);
        weigh(tables, re, im, shape);
    }
    sync_cube();
    forward(re, im, tables, shape);
}

/// Multiplies the samples of each frame by the window; a unit its own points.
#[cube]
pub(super) fn weigh(tables: &[f32], re: &mut Shared<[f32]>, im: &mut Shared<[f32]>, #[comptime] shape: Shape) {
    let lane = UNIT_POS_X as usize % comptime!(shape.lanes);
    let mut point = UNIT_POS_X as usize / comptime!(shape.lanes);
    while point < comptime!(shape.points) {
        let at = point * comptime!(shape.pitch()) + lane;
        if comptime!(shape.halved) {
            re[at] *= tables[comptime!(shape.window_table()) + 2 * point];
            im[at] *= tables[comptime!(shape.window_table() + 1) + 2 * point];
        } else {
            re[at] *= tables[comptime!(shape.window_table()) + point];
        }
        point += comptime!(shape.groups());
    }
}

/// Takes the trend out of frames; its own adjoint. A unit reads and writes its own points only, as in [`load`] and
/// [`weigh`]; what is shared are the partial sums.
#[cube]
pub(super) fn detrend(
    re: &mut Shared<[f32]>,
    im: &mut Shared<[f32]>,
    partials: &mut Shared<[f32]>,
    #[comptime] shape: Shape,
) {
    remove(re, im, partials, shape, false);
    if comptime!(shape.detrend > 1 && shape.n_fft > 1) {
        remove(re, im, partials, shape, true);
    }
}

fn ramp_middle(shape: Shape) -> f32 {
    (shape.n_fft - 1) as f32 / 2.0
}

fn normalisation(shape: Shape, slope: bool) -> f32 {
    if slope {
        super::super::fourier::one_over_square_of_ramp(shape.n_fft)
    } else {
        1.0 / shape.n_fft as f32
    }
}

/// Takes the part of each frame along ones, or along a centred ramp, out of it.
#[cube]
fn remove(
    re: &mut Shared<[f32]>,
    im: &mut Shared<[f32]>,
    partials: &mut Shared<[f32]>,
    #[comptime] shape: Shape,
    #[comptime] slope: bool,
) {
    let lanes = comptime!(shape.lanes);
    let unit = UNIT_POS_X as usize;
    let lane = unit % lanes;
    let middle = f32::new(comptime!(ramp_middle(shape)));
    let mut sum = 0.0f32;
    let mut point = unit / lanes;
    while point < comptime!(shape.points) {
        let at = point * comptime!(shape.pitch()) + lane;
        let n = if comptime!(shape.halved) { 2 * point } else { point };
        let mut even = 1.0f32;
        let mut odd = 1.0f32;
        if slope {
            even = n as f32 - middle;
            odd = even + 1.0f32;
        }
        sum += re[at] * even;
        if comptime!(shape.halved) {
            sum += im[at] * odd;
        }
        point += comptime!(shape.groups());
    }
    sync_cube();
    partials[unit] = sum;
    sync_cube();
    let mut total = 0.0f32;
    for group in 0..comptime!(shape.groups()) {
        total += partials[group * lanes + lane];
    }
    total *= f32::new(comptime!(normalisation(shape, slope)));
    let mut point = unit / lanes;
    while point < comptime!(shape.points) {
        let at = point * comptime!(shape.pitch()) + lane;
        let n = if comptime!(shape.halved) { 2 * point } else { point };
        let mut even = 1.0f32;
        let mut odd = 1.0f32;
        if slope {
            even = n as f32 - middle;
            odd = even + 1.0f32;
        }
        re[at] -= total * even;
        if comptime!(shape.halved) {
            im[at] -= total * odd;
        }
        point += comptime!(shape.groups());
    }
}

/// Writes a bin of a frame, `(real, imaginary)`, from the transformed points.
#[cube]
#[allow(clippy::too_many_arguments)]
pub(super) fn read_bin(
    value: &mut Array<f32>,
    re: &mut Shared<[f32]>,
    im: &mut Shared<[f32]>,
    tables: &[f32],
    places: &[u32],
    bin: usize,
    lane: usize,
    #[comptime] shape: Shape,
) {
    let pitch = comptime!(shape.pitch());
    if comptime!(shape.halved) {
        let points = comptime!(shape.points);
        let a = places[bin % points] as usize * pitch + lane;
        let b = places[(points - bin) % points] as usize * pitch + lane;
        let (even_re, even_im) = (0.5f32 * (re[a] + re[b]), 0.5f32 * (im[a] - im[b]));
        let (odd_re, odd_im) = (0.5f32 * (im[a] + im[b]), 0.5f32 * (re[b] - re[a]));
        let entry = comptime!(shape.untangle_table()) + 2 * bin;
        let (cos, sin) = (tables[entry], tables[entry + 1]);
        value[0] = even_re + (odd_re * cos - odd_im * sin);
        value[1] = even_im + (odd_re * sin + odd_im * cos);
    } else {
        let a = places[bin] as usize * pitch + lane;
        value[0] = re[a];
        value[1] = im[a];
    }
}

/// `|X|²` of all bins and lanes, for filters.
#[cube]
pub(super) fn powers(
    powers: &mut Shared<[f32]>,
    re: &mut Shared<[f32]>,
    im: &mut Shared<[f32]>,
    tables: &[f32],
    places: &[u32],
    #[comptime] shape: Shape,
) {
    let lane = UNIT_POS_X as usize % comptime!(shape.lanes);
    let mut bin = UNIT_POS_X as usize / comptime!(shape.lanes);
    let mut value = Array::<f32>::new(2usize);
    while bin < comptime!(shape.bins()) {
        read_bin(&mut value, re, im, tables, places, bin, lane, shape);
        powers[bin * comptime!(shape.lanes) + lane] = value[0] * value[0] + value[1] * value[1];
        bin += comptime!(shape.groups());
    }
    sync_cube();
}

/// The filtered power of a frame. The places hold `(first bin, bins, first weight)` of each filter behind those of bins.
#[cube]
pub(super) fn filtered(
    powers: &Shared<[f32]>,
    tables: &[f32],
    places: &[u32],
    filter: usize,
    lane: usize,
    #[comptime] shape: Shape,
) -> f32 {
    let entry = comptime!(shape.points) + 3 * filter;
    let (first, count, weights) = (
        places[entry] as usize,
        places[entry + 1] as usize,
        places[entry + 2] as usize,
    );
    let mut sum = 0.0f32;
    for i in 0..count {
        sum += tables[weights + i] * powers[(first + i) * comptime!(shape.lanes) + lane];
    }
    sum
}
