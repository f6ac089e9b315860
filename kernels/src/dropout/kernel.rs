//! The mask and the product in one pass.

use crate::random::{UNUSED_BITS, kernel::words};
use cubecl::prelude::*;

/// Columns of the table of replicas: key and step (two each), threshold, bits of the factor of what is kept.
pub const COLUMNS: usize = 6;

/// `y = x mask`: each unit draws the four words of a block of its replica. Grid = (blocks, R).
///
/// Reads `x` and writes `y` once, in vectors of four where a replica's length allows.
#[cube(launch, create_dummy_kernel)]
pub fn dropout<N: Size>(x: &[Vector<f32, N>], y: &mut [Vector<f32, N>], table: &[u32], len: usize) {
    let (block, replica) = (ABSOLUTE_POS_X as usize, ABSOLUTE_POS_Y as usize);
    let width = N::value();
    if block * 4 < len {
        let row = replica * COLUMNS;
        let words = words(table, row, block as u32);
        let (threshold, kept) = (table[row + 4], f32::reinterpret(table[row + 5]));
        #[unroll]
        for i in 0..comptime!(4 / width) {
            let mut factors = Vector::<f32, N>::empty();
            #[unroll]
            for lane in 0..comptime!(width) {
                let word = words[comptime!(i * width + lane)] >> UNUSED_BITS;
                factors.insert(lane, select(word < threshold, 0.0f32, kept));
            }
            if block * 4 + comptime!(i * width) < len {
                let at = (replica * len + block * 4) / comptime!(width) + i;
                y[at] = x[at] * factors;
            }
        }
    }
}
