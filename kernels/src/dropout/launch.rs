//! CubeCL path of [`dropout`](super::dropout).

use super::autodiff::{Draw, DropoutOps};
use super::kernel::COLUMNS;
use crate::gpu::{CubeBackend, CubeDim, CubeTensor, contiguous, empty, grid, launch};
use crate::random::DrawProblem;
use crate::random::launch::{UNITS, table};
use burn::backend::TensorMetadata;

impl DropoutOps for CubeBackend {
    fn replica_dropout(x: CubeTensor, draws: Vec<Draw>) -> CubeTensor {
        let x = contiguous(x);
        let y = empty(&x, x.shape());
        let all = x.shape().num_elements();
        if all == 0 {
            return y;
        }
        let problem = DrawProblem {
            replicas: draws.len(),
            len: all / draws.len(),
        };
        let row = |draw: &Draw| -> [u32; COLUMNS] {
            let [k0, k1, s0, s1] = draw.stream.words();
            [k0, k1, s0, s1, draw.threshold, draw.kept.to_bits()]
        };
        let table = table(&x, draws.iter().map(row));
        let client = x.client.clone();
        launch!(dropout(client, grid(problem.axes()), CubeDim::new_1d(UNITS as u32);
            problem.width(), x.into_buffer_arg(), y.clone().into_buffer_arg(), table.into_buffer_arg(), problem.len));
        y
    }
}
