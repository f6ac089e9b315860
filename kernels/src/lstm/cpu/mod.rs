//! CPU path of [`lstm`](super::lstm): a task carries a few samples of one replica through all steps.

mod cell;
mod panels;

use super::LstmProblem;
use super::autodiff::{LstmAdjoint, LstmOps, Route};
use crate::cpu::{FlexTensor, Matrix, Output, Part, add_partial_sums, contiguous, dims, product, tensor, values};
use crate::simd::dispatch;
use burn::backend::Flex;
use panels::Panels;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::sync::Arc;

/// Samples that one task carries through all steps.
const MAX_SAMPLES: usize = 16;
/// Partial sums of the gradient of the recurrent weights, in a small batch.
const PARTS: usize = 8;

/// One recurrence, how its samples are read, and how they are handed to threads.
struct Work {
    problem: LstmProblem,
    lengths: Arc<[usize]>,
    reverse: bool,
    /// Samples of a task. No sum goes over samples, so that threads may decide it.
    per_task: usize,
}

impl Work {
    fn new(problem: LstmProblem, route: &Route) -> Self {
        let LstmProblem {
            replicas, batch, steps, ..
        } = problem;
        let lengths = route
            .lengths
            .clone()
            .unwrap_or_else(|| vec![steps; replicas * batch].into());
        let tasks = rayon::current_num_threads().div_ceil(replicas.max(1));
        Self {
            problem,
            lengths,
            reverse: route.reverse,
            per_task: batch.div_ceil(tasks).clamp(1, MAX_SAMPLES),
        }
    }

    /// Replica and samples (counted over all replicas) of a task.
    fn task(&self, task: usize) -> (usize, std::ops::Range<usize>) {
        let per_replica = self.problem.batch.div_ceil(self.per_task);
        let (replica, task) = (task / per_replica, task % per_replica);
        let samples = task * self.per_task..self.problem.batch.min((task + 1) * self.per_task);
        (
            replica,
            replica * self.problem.batch + samples.start..replica * self.problem.batch + samples.end,
        )
    }

    /// The steps in the order of the recurrence.
    fn order(&self) -> impl DoubleEndedIterator<Item = usize> {
        let (steps, reverse) = (self.problem.steps, self.reverse);
        (0..steps).map(move |index| if reverse { steps - 1 - index } else { index })
    }

    /// The step before `step` in the order of a sample that runs at `step`.
    fn before(&self, step: usize, length: usize) -> Option<usize> {
        if self.reverse {
            Some(step + 1).filter(|&before| before < length)
        } else {
            step.checked_sub(1)
        }
    }
}

/// Inputs and results of one task of the forward pass; `states` and `saved` hold its samples only.
struct Forward<'a> {
    work: &'a Work,
    lengths: &'a [usize],
    projected: &'a [f32],
    hidden: &'a Panels,
    bias: &'a [f32],
    states: &'a mut [f32],
    saved: Option<&'a mut [f32]>,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Self {
            work,
            lengths,
            projected,
            hidden,
            bias,
            states,
            mut saved,
        } = self;
        let LstmProblem { steps, units, .. } = work.problem;
        let state_at = |sample: usize, step: usize| (sample * (steps + 2) + step) * units;
        let mut sums = vec![0.0; lengths.len() * hidden.cols];
        let mut cells = vec![0.0; lengths.len() * units];
        let mut rows = Vec::with_capacity(lengths.len());
        for step in work.order() {
            let before = |sample: usize| work.before(step, lengths[sample]);
            rows.clear();
            rows.extend((0..lengths.len()).filter(|&sample| step < lengths[sample] && before(sample).is_some()));
            let left = |sample| &states[state_at(sample, before(sample).unwrap_or(step))..][..units];
            hidden.multiply(s, &rows, left, &mut sums);
            for (sample, cell) in cells.chunks_exact_mut(units).enumerate() {
                if step >= lengths[sample] {
                    continue;
                }
                // Before a sample's first step its sums are still zero.
                let sums = &sums[sample * hidden.cols..][..4 * units];
                let row = sample * steps + step;
                let saved = saved
                    .as_deref_mut()
                    .map(|saved| &mut saved[row * 5 * units..][..5 * units]);
                let projected = &projected[row * 4 * units..][..4 * units];
                let hidden = &mut states[state_at(sample, step)..][..units];
                cell::update(s, [sums, projected, bias], cell, hidden, saved);
            }
        }
        for (sample, &length) in lengths.iter().enumerate().filter(|&(_, &length)| length > 0) {
            let last = state_at(sample, if work.reverse { 0 } else { length - 1 });
            states.copy_within(last..last + units, state_at(sample, steps));
            states[state_at(sample, steps + 1)..][..units].copy_from_slice(&cells[sample * units..][..units]);
        }
    }
}

