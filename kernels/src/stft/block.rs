//! A block of frames, one in each lane of vector registers: from samples to rows of the result, and back.

use super::lanes::{Complex, Lanes, TILE, interleaved, pairs, transposed};
use super::logarithm::logarithms;
use super::options::{Logarithm, Reduction};
use super::{Detrend, StftPadding, StftProblem};
use pulp::Simd;
use pulp::bytemuck::{cast_slice, cast_slice_mut};

/// A problem with its tables.
pub(super) struct Transform<'a> {
    pub(super) problem: &'a StftProblem,
    lanes: Lanes,
    /// Whether two neighbouring samples make one point of a transform of half the length.
    packs_pairs: bool,
    /// Halved with the length, so that sums of two points need no factor.
    window: Vec<f32>,
    /// Weights of samples when they are loaded: the window, or ones where a trend is taken out first.
    loading: Vec<f32>,
    /// `exp(-2πi k / n_fft)` up to the middle of the spectrum.
    unpack_twiddles: Vec<[f32; 2]>,
    filters: Vec<SparseRow>,
    columns: Vec<SparseRow>,
}

/// A row of a filterbank, in f32.
pub(super) struct SparseRow {
    first: usize,
    weights: Vec<f32>,
}

impl<'a> Transform<'a> {
    pub(super) fn new(problem: &'a StftProblem) -> Self {
        let n_fft = problem.options.n_fft;
        let packs_pairs = n_fft.is_multiple_of(2);
        let points = if packs_pairs { n_fft / 2 } else { n_fft };
        let single = |rows: &[super::filterbank::Row]| {
            let weights = |row: &super::filterbank::Row| row.weights.iter().map(|&weight| weight as f32).collect();
            rows.iter()
                .map(|row| SparseRow {
                    first: row.first,
                    weights: weights(row),
                })
                .collect()
        };
        let filters = problem
            .reduction
            .as_ref()
            .and_then(|reduction| reduction.filters.as_ref());
        let factor = if packs_pairs { 0.5 } else { 1.0 };
        let window: Vec<_> = problem
            .options
            .window
            .weights(n_fft)
            .into_iter()
            .map(|weight| weight as f32 * factor)
            .collect();
        Self {
            problem,
            lanes: Lanes::new(points),
            packs_pairs,
            loading: if problem.options.detrend == Detrend::None {
                window.clone()
            } else {
                vec![1.0; n_fft]
            },
            window,
            unpack_twiddles: super::fourier::twiddles(n_fft, points / 2 + 1),
            filters: filters.map_or_else(Vec::new, |filters| single(filters.rows())),
            columns: filters.map_or_else(Vec::new, |filters| single(&filters.columns())),
        }
    }

    /// The position of the transformed point of a bin.
    #[inline(always)]
    fn at(&self, bin: usize) -> usize {
        self.lanes.fourier.positions[bin] as usize
    }
}

/// The memory of one block of frames, one frame in each lane.
pub(super) struct Block<'a, S: Simd> {
    /// Two vectors for each point: its parts, or two neighbouring samples.
    points: &'a mut [f32],
    pub(super) bins: &'a mut [[S::f32s; 2]],
    powers: &'a mut [S::f32s],
    pub(super) rows: &'a mut [S::f32s],
    /// All samples of the frames where some lie outside the signal.
    span: &'a mut [f32],
}

impl<'a, S: Simd> Block<'a, S> {
    #[inline(always)]
    pub(super) fn new(transform: &Transform, memory: &'a mut Vec<f32>) -> Self {
        let StftProblem { options, .. } = transform.problem;
        let (points, bins) = (
            2 * transform.lanes.fourier.padded_len * S::F32_LANES,
            options.bins() * S::F32_LANES,
        );
        let rows = transform.filters.len().max(options.bins()) * S::F32_LANES;
        let span = (S::F32_LANES - 1) * options.hop + options.n_fft;
        // From a whole vector on, so that none lies in two cache lines.
        memory.resize(points + 3 * bins + rows + span + S::F32_LANES, 0.0);
        let begin = memory.as_ptr().align_offset(size_of::<S::f32s>()).min(S::F32_LANES);
        let (points, memory) = memory[begin..].split_at_mut(points);
        let (bins, memory) = memory.split_at_mut(2 * bins);
        let (powers, memory) = memory.split_at_mut(bins.len() / 2);
        let (rows, memory) = memory.split_at_mut(rows);
        let [bins, powers, rows] = [bins, powers, rows];
        Self {
            points,
            bins: pairs::<S>(bins),
            powers: cast_slice_mut(powers),
            rows: cast_slice_mut(rows),
            span: &mut memory[..span],
        }
    }

