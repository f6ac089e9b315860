//! Sums of squares and the step, both over vectors of `N` parameters.

use crate::gpu::tree_sum;
use cubecl::prelude::*;

/// Units of a cube.
pub const UNITS: usize = 256;
/// Columns of the table of replicas: active, kept, decay, step size, correction.
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

/// Parts of a replica's vectors, one to each cube.
#[derive(CubeType, CubeLaunch)]
pub struct Parts {
    pub len: usize,
    pub per_part: usize,
    pub parts: usize,
}

/// Inputs of each parameter.
#[derive(CubeType, CubeLaunch)]
pub struct Parameters<N: Size> {
    pub weights: Box<[Vector<f32, N>]>,
    pub gradient: Box<[Vector<f32, N>]>,
    pub first: Box<[Vector<f32, N>]>,
    pub second: Box<[Vector<f32, N>]>,
    /// Multiples of the learning rate; unread where there are none.
    pub factors: Box<[Vector<f32, N>]>,
}

/// Inputs of each replica.
#[derive(CubeType, CubeLaunch)]
pub struct Replicas {
    /// `[R]`: 0 for replicas that are not updated; unread where there is no mask.
    pub mask: Box<[f32]>,
    /// `[R, parts]` of [`adamw_squares`].
    pub partials: Box<[f32]>,
    /// `[R, COLUMNS]`.
    pub table: Box<[f32]>,
}

/// The state after the step.
#[derive(CubeType, CubeLaunch)]
pub struct Updated<N: Size> {
    pub weights: Box<[Vector<f32, N>]>,
    pub first: Box<[Vector<f32, N>]>,
    pub second: Box<[Vector<f32, N>]>,
}

/// The numbers that all replicas share; `rest` is 1 less `beta`.
#[derive(CubeType, CubeLaunch)]
pub struct Hyperparameters {
    pub beta1: f32,
    pub rest1: f32,
    pub beta2: f32,
    pub rest2: f32,
    pub epsilon: f32,
    pub max_norm: f32,
}

/// Which of the optional arguments are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Given {
    pub max_norm: bool,
    pub factors: bool,
    pub mask: bool,
}

/// `partials[r, part]`: the sum of squares of one part of a replica's gradient, where factors are above 0.
///
/// Grid = (parts, R); neighbouring units read neighbouring vectors. Reads the gradient (and factors) once.
#[cube(launch, create_dummy_kernel)]
pub fn adamw_squares<N: Size>(
    gradient: &[Vector<f32, N>],
    factors: &[Vector<f32, N>],
    partials: &mut [f32],
    parts: &Parts,
    #[comptime] has_factors: bool,
) {
    let mut sums = Shared::<[f32]>::new_slice(UNITS);
    let unit = UNIT_POS_X as usize;
    let (part, replica) = (CUBE_POS_X as usize, CUBE_POS_Y as usize);
    let end = min(parts.len, (part + 1) * parts.per_part);
    let zero = Vector::<f32, N>::new(0.0f32);
    let mut total = zero;
    let mut at = part * parts.per_part + unit;
    while at < end {
        let mut value = gradient[replica * parts.len + at];
        if has_factors {
            value = select_many(factors[replica * parts.len + at].greater_than(&zero), value, zero);
        }
        total += value * value;
        at += UNITS;
    }
    let total = tree_sum(&mut sums, sum_of_lanes::<N>(total), UNITS);
    if unit == 0 {
        partials[replica * parts.parts + part] = total;
    }
}

/// The step of [`adamw`](crate::adamw::adamw). Grid = (parts, R), as in [`adamw_squares`].
///
/// Each cube adds up the partial sums of its replica (at most 512, in cache) for the norm; then each unit reads the four
/// arrays once and writes three.
#[cube(launch, create_dummy_kernel)]
pub fn adamw_update<N: Size>(
    parameters: &Parameters<N>,
    replicas: &Replicas,
    updated: &mut Updated<N>,
    norms: &mut [f32],
    parts: &Parts,
    by: &Hyperparameters,
    #[comptime] given: Given,
) {
    let mut sums = Shared::<[f32]>::new_slice(UNITS);
    let unit = UNIT_POS_X as usize;
    let (part, replica) = (CUBE_POS_X as usize, CUBE_POS_Y as usize);
    let norm = norm_of(&mut sums, &replicas.partials, replica, parts.parts);
    if part == 0 && unit == 0 {
        norms[replica] = norm;
    }
    let mut clip = 1.0f32;
    if comptime!(given.max_norm) {
        clip = min((norm + 1e-6f32).recip() * by.max_norm, 1.0f32);
    }

    let row = replica * COLUMNS;
    // Exponent bits, since compilers may assume that comparisons meet no NaN.
    let mut moving = replicas.table[row] != 0.0f32 && u32::reinterpret(norm) & 0x7f80_0000u32 != 0x7f80_0000u32;
    if comptime!(given.mask) {
        moving = moving && replicas.mask[replica] != 0.0f32;
    }
    let zero = Vector::<f32, N>::new(0.0f32);
    let one = Vector::<f32, N>::new(1.0f32);
    let (decay, correction) = (
        Vector::<f32, N>::new(replicas.table[row + 2]),
        Vector::<f32, N>::new(replicas.table[row + 4]),
    );
    let mut kept = Vector::<f32, N>::new(replicas.table[row + 1]);
    let mut step_size = Vector::<f32, N>::new(replicas.table[row + 3]);
    let table_step_size = step_size;
    let (clip, epsilon) = (Vector::<f32, N>::new(clip), Vector::<f32, N>::new(by.epsilon));
    let (beta1, rest1) = (Vector::<f32, N>::new(by.beta1), Vector::<f32, N>::new(by.rest1));
    let (beta2, rest2) = (Vector::<f32, N>::new(by.beta2), Vector::<f32, N>::new(by.rest2));

    let end = min(parts.len, (part + 1) * parts.per_part);
    let mut place = part * parts.per_part + unit;
    while place < end {
        let at = replica * parts.len + place;
        let (w, m, v) = (parameters.weights[at], parameters.first[at], parameters.second[at]);
        if moving {
            let g = parameters.gradient[at] * clip;
            let m_new = m * beta1 + g * rest1;
            let v_new = v * beta2 + g * g * rest2;
            if comptime!(given.factors) {
                let factor = parameters.factors[at];
                kept = one - decay * factor;
                step_size = table_step_size * factor;
            }
            let w_new = w * kept - m_new / (v_new.sqrt() / correction + epsilon) * step_size;
            if comptime!(given.factors) {
                let is_updated = parameters.factors[at].greater_than(&zero);
                updated.weights[at] = select_many(is_updated, w_new, w);
                updated.first[at] = select_many(is_updated, m_new, m);
                updated.second[at] = select_many(is_updated, v_new, v);
            } else {
                updated.weights[at] = w_new;
                updated.first[at] = m_new;
                updated.second[at] = v_new;
            }
        } else {
            updated.weights[at] = w;
            updated.first[at] = m;
            updated.second[at] = v;
        }
        place += UNITS;
    }
}

/// The norm of a replica's gradient, from the sums of squares of its parts; every unit gets it.
#[cube]
fn norm_of(sums: &mut Shared<[f32]>, partials: &[f32], replica: usize, parts: usize) -> f32 {
    let mut total = 0.0f32;
    let mut at = UNIT_POS_X as usize;
    while at < parts {
        total += partials[replica * parts + at];
        at += UNITS;
    }
    tree_sum(sums, total, UNITS).sqrt()
}
