//! A block of frames, one in each lane of vector registers: from samples to rows of the result, and back.

use super::fourier::Fourier;
use super::lanes::{Complex, RADICES, backward, forward};
use super::logarithm::logarithms;
use super::options::{Logarithm, Reduction};
use super::{Detrend, Plan, StftPadding};
use pulp::Simd;

/// A plan with its tables.
pub(super) struct Transform<'a> {
    pub(super) plan: &'a Plan,
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
pub(super) struct SparseRow {
    first: usize,
    weights: Vec<f32>,
}

impl<'a> Transform<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
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
pub(super) struct Block<'a, S: Simd> {
    re: &'a mut [S::f32s],
    im: &'a mut [S::f32s],
    frame: &'a mut [S::f32s],
    /// Two numbers for each bin.
    pub(super) bins: &'a mut [S::f32s],
    pub(super) rows: &'a mut [S::f32s],
}

impl<'a, S: Simd> Block<'a, S> {
    #[inline(always)]
    pub(super) fn new(transform: &Transform, memory: &'a mut Vec<f32>) -> Self {
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
    pub(super) fn load(&mut self, s: S, transform: &Transform, signal: &[f32], first: usize) {
        let Plan { options, frames, .. } = transform.plan;
        let samples = numbers_mut::<S>(self.frame);
        let begin = (first * options.hop).wrapping_sub(options.side());
        let covered = 7 * options.hop + options.n_fft;
        let whole = signal.get(begin..begin.wrapping_add(covered)).filter(|_| first + S::F32_LANES <= *frames);
        match whole {
            Some(signal) if S::F32_LANES == TILE => gather(signal, options.hop, samples),
            _ => (0..S::F32_LANES).for_each(|lane| {
                let start = ((first + lane) * options.hop) as isize - options.side() as isize;
                let targets = samples.iter_mut().skip(lane).step_by(S::F32_LANES);
                targets.zip(start..).for_each(|(target, position)| {
                    *target = if first + lane < *frames { sample(signal, position, options.padding) } else { 0.0 };
                });
            }),
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
    pub(super) fn untangle(&mut self, s: S, transform: &Transform) {
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
    pub(super) fn tangle(&mut self, s: S, transform: &Transform) {
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
    pub(super) fn scale(&mut self, s: S, transform: &Transform) {
        let [edge, interior] = transform.plan.scale.map(|factor| factor as f32);
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
    pub(super) fn reduce(&mut self, s: S, transform: &Transform, reduction: &Reduction) {
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
            values.iter_mut().for_each(|value| *value *= scale as f32);
        }
    }

    /// The gradient of `bins`, in their place, from that of the result in `rows`.
    #[inline(always)]
    pub(super) fn reduce_gradient(&mut self, s: S, transform: &Transform, reduction: &Reduction) {
        let none = s.splat_f32s(0.0);
        if let Some(Logarithm { floor, scale }) = reduction.logarithm {
            for row in 0..transform.plan.rows() {
                let value = transform.filters.get(row).map_or_else(|| self.power(s, row), |row| self.filtered(s, row));
                let above = s.greater_than_or_equal_f32s(value, s.splat_f32s(floor));
                let slope = s.div_f32s(s.mul_f32s(self.rows[row], s.splat_f32s(scale as f32)), value);
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

impl<S: Simd> Block<'_, S> {
    /// Adds the first `count` frames of the transformed points to a signal that begins with the first.
    #[inline(always)]
    pub(super) fn add_frames(&mut self, s: S, transform: &Transform, signal: &mut [f32], count: usize) {
        let Plan { options, .. } = transform.plan;
        backward(s, &transform.fourier, self.re, self.im);
        for (n, (x, &weight)) in self.frame.iter_mut().zip(&transform.window).enumerate() {
            let value = match transform.halved {
                false => self.re[n],
                true if n % 2 == 0 => self.re[n / 2],
                true => self.im[n / 2],
            };
            *x = s.mul_f32s(value, s.splat_f32s(weight));
        }
        detrend(s, options.detrend, self.frame);
        let samples = numbers::<S>(self.frame);
        if count == TILE && S::F32_LANES == TILE {
            return scatter(samples, options.hop, signal);
        }
        for lane in 0..count {
            let target = signal[lane * options.hop..].iter_mut();
            let frame = samples.iter().skip(lane).step_by(S::F32_LANES);
            target.zip(frame).for_each(|(target, value)| *target += value);
        }
    }
}

/// Lanes for which samples are exchanged in square tiles.
const TILE: usize = 8;

#[inline(always)]
fn transposed(rows: [[f32; TILE]; TILE]) -> [[f32; TILE]; TILE] {
    std::array::from_fn(|column| std::array::from_fn(|row| rows[row][column]))
}

/// Frames that begin `hop` apart in a signal, to lanes.
#[inline(always)]
fn gather(signal: &[f32], hop: usize, samples: &mut [f32]) {
    let (tiles, rest) = samples.as_chunks_mut::<{ TILE * TILE }>();
    for (tile, target) in tiles.iter_mut().enumerate() {
        let rows = std::array::from_fn(|lane| {
            let at = lane * hop + tile * TILE;
            let row: &[f32] = &signal[at..at + TILE];
            std::array::from_fn(|n| row[n])
        });
        target.copy_from_slice(transposed(rows).as_flattened());
    }
    for (n, target) in rest.chunks_exact_mut(TILE).enumerate() {
        for (lane, target) in target.iter_mut().enumerate() {
            *target = signal[lane * hop + tiles.len() * TILE + n];
        }
    }
}

/// Adds frames in lanes to where they begin, `hop` apart, in a signal.
#[inline(always)]
fn scatter(samples: &[f32], hop: usize, signal: &mut [f32]) {
    let (tiles, rest) = samples.as_chunks::<{ TILE * TILE }>();
    for (tile, source) in tiles.iter().enumerate() {
        let columns = std::array::from_fn(|n| std::array::from_fn(|lane| source[n * TILE + lane]));
        for (lane, row) in transposed(columns).iter().enumerate() {
            let at = lane * hop + tile * TILE;
            signal[at..at + TILE].iter_mut().zip(row).for_each(|(target, value)| *target += value);
        }
    }
    for (n, source) in rest.chunks_exact(TILE).enumerate() {
        for (lane, value) in source.iter().enumerate() {
            signal[lane * hop + tiles.len() * TILE + n] += value;
        }
    }
}

/// The sample at a position before, in or behind the signal; the options are checked, so one reflection is enough.
fn sample(signal: &[f32], position: isize, padding: StftPadding) -> f32 {
    let len = signal.len() as isize;
    let position = match padding {
        StftPadding::Reflect if position < 0 => -position,
        StftPadding::Reflect if position >= len => 2 * (len - 1) - position,
        _ => position,
    };
    usize::try_from(position).ok().and_then(|position| signal.get(position)).copied().unwrap_or(0.0)
}

/// The numbers of vectors, lane by lane.
#[inline(always)]
pub(super) fn numbers<S: Simd>(vectors: &[S::f32s]) -> &[f32] {
    pulp::bytemuck::cast_slice(vectors)
}

#[inline(always)]
pub(super) fn numbers_mut<S: Simd>(vectors: &mut [S::f32s]) -> &mut [f32] {
    pulp::bytemuck::cast_slice_mut(vectors)
}
