//! Transforms of several frames at once, one in each lane of a vector register.
//!
//! Lanes meet only where they are exchanged with memory, and products and sums are rounded one by one (no fused multiply-add): the bits of a frame do not
//! depend on its neighbours or on the width of the registers.

use super::fourier::{Bluestein, Fourier, twiddles};
#[cfg(target_arch = "x86_64")]
use pulp::bytemuck::cast;
use pulp::bytemuck::{cast_slice, cast_slice_mut};
use pulp::{Simd, WithSimd};

/// Radices that have a stage; the points of most fit the registers of AVX2.
const RADICES: [usize; 6] = [2, 3, 4, 5, 7, 8];

/// A complex number in each lane.
#[derive(Clone, Copy)]
pub(super) struct Complex<S: Simd> {
    pub re: S::f32s,
    pub im: S::f32s,
}

impl<S: Simd> Complex<S> {
    #[inline(always)]
    pub fn new(re: S::f32s, im: S::f32s) -> Self {
        Self { re, im }
    }

    #[inline(always)]
    pub fn plus(self, s: S, other: Self) -> Self {
        Self::new(s.add_f32s(self.re, other.re), s.add_f32s(self.im, other.im))
    }

    #[inline(always)]
    pub fn minus(self, s: S, other: Self) -> Self {
        Self::new(s.sub_f32s(self.re, other.re), s.sub_f32s(self.im, other.im))
    }

    /// Times a real number.
    #[inline(always)]
    pub fn scaled(self, s: S, factor: f32) -> Self {
        let factor = s.splat_f32s(factor);
        Self::new(s.mul_f32s(self.re, factor), s.mul_f32s(self.im, factor))
    }

    /// Times a complex number, the same in all lanes.
    #[inline(always)]
    pub fn times(self, s: S, &[re, im]: &[f32; 2]) -> Self {
        let (re, im) = (s.splat_f32s(re), s.splat_f32s(im));
        Self::new(
            s.sub_f32s(s.mul_f32s(self.re, re), s.mul_f32s(self.im, im)),
            s.add_f32s(s.mul_f32s(self.re, im), s.mul_f32s(self.im, re)),
        )
    }

    /// Times the conjugate of a complex number, the same in all lanes.
    #[inline(always)]
    pub fn times_conjugate(self, s: S, &[re, im]: &[f32; 2]) -> Self {
        let (re, im) = (s.splat_f32s(re), s.splat_f32s(im));
        Self::new(
            s.add_f32s(s.mul_f32s(self.re, re), s.mul_f32s(self.im, im)),
            s.sub_f32s(s.mul_f32s(self.im, re), s.mul_f32s(self.re, im)),
        )
    }

    #[inline(always)]
    pub fn conjugate(self, s: S) -> Self {
        Self::new(self.re, s.neg_f32s(self.im))
    }
}

/// A transform with the twiddles of its stages in the order in which they are taken.
pub(super) struct Lanes {
    pub fourier: Fourier,
    /// For each stage `radix` twiddles for each of the points of one part; none for the last stage.
    stages: Vec<(usize, Vec<[f32; 2]>)>,
}

impl Lanes {
    pub fn new(points: usize) -> Self {
        let fourier = Fourier::new(points, &RADICES);
        let mut block = fourier.padded_len;
        let stages = fourier.radices.iter().map(|&radix| {
            let all = twiddles(block, block);
            block /= radix;
            let of_stage = (0..if block > 1 { block } else { 0 }).flat_map(|k| (0..radix).map(move |u| k * u));
            (radix, of_stage.map(|at| all[at]).collect())
        });
        let stages = stages.collect();
        Self { fourier, stages }
    }

    /// Pairs of real and imaginary parts, transformed: bin `k` at `positions[k]`.
    #[inline(always)]
    pub fn forward<S: Simd>(&self, s: S, points: &mut [f32]) {
        match &self.fourier.bluestein {
            None => self.down(s, points),
            Some(bluestein) => s.vectorize(Convolution::<false> {
                lanes: self,
                bluestein,
                points,
            }),
        }
    }

    /// The transform with the other sign, unscaled, of bins at their positions: points in natural order.
    #[inline(always)]
    pub fn backward<S: Simd>(&self, s: S, points: &mut [f32]) {
        match &self.fourier.bluestein {
            None => self.up(s, points),
            Some(bluestein) => s.vectorize(Convolution::<true> {
                lanes: self,
                bluestein,
                points,
            }),
        }
    }

