//! CPU path of the transform: a block of frames at a time, one in each lane, from the signal to rows of the result.
//!
//! One task per signal: neither the number of replicas nor that of threads changes a bit.

use super::block::{Block, Transform, numbers, numbers_mut};
use super::tape::StftOps;
use super::{Plan, StftPadding};
use crate::native::{FlexTensor, contiguous, dims, tensor, values};
use burn::backend::Flex;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

impl StftOps for Flex {
    fn stft_analysis(x: FlexTensor, plan: Plan) -> FlexTensor {
        let x = contiguous(x);
        let [replicas, batch, channels, samples] = dims(&x);
        let (rows, frames) = (plan.rows(), plan.frames);
        let parts = if plan.reduction.is_some() { 1 } else { 2 };
        let mut out = vec![0.0; replicas * batch * channels * rows * frames * parts];
        let transform = Transform::new(&plan);
        if samples > 0 && !out.is_empty() {
            out.par_chunks_mut(rows * frames * parts).zip(values(&x).par_chunks(samples)).for_each_init(
                Vec::new,
                |memory, (out, signal)| {
                    dispatch(Analysis { transform: &transform, memory, signal, out });
                },
            );
        }
        match parts {
            1 => tensor(out, [replicas, batch, channels, rows, frames]),
            _ => tensor(out, [replicas, batch, channels, rows, frames, 2]),
        }
    }

    fn stft_synthesis(spectrum: FlexTensor, plan: Plan) -> FlexTensor {
        let spectrum = contiguous(spectrum);
        let [replicas, batch, channels] = dims(&spectrum);
        overlap_added(&plan, [replicas, batch, channels], values(&spectrum), None)
    }

    fn stft_gradient(x: FlexTensor, gradient: FlexTensor, plan: Plan) -> FlexTensor {
        let (x, gradient) = (contiguous(x), contiguous(gradient));
        let [replicas, batch, channels] = dims(&x);
        overlap_added(&plan, [replicas, batch, channels], values(&gradient), Some(values(&x)))
    }
}

fn overlap_added(plan: &Plan, signals: [usize; 3], gradient: &[f32], x: Option<&[f32]>) -> FlexTensor {
    let [replicas, batch, channels] = signals;
    let samples = plan.samples;
    let mut out = vec![0.0; replicas * batch * channels * samples];
    let transform = Transform::new(plan);
    if !out.is_empty() {
        let len = gradient.len() / (replicas * batch * channels);
        let tasks = out.par_chunks_mut(samples).zip(gradient.par_chunks(len)).enumerate();
        tasks.for_each_init(Default::default, |memory, (signal, (out, gradient))| {
            let signal = x.map(|x| &x[signal * samples..(signal + 1) * samples]);
            dispatch(Synthesis { transform: &transform, memory, signal, gradient, out });
        });
    }
    tensor(out, [replicas, batch, channels, samples])
}

/// Runs `task` with the widest registers of this machine. (`Arch` alone leaves out AVX2 unless a feature of pulp is set,
/// which gemm does not do.)
fn dispatch(task: impl WithSimd<Output = ()>) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return Simd::vectorize(simd, task);
    }
    Arch::new().dispatch(task);
}

/// A plan with its tables.
struct Transform<'a> {
    plan: &'a Plan,
    fourier: Fourier,
    /// Whether two neighbouring samples make one point of a transform of half the length.
    halved: bool,
    window: Vec<f32>,
    /// `exp(-2πi k / n_fft)` up to the middle of the spectrum.
    untangle: Vec<[f32; 2]>,
    filters: Vec<SparseRow>,
    columns: Vec<SparseRow>,
}

/// A row of a filterbank, in f32.
struct SparseRow {
    first: usize,
    weights: Vec<f32>,
}

impl<'a> Transform<'a> {
    fn new(plan: &'a Plan) -> Self {
        let n_fft = plan.options.n_fft;
        let halved = n_fft.is_multiple_of(2);
        let points = if halved { n_fft / 2 } else { n_fft };
        let single = |rows: &[super::filterbank::Row]| {
            let weights = |row: &super::filterbank::Row| row.weights.iter().map(|&weight| weight as f32).collect();
            rows.iter().map(|row| SparseRow { first: row.first, weights: weights(row) }).collect()
        };
        let filters = plan.reduction.as_ref().and_then(|reduction| reduction.filters.as_ref());
        Self {
            plan,
            fourier: Fourier::new(points, &RADICES),
            halved,
            window: plan.options.window.weights(n_fft).into_iter().map(|weight| weight as f32).collect(),
            untangle: super::fourier::turns(n_fft, points / 2 + 1),
            filters: filters.map_or_else(Vec::new, |filters| single(filters.rows())),
            columns: filters.map_or_else(Vec::new, |filters| single(&filters.columns())),
        }
    }

