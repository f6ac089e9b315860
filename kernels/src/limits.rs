//! Limits of a GPU on one launch, and the demands of an operation.
#![cfg_attr(not(feature = "cube"), allow(dead_code))] // the CPU has no such limits

/// Cubes along one axis of a grid: what WebGPU promises, and CUDA along the second and third axis.
pub(crate) const MAX_CUBES: usize = 65_535;

/// Units of a cube of the kernels with one unit for each value.
pub(crate) const LINEAR_UNITS: usize = 256;

/// Elements of one tensor. Kernels count elements in 32 bits (no kernel states another address type than CubeCL's
/// default), and the last row of a grid may reach past the end of a tensor: its units must not wrap either.
pub(crate) const MAX_ELEMENTS: usize = u32::MAX as usize - MAX_CUBES * LINEAR_UNITS;

/// Limits of a device on one launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Shared memory of one cube, in bytes.
    pub shared_bytes: usize,
    /// Units (threads) of one cube.
    pub units: usize,
    /// Elements of one tensor that kernels index.
    pub elements: usize,
    /// Cubes along one axis of a grid.
    pub cubes: usize,
}

impl Limits {
    /// A Hopper GPU under CUDA: what `gpu::sources` is usually asked for.
    pub const HOPPER: Self = Self {
        shared_bytes: 227 << 10,
        units: 1024,
        elements: MAX_ELEMENTS,
        cubes: MAX_CUBES,
    };
    /// The least that WebGPU and software Vulkan give.
    pub const SMALLEST: Self = Self {
        shared_bytes: 32 << 10,
        ..Self::HOPPER
    };

    /// Whether tensors of these shapes can be indexed and grids with these axes launched.
    pub(crate) fn serve(&self, shapes: &[&[usize]], axes: &[usize]) -> bool {
        let len = |shape: &[usize]| shape.iter().try_fold(1usize, |len, &axis| len.checked_mul(axis));
        let indexed = |shape: &&[usize]| len(shape).is_some_and(|len| len <= self.elements);
        shapes.iter().all(indexed) && axes.iter().all(|&cubes| cubes <= self.cubes)
    }
}

/// The sizes of one call of an operation.
pub(crate) trait Problem {
    /// Whether the GPU kernels of the operation and of its gradient serve a device with these limits; the reference
    /// takes the call otherwise. A pure function: one decision for forward and backward.
    #[cfg(feature = "cube")]
    fn is_served(&self, limits: Limits) -> bool;
}

/// Without a CubeCL backend nothing is asked.
#[cfg(not(feature = "cube"))]
impl<T> Problem for T {}

/// Replicas that one call takes at most if its kernels are to be used, for batches of this size: the axes of a GPU's
/// grid hold no more. Larger groups, and batches above 65535, go to the references on a GPU and lose the bits of the
/// kernels; train them in chunks.
pub fn max_replicas(batch: usize) -> usize {
    (MAX_CUBES / batch.max(1)).clamp(1, 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_of_a_last_row_of_cubes_fit_32_bits() {
        assert!(MAX_ELEMENTS + MAX_CUBES * LINEAR_UNITS <= u32::MAX as usize);
    }

    #[test]
    fn shapes_and_axes_are_served_up_to_the_limit() {
        let limits = Limits::HOPPER;
        assert!(limits.serve(&[&[MAX_ELEMENTS], &[1, 2]], &[MAX_CUBES, 1]));
        assert!(!limits.serve(&[&[1, 2], &[MAX_ELEMENTS + 1]], &[1]));
        assert!(!limits.serve(&[&[1 << 16, 1 << 16]], &[1]));
        assert!(!limits.serve(&[&[usize::MAX, usize::MAX]], &[1]));
        assert!(!limits.serve(&[&[1]], &[1, MAX_CUBES + 1]));
    }

    #[test]
    fn most_replicas_fill_one_axis_of_a_grid() {
        for batch in [0, 1, 32, 257, 65_535, 100_000] {
            let replicas = max_replicas(batch);
            assert!(replicas == 1 || replicas * batch <= MAX_CUBES);
            assert!((1..=255).contains(&replicas));
        }
    }
}
