//! Random numbers as functions of their place: (seed, subject, purpose, index), never the state of a generator.

use std::f64::consts::TAU;

/// The Weyl constant of SplitMix64 (Steele, Lea and Flood 2014), 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The draws of one subject, or of one site.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draws {
    key: u64,
}

impl Draws {
    pub(super) fn new(seed: u64, owner: &str, index: u64) -> Self {
        let key = mix(mix(mix(seed) ^ name_key(owner)) ^ index);
        Self { key }
    }

    /// The numbers for one purpose, independent of those for any other.
    pub(super) fn stream(&self, purpose: &str) -> Stream {
        Stream {
            key: mix(self.key ^ name_key(purpose)),
        }
    }

    pub(super) fn uniform(&self, purpose: &str) -> f64 {
        self.stream(purpose).uniform(0)
    }

    pub(super) fn normal(&self, purpose: &str) -> f64 {
        self.stream(purpose).normal(0)
    }
}

/// The outputs of SplitMix64 from a key, read at any index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    key: u64,
}

impl Stream {
    /// One of several independent streams for the same purpose.
    pub(super) fn part(self, index: usize) -> Self {
        Self {
            key: mix(self.key ^ mix(index as u64)),
        }
    }

    /// In (0, 1), both ends excluded.
    pub(super) fn uniform(&self, index: u64) -> f64 {
        let bits = mix(self.key.wrapping_add(index.wrapping_mul(GOLDEN)));
        ((bits >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// Standard normal, by Box and Muller.
    pub(super) fn normal(&self, index: u64) -> f64 {
        let radius = (-2.0 * self.uniform(2 * index).ln()).sqrt();
        radius * (TAU * self.uniform(2 * index + 1)).cos()
    }

    /// White noise of mean 0 and variance 1, uniform because that is cheap; a filter makes it all but normal.
    pub(super) fn noise(self) -> impl Iterator<Item = f64> {
        (0..).map(move |index| 12f64.sqrt() * (self.uniform(index) - 0.5))
    }
}

fn name_key(name: &str) -> u64 {
    name.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)))
}

/// One step of SplitMix64: a bijection that scatters neighbouring numbers.
fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