    /// Rows of the result, or bins where there are more.
    fn longest(&self) -> usize {
        self.plan.options.bins().max(self.filters.len())
    }
}

/// The memory of one block of frames, one frame in each lane.
struct Block<'a, S: Simd> {
    re: &'a mut [S::f32s],
    im: &'a mut [S::f32s],
    frame: &'a mut [S::f32s],
    /// Two numbers for each bin.
    bins: &'a mut [S::f32s],
    rows: &'a mut [S::f32s],
}

impl<'a, S: Simd> Block<'a, S> {
    #[inline(always)]
    fn new(transform: &Transform, memory: &'a mut Vec<f32>) -> Self {
        let (len, n_fft, bins) = (transform.fourier.len, transform.plan.options.n_fft, transform.plan.options.bins());
        memory.resize((2 * len + n_fft + 2 * bins + transform.longest()) * S::F32_LANES, 0.0);
        let (vectors, _) = S::as_mut_simd_f32s(memory);
        let (re, vectors) = vectors.split_at_mut(len);
        let (im, vectors) = vectors.split_at_mut(len);
        let (frame, vectors) = vectors.split_at_mut(n_fft);
        let (bins, rows) = vectors.split_at_mut(2 * bins);
        Self { re, im, frame, bins, rows }
    }

    /// Frames from `first` on, weighted; zeros behind the last.
    #[inline(always)]
    fn load(&mut self, s: S, transform: &Transform, signal: &[f32], first: usize) {
        let Plan { options, frames, .. } = transform.plan;
        let samples = numbers_mut::<S>(self.frame);
        for lane in 0..S::F32_LANES {
            let start = ((first + lane) * options.hop) as isize - options.side() as isize;
            let inside = usize::try_from(start).ok().and_then(|start| signal.get(start..start + options.n_fft));
            let targets = samples.iter_mut().skip(lane).step_by(S::F32_LANES);
            match inside {
                _ if first + lane >= *frames => targets.for_each(|target| *target = 0.0),
                Some(samples) => targets.zip(samples).for_each(|(target, sample)| *target = *sample),
                None => targets.zip(start..).for_each(|(target, position)| {
                    *target = sample(signal, position, options.padding);
                }),
            }
        }
        detrend(s, options.detrend, self.frame);
        let mut weighted =
            self.frame.iter().zip(&transform.window).map(|(&x, &weight)| s.mul_f32s(x, s.splat_f32s(weight)));
        if transform.halved {
            for (re, im) in self.re.iter_mut().zip(self.im.iter_mut()) {
                let (Some(even), Some(odd)) = (weighted.next(), weighted.next()) else { break };
                (*re, *im) = (even, odd);
            }
        } else {
            self.re.iter_mut().zip(weighted).for_each(|(re, x)| *re = x);
            self.im.fill(s.splat_f32s(0.0));
        }
        forward(s, &transform.fourier, self.re, self.im);
    }

    #[inline(always)]
    fn point(&self, transform: &Transform, bin: usize) -> Complex<S> {
        let at = transform.fourier.positions[bin] as usize;
        Complex::new(self.re[at], self.im[at])
    }

    #[inline(always)]
    fn set_point(&mut self, transform: &Transform, bin: usize, value: Complex<S>) {
        let at = transform.fourier.positions[bin] as usize;
        (self.re[at], self.im[at]) = (value.re, value.im);
    }

    /// The spectrum of the frames: `bins` from the transformed points.
    #[inline(always)]
    fn untangle(&mut self, s: S, transform: &Transform) {
        let points = transform.fourier.points;
        if !transform.halved {
            for bin in 0..self.bins.len() / 2 {
                self.set_bin(bin, self.point(transform, bin));
            }
            return;
        }
        let zero = self.point(transform, 0);
        let none = s.splat_f32s(0.0);
        self.set_bin(0, Complex::new(s.add_f32s(zero.re, zero.im), none));
        self.set_bin(points, Complex::new(s.sub_f32s(zero.re, zero.im), none));
        for bin in 1..points / 2 + 1 {
            let (a, b) = (self.point(transform, bin), self.point(transform, points - bin).conjugate(s));
            // The spectra of even and of odd samples, halved.
            let (even, odd) = (a.plus(s, b).scaled(s, 0.5), a.minus(s, b).scaled(s, 0.5));
            let odd = Complex::new(odd.im, s.neg_f32s(odd.re)).turned(s, transform.untangle[bin]);
            self.set_bin(points - bin, even.minus(s, odd).conjugate(s));
            self.set_bin(bin, even.plus(s, odd));
        }
    }

