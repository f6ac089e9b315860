//! The adjoint kernel.

use super::Shape;
use super::frames::{detrend, filtered, load, powers, read_bin, weigh};
use super::transform::backward;
use cubecl::prelude::*;

/// The gradient of a stretch of one signal, from that of the spectrum: grid = (stretches, signals).
///
/// A cube owns the stretch and takes every frame that touches it, as many at a time as it has lanes; each unit adds up the
/// samples that are its own, frame by frame, so that there is one order and one write. For a reduced spectrum the frames
/// are transformed again. What was mirrored is added where it came from, by the cube that owns that place.
#[cube(launch, create_dummy_kernel)]
#[allow(clippy::too_many_arguments)]
pub fn stft_synthesis(
    x: &[f32],
    gradient: &[f32],
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
    let mut power = Shared::<[f32]>::new_slice(comptime!(shape.powers()));
    let mut slopes = Shared::<[f32]>::new_slice(comptime!(shape.slopes()));
    let mut sums = Shared::<[f32]>::new_slice(comptime!(shape.owned));
    let signal = (CUBE_POS_Z * CUBE_COUNT_Y + CUBE_POS_Y) as usize;
    let begin = CUBE_POS_X as usize * comptime!(shape.owned);
    let side = comptime!(shape.side);
    let hop = comptime!(shape.hop);
    if signal < signals {
        let mut own = UNIT_POS_X as usize;
        while own < comptime!(shape.owned) {
            sums[own] = 0.0f32;
            own += comptime!(shape.units);
        }
        // The padded positions of the stretch, the mirrored ones with it.
        let end = min(begin + comptime!(shape.owned), samples);
        let mut low = begin + side;
        let mut high = end + side;
        if comptime!(shape.reflect) {
            if begin <= side {
                low = side - min(side, end - 1);
            }
            let mirror = samples - 1 - min(side, samples - 1);
            if end > mirror {
                high = side + 2 * (samples - 1) - max(begin, mirror) + 1;
            }
        }
        let mut first = 0usize;
        if low >= comptime!(shape.n_fft) {
            first = (low - comptime!(shape.n_fft)) / hop + 1;
        }
        let last = min(frames, (high - 1) / hop + 1);
        while first < last {
            if comptime!(!shape.complex) {
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
                if comptime!(shape.filters > 0) {
                    powers(&mut power, &mut re, &mut im, tables, places, shape);
                    filter_slopes(
                        &mut slopes,
                        &power,
                        gradient,
                        tables,
                        places,
                        signal,
                        first,
                        frames,
                        floor,
                        log_scale,
                        shape,
                    );
                }
            }
            tangle(
                &mut re, &mut im, &slopes, gradient, tables, places, signal, first, frames, floor, log_scale, edge,
                interior, shape,
            );
            sync_cube();
            backward(&mut re, &mut im, tables, shape);
            weigh(tables, &mut re, &mut im, shape);
            if comptime!(shape.detrend > 0) {
                detrend(&mut re, &mut im, &mut partials, shape);
            }
            sync_cube();
            let behind = min(last, first + comptime!(shape.lanes));
            let mut own = UNIT_POS_X as usize;
            while own < comptime!(shape.owned) {
                let at = begin + own;
                if at < samples {
                    let mut sum = sums[own] + touching(&re, &im, at + side, first, behind, shape);
                    if comptime!(shape.reflect) {
                        if at > 0 && at <= side {
                            sum += touching(&re, &im, side - at, first, behind, shape);
                        }
                        if at + 1 < samples && at + side + 1 >= samples {
                            sum += touching(&re, &im, side + 2 * (samples - 1) - at, first, behind, shape);
                        }
                    }
                    sums[own] = sum;
                }
                own += comptime!(shape.units);
            }
            sync_cube();
            first += comptime!(shape.lanes);
        }
        let mut own = UNIT_POS_X as usize;
        while own < comptime!(shape.owned) {
            let at = begin + own;
            if at < samples {
                let at = signal * samples + at;
                out[at] = sums[own];
            }
            own += comptime!(shape.units);
        }
    }
}

/// The sum over the frames `first..behind`, which lie in the lanes, of what they hold at a padded position.
#[cube]
fn touching(
    re: &Shared<[f32]>,
    im: &Shared<[f32]>,
    position: usize,
    first: usize,
    behind: usize,
    #[comptime] shape: Shape,
) -> f32 {
    let hop = comptime!(shape.hop);
    let mut frame = first;
    if position >= comptime!(shape.n_fft) {
        frame = max(first, (position - comptime!(shape.n_fft)) / hop + 1);
    }
    let end = min(behind, position / hop + 1);
    let mut sum = 0.0f32;
    while frame < end {
        let n = position - frame * hop;
        let lane = frame - first;
        if comptime!(shape.halved) {
            let at = n / 2 * comptime!(shape.pitch()) + lane;
            sum += select(n % 2 == 0, re[at], im[at]);
        } else {
            sum += re[n * comptime!(shape.pitch()) + lane];
        }
        frame += 1;
    }
    sum
}

/// The gradient of the logarithm's argument.
#[cube]
fn slope(gradient: f32, value: f32, floor: f32, log_scale: f32, #[comptime] shape: Shape) -> f32 {
    let mut slope = gradient;
    if comptime!(shape.logarithm) {
        let above = value >= floor;
        slope = select(above, gradient * log_scale / select(above, value, 1.0f32), 0.0f32);
    }
    slope
}

