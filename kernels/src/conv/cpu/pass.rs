//! One pass over planes, and the blocks of filters in which its weights are packed and read.

use std::ops::Range;

/// Filters of a tile at most.
const MAX_BLOCK: usize = 4;

/// `filters` cut into tiles of nearly the same size.
pub(crate) fn blocks(filters: usize) -> impl Iterator<Item = Range<usize>> {
    let count = filters.div_ceil(MAX_BLOCK);
    (0..count).map(move |block| block * filters / count..(block + 1) * filters / count)
}

/// A correlation whose taps read neighbouring values for neighbouring outputs:
/// `out[f, i, j] = sum over t of w[f, t] planes[offsets[t] + i row_step + j]`.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    /// Where each tap reads for the first output.
    pub(crate) offsets: Vec<usize>,
    /// Where the weight of each tap lies, from the first weight of a filter.
    pub(crate) weights: Vec<usize>,
    /// Rows and columns of outputs.
    pub(crate) output: [usize; 2],
    /// Values from one row of outputs to the next in a plane.
    pub(crate) row_step: usize,
    /// Where the first output lies in its plane, and the distance to the next: those of a phase of the stride.
    pub(crate) first: [usize; 2],
    pub(crate) step: [usize; 2],
}
