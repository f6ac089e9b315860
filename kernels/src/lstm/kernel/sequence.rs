//! A cube carries a few samples of one replica through all steps.
//!
//! The state lies in shared memory and the cell state in registers. A unit (thread) holds the weights of one column:
//! the first `in_registers` of them in registers, the next `in_shared` in shared memory, and reads the rest from global
//! memory at every step. The sums have one order wherever the weights lie. Weights in registers are read once per
//! launch; a state is read from shared memory once for each product, as a broadcast to the warp.

use super::{cell_backward, sigmoid, tanh};
use cubecl::prelude::*;

/// Weights read ahead of the sums that use them.
const AHEAD: usize = 8;

/// `sums[row] = Σ_k state[row * span + first + k] w_k` over `terms` weights of this unit's column, in their order.
/// `far_at` is the place of the column's first weight in `far`, `columns` the distance to the next.
#[cube]
#[allow(clippy::too_many_arguments)]
fn weigh(
    sums: &mut Array<f32>,
    state: &Shared<[f32]>,
    own: &Array<f32>,
    near: &Shared<[f32]>,
    far: &[f32],
    first: usize,
    far_at: usize,
    #[comptime] far_stride: usize,
    #[comptime] span: usize,
    #[comptime] rows: usize,
    #[comptime] terms: usize,
    #[comptime] in_registers: usize,
    #[comptime] in_shared: usize,
) {
    #[unroll]
    for row in 0..rows {
        sums[row] = 0.0f32;
    }
    #[unroll]
    for k in 0..in_registers {
        #[unroll]
        for row in 0..rows {
            sums[row] = fma(state[first + comptime!(row * span + k)], own[k], sums[row]);
        }
    }
    let column = UNIT_POS_X as usize;
    let units = CUBE_DIM_X as usize;
    for chunk in 0..comptime!(in_shared / 4) {
        #[unroll]
        for i in 0..4usize {
            let weight = near[(chunk * 4 + i) * units + column];
            let at = first + in_registers + chunk * 4;
            #[unroll]
            for row in 0..rows {
                sums[row] = fma(state[at + comptime!(row * span + i)], weight, sums[row]);
            }
        }
    }
    #[unroll]
    for i in 0..comptime!(in_shared % 4) {
        let k = comptime!(in_shared / 4 * 4 + i);
        let weight = near[k * units + column];
        let at = first + comptime!(in_registers + k);
        #[unroll]
        for row in 0..rows {
            sums[row] = fma(state[at + comptime!(row * span)], weight, sums[row]);
        }
    }
    let done = comptime!(in_registers + in_shared);
    let mut weights = Array::<f32>::new(AHEAD);
    for chunk in 0..comptime!((terms - done) / AHEAD) {
        let k = done + chunk * AHEAD;
        #[unroll]
        for i in 0..AHEAD {
            weights[i] = far[far_at + (k + i) * far_stride];
        }
        #[unroll]
        for i in 0..AHEAD {
            #[unroll]
            for row in 0..rows {
                sums[row] = fma(state[first + k + comptime!(row * span + i)], weights[i], sums[row]);
            }
        }
    }
    #[unroll]
    for i in 0..comptime!((terms - done) % AHEAD) {
        let k = comptime!(terms - (terms - done) % AHEAD + i);
        let weight = far[far_at + comptime!(k * far_stride)];
        #[unroll]
        for row in 0..rows {
            sums[row] = fma(state[first + comptime!(row * span + k)], weight, sums[row]);
        }
    }
}

