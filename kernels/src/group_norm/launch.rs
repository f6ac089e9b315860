//! CubeCL path of [`group_norm`](super::group_norm).

use super::tape::{GroupNormOps, Norm};
use crate::gpu::{CubeBackend, CubeCount, CubeDim, CubeTensor, Limits, add_parts, contiguous, dims, empty, launch};
use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use cubecl::prelude::CubeElement;

/// Most shared memory of a cube, so that a multiprocessor holds several.
const SHARED_BYTES: usize = 64 << 10;

/// How a group is worked on; `units` and `team`, which fix the order of sums, depend on the shape alone.
struct Plan {
    count: CubeCount,
    dim: CubeDim,
    units: usize,
    /// Units that add up one channel.
    team: usize,
    /// Values of a group kept in shared memory, rounded up; 0 where it does not fit.
    stage: usize,
}

impl Plan {
    /// `arrays` of a group are to be staged.
    fn new([replicas, batch, channels, positions]: [usize; 4], groups: usize, arrays: usize, limits: Limits) -> Self {
        let per_group = channels / groups;
        let len = per_group * positions;
        let units = (len / 8).next_power_of_two().clamp(32, 512);
        // As many teams as channels, but no narrower than what is read together.
        let team = (units / per_group.next_power_of_two())
            .max(32)
            .min(positions.next_power_of_two())
            .min(units);
        let stage = len.next_multiple_of(1024);
        let fits = 4 * (arrays * stage + units) <= SHARED_BYTES.min(limits.shared_bytes);
        Self {
            count: CubeCount::Static(groups as u32, batch as u32, replicas as u32),
            dim: CubeDim::new_1d(units as u32),
            units,
            team,
            stage: if fits { stage } else { 0 },
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
    fn replica_group_norm(x: CubeTensor, gamma: CubeTensor, beta: CubeTensor, norm: Norm) -> CubeTensor {
        let [x, gamma, beta] = [x, gamma, beta].map(contiguous);
        let shape = dims(&x);
        let y = empty(&x, shape);
        if x.shape().num_elements() == 0 {
            return y;
        }
        let client = x.client.clone();
        let plan = Plan::new(shape, norm.groups, 1, Limits::of(&client));
        launch!(norm_forward(client, plan.count, plan.dim;
            x.into_buffer_arg(),
            gamma.into_buffer_arg(),
            beta.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            shape[2],
            shape[3],
            norm.eps,
            plan.stage,
            plan.units,
        ));
        y
    }

    fn replica_group_norm_backward(
        x: CubeTensor,
        gamma: CubeTensor,
        dy: CubeTensor,
        norm: Norm,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        let [x, gamma, dy] = [x, gamma, dy].map(contiguous);
        let shape @ [replicas, batch, channels, positions] = dims(&x);
        let dx = empty(&x, shape);
        let parameters = [replicas, channels];
        if x.shape().num_elements() == 0 {
            return (dx, zeros(&x, parameters), zeros(&x, parameters));
        }
        let client = x.client.clone();
        let plan = Plan::new(shape, norm.groups, 2, Limits::of(&client));
        let [d_gamma, d_beta] = [(); 2].map(|()| empty(&x, [replicas, batch, channels]));
        launch!(norm_backward(client, plan.count, plan.dim;
            x.into_buffer_arg(),
            gamma.into_buffer_arg(),
            dy.into_buffer_arg(),
            dx.clone().into_buffer_arg(),
            d_gamma.clone().into_buffer_arg(),
            d_beta.clone().into_buffer_arg(),
            channels,
            positions,
            norm.eps,
            plan.stage,
            plan.units,
            plan.team,
        ));
        (dx, add_parts(d_gamma, parameters), add_parts(d_beta, parameters))
    }
}
