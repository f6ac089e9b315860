//! CubeCL path of [`uniform`](super::uniform).

use super::autodiff::UniformOps;
use super::{DrawProblem, Stream};
use crate::gpu::{CubeBackend, CubeDim, CubeTensor, Limits, empty, grid, launch};
use crate::limits::Problem;
use burn::tensor::{DType, Shape};
use cubecl::prelude::CubeElement;

/// Units of a cube, along its first axis.
pub(crate) const UNITS: usize = 256;

impl Problem for DrawProblem {
    fn is_served(&self, limits: Limits) -> bool {
        limits.serve(&[&[self.replicas, self.len]], &self.axes())
    }
}

impl DrawProblem {
    /// One unit for each block of four draws of each replica.
    pub(crate) fn axes(self) -> [usize; 3] {
        [self.len.div_ceil(4).div_ceil(UNITS), self.replicas, 1]
    }

    /// Width of the vectors that a replica's draws are made of.
    pub(crate) fn width(self) -> usize {
        if self.len.is_multiple_of(4) { 4 } else { 1 }
    }
}

/// Rows of words on the device of `like`.
pub(crate) fn table<const COLUMNS: usize>(
    like: &CubeTensor,
    rows: impl ExactSizeIterator<Item = [u32; COLUMNS]>,
) -> CubeTensor {
    let shape = Shape::from([rows.len(), COLUMNS]);
    let handle = like
        .client
        .create_from_slice(u32::as_bytes(&rows.flatten().collect::<Vec<u32>>()));
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, handle, DType::U32)
}

impl UniformOps for CubeBackend {
    fn replica_uniform(like: CubeTensor, streams: Vec<Stream>, len: usize) -> CubeTensor {
        let problem = DrawProblem {
            replicas: streams.len(),
            len,
        };
        let y = empty(&like, [problem.replicas, len]);
        let client = y.client.clone();
        let table = table(&like, streams.iter().map(Stream::words));
        launch!(uniform(client, grid(problem.axes()), CubeDim::new_1d(UNITS as u32);
            problem.width(), y.clone().into_buffer_arg(), table.into_buffer_arg(), 4, len));
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MAX_CUBES, MAX_ELEMENTS};

    /// Draws are those of `uniform` and of dropout.
    #[test]
    fn draws_are_served_up_to_the_limits() {
        let served = |replicas, len| DrawProblem { replicas, len }.is_served(Limits::HOPPER);
        let longest = 4 * UNITS * MAX_CUBES;
        assert!(longest < MAX_ELEMENTS && served(1, longest));
        assert!(!served(1, longest + 1));
        assert!(served(MAX_ELEMENTS >> 16, 1 << 16));
        assert!(!served((MAX_ELEMENTS >> 16) + 1, 1 << 16));
        assert!(served(MAX_CUBES, 5));
        assert!(!served(MAX_CUBES + 1, 5));
    }
}
