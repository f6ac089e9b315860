//! The recurrent weights of one unit, wherever they lie.

use cubecl::prelude::*;

/// Weights read ahead of the sums that use them.
const PREFETCH: usize = 8;

/// The layout of a unit's weights and of the states that they multiply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Weights of a unit.
    pub terms: usize,
    /// Samples of a cube.
    pub rows: usize,
    /// States from one sample to the next, in shared memory.
    pub row_stride: usize,
    /// From one weight of a unit to the next, in global memory.
    pub global_stride: usize,
    /// The first weights lie in registers, the next in shared memory, the rest is read from global memory.
    pub in_registers: usize,
    pub in_shared: usize,
    /// Units of a cube.
    pub units: usize,
}

impl Layout {
    fn shared_len(&self) -> usize {
        Ord::max(self.in_shared * self.units, 1)
    }

    fn register_len(&self) -> usize {
        Ord::max(self.in_registers, 1)
    }
}

/// The weights of one unit that are read from global memory once.
#[derive(CubeType)]
pub struct Column {
    w_registers: Array<f32>,
    w_shared: Shared<[f32]>,
}

/// Reads the weights of this unit, whose first lies at `global_offset`.
#[cube]
pub fn load_column(w_global: &[f32], global_offset: usize, #[comptime] layout: Layout) -> Column {
    let mut w_shared = Shared::<[f32]>::new_slice(comptime!(layout.shared_len()));
    let mut w_registers = Array::<f32>::new(comptime!(layout.register_len()));
    let unit = UNIT_POS_X as usize;
    #[unroll]
    for k in 0..comptime!(layout.in_registers) {
        w_registers[k] = w_global[global_offset + comptime!(k * layout.global_stride)];
    }
    for k in 0..comptime!(layout.in_shared) {
        w_shared[k * comptime!(layout.units) + unit] =
            w_global[global_offset + (comptime!(layout.in_registers) + k) * comptime!(layout.global_stride)];
    }
    Column { w_registers, w_shared }
}

/// `sums[row] = Σ_k state[state_offset + row * row_stride + k] w_k` over the weights of this unit, in their order wherever
/// they lie.
#[cube]
pub fn dot(
    sums: &mut Array<f32>,
    state: &Shared<[f32]>,
    state_offset: usize,
    column: &Column,
    w_global: &[f32],
    global_offset: usize,
    #[comptime] layout: Layout,
) {
    #[unroll]
    for row in 0..comptime!(layout.rows) {
        sums[row] = 0.0f32;
    }
    #[unroll]
    for k in 0..comptime!(layout.in_registers) {
        #[unroll]
        for row in 0..comptime!(layout.rows) {
            let value = state[state_offset + comptime!(row * layout.row_stride + k)];
            sums[row] = fma(value, column.w_registers[k], sums[row]);
        }
    }
    dot_shared(sums, state, state_offset, column, layout);
    dot_global(sums, state, state_offset, w_global, global_offset, layout);
}

/// The part of [`dot`] whose weights lie in shared memory, in fours.
#[cube]
fn dot_shared(
    sums: &mut Array<f32>,
    state: &Shared<[f32]>,
    state_offset: usize,
    column: &Column,
    #[comptime] layout: Layout,
) {
    let unit = UNIT_POS_X as usize;
    let units = CUBE_DIM_X as usize;
    let in_shared = comptime!(layout.in_shared);
    for chunk in 0..comptime!(in_shared / 4) {
        #[unroll]
        for i in 0..4usize {
            let weight = column.w_shared[(chunk * 4 + i) * units + unit];
            let at = state_offset + comptime!(layout.in_registers) + chunk * 4;
            #[unroll]
            for row in 0..comptime!(layout.rows) {
                sums[row] = fma(state[at + comptime!(row * layout.row_stride + i)], weight, sums[row]);
            }
        }
    }
    #[unroll]
    for i in 0..comptime!(in_shared % 4) {
        let k = comptime!(in_shared / 4 * 4 + i);
        let weight = column.w_shared[k * units + unit];
        let at = state_offset + comptime!(layout.in_registers + k);
        #[unroll]
        for row in 0..comptime!(layout.rows) {
            sums[row] = fma(state[at + comptime!(row * layout.row_stride)], weight, sums[row]);
        }
    }
}

/// The part of [`dot`] whose weights are read from global memory.
#[cube]
fn dot_global(
    sums: &mut Array<f32>,
    state: &Shared<[f32]>,
    state_offset: usize,
    w_global: &[f32],
    global_offset: usize,
    #[comptime] layout: Layout,
) {
    let done = comptime!(layout.in_registers + layout.in_shared);
    let mut weights = Array::<f32>::new(PREFETCH);
    for chunk in 0..comptime!((layout.terms - done) / PREFETCH) {
        let k = done + chunk * PREFETCH;
        #[unroll]
        for i in 0..PREFETCH {
            weights[i] = w_global[global_offset + (k + i) * comptime!(layout.global_stride)];
        }
        #[unroll]
        for i in 0..PREFETCH {
            #[unroll]
            for row in 0..comptime!(layout.rows) {
                let at = state_offset + k + comptime!(row * layout.row_stride + i);
                sums[row] = fma(state[at], weights[i], sums[row]);
            }
        }
    }
    #[unroll]
    for i in 0..comptime!((layout.terms - done) % PREFETCH) {
        let k = comptime!(layout.terms - (layout.terms - done) % PREFETCH + i);
        let weight = w_global[global_offset + comptime!(k * layout.global_stride)];
        #[unroll]
        for row in 0..comptime!(layout.rows) {
            sums[row] = fma(
                state[state_offset + comptime!(row * layout.row_stride + k)],
                weight,
                sums[row],
            );
        }
    }
}
