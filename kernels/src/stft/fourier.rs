//! Complex transforms in place: which factors, which tables, where the bins end up.

use std::f64::consts::TAU;

/// How points are transformed in place by decimation in frequency. Every stage takes the points of one block that lie
/// `block / radix` apart, transforms them, twiddles them by their twiddles, and puts them back where they lay; bins end up in
/// digit-reversed order. The stages backwards, twiddling first, are the transform from that order back to the natural one.
///
/// Sizes with a large prime factor go by the convolution of Bluestein (1970), `2 i k = i² + k² - (k - i)²`: its products
/// are taken in digit-reversed order, so that nothing is ever moved.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fourier {
    /// Points of the signal and of its spectrum.
    pub num_points: usize,
    /// Points stored: as many, or those of the convolution.
    pub padded_len: usize,
    /// The radix of each stage.
    pub radices: Vec<usize>,
    /// Where bin `k` ends up.
    pub positions: Vec<u32>,
    /// `exp(-2πi k / len)`.
    pub twiddles: Vec<[f32; 2]>,
    /// Set where Bluestein's convolution is taken.
    pub bluestein: Option<Bluestein>,
}

/// The tables of Bluestein's convolution.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bluestein {
    /// `exp(-πi k² / points)`.
    pub wave: Vec<[f32; 2]>,
    /// The transform of the conjugate wave, over `len`, in digit-reversed order.
    pub spectrum: Vec<[f32; 2]>,
}

/// `exp(-2πi numerator / denominator)`.
fn twiddle(numerator: usize, denominator: usize) -> [f64; 2] {
    let angle = TAU * (numerator % denominator) as f64 / denominator as f64;
    [angle.cos(), -angle.sin()]
}

/// `exp(-2πi k / period)` for the first `count` of k.
pub(super) fn twiddles(period: usize, count: usize) -> Vec<[f32; 2]> {
    (0..count).map(|k| single(twiddle(k, period))).collect()
}

/// One over `sum of (i - (len - 1) / 2)²`, for lines of least squares.
pub(super) fn one_over_square_of_ramp(len: usize) -> f32 {
    let len = len as f64;
    (12.0 / (len * (len * len - 1.0))) as f32
}

fn single([re, im]: [f64; 2]) -> [f32; 2] {
    [re as f32, im as f32]
}

impl Fourier {
    /// The transform of so many points in stages of some of these radices.
    pub fn new(points: usize, radices: &[usize]) -> Self {
        if let Some(radices) = factor(points, radices) {
            return Self::direct(points, radices);
        }
        let len = (2 * points - 1).next_power_of_two();
        let direct = Self::direct(len, factor(len, radices).unwrap_or_default());
        let wave: Vec<_> = (0..points).map(|i| twiddle(i * i % (2 * points), 2 * points)).collect();
        // exp(+πi d² / points) at every distance d between a sample and a bin, both ways round.
        let mut response = vec![[0.0; 2]; len];
        for (distance, &[re, im]) in wave.iter().enumerate() {
            for place in [distance, (len - distance) % len] {
                response[place] = [re / len as f64, -im / len as f64];
            }
        }
        power_of_two(&mut response);
        let mut spectrum = vec![[0.0; 2]; len];
        for (bin, &value) in response.iter().enumerate() {
            spectrum[direct.positions[bin] as usize] = single(value);
        }
        let bluestein = Some(Bluestein {
            wave: wave.into_iter().map(single).collect(),
            spectrum,
        });
        Self {
            num_points: points,
            positions: (0..points as u32).collect(),
            bluestein,
            ..direct
        }
    }

    fn direct(len: usize, radices: Vec<usize>) -> Self {
        let positions = (0..len).map(|bin| {
            let (mut bin, mut block, mut position) = (bin, len, 0);
            for radix in &radices {
                block /= radix;
                position += bin % radix * block;
                bin /= radix;
            }
            position as u32
        });
        let positions = positions.collect();
        Self {
            num_points: len,
            padded_len: len,
            radices,
            positions,
            twiddles: twiddles(len, len),
            bluestein: None,
        }
    }
}

/// The fewest factors out of `radices`, and of those the smallest; largest first.
fn factor(len: usize, radices: &[usize]) -> Option<Vec<usize>> {
    if len == 1 {
        return Some(Vec::new());
    }
    let best = radices
        .iter()
        .filter(|&&radix| len.is_multiple_of(radix))
        .filter_map(|&radix| {
            let rest: Vec<usize> = radices.iter().copied().filter(|&other| other <= radix).collect();
            let mut factors = vec![radix];
            factors.extend(factor(len / radix, &rest)?);
            Some(factors)
        });
    best.min_by_key(|factors| (factors.len(), factors.iter().sum::<usize>()))
}

/// The transform of a power of two of points, in natural order: for tables.
fn power_of_two(values: &mut [[f64; 2]]) {
    let len = values.len();
    if len == 1 {
        return;
    }
    let (mut even, mut odd): (Vec<_>, Vec<_>) = (
        values.iter().copied().step_by(2).collect(),
        values.iter().copied().skip(1).step_by(2).collect(),
    );
    power_of_two(&mut even);
    power_of_two(&mut odd);
    for (k, (&[a, b], &[c, d])) in even.iter().zip(&odd).enumerate() {
        let [cos, sin] = twiddle(k, len);
        let (re, im) = (c * cos - d * sin, c * sin + d * cos);
        values[k] = [a + re, b + im];
        values[k + len / 2] = [a - re, b - im];
    }
}