    /// Frames from `first` on, weighted and transformed; lanes behind the last hold no frame.
    #[inline(always)]
    pub(super) fn load(&mut self, s: S, transform: &Transform, signal: &[f32], first: usize) {
        let StftProblem { options, .. } = transform.problem;
        let begin = (first * options.hop).wrapping_sub(options.pad());
        let signal = match signal.get(begin..begin.wrapping_add(self.span.len())) {
            Some(signal) => signal,
            None => {
                for (sample, position) in self.span.iter_mut().zip(begin as isize..) {
                    *sample = padded(signal, position, options.padding);
                }
                &*self.span
            }
        };
        let frame = &mut self.points[..options.n_fft * S::F32_LANES];
        gather(s, signal, options.hop, &transform.loading, frame);
        if options.detrend != Detrend::None {
            let frame = cast_slice_mut(frame);
            detrend(s, options.detrend, frame);
            for (x, &weight) in frame.iter_mut().zip(&transform.window) {
                *x = s.mul_f32s(*x, s.splat_f32s(weight));
            }
        }
        if !transform.packs_pairs {
            for n in (0..options.n_fft).rev() {
                let sample = cast_slice::<_, S::f32s>(self.points)[n];
                pairs::<S>(self.points)[n] = [sample, s.splat_f32s(0.0)];
            }
        }
        transform.lanes.forward(s, self.points);
    }

    /// The spectrum of the frames to `bins`.
    #[inline(always)]
    pub(super) fn unpack_real(&mut self, s: S, transform: &Transform) {
        unpack_real(s, transform, self.points, &mut Bins::<S>(self.bins));
    }

    /// The spectrum of the frames to rows of the result; of `count` of the lanes.
    #[inline(always)]
    pub(super) fn complex_rows(&mut self, s: S, transform: &Transform, out: &mut [f32], first: usize, count: usize) {
        let scale = transform.problem.scale.map(|factor| factor as f32);
        let row = 2 * transform.problem.frames;
        unpack_real(
            s,
            transform,
            self.points,
            &mut Rows {
                out,
                row,
                first,
                count,
                scale,
            },
        );
    }

    /// The points whose backward transform is the real part of `sum over bins of bin exp(+2πi bin n / n_fft)`.
    #[inline(always)]
    pub(super) fn pack_real(&mut self, s: S, transform: &Transform) {
        let count = transform.lanes.fourier.num_points;
        let points = pairs::<S>(self.points);
        let none = s.splat_f32s(0.0);
        let [zero, _] = self.bins[0];
        let bin = |bin: usize| Complex::<S>::new(self.bins[bin][0], self.bins[bin][1]);
        let mut set = |bin: usize, value: Complex<S>| points[transform.at(bin)] = [value.re, value.im];
        if !transform.packs_pairs {
            set(0, Complex::new(zero, none));
            for k in 1..self.bins.len() {
                let half = bin(k).scaled(s, 0.5);
                set(count - k, half.conjugate(s));
                set(k, half);
            }
            return;
        }
        let last = bin(count).re;
        set(
            0,
            Complex::new(s.add_f32s(zero, last), s.sub_f32s(zero, last)).scaled(s, 2.0),
        );
        for k in 1..count / 2 + 1 {
            let (a, b) = (bin(k), bin(count - k).conjugate(s));
            let (even, odd) = (
                a.plus(s, b),
                a.minus(s, b).times_conjugate(s, &transform.unpack_twiddles[k]),
            );
            // The odd samples are the imaginary parts of points.
            set(
                count - k,
                Complex::new(s.add_f32s(even.re, odd.im), s.sub_f32s(odd.re, even.im)),
            );
            set(
                k,
                Complex::new(s.sub_f32s(even.re, odd.im), s.add_f32s(even.im, odd.re)),
            );
        }
    }

