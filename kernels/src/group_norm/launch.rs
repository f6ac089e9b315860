//! CubeCL path of [`group_norm`](super::group_norm()).

use super::GroupNormProblem;
use super::autodiff::{GroupNormAdjoint, GroupNormOps};
use super::kernel::{NormPlan, NormSizesLaunch};
use crate::gpu::{
    CubeBackend, CubeDim, CubeTensor, Limits, add_partial_sums, contiguous, empty, grid, launch, limits_of,
};
use crate::limits::Problem;
use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use cubecl::prelude::CubeElement;

/// Most shared memory of a cube, so that a multiprocessor holds several.
const MAX_SHARED_BYTES: usize = 64 << 10;

impl Problem for GroupNormProblem {
    fn is_served(&self, limits: Limits) -> bool {
        limits.serve(&[&self.shape], &self.axes())
    }
}

impl GroupNormProblem {
    fn axes(&self) -> [usize; 3] {
        let [replicas, batch, ..] = self.shape;
        [self.groups, batch, replicas]
    }

    /// How a group is worked on, with `arrays` of it staged; the units, which fix the order of sums, depend on the shape
    /// alone.
    fn plan(&self, arrays: usize, limits: Limits) -> NormPlan {
        let [_, _, channels, positions] = self.shape;
        let group_channels = channels / self.groups;
        let len = group_channels * positions;
        let units = (len / 8).next_power_of_two().clamp(32, 512);
        // As many reductions as channels, but no narrower than what is read together.
        let channel_units = (units / group_channels.next_power_of_two())
            .max(32)
            .min(positions.next_power_of_two())
            .min(units);
        let stage = len.next_multiple_of(1024);
        let fits = 4 * (arrays * stage + units) <= MAX_SHARED_BYTES.min(limits.shared_bytes);
        NormPlan {
            stage: if fits { stage } else { 0 },
            units,
            channel_units,
        }
    }

    fn sizes(&self) -> NormSizesLaunch {
        let [_, _, channels, positions] = self.shape;
        NormSizesLaunch {
            channels,
            positions,
            eps: self.eps,
        }
    }
}

/// Gradients of parameters that no value depends on.
fn zeros(like: &CubeTensor, shape: [usize; 2]) -> CubeTensor {
    let handle = like
        .client
        .create_from_slice(f32::as_bytes(&vec![0.0; (shape[0] * shape[1]).max(1)]));
    CubeTensor::new_contiguous(
        like.client.clone(),
        like.device.clone(),
        Shape::from(shape),
        handle,
        like.dtype,
    )
}

impl GroupNormOps for CubeBackend {
    fn replica_group_norm(x: CubeTensor, gamma: CubeTensor, beta: CubeTensor, problem: GroupNormProblem) -> CubeTensor {
        let [x, gamma, beta] = [x, gamma, beta].map(contiguous);
        let y = empty(&x, problem.shape);
        if x.shape().num_elements() == 0 {
            return y;
        }
        let client = x.client.clone();
        // The forward pass has no reduction over a channel.
        let plan = NormPlan {
            channel_units: 1,
            ..problem.plan(1, limits_of(&client))
        };
        launch!(norm_forward(client, grid(problem.axes()), CubeDim::new_1d(plan.units as u32);
            x.into_buffer_arg(),
            gamma.into_buffer_arg(),
            beta.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            problem.sizes(),
            plan,
        ));
        y
    }
}

impl GroupNormAdjoint for CubeBackend {
    fn replica_group_norm_backward(
        x: CubeTensor,
        gamma: CubeTensor,
        dy: CubeTensor,
        problem: GroupNormProblem,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        let [x, gamma, dy] = [x, gamma, dy].map(contiguous);
        let [replicas, batch, channels, _] = problem.shape;
        let dx = empty(&x, problem.shape);
        let parameters = [replicas, channels];
        if x.shape().num_elements() == 0 {
            return (dx, zeros(&x, parameters), zeros(&x, parameters));
        }
        let client = x.client.clone();
        let plan = problem.plan(2, limits_of(&client));
        let [d_gamma, d_beta] = [(); 2].map(|()| empty(&x, [replicas, batch, channels]));
        launch!(norm_backward(client, grid(problem.axes()), CubeDim::new_1d(plan.units as u32);
            x.into_buffer_arg(),
            gamma.into_buffer_arg(),
            dy.into_buffer_arg(),
            dx.clone().into_buffer_arg(),
            d_gamma.clone().into_buffer_arg(),
            d_beta.clone().into_buffer_arg(),
            problem.sizes(),
            plan,
        ));
        let [d_gamma, d_beta] = [d_gamma, d_beta].map(|partials| add_partial_sums(partials, parameters));
        (dx, d_gamma, d_beta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MAX_CUBES, MAX_ELEMENTS};

    #[test]
    fn groups_are_served_up_to_the_limits() {
        let served = |shape, groups| {
            let problem = GroupNormProblem {
                shape,
                groups,
                eps: 1e-5,
            };
            problem.is_served(Limits::HOPPER)
        };
        assert!(served([1, 1, 1, MAX_ELEMENTS], 1));
        assert!(!served([1, 1, 1, MAX_ELEMENTS + 1], 1));
        assert!(served([255, 64, 256, 1024], 8));
        assert!(!served([256, 64, 256, 1024], 8));
        assert!(served([2, MAX_CUBES, 4, 3], 2));
        assert!(!served([2, MAX_CUBES + 1, 4, 3], 2));
        assert!(!served([MAX_CUBES + 1, 1, 4, 3], 2));
        assert!(!served([1, 1, MAX_CUBES + 1, 1], MAX_CUBES + 1));
    }
}
