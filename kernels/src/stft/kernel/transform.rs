//! The transform of the frames of one cube, in shared memory.
//!
//! Points lie as `[point][lane]`, one frame to a lane, so that the units of a warp do the same to as many frames: no bank
//! is read twice at a time, and table entries are broadcast. A row is one longer than the lanes, for the sums over frames
//! that read along points.

use super::Blueprint;
use cubecl::prelude::*;
use std::f64::consts::TAU;

fn cosine(numerator: usize, denominator: usize) -> f32 {
    (TAU * (numerator % denominator) as f64 / denominator as f64).cos() as f32
}

fn sine(numerator: usize, denominator: usize) -> f32 {
    (TAU * (numerator % denominator) as f64 / denominator as f64).sin() as f32
}

/// The two factors of a radix that is done in two steps of registers; the second is 1 for the others.
fn factors(radix: usize) -> (usize, usize) {
    match radix {
        6 => (2, 3),
        8 => (2, 4),
        9 => (3, 3),
        10 => (2, 5),
        12 => (3, 4),
        15 => (3, 5),
        16 => (4, 4),
        20 => (4, 5),
        _ => (radix, 1),
    }
}

/// The register in which bin `bin` of a small transform ends up.
fn register(bin: usize, radix: usize) -> usize {
    let (outer, inner) = factors(radix);
    bin % outer * inner + bin / outer
}

/// The transform of `radix` registers that lie `apart`.
#[cube]
fn base(
    re: &mut Array<f32>,
    im: &mut Array<f32>,
    #[comptime] first: usize,
    #[comptime] apart: usize,
    #[comptime] radix: usize,
) {
    if comptime!(radix == 2) {
        let (a, b) = (comptime!(first), comptime!(first + apart));
        let (ar, ai, br, bi) = (re[a], im[a], re[b], im[b]);
        re[a] = ar + br;
        im[a] = ai + bi;
        re[b] = ar - br;
        im[b] = ai - bi;
    } else if comptime!(radix == 4) {
        let (a, b) = (comptime!(first), comptime!(first + apart));
        let (c, d) = (comptime!(first + 2 * apart), comptime!(first + 3 * apart));
        let (sr, si, tr, ti) = (re[a] + re[c], im[a] + im[c], re[a] - re[c], im[a] - im[c]);
        let (ur, ui, vr, vi) = (re[b] + re[d], im[b] + im[d], re[b] - re[d], im[b] - im[d]);
        re[a] = sr + ur;
        im[a] = si + ui;
        re[b] = tr + vi;
        im[b] = ti - vr;
        re[c] = sr - ur;
        im[c] = si - ui;
        re[d] = tr - vi;
        im[d] = ti + vr;
    } else if comptime!(radix > 1) {
        odd(re, im, first, apart, radix);
    }
}

/// Any odd size, by the symmetry of cosines and sines.
#[cube]
fn odd(
    re: &mut Array<f32>,
    im: &mut Array<f32>,
    #[comptime] first: usize,
    #[comptime] apart: usize,
    #[comptime] radix: usize,
) {
    let half = comptime!(radix / 2);
    let mut sums_re = Array::<f32>::new(radix);
    let mut sums_im = Array::<f32>::new(radix);
    let (zero_re, zero_im) = (re[first], im[first]);
    let mut total_re = zero_re;
    let mut total_im = zero_im;
    // Sums of mirrored points in the lower half, differences in the upper one.
    #[unroll]
    for j in 1..comptime!(half + 1) {
        let (a, b) = (comptime!(first + j * apart), comptime!(first + (radix - j) * apart));
        sums_re[j] = re[a] + re[b];
        sums_im[j] = im[a] + im[b];
        sums_re[comptime!(radix - j)] = re[a] - re[b];
        sums_im[comptime!(radix - j)] = im[a] - im[b];
        total_re += sums_re[j];
        total_im += sums_im[j];
    }
    re[first] = total_re;
    im[first] = total_im;
    #[unroll]
    for u in 1..comptime!(half + 1) {
        let mut even_re = zero_re;
        let mut even_im = zero_im;
        let mut odd_re = 0.0f32;
        let mut odd_im = 0.0f32;
        #[unroll]
        for j in 1..comptime!(half + 1) {
            let cos = f32::new(comptime!(cosine(u * j, radix)));
            let sin = f32::new(comptime!(sine(u * j, radix)));
            even_re += sums_re[j] * cos;
            even_im += sums_im[j] * cos;
            odd_re += sums_re[comptime!(radix - j)] * sin;
            odd_im += sums_im[comptime!(radix - j)] * sin;
        }
        let (a, b) = (comptime!(first + u * apart), comptime!(first + (radix - u) * apart));
        re[a] = even_re + odd_im;
        im[a] = even_im - odd_re;
        re[b] = even_re - odd_im;
        im[b] = even_im + odd_re;
    }
}

/// The transform of `radix` registers; bin `k` ends up in register `register(k)`.
#[cube]
fn small(re: &mut Array<f32>, im: &mut Array<f32>, #[comptime] radix: usize) {
    let (outer, inner) = comptime!(factors(radix));
    #[unroll]
    for j in 0..inner {
        base(re, im, comptime!(j), inner, outer);
        if comptime!(j > 0) {
            #[unroll]
            for u in 1..outer {
                let at = comptime!(j + inner * u);
                let cos = f32::new(comptime!(cosine(u * j, radix)));
                let sin = f32::new(comptime!(sine(u * j, radix)));
                let (x, y) = (re[at], im[at]);
                re[at] = x * cos + y * sin;
                im[at] = y * cos - x * sin;
            }
        }
    }
    if comptime!(inner > 1) {
        #[unroll]
        for u in 0..outer {
            base(re, im, comptime!(u * inner), 1usize, inner);
        }
    }
}

