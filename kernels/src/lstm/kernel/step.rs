//! One step of all samples in one launch, for states that do not fit one cube.

use super::arguments::{LstmGradients, LstmInputs, LstmSaved, Order, StepSizes};
use super::cell::{cell_backward, sigmoid, tanh};
use cubecl::prelude::*;

/// Samples of a cube.
pub const ROWS: usize = 16;
/// States of a cube, one unit (thread) for each with each sample.
pub const UNITS: usize = 8;
/// Weights between two barriers.
const BLOCK_K: usize = 32;
/// A row of the staged state; odd, so that rows start in different banks.
const PITCH: usize = BLOCK_K + 1;

/// Sample `row` of this cube.
#[derive(CubeType)]
struct Sample {
    /// Counted over all replicas.
    index: usize,
    /// Steps of the sample; none past the batch.
    end: usize,
}

#[cube]
fn sample_of(row: usize, lengths: &[u32], sizes: &StepSizes, #[comptime] ragged: bool) -> Sample {
    let place = CUBE_POS_Y as usize * ROWS + row;
    let inside = place < sizes.batch;
    let index = CUBE_POS_Z as usize * sizes.batch + min(place, sizes.batch - 1);
    let mut end = sizes.steps;
    if comptime!(ragged) {
        end = lengths[index] as usize;
    }
    Sample {
        index,
        end: select(inside, end, 0),
    }
}

/// A step beside another one.
#[derive(CubeType)]
struct Neighbour {
    /// Whether both are steps of the sample.
    exists: bool,
    step: usize,
}

/// The step before `step`, or (`after`) the one after it, in the order of time.
#[cube]
fn neighbour(step: usize, end: usize, steps: usize, #[comptime] after: bool) -> Neighbour {
    let exists = if comptime!(after) {
        step + 1 < end
    } else {
        step > 0 && step < end
    };
    let step = if comptime!(after) {
        min(step + 1, steps - 1)
    } else {
        max(step, 1) - 1
    };
    Neighbour { exists, step }
}

/// The unit's place in the cube, and the state that it updates.
#[derive(CubeType)]
struct Own {
    place: usize,
    row: usize,
    lane: usize,
    first_unit: usize,
    unit: usize,
}

#[cube]
fn own() -> Own {
    let place = UNIT_POS_X as usize;
    let (row, lane) = (place / UNITS, place % UNITS);
    let first_unit = CUBE_POS_X as usize * UNITS;
    Own {
        place,
        row,
        lane,
        first_unit,
        unit: first_unit + lane,
    }
}

/// Copies some values of the states before this step, for all samples of the cube.
#[cube]
fn stage_states(
    state: &mut Shared<[f32]>,
    states: &mut [f32],
    lengths: &[u32],
    sizes: &StepSizes,
    own: &Own,
    step: usize,
    start: usize,
    #[comptime] order: Order,
) {
    #[unroll]
    for i in 0..comptime!(BLOCK_K / UNITS) {
        let place = own.place + comptime!(i * ROWS * UNITS);
        let (row, k) = (place / BLOCK_K, place % BLOCK_K);
        let sample = sample_of(row, lengths, sizes, comptime!(order.ragged));
        let before = neighbour(step, sample.end, sizes.steps, comptime!(order.reverse));
        let inside = before.exists && start + k < sizes.units;
        let at = (sample.index * (sizes.steps + 2) + before.step) * sizes.units + start + k;
        state[row * PITCH + k] = select(inside, states[select(inside, at, 0)], 0.0f32);
    }
}

/// Copies some rows of the recurrent weights, for all gates of the states of the cube.
#[cube]
fn stage_weights(weights: &mut Shared<[f32]>, hidden: &[f32], sizes: &StepSizes, own: &Own, start: usize) {
    let columns = 4 * sizes.units;
    #[unroll]
    for i in 0..comptime!(BLOCK_K * 4 / ROWS) {
        let place = own.place + comptime!(i * ROWS * UNITS);
        let (k, column) = (place / comptime!(4 * UNITS), place % comptime!(4 * UNITS));
        let (gate, unit) = (column / UNITS, own.first_unit + column % UNITS);
        let inside = start + k < sizes.units && unit < sizes.units;
        let at = (CUBE_POS_Z as usize * sizes.units + start + k) * columns + gate * sizes.units + unit;
        weights[place] = select(inside, hidden[select(inside, at, 0)], 0.0f32);
    }
}

