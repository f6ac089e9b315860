//! Philox on a device, and uniform numbers from it.

use super::philox::{MULTIPLIERS, ROUNDS, WEYL};
use super::{UNIFORM_BITS, UNUSED_BITS};
use cubecl::prelude::*;

/// The four words of a block of draws: [`philox4x32`](super::philox4x32) of counter `[block, 0, step]` under `key`, both
/// from row `row` of a table that begins `[key, key, step, step]`.
#[cube]
pub fn words(table: &[u32], row: usize, block: u32) -> Array<u32> {
    let mut c = Array::<u32>::new(4usize);
    c[0] = block;
    c[1] = 0u32;
    c[2] = table[row + 2];
    c[3] = table[row + 3];
    let mut k0 = table[row];
    let mut k1 = table[row + 1];
    #[unroll]
    for _ in 0..ROUNDS {
        let (c0, c2) = (c[0], c[2]);
        let (low0, high0) = (c0 * MULTIPLIERS[0], c0.mul_hi(MULTIPLIERS[0]));
        let (low1, high1) = (c2 * MULTIPLIERS[1], c2.mul_hi(MULTIPLIERS[1]));
        c[0] = high1 ^ c[1] ^ k0;
        c[1] = low1;
        c[2] = high0 ^ c[3] ^ k1;
        c[3] = low0;
        k0 += WEYL[0];
        k1 += WEYL[1];
    }
    c
}

/// Uniform numbers: each unit makes four, neighbours of which are written by neighbouring units. Grid = (blocks, R).
#[cube(launch, create_dummy_kernel)]
pub fn uniform<N: Size>(y: &mut [Vector<f32, N>], table: &[u32], columns: usize, len: usize) {
    let (block, replica) = (ABSOLUTE_POS_X as usize, ABSOLUTE_POS_Y as usize);
    let width = N::value();
    if block * 4 < len {
        let words = words(table, replica * columns, block as u32);
        #[unroll]
        for i in 0..comptime!(4 / width) {
            let mut values = Vector::<f32, N>::empty();
            #[unroll]
            for lane in 0..comptime!(width) {
                let word = words[comptime!(i * width + lane)] >> UNUSED_BITS;
                values.insert(
                    lane,
                    f32::cast_from(word) * comptime!(1.0 / (1u32 << UNIFORM_BITS) as f32),
                );
            }
            if block * 4 + comptime!(i * width) < len {
                let at = (replica * len + block * 4) / comptime!(width) + i;
                y[at] = values;
            }
        }
    }
}
