//! Random numbers as a pure function: of (seed, purpose, step, path, index), never of a state.
//!
//! Nothing has to be saved to resume and nothing is shared between threads or replicas: the index
//! counts inside one replica, so a draw does not know how many replicas there are. All arithmetic
//! is integer or IEEE (logarithm and cosine come from the `libm` crate, not from the system), so
//! the same draw has the same bits on every machine.

#[cfg(feature = "cube")]
pub mod autodiff;
#[cfg(feature = "cube")]
pub(crate) mod kernel;
#[cfg(feature = "cube")]
pub(crate) mod launch;
mod philox;

pub use philox::philox4x32;

use crate::error::{KernelError, or_panic};
use crate::simd::vectorised;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

/// Use of a draw; draws for different purposes are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Purpose {
    /// First values of parameters.
    Initialisation = 1,
    /// The order of samples within an epoch.
    Shuffle = 2,
    /// Dropout masks.
    Dropout = 3,
    /// Random changes to training samples.
    Augmentation = 4,
    /// The assignment of subjects to folds.
    Split = 5,
    /// Simulated data.
    Simulation = 6,
    /// Resampling for confidence intervals.
    Bootstrap = 7,
    /// Permutations of labels, for tests under the null.
    LabelPermutation = 8,
    /// Trials of a random search.
    Search = 9,
    /// Noise inside a model, such as that of a variational autoencoder.
    Latent = 10,
    /// Classical learners: forests, k-means starts.
    Baseline = 11,
}

/// Names one stream of draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The seed of the replica.
    pub seed: u64,
    /// Use of the draws.
    pub purpose: Purpose,
    /// The optimiser step, epoch or trial; 0 where there is none.
    pub step: u64,
    /// [`path_hash`] of the parameter, layer or variable.
    pub path: u64,
}

impl Key {
    /// The stream of draws of this key.
    pub fn stream(&self) -> Stream {
        let [low, high] = words(self.seed);
        let [path_low, path_high] = words(self.path);
        let [k0, k1, ..] = philox4x32([path_low, path_high, self.purpose as u32, 0], [low, high]);
        Stream {
            key: [k0, k1],
            step: words(self.step),
        }
    }
}

fn words(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

/// Bits of a word that make a uniform number: as many as f32 holds.
pub(crate) const UNIFORM_BITS: u32 = 24;
/// Low bits of a word that do not.
pub(crate) const UNUSED_BITS: u32 = 32 - UNIFORM_BITS;

/// The draws of one [`Key`], by index and in any order.
///
/// Draws of different kinds at one index are made from the same bits: use one kind per key.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    key: [u32; 2],
    step: [u32; 2],
}

impl Stream {
    /// Key and step, for a device.
    #[cfg(feature = "cube")]
    pub(crate) fn words(&self) -> [u32; 4] {
        [self.key[0], self.key[1], self.step[0], self.step[1]]
    }

    /// Four words at a time: `block(i)` holds the words of indices `4i .. 4i + 4`.
    #[inline]
    fn block(&self, block: u64) -> [u32; 4] {
        let [low, high] = words(block);
        philox4x32([low, high, self.step[0], self.step[1]], self.key)
    }

    /// A uniform word.
    pub fn u32(&self, index: u64) -> u32 {
        self.block(index / 4)[(index % 4) as usize]
    }

    /// A uniform number in [0, 1), a multiple of 2⁻²⁴.
    pub fn uniform(&self, index: u64) -> f32 {
        uniform_of(self.u32(index))
    }

    /// A standard normal number (Box and Muller 1958), within ±6.7.
    pub fn normal(&self, index: u64) -> f32 {
        normals(self.block(index / 4))[(index % 4) as usize]
    }

    /// A uniform integer below `bound`, unbiased to within `bound` / 2⁶⁴; 0 when `bound` is 0.
    pub fn below(&self, index: u64, bound: u64) -> u64 {
        let [w0, w1, ..] = self.block(index);
        let word = u64::from(w1) << 32 | u64::from(w0);
        ((u128::from(word) * u128::from(bound)) >> 64) as u64
    }
}

fn uniform_of(word: u32) -> f32 {
    (word >> UNUSED_BITS) as f32 * (1.0 / (1 << UNIFORM_BITS) as f32)
}

/// Four normals of four words, pair by pair.
fn normals(words: [u32; 4]) -> [f32; 4] {
    let unit = 1.0 / (1u64 << 32) as f64;
    let pair = |a: u32, b: u32| {
        let radius = libm::sqrt(-2.0 * libm::log((f64::from(a) + 0.5) * unit));
        let angle = std::f64::consts::TAU * f64::from(b) * unit;
        let (sin, cos) = libm::sincos(angle);
        [(radius * cos) as f32, (radius * sin) as f32]
    };
    let ([a, b], [c, d]) = (pair(words[0], words[1]), pair(words[2], words[3]));
    [a, b, c, d]
}

