//! Grids within the limits of every device.

use crate::limits::{LINEAR_UNITS, MAX_CUBES};
use cubecl::{CubeCount, CubeDim};

/// A grid with these axes.
pub(crate) fn grid(axes: [usize; 3]) -> CubeCount {
    assert!(
        axes.iter().all(|&cubes| cubes <= MAX_CUBES),
        "no grid holds {axes:?} cubes"
    );
    let [x, y, z] = axes.map(|cubes| cubes as u32);
    CubeCount::Static(x, y, z)
}

/// Two axes of a grid for a row of cubes that one axis may not hold.
pub(crate) fn spread(cubes: usize) -> [usize; 2] {
    [cubes.min(MAX_CUBES), cubes.div_ceil(MAX_CUBES)]
}

/// Cubes for one unit to each of `values`; kernels know their place as `ABSOLUTE_POS`.
pub(crate) fn linear(values: usize) -> (CubeCount, CubeDim) {
    let [x, y] = spread(values.div_ceil(LINEAR_UNITS));
    (grid([x, y, 1]), CubeDim::new_1d(LINEAR_UNITS as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_ELEMENTS;

    #[test]
    fn a_grid_holds_every_tensor_that_can_be_indexed() {
        for values in [1, 256, 257, MAX_CUBES * LINEAR_UNITS + 1, MAX_ELEMENTS] {
            let CubeCount::Static(x, y, 1) = linear(values).0 else {
                panic!("two axes")
            };
            let units = x as usize * y as usize * LINEAR_UNITS;
            assert!(units >= values && units <= u32::MAX as usize, "{values}");
        }
        // One cube to each value.
        assert!(spread(MAX_ELEMENTS).into_iter().all(|cubes| cubes <= MAX_CUBES));
    }
}
