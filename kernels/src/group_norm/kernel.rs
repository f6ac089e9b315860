//! One cube per group of one sample. Grid = (groups, B, R).
//!
//! With `stage`, the length of a group rounded up, the group is kept in shared memory and global memory is read once;
//! without (0) it is read again, in the same order, so that the bits are the same. Neighbouring units read neighbouring
//! values, and sums are halved over the units of a cube.

use crate::gpu::sum_of_team;
use cubecl::prelude::*;

/// A value of the group that begins at `first`, from where it was staged.
#[cube]
fn value(x: &[f32], staged: &mut Shared<[f32]>, first: usize, at: usize, #[comptime] stage: usize) -> f32 {
    if comptime!(stage > 0) {
        staged[at]
    } else {
        x[first + at]
    }
}

/// Mean and reciprocal standard deviation of the `len` values from `first`, which are staged on the way.
#[cube]
fn statistics(
    x: &[f32],
    staged: &mut Shared<[f32]>,
    sums: &mut Shared<[f32]>,
    first: usize,
    len: usize,
    eps: f32,
    #[comptime] stage: usize,
    #[comptime] units: usize,
) -> (f32, f32) {
    let unit = UNIT_POS_X as usize;
    let count = f32::cast_from(len);
    let mut total = 0.0f32;
    let mut at = unit;
    while at < len {
        let own = x[first + at];
        if comptime!(stage > 0) {
            staged[at] = own;
        }
        total += own;
        at += units;
    }
    let mean = sum_of_team(sums, total, units) / count;
    let mut squares = 0.0f32;
    let mut at = unit;
    while at < len {
        let deviation = value(x, staged, first, at, stage) - mean;
        squares += deviation * deviation;
        at += units;
    }
    let variance = sum_of_team(sums, squares, units) / count;
    (mean, 1.0f32 / (variance + eps).sqrt())
}

/// `y = (x - mean) scale gamma + beta`.
#[cube(launch, create_dummy_kernel)]
pub fn norm_forward(
    x: &[f32],
    gamma: &[f32],
    beta: &[f32],
    y: &mut [f32],
    channels: usize,
    positions: usize,
    eps: f32,
    #[comptime] stage: usize,
    #[comptime] units: usize,
) {
    let mut staged = Shared::<[f32]>::new_slice(comptime!(if stage > 0 { stage } else { 1 }));
    let mut sums = Shared::<[f32]>::new_slice(units);
    let (group, replica) = (CUBE_POS_X as usize, CUBE_POS_Z as usize);
    let sample = replica * CUBE_COUNT_Y as usize + CUBE_POS_Y as usize;
    let per_group = channels / CUBE_COUNT_X as usize;
    let len = per_group * positions;
    let first = sample * channels * positions + group * len;
    let (mean, scale) = statistics(x, &mut staged, &mut sums, first, len, eps, stage, units);

    // Channel and position advance with the units: no division per value.
    let unit = UNIT_POS_X as usize;
    let (channel_step, position_step) = (units / positions, units % positions);
    let mut channel = replica * channels + group * per_group + unit / positions;
    let mut position = unit % positions;
    let mut at = unit;
    while at < len {
        let own = value(x, &mut staged, first, at, stage);
        y[first + at] = (own - mean) * scale * gamma[channel] + beta[channel];
        at += units;
        channel += channel_step;
        position += position_step;
        if position >= positions {
            position -= positions;
            channel += 1;
        }
    }
}

/// `dx`, and the parts of `d_gamma` and `d_beta` of each sample, `[R, B, C]`.
///
/// Teams of `team` neighbouring units add up a channel each.
#[cube(launch, create_dummy_kernel)]
#[allow(clippy::too_many_arguments)]
pub fn norm_backward(
    x: &[f32],
    gamma: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    d_gamma: &mut [f32],
    d_beta: &mut [f32],
    channels: usize,
    positions: usize,
    eps: f32,
    #[comptime] stage: usize,
    #[comptime] units: usize,
    #[comptime] team: usize,
) {
    let mut staged = Shared::<[f32]>::new_slice(comptime!(if stage > 0 { stage } else { 1 }));
    let mut staged_dy = Shared::<[f32]>::new_slice(comptime!(if stage > 0 { stage } else { 1 }));
    let mut sums = Shared::<[f32]>::new_slice(units);
    let (group, replica) = (CUBE_POS_X as usize, CUBE_POS_Z as usize);
    let sample = replica * CUBE_COUNT_Y as usize + CUBE_POS_Y as usize;
    let per_group = channels / CUBE_COUNT_X as usize;
    let len = per_group * positions;
    let first = sample * channels * positions + group * len;
    let (mean, scale) = statistics(x, &mut staged, &mut sums, first, len, eps, stage, units);

    let unit = UNIT_POS_X as usize;
    let member = unit % team;
    let teams = comptime!(units / team);
    // Sums over the group of the gradient of the standardised x, and of its product with it.
    let mut plain = 0.0f32;
    let mut product = 0.0f32;
    let mut first_channel = 0usize;
    while first_channel < per_group {
        let channel = first_channel + unit / team;
        let mut own_beta = 0.0f32;
        let mut own_gamma = 0.0f32;
        if channel < per_group {
            let mut position = member;
            while position < positions {
                let at = channel * positions + position;
                let gradient = dy[first + at];
                if comptime!(stage > 0) {
                    staged_dy[at] = gradient;
                }
                own_beta += gradient;
                own_gamma += (value(x, &mut staged, first, at, stage) - mean) * scale * gradient;
                position += team;
            }
        }
        let of_beta = sum_of_team(&mut sums, own_beta, team);
        let of_gamma = sum_of_team(&mut sums, own_gamma, team);
        if channel < per_group && member == 0 {
            let channel = group * per_group + channel;
            let at = sample * channels + channel;
            d_beta[at] = of_beta;
            d_gamma[at] = of_gamma;
            plain += gamma[replica * channels + channel] * of_beta;
            product += gamma[replica * channels + channel] * of_gamma;
        }
        first_channel += teams;
    }
    let count = f32::cast_from(len);
    let plain = sum_of_team(&mut sums, plain, units) / count;
    let product = sum_of_team(&mut sums, product, units) / count;

    let (channel_step, position_step) = (units / positions, units % positions);
    let mut channel = replica * channels + group * per_group + unit / positions;
    let mut position = unit % positions;
    let mut at = unit;
    while at < len {
        let standardised = (value(x, &mut staged, first, at, stage) - mean) * scale;
        let gradient = gamma[channel] * value(dy, &mut staged_dy, first, at, stage);
        dx[first + at] = scale * (gradient - plain - standardised * product);
        at += units;
        channel += channel_step;
        position += position_step;
        if position >= positions {
            position -= positions;
            channel += 1;
        }
    }
}
