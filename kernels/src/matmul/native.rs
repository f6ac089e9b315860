//! CPU path of [`matmul`](super::matmul): single-threaded products of fixed blocks.

use crate::native::{FlexTensor, Matrix, add_parts, contiguous, dims, product, tasks, tensor, values};
use burn::backend::{
    Autodiff, Backend, Dispatch, Flex,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;
use rayon::prelude::*;

/// Rows of the result computed by one task.
const ROWS_PER_TASK: usize = 128;
/// Longest sum computed by one task; longer ones (weight gradients) are cut, and the parts added
/// in order.
const INNER_PER_TASK: usize = 4096;

/// The batched product, with either operand transposed: its own adjoint.
#[backend_extension(Flex, Autodiff)]
pub trait MatmulOps: Backend {
    /// `op(x) op(w)` per replica, where `op` transposes the last two axes on request.
    fn replica_matmul(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        transpose_x: bool,
        transpose_w: bool,
    ) -> FloatTensor<Self>;
}

pub(super) fn call(x: Tensor<3>, w: Tensor<3>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as MatmulOps>::replica_matmul(x.into_dispatch(), w.into_dispatch(), false, false))
}

impl MatmulOps for Flex {
    fn replica_matmul(x: FlexTensor, w: FlexTensor, transpose_x: bool, transpose_w: bool) -> FlexTensor {
        let (x, w) = (contiguous(x), contiguous(w));
        let ([replicas, xr, xc], [_, wr, wc]) = (dims::<3>(&x), dims::<3>(&w));
        let (xv, wv) = (values(&x), values(&w));
        let left = |r: usize| {
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
        tasks(&mut out, rows, cols, per_task).into_par_iter().enumerate().for_each(|(task, out)| {
            let (part, block) = (task / blocks, task % blocks);
            let (r, part) = (part / parts, part % parts);
            let inner = part * INNER_PER_TASK..inner.min((part + 1) * INNER_PER_TASK);
            let first = block * per_task;
            let left = left(r).block(first..first + out.len() / cols, inner.clone());
            product(out, cols, left, right(r).block(inner, 0..cols), false);
        });
        if parts > 1 {
            out = add_parts(&out, replicas, parts, rows * cols);
        }
        tensor(out, [replicas, rows, cols])
    }
}

impl<B: Backend + MatmulOps, C: CheckpointStrategy> MatmulOps for Autodiff<B, C> {
    fn replica_matmul(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        transpose_x: bool,
        transpose_w: bool,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct ProductBackward;

        impl<B: Backend + MatmulOps> Backward<B, 2> for ProductBackward {
            type State = (FloatTensor<B>, FloatTensor<B>);

            fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
                let [node_x, node_w] = ops.parents;
                let dy = grads.consume::<B>(&ops.node);
                let (x, w) = ops.state;
                if let Some(node) = node_x {
                    grads.register::<B>(node.id, B::replica_matmul(dy.clone(), w, false, true));
                }
                if let Some(node) = node_w {
                    grads.register::<B>(node.id, B::replica_matmul(x, dy, true, false));
                }
            }
        }

        assert!(!transpose_x && !transpose_w, "the tape takes the plain product only");
        let nodes = [x.node(), w.node()];
        let (x, w) = (x.into_primitive(), w.into_primitive());
        match ProductBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let y = B::replica_matmul(x.clone(), w.clone(), false, false);
                prep.finish((x, w), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::replica_matmul(x, w, false, false)),
        }
    }
}