    #[inline(always)]
    fn down<S: Simd>(&self, s: S, points: &mut [f32]) {
        let mut block = self.fourier.padded_len;
        for (radix, twiddles) in &self.stages {
            stage::<S, false>(s, *radix, twiddles, block, points);
            block /= radix;
        }
    }

    #[inline(always)]
    fn up<S: Simd>(&self, s: S, points: &mut [f32]) {
        let mut block = 1;
        for (radix, twiddles) in self.stages.iter().rev() {
            block *= radix;
            stage::<S, true>(s, *radix, twiddles, block, points);
        }
    }
}

/// See [`Bluestein`]; the transform with the other sign is the conjugate of that of the conjugate.
struct Convolution<'a, const BACKWARD: bool> {
    lanes: &'a Lanes,
    bluestein: &'a Bluestein,
    points: &'a mut [f32],
}

impl<const BACKWARD: bool> WithSimd for Convolution<'_, BACKWARD> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Self {
            lanes,
            bluestein,
            points,
        } = self;
        for ([re, im], by) in pairs::<S>(points).iter_mut().zip(&bluestein.wave) {
            let point = Complex::<S>::new(*re, *im);
            let product = if BACKWARD { point.conjugate(s) } else { point }.times(s, by);
            (*re, *im) = (product.re, product.im);
        }
        pairs::<S>(points)[lanes.fourier.num_points..].fill([s.splat_f32s(0.0); 2]);
        lanes.down(s, points);
        for ([re, im], by) in pairs::<S>(points).iter_mut().zip(&bluestein.spectrum) {
            let product = Complex::<S>::new(*re, *im).times(s, by);
            (*re, *im) = (product.re, product.im);
        }
        lanes.up(s, points);
        for ([re, im], by) in pairs::<S>(points).iter_mut().zip(&bluestein.wave) {
            let product = Complex::<S>::new(*re, *im).times(s, by);
            let product = if BACKWARD { product.conjugate(s) } else { product };
            (*re, *im) = (product.re, product.im);
        }
    }
}

/// Real and imaginary parts of points, each in a vector.
#[inline(always)]
pub(super) fn pairs<S: Simd>(points: &mut [f32]) -> &mut [[S::f32s; 2]] {
    cast_slice_mut(points)
}

#[inline(always)]
fn stage<S: Simd, const UP: bool>(s: S, radix: usize, twiddles: &[[f32; 2]], block: usize, points: &mut [f32]) {
    match radix {
        2 => s.vectorize(Stage::<2, UP> {
            twiddles,
            block,
            points,
        }),
        3 => s.vectorize(Stage::<3, UP> {
            twiddles,
            block,
            points,
        }),
        4 => s.vectorize(Stage::<4, UP> {
            twiddles,
            block,
            points,
        }),
        5 => s.vectorize(Stage::<5, UP> {
            twiddles,
            block,
            points,
        }),
        7 => s.vectorize(Stage::<7, UP> {
            twiddles,
            block,
            points,
        }),
        8 => s.vectorize(Stage::<8, UP> {
            twiddles,
            block,
            points,
        }),
        _ => unreachable!("a radix without a stage"),
    }
}

/// All small transforms of one stage: of the points `block / R` apart, twiddled after (or, `UP`, before) it. `UP`
/// transforms with the other sign.
struct Stage<'a, const R: usize, const UP: bool> {
    twiddles: &'a [[f32; 2]],
    block: usize,
    points: &'a mut [f32],
}

