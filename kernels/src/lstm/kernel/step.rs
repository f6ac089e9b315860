//! One step of all samples in one launch, for states that do not fit one cube.

use super::{cell_backward, sigmoid, tanh};
use cubecl::prelude::*;

/// Samples of a cube.
pub const ROWS: usize = 16;
/// States of a cube, one unit (thread) for each with each sample.
pub const UNITS: usize = 8;
/// Weights between two barriers.
const DEPTH: usize = 32;
/// A row of the staged state; odd, so that rows start in different banks.
const PITCH: usize = DEPTH + 1;

/// Where a sample of this cube is and how many steps it has: `(sample over all replicas, end)`, the end 0 past the
/// batch.
#[cube]
fn sample_of(row: usize, lengths: &[u32], batch: usize, steps: usize, #[comptime] ragged: bool) -> (usize, usize) {
    let place = CUBE_POS_Y as usize * ROWS + row;
    let inside = place < batch;
    let sample = CUBE_POS_Z as usize * batch + min(place, batch - 1);
    let mut end = steps;
    if comptime!(ragged) {
        end = lengths[sample] as usize;
    }
    (sample, select(inside, end, 0))
}

/// One step forward: cube = 16 samples x 8 states, grid = (states, samples, replicas). `cell: [R, B, H]` is updated in
/// place. A weight is read once per cube, the states before once per 8 states.
#[cube(launch, create_dummy_kernel)]
#[allow(clippy::too_many_arguments)]
pub fn lstm_step(
    projected: &[f32],
    hidden: &[f32],
    bias: &[f32],
    lengths: &[u32],
    states: &mut [f32],
    cell: &mut [f32],
    saved: &mut [f32],
    batch: usize,
    steps: usize,
    units: usize,
    index: usize,
    #[comptime] ragged: bool,
    #[comptime] reverse: bool,
    #[comptime] save: bool,
) {
    let mut state = Shared::<[f32]>::new_slice(comptime!(ROWS * PITCH));
    let mut weights = Shared::<[f32]>::new_slice(comptime!(DEPTH * 4 * UNITS));
    let step = if comptime!(reverse) { steps - 1 - index } else { index };
    let place = UNIT_POS_X as usize;
    let (row, lane) = (place / UNITS, place % UNITS);
    let (sample, end) = sample_of(row, lengths, batch, steps, ragged);
    let first_unit = CUBE_POS_X as usize * UNITS;
    let unit = first_unit + lane;
    let columns = 4 * units;
    let mut sums = Array::<f32>::new(4usize);
    #[unroll]
    for gate in 0..4usize {
        sums[gate] = 0.0f32;
    }

    let mut start = 0usize;
    while start < units {
        #[unroll]
        for i in 0..comptime!(DEPTH / UNITS) {
            let place = place + comptime!(i * ROWS * UNITS);
            let (row, k) = (place / DEPTH, place % DEPTH);
            let (sample, end) = sample_of(row, lengths, batch, steps, ragged);
            let has_before = if comptime!(reverse) {
                step + 1 < end
            } else {
                step > 0 && step < end
            };
            let before = if comptime!(reverse) {
                min(step + 1, steps - 1)
            } else {
                max(step, 1) - 1
            };
            let inside = has_before && start + k < units;
            let at = (sample * (steps + 2) + before) * units + start + k;
            state[row * PITCH + k] = select(inside, states[select(inside, at, 0)], 0.0f32);
        }
        #[unroll]
        for i in 0..comptime!(DEPTH * 4 / ROWS) {
            let place = place + comptime!(i * ROWS * UNITS);
            let (k, column) = (place / comptime!(4 * UNITS), place % comptime!(4 * UNITS));
            let (gate, unit) = (column / UNITS, first_unit + column % UNITS);
            let inside = start + k < units && unit < units;
            let at = (CUBE_POS_Z as usize * units + start + k) * columns + gate * units + unit;
            weights[place] = select(inside, hidden[select(inside, at, 0)], 0.0f32);
        }
        sync_cube();
        for k in 0..min(DEPTH, units - start) {
            let value = state[row * PITCH + k];
            #[unroll]
            for gate in 0..4usize {
                sums[gate] = fma(value, weights[(k * 4 + gate) * UNITS + lane], sums[gate]);
            }
        }
        sync_cube();
        start += DEPTH;
    }

    if CUBE_POS_Y as usize * ROWS + row < batch && unit < units {
        let at = (sample * (steps + 2) + step) * units + unit;
        let last_at = (sample * (steps + 2) + steps) * units + unit;
        let cell_at = sample * units + unit;
        let in_bias = CUBE_POS_Z as usize * columns + unit;
        let in_projected = (sample * steps + step) * columns + unit;
        if step < end {
            #[unroll]
            for gate in 0..4usize {
                sums[gate] = sums[gate] + projected[in_projected + gate * units] + bias[in_bias + gate * units];
            }
            let (input, forget, output) = (sigmoid(sums[0]), sigmoid(sums[1]), sigmoid(sums[3]));
            let candidate = tanh(sums[2]);
            let starts = if comptime!(reverse) { step + 1 == end } else { step == 0 };
            let ends = if comptime!(reverse) { step == 0 } else { step + 1 == end };
            let before = select(starts, 0.0f32, cell[cell_at]);
            let after = forget * before + input * candidate;
            let shown = output * tanh(after);
            cell[cell_at] = after;
            states[at] = shown;
            if comptime!(save) {
                let at = (sample * steps + step) * 5 * units + unit;
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
            if end == 0 {
                states[last_at] = 0.0f32;
                states[last_at + units] = 0.0f32;
            }
        }
    }
}

/// One step backward: cube and grid as in [`lstm_step`]; `transposed: [R, 4H, H]`; `before` and `d_bias` as in
/// [`lstm_sequence_backward`](super::lstm_sequence_backward). `d_cell: [R, B, H]` and `d_bias` are updated in place. The gradient
/// of the hidden state is summed from the gates that the launch before left in `d_projected`.
#[cube(launch, create_dummy_kernel)]
#[allow(clippy::too_many_arguments)]
pub fn lstm_step_backward(
    transposed: &[f32],
    states: &[f32],
    saved: &[f32],
    grad: &[f32],
    lengths: &[u32],
    d_projected: &mut [f32],
    before: &mut [f32],
    d_cell: &mut [f32],
    d_bias: &mut [f32],
    batch: usize,
    steps: usize,
    units: usize,
    index: usize,
    #[comptime] ragged: bool,
    #[comptime] reverse: bool,
) {
    let mut d_gates = Shared::<[f32]>::new_slice(comptime!(ROWS * PITCH));
    let mut weights = Shared::<[f32]>::new_slice(comptime!(DEPTH * UNITS));
    let step = if comptime!(reverse) { index } else { steps - 1 - index };
    let place = UNIT_POS_X as usize;
    let (row, lane) = (place / UNITS, place % UNITS);
    let (sample, end) = sample_of(row, lengths, batch, steps, ragged);
    let first_unit = CUBE_POS_X as usize * UNITS;
    let unit = first_unit + lane;
    let columns = 4 * units;

    let mut d_hidden = 0.0f32;
    for gate in 0..4usize {
        let mut share = 0.0f32;
        let mut start = 0usize;
        while start < units {
            #[unroll]
            for i in 0..comptime!(DEPTH / UNITS) {
                let place = place + comptime!(i * ROWS * UNITS);
                let (row, k) = (place / DEPTH, place % DEPTH);
                let (sample, end) = sample_of(row, lengths, batch, steps, ragged);
                let has_after = if comptime!(reverse) {
                    step > 0 && step < end
                } else {
                    step + 1 < end
                };
                let after = if comptime!(reverse) {
                    max(step, 1) - 1
                } else {
                    min(step + 1, steps - 1)
                };
                let inside = has_after && start + k < units;
                let at = (sample * steps + after) * columns + gate * units + start + k;
                d_gates[row * PITCH + k] = select(inside, d_projected[select(inside, at, 0)], 0.0f32);
            }
            #[unroll]
            for i in 0..comptime!(DEPTH / ROWS) {
                let place = place + comptime!(i * ROWS * UNITS);
                let (k, unit) = (place / UNITS, first_unit + place % UNITS);
                let inside = start + k < units && unit < units;
                let at = (CUBE_POS_Z as usize * columns + gate * units + start + k) * units + unit;
                weights[place] = select(inside, transposed[select(inside, at, 0)], 0.0f32);
            }
            sync_cube();
            for k in 0..min(DEPTH, units - start) {
                share = fma(d_gates[row * PITCH + k], weights[k * UNITS + lane], share);
            }
            sync_cube();
            start += DEPTH;
        }
        d_hidden += share;
    }

    if CUBE_POS_Y as usize * ROWS + row < batch && unit < units {
        let at = (sample * steps + step) * units + unit;
        let in_states = (sample * (steps + 2) + step) * units + unit;
        let in_projected = (sample * steps + step) * columns + unit;
        let in_bias = sample * columns + unit;
        let cell_at = sample * units + unit;
        if step < end {
            let ends = if comptime!(reverse) { step == 0 } else { step + 1 == end };
            let starts = if comptime!(reverse) { step + 1 == end } else { step == 0 };
            let previous = if comptime!(reverse) {
                min(step + 1, steps - 1)
            } else {
                max(step, 1) - 1
            };
            let last_at = (sample * (steps + 2) + steps) * units + unit;
            let d_hidden = select(ends, grad[last_at], d_hidden);
            let d_after = select(ends, grad[last_at + units], d_cell[cell_at]);
            let mut now = Array::<f32>::new(6usize);
            #[unroll]
            for i in 0..5usize {
                now[i] = saved[(sample * steps + step) * 5 * units + i * units + unit];
            }
            now[5] = select(
                starts,
                0.0f32,
                saved[(sample * steps + previous) * 5 * units + 4 * units + unit],
            );
            let mut d = Array::<f32>::new(5usize);
            cell_backward(&mut d, &now, d_hidden + grad[in_states], d_after);
            d_cell[cell_at] = d[4];
            before[at] = select(starts, 0.0f32, states[(sample * (steps + 2) + previous) * units + unit]);
            #[unroll]
            for gate in 0..4usize {
                let sum = select(ends, 0.0f32, d_bias[in_bias + gate * units]);
                d_bias[in_bias + gate * units] = sum + d[gate];
                d_projected[in_projected + gate * units] = d[gate];
            }
        } else {
            before[at] = 0.0f32;
            #[unroll]
            for gate in 0..4usize {
                d_projected[in_projected + gate * units] = 0.0f32;
                if end == 0 {
                    d_bias[in_bias + gate * units] = 0.0f32;
                }
            }
        }
    }
}
