//! CPU path of [`matmul`](super::matmul): single-threaded products of fixed blocks.

use super::autodiff::MatmulOps;
use crate::cpu::{FlexTensor, Matrix, add_partial_sums, contiguous, dims, product, tasks, tensor, values};
use burn::backend::Flex;
use rayon::prelude::*;

/// Rows of the result computed by one task.
const ROWS_PER_TASK: usize = 128;
/// Longest sum computed by one task; longer ones (weight gradients) are cut, and the parts added
/// in order.
const INNER_PER_TASK: usize = 4096;

impl MatmulOps for Flex {
    fn replica_matmul(x: FlexTensor, w: FlexTensor, transpose_x: bool, transpose_w: bool) -> FlexTensor {
        let (x, w) = (contiguous(x), contiguous(w));
        let ([xs, xr, xc], [ws, wr, wc]) = (dims::<3>(&x), dims::<3>(&w));
        let replicas = xs.max(ws);
        let (xv, wv) = (values(&x), values(&w));
        let left = |r: usize| {
            let r = if xs == 1 { 0 } else { r };
            let m = Matrix::new(&xv[r * xr * xc..(r + 1) * xr * xc], xr, xc);
            if transpose_x { m.transposed() } else { m }
        };
        let right = |r: usize| {
            let m = Matrix::new(&wv[r * wr * wc..(r + 1) * wr * wc], wr, wc);
            if transpose_w { m.transposed() } else { m }
        };
        let (rows, inner) = if transpose_x { (xc, xr) } else { (xr, xc) };
        let cols = if transpose_w { wr } else { wc };
        let parts = inner.div_ceil(INNER_PER_TASK).max(1);
        let mut out = vec![0.0; replicas * parts * rows * cols];
        let per_task = if parts > 1 { rows } else { ROWS_PER_TASK };
        let blocks = rows.div_ceil(per_task.max(1));
        tasks(&mut out, rows, cols, per_task)
            .into_par_iter()
            .enumerate()
            .for_each(|(task, out)| {
                let (part, block) = (task / blocks, task % blocks);
                let (r, part) = (part / parts, part % parts);
                let inner = part * INNER_PER_TASK..inner.min((part + 1) * INNER_PER_TASK);
                let first = block * per_task;
                let left = left(r).block(first..first + out.len() / cols, inner.clone());
                product(out, cols, left, right(r).block(inner, 0..cols), false);
            });
        if parts > 1 {
            out = add_partial_sums(&out, replicas, parts, rows * cols);
        }
        tensor(out, [replicas, rows, cols])
    }
}
