//! A cube carries a few samples of one replica through all steps.
//!
//! The state lies in shared memory and the cell state in registers. A unit (thread) holds the weights of one column:
//! the first of them in registers, the next in shared memory, and reads the rest from global memory at every step. The
//! sums have one order wherever the weights lie. Weights in registers are read once per launch; a state is read from
//! shared memory once for each product, as a broadcast to the warp.

use super::arguments::{LstmGradients, LstmInputs, LstmSaved, Order, SequenceSizes};
use super::cell::{cell_backward, sigmoid, tanh};
use super::column::{Layout, dot, load_column};
use cubecl::prelude::*;

/// Everything that the kernels of a sequence are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SequencePlan {
    /// H.
    pub units: usize,
    /// Samples of a cube.
    pub rows: usize,
    /// Weights of a unit in registers and in shared memory.
    pub in_registers: usize,
    pub in_shared: usize,
    pub order: Order,
    /// Whether the forward pass saves gates for the backward pass.
    pub save: bool,
}

impl SequencePlan {
    /// Gate columns, and units of a cube.
    fn columns(&self) -> usize {
        4 * self.units
    }

    /// The weights of a gate column.
    fn forward(&self) -> Layout {
        Layout {
            terms: self.units,
            rows: self.rows,
            row_stride: self.units,
            global_stride: self.columns(),
            in_registers: self.in_registers,
            in_shared: self.in_shared,
            units: self.columns(),
        }
    }

    /// The weights of one gate for the state before.
    fn backward(&self) -> Layout {
        Layout {
            row_stride: self.columns(),
            global_stride: self.units,
            ..self.forward()
        }
    }
}

/// The samples of a cube, and the one whose state this unit updates.
#[derive(CubeType)]
struct Samples {
    replica: usize,
    /// First sample of the cube, and last of the replica, counted over all replicas.
    first: usize,
    last: usize,
    /// Steps of the samples of the cube; none for those past the batch.
    ends: Array<usize>,
    /// Sample of the cube and state of it that the first units update.
    own_row: usize,
    unit: usize,
    /// Whether this unit updates a state, and the steps of its sample.
    owns: bool,
    own_end: usize,
}

#[cube]
fn samples(lengths: &[u32], sizes: &SequenceSizes, #[comptime] plan: SequencePlan) -> Samples {
    let (batch, rows) = (sizes.batch, comptime!(plan.rows));
    let replica = CUBE_POS_Y as usize;
    let first = replica * batch + CUBE_POS_X as usize * rows;
    let last = replica * batch + batch - 1;
    let mut ends = Array::<usize>::new(rows);
    #[unroll]
    for row in 0..rows {
        let sample = CUBE_POS_X as usize * rows + row;
        let mut end = sizes.steps;
        if comptime!(plan.order.ragged) {
            end = lengths[CUBE_POS_Y as usize * batch + min(sample, batch - 1)] as usize;
        }
        ends[row] = select(sample < batch, end, 0);
    }
    let own_row = UNIT_POS_X as usize / comptime!(plan.units);
    let unit = UNIT_POS_X as usize % comptime!(plan.units);
    let owns = own_row < rows && first + own_row <= last;
    let mut own_end = 0usize;
    #[unroll]
    for row in 0..rows {
        if row == own_row {
            own_end = ends[row];
        }
    }
    Samples {
        replica,
        first,
        last,
        ends,
        own_row,
        unit,
        owns,
        own_end,
    }
}

/// Whether any of the samples runs at `step`.
#[cube]
fn any_runs(ends: &Array<usize>, step: usize, #[comptime] rows: usize) -> bool {
    let mut any = step < ends[0];
    #[unroll]
    for row in 1..rows {
        any = any || step < ends[row];
    }
    any
}

/// The step before, or the first one.
#[cube]
fn before(step: usize) -> usize {
    max(step, 1) - 1
}

/// Step `index` of a walk from the first step to the last, or (`reverse`) the other way round.
#[cube]
fn step_of(index: usize, steps: usize, #[comptime] reverse: bool) -> usize {
    if comptime!(reverse) { steps - 1 - index } else { index }
}

/// The step after `step` of the same walk; the last one after itself.
#[cube]
fn step_after(step: usize, steps: usize, #[comptime] reverse: bool) -> usize {
    if comptime!(reverse) {
        before(step)
    } else {
        min(step + 1, steps - 1)
    }
}

/// The first step of the same walk.
#[cube]
fn first_step(steps: usize, #[comptime] reverse: bool) -> usize {
    if comptime!(reverse) {
        steps - 1
    } else {
        0usize.runtime()
    }
}

/// Reads one step of the projected input of this unit's column, for all samples of the cube.
#[cube]
fn read_projected(
    ahead: &mut Array<f32>,
    projected: &[f32],
    samples: &Samples,
    step: usize,
    steps: usize,
    #[comptime] plan: SequencePlan,
) {
    let columns = comptime!(plan.columns());
    #[unroll]
    for row in 0..comptime!(plan.rows) {
        let sample = min(samples.first + row, samples.last);
        ahead[row] = projected[(sample * steps + step) * columns + UNIT_POS_X as usize];
    }
}

