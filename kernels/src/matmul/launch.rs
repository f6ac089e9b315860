//! CubeCL path of [`matmul`](super::matmul).

use super::kernel::{DEPTH, SIDE, TILE};
use super::tape::MatmulOps;
use crate::gpu::{CubeBackend, CubeCount, CubeDim, CubeTensor, MOST_CUBES, add_parts, contiguous, dims, empty, launch};
use burn::backend::ops::FloatTensorOps;

/// Sum of one cube; longer ones (weight gradients) are cut into parts of at least this length, which are added in order.
/// By the shape of the product alone, so that neither the device nor the number of replicas changes a bit.
const INNER_PER_PART: usize = 1024;
/// Parts of a sum at most: what one axis of the grid has room for with [`most_replicas`](crate::most_replicas).
const MOST_PARTS: usize = 256;

impl MatmulOps for CubeBackend {
    fn replica_matmul(x: CubeTensor, w: CubeTensor, transpose_x: bool, transpose_w: bool) -> CubeTensor {
        let (x, w) = (contiguous(x), contiguous(w));
        let ([xs, x_rows, x_cols], [ws, w_rows, w_cols]) = (dims(&x), dims(&w));
        let replicas = xs.max(ws);
        let (rows, inner) = if transpose_x {
            (x_cols, x_rows)
        } else {
            (x_rows, x_cols)
        };
        let cols = if transpose_w { w_rows } else { w_cols };
        let parts = inner.div_ceil(INNER_PER_PART).clamp(1, MOST_PARTS);
        let per_part = inner.div_ceil(parts).next_multiple_of(DEPTH);
        if [replicas * parts, rows.div_ceil(TILE), cols.div_ceil(TILE)]
            .into_iter()
            .any(|cubes| cubes > MOST_CUBES)
        {
            let turned = |x, turn| if turn { Self::float_transpose(x) } else { x };
            return Self::float_matmul(turned(x, transpose_x), turned(w, transpose_w));
        }
        let y = empty(&x, [replicas, parts, rows, cols]);
        if rows * cols * replicas == 0 {
            return empty(&x, [replicas, rows, cols]);
        }
        let strides = |cols: usize, transpose: bool| if transpose { (1, cols) } else { (cols, 1) };
        let (x_row, x_col) = strides(x_cols, transpose_x);
        let (w_row, w_col) = strides(w_cols, transpose_w);
        // A shared operand has one replica, which all read.
        let step = |count: usize, len: usize| if count == 1 { 0 } else { len };
        let count = CubeCount::Static(
            cols.div_ceil(TILE) as u32,
            rows.div_ceil(TILE) as u32,
            (replicas * parts) as u32,
        );
        let client = y.client.clone();
        launch!(product(client, count, CubeDim::new_1d((SIDE * SIDE) as u32);
            x.into_buffer_arg(),
            w.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            rows,
            inner,
            cols,
            step(xs, x_rows * x_cols),
            x_row,
            x_col,
            step(ws, w_rows * w_cols),
            w_row,
            w_col,
            parts,
            per_part,
            transpose_x,
            !transpose_w,
        ));
        add_parts(y, [replicas, rows, cols])
    }
}
