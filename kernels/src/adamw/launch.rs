//! CubeCL path of [`adamw`](super::adamw).

use super::kernel::{COLUMNS, UNITS};
use super::tape::{AdamwOps, Update};
use crate::gpu::{CubeBackend, CubeCount, CubeDim, CubeTensor, contiguous, dims, empty, launch};
use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use cubecl::prelude::CubeElement;

/// Fewest vectors of a cube: four for each unit.
const PER_PART: usize = 4 * UNITS;
/// Most parts of a replica, so that each cube can add up their sums again.
const MOST_PARTS: usize = 2 * UNITS;

/// The numbers of each replica, `[R, COLUMNS]`.
fn table(like: &CubeTensor, update: &Update) -> CubeTensor {
    let row = |of: &super::tape::ReplicaUpdate| -> [f32; COLUMNS] {
        [
            f32::from(u8::from(of.active)),
            of.kept,
            of.decay,
            of.step_size,
            of.correction,
        ]
    };
    let values: Vec<f32> = update.replicas.iter().flat_map(row).collect();
    let handle = like.client.create_from_slice(f32::as_bytes(&values));
    let shape = Shape::from([update.replicas.len(), COLUMNS]);
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, handle, like.dtype)
}

impl AdamwOps for CubeBackend {
    fn replica_adamw(
        weights: CubeTensor,
        gradient: CubeTensor,
        first: CubeTensor,
        second: CubeTensor,
        moves: CubeTensor,
        factors: CubeTensor,
        update: Update,
    ) -> (CubeTensor, CubeTensor, CubeTensor, CubeTensor) {
        let [replicas, params] = dims(&weights);
        let norms = empty(&weights, [replicas, 1]);
        if replicas * params == 0 {
            let zeros = f32::as_bytes(&vec![0.0; replicas.max(1)]).to_vec();
            let handle = norms.client.create_from_slice(&zeros);
            let CubeTensor {
                client, device, dtype, ..
            } = norms;
            let norms = CubeTensor::new_contiguous(client, device, [replicas, 1].into(), handle, dtype);
            return (weights, first, second, norms);
        }
        let [weights, gradient, first, second] = [weights, gradient, first, second].map(contiguous);
        // Each binding a buffer of its own.
        let given = |given: bool, tensor| {
            if given {
                contiguous(tensor)
            } else {
                empty(&weights, [4])
            }
        };
        let (has_moves, has_factors) = (update.has_moves, update.has_factors);
        let (moves, factors) = (given(has_moves, moves), given(has_factors, factors));

        let width = if params.is_multiple_of(4) { 4 } else { 1 };
        let len = params / width;
        let per_part = len.div_ceil(MOST_PARTS).next_multiple_of(UNITS).max(PER_PART);
        let parts = len.div_ceil(per_part);
        let (count, dim) = (
            || CubeCount::Static(parts as u32, replicas as u32, 1),
            CubeDim::new_1d(UNITS as u32),
        );
        let client = weights.client.clone();
        let partials = empty(&weights, [replicas, parts]);
        launch!(adamw_squares(client, count(), dim;
            width,
            gradient.clone().into_buffer_arg(),
            factors.clone().into_buffer_arg(),
            partials.clone().into_buffer_arg(),
            len,
            per_part,
            parts,
            has_factors,
        ));
        let new = [(); 3].map(|()| empty(&weights, weights.shape()));
        let table = table(&weights, &update);
        launch!(adamw_update(client, count(), dim;
            width,
            weights.into_buffer_arg(),
            gradient.into_buffer_arg(),
            first.into_buffer_arg(),
            second.into_buffer_arg(),
            factors.into_buffer_arg(),
            moves.into_buffer_arg(),
            partials.into_buffer_arg(),
            table.into_buffer_arg(),
            new[0].clone().into_buffer_arg(),
            new[1].clone().into_buffer_arg(),
            new[2].clone().into_buffer_arg(),
            norms.clone().into_buffer_arg(),
            len,
            per_part,
            parts,
            update.beta1[0],
            update.beta1[1],
            update.beta2[0],
            update.beta2[1],
            update.epsilon,
            update.max_norm.unwrap_or(0.0),
            update.max_norm.is_some(),
            has_factors,
            has_moves,
        ));
        let [weights, first, second] = new;
        (weights, first, second, norms)
    }
}