/// A hash of a parameter's or layer's path that never changes (FNV-1a, 64 bits).
pub const fn path_hash(path: &str) -> u64 {
    let bytes = path.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

/// Indices drawn by one task; a multiple of the block of four.
pub(crate) const DRAWS_PER_TASK: usize = 1 << 12;
/// Blocks drawn in one loop, which the compiler turns into vectors: enough that it does not unroll the loop instead.
const BLOCKS: usize = 64;

/// Replaces the values of one task, whose first index is `task * DRAWS_PER_TASK`, by `draw(words, values)` of each block.
///
/// To be called under [`vectorised`].
#[inline(always)]
pub(crate) fn each_block(stream: Stream, task: usize, out: &mut [f32], draw: impl Fn([u32; 4], [f32; 4]) -> [f32; 4]) {
    let first = (task * DRAWS_PER_TASK / 4) as u64;
    for (first, out) in (first..).step_by(BLOCKS).zip(out.chunks_mut(4 * BLOCKS)) {
        let mut drawn = [[0; 4]; BLOCKS];
        // Begins at a multiple of its length: only the low word counts.
        let [low, high] = words(first);
        for (i, drawn) in drawn.iter_mut().enumerate() {
            *drawn = philox4x32([low + i as u32, high, stream.step[0], stream.step[1]], stream.key);
        }
        let (blocks, rest) = out.as_chunks_mut::<4>();
        let num_blocks = blocks.len();
        for (out, words) in blocks.iter_mut().zip(drawn) {
            *out = draw(words, *out);
        }
        if !rest.is_empty() {
            let mut values = [0.0; 4];
            values[..rest.len()].copy_from_slice(rest);
            rest.copy_from_slice(&draw(drawn[num_blocks], values)[..rest.len()]);
        }
    }
}

fn fill(key: Key, out: &mut [f32], draw: impl Fn([u32; 4]) -> [f32; 4] + Sync) {
    let stream = key.stream();
    out.par_chunks_mut(DRAWS_PER_TASK)
        .enumerate()
        .for_each(|(task, out)| vectorised(|| each_block(stream, task, out, |words, _| draw(words))));
}

/// Fills with [`Stream::uniform`] of indices 0, 1, 2, ...
pub fn fill_uniform(key: Key, out: &mut [f32]) {
    fill(key, out, |words| words.map(uniform_of));
}

/// Fills with [`Stream::normal`] of indices 0, 1, 2, ...
///
/// On the host, whatever the device: its logarithm and sine are in f64, which few GPUs' shaders have.
pub fn fill_normal(key: Key, out: &mut [f32]) {
    fill(key, out, normals);
}

/// [`Stream::uniform`] of each replica's own key, the index counting within the replica; made on the device, with the
/// same bits on all.
///
/// # Panics
/// When there is not one key for each replica, the first axis of `shape`.
pub fn uniform<const D: usize>(keys: &[Key], shape: [usize; D], device: &Device) -> Tensor<D> {
    let replicas = shape.first().copied().unwrap_or(0);
    or_panic(check(keys, &shape));
    #[cfg(feature = "cube")]
    if shape.iter().product::<usize>() > 0 && crate::dispatch::is_served(device, &DrawProblem::of(shape)) {
        return autodiff::uniform(keys, shape, device);
    }
    let len = shape[1..].iter().product::<usize>();
    let mut values = vec![0.0; replicas * len];
    for (values, key) in values.chunks_mut(len.max(1)).zip(keys) {
        fill_uniform(*key, values);
    }
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn check(keys: &[Key], shape: &[usize]) -> Result<(), KernelError> {
    if keys.len() == shape.first().copied().unwrap_or(0) {
        return Ok(());
    }
    let problem = format!("entries, expected one for each replica of the shape {shape:?}");
    Err(KernelError::option("uniform", "keys", keys.len(), problem))
}

/// The sizes of draws for some replicas.
#[cfg(any(feature = "cpu", feature = "cube"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "cube"), allow(dead_code))]
pub(crate) struct DrawProblem {
    /// R.
    pub replicas: usize,
    /// Draws of one replica.
    pub len: usize,
}

#[cfg(any(feature = "cpu", feature = "cube"))]
impl DrawProblem {
    /// The draws for a tensor of this shape, whose first axis counts replicas.
    pub(crate) fn of<const D: usize>(shape: [usize; D]) -> Self {
        Self {
            replicas: shape[0],
            len: shape[1..].iter().product(),
        }
    }
}

/// A random order of `0..len` (Fisher and Yates).
pub fn permutation(key: Key, len: usize) -> Vec<usize> {
    let stream = key.stream();
    let mut order: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        order.swap(last, stream.below(last as u64, last as u64 + 1) as usize);
    }
    order
}