    /// Factors of complex bins, see [`StftProblem`].
    #[inline(always)]
    pub(super) fn scale(&mut self, s: S, transform: &Transform) {
        let [edge, interior] = transform.problem.scale.map(|factor| factor as f32);
        for (bin, [re, im]) in self.bins.iter_mut().enumerate() {
            let at_edge = bin == 0 || 2 * bin == transform.problem.options.n_fft;
            let factor = s.splat_f32s(if at_edge { edge } else { interior });
            (*re, *im) = (s.mul_f32s(*re, factor), s.mul_f32s(*im, factor));
        }
    }

    #[inline(always)]
    fn filtered(powers: &[S::f32s], s: S, filter: &SparseRow) -> S::f32s {
        let mut sum = s.splat_f32s(0.0);
        for (&power, &weight) in powers[filter.first..].iter().zip(&filter.weights) {
            sum = s.add_f32s(sum, s.mul_f32s(s.splat_f32s(weight), power));
        }
        sum
    }

    /// Rows of the result from the transformed points.
    #[inline(always)]
    pub(super) fn reduce(&mut self, s: S, transform: &Transform, reduction: &Reduction) -> &[f32] {
        unpack_real(s, transform, self.points, &mut Powers::<S>(self.powers));
        let rows = if transform.filters.is_empty() {
            if reduction.magnitude {
                self.powers.iter_mut().for_each(|power| *power = s.sqrt_f32s(*power));
            }
            &mut *self.powers
        } else {
            for (row, filter) in self.rows.iter_mut().zip(&transform.filters) {
                *row = Self::filtered(self.powers, s, filter);
            }
            &mut self.rows[..transform.filters.len()]
        };
        let values = cast_slice_mut::<_, f32>(rows);
        if let Some(Logarithm { floor, scale }) = reduction.logarithm {
            values.iter_mut().for_each(|value| *value = value.max(floor));
            logarithms(values);
            values.iter_mut().for_each(|value| *value *= scale as f32);
        }
        values
    }

    /// The gradient of `bins`, in their place, from that of the result in `rows`.
    #[inline(always)]
    pub(super) fn reduce_gradient(&mut self, s: S, transform: &Transform, reduction: &Reduction) {
        let none = s.splat_f32s(0.0);
        for (power, &[re, im]) in self.powers.iter_mut().zip(self.bins.iter()) {
            *power = square(s, Complex::new(re, im));
        }
        if let Some(Logarithm { floor, scale }) = reduction.logarithm {
            for row in 0..transform.problem.rows() {
                let filter = transform.filters.get(row);
                let value = filter.map_or_else(|| self.powers[row], |row| Self::filtered(self.powers, s, row));
                let above = s.greater_than_or_equal_f32s(value, s.splat_f32s(floor));
                let slope = s.div_f32s(s.mul_f32s(self.rows[row], s.splat_f32s(scale as f32)), value);
                self.rows[row] = s.select_f32s(above, slope, none);
            }
        }
        for bin in 0..self.bins.len() {
            let of_power = match transform.columns.get(bin) {
                Some(column) => {
                    let held = self.rows[column.first..].iter().zip(&column.weights);
                    held.fold(none, |sum, (&g, &weight)| {
                        s.add_f32s(sum, s.mul_f32s(g, s.splat_f32s(weight)))
                    })
                }
                None => self.rows[bin],
            };
            let factor = if reduction.magnitude {
                let magnitude = s.sqrt_f32s(self.powers[bin]);
                let positive = s.greater_than_f32s(magnitude, none);
                s.select_f32s(positive, s.div_f32s(of_power, magnitude), none)
            } else {
                s.add_f32s(of_power, of_power)
            };
            self.bins[bin] = self.bins[bin].map(|part| s.mul_f32s(part, factor));
        }
    }