/// The gradient of each filtered power.
#[cube]
#[allow(clippy::too_many_arguments)]
fn filter_slopes(
    slopes: &mut Shared<[f32]>,
    power: &Shared<[f32]>,
    gradient: &[f32],
    tables: &[f32],
    places: &[u32],
    signal: usize,
    first: usize,
    frames: usize,
    floor: f32,
    log_scale: f32,
    #[comptime] shape: Shape,
) {
    let lane = UNIT_POS_X as usize % comptime!(shape.lanes);
    let there = first + lane < frames;
    let mut row = UNIT_POS_X as usize / comptime!(shape.lanes);
    while row < comptime!(shape.filters) {
        let at = (signal * comptime!(shape.filters) + row) * frames + first + lane;
        let of_row = select(there, gradient[select(there, at, 0)], 0.0f32);
        let value = filtered(power, tables, places, row, lane, shape);
        slopes[row * comptime!(shape.lanes) + lane] = slope(of_row, value, floor, log_scale, shape);
        row += comptime!(shape.groups());
    }
    sync_cube();
}

/// The gradient of one complex bin, `(real, imaginary)`; halved but for the edges, as one half of a symmetric spectrum.
#[cube]
#[allow(clippy::too_many_arguments)]
fn bin_gradient(
    value: &mut Array<f32>,
    re: &mut Shared<[f32]>,
    im: &mut Shared<[f32]>,
    slopes: &Shared<[f32]>,
    gradient: &[f32],
    tables: &[f32],
    places: &[u32],
    bin: usize,
    signal: usize,
    first: usize,
    frames: usize,
    floor: f32,
    log_scale: f32,
    edge: f32,
    interior: f32,
    #[comptime] shape: Shape,
) {
    let lane = UNIT_POS_X as usize % comptime!(shape.lanes);
    let there = first + lane < frames;
    let at_edge = bin == 0 || 2 * bin == comptime!(shape.n_fft);
    let at = (signal * comptime!(shape.bins()) + bin) * frames + first + lane;
    let half = select(at_edge, 1.0f32, 0.5f32);
    if comptime!(shape.complex) {
        let at = select(there, 2 * at, 0);
        let factor = half * select(at_edge, edge, interior);
        value[0] = select(there, factor * gradient[at], 0.0f32);
        value[1] = select(there && !at_edge, factor * gradient[at + 1], 0.0f32);
    } else {
        read_bin(value, re, im, tables, places, bin, lane, shape);
        let power = value[0] * value[0] + value[1] * value[1];
        let mut factor = 0.0f32;
        if comptime!(shape.filters > 0) {
            let entry = comptime!(shape.points + 3 * shape.filters) + 3 * bin;
            let (row, count, weights) = (
                places[entry] as usize,
                places[entry + 1] as usize,
                places[entry + 2] as usize,
            );
            for i in 0..count {
                factor += tables[weights + i] * slopes[(row + i) * comptime!(shape.lanes) + lane];
            }
            factor *= 2.0f32;
        } else {
            let of_row = select(there, gradient[select(there, at, 0)], 0.0f32);
            if comptime!(shape.magnitude) {
                let positive = power > 0.0f32;
                factor = select(positive, of_row / select(positive, power, 1.0f32).sqrt(), 0.0f32);
            } else {
                factor = 2.0f32 * slope(of_row, power, floor, log_scale, shape);
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
#[allow(clippy::too_many_arguments)]
fn tangle(
    re: &mut Shared<[f32]>,
    im: &mut Shared<[f32]>,
    slopes: &Shared<[f32]>,
    gradient: &[f32],
    tables: &[f32],
    places: &[u32],
    signal: usize,
    first: usize,
    frames: usize,
    floor: f32,
    log_scale: f32,
    edge: f32,
    interior: f32,
    #[comptime] shape: Shape,
) {
    let points = comptime!(shape.points);
    let pitch = comptime!(shape.pitch());
    let lane = UNIT_POS_X as usize % comptime!(shape.lanes);
    let mut a = Array::<f32>::new(2usize);
    let mut b = Array::<f32>::new(2usize);
    let mut bin = UNIT_POS_X as usize / comptime!(shape.lanes);
    while bin < comptime!(shape.points / 2 + 1) {
        bin_gradient(
            &mut a, re, im, slopes, gradient, tables, places, bin, signal, first, frames, floor, log_scale, edge,
            interior, shape,
        );
        let at = places[bin] as usize * pitch + lane;
        let mirrored = places[(points - bin) % points] as usize * pitch + lane;
        if comptime!(shape.halved) {
            bin_gradient(
                &mut b,
                re,
                im,
                slopes,
                gradient,
                tables,
                places,
                points - bin,
                signal,
                first,
                frames,
                floor,
                log_scale,
                edge,
                interior,
                shape,
            );
            let (even_re, even_im) = (a[0] + b[0], a[1] - b[1]);
            let (odd_re, odd_im) = (a[0] - b[0], a[1] + b[1]);
            let entry = comptime!(shape.untangle_table()) + 2 * bin;
            let (cos, sin) = (tables[entry], tables[entry + 1]);
            // i times the other turn.
            let turned_re = odd_re * sin - odd_im * cos;
            let turned_im = odd_re * cos + odd_im * sin;
            re[mirrored] = even_re - turned_re;
            im[mirrored] = turned_im - even_im;
            re[at] = even_re + turned_re;
            im[at] = even_im + turned_im;
        } else {
            re[mirrored] = a[0];
            im[mirrored] = -a[1];
            re[at] = a[0];
            im[at] = a[1];
        }
        bin += comptime!(shape.groups());
    }
}