impl<const R: usize, const UP: bool> WithSimd for Stage<'_, R, UP> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Self {
            twiddles,
            block,
            points,
        } = self;
        let points = pairs::<S>(points);
        let none = Complex::<S>::new(s.splat_f32s(0.0), s.splat_f32s(0.0));
        let mut x = [none; R];
        if block == R {
            for points in points.as_chunks_mut::<R>().0 {
                for (x, [re, im]) in x.iter_mut().zip(points.iter()) {
                    *x = Complex::new(*re, *im);
                }
                small::<S, R, UP>(s, &mut x);
                for (x, point) in x.iter().zip(points) {
                    *point = [x.re, x.im];
                }
            }
            return;
        }
        let apart = block / R;
        for points in points.chunks_exact_mut(block) {
            for (first, twiddles) in twiddles.as_chunks::<R>().0.iter().enumerate() {
                for t in 0..R {
                    let [re, im] = points[first + apart * t];
                    x[t] = Complex::new(re, im);
                    if UP && t > 0 {
                        x[t] = x[t].times_conjugate(s, &twiddles[t]);
                    }
                }
                small::<S, R, UP>(s, &mut x);
                for u in 0..R {
                    if !UP && u > 0 {
                        x[u] = x[u].times(s, &twiddles[u]);
                    }
                    points[first + apart * u] = [x[u].re, x[u].im];
                }
            }
        }
    }
}

/// The transform of `R` points in registers, or with the other sign (`UP`).
#[inline(always)]
fn small<S: Simd, const R: usize, const UP: bool>(s: S, x: &mut [Complex<S>; R]) {
    match R {
        2 => (x[0], x[1]) = two(s, x[0], x[1]),
        4 => [x[0], x[1], x[2], x[3]] = four::<S, UP>(s, [x[0], x[1], x[2], x[3]]),
        8 => eight::<S, R, UP>(s, x),
        _ => odd::<S, R, UP>(s, x),
    }
}

#[inline(always)]
fn two<S: Simd>(s: S, a: Complex<S>, b: Complex<S>) -> (Complex<S>, Complex<S>) {
    (a.plus(s, b), a.minus(s, b))
}

/// `a - i b` and `a + i b`, or (`UP`) the other way round.
#[inline(always)]
fn across<S: Simd, const UP: bool>(s: S, a: Complex<S>, b: Complex<S>) -> (Complex<S>, Complex<S>) {
    let down = Complex::new(s.add_f32s(a.re, b.im), s.sub_f32s(a.im, b.re));
    let up = Complex::new(s.sub_f32s(a.re, b.im), s.add_f32s(a.im, b.re));
    if UP { (up, down) } else { (down, up) }
}

#[inline(always)]
fn four<S: Simd, const UP: bool>(s: S, [a, b, c, d]: [Complex<S>; 4]) -> [Complex<S>; 4] {
    let ((a, c), (b, d)) = (two(s, a, c), two(s, b, d));
    let ((zero, two_), (one, three)) = (two(s, a, b), across::<S, UP>(s, c, d));
    [zero, one, two_, three]
}

#[inline(always)]
fn eight<S: Simd, const R: usize, const UP: bool>(s: S, x: &mut [Complex<S>; R]) {
    let odd = four::<S, UP>(s, [x[1], x[3], x[5], x[7]]);
    let even = four::<S, UP>(s, [x[0], x[2], x[4], x[6]]);
    // Times the first and the third power of exp(∓πi/4), the latter with the other sign.
    let half = std::f32::consts::FRAC_1_SQRT_2;
    let diagonal = |x: Complex<S>, down: bool| {
        let (sum, difference) = (s.add_f32s(x.re, x.im), s.sub_f32s(x.re, x.im));
        let product = if down {
            Complex::new(sum, s.sub_f32s(x.im, x.re))
        } else {
            Complex::new(difference, sum)
        };
        product.scaled(s, half)
    };
    (x[0], x[4]) = two(s, even[0], odd[0]);
    (x[1], x[5]) = two(s, even[1], diagonal(odd[1], !UP));
    (x[2], x[6]) = across::<S, UP>(s, even[2], odd[2]);
    (x[7], x[3]) = two(s, even[3], diagonal(odd[3], UP));
}

/// Cosine and sine of `2π turn / R`, for the odd radices; as constants, since they are asked for in the innermost loop.
#[inline(always)]
fn cosine_and_sine<const R: usize>(turn: usize) -> (f32, f32) {
    let upper = turn % R > R / 2;
    let index = if upper { R - turn % R } else { turn % R };
    let (cosine, sine) = match (R, index) {
        (3, _) => (-0.5, 0.866_025_4),
        (5, 1) => (0.309_017, 0.951_056_5),
        (5, _) => (-0.809_017, 0.587_785_24),
        (7, 1) => (0.623_489_8, 0.781_831_5),
        (7, 2) => (-0.222_520_93, 0.974_927_9),
        (7, _) => (-0.900_968_9, 0.433_883_73),
        _ => unreachable!("a radix without a stage"),
    };
    (cosine, if upper { -sine } else { sine })
}