/// Inputs and results of one task of the backward pass: the samples of `d_projected`.
struct Backward<'a> {
    work: &'a Work,
    lengths: &'a [usize],
    /// `Uᵀ: [4H, H]`.
    transposed: &'a Panels,
    saved: &'a [f32],
    grad: &'a [f32],
    d_projected: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Self {
            work,
            lengths,
            transposed,
            saved,
            grad,
            d_projected,
        } = self;
        let LstmProblem { steps, units, .. } = work.problem;
        let saved_at = |sample: usize, step: usize| &saved[(sample * steps + step) * 5 * units..][..5 * units];
        let grad_at = |sample: usize, step: usize| &grad[(sample * (steps + 2) + step) * units..][..units];
        let nothing = vec![0.0; units];
        let mut d_cells = vec![0.0; lengths.len() * units];
        let mut d_hidden = vec![0.0; lengths.len() * transposed.cols];
        for sample in 0..lengths.len() {
            d_hidden[sample * transposed.cols..][..units].copy_from_slice(grad_at(sample, steps));
            d_cells[sample * units..][..units].copy_from_slice(grad_at(sample, steps + 1));
        }
        let mut rows = Vec::with_capacity(lengths.len());
        for step in work.order().rev() {
            rows.clear();
            for (sample, d_cell) in d_cells.chunks_exact_mut(units).enumerate() {
                if step >= lengths[sample] {
                    continue;
                }
                let before = work.before(step, lengths[sample]);
                let cell_before = before.map_or(&nothing[..], |before| &saved_at(sample, before)[4 * units..]);
                let d_hidden = &d_hidden[sample * transposed.cols..][..units];
                let d_gates = &mut d_projected[(sample * steps + step) * 4 * units..][..4 * units];
                let saved = [saved_at(sample, step), cell_before];
                cell::update_backward(s, d_gates, [d_hidden, grad_at(sample, step)], d_cell, saved);
                rows.extend(before.map(|_| sample));
            }
            let gates = |sample| &d_projected[(sample * steps + step) * 4 * units..][..4 * units];
            transposed.multiply(s, &rows, gates, &mut d_hidden);
        }
    }
}

fn forward(
    projected: FlexTensor,
    hidden: FlexTensor,
    bias: FlexTensor,
    route: &Route,
    save: bool,
) -> (FlexTensor, Option<FlexTensor>) {
    let (projected, hidden, bias) = (contiguous(projected), contiguous(hidden), contiguous(bias));
    let [replicas, batch, steps, columns] = dims(&projected);
    let units = columns / 4;
    let problem = LstmProblem {
        replicas,
        batch,
        steps,
        units,
    };
    let work = Work::new(problem, route);
    if problem.is_empty() {
        let saved = save.then(|| tensor(Vec::new(), [replicas, batch, steps, 5 * units]));
        return (
            tensor(
                vec![0.0; replicas * batch * (steps + 2) * units],
                [replicas, batch, steps + 2, units],
            ),
            saved,
        );
    }
    let mut states = Output::new(replicas * batch * (steps + 2) * units);
    let saved_len = if save { 5 * steps * units } else { 0 };
    let mut saved = Output::new(replicas * batch * saved_len);
    let (projected, bias) = (values(&projected), values(&bias));
    let panels: Vec<Panels> = values(&hidden)
        .par_chunks(columns * units)
        .map(|weights| Panels::pack(units, columns, |k, column| weights[k * columns + column]))
        .collect();
    let mut saved_tasks = saved.tasks(batch, saved_len, work.per_task).into_iter();
    let tasks: Vec<_> = (states.tasks(batch, (steps + 2) * units, work.per_task))
        .into_iter()
        .map(|states| (states, saved_tasks.next()))
        .collect();
    tasks.into_par_iter().enumerate().for_each(|(task, (states, saved))| {
        let (replica, samples) = work.task(task);
        dispatch(Forward {
            work: &work,
            lengths: &work.lengths[samples.clone()],
            projected: &projected[samples.start * steps * columns..samples.end * steps * columns],
            hidden: &panels[replica],
            bias: &bias[replica * columns..][..columns],
            states: states.zeros(),
            saved: saved.map(Part::zeros),
        });
    });
    let saved = save.then(|| tensor(saved.finish(), [replicas, batch, steps, 5 * units]));
    (tensor(states.finish(), [replicas, batch, steps + 2, units]), saved)
}