/// The forward pass: cube = some samples with 4H units, grid = (samples, replicas).
///
/// Unit `j` sums gate column `j` for all samples of the cube; then the first `rows x H` units update one state each.
/// `projected` and every value of `states` and `saved` pass once; `projected` is read one step ahead.
#[cube(launch, create_dummy_kernel)]
pub fn lstm_sequence(
    inputs: &LstmInputs,
    states: &mut [f32],
    saved: &mut [f32],
    sizes: &SequenceSizes,
    #[comptime] plan: SequencePlan,
) {
    let (units, rows, reverse) = comptime!((plan.units, plan.rows, plan.order.reverse));
    let columns = comptime!(plan.columns());
    let layout = comptime!(plan.forward());
    let mut state = Shared::<[f32]>::new_slice(comptime!(rows * units));
    let mut gates = Shared::<[f32]>::new_slice(comptime!(rows * columns));
    let column = UNIT_POS_X as usize;
    let steps = sizes.steps;
    let replica = CUBE_POS_Y as usize;
    let offset = replica * comptime!(columns * units) + column;
    let weights = load_column(&inputs.hidden, offset, layout);
    let column_bias = inputs.bias[replica * columns + column];
    let is_candidate = column >= comptime!(2 * units) && column < comptime!(3 * units);
    let samples = samples(&inputs.lengths, sizes, plan);

    let mut cell = 0.0f32;
    let mut shown = 0.0f32;
    if samples.own_row < rows {
        state[column] = 0.0f32;
    }
    let mut ahead = Array::<f32>::new(rows);
    let first = first_step(steps, reverse);
    read_projected(&mut ahead, &inputs.projected, &samples, first, steps, plan);
    let mut sums = Array::<f32>::new(rows);
    let mut projected = Array::<f32>::new(rows);
    sync_cube();
    for index in 0..steps {
        let step = step_of(index, steps, reverse);
        let next = step_after(step, steps, reverse);
        #[unroll]
        for row in 0..rows {
            projected[row] = ahead[row];
        }
        read_projected(&mut ahead, &inputs.projected, &samples, next, steps, plan);
        if any_runs(&samples.ends, step, rows) {
            dot(&mut sums, &state, 0usize, &weights, &inputs.hidden, offset, layout);
            #[unroll]
            for row in 0..rows {
                let sum = sums[row] + projected[row] + column_bias;
                let gate = if is_candidate { tanh(sum) } else { sigmoid(sum) };
                gates[comptime!(row * columns) + column] = gate;
            }
        }
        sync_cube();
        if samples.owns {
            let sample = samples.first + samples.own_row;
            let at = (sample * (steps + 2) + step) * units + samples.unit;
            if step < samples.own_end {
                let gate = samples.own_row * columns + samples.unit;
                let (input, forget) = (gates[gate], gates[gate + units]);
                let (candidate, output) = (gates[gate + comptime!(2 * units)], gates[gate + comptime!(3 * units)]);
                cell = forget * cell + input * candidate;
                shown = output * tanh(cell);
                state[column] = shown;
                states[at] = shown;
                if comptime!(plan.save) {
                    let at = (sample * steps + step) * comptime!(5 * units) + samples.unit;
                    saved[at] = input;
                    saved[at + units] = forget;
                    saved[at + comptime!(2 * units)] = candidate;
                    saved[at + comptime!(3 * units)] = output;
                    saved[at + comptime!(4 * units)] = cell;
                }
            } else {
                states[at] = 0.0f32;
            }
        }
        sync_cube();
    }
    if samples.owns {
        let at = ((samples.first + samples.own_row) * (steps + 2) + steps) * units + samples.unit;
        states[at] = shown;
        states[at + units] = cell;
    }
}

/// Reads one step of the backward pass for one unit: into `ahead`, the four gates, the cell state, the cell state and
/// the hidden state before, and the gradient of the hidden state.
#[cube]
fn read_step(
    ahead: &mut Array<f32>,
    inputs: &LstmSaved,
    sample: usize,
    samples: &Samples,
    step: usize,
    steps: usize,
    #[comptime] plan: SequencePlan,
) {
    let units = comptime!(plan.units);
    let unit = samples.unit;
    let at = (sample * steps + step) * comptime!(5 * units) + unit;
    #[unroll]
    for i in 0..5usize {
        ahead[i] = inputs.saved[at + comptime!(i * units)];
    }
    let has_before = if comptime!(plan.order.reverse) {
        step + 1 < samples.own_end
    } else {
        step > 0
    };
    let before = if comptime!(plan.order.reverse) {
        select(has_before, step + 1, step)
    } else {
        before(step)
    };
    let cell_at = (sample * steps + before) * comptime!(5 * units) + comptime!(4 * units) + unit;
    ahead[5] = select(has_before, inputs.saved[cell_at], 0.0f32);
    ahead[6] = select(
        has_before,
        inputs.states[(sample * (steps + 2) + before) * units + unit],
        0.0f32,
    );
    ahead[7] = inputs.grad[(sample * (steps + 2) + step) * units + unit];
}

