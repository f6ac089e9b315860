//! CubeCL path of [`adamw`](super::adamw).

use super::AdamwProblem;
use super::autodiff::{AdamwOps, ReplicaUpdate, Update};
use super::kernel::{
    COLUMNS, Given, HyperparametersLaunch, ParametersLaunch, PartsLaunch, ReplicasLaunch, UNITS, UpdatedLaunch,
};
use crate::gpu::{CubeBackend, CubeDim, CubeTensor, Limits, contiguous, dims, empty, grid, launch};
use crate::limits::Problem;
use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use cubecl::prelude::CubeElement;

/// Vectors of a cube: at least four for each unit.
const MIN_PER_PART: usize = 4 * UNITS;
/// Parts of a replica, so that each cube can add up their sums again.
const MAX_PARTS: usize = 2 * UNITS;

impl Problem for AdamwProblem {
    fn is_served(&self, limits: Limits) -> bool {
        limits.serve(&[&[self.replicas, self.params]], &self.axes())
    }
}

impl AdamwProblem {
    /// Width of the vectors that a replica's parameters are made of.
    fn width(self) -> usize {
        if self.params.is_multiple_of(4) { 4 } else { 1 }
    }

    /// Vectors of a part.
    fn per_part(self) -> usize {
        let len = self.params / self.width();
        len.div_ceil(MAX_PARTS).next_multiple_of(UNITS).max(MIN_PER_PART)
    }

    fn parts(self) -> usize {
        (self.params / self.width()).div_ceil(self.per_part())
    }

    fn axes(self) -> [usize; 3] {
        [self.parts(), self.replicas, 1]
    }

    fn sizes(self) -> PartsLaunch {
        PartsLaunch {
            len: self.params / self.width(),
            per_part: self.per_part(),
            parts: self.parts(),
        }
    }
}

/// The numbers of each replica, `[R, COLUMNS]`.
fn table(like: &CubeTensor, update: &Update) -> CubeTensor {
    let row = |of: &ReplicaUpdate| -> [f32; COLUMNS] {
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
        mask: CubeTensor,
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
        let (mask, factors) = (given(update.has_mask, mask), given(update.has_factors, factors));
        let problem = AdamwProblem { replicas, params };
        let dim = CubeDim::new_1d(UNITS as u32);
        let client = weights.client.clone();
        let partials = empty(&weights, [replicas, problem.parts()]);
        launch!(adamw_squares(client, grid(problem.axes()), dim;
            problem.width(),
            gradient.clone().into_buffer_arg(),
            factors.clone().into_buffer_arg(),
            partials.clone().into_buffer_arg(),
            problem.sizes(),
            update.has_factors,
        ));
        let new = [(); 3].map(|()| empty(&weights, weights.shape()));
        let of_replicas = ReplicasLaunch {
            mask: mask.into_buffer_arg(),
            partials: partials.into_buffer_arg(),
            table: table(&weights, &update).into_buffer_arg(),
        };
        let parameters = ParametersLaunch {
            weights: weights.into_buffer_arg(),
            gradient: gradient.into_buffer_arg(),
            first: first.into_buffer_arg(),
            second: second.into_buffer_arg(),
            factors: factors.into_buffer_arg(),
        };
        let updated = UpdatedLaunch {
            weights: new[0].clone().into_buffer_arg(),
            first: new[1].clone().into_buffer_arg(),
            second: new[2].clone().into_buffer_arg(),
        };
        launch!(adamw_update(client, grid(problem.axes()), dim;
            problem.width(),
            parameters,
            of_replicas,
            updated,
            norms.clone().into_buffer_arg(),
            problem.sizes(),
            hyperparameters(&update),
            Given {
                max_norm: update.max_norm.is_some(),
                factors: update.has_factors,
                mask: update.has_mask,
            },
        ));
        let [weights, first, second] = new;
        (weights, first, second, norms)
    }
}

fn hyperparameters(update: &Update) -> HyperparametersLaunch {
    HyperparametersLaunch {
        beta1: update.beta1[0],
        rest1: update.beta1[1],
        beta2: update.beta2[0],
        rest2: update.beta2[1],
        epsilon: update.epsilon,
        max_norm: update.max_norm.unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MAX_CUBES, MAX_ELEMENTS};

    #[test]
    fn steps_are_served_up_to_the_limits() {
        let served = |replicas, params| AdamwProblem { replicas, params }.is_served(Limits::HOPPER);
        assert!(served(1, MAX_ELEMENTS));
        assert!(!served(1, MAX_ELEMENTS + 1));
        assert!(!served(255, 1 << 25));
        assert!(served(MAX_CUBES, 7));
        assert!(!served(MAX_CUBES + 1, 7));
    }
}
