//! CPU path of [`group_norm`](super::group_norm): one task per group of a sample.

use super::GroupNormProblem;
use super::autodiff::{GroupNormAdjoint, GroupNormOps};
use crate::cpu::{FlexTensor, Output, add_partial_sums, contiguous, dims, sum, sum_of, sums_of, tensor, values};
use crate::simd::vectorised;
use burn::backend::Flex;
use rayon::prelude::*;
use std::ops::Range;

/// One group of one sample.
#[inline(always)]
fn group_forward(x: &[f32], gamma: &[f32], beta: &[f32], eps: f32, y: &mut [f32]) {
    let (positions, count) = (x.len() / gamma.len(), x.len() as f32);
    let mean = sum(x) / count;
    let variance = sum_of(x, x, |x, _| (x - mean) * (x - mean)) / count;
    let scale = 1.0 / (variance + eps).sqrt();
    let rows = y.chunks_mut(positions).zip(x.chunks(positions));
    for ((y, x), (gamma, beta)) in rows.zip(gamma.iter().zip(beta)) {
        let (slope, beta) = (scale * gamma, *beta);
        for (y, x) in y.iter_mut().zip(x) {
            *y = (x - mean) * slope + beta;
        }
    }
}

/// Gradients of one group of one sample; `d_gamma` and `d_beta` are written.
#[inline(always)]
fn group_backward(
    (x, dy, gamma): (&[f32], &[f32], &[f32]),
    eps: f32,
    dx: &mut [f32],
    (d_gamma, d_beta): (&mut [f32], &mut [f32]),
) {
    let (positions, count) = (x.len() / gamma.len(), x.len() as f32);
    let mean = sum(x) / count;
    let rows = x.chunks(positions).zip(dy.chunks(positions));
    let mut variance = 0.0;
    for ((x, dy), (d_gamma, d_beta)) in rows.zip(d_gamma.iter_mut().zip(d_beta.iter_mut())) {
        let sums = sums_of(x, dy, |x, dy| [(x - mean) * (x - mean), (x - mean) * dy, dy]);
        variance += sums[0];
        (*d_gamma, *d_beta) = (sums[1], sums[2]);
    }
    let scale = 1.0 / (variance / count + eps).sqrt();
    // Means over the group of the gradient of the standardised x, and of its product with it.
    let (mut first, mut second) = (0.0, 0.0);
    for ((d_gamma, d_beta), gamma) in d_gamma.iter_mut().zip(d_beta).zip(gamma) {
        *d_gamma *= scale;
        first += gamma * *d_beta;
        second += gamma * *d_gamma;
    }
    let (first, second) = (first / count, scale * second / count);
    let rows = x.chunks(positions).zip(dy.chunks(positions));
    for ((dx, (x, dy)), gamma) in dx.chunks_mut(positions).zip(rows).zip(gamma) {
        for ((dx, x), dy) in dx.iter_mut().zip(x).zip(dy) {
            // Scaled last: what cancels in a group of one value would not, once rounded.
            *dx = scale * (gamma * dy - first - (x - mean) * second);
        }
    }
}

/// The channels of one group of one sample, counted over all replicas.
fn channels_of(task: usize, batch: usize, groups: usize, per_group: usize) -> Range<usize> {
    let first = (task / (batch * groups) * groups + task % groups) * per_group;
    first..first + per_group
}

impl GroupNormOps for Flex {
    fn replica_group_norm(x: FlexTensor, gamma: FlexTensor, beta: FlexTensor, problem: GroupNormProblem) -> FlexTensor {
        let (x, gamma, beta) = (contiguous(x), contiguous(gamma), contiguous(beta));
        let [replicas, batch, channels, positions] = dims(&x);
        let (xv, gamma, beta) = (values(&x), values(&gamma), values(&beta));
        let per_group = channels / problem.groups;
        let group_len = per_group * positions;
        let mut y = Output::new(xv.len());
        y.tasks(batch * problem.groups, group_len, 1)
            .into_par_iter()
            .zip(xv.par_chunks(group_len.max(1)))
            .enumerate()
            .for_each(|(task, (y, x))| {
                let of_channels = channels_of(task, batch, problem.groups, per_group);
                let (gamma, beta) = (&gamma[of_channels.clone()], &beta[of_channels]);
                let y = y.zeros();
                vectorised(|| group_forward(x, gamma, beta, problem.eps, y));
            });
        tensor(y.finish(), [replicas, batch, channels, positions])
    }
}

impl GroupNormAdjoint for Flex {
    fn replica_group_norm_backward(
        x: FlexTensor,
        gamma: FlexTensor,
        dy: FlexTensor,
        problem: GroupNormProblem,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (x, gamma, dy) = (contiguous(x), contiguous(gamma), contiguous(dy));
        let [replicas, batch, channels, positions] = dims(&x);
        let (xv, gamma, dyv) = (values(&x), values(&gamma), values(&dy));
        let per_group = channels / problem.groups;
        let group_len = per_group * positions;
        let mut dx = Output::new(xv.len());
        let mut d_gamma = vec![0.0; replicas * batch * channels];
        let mut d_beta = d_gamma.clone();
        dx.tasks(batch * problem.groups, group_len, 1)
            .into_par_iter()
            .zip(xv.par_chunks(group_len.max(1)).zip(dyv.par_chunks(group_len.max(1))))
            .zip(
                d_gamma
                    .par_chunks_mut(per_group.max(1))
                    .zip(d_beta.par_chunks_mut(per_group.max(1))),
            )
            .enumerate()
            .for_each(|(task, ((dx, (x, dy)), of_parameters))| {
                let inputs = (x, dy, &gamma[channels_of(task, batch, problem.groups, per_group)]);
                let dx = dx.zeros();
                vectorised(|| group_backward(inputs, problem.eps, dx, of_parameters));
            });
        let sums = |parts: Vec<f32>| {
            let sum = add_partial_sums(&parts, replicas, batch, channels);
            tensor(sum, [replicas, channels])
        };
        (
            tensor(dx.finish(), [replicas, batch, channels, positions]),
            sums(d_gamma),
            sums(d_beta),
        )
    }
}