/// Any odd size, by the symmetry of cosines and sines.
#[inline(always)]
fn odd<S: Simd, const R: usize, const UP: bool>(s: S, x: &mut [Complex<S>; R]) {
    let first = x[0];
    for j in 1..R / 2 + 1 {
        (x[j], x[R - j]) = two(s, x[j], x[R - j]);
        x[0] = x[0].plus(s, x[j]);
    }
    let pairs = *x;
    for u in 1..R / 2 + 1 {
        let (cosine, sine) = cosine_and_sine::<R>(u);
        let (mut even, mut odd) = (first.plus(s, pairs[1].scaled(s, cosine)), pairs[R - 1].scaled(s, sine));
        for j in 2..R / 2 + 1 {
            let (cosine, sine) = cosine_and_sine::<R>(u * j);
            even = even.plus(s, pairs[j].scaled(s, cosine));
            odd = odd.plus(s, pairs[R - j].scaled(s, sine));
        }
        (x[u], x[R - u]) = across::<S, UP>(s, even, odd);
    }
}

/// Lanes for which samples are exchanged in square tiles.
pub(super) const TILE: usize = 8;

/// AVX, where `s` has it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn avx<S: Simd>(s: S) -> Option<pulp::x86::V3> {
    (&s as &dyn std::any::Any).downcast_ref().copied()
}

/// Parts in twiddles: those of the first half of the lanes, then those of the second.
#[inline(always)]
pub(super) fn interleaved<S: Simd>(s: S, value: Complex<S>) -> [S::f32s; 2] {
    #[cfg(target_arch = "x86_64")]
    if let Some(v3) = avx(s) {
        let avx = v3.avx;
        let (re, im) = (cast(value.re), cast(value.im));
        let (low, high) = (avx._mm256_unpacklo_ps(re, im), avx._mm256_unpackhi_ps(re, im));
        let first = avx._mm256_permute2f128_ps::<0x20>(low, high);
        return [cast(first), cast(avx._mm256_permute2f128_ps::<0x31>(low, high))];
    }
    let parts = [value.re, value.im];
    let parts: &[f32] = cast_slice(&parts);
    let mut both = [s.splat_f32s(0.0); 2];
    for (n, number) in cast_slice_mut::<_, f32>(&mut both).iter_mut().enumerate() {
        *number = parts[n % 2 * S::F32_LANES + n / 2];
    }
    both
}

/// A square tile of eight vectors of eight, transposed.
#[inline(always)]
pub(super) fn transposed<S: Simd>(s: S, rows: [S::f32s; TILE]) -> [S::f32s; TILE] {
    #[cfg(target_arch = "x86_64")]
    if let Some(v3) = avx(s) {
        use std::arch::x86_64::__m256;
        let avx = v3.avx;
        let rows: [__m256; TILE] = rows.map(cast);
        // In pairs of rows, then in fours, within each half; then the halves.
        let two = |a: usize| {
            (
                avx._mm256_unpacklo_ps(rows[a], rows[a + 1]),
                avx._mm256_unpackhi_ps(rows[a], rows[a + 1]),
            )
        };
        let four = |(a, b): (__m256, __m256), (c, d): (__m256, __m256)| {
            [
                avx._mm256_shuffle_ps::<0x44>(a, c),
                avx._mm256_shuffle_ps::<0xEE>(a, c),
                avx._mm256_shuffle_ps::<0x44>(b, d),
                avx._mm256_shuffle_ps::<0xEE>(b, d),
            ]
        };
        let (upper, lower) = (four(two(0), two(2)), four(two(4), two(6)));
        let low = |n: usize| cast(avx._mm256_permute2f128_ps::<0x20>(upper[n], lower[n]));
        let high = |n: usize| cast(avx._mm256_permute2f128_ps::<0x31>(upper[n], lower[n]));
        return [low(0), low(1), low(2), low(3), high(0), high(1), high(2), high(3)];
    }
    let mut columns = rows;
    let (columns_, rows) = (cast_slice_mut::<_, f32>(&mut columns), cast_slice::<_, f32>(&rows));
    for (n, column) in columns_.iter_mut().enumerate() {
        *column = rows[n % TILE * TILE + n / TILE];
    }
    columns
}
