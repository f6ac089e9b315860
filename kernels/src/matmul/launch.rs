//! CubeCL path of [`matmul`](super::matmul()).

use super::MatmulProblem;
use super::autodiff::MatmulOps;
use super::kernel::{BLOCK_K, ProductSizesLaunch, SIDE, StridesLaunch, TILE};
use crate::gpu::{CubeBackend, CubeDim, CubeTensor, Limits, add_partial_sums, contiguous, dims, empty, grid, launch};
use crate::limits::Problem;

/// Sum of one cube; longer ones (weight gradients) are cut into parts of at least this length, which are added in order.
/// By the shape of the product alone, so that neither the device nor the number of replicas changes a bit.
const INNER_PER_PART: usize = 1024;
/// Parts of a sum: one axis of the grid has room for so many with [`max_replicas`](crate::max_replicas).
const MAX_PARTS: usize = 256;

impl Problem for MatmulProblem {
    fn is_served(&self, limits: Limits) -> bool {
        let &Self {
            replicas,
            rows,
            inner,
            cols,
        } = self;
        let product = |rows, inner, cols| Self {
            replicas,
            rows,
            inner,
            cols,
        };
        // The product and the gradients of its two operands.
        [*self, product(rows, cols, inner), product(inner, rows, cols)]
            .into_iter()
            .all(|product| product.is_product_served(limits))
    }
}

impl MatmulProblem {
    /// Whether the kernel serves this product, whatever becomes of its gradients.
    pub(crate) fn is_product_served(&self, limits: Limits) -> bool {
        let &Self {
            replicas,
            rows,
            inner,
            cols,
        } = self;
        let shapes = [
            &[replicas, rows, inner][..],
            &[replicas, inner, cols],
            &[replicas, self.parts(), rows, cols],
        ];
        limits.serve(&shapes, &self.axes())
    }

    fn parts(&self) -> usize {
        self.inner.div_ceil(INNER_PER_PART).clamp(1, MAX_PARTS)
    }

    fn axes(&self) -> [usize; 3] {
        [
            self.cols.div_ceil(TILE),
            self.rows.div_ceil(TILE),
            self.replicas * self.parts(),
        ]
    }
}

impl MatmulOps for CubeBackend {
    fn replica_matmul(x: CubeTensor, w: CubeTensor, transpose_x: bool, transpose_w: bool) -> CubeTensor {
        let (x, w) = (contiguous(x), contiguous(w));
        let (xs, ws) = (dims::<3>(&x), dims::<3>(&w));
        let turned = |[replicas, rows, cols]: [usize; 3], transpose| match transpose {
            true => [replicas, cols, rows],
            false => [replicas, rows, cols],
        };
        let problem = MatmulProblem::of(turned(xs, transpose_x), turned(ws, transpose_w));
        let MatmulProblem {
            replicas,
            rows,
            inner,
            cols,
        } = problem;
        let parts = problem.parts();
        let y = empty(&x, [replicas, parts, rows, cols]);
        if rows * cols * replicas == 0 {
            return empty(&x, [replicas, rows, cols]);
        }
        // A shared operand has one replica, which all read.
        let strides = |[replicas, rows, cols]: [usize; 3], transpose: bool| StridesLaunch {
            replica: if replicas == 1 { 0 } else { rows * cols },
            row: if transpose { 1 } else { cols },
            col: if transpose { cols } else { 1 },
        };
        let sizes = ProductSizesLaunch {
            rows,
            inner,
            cols,
            x: strides(xs, transpose_x),
            w: strides(ws, transpose_w),
            parts,
            inner_per_part: inner.div_ceil(parts).next_multiple_of(BLOCK_K),
        };
        let client = y.client.clone();
        launch!(matmul_tiled(client, grid(problem.axes()), CubeDim::new_1d((SIDE * SIDE) as u32);
            x.into_buffer_arg(),
            w.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            sizes,
            transpose_x,
            !transpose_w,
        ));
        add_partial_sums(y, [replicas, rows, cols])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MAX_CUBES, MAX_ELEMENTS};

    #[test]
    fn products_are_served_up_to_the_limits() {
        let served = |replicas, rows, inner, cols| {
            let problem = MatmulProblem {
                replicas,
                rows,
                inner,
                cols,
            };
            problem.is_served(Limits::HOPPER)
        };
        let most_rows = MAX_ELEMENTS / 1024;
        assert!(served(1, most_rows, 1024, 8));
        assert!(!served(1, most_rows + 1, 1024, 8));
        assert!(!served(1, 8, most_rows + 1, 1024), "the other operand");
        assert!(!served(1, 1 << 16, 1, 1 << 16), "the result");
        assert!(served(1, 1024, 1 << 16, 40_000));
        assert!(!served(1, 1025, 1 << 16, 40_000), "partial sums of the gradient of w");
        assert!(served(1, TILE * MAX_CUBES, 1, 1));
        assert!(!served(1, TILE * MAX_CUBES + 1, 1, 1));
        assert!(served(255, 256 * 1024, 8, 8));
        assert!(!served(257, 256 * 1024, 8, 8), "parts of the gradient of w");
    }
}