    /// The points whose backward transform is the real part of `sum over bins of bin exp(+2πi bin n / n_fft)`.
    #[inline(always)]
    fn tangle(&mut self, s: S, transform: &Transform) {
        let points = transform.fourier.points;
        let none = s.splat_f32s(0.0);
        let zero = self.bin(0).re;
        if !transform.halved {
            self.set_point(transform, 0, Complex::new(zero, none));
            for bin in 1..self.bins.len() / 2 {
                let half = self.bin(bin).scaled(s, 0.5);
                self.set_point(transform, points - bin, half.conjugate(s));
                self.set_point(transform, bin, half);
            }
            return;
        }
        let last = self.bin(points).re;
        self.set_point(transform, 0, Complex::new(s.add_f32s(zero, last), s.sub_f32s(zero, last)));
        for bin in 1..points / 2 + 1 {
            let (a, b) = (self.bin(bin).scaled(s, 0.5), self.bin(points - bin).conjugate(s).scaled(s, 0.5));
            let (even, odd) = (a.plus(s, b), a.minus(s, b));
            let [re, im] = transform.untangle[bin];
            let odd = odd.turned(s, [re, -im]);
            let odd = Complex::new(s.neg_f32s(odd.im), odd.re);
            self.set_point(transform, points - bin, even.minus(s, odd).conjugate(s));
            self.set_point(transform, bin, even.plus(s, odd));
        }
    }

    #[inline(always)]
    fn bin(&self, bin: usize) -> Complex<S> {
        Complex::new(self.bins[2 * bin], self.bins[2 * bin + 1])
    }

    #[inline(always)]
    fn set_bin(&mut self, bin: usize, value: Complex<S>) {
        (self.bins[2 * bin], self.bins[2 * bin + 1]) = (value.re, value.im);
    }

    /// Factors of complex bins, see [`Plan`].
    #[inline(always)]
    fn scale(&mut self, s: S, transform: &Transform) {
        let [edge, interior] = transform.plan.scale;
        if [edge, interior] == [1.0; 2] {
            return;
        }
        for bin in 0..self.bins.len() / 2 {
            let at_edge = bin == 0 || 2 * bin == transform.plan.options.n_fft;
            self.set_bin(bin, self.bin(bin).scaled(s, if at_edge { edge } else { interior }));
        }
    }

    #[inline(always)]
    fn power(&self, s: S, bin: usize) -> S::f32s {
        let Complex { re, im } = self.bin(bin);
        s.add_f32s(s.mul_f32s(re, re), s.mul_f32s(im, im))
    }

    #[inline(always)]
    fn filtered(&self, s: S, filter: &SparseRow) -> S::f32s {
        let mut sum = s.splat_f32s(0.0);
        for (bin, &weight) in (filter.first..).zip(&filter.weights) {
            sum = s.add_f32s(sum, s.mul_f32s(s.splat_f32s(weight), self.power(s, bin)));
        }
        sum
    }

    /// `rows` from `bins`.
    #[inline(always)]
    fn reduce(&mut self, s: S, transform: &Transform, reduction: &Reduction) {
        let rows = transform.plan.rows();
        for row in 0..rows {
            self.rows[row] = match transform.filters.get(row) {
                Some(filter) => self.filtered(s, filter),
                None if reduction.magnitude => s.sqrt_f32s(self.power(s, row)),
                None => self.power(s, row),
            };
        }
        if let Some(Logarithm { floor, scale }) = reduction.logarithm {
            let values = numbers_mut::<S>(&mut self.rows[..rows]);
            values.iter_mut().for_each(|value| *value = value.max(floor));
            logarithms(values);
            values.iter_mut().for_each(|value| *value *= scale);
        }
    }

    /// The gradient of `bins`, in their place, from that of the result in `rows`.
    #[inline(always)]
    fn reduce_gradient(&mut self, s: S, transform: &Transform, reduction: &Reduction) {
        let none = s.splat_f32s(0.0);
        if let Some(Logarithm { floor, scale }) = reduction.logarithm {
            for row in 0..transform.plan.rows() {
                let value = transform.filters.get(row).map_or_else(|| self.power(s, row), |row| self.filtered(s, row));
                let above = s.greater_than_or_equal_f32s(value, s.splat_f32s(floor));
                let slope = s.div_f32s(s.mul_f32s(self.rows[row], s.splat_f32s(scale)), value);
                self.rows[row] = s.select_f32s(above, slope, none);
            }
        }
        for bin in 0..self.bins.len() / 2 {
            let of_power = match transform.columns.get(bin) {
                Some(column) => {
                    let held = self.rows[column.first..].iter().zip(&column.weights);
                    held.fold(none, |sum, (&g, &weight)| s.add_f32s(sum, s.mul_f32s(g, s.splat_f32s(weight))))
                }
                None => self.rows[bin],
            };
            let factor = if reduction.magnitude {
                let magnitude = s.sqrt_f32s(self.power(s, bin));
                let positive = s.greater_than_f32s(magnitude, none);
                s.select_f32s(positive, s.div_f32s(of_power, magnitude), none)
            } else {
                s.add_f32s(of_power, of_power)
            };
            let Complex { re, im } = self.bin(bin);
            self.set_bin(bin, Complex::new(s.mul_f32s(re, factor), s.mul_f32s(im, factor)));
        }
    }
}

