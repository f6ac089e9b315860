//! CubeCL path of [`dropout`](super::dropout).

use super::kernel::COLUMNS;
use super::tape::{Draw, DropoutOps};
use crate::gpu::{CubeBackend, CubeTensor, contiguous, empty, launch};
use crate::random::launch::{grid, table, width};
use burn::backend::TensorMetadata;

impl DropoutOps for CubeBackend {
    fn replica_dropout(x: CubeTensor, draws: Vec<Draw>) -> CubeTensor {
        let x = contiguous(x);
        let y = empty(&x, x.shape());
        let all = x.shape().num_elements();
        if all == 0 {
            return y;
        }
        let len = all / draws.len();
        let row = |draw: &Draw| -> [u32; COLUMNS] {
            let [k0, k1, s0, s1] = draw.stream.words();
            [k0, k1, s0, s1, draw.threshold, draw.kept.to_bits()]
        };
        let table = table(&x, draws.iter().map(row));
        let (count, dim) = grid(draws.len(), len);
        let client = x.client.clone();
        launch!(dropout(client, count, dim;
            width(len), x.into_buffer_arg(), y.clone().into_buffer_arg(), table.into_buffer_arg(), len));
        y
    }
}