/// All small transforms of one stage: of the points `block / radix` apart, twiddled after (or, `up`, before) it.
#[cube]
fn stage(
    re: &mut Shared<[f32]>,
    im: &mut Shared<[f32]>,
    tables: &[f32],
    #[comptime] plan: Blueprint,
    #[comptime] radix: usize,
    #[comptime] block: usize,
    #[comptime] up: bool,
) {
    let apart = comptime!(block / radix);
    let pitch = comptime!(plan.pitch());
    let lane = UNIT_POS_X as usize % comptime!(plan.frames_per_cube);
    let mut item = UNIT_POS_X as usize / comptime!(plan.frames_per_cube);
    let mut x = Array::<f32>::new(radix);
    let mut y = Array::<f32>::new(radix);
    while item < comptime!(plan.padded_len / radix) {
        let within = item % apart;
        let first = (item / apart * block + within) * pitch + lane;
        #[unroll]
        for t in 0..radix {
            let at = first + comptime!(apart * t * pitch);
            x[t] = re[at];
            y[t] = im[at];
            if comptime!(up && t > 0 && apart > 1) {
                let entry = within * comptime!(2 * (plan.padded_len / block) * t);
                let (cos, sin) = (tables[entry], tables[entry + 1]);
                let (a, b) = (x[t], y[t]);
                x[t] = a * cos - b * sin;
                y[t] = a * sin + b * cos;
            }
        }
        small(&mut x, &mut y, radix);
        #[unroll]
        for u in 0..radix {
            let from = comptime!(register(u, radix));
            let at = first + comptime!(apart * u * pitch);
            if comptime!(!up && u > 0 && apart > 1) {
                let entry = within * comptime!(2 * (plan.padded_len / block) * u);
                let (cos, sin) = (tables[entry], tables[entry + 1]);
                re[at] = x[from] * cos - y[from] * sin;
                im[at] = x[from] * sin + y[from] * cos;
            } else {
                re[at] = x[from];
                im[at] = y[from];
            }
        }
        item += comptime!(plan.groups());
    }
    sync_cube();
}

#[cube]
fn stages_down(re: &mut Shared<[f32]>, im: &mut Shared<[f32]>, tables: &[f32], #[comptime] plan: Blueprint) {
    #[unroll]
    for i in 0..comptime!(plan.stages) {
        stage(
            re,
            im,
            tables,
            plan,
            comptime!(plan.radices[i]),
            comptime!(plan.block(i)),
            false,
        );
    }
}

#[cube]
fn stages_up(re: &mut Shared<[f32]>, im: &mut Shared<[f32]>, tables: &[f32], #[comptime] plan: Blueprint) {
    #[unroll]
    for i in 0..comptime!(plan.stages) {
        let stage_of = comptime!(plan.stages - 1 - i);
        stage(
            re,
            im,
            tables,
            plan,
            comptime!(plan.radices[stage_of]),
            comptime!(plan.block(stage_of)),
            true,
        );
    }
}

/// Multiplies the first `count` points by complex numbers of the tables, and sets the others to zero.
#[cube]
fn twiddle(
    re: &mut Shared<[f32]>,
    im: &mut Shared<[f32]>,
    tables: &[f32],
    #[comptime] plan: Blueprint,
    #[comptime] table: usize,
    #[comptime] count: usize,
) {
    let lane = UNIT_POS_X as usize % comptime!(plan.frames_per_cube);
    let mut item = UNIT_POS_X as usize / comptime!(plan.frames_per_cube);
    while item < comptime!(plan.padded_len) {
        let at = item * comptime!(plan.pitch()) + lane;
        if item < count {
            let entry = comptime!(table) + 2 * item;
            let (cos, sin) = (tables[entry], tables[entry + 1]);
            let (a, b) = (re[at], im[at]);
            re[at] = a * cos - b * sin;
            im[at] = a * sin + b * cos;
        } else {
            re[at] = 0.0f32;
            im[at] = 0.0f32;
        }
        item += comptime!(plan.groups());
    }
    sync_cube();
}

/// Bluestein's convolution; see `fourier.rs`.
#[cube]
fn convolve(re: &mut Shared<[f32]>, im: &mut Shared<[f32]>, tables: &[f32], #[comptime] plan: Blueprint) {
    twiddle(
        re,
        im,
        tables,
        plan,
        comptime!(plan.wave_table()),
        comptime!(plan.num_points),
    );
    stages_down(re, im, tables, plan);
    twiddle(
        re,
        im,
        tables,
        plan,
        comptime!(plan.spectrum_table()),
        comptime!(plan.padded_len),
    );
    stages_up(im, re, tables, plan);
    twiddle(
        re,
        im,
        tables,
        plan,
        comptime!(plan.wave_table()),
        comptime!(plan.num_points),
    );
}

/// Points in natural order to bins at their places.
#[cube]
pub(super) fn forward(re: &mut Shared<[f32]>, im: &mut Shared<[f32]>, tables: &[f32], #[comptime] plan: Blueprint) {
    if comptime!(plan.bluestein) {
        convolve(re, im, tables, plan);
    } else {
        stages_down(re, im, tables, plan);
    }
}

/// Bins at their places to points in natural order, with the other sign and unscaled: the forward transform with real and
/// imaginary parts exchanged.
#[cube]
pub(super) fn backward(re: &mut Shared<[f32]>, im: &mut Shared<[f32]>, tables: &[f32], #[comptime] plan: Blueprint) {
    if comptime!(plan.bluestein) {
        convolve(im, re, tables, plan);
    } else {
        stages_up(im, re, tables, plan);
    }
}
