//! Sums of partial results.

use cubecl::prelude::*;

/// `sum[r, i]` of `partials[r, part, i]` over the parts, in their order: one unit per sum.
#[cube(launch, create_dummy_kernel)]
pub fn add_parts(partials: &[f32], sum: &mut [f32], parts: usize, len: usize) {
    let at = ABSOLUTE_POS;
    if at < sum.len() {
        let first = (at / len) * parts * len + at % len;
        let mut total = 0.0f32;
        for part in 0..parts {
            total += partials[first + part * len];
        }
        sum[at] = total;
    }
}
