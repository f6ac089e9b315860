//! CPU path of the transform: a block of frames at a time, one in each lane, from the signal to rows of the result.
//!
//! One task per signal: neither the number of replicas nor that of threads changes a bit.

use super::autodiff::{StftAdjoint, StftOps};
use super::block::{Block, Transform};
use super::{StftPadding, StftProblem};
use crate::cpu::{FlexTensor, Output, contiguous, dims, tensor, values};
use crate::simd::dispatch;
use burn::backend::Flex;
use pulp::bytemuck::{cast_slice, cast_slice_mut};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

impl StftOps for Flex {
    fn stft_analysis(x: FlexTensor, problem: StftProblem) -> FlexTensor {
        let x = contiguous(x);
        let [replicas, batch, channels, samples] = dims(&x);
        let (rows, frames) = (problem.rows(), problem.frames);
        let parts = if problem.reduction.is_some() { 1 } else { 2 };
        let transform = Transform::new(&problem);
        let (signals, len) = (replicas * batch * channels, rows * frames * parts);
        let out = if samples == 0 {
            vec![0.0; signals * len]
        } else {
            let mut out = Output::new(signals * len);
            let pieces = out
                .tasks(signals, len, 1)
                .into_par_iter()
                .zip(values(&x).par_chunks(samples));
            pieces.for_each_init(Vec::new, |memory, (out, signal)| {
                dispatch(Analysis {
                    transform: &transform,
                    memory,
                    signal,
                    out: out.zeros(),
                });
            });
            out.finish()
        };
        match parts {
            1 => tensor(out, [replicas, batch, channels, rows, frames]),
            _ => tensor(out, [replicas, batch, channels, rows, frames, 2]),
        }
    }

    fn stft_synthesis(spectrum: FlexTensor, problem: StftProblem) -> FlexTensor {
        let spectrum = contiguous(spectrum);
        let [replicas, batch, channels] = dims(&spectrum);
        overlap_added(&problem, [replicas, batch, channels], values(&spectrum), None)
    }
}

impl StftAdjoint for Flex {
    fn stft_gradient(x: FlexTensor, gradient: FlexTensor, problem: StftProblem) -> FlexTensor {
        let (x, gradient) = (contiguous(x), contiguous(gradient));
        let [replicas, batch, channels] = dims(&x);
        overlap_added(
            &problem,
            [replicas, batch, channels],
            values(&gradient),
            Some(values(&x)),
        )
    }
}

fn overlap_added(problem: &StftProblem, signals: [usize; 3], gradient: &[f32], x: Option<&[f32]>) -> FlexTensor {
    let [replicas, batch, channels] = signals;
    let samples = problem.samples;
    let mut out = vec![0.0; replicas * batch * channels * samples];
    let transform = Transform::new(problem);
    if !out.is_empty() {
        let len = gradient.len() / (replicas * batch * channels);
        let tasks = out.par_chunks_mut(samples).zip(gradient.par_chunks(len)).enumerate();
        tasks.for_each_init(Default::default, |memory, (signal, (out, gradient))| {
            let signal = x.map(|x| &x[signal * samples..(signal + 1) * samples]);
            dispatch(Synthesis {
                transform: &transform,
                memory,
                signal,
                gradient,
                out,
            });
        });
    }
    tensor(out, [replicas, batch, channels, samples])
}

/// One signal to its rows.
struct Analysis<'a> {
    transform: &'a Transform<'a>,
    memory: &'a mut Vec<f32>,
    signal: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Analysis<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Self {
            transform,
            memory,
            signal,
            out,
        } = self;
        let frames = transform.problem.frames;
        let mut block = Block::<S>::new(transform, memory);
        for first in (0..frames).step_by(S::F32_LANES) {
            let count = S::F32_LANES.min(frames - first);
            block.load(s, transform, signal, first);
            match &transform.problem.reduction {
                Some(reduction) => {
                    let rows = block.reduce(s, transform, reduction).chunks_exact(S::F32_LANES);
                    for (out, row) in out.chunks_exact_mut(frames).zip(rows) {
                        let out = &mut out[first..first + count];
                        match cast_slice_mut::<_, S::f32s>(&mut out[..count / S::F32_LANES * S::F32_LANES]) {
                            [out] => *out = cast_slice(row)[0],
                            _ => out.copy_from_slice(&row[..count]),
                        }
                    }
                }
                None => block.complex_rows(s, transform, out, first, count),
            }
        }
    }
}

/// The gradient of one signal from that of its rows; without a signal, from that of its complex bins.
struct Synthesis<'a> {
    transform: &'a Transform<'a>,
    memory: &'a mut [Vec<f32>; 2],
    signal: Option<&'a [f32]>,
    gradient: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Synthesis<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Self {
            transform,
            memory: [memory, padded],
            signal,
            gradient,
            out,
        } = self;
        let StftProblem { options, frames, .. } = transform.problem;
        padded.clear();
        padded.resize((frames - 1) * options.hop + options.n_fft, 0.0);
        let mut block = Block::<S>::new(transform, memory);
        for first in (0..*frames).step_by(S::F32_LANES) {
            let count = S::F32_LANES.min(frames - first);
            match (signal, &transform.problem.reduction) {
                (Some(signal), Some(reduction)) => {
                    block.load(s, transform, signal, first);
                    block.unpack_real(s, transform);
                    let rows = cast_slice_mut::<_, f32>(block.rows).chunks_exact_mut(S::F32_LANES);
                    for (row, gradient) in rows.zip(gradient.chunks_exact(*frames)) {
                        row[..count].copy_from_slice(&gradient[first..first + count]);
                    }
                    block.reduce_gradient(s, transform, reduction);
                }
                _ => {
                    let bins = cast_slice_mut::<_, f32>(block.bins).chunks_exact_mut(2 * S::F32_LANES);
                    for (bin, gradient) in bins.zip(gradient.chunks_exact(2 * frames)) {
                        let (re, im) = bin.split_at_mut(S::F32_LANES);
                        let gradient = gradient[2 * first..2 * (first + count)].chunks_exact(2);
                        for ((re, im), gradient) in re.iter_mut().zip(im).zip(gradient) {
                            (*re, *im) = (gradient[0], gradient[1]);
                        }
                    }
                    block.scale(s, transform);
                }
            }
            block.pack_real(s, transform);
            block.add_frames(s, transform, &mut padded[first * options.hop..], count);
        }
        fold(options, padded, out);
    }
}

/// The gradient of the signal from that of the padded one: what was mirrored is added where it came from.
fn fold(options: &super::StftOptions, padded: &[f32], out: &mut [f32]) {
    let (pad, len) = (options.pad(), out.len());
    let at = |position: usize| padded.get(position).copied().unwrap_or(0.0);
    for (t, out) in out.iter_mut().enumerate() {
        *out = at(pad + t);
    }
    if options.padding == StftPadding::Reflect {
        for t in 1..(pad + 1).min(len) {
            out[t] += at(pad - t);
            let mirrored = len - 1 - t;
            out[mirrored] += at(pad + len - 1 + t);
        }
    }
}