/// Takes the trend out of frames; its own adjoint.
#[inline(always)]
fn detrend<S: Simd>(s: S, detrend: Detrend, frame: &mut [S::f32s]) {
    if detrend == Detrend::None {
        return;
    }
    let len = frame.len();
    let none = s.splat_f32s(0.0);
    let sum = frame.iter().fold(none, |sum, &x| s.add_f32s(sum, x));
    let mean = s.mul_f32s(sum, s.splat_f32s(1.0 / len as f32));
    frame.iter_mut().for_each(|x| *x = s.sub_f32s(*x, mean));
    if detrend == Detrend::Constant || len == 1 {
        return;
    }
    let step = |i: usize| i as f32 - (len - 1) as f32 / 2.0;
    let moment =
        (frame.iter().enumerate()).fold(none, |sum, (i, &x)| s.add_f32s(sum, s.mul_f32s(x, s.splat_f32s(step(i)))));
    let slope = s.mul_f32s(moment, s.splat_f32s(super::fourier::one_over_square_of_ramp(len)));
    for (i, x) in frame.iter_mut().enumerate() {
        *x = s.sub_f32s(*x, s.mul_f32s(slope, s.splat_f32s(step(i))));
    }
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
        let Self { transform, memory, signal, out } = self;
        let frames = transform.plan.frames;
        let mut block = Block::<S>::new(transform, memory);
        for first in (0..frames).step_by(S::F32_LANES) {
            let count = S::F32_LANES.min(frames - first);
            block.load(s, transform, signal, first);
            block.untangle(s, transform);
            match &transform.plan.reduction {
                Some(reduction) => {
                    block.reduce(s, transform, reduction);
                    let rows = numbers::<S>(block.rows).chunks_exact(S::F32_LANES);
                    for (out, row) in out.chunks_exact_mut(frames).zip(rows) {
                        out[first..first + count].copy_from_slice(&row[..count]);
                    }
                }
                None => {
                    block.scale(s, transform);
                    let bins = numbers::<S>(block.bins).chunks_exact(2 * S::F32_LANES);
                    for (out, bin) in out.chunks_exact_mut(2 * frames).zip(bins) {
                        let (re, im) = bin.split_at(S::F32_LANES);
                        let out = out[2 * first..2 * (first + count)].chunks_exact_mut(2);
                        out.zip(re.iter().zip(im)).for_each(|(out, (re, im))| out.copy_from_slice(&[*re, *im]));
                    }
                }
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
        let Self { transform, memory: [memory, padded], signal, gradient, out } = self;
        let Plan { options, frames, .. } = transform.plan;
        padded.clear();
        padded.resize((frames - 1) * options.hop + options.n_fft, 0.0);
        let mut block = Block::<S>::new(transform, memory);
        for first in (0..*frames).step_by(S::F32_LANES) {
            let count = S::F32_LANES.min(frames - first);
            match (signal, &transform.plan.reduction) {
                (Some(signal), Some(reduction)) => {
                    block.load(s, transform, signal, first);
                    block.untangle(s, transform);
                    let rows = numbers_mut::<S>(block.rows).chunks_exact_mut(S::F32_LANES);
                    for (row, gradient) in rows.zip(gradient.chunks_exact(*frames)) {
                        row[..count].copy_from_slice(&gradient[first..first + count]);
                    }
                    block.reduce_gradient(s, transform, reduction);
                }
                _ => {
                    let bins = numbers_mut::<S>(block.bins).chunks_exact_mut(2 * S::F32_LANES);
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
            block.tangle(s, transform);
            block.add_frames(s, transform, &mut padded[first * options.hop..], count);
        }
        fold(options, padded, out);
    }
}

/// The gradient of the signal from that of the padded one: what was mirrored is added where it came from.
fn fold(options: &super::StftOptions, padded: &[f32], out: &mut [f32]) {
    let (side, len) = (options.side(), out.len());
    let at = |position: usize| padded.get(position).copied().unwrap_or(0.0);
    for (t, out) in out.iter_mut().enumerate() {
        *out = at(side + t);
    }
    if options.padding == StftPadding::Reflect {
        for t in 1..(side + 1).min(len) {
            out[t] += at(side - t);
            let mirrored = len - 1 - t;
            out[mirrored] += at(side + len - 1 + t);
        }
    }
}
