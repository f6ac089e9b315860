//! Samples handed to threads: the convolution and its adjoints on flat slices.

use super::planes::Correlation;
use super::simd::{Correlate, WeightGradient};
use crate::conv::ConvProblem;
use crate::cpu::{Output, add_partial_sums, tasks};
use crate::simd::dispatch;
use rayon::prelude::*;

/// Samples whose weight gradients one task adds up.
const SAMPLES_PER_TASK: usize = 4;

/// Correlates each sample of `x: [R, B, ...]`, whose replica axis may be 1 for all, with the weights of its replica, to
/// `[R, B, outputs]`. `finish` gets each sample of the outputs while it is in the cache.
pub(crate) fn correlate(
    c: &Correlation,
    [replicas, batch]: [usize; 2],
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    finish: impl Fn(&mut [f32]) + Sync,
) -> Vec<f32> {
    let (group_in, group_out) = (c.planes.group(), c.filters * c.output[0] * c.output[1]);
    let (sample_in, sample_out) = (c.groups * group_in, c.groups * group_out);
    let banks = w.chunks_exact(c.bank.max(1));
    let packed: Vec<Vec<f32>> = banks
        .flat_map(|bank| c.passes.iter().map(|pass| c.pack(pass, bank)))
        .collect();
    let mut output = Output::new(replicas * batch * sample_out);
    let tasks = output.tasks(batch, sample_out, 1).into_par_iter().enumerate();
    tasks.for_each_init(
        || c.planes.scratch(),
        |planes, (sample, out)| {
            let out = out.zeros();
            let at = sample * sample_in % x.len().max(1);
            let bank = sample / batch * c.groups;
            for (group, out) in out.chunks_exact_mut(group_out).enumerate() {
                let at = at + group * group_in;
                c.planes.fill(&x[at..at + group_in], planes);
                let bias = bias.map(|bias| &bias[(bank + group) * c.filters..(bank + group + 1) * c.filters]);
                for (index, pass) in c.passes.iter().enumerate() {
                    let weights = &packed[(bank + group) * c.passes.len() + index];
                    let (plane, width) = (c.output[0] * c.output[1], c.output[1]);
                    dispatch(Correlate {
                        pass,
                        planes,
                        weights,
                        bias,
                        out,
                        plane,
                        width,
                    });
                }
            }
            finish(out);
        },
    );
    output.finish()
}

/// Gradient of `w: [R, ...]` from `x: [R or 1, B, ...]` and `dy: [R, B, ...]`: the parts of `SAMPLES_PER_TASK` samples,
/// added in order.
pub(crate) fn weight_gradient(problem: &ConvProblem, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let c = Correlation::forward(problem);
    let (group_in, group_out) = (c.planes.group(), c.filters * c.output[0] * c.output[1]);
    let (sample_in, sample_out) = (c.groups * group_in, c.groups * group_out);
    let (parts, bank) = (problem.batch.div_ceil(SAMPLES_PER_TASK), c.groups * c.bank);
    let mut partials = vec![0.0; problem.replicas * parts * bank];
    tasks(&mut partials, parts, bank, 1)
        .into_par_iter()
        .enumerate()
        .for_each_init(
            || c.planes.scratch(),
            |planes, (task, dw)| {
                let (replica, first) = (task / parts, task % parts * SAMPLES_PER_TASK);
                for sample in first..problem.batch.min(first + SAMPLES_PER_TASK) {
                    let sample = replica * problem.batch + sample;
                    let x_at = sample * sample_in % x.len().max(1);
                    for (group, dw) in dw.chunks_exact_mut(c.bank).enumerate() {
                        let x_at = x_at + group * group_in;
                        let dy_at = sample * sample_out + group * group_out;
                        c.planes.fill(&x[x_at..x_at + group_in], planes);
                        let dy = &dy[dy_at..dy_at + group_out];
                        dispatch(WeightGradient {
                            pass: &c.passes[0],
                            planes,
                            dy,
                            dw,
                        });
                    }
                }
            },
        );
    add_partial_sums(&partials, problem.replicas, parts, bank)
}

/// Gradient of the bias: the sum of each row of `dy`, then of the samples in order.
pub(crate) fn bias_gradient(problem: &ConvProblem, dy: &[f32]) -> Vec<f32> {
    let positions = problem.output[0] * problem.output[1];
    let mut partials = vec![0.0; problem.replicas * problem.batch * problem.filters];
    if positions > 0 {
        let rows = dy.par_chunks(positions);
        partials
            .par_iter_mut()
            .zip(rows)
            .for_each(|(sum, row)| *sum = crate::cpu::sum(row));
    }
    add_partial_sums(&partials, problem.replicas, problem.batch, problem.filters)
}
