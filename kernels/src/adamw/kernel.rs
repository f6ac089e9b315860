//! Sums of squares and the step, both over vectors of `N` parameters.

use crate::gpu::sum_of_team;
use cubecl::prelude::*;

/// Units of a cube.
pub const UNITS: usize = 256;
/// Columns of the table of replicas: moves, kept, decay, step size, correction.
pub const COLUMNS: usize = 5;

/// The sum of the values of a vector, two by two.
#[cube]
fn sum_of_lanes<N: Size>(x: Vector<f32, N>) -> f32 {
    let width = N::value();
    if comptime!(width == 4) {
        (x.extract(0usize) + x.extract(1usize)) + (x.extract(2usize) + x.extract(3usize))
    } else {
        x.extract(0usize)
    }
}

/// `partials[r, part]`: the sum of squares of one part of a replica's gradient, where factors are above 0.
///
/// Grid = (parts, R); neighbouring units read neighbouring vectors. Reads the gradient (and factors) once.
#[cube(launch, create_dummy_kernel)]
pub fn adamw_squares<N: Size>(
    gradient: &[Vector<f32, N>],
    factors: &[Vector<f32, N>],
    partials: &mut [f32],
    len: usize,
    per_part: usize,
    parts: usize,
    #[comptime] has_factors: bool,
) {
    let mut sums = Shared::<[f32]>::new_slice(UNITS);
    let unit = UNIT_POS_X as usize;
    let (part, replica) = (CUBE_POS_X as usize, CUBE_POS_Y as usize);
    let end = min(len, (part + 1) * per_part);
    let zero = Vector::<f32, N>::new(0.0f32);
    let mut total = zero;
    let mut at = part * per_part + unit;
    while at < end {
        let mut value = gradient[replica * len + at];
        if has_factors {
            value = select_many(factors[replica * len + at].greater_than(&zero), value, zero);
        }
        total += value * value;
        at += UNITS;
    }
    let total = sum_of_team(&mut sums, sum_of_lanes::<N>(total), UNITS);
    if unit == 0 {
        partials[replica * parts + part] = total;
    }
}

/// The step of [`adamw`](crate::adamw::adamw). Grid = (parts, R), as in [`adamw_squares`].
///
/// Each cube adds up the partial sums of its replica (at most 512, in cache) for the norm; then each unit reads the four
/// arrays once and writes three. `table: [R, COLUMNS]`, `moves: [R]`.
#[cube(launch, create_dummy_kernel)]
#[allow(clippy::too_many_arguments)]
pub fn adamw_update<N: Size>(
    weights: &[Vector<f32, N>],
    gradient: &[Vector<f32, N>],
    first: &[Vector<f32, N>],
    second: &[Vector<f32, N>],
    factors: &[Vector<f32, N>],
    moves: &[f32],
    partials: &[f32],
    table: &[f32],
    new_weights: &mut [Vector<f32, N>],
    new_first: &mut [Vector<f32, N>],
    new_second: &mut [Vector<f32, N>],
    norms: &mut [f32],
    len: usize,
    per_part: usize,
    parts: usize,
    beta1: f32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    epsilon: f32,
    max_norm: f32,
    #[comptime] clips: bool,
    #[comptime] has_factors: bool,
    #[comptime] has_moves: bool,
) {
    let mut sums = Shared::<[f32]>::new_slice(UNITS);
    let unit = UNIT_POS_X as usize;
    let (part, replica) = (CUBE_POS_X as usize, CUBE_POS_Y as usize);

    let mut total = 0.0f32;
    let mut at = unit;
    while at < parts {
        total += partials[replica * parts + at];
        at += UNITS;
    }
    let norm = sum_of_team(&mut sums, total, UNITS).sqrt();
    if part == 0 && unit == 0 {
        norms[replica] = norm;
    }
    let mut clip = 1.0f32;
    if clips {
        clip = min((norm + 1e-6f32).recip() * max_norm, 1.0f32);
    }

    let row = replica * COLUMNS;
    // Exponent bits, since compilers may assume that comparisons meet no NaN.
    let mut moving = table[row] != 0.0f32 && u32::reinterpret(norm) & 0x7f80_0000u32 != 0x7f80_0000u32;
    if has_moves {
        moving = moving && moves[replica] != 0.0f32;
    }
    let zero = Vector::<f32, N>::new(0.0f32);
    let one = Vector::<f32, N>::new(1.0f32);
    let (decay, correction) = (
        Vector::<f32, N>::new(table[row + 2]),
        Vector::<f32, N>::new(table[row + 4]),
    );
    let mut kept = Vector::<f32, N>::new(table[row + 1]);
    let mut step_size = Vector::<f32, N>::new(table[row + 3]);
    let table_step_size = step_size;
    let (clip, epsilon) = (Vector::<f32, N>::new(clip), Vector::<f32, N>::new(epsilon));
    let (beta1, rest1) = (Vector::<f32, N>::new(beta1), Vector::<f32, N>::new(rest1));
    let (beta2, rest2) = (Vector::<f32, N>::new(beta2), Vector::<f32, N>::new(rest2));

    let end = min(len, (part + 1) * per_part);
    let mut place = part * per_part + unit;
    while place < end {
        let at = replica * len + place;
        let (w, m, v) = (weights[at], first[at], second[at]);
        if moving {
            let g = gradient[at] * clip;
            let m_new = m * beta1 + g * rest1;
            let v_new = v * beta2 + g * g * rest2;
            if has_factors {
                let factor = factors[at];
                kept = one - decay * factor;
                step_size = table_step_size * factor;
            }
            let w_new = w * kept - m_new / (v_new.sqrt() / correction + epsilon) * step_size;
            if has_factors {
                let moves = factors[at].greater_than(&zero);
                new_weights[at] = select_many(moves, w_new, w);
                new_first[at] = select_many(moves, m_new, m);
                new_second[at] = select_many(moves, v_new, v);
            } else {
                new_weights[at] = w_new;
                new_first[at] = m_new;
                new_second[at] = v_new;
            }
        } else {
            new_weights[at] = w;
            new_first[at] = m;
            new_second[at] = v;
        }
        place += UNITS;
    }
}
