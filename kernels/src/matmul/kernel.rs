//! The tiled product.

use cubecl::prelude::*;

/// Rows and columns of a tile, one tile per cube.
pub const TILE: usize = 64;
/// Products between two barriers.
pub const DEPTH: usize = 16;
/// Rows and columns of one unit.
const OWN: usize = 4;
/// Units along one side of a tile.
pub const SIDE: usize = TILE / OWN;

/// `y[r, part] = x[r] w[r]` over the sums of one part: cube = tile of `y`, grid = (column tiles, row tiles, R x parts).
///
/// `x_strides` and `w_strides` are those of (replica, row, column) of the operands as they enter the product. Both are
/// staged in shared memory `DEPTH` sums at a time; each unit holds 4 x 4 sums in registers. `x_by_rows` says that
/// neighbours in a column of `x` are neighbours in memory, so that neighbouring units read them; `w_by_columns` that
/// neighbours in a row of `w` are.
#[cube(launch, create_dummy_kernel)]
#[allow(clippy::too_many_arguments)]
pub fn product(
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
    rows: usize,
    inner: usize,
    cols: usize,
    x_replica: usize,
    x_row: usize,
    x_col: usize,
    w_replica: usize,
    w_row: usize,
    w_col: usize,
    parts: usize,
    inner_per_part: usize,
    #[comptime] x_by_rows: bool,
    #[comptime] w_by_columns: bool,
) {
    let mut x_tile = Shared::<[f32]>::new_slice(comptime!(DEPTH * TILE));
    let mut w_tile = Shared::<[f32]>::new_slice(comptime!(DEPTH * TILE));
    let mut sums = Array::<f32>::new(comptime!(OWN * OWN));
    #[unroll]
    for i in 0..comptime!(OWN * OWN) {
        sums[i] = 0.0f32;
    }

    let (replica, part) = (CUBE_POS_Z as usize / parts, CUBE_POS_Z as usize % parts);
    let (first_row, first_col) = (CUBE_POS_Y as usize * TILE, CUBE_POS_X as usize * TILE);
    let unit = UNIT_POS_X as usize;
    let (own_row, own_col) = (unit / SIDE, unit % SIDE);
    let end = min(inner, (part + 1) * inner_per_part);

    let mut start = part * inner_per_part;
    while start < end {
        #[unroll]
        for i in 0..comptime!(DEPTH * TILE / (SIDE * SIDE)) {
            let place = unit + comptime!(i * SIDE * SIDE);
            let (row, depth) = if comptime!(x_by_rows) {
                (place % TILE, place / TILE)
            } else {
                (place / DEPTH, place % DEPTH)
            };
            let inside = first_row + row < rows && start + depth < end;
            let at = replica * x_replica + (first_row + row) * x_row + (start + depth) * x_col;
            x_tile[depth * TILE + row] = select(inside, x[select(inside, at, 0)], 0.0f32);

            let (depth, col) = if comptime!(w_by_columns) {
                (place / TILE, place % TILE)
            } else {
                (place % DEPTH, place / DEPTH)
            };
            let inside = first_col + col < cols && start + depth < end;
            let at = replica * w_replica + (start + depth) * w_row + (first_col + col) * w_col;
            w_tile[depth * TILE + col] = select(inside, w[select(inside, at, 0)], 0.0f32);
        }
        sync_cube();
        for depth in 0..DEPTH {
            let x_at = depth * TILE + own_row * OWN;
            let w_at = depth * TILE + own_col;
            #[unroll]
            for i in 0..OWN {
                let value = x_tile[x_at + i];
                #[unroll]
                for j in 0..OWN {
                    // Columns of a unit lie `SIDE` apart: neighbouring units read neighbouring banks and write
                    // neighbouring values.
                    sums[comptime!(i * OWN + j)] += value * w_tile[w_at + comptime!(j * SIDE)];
                }
            }
        }
        sync_cube();
        start += DEPTH;
    }

    let plane = CUBE_POS_Z as usize * rows * cols;
    #[unroll]
    for i in 0..OWN {
        let row = first_row + own_row * OWN + i;
        #[unroll]
        for j in 0..OWN {
            let col = first_col + own_col + comptime!(j * SIDE);
            if row < rows && col < cols {
                let at = plane + row * cols + col;
                y[at] = sums[comptime!(i * OWN + j)];
            }
        }
    }
}