/// Gradients of the recurrent weights and the bias: sums over samples, in parts that the batch decides.
fn weight_gradients(work: &Work, states: &[f32], d_projected: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let LstmProblem {
        replicas,
        batch,
        steps,
        units,
    } = work.problem;
    let per_part = batch.div_ceil(PARTS).clamp(1, MAX_SAMPLES);
    let (columns, parts) = (4 * units, batch.div_ceil(per_part));
    let mut d_hidden = vec![0.0; replicas * parts * units * columns];
    let mut d_bias = vec![0.0; replicas * parts * columns];
    let parts_of_sums = d_hidden
        .par_chunks_mut(units * columns)
        .zip(d_bias.par_chunks_mut(columns));
    parts_of_sums.enumerate().for_each(|(part, (d_hidden, d_bias))| {
        let (replica, part) = (part / parts, part % parts);
        let samples = part * per_part..batch.min((part + 1) * per_part);
        for sample in replica * batch + samples.start..replica * batch + samples.end {
            let d_gates = &d_projected[sample * steps * columns..][..work.lengths[sample] * columns];
            for row in d_gates.chunks_exact(columns) {
                for (sum, value) in d_bias.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            // The state before a step is that after its predecessor: the same rows, one step apart.
            let pairs = work.lengths[sample].saturating_sub(1);
            let (from, to) = if work.reverse { (1, 0) } else { (0, 1) };
            let before = Matrix::new(&states[(sample * (steps + 2) + from) * units..], pairs, units);
            let d_gates = Matrix::new(d_gates.get(to * columns..).unwrap_or_default(), pairs, columns);
            product(d_hidden, columns, before.transposed(), d_gates, true);
        }
    });
    (
        add_partial_sums(&d_hidden, replicas, parts, units * columns),
        add_partial_sums(&d_bias, replicas, parts, columns),
    )
}

impl LstmOps for Flex {
    fn replica_lstm(projected: FlexTensor, hidden: FlexTensor, bias: FlexTensor, route: Route) -> FlexTensor {
        forward(projected, hidden, bias, &route, false).0
    }
}

impl LstmAdjoint for Flex {
    fn replica_lstm_saving(
        projected: FlexTensor,
        hidden: FlexTensor,
        bias: FlexTensor,
        route: Route,
    ) -> (FlexTensor, FlexTensor) {
        let (states, saved) = forward(projected, hidden, bias, &route, true);
        (states, saved.expect("asked for"))
    }

    fn replica_lstm_backward(
        hidden: FlexTensor,
        states: FlexTensor,
        saved: FlexTensor,
        grad: FlexTensor,
        route: Route,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (hidden, states) = (contiguous(hidden), contiguous(states));
        let (saved, grad) = (contiguous(saved), contiguous(grad));
        let [replicas, batch, steps, saved_len] = dims(&saved);
        let (units, columns) = (saved_len / 5, 4 * (saved_len / 5));
        let problem = LstmProblem {
            replicas,
            batch,
            steps,
            units,
        };
        let work = Work::new(problem, &route);
        let mut d_projected = Output::new(replicas * batch * steps * columns);
        let (mut d_hidden, mut d_bias) = (vec![0.0; replicas * units * columns], vec![0.0; replicas * columns]);
        if !problem.is_empty() {
            let (saved, grad) = (values(&saved), values(&grad));
            let panels: Vec<Panels> = values(&hidden)
                .par_chunks(columns * units)
                .map(|weights| Panels::pack(columns, units, |column, k| weights[k * columns + column]))
                .collect();
            let tasks = d_projected.tasks(batch, steps * columns, work.per_task);
            tasks.into_par_iter().enumerate().for_each(|(task, d_projected)| {
                let (replica, samples) = work.task(task);
                let state_len = (steps + 2) * units;
                dispatch(Backward {
                    work: &work,
                    lengths: &work.lengths[samples.clone()],
                    transposed: &panels[replica],
                    saved: &saved[samples.start * steps * saved_len..samples.end * steps * saved_len],
                    grad: &grad[samples.start * state_len..samples.end * state_len],
                    d_projected: d_projected.zeros(),
                });
            });
        }
        let d_projected = d_projected.finish();
        if !problem.is_empty() {
            (d_hidden, d_bias) = weight_gradients(&work, values(&states), &d_projected);
        }
        (
            tensor(d_projected, [replicas, batch, steps, columns]),
            tensor(d_hidden, [replicas, units, columns]),
            tensor(d_bias, [replicas, columns]),
        )
    }
}