/// Differentiates one cell at step `at`, counted over all samples: the gradients of its gates and of the cell state before
/// to `d`, those of its gates to `d_gates` and `out`.
#[cube]
fn differentiate(
    d: &mut Array<f32>,
    d_gates: &mut Shared<[f32]>,
    out: &mut LstmGradients,
    now: &Array<f32>,
    d_states: (f32, f32),
    samples: &Samples,
    at: usize,
    #[comptime] units: usize,
) {
    let (d_hidden, d_cell) = d_states;
    cell_backward(d, now, d_hidden + now[7], d_cell);
    out.before[at * units + samples.unit] = now[6];
    #[unroll]
    for gate in 0..4usize {
        d_gates[samples.own_row * comptime!(4 * units) + comptime!(gate * units) + samples.unit] = d[gate];
        out.d_projected[at * comptime!(4 * units) + samples.unit + comptime!(gate * units)] = d[gate];
    }
}

/// The backward pass: cubes and grid as in [`lstm_sequence`].
///
/// The first `rows x H` units differentiate one cell each; then unit `(gate, u)` sums the share of one gate in the
/// gradient of state `u` before, and the four shares are added in order.
#[cube(launch, create_dummy_kernel)]
pub fn lstm_sequence_backward(
    inputs: &LstmSaved,
    out: &mut LstmGradients,
    sizes: &SequenceSizes,
    #[comptime] plan: SequencePlan,
) {
    let (units, rows) = comptime!((plan.units, plan.rows));
    let is_forward = comptime!(!plan.order.reverse);
    let columns = comptime!(plan.columns());
    let layout = comptime!(plan.backward());
    let mut d_gates = Shared::<[f32]>::new_slice(comptime!(rows * columns));
    let mut shares = Shared::<[f32]>::new_slice(comptime!(rows * columns));
    let column = UNIT_POS_X as usize;
    let steps = sizes.steps;
    // As a unit of the sums: gate `own_row` of state `unit`. As a unit of the cells: sample `own_row`.
    let samples = samples(&inputs.lengths, sizes, plan);
    let offset = (samples.replica * columns + samples.own_row * units) * units + samples.unit;
    let weights = load_column(&inputs.transposed, offset, layout);
    let sample = min(samples.first + samples.own_row, samples.last);

    let last_at = (sample * (steps + 2) + steps) * units + samples.unit;
    let mut d_hidden = inputs.grad[last_at];
    let mut d_cell = inputs.grad[last_at + units];
    let mut bias_sums = Array::<f32>::new(4usize);
    let mut d = Array::<f32>::new(5usize);
    let mut now = Array::<f32>::new(8usize);
    let mut ahead = Array::<f32>::new(8usize);
    let mut sums = Array::<f32>::new(rows);
    #[unroll]
    for gate in 0..4usize {
        bias_sums[gate] = 0.0f32;
        // Sums run over all samples of the cube, also over those that have not begun or lie past the batch.
        if samples.own_row < rows {
            d_gates[samples.own_row * columns + comptime!(gate * units) + samples.unit] = 0.0f32;
        }
    }
    let first = first_step(steps, is_forward);
    read_step(&mut ahead, inputs, sample, &samples, first, steps, plan);

    for index in 0..steps {
        let step = step_of(index, steps, is_forward);
        let runs = samples.owns && step < samples.own_end;
        if samples.owns {
            let next = step_after(step, steps, is_forward);
            #[unroll]
            for i in 0..8usize {
                now[i] = ahead[i];
            }
            read_step(&mut ahead, inputs, sample, &samples, next, steps, plan);
            let at = sample * steps + step;
            if runs {
                differentiate(&mut d, &mut d_gates, out, &now, (d_hidden, d_cell), &samples, at, units);
                d_cell = d[4];
                #[unroll]
                for gate in 0..4usize {
                    bias_sums[gate] += d[gate];
                }
            } else {
                out.before[at * units + samples.unit] = 0.0f32;
                #[unroll]
                for gate in 0..4usize {
                    out.d_projected[at * columns + samples.unit + comptime!(gate * units)] = 0.0f32;
                }
            }
        }
        sync_cube();
        if any_runs(&samples.ends, step, rows) {
            let gate = samples.own_row * units;
            dot(&mut sums, &d_gates, gate, &weights, &inputs.transposed, offset, layout);
            #[unroll]
            for row in 0..rows {
                shares[comptime!(row * columns) + column] = sums[row];
            }
        }
        sync_cube();
        if runs {
            let at = samples.own_row * columns + samples.unit;
            d_hidden =
                shares[at] + shares[at + units] + shares[at + comptime!(2 * units)] + shares[at + comptime!(3 * units)];
        }
    }
    if samples.owns {
        #[unroll]
        for gate in 0..4usize {
            out.d_bias[sample * columns + comptime!(gate * units) + samples.unit] = bias_sums[gate];
        }
    }
}
