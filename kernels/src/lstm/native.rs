//! CPU path of [`lstm`](super::lstm): a task owns a few samples of one replica for all steps.

use super::{LstmOutput, LstmWeights, activation::sigmoid, activation::tanh};
use crate::native::{FlexTensor, Matrix, add_parts, contiguous, dims, product, tasks, tensor, values};
use burn::backend::{
    Autodiff, Backend, Dispatch, Flex,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;
use rayon::prelude::*;
use std::sync::Arc;

/// Samples that one task carries through all steps.
const SAMPLES_PER_TASK: usize = 16;

/// The order in which each sample is read.
#[derive(Debug, Clone)]
pub struct Route {
    /// R x B entries.
    pub lengths: Arc<[usize]>,
    /// From each sample's own end to its start.
    pub reverse: bool,
}

/// The recurrence and its adjoint, after the projection of the input.
///
/// `states: [R, B, T + 2, H]` holds the hidden state after each of the T steps (zero past the
/// end), then the last hidden state, then the last cell state. `saved: [R, B, T, 5H]` holds the
/// four activated gates and the cell state of each step.
#[backend_extension(Flex, Autodiff)]
pub trait LstmOps: Backend {
    /// `projected: [R, B, T, 4H]`, `hidden: [R, H, 4H]`, `bias: [R, 4H]` to `states`.
    fn replica_lstm(
        projected: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        route: Route,
    ) -> FloatTensor<Self>;

    /// The same, to `(states, saved)`: the forward pass of training.
    fn replica_lstm_saving(
        projected: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        route: Route,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Gradients of `(projected, hidden, bias)` from what the forward pass left and the gradient
    /// of `states`.
    fn replica_lstm_backward(
        hidden: FloatTensor<Self>,
        states: FloatTensor<Self>,
        saved: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        route: Route,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

pub(super) fn call(x: Tensor<4>, lengths: Option<&[usize]>, weights: &LstmWeights, reverse: bool) -> LstmOutput {
    let [replicas, batch, steps, inputs] = x.dims();
    let units = weights.hidden.dims()[1];
    let projected = crate::matmul(x.reshape([replicas, batch * steps, inputs]), weights.input.clone()).reshape([
        replicas,
        batch,
        steps,
        4 * units,
    ]);
    let lengths = lengths.map_or_else(|| vec![steps; replicas * batch].into(), Arc::from);
    let states = Tensor::<4>::from_dispatch(<Dispatch as LstmOps>::replica_lstm(
        projected.into_dispatch(),
        weights.hidden.clone().into_dispatch(),
        weights.bias.clone().into_dispatch(),
        Route { lengths, reverse },
    ));
    let last = |i: usize| states.clone().slice_dim(2, steps + i..steps + i + 1).reshape([replicas, batch, units]);
    LstmOutput { last_hidden: last(0), last_cell: last(1), sequence: states.slice_dim(2, 0..steps) }
}

/// Sizes of one recurrence.
#[derive(Clone, Copy)]
struct Sizes {
    replicas: usize,
    batch: usize,
    steps: usize,
    units: usize,
}

impl Sizes {
    fn of(projected: [usize; 4]) -> Self {
        let [replicas, batch, steps, gates] = projected;
        Self { replicas, batch, steps, units: gates / 4 }
    }

    fn tasks_per_replica(&self) -> usize {
        self.batch.div_ceil(SAMPLES_PER_TASK)
    }

    /// Replica and first sample (counted over all replicas) of a task.
    fn task(&self, task: usize) -> (usize, usize) {
        let replica = task / self.tasks_per_replica();
        let first = task % self.tasks_per_replica() * SAMPLES_PER_TASK;
        (replica, replica * self.batch + first)
    }

    fn step(&self, index: usize, reverse: bool) -> usize {
        if reverse { self.steps - 1 - index } else { index }
    }
}

/// The four gates of one sample, each over all units.
fn split(gates: &[f32], units: usize) -> [&[f32]; 4] {
    std::array::from_fn(|gate| &gates[gate * units..(gate + 1) * units])
}

/// One cell update: `gates` come in as sums and leave activated.
fn update(gates: &mut [f32], cell: &mut [f32], hidden: &mut [f32]) {
    let units = cell.len();
    let (input, rest) = gates.split_at_mut(units);
    let (forget, rest) = rest.split_at_mut(units);
    let (candidate, output) = rest.split_at_mut(units);
    // Lengths that the compiler can see are equal let it vectorise the loop.
    let (output, hidden) = (&mut output[..units], &mut hidden[..units]);
    for u in 0..units {
        input[u] = sigmoid(input[u]);
        forget[u] = sigmoid(forget[u]);
        candidate[u] = tanh(candidate[u]);
        output[u] = sigmoid(output[u]);
        cell[u] = forget[u] * cell[u] + input[u] * candidate[u];
        hidden[u] = output[u] * tanh(cell[u]);
    }
}

/// Carries the samples of one task through all steps.
fn forward_task(
    sizes: Sizes,
    route: (&[usize], bool),
    projected: &[f32],
    (hidden_weights, bias): (Matrix, &[f32]),
    states: &mut [f32],
    mut saved: Option<&mut [f32]>,
) {
    let Sizes { steps, units, .. } = sizes;
    let (lengths, reverse) = route;
    let samples = lengths.len();
    let mut gates = vec![0.0; samples * 4 * units];
    let mut hidden = vec![0.0; samples * units];
    let mut cell = vec![0.0; samples * units];
    for index in 0..steps {
        let step = sizes.step(index, reverse);
        let running = |sample: &usize| step < lengths[*sample];
        for sample in (0..samples).filter(running) {
            let row = &projected[(sample * steps + step) * 4 * units..][..4 * units];
            let gates = &mut gates[sample * 4 * units..][..4 * units];
            for ((gate, value), bias) in gates.iter_mut().zip(row).zip(bias) {
                *gate = value + bias;
            }
        }
        let state = Matrix::new(&hidden, samples, units);
        product(&mut gates, 4 * units, state, hidden_weights, true);
        for sample in (0..samples).filter(running) {
            let gates = &mut gates[sample * 4 * units..][..4 * units];
            let hidden = &mut hidden[sample * units..][..units];
            let cell = &mut cell[sample * units..][..units];
            update(gates, cell, hidden);
            states[(sample * (steps + 2) + step) * units..][..units].copy_from_slice(hidden);
            if let Some(saved) = &mut saved {
                let saved = &mut saved[(sample * steps + step) * 5 * units..][..5 * units];
                saved[..4 * units].copy_from_slice(gates);
                saved[4 * units..].copy_from_slice(cell);
            }
        }
    }
    for sample in 0..samples {
        let last = &mut states[(sample * (steps + 2) + steps) * units..][..2 * units];
        last[..units].copy_from_slice(&hidden[sample * units..][..units]);
        last[units..].copy_from_slice(&cell[sample * units..][..units]);
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
    let sizes = Sizes::of(dims(&projected));
    let Sizes { replicas, batch, steps, units } = sizes;
    let (values_in, weights, bias) = (values(&projected), values(&hidden), values(&bias));
    let mut states = vec![0.0; replicas * batch * (steps + 2) * units];
    let saved_len = if save { 5 * steps * units } else { 0 };
    let mut saved = vec![0.0; replicas * batch * saved_len];
    let mut saved_tasks = tasks(&mut saved, batch, saved_len, SAMPLES_PER_TASK).into_iter();
    let work: Vec<_> = tasks(&mut states, batch, (steps + 2) * units, SAMPLES_PER_TASK)
        .into_iter()
        .map(|states| (states, saved_tasks.next()))
        .collect();
    work.into_par_iter().enumerate().for_each(|(task, (states, saved))| {
        let (replica, first) = sizes.task(task);
        let samples = states.len() / ((steps + 2) * units);
        let weights = &weights[replica * 4 * units * units..][..4 * units * units];
        forward_task(
            sizes,
            (&route.lengths[first..first + samples], route.reverse),
            &values_in[first * steps * 4 * units..][..samples * steps * 4 * units],
            (Matrix::new(weights, units, 4 * units), &bias[replica * 4 * units..][..4 * units]),
            states,
            saved,
        );
    });
    let saved = save.then(|| tensor(saved, [replicas, batch, steps, 5 * units]));
    (tensor(states, [replicas, batch, steps + 2, units]), saved)
}

/// Gradients of the gate sums of one sample at one step; `d_hidden` comes in complete, `d_cell`
/// leaves as the gradient of the previous cell state.
fn update_backward(
    d_gates: &mut [f32],
    d_hidden: &[f32],
    d_cell: &mut [f32],
    saved: &[f32],
    cell_before: Option<&[f32]>,
) {
    let units = d_cell.len();
    let [input, forget, candidate, output] = split(saved, units);
    let cell = &saved[4 * units..];
    let (d_input, rest) = d_gates.split_at_mut(units);
    let (d_forget, rest) = rest.split_at_mut(units);
    let (d_candidate, d_output) = rest.split_at_mut(units);
    let (d_output, d_hidden, cell) = (&mut d_output[..units], &d_hidden[..units], &cell[..units]);
    for u in 0..units {
        let shown = tanh(cell[u]);
        let d = d_cell[u] + d_hidden[u] * output[u] * (1.0 - shown * shown);
        let before = cell_before.map_or(0.0, |cell| cell[u]);
        d_input[u] = d * candidate[u] * input[u] * (1.0 - input[u]);
        d_forget[u] = d * before * forget[u] * (1.0 - forget[u]);
        d_candidate[u] = d * input[u] * (1.0 - candidate[u] * candidate[u]);
        d_output[u] = d_hidden[u] * shown * output[u] * (1.0 - output[u]);
        d_cell[u] = d * forget[u];
    }
}

/// What one task of the backward pass reads.
struct BackwardInputs<'a> {
    lengths: &'a [usize],
    reverse: bool,
    /// `Uᵀ: [4H, H]`.
    hidden_transposed: Matrix<'a>,
    states: &'a [f32],
    saved: &'a [f32],
    grad: &'a [f32],
}

/// Writes the gradient of `projected` for the samples of one task, and adds up those of the
/// hidden weights and the bias.
fn backward_task(
    sizes: Sizes,
    inputs: &BackwardInputs,
    d_projected: &mut [f32],
    d_weights: &mut [f32],
    d_bias: &mut [f32],
) {
    let Sizes { steps, units, .. } = sizes;
    let lengths = inputs.lengths;
    let samples = lengths.len();
    let saved_at = |sample: usize, step: usize| &inputs.saved[(sample * steps + step) * 5 * units..][..5 * units];
    let grad_at = |sample: usize, step: usize| &inputs.grad[(sample * (steps + 2) + step) * units..][..units];
    let mut d_gates = vec![0.0; samples * 4 * units];
    let mut d_before = vec![0.0; samples * units];
    let collect = |at: usize| -> Vec<f32> {
        let rows = (0..samples).flat_map(|sample| grad_at(sample, steps + at));
        rows.copied().collect()
    };
    let (mut d_hidden, mut d_cell) = (collect(0), collect(1));
    for index in (0..steps).rev() {
        let step = sizes.step(index, inputs.reverse);
        let running = |sample: &usize| step < lengths[*sample];
        for sample in (0..samples).filter(running) {
            let before = if inputs.reverse {
                Some(step + 1).filter(|&before| before < lengths[sample])
            } else {
                step.checked_sub(1)
            };
            let cell_before = before.map(|before| &saved_at(sample, before)[4 * units..]);
            let d_hidden = &mut d_hidden[sample * units..][..units];
            for (d, grad) in d_hidden.iter_mut().zip(grad_at(sample, step)) {
                *d += grad;
            }
            let d_gates = &mut d_gates[sample * 4 * units..][..4 * units];
            let d_cell = &mut d_cell[sample * units..][..units];
            update_backward(d_gates, d_hidden, d_cell, saved_at(sample, step), cell_before);
            d_projected[(sample * steps + step) * 4 * units..][..4 * units].copy_from_slice(d_gates);
        }
        let gates = Matrix::new(&d_gates, samples, 4 * units);
        product(&mut d_before, units, gates, inputs.hidden_transposed, false);
        for sample in (0..samples).filter(running) {
            let row = sample * units..(sample + 1) * units;
            d_hidden[row.clone()].copy_from_slice(&d_before[row]);
        }
    }
    for sample in 0..samples {
        let d_projected = &d_projected[sample * steps * 4 * units..][..steps * 4 * units];
        for row in d_projected.chunks(4 * units) {
            for (sum, value) in d_bias.iter_mut().zip(row) {
                *sum += value;
            }
        }
        // The state before a step is that after its predecessor: the same rows, one step apart.
        // Past the end both factors are zero.
        let pairs = lengths[sample].saturating_sub(1);
        let (from, to) = if inputs.reverse { (1, 0) } else { (0, 1) };
        let before = &inputs.states[(sample * (steps + 2) + from) * units..];
        let before = Matrix::new(before, pairs, units).transposed();
        let d_projected = &d_projected[(to * 4 * units).min(d_projected.len())..];
        let gates = Matrix::new(d_projected, pairs, 4 * units);
        product(d_weights, 4 * units, before, gates, true);
    }
}

/// `[R, H, 4H]` with every matrix transposed in memory.
fn transpose(weights: &[f32], units: usize) -> Vec<f32> {
    let mut out = vec![0.0; weights.len()];
    if units == 0 {
        return out;
    }
    let matrix = 4 * units * units;
    for (out, weights) in out.chunks_mut(matrix).zip(weights.chunks(matrix)) {
        for (row, values) in weights.chunks(4 * units).enumerate() {
            for (col, value) in values.iter().enumerate() {
                out[col * units + row] = *value;
            }
        }
    }
    out
}

impl LstmOps for Flex {
    fn replica_lstm(projected: FlexTensor, hidden: FlexTensor, bias: FlexTensor, route: Route) -> FlexTensor {
        forward(projected, hidden, bias, &route, false).0
    }

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
        let units = saved_len / 5;
        let sizes = Sizes { replicas, batch, steps, units };
        let transposed = transpose(values(&hidden), units);
        let (states, saved, grad) = (values(&states), values(&saved), values(&grad));

        let (matrix, parts) = (4 * units * units, sizes.tasks_per_replica());
        let mut d_projected = vec![0.0; replicas * batch * steps * 4 * units];
        let mut d_weights = vec![0.0; replicas * parts * matrix];
        let mut d_bias = vec![0.0; replicas * parts * 4 * units];
        tasks(&mut d_projected, batch, steps * 4 * units, SAMPLES_PER_TASK)
            .into_par_iter()
            .zip(tasks(&mut d_weights, parts, matrix, 1))
            .zip(tasks(&mut d_bias, parts, 4 * units, 1))
            .enumerate()
            .for_each(|(task, ((d_projected, d_weights), d_bias))| {
                let (replica, first) = sizes.task(task);
                let samples = d_projected.len() / (steps * 4 * units);
                let state_len = (steps + 2) * units;
                let transposed = &transposed[replica * matrix..(replica + 1) * matrix];
                let inputs = BackwardInputs {
                    lengths: &route.lengths[first..first + samples],
                    reverse: route.reverse,
                    hidden_transposed: Matrix::new(transposed, 4 * units, units),
                    states: &states[first * state_len..][..samples * state_len],
                    saved: &saved[first * steps * saved_len..][..samples * steps * saved_len],
                    grad: &grad[first * state_len..][..samples * state_len],
                };
                backward_task(sizes, &inputs, d_projected, d_weights, d_bias);
            });
        let d_weights = add_parts(&d_weights, replicas, parts, matrix);
        let d_bias = add_parts(&d_bias, replicas, parts, 4 * units);
        (
            tensor(d_projected, [replicas, batch, steps, 4 * units]),
            tensor(d_weights, [replicas, units, 4 * units]),
            tensor(d_bias, [replicas, 4 * units]),
        )
    }
}

impl<B: Backend + LstmOps, C: CheckpointStrategy> LstmOps for Autodiff<B, C> {
    fn replica_lstm(
        projected: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        route: Route,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct LstmBackward;

        impl<B: Backend + LstmOps> Backward<B, 3> for LstmBackward {
            /// hidden, states, saved, route
            type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, Route);

            fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
                let grad = grads.consume::<B>(&ops.node);
                let (hidden, states, saved, route) = ops.state;
                let (d_projected, d_hidden, d_bias) = B::replica_lstm_backward(hidden, states, saved, grad, route);
                for (node, grad) in ops.parents.into_iter().zip([d_projected, d_hidden, d_bias]) {
                    if let Some(node) = node {
                        grads.register::<B>(node.id, grad);
                    }
                }
            }
        }

        let nodes = [projected.node(), hidden.node(), bias.node()];
        let (projected, hidden) = (projected.into_primitive(), hidden.into_primitive());
        let bias = bias.into_primitive();
        match LstmBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (states, saved) = B::replica_lstm_saving(projected, hidden.clone(), bias, route.clone());
                prep.finish((hidden, states.clone(), saved, route), states)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::replica_lstm(projected, hidden, bias, route)),
        }
    }

    fn replica_lstm_saving(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Route,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        unimplemented!("the tape saves by itself")
    }

    fn replica_lstm_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Route,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unimplemented!("second-order gradients")
    }
}
