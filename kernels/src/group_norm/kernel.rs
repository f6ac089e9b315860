//! One cube per group of one sample. Grid = (groups, B, R).
//!
//! With `stage`, the length of a group rounded up, the group is kept in shared memory and global memory is read once;
//! without (0) it is read again, in the same order, so that the bits are the same. Neighbouring units read neighbouring
//! values, and sums are halved over the units of a cube.

use crate::gpu::tree_sum;
use cubecl::prelude::*;

/// Everything that a kernel is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NormPlan {
    /// Values of a group kept in shared memory, rounded up; 0 where it does not fit.
    pub stage: usize,
    /// Units of a cube.
    pub units: usize,
    /// Units of one reduction over a channel.
    pub channel_units: usize,
}

impl NormPlan {
    fn staged_len(&self) -> usize {
        self.stage.max(1)
    }
}

/// The sizes of a normalisation, and the constant under its root.
#[derive(CubeType, CubeLaunch)]
pub struct NormSizes {
    pub channels: usize,
    pub positions: usize,
    pub eps: f32,
}

/// The group of a cube.
#[derive(CubeType)]
struct Group {
    replica: usize,
    sample: usize,
    /// First channel of the group, and number of them.
    first_channel: usize,
    channels: usize,
    /// First value, and number of them.
    first: usize,
    len: usize,
}

#[cube]
fn own_group(sizes: &NormSizes) -> Group {
    let (group, replica) = (CUBE_POS_X as usize, CUBE_POS_Z as usize);
    let sample = replica * CUBE_COUNT_Y as usize + CUBE_POS_Y as usize;
    let channels = sizes.channels / CUBE_COUNT_X as usize;
    let len = channels * sizes.positions;
    let first = sample * sizes.channels * sizes.positions + group * len;
    Group {
        replica,
        sample,
        first_channel: group * channels,
        channels,
        first,
        len,
    }
}

/// A value of the group that begins at `first`, from where it was staged.
#[cube]
fn value(x: &[f32], staged: &mut Shared<[f32]>, first: usize, at: usize, #[comptime] plan: NormPlan) -> f32 {
    if comptime!(plan.stage > 0) {
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
    group: &Group,
    eps: f32,
    #[comptime] plan: NormPlan,
) -> (f32, f32) {
    let units = comptime!(plan.units);
    let unit = UNIT_POS_X as usize;
    let count = f32::cast_from(group.len);
    let mut total = 0.0f32;
    let mut at = unit;
    while at < group.len {
        let own = x[group.first + at];
        if comptime!(plan.stage > 0) {
            staged[at] = own;
        }
        total += own;
        at += units;
    }
    let mean = tree_sum(sums, total, units) / count;
    let mut squares = 0.0f32;
    let mut at = unit;
    while at < group.len {
        let centered = value(x, staged, group.first, at, plan) - mean;
        squares += centered * centered;
        at += units;
    }
    let variance = tree_sum(sums, squares, units) / count;
    (mean, 1.0f32 / (variance + eps).sqrt())
}

/// `y = (x - mean) scale gamma + beta`.
#[cube(launch, create_dummy_kernel)]
pub fn norm_forward(
    x: &[f32],
    gamma: &[f32],
    beta: &[f32],
    y: &mut [f32],
    sizes: &NormSizes,
    #[comptime] plan: NormPlan,
) {
    let (units, positions) = (comptime!(plan.units), sizes.positions);
    let mut staged = Shared::<[f32]>::new_slice(comptime!(plan.staged_len()));
    let mut sums = Shared::<[f32]>::new_slice(units);
    let group = own_group(sizes);
    let (mean, scale) = statistics(x, &mut staged, &mut sums, &group, sizes.eps, plan);

    // Channel and position advance with the units: no division per value.
    let unit = UNIT_POS_X as usize;
    let (channel_step, position_step) = (units / positions, units % positions);
    let mut channel = group.replica * sizes.channels + group.first_channel + unit / positions;
    let mut position = unit % positions;
    let mut at = unit;
    while at < group.len {
        let own = value(x, &mut staged, group.first, at, plan);
        y[group.first + at] = (own - mean) * scale * gamma[channel] + beta[channel];
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
/// Some neighbouring units make the reduction over one channel.
#[cube(launch, create_dummy_kernel)]
pub fn norm_backward(
    x: &[f32],
    gamma: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    d_gamma: &mut [f32],
    d_beta: &mut [f32],
    sizes: &NormSizes,
    #[comptime] plan: NormPlan,
) {
    let (units, channel_units) = comptime!((plan.units, plan.channel_units));
    let positions = sizes.positions;
    let mut staged = Shared::<[f32]>::new_slice(comptime!(plan.staged_len()));
    let mut staged_dy = Shared::<[f32]>::new_slice(comptime!(plan.staged_len()));
    let mut sums = Shared::<[f32]>::new_slice(units);
    let group = own_group(sizes);
    let first = group.first;
    let (mean, scale) = statistics(x, &mut staged, &mut sums, &group, sizes.eps, plan);

    let unit = UNIT_POS_X as usize;
    let member = unit % channel_units;
    // Sums over the group of the gradient of the standardised x, and of its product with it.
    let mut plain = 0.0f32;
    let mut product = 0.0f32;
    let mut first_channel = 0usize;
    while first_channel < group.channels {
        let channel = first_channel + unit / channel_units;
        let mut own_beta = 0.0f32;
        let mut own_gamma = 0.0f32;
        if channel < group.channels {
            let mut position = member;
            while position < positions {
                let at = channel * positions + position;
                let gradient = dy[first + at];
                if comptime!(plan.stage > 0) {
                    staged_dy[at] = gradient;
                }
                own_beta += gradient;
                own_gamma += (value(x, &mut staged, first, at, plan) - mean) * scale * gradient;
                position += channel_units;
            }
        }
        let of_beta = tree_sum(&mut sums, own_beta, channel_units);
        let of_gamma = tree_sum(&mut sums, own_gamma, channel_units);
        if channel < group.channels && member == 0 {
            let channel = group.first_channel + channel;
            let at = group.sample * sizes.channels + channel;
            d_beta[at] = of_beta;
            d_gamma[at] = of_gamma;
            plain += gamma[group.replica * sizes.channels + channel] * of_beta;
            product += gamma[group.replica * sizes.channels + channel] * of_gamma;
        }
        first_channel += comptime!(units / channel_units);
    }
    let count = f32::cast_from(group.len);
    let plain = tree_sum(&mut sums, plain, units) / count;
    let product = tree_sum(&mut sums, product, units) / count;

    let (channel_step, position_step) = (units / positions, units % positions);
    let mut channel = group.replica * sizes.channels + group.first_channel + unit / positions;
    let mut position = unit % positions;
    let mut at = unit;
    while at < group.len {
        let standardised = (value(x, &mut staged, first, at, plan) - mean) * scale;
        let gradient = gamma[channel] * value(dy, &mut staged_dy, first, at, plan);
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