/// Steps of a cube's samples; none for those past the batch.
#[cube]
fn ends_of(
    lengths: &[u32],
    batch: usize,
    steps: usize,
    #[comptime] rows: usize,
    #[comptime] ragged: bool,
) -> Array<usize> {
    let mut ends = Array::<usize>::new(rows);
    #[unroll]
    for row in 0..rows {
        let sample = CUBE_POS_X as usize * rows + row;
        let mut end = steps;
        if comptime!(ragged) {
            end = lengths[CUBE_POS_Y as usize * batch + min(sample, batch - 1)] as usize;
        }
        ends[row] = select(sample < batch, end, 0);
    }
    ends
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

/// The forward pass: cube = `rows` samples with 4H units, grid = (samples, replicas).
///
/// Unit `j` sums gate column `j` for all samples of the cube; then the first `rows x H` units update one state each.
/// `projected` and every value of `states` and `saved` pass once; `projected` is read one step ahead.
#[cube(launch, create_dummy_kernel)]
#[allow(clippy::too_many_arguments)]
pub fn lstm_sequence(
    projected: &[f32],
    hidden: &[f32],
    bias: &[f32],
    lengths: &[u32],
    states: &mut [f32],
    saved: &mut [f32],
    batch: usize,
    steps: usize,
    #[comptime] units: usize,
    #[comptime] rows: usize,
    #[comptime] in_registers: usize,
    #[comptime] in_shared: usize,
    #[comptime] ragged: bool,
    #[comptime] reverse: bool,
    #[comptime] save: bool,
) {
    let columns = comptime!(4 * units);
    let mut state = Shared::<[f32]>::new_slice(comptime!(rows * units));
    let mut gates = Shared::<[f32]>::new_slice(comptime!(rows * 4 * units));
    let mut near = Shared::<[f32]>::new_slice(comptime!(Ord::max(in_shared * 4 * units, 1)));
    let mut own = Array::<f32>::new(comptime!(Ord::max(in_registers, 1)));
    let column = UNIT_POS_X as usize;
    let replica = CUBE_POS_Y as usize;
    let first_sample = replica * batch + CUBE_POS_X as usize * rows;
    let last_sample = replica * batch + batch - 1;

    let far_at = replica * comptime!(4 * units * units) + column;
    #[unroll]
    for k in 0..in_registers {
        own[k] = hidden[far_at + comptime!(k * 4 * units)];
    }
    for k in 0..in_shared {
        near[k * columns + column] = hidden[far_at + (in_registers + k) * columns];
    }
    let column_bias = bias[replica * columns + column];
    let is_candidate = column >= comptime!(2 * units) && column < comptime!(3 * units);

    let ends = ends_of(lengths, batch, steps, rows, ragged);
    // The state that this unit updates.
    let own_row = column / units;
    let unit = column % units;
    let sample = first_sample + own_row;
    let mut own_end = 0usize;
    let owns = own_row < rows && sample <= last_sample;
    #[unroll]
    for row in 0..rows {
        if row == own_row {
            own_end = ends[row];
        }
    }
    let mut cell = 0.0f32;
    let mut shown = 0.0f32;
    if own_row < rows {
        state[column] = 0.0f32;
    }

    let mut ahead = Array::<f32>::new(rows);
    let first_step = if comptime!(reverse) {
        steps - 1
    } else {
        0usize.runtime()
    };
    #[unroll]
    for row in 0..rows {
        ahead[row] = projected[(min(first_sample + row, last_sample) * steps + first_step) * columns + column];
    }
    let mut sums = Array::<f32>::new(rows);
    let mut inputs = Array::<f32>::new(rows);
    sync_cube();
    for index in 0..steps {
        let step = if comptime!(reverse) { steps - 1 - index } else { index };
        let next = if comptime!(reverse) {
            max(step, 1) - 1
        } else {
            min(step + 1, steps - 1)
        };
        #[unroll]
        for row in 0..rows {
            inputs[row] = ahead[row];
            ahead[row] = projected[(min(first_sample + row, last_sample) * steps + next) * columns + column];
        }
        if any_runs(&ends, step, rows) {
            weigh(
                &mut sums,
                &state,
                &own,
                &near,
                hidden,
                0usize,
                far_at,
                columns,
                units,
                rows,
                units,
                in_registers,
                in_shared,
            );
            #[unroll]
            for row in 0..rows {
                let sum = sums[row] + inputs[row] + column_bias;
                let gate = if is_candidate { tanh(sum) } else { sigmoid(sum) };
                gates[comptime!(row * 4 * units) + column] = gate;
            }
        }
        sync_cube();
        if owns {
            let at = (sample * (steps + 2) + step) * units + unit;
            if step < own_end {
                let gate = own_row * columns + unit;
                let (input, forget) = (gates[gate], gates[gate + units]);
                let (candidate, output) = (gates[gate + comptime!(2 * units)], gates[gate + comptime!(3 * units)]);
                cell = forget * cell + input * candidate;
                shown = output * tanh(cell);
                state[column] = shown;
                states[at] = shown;
                if comptime!(save) {
                    let at = (sample * steps + step) * comptime!(5 * units) + unit;
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
    if owns {
        let at = (sample * (steps + 2) + steps) * units + unit;
        states[at] = shown;
        states[at + units] = cell;
    }
}

/// What one unit reads for one step of the backward pass: into `ahead`, the four gates, the cell state, the cell state
/// and the hidden state before, and the gradient of the hidden state.
#[cube]
#[allow(clippy::too_many_arguments)]
fn read_step(
    ahead: &mut Array<f32>,
    states: &[f32],
    saved: &[f32],
    grad: &[f32],
    sample: usize,
    unit: usize,
    step: usize,
    steps: usize,
    end: usize,
    #[comptime] units: usize,
    #[comptime] reverse: bool,
) {
    let at = (sample * steps + step) * comptime!(5 * units) + unit;
    #[unroll]
    for i in 0..5usize {
        ahead[i] = saved[at + comptime!(i * units)];
    }
    let has_before = if comptime!(reverse) { step + 1 < end } else { step > 0 };
    let before = if comptime!(reverse) {
        select(has_before, step + 1, step)
    } else {
        max(step, 1) - 1
    };
    let cell_at = (sample * steps + before) * comptime!(5 * units) + comptime!(4 * units) + unit;
    ahead[5] = select(has_before, saved[cell_at], 0.0f32);
    ahead[6] = select(
        has_before,
        states[(sample * (steps + 2) + before) * units + unit],
        0.0f32,
    );
    ahead[7] = grad[(sample * (steps + 2) + step) * units + unit];
}

/// The backward pass: cubes and grid as in [`lstm_sequence`]. `transposed: [R, 4H, H]`.
///
/// The first `rows x H` units differentiate one cell each; then unit `(gate, u)` sums the share of one gate in the
/// gradient of state `u` before, and the four shares are added in order. Leaves the gradient of `projected`, the hidden
/// state before each step (`before: [R, B, T, H]`, the other factor of the gradient of the weights), and the gradient of
/// the bias from each sample (`d_bias: [R, B, 4H]`).
#[cube(launch, create_dummy_kernel)]
#[allow(clippy::too_many_arguments)]
pub fn lstm_sequence_backward(
    transposed: &[f32],
    states: &[f32],
    saved: &[f32],
    grad: &[f32],
    lengths: &[u32],
    d_projected: &mut [f32],
    before: &mut [f32],
    d_bias: &mut [f32],
    batch: usize,
    steps: usize,
    #[comptime] units: usize,
    #[comptime] rows: usize,
    #[comptime] in_registers: usize,
    #[comptime] in_shared: usize,
    #[comptime] ragged: bool,
    #[comptime] reverse: bool,
) {
    let columns = comptime!(4 * units);
    let mut d_gates = Shared::<[f32]>::new_slice(comptime!(rows * 4 * units));
    let mut shares = Shared::<[f32]>::new_slice(comptime!(rows * 4 * units));
    let mut near = Shared::<[f32]>::new_slice(comptime!(Ord::max(in_shared * 4 * units, 1)));
    let mut own = Array::<f32>::new(comptime!(Ord::max(in_registers, 1)));
    let column = UNIT_POS_X as usize;
    let replica = CUBE_POS_Y as usize;
    let first_sample = replica * batch + CUBE_POS_X as usize * rows;
    let last_sample = replica * batch + batch - 1;

    // As a unit of the sums: gate `own_row` of state `unit`. As a unit of the cells: sample `own_row`.
    let own_row = column / units;
    let unit = column % units;
    let far_at = (replica * columns + own_row * units) * units + unit;
    #[unroll]
    for k in 0..in_registers {
        own[k] = transposed[far_at + comptime!(k * units)];
    }
    for k in 0..in_shared {
        near[k * columns + column] = transposed[far_at + (in_registers + k) * units];
    }

    let ends = ends_of(lengths, batch, steps, rows, ragged);
    let sample = min(first_sample + own_row, last_sample);
    let owns = own_row < rows && first_sample + own_row <= last_sample;
    let mut own_end = 0usize;
    #[unroll]
    for row in 0..rows {
        if row == own_row {
            own_end = ends[row];
        }
    }

    let last_at = (sample * (steps + 2) + steps) * units + unit;
    let mut d_hidden = grad[last_at];
    let mut d_cell = grad[last_at + units];
    let mut bias_sums = Array::<f32>::new(4usize);
    let mut d = Array::<f32>::new(5usize);
    let mut now = Array::<f32>::new(8usize);
    let mut ahead = Array::<f32>::new(8usize);
    let mut sums = Array::<f32>::new(rows);
    #[unroll]
    for gate in 0..4usize {
        bias_sums[gate] = 0.0f32;
    }
    let first_step = if comptime!(reverse) {
        0usize.runtime()
    } else {
        steps - 1
    };
    read_step(
        &mut ahead, states, saved, grad, sample, unit, first_step, steps, own_end, units, reverse,
    );

    for index in 0..steps {
        let step = if comptime!(reverse) { index } else { steps - 1 - index };
        let runs = owns && step < own_end;
        if owns {
            let next = if comptime!(reverse) {
                min(step + 1, steps - 1)
            } else {
                max(step, 1) - 1
            };
            #[unroll]
            for i in 0..8usize {
                now[i] = ahead[i];
            }
            read_step(
                &mut ahead, states, saved, grad, sample, unit, next, steps, own_end, units, reverse,
            );
            let at = (sample * steps + step) * columns + unit;
            let before_at = (sample * steps + step) * units + unit;
            if runs {
                cell_backward(&mut d, &now, d_hidden + now[7], d_cell);
                d_cell = d[4];
                before[before_at] = now[6];
                #[unroll]
                for gate in 0..4usize {
                    d_gates[own_row * columns + comptime!(gate * units) + unit] = d[gate];
                    d_projected[at + comptime!(gate * units)] = d[gate];
                    bias_sums[gate] += d[gate];
                }
            } else {
                before[before_at] = 0.0f32;
                #[unroll]
                for gate in 0..4usize {
                    d_projected[at + comptime!(gate * units)] = 0.0f32;
                }
            }
        }
        sync_cube();
        if any_runs(&ends, step, rows) {
            weigh(
                &mut sums,
                &d_gates,
                &own,
                &near,
                transposed,
                own_row * units,
                far_at,
                units,
                columns,
                rows,
                units,
                in_registers,
                in_shared,
            );
            #[unroll]
            for row in 0..rows {
                shares[comptime!(row * 4 * units) + column] = sums[row];
            }
        }
        sync_cube();
        if runs {
            let at = own_row * columns + unit;
            d_hidden =
                shares[at] + shares[at + units] + shares[at + comptime!(2 * units)] + shares[at + comptime!(3 * units)];
        }
    }
    if owns {
        #[unroll]
        for gate in 0..4usize {
            d_bias[sample * columns + comptime!(gate * units) + unit] = bias_sums[gate];
        }
    }
}
