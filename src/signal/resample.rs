//! Change of sampling rate by a rational ratio, through a filter against aliasing.
//!
//! A polyphase FIR without delay: a windowed sinc that cuts off at the lower of the two Nyquist frequencies, under a Kaiser
//! window with beta 5, `2 * 10 * max(up, down) + 1` taps; the design of `scipy.signal.resample_poly(padtype="edge")`.
//! The gain is 1 within 0.7 % up to 85 % of the cut-off (0.3 % up to 80 %), 6 dB down at the cut-off, and at least 55 dB
//! down from 20 % above it: what lies just above the new Nyquist frequency does fold back in part. Samples beyond the ends
//! repeat the first and last value.

use std::f64::consts::PI;

const BETA: f64 = 5.0;
const HALF_CROSSINGS: usize = 10;
/// A ratio beyond this is a mistake in a rate rather than a wish.
const MAX_FACTOR: usize = 10_000;

/// A filter for one pair of rates, to be used for many signals.
#[derive(Debug, Clone)]
pub struct Resampler {
    up: usize,
    down: usize,
    taps: Vec<f64>,
}

impl Resampler {
    /// From `source_hz` to `target_hz`; `None` unless the ratio is one of whole numbers up to 10,000.
    pub fn new(source_hz: f64, target_hz: f64) -> Option<Self> {
        let (up, down) = ratio(target_hz / source_hz)?;
        let widest = up.max(down);
        let half = (HALF_CROSSINGS * widest) as f64;
        let cutoff = 1.0 / widest as f64;
        let mut taps: Vec<f64> = (0..2 * HALF_CROSSINGS * widest + 1)
            .map(|index| {
                let offset = index as f64 - half;
                let radius = offset / half;
                sinc(cutoff * offset) * bessel_i0(BETA * (1.0 - radius * radius).max(0.0).sqrt())
            })
            .collect();
        let scale = up as f64 / taps.iter().sum::<f64>();
        taps.iter_mut().for_each(|tap| *tap *= scale);
        Some(Self { up, down, taps })
    }

    /// `ceil(len * target / source)` samples, the first at the time of the first; NaN wherever the filter touches NaN.
    pub fn resample(&self, samples: &[f32]) -> Vec<f32> {
        let (Some(&first), Some(&last)) = (samples.first(), samples.last()) else {
            return Vec::new();
        };
        if self.up == self.down {
            return samples.to_vec();
        }
        let (up, down) = (self.up as isize, self.down as isize);
        let half = (self.taps.len() / 2) as isize;
        let num_outputs = (samples.len() * self.up).div_ceil(self.down) as isize;
        let output = |index: isize| {
            // Source sample s stands at s * up on the fine grid; tap t weighs the grid point (centre + half - t).
            let centre = index * down;
            let newest = (centre + half).div_euclid(up);
            let oldest = (centre - half + up - 1).div_euclid(up);
            let weighted = (oldest..=newest).map(|source| {
                let value = match usize::try_from(source) {
                    Err(_) => first,
                    Ok(source) => samples.get(source).copied().unwrap_or(last),
                };
                let tap = self
                    .taps
                    .get((centre + half - source * up) as usize)
                    .copied()
                    .unwrap_or(0.0);
                tap * f64::from(value)
            });
            weighted.sum::<f64>() as f32
        };
        (0..num_outputs).map(output).collect()
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// Modified Bessel function of the first kind and order zero, by its power series (arguments up to 5 here).
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..64 {
        term *= quarter / f64::from(k * k);
        sum += term;
    }
    sum
}

/// The fraction in lowest terms equal to `value`, by continued fractions.
fn ratio(value: f64) -> Option<(usize, usize)> {
    if !(value.is_finite() && value > 0.0) {
        return None;
    }
    let (mut previous, mut current) = ((0.0, 1.0), (1.0, 0.0));
    let mut rest = value;
    loop {
        let whole = rest.floor();
        (previous, current) = (
            current,
            (whole * current.0 + previous.0, whole * current.1 + previous.1),
        );
        let (up, down) = current;
        if up > MAX_FACTOR as f64 || down > MAX_FACTOR as f64 {
            return None;
        }
        if up > 0.0 && (up / down / value - 1.0).abs() < 1e-12 {
            return Some((up as usize, down as usize));
        }
        rest = 1.0 / (rest - whole);
    }
}

/// Replaces NaN by a straight line between the neighbours, by the nearest value at the ends. `false`, and nothing
/// changed, when there is no other value.
pub fn interpolate_missing(samples: &mut [f32]) -> bool {
    let mut known = None::<(usize, f32)>;
    for index in 0..samples.len() {
        let Some(&value) = samples.get(index).filter(|value| !value.is_nan()) else {
            continue;
        };
        let (start, from) = known.map_or((0, value), |(start, from)| (start + 1, from));
        let steps = (index + 1 - start) as f32;
        for (step, gap) in (1u32..).zip(samples.get_mut(start..index).unwrap_or_default()) {
            *gap = from + (value - from) * (step as f32 / steps);
        }
        known = Some((index, value));
    }
    let Some((last, value)) = known else {
        return samples.is_empty();
    };
    samples.get_mut(last + 1..).unwrap_or_default().fill(value);
    true
}