/// One step forward: cube = 16 samples x 8 states, grid = (states, samples, replicas). `cell: [R, B, H]` is updated in
/// place. A weight is read once per cube, the states before once per 8 states.
#[cube(launch, create_dummy_kernel)]
pub fn lstm_step(
    inputs: &LstmInputs,
    states: &mut [f32],
    cell: &mut [f32],
    saved: &mut [f32],
    sizes: &StepSizes,
    #[comptime] order: Order,
    #[comptime] save: bool,
) {
    let mut state = Shared::<[f32]>::new_slice(comptime!(ROWS * PITCH));
    let mut weights = Shared::<[f32]>::new_slice(comptime!(BLOCK_K * 4 * UNITS));
    let (steps, units) = (sizes.steps, sizes.units);
    let step = if comptime!(order.reverse) {
        steps - 1 - sizes.index
    } else {
        sizes.index
    };
    let own = own();
    let sample = sample_of(own.row, &inputs.lengths, sizes, comptime!(order.ragged));
    let columns = 4 * units;
    let mut sums = Array::<f32>::new(4usize);
    #[unroll]
    for gate in 0..4usize {
        sums[gate] = 0.0f32;
    }
    let mut start = 0usize;
    while start < units {
        stage_states(&mut state, states, &inputs.lengths, sizes, &own, step, start, order);
        stage_weights(&mut weights, &inputs.hidden, sizes, &own, start);
        sync_cube();
        for k in 0..min(BLOCK_K, units - start) {
            let value = state[own.row * PITCH + k];
            #[unroll]
            for gate in 0..4usize {
                sums[gate] = fma(value, weights[(k * 4 + gate) * UNITS + own.lane], sums[gate]);
            }
        }
        sync_cube();
        start += BLOCK_K;
    }

    if CUBE_POS_Y as usize * ROWS + own.row < sizes.batch && own.unit < units {
        let at = (sample.index * (steps + 2) + step) * units + own.unit;
        let last_at = (sample.index * (steps + 2) + steps) * units + own.unit;
        let cell_at = sample.index * units + own.unit;
        let in_bias = CUBE_POS_Z as usize * columns + own.unit;
        let in_projected = (sample.index * steps + step) * columns + own.unit;
        if step < sample.end {
            #[unroll]
            for gate in 0..4usize {
                let projected = inputs.projected[in_projected + gate * units];
                sums[gate] = sums[gate] + projected + inputs.bias[in_bias + gate * units];
            }
            let (input, forget, output) = (sigmoid(sums[0]), sigmoid(sums[1]), sigmoid(sums[3]));
            let candidate = tanh(sums[2]);
            let starts = is_end(step, sample.end, comptime!(!order.reverse));
            let ends = is_end(step, sample.end, comptime!(order.reverse));
            let before = select(starts, 0.0f32, cell[cell_at]);
            let after = forget * before + input * candidate;
            let shown = output * tanh(after);
            cell[cell_at] = after;
            states[at] = shown;
            if comptime!(save) {
                let at = (sample.index * steps + step) * 5 * units + own.unit;
                saved[at] = input;
                saved[at + units] = forget;
                saved[at + 2 * units] = candidate;
                saved[at + 3 * units] = output;
                saved[at + 4 * units] = after;
            }
            if ends {
                states[last_at] = shown;
                states[last_at + units] = after;
            }
        } else {
            states[at] = 0.0f32;
            if sample.end == 0 {
                states[last_at] = 0.0f32;
                states[last_at + units] = 0.0f32;
            }
        }
    }
}

/// Whether `step` is the first step in time, or (`!first`) the last one of its sample.
#[cube]
fn is_end(step: usize, end: usize, #[comptime] first: bool) -> bool {
    if comptime!(first) { step == 0 } else { step + 1 == end }
}

/// Copies some gradients of gate `gate` at the step that was differentiated before, for all samples of the cube.
#[cube]
fn stage_gradients(
    d_gates: &mut Shared<[f32]>,
    d_projected: &[f32],
    lengths: &[u32],
    sizes: &StepSizes,
    own: &Own,
    at_step: (usize, usize, usize),
    #[comptime] order: Order,
) {
    let (step, gate, start) = at_step;
    #[unroll]
    for i in 0..comptime!(BLOCK_K / UNITS) {
        let place = own.place + comptime!(i * ROWS * UNITS);
        let (row, k) = (place / BLOCK_K, place % BLOCK_K);
        let sample = sample_of(row, lengths, sizes, comptime!(order.ragged));
        let after = neighbour(step, sample.end, sizes.steps, comptime!(!order.reverse));
        let inside = after.exists && start + k < sizes.units;
        let at = (sample.index * sizes.steps + after.step) * (4 * sizes.units) + gate * sizes.units + start + k;
        d_gates[row * PITCH + k] = select(inside, d_projected[select(inside, at, 0)], 0.0f32);
    }
}

/// Copies some rows of the transposed weights of gate `gate`, for the states of the cube.
#[cube]
fn stage_transposed(
    weights: &mut Shared<[f32]>,
    transposed: &[f32],
    sizes: &StepSizes,
    own: &Own,
    gate: usize,
    start: usize,
) {
    #[unroll]
    for i in 0..comptime!(BLOCK_K / ROWS) {
        let place = own.place + comptime!(i * ROWS * UNITS);
        let (k, unit) = (place / UNITS, own.first_unit + place % UNITS);
        let inside = start + k < sizes.units && unit < sizes.units;
        let at = (CUBE_POS_Z as usize * (4 * sizes.units) + gate * sizes.units + start + k) * sizes.units + unit;
        weights[place] = select(inside, transposed[select(inside, at, 0)], 0.0f32);
    }
}

