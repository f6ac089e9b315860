//! The tiled product.

use cubecl::prelude::*;

/// Rows and columns of a tile, one tile per cube.
pub const TILE: usize = 64;
/// Products between two barriers.
pub const BLOCK_K: usize = 16;
/// Rows and columns of one unit.
const TILE_PER_UNIT: usize = 4;
/// Units along one side of a tile.
pub const SIDE: usize = TILE / TILE_PER_UNIT;

/// Strides of an operand as it enters the product.
#[derive(CubeType, CubeLaunch)]
pub struct Strides {
    pub replica: usize,
    pub row: usize,
    pub col: usize,
}

/// The sizes of a product, and the parts into which its sums are cut.
#[derive(CubeType, CubeLaunch)]
pub struct ProductSizes {
    pub rows: usize,
    pub inner: usize,
    pub cols: usize,
    pub x: Strides,
    pub w: Strides,
    pub parts: usize,
    pub inner_per_part: usize,
}

/// `y[r, part] = x[r] w[r]` over the sums of one part: cube = tile of `y`, grid = (column tiles, row tiles, R x parts).
///
/// Both operands are staged in shared memory `BLOCK_K` sums at a time; each unit holds 4 x 4 sums in registers. `x_by_rows`
/// says that neighbours in a column of `x` are neighbours in memory, so that neighbouring units read them; `w_by_columns`
/// that neighbours in a row of `w` are.
#[cube(launch, create_dummy_kernel)]
pub fn matmul_tiled(
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
    sizes: &ProductSizes,
    #[comptime] x_by_rows: bool,
    #[comptime] w_by_columns: bool,
) {
    let mut x_tile = Shared::<[f32]>::new_slice(comptime!(BLOCK_K * TILE));
    let mut w_tile = Shared::<[f32]>::new_slice(comptime!(BLOCK_K * TILE));
    let mut sums = Array::<f32>::new(comptime!(TILE_PER_UNIT * TILE_PER_UNIT));
    #[unroll]
    for i in 0..comptime!(TILE_PER_UNIT * TILE_PER_UNIT) {
        sums[i] = 0.0f32;
    }

    let (replica, part) = (CUBE_POS_Z as usize / sizes.parts, CUBE_POS_Z as usize % sizes.parts);
    let (first_row, first_col) = (CUBE_POS_Y as usize * TILE, CUBE_POS_X as usize * TILE);
    let unit = UNIT_POS_X as usize;
    let (own_row, own_col) = (unit / SIDE, unit % SIDE);
    let end = min(sizes.inner, (part + 1) * sizes.inner_per_part);

    let mut start = part * sizes.inner_per_part;
    while start < end {
        #[unroll]
        for i in 0..comptime!(BLOCK_K * TILE / (SIDE * SIDE)) {
            let place = unit + comptime!(i * SIDE * SIDE);
            let (row, k) = if comptime!(x_by_rows) {
                (place % TILE, place / TILE)
            } else {
                (place / BLOCK_K, place % BLOCK_K)
            };
            let inside = first_row + row < sizes.rows && start + k < end;
            let at = replica * sizes.x.replica + (first_row + row) * sizes.x.row + (start + k) * sizes.x.col;
            x_tile[k * TILE + row] = select(inside, x[select(inside, at, 0)], 0.0f32);

            let (k, col) = if comptime!(w_by_columns) {
                (place / TILE, place % TILE)
            } else {
                (place % BLOCK_K, place / BLOCK_K)
            };
            let inside = first_col + col < sizes.cols && start + k < end;
            let at = replica * sizes.w.replica + (start + k) * sizes.w.row + (first_col + col) * sizes.w.col;
            w_tile[k * TILE + col] = select(inside, w[select(inside, at, 0)], 0.0f32);
        }
        sync_cube();
        for k in 0..BLOCK_K {
            let x_at = k * TILE + own_row * TILE_PER_UNIT;
            let w_at = k * TILE + own_col;
            #[unroll]
            for i in 0..TILE_PER_UNIT {
                let value = x_tile[x_at + i];
                #[unroll]
                for j in 0..TILE_PER_UNIT {
                    // Columns of a unit lie `SIDE` apart: neighbouring units read neighbouring banks and write
                    // neighbouring values.
                    sums[comptime!(i * TILE_PER_UNIT + j)] += value * w_tile[w_at + comptime!(j * SIDE)];
                }
            }
        }
        sync_cube();
        start += BLOCK_K;
    }

    let plane = CUBE_POS_Z as usize * sizes.rows * sizes.cols;
    #[unroll]
    for i in 0..TILE_PER_UNIT {
        let row = first_row + own_row * TILE_PER_UNIT + i;
        #[unroll]
        for j in 0..TILE_PER_UNIT {
            let col = first_col + own_col + comptime!(j * SIDE);
            if row < sizes.rows && col < sizes.cols {
                let at = plane + row * sizes.cols + col;
                y[at] = sums[comptime!(i * TILE_PER_UNIT + j)];
            }
        }
    }
}
