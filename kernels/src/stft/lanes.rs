//! Transforms of several frames at once, one in each lane of a vector register.
//!
//! Lanes never meet, and products and sums are rounded one by one (no fused multiply-add): the bits of a frame do not
//! depend on its neighbours or on the width of the registers.

use super::fourier::{Chirp, Fourier};
use pulp::Simd;

/// Radices that have a stage; 8 is the most whose points fit the registers of AVX2.
pub(super) const RADICES: [usize; 6] = [2, 3, 4, 5, 7, 8];

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
    pub fn turned(self, s: S, [re, im]: [f32; 2]) -> Self {
        let (re, im) = (s.splat_f32s(re), s.splat_f32s(im));
        Self::new(
            s.sub_f32s(s.mul_f32s(self.re, re), s.mul_f32s(self.im, im)),
            s.add_f32s(s.mul_f32s(self.re, im), s.mul_f32s(self.im, re)),
        )
    }

    /// Times -i.
    #[inline(always)]
    fn quarter(self, s: S) -> Self {
        Self::new(self.im, s.neg_f32s(self.re))
    }

    #[inline(always)]
    pub fn conjugate(self, s: S) -> Self {
        Self::new(self.re, s.neg_f32s(self.im))
    }
}

/// `re` and `im` of all stored points, transformed: bin `k` at `positions[k]`.
#[inline(always)]
pub(super) fn forward<S: Simd>(s: S, fourier: &Fourier, re: &mut [S::f32s], im: &mut [S::f32s]) {
    match &fourier.chirp {
        None => stages_down(s, fourier, re, im),
        Some(chirp) => convolve(s, fourier, chirp, re, im),
    }
}

/// The transform with the other sign, unscaled, of bins at their positions: points in natural order.
#[inline(always)]
pub(super) fn backward<S: Simd>(s: S, fourier: &Fourier, re: &mut [S::f32s], im: &mut [S::f32s]) {
    // With the parts exchanged, z becomes i times its conjugate, and the sign of the exponent changes.
    match &fourier.chirp {
        None => stages_up(s, fourier, im, re),
        Some(chirp) => convolve(s, fourier, chirp, im, re),
    }
}

#[inline(always)]
fn stages_down<S: Simd>(s: S, fourier: &Fourier, re: &mut [S::f32s], im: &mut [S::f32s]) {
    let mut block = fourier.len;
    for &radix in &fourier.radices {
        stage::<S, false>(s, fourier, radix, block, re, im);
        block /= radix;
    }
}

#[inline(always)]
fn stages_up<S: Simd>(s: S, fourier: &Fourier, re: &mut [S::f32s], im: &mut [S::f32s]) {
    let mut block = 1;
    for &radix in fourier.radices.iter().rev() {
        block *= radix;
        stage::<S, true>(s, fourier, radix, block, re, im);
    }
}

/// See [`Chirp`].
#[inline(always)]
fn convolve<S: Simd>(s: S, fourier: &Fourier, chirp: &Chirp, re: &mut [S::f32s], im: &mut [S::f32s]) {
    let turn = |re: &mut [S::f32s], im: &mut [S::f32s], by: &[[f32; 2]]| {
        for ((re, im), &by) in re.iter_mut().zip(im.iter_mut()).zip(by) {
            let turned = Complex::<S>::new(*re, *im).turned(s, by);
            (*re, *im) = (turned.re, turned.im);
        }
    };
    turn(re, im, &chirp.wave);
    re[fourier.points..].fill(s.splat_f32s(0.0));
    im[fourier.points..].fill(s.splat_f32s(0.0));
    stages_down(s, fourier, re, im);
    turn(re, im, &chirp.spectrum);
    stages_up(s, fourier, im, re);
    turn(re, im, &chirp.wave);
}

#[inline(always)]
fn stage<S: Simd, const UP: bool>(
    s: S,
    fourier: &Fourier,
    radix: usize,
    block: usize,
    re: &mut [S::f32s],
    im: &mut [S::f32s],
) {
    let (re, im) = (&mut re[..fourier.len], &mut im[..fourier.len]);
    match radix {
        2 => butterflies::<S, 2, UP>(s, &fourier.twiddles, block, re, im),
        3 => butterflies::<S, 3, UP>(s, &fourier.twiddles, block, re, im),
        4 => butterflies::<S, 4, UP>(s, &fourier.twiddles, block, re, im),
        5 => butterflies::<S, 5, UP>(s, &fourier.twiddles, block, re, im),
        7 => butterflies::<S, 7, UP>(s, &fourier.twiddles, block, re, im),
        8 => butterflies::<S, 8, UP>(s, &fourier.twiddles, block, re, im),
        _ => unreachable!("a radix without a stage"),
    }
}

