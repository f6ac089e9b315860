//! Broken bytes: truncated, flipped and lying ones must give a value or an error, soon and without much memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::allocation;

/// Memory that reading may take whatever the header says, and per byte of the file.
const MOST_BYTES: usize = 16 << 20;
const MOST_BYTES_PER_BYTE: usize = 256;

/// A generator of 64-bit numbers (SplitMix64).
pub struct Draws(pub u64);

impl Draws {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// The bytes changed in one to four places. Half of the changes fall into the first `header` bytes.
pub fn mutate(bytes: &[u8], header: usize, seed: u64) -> Vec<u8> {
    const LIES: [&[u8]; 16] = [
        b"\xff\xff\xff\xff",
        b"\xff\xff\xff\x7f",
        b"\x00\x00\x00\x80",
        b"\x00\x00\x00\x00",
        b"\xff\x7f",
        b"\x00\x80",
        b"-1",
        b"9999999",
        b"99999999999999999999",
        b"1e999",
        b"nan",
        b"\0",
        b" ",
        b"\n",
        b"../",
        b"{[\"",
    ];
    let (mut draws, mut bytes) = (Draws(seed), bytes.to_vec());
    for _ in 0..1 + draws.below(4) {
        let end = if draws.below(2) == 0 {
            header.min(bytes.len())
        } else {
            bytes.len()
        };
        let at = draws.below(end);
        let stop = (at + draws.below(40)).min(bytes.len());
        match draws.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..stop)),
            2 => {
                let copy = bytes[at..stop].to_vec();
                bytes.splice(at..at, copy);
            }
            3 | 4 => {
                let lie = LIES[draws.below(LIES.len())];
                for (byte, &lie) in bytes.iter_mut().skip(at).zip(lie) {
                    *byte = lie;
                }
            }
            5 => bytes
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte = draws.next() as u8),
            _ => bytes
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte ^= 1 << draws.below(8)),
        }
    }
    bytes
}

/// Runs `read` on `count` mutations of the samples (name, bytes, length of the header), and on the `kept` seeds, which
/// once failed. `read` returns whether the bytes were accepted; it panics where an error does not name the file.
pub fn survives(
    samples: &[(&str, Vec<u8>, usize)],
    count: u64,
    kept: &[u64],
    read: impl Fn(&str, &[u8]) -> bool + Sync,
) {
    let try_one = |seed: u64| {
        let (name, bytes, header) = &samples[seed as usize % samples.len()];
        let bytes = mutate(bytes, *header, seed);
        let start = Instant::now();
        let run = || catch_unwind(AssertUnwindSafe(|| read(name, &bytes)));
        let (accepted, peak) = allocation::peak(run);
        let accepted = accepted.unwrap_or_else(|_| panic!("{name}: seed {seed} panicked"));
        let most = MOST_BYTES + MOST_BYTES_PER_BYTE * bytes.len();
        assert!(
            peak <= most,
            "{name}: seed {seed} took {peak} bytes of memory for {} bytes",
            bytes.len()
        );
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{name}: seed {seed} took {:?}",
            start.elapsed()
        );
        accepted
    };
    let accepted = (0..count)
        .into_par_iter()
        .chain(kept.par_iter().copied())
        .filter(|&seed| try_one(seed))
        .count();
    let total = count as usize + kept.len();
    assert!(
        accepted > 0 && accepted < total,
        "{accepted} of {total} were accepted: neither none nor all can be right"
    );
}