    /// Adds the first `count` frames of the transformed points to a signal that begins with the first.
    #[inline(always)]
    pub(super) fn add_frames(&mut self, s: S, transform: &Transform, signal: &mut [f32], count: usize) {
        let StftProblem { options, .. } = transform.problem;
        transform.lanes.backward(s, self.points);
        let frame = cast_slice_mut::<_, S::f32s>(self.points);
        for (n, &weight) in transform.window.iter().enumerate() {
            let value = frame[if transform.packs_pairs { n } else { 2 * n }];
            frame[n] = s.mul_f32s(value, s.splat_f32s(weight));
        }
        let frame = &mut frame[..options.n_fft];
        detrend(s, options.detrend, frame);
        scatter(s, cast_slice(frame), options.hop, signal, count);
    }
}

/// A receiver of the spectrum, bin by bin.
trait Sink<S: Simd> {
    /// `edge`: the bin is the first or that of half the sampling rate.
    fn put(&mut self, s: S, bin: usize, edge: bool, value: Complex<S>);
}

/// Bins to memory.
struct Bins<'a, S: Simd>(&'a mut [[S::f32s; 2]]);

impl<S: Simd> Sink<S> for Bins<'_, S> {
    #[inline(always)]
    fn put(&mut self, _: S, bin: usize, _: bool, value: Complex<S>) {
        self.0[bin] = [value.re, value.im];
    }
}

/// Powers to memory.
struct Powers<'a, S: Simd>(&'a mut [S::f32s]);

impl<S: Simd> Sink<S> for Powers<'_, S> {
    #[inline(always)]
    fn put(&mut self, s: S, bin: usize, _: bool, value: Complex<S>) {
        self.0[bin] = square(s, value);
    }
}

/// Bins to rows of the result, one for each.
struct Rows<'a> {
    out: &'a mut [f32],
    /// Numbers of a row.
    row: usize,
    first: usize,
    count: usize,
    scale: [f32; 2],
}

impl<S: Simd> Sink<S> for Rows<'_> {
    #[inline(always)]
    fn put(&mut self, s: S, bin: usize, edge: bool, value: Complex<S>) {
        let value = value.scaled(s, if edge { self.scale[0] } else { self.scale[1] });
        let begin = bin * self.row + 2 * self.first;
        let out = &mut self.out[begin..begin + 2 * self.count];
        let both = interleaved(s, value);
        if self.count == S::F32_LANES {
            let [first, second] = cast_slice_mut(out) else { return };
            [*first, *second] = both;
        } else {
            out.copy_from_slice(&cast_slice(&both)[..2 * self.count]);
        }
    }
}

#[inline(always)]
fn square<S: Simd>(s: S, Complex { re, im }: Complex<S>) -> S::f32s {
    s.add_f32s(s.mul_f32s(re, re), s.mul_f32s(im, im))
}