/// All small transforms of one stage: of the points `block / R` apart, turned after (or, `UP`, before) it.
#[inline(always)]
fn butterflies<S: Simd, const R: usize, const UP: bool>(
    s: S,
    twiddles: &[[f32; 2]],
    block: usize,
    re: &mut [S::f32s],
    im: &mut [S::f32s],
) {
    let (apart, step) = (block / R, twiddles.len() / block);
    for first in 0..apart {
        let turns: [[f32; 2]; R] = std::array::from_fn(|u| twiddles[step * first * u]);
        for (re, im) in re.chunks_exact_mut(block).zip(im.chunks_exact_mut(block)) {
            let mut x: [Complex<S>; R] = std::array::from_fn(|t| {
                let at = first + apart * t;
                let x = Complex::new(re[at], im[at]);
                if UP && t > 0 && apart > 1 { x.turned(s, turns[t]) } else { x }
            });
            small(s, &mut x);
            for (u, x) in x.into_iter().enumerate() {
                let x = if !UP && u > 0 && apart > 1 { x.turned(s, turns[u]) } else { x };
                let at = first + apart * u;
                (re[at], im[at]) = (x.re, x.im);
            }
        }
    }
}

/// The transform of `R` points in registers.
#[inline(always)]
fn small<S: Simd, const R: usize>(s: S, x: &mut [Complex<S>; R]) {
    match R {
        2 => (x[0], x[1]) = two(s, x[0], x[1]),
        4 => [x[0], x[1], x[2], x[3]] = four(s, [x[0], x[1], x[2], x[3]]),
        8 => eight(s, x),
        _ => odd(s, x),
    }
}

#[inline(always)]
fn two<S: Simd>(s: S, a: Complex<S>, b: Complex<S>) -> (Complex<S>, Complex<S>) {
    (a.plus(s, b), a.minus(s, b))
}

#[inline(always)]
fn four<S: Simd>(s: S, [a, b, c, d]: [Complex<S>; 4]) -> [Complex<S>; 4] {
    let ((a, c), (b, d)) = (two(s, a, c), two(s, b, d));
    let ((zero, two_), (one, three)) = (two(s, a, b), two(s, c, d.quarter(s)));
    [zero, one, two_, three]
}

#[inline(always)]
fn eight<S: Simd, const R: usize>(s: S, x: &mut [Complex<S>; R]) {
    let even = four(s, [x[0], x[2], x[4], x[6]]);
    let odd = four(s, [x[1], x[3], x[5], x[7]]);
    let half = std::f32::consts::FRAC_1_SQRT_2;
    let odd = [
        odd[0],
        odd[1].plus(s, odd[1].quarter(s)).scaled(s, half),
        odd[2].quarter(s),
        odd[3].quarter(s).minus(s, odd[3]).scaled(s, half),
    ];
    for k in 0..4 {
        (x[k], x[k + 4]) = two(s, even[k], odd[k]);
    }
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
fn odd<S: Simd, const R: usize>(s: S, x: &mut [Complex<S>; R]) {
    let first = x[0];
    let pairs: [_; R] = std::array::from_fn(|j| if j == 0 { (first, first) } else { two(s, x[j], x[R - j]) });
    for j in 1..R / 2 + 1 {
        x[0] = x[0].plus(s, pairs[j].0);
    }
    for u in 1..R / 2 + 1 {
        let (mut even, mut odd) = (first, Complex::new(s.splat_f32s(0.0), s.splat_f32s(0.0)));
        for j in 1..R / 2 + 1 {
            let (cosine, sine) = cosine_and_sine::<R>(u * j);
            even = even.plus(s, pairs[j].0.scaled(s, cosine));
            odd = odd.plus(s, pairs[j].1.scaled(s, sine));
        }
        (x[u], x[R - u]) = two(s, even, odd.quarter(s));
    }
}
