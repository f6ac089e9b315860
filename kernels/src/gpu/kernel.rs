//! Sums of partial results, and of what the units of a cube hold.

use cubecl::prelude::*;

/// `sum[r, i]` of `partials[r, part, i]` over the parts, in their order: one unit per sum.
#[cube(launch, create_dummy_kernel)]
pub fn add_partial_sums(partials: &[f32], sum: &mut [f32], parts: usize, len: usize) {
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

/// Sum of `own` over the units of one reduction, halves added to halves: a fixed order, known to all its units.
///
/// `units` neighbours, a power of two, make one reduction; `sums` has one place per unit of the cube and is free again
/// afterwards.
#[cube]
pub fn tree_sum(sums: &mut Shared<[f32]>, own: f32, #[comptime] units: usize) -> f32 {
    let unit = UNIT_POS_X as usize;
    let member = unit % units;
    sums[unit] = own;
    sync_cube();
    let mut half = (units / 2).runtime();
    while half > 0 {
        if member < half {
            let other = sums[unit + half];
            sums[unit] += other;
        }
        sync_cube();
        half /= 2;
    }
    let sum = sums[unit - member];
    sync_cube();
    sum
}