/// The spectrum of frames from their transformed points.
#[inline(always)]
fn unpack_real<S: Simd>(s: S, transform: &Transform, points: &[f32], sink: &mut impl Sink<S>) {
    let points = cast_slice::<_, [S::f32s; 2]>(points);
    let count = transform.lanes.fourier.num_points;
    if !transform.packs_pairs {
        for bin in 0..transform.problem.options.bins() {
            let [re, im] = points[transform.at(bin)];
            sink.put(s, bin, bin == 0, Complex::new(re, im));
        }
        return;
    }
    let none = s.splat_f32s(0.0);
    let [even, odd] = points[transform.at(0)];
    sink.put(s, 0, true, Complex::new(s.add_f32s(even, odd), none).scaled(s, 2.0));
    sink.put(s, count, true, Complex::new(s.sub_f32s(even, odd), none).scaled(s, 2.0));
    for (bin, twiddle) in transform.unpack_twiddles.iter().enumerate().skip(1) {
        let ([a_re, a_im], [b_re, b_im]) = (points[transform.at(bin)], points[transform.at(count - bin)]);
        // The spectra of even and of odd samples.
        let even = Complex::new(s.add_f32s(a_re, b_re), s.sub_f32s(a_im, b_im));
        let odd = Complex::new(s.add_f32s(a_im, b_im), s.sub_f32s(b_re, a_re)).times(s, twiddle);
        sink.put(
            s,
            count - bin,
            false,
            Complex::new(s.sub_f32s(even.re, odd.re), s.sub_f32s(odd.im, even.im)),
        );
        sink.put(s, bin, false, even.plus(s, odd));
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
    let moment = (frame.iter().enumerate()).fold(none, |sum, (i, &x)| {
        s.add_f32s(sum, s.mul_f32s(x, s.splat_f32s(step(i))))
    });
    let slope = s.mul_f32s(moment, s.splat_f32s(super::fourier::one_over_square_of_ramp(len)));
    for (i, x) in frame.iter_mut().enumerate() {
        *x = s.sub_f32s(*x, s.mul_f32s(slope, s.splat_f32s(step(i))));
    }
}

/// Frames that begin `hop` apart in a signal, to lanes, weighted.
#[inline(always)]
fn gather<S: Simd>(s: S, signal: &[f32], hop: usize, weights: &[f32], frame: &mut [f32]) {
    let mut done = 0;
    if S::F32_LANES == TILE {
        let (tiles, _) = frame.as_chunks_mut::<{ TILE * TILE }>();
        for (tile, weights) in tiles.iter_mut().zip(weights.as_chunks::<TILE>().0) {
            let mut rows = [s.splat_f32s(0.0); TILE];
            for (lane, row) in rows.iter_mut().enumerate() {
                let at = lane * hop + done;
                *row = cast_slice::<f32, S::f32s>(&signal[at..at + TILE])[0];
            }
            let columns = transposed(s, rows);
            for ((target, column), &weight) in cast_slice_mut(tile).iter_mut().zip(columns).zip(weights) {
                *target = s.mul_f32s(column, s.splat_f32s(weight));
            }
            done += TILE;
        }
    }
    let rest = frame[done * S::F32_LANES..].chunks_exact_mut(S::F32_LANES);
    for ((n, target), weight) in (done..).zip(rest).zip(&weights[done..]) {
        for (lane, target) in target.iter_mut().enumerate() {
            *target = signal[lane * hop + n] * weight;
        }
    }
}

/// Adds the first `count` frames in lanes to where they begin, `hop` apart, in a signal.
#[inline(always)]
fn scatter<S: Simd>(s: S, frame: &[f32], hop: usize, signal: &mut [f32], count: usize) {
    let mut done = 0;
    if S::F32_LANES == TILE {
        for tile in frame.as_chunks::<{ TILE * TILE }>().0 {
            let mut rows = [s.splat_f32s(0.0); TILE];
            rows.copy_from_slice(cast_slice(tile));
            for (lane, row) in transposed(s, rows).into_iter().take(count).enumerate() {
                let at = lane * hop + done;
                let target = &mut cast_slice_mut::<f32, S::f32s>(&mut signal[at..at + TILE])[0];
                *target = s.add_f32s(*target, row);
            }
            done += TILE;
        }
    }
    for (n, source) in (done..).zip(frame[done * S::F32_LANES..].chunks_exact(S::F32_LANES)) {
        for (lane, value) in source[..count].iter().enumerate() {
            signal[lane * hop + n] += value;
        }
    }
}

/// The sample at a position before, in or behind the signal; the options are checked, so one reflection is enough.
fn padded(signal: &[f32], position: isize, padding: StftPadding) -> f32 {
    let len = signal.len() as isize;
    let position = match padding {
        StftPadding::Reflect if position < 0 => -position,
        StftPadding::Reflect if position >= len => 2 * (len - 1) - position,
        _ => position,
    };
    usize::try_from(position)
        .ok()
        .and_then(|position| signal.get(position))
        .copied()
        .unwrap_or(0.0)
}