/// One step backward: cube and grid as in [`lstm_step`]. `d_cell: [R, B, H]` and `out.d_bias` are updated in place. The
/// gradient of the hidden state is summed from the gates that the launch before left in `out.d_projected`.
#[cube(launch, create_dummy_kernel)]
pub fn lstm_step_backward(
    inputs: &LstmSaved,
    out: &mut LstmGradients,
    d_cell: &mut [f32],
    sizes: &StepSizes,
    #[comptime] order: Order,
) {
    let mut d_gates = Shared::<[f32]>::new_slice(comptime!(ROWS * PITCH));
    let mut weights = Shared::<[f32]>::new_slice(comptime!(BLOCK_K * UNITS));
    let (steps, units) = (sizes.steps, sizes.units);
    let step = if comptime!(order.reverse) {
        sizes.index
    } else {
        steps - 1 - sizes.index
    };
    let own = own();
    let sample = sample_of(own.row, &inputs.lengths, sizes, comptime!(order.ragged));
    let columns = 4 * units;

    let mut d_hidden = 0.0f32;
    for gate in 0..4usize {
        let mut share = 0.0f32;
        let mut start = 0usize;
        while start < units {
            let at_step = (step, gate, start);
            stage_gradients(
                &mut d_gates,
                &out.d_projected,
                &inputs.lengths,
                sizes,
                &own,
                at_step,
                order,
            );
            stage_transposed(&mut weights, &inputs.transposed, sizes, &own, gate, start);
            sync_cube();
            for k in 0..min(BLOCK_K, units - start) {
                share = fma(d_gates[own.row * PITCH + k], weights[k * UNITS + own.lane], share);
            }
            sync_cube();
            start += BLOCK_K;
        }
        d_hidden += share;
    }

    if CUBE_POS_Y as usize * ROWS + own.row < sizes.batch && own.unit < units {
        let at = (sample.index * steps + step) * units + own.unit;
        let in_projected = (sample.index * steps + step) * columns + own.unit;
        let in_bias = sample.index * columns + own.unit;
        let cell_at = sample.index * units + own.unit;
        if step < sample.end {
            let ends = is_end(step, sample.end, comptime!(order.reverse));
            let starts = is_end(step, sample.end, comptime!(!order.reverse));
            let last_at = (sample.index * (steps + 2) + steps) * units + own.unit;
            let d_hidden = select(ends, inputs.grad[last_at], d_hidden);
            let d_after = select(ends, inputs.grad[last_at + units], d_cell[cell_at]);
            let mut now = Array::<f32>::new(8usize);
            read_step(
                &mut now,
                inputs,
                sizes,
                &sample,
                own.unit,
                step,
                starts,
                comptime!(order.reverse),
            );
            let mut d = Array::<f32>::new(5usize);
            cell_backward(&mut d, &now, d_hidden + now[7], d_after);
            d_cell[cell_at] = d[4];
            out.before[at] = now[6];
            #[unroll]
            for gate in 0..4usize {
                let sum = select(ends, 0.0f32, out.d_bias[in_bias + gate * units]);
                out.d_bias[in_bias + gate * units] = sum + d[gate];
                out.d_projected[in_projected + gate * units] = d[gate];
            }
        } else {
            out.before[at] = 0.0f32;
            #[unroll]
            for gate in 0..4usize {
                out.d_projected[in_projected + gate * units] = 0.0f32;
                if sample.end == 0 {
                    out.d_bias[in_bias + gate * units] = 0.0f32;
                }
            }
        }
    }
}

/// Reads what one cell is differentiated from: the four gates, the cell state, the cell state and the hidden state before
/// (0 where the sample `starts`), and the gradient of the hidden state.
#[cube]
fn read_step(
    now: &mut Array<f32>,
    inputs: &LstmSaved,
    sizes: &StepSizes,
    sample: &Sample,
    unit: usize,
    step: usize,
    starts: bool,
    #[comptime] reverse: bool,
) {
    let (steps, units) = (sizes.steps, sizes.units);
    let before = neighbour(step, sample.end, steps, reverse);
    #[unroll]
    for i in 0..5usize {
        now[i] = inputs.saved[(sample.index * steps + step) * 5 * units + i * units + unit];
    }
    let cell_at = (sample.index * steps + before.step) * 5 * units + 4 * units + unit;
    now[5] = select(starts, 0.0f32, inputs.saved[cell_at]);
    let state_at = (sample.index * (steps + 2) + before.step) * units + unit;
    now[6] = select(starts, 0.0f32, inputs.states[state_at]);
    now[7] = inputs.grad[(sample.index * (steps + 2) + step) * units + unit];
}
