//! Change of sampling rate by a rational ratio, through a filter against aliasing.
//!
//! A polyphase FIR without delay: a windowed sinc that cuts off at the lower of the two Nyquist frequencies, under a Kaiser
//! window with beta 5, `2 * 10 * max(up, down) + 1` taps; the design of `scipy.signal.resample_poly(padtype="edge")`.
//! The gain is 1 within 0.7 % up to 85 % of the cut-off (0.3 % up to 80 %), 6 dB down at the cut-off, and at least 55 dB
//! down from 20 % above it: what lies just above the new Nyquist frequency does fold back in part. Samples beyond the ends
//! repeat the first and last value.

use std::collections::VecDeque;
use std::f64::consts::PI;

const BETA: f64 = 5.0;
const HALF_CROSSINGS: usize = 10;
/// A ratio beyond this is a mistake in a rate rather than a wish.
const MAX_FACTOR: usize = 10_000;
/// Samples that a recording may be longer or shorter than its rates say.
const MAX_DRIFT: f64 = 0.25;

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
        let (up, down) = ratio(target_hz / source_hz, 1e-12)?;
        Some(Self::with_factors(up, down))
    }

    /// From `source_hz` to `target_hz` for a recording of `num_samples`: as [`new`](Self::new), or else by the smallest
    /// whole numbers whose ratio drifts less than a quarter of a sample over the recording. `None` for rates that differ by
    /// more than a factor of 10,000, and for recordings that are too long for any such ratio.
    pub fn for_length(source_hz: f64, target_hz: f64, num_samples: usize) -> Option<Self> {
        let wanted = target_hz / source_hz;
        // As many samples as the faster of the two rates has.
        let num_samples = num_samples.max(1) as f64 * wanted.max(1.0);
        let (up, down) = ratio(wanted, 1e-12).or_else(|| ratio(wanted, MAX_DRIFT / num_samples))?;
        Some(Self::with_factors(up, down))
    }

    fn with_factors(up: usize, down: usize) -> Self {
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
        Self { up, down, taps }
    }

    /// `ceil(len * target / source)` samples, the first at the time of the first; NaN wherever the filter touches NaN.
    pub fn resample(&self, samples: &[f32]) -> Vec<f32> {
        let (Some(&first), Some(&last)) = (samples.first(), samples.last()) else {
            return Vec::new();
        };
        if self.up == self.down {
            return samples.to_vec();
        }
        let sample = |source: isize| match usize::try_from(source) {
            Err(_) => first,
            Ok(source) => samples.get(source).copied().unwrap_or(last),
        };
        (0..self.num_outputs(samples.len()))
            .map(|index| self.output(index, sample))
            .collect()
    }

    /// Samples after resampling `num_samples`.
    fn num_outputs(&self, num_samples: usize) -> usize {
        (num_samples * self.up).div_ceil(self.down)
    }

    /// First and last source sample that an output sample depends on.
    fn reach(&self, index: usize) -> (isize, isize) {
        let (up, half) = (self.up as isize, (self.taps.len() / 2) as isize);
        let centre = (index * self.down) as isize;
        ((centre - half + up - 1).div_euclid(up), (centre + half).div_euclid(up))
    }

    /// One output sample. Source sample s stands at s * up on the fine grid; tap t weighs the grid point
    /// (centre + half - t).
    fn output(&self, index: usize, sample: impl Fn(isize) -> f32) -> f32 {
        let half = (self.taps.len() / 2) as isize;
        let centre = (index * self.down) as isize;
        let (oldest, newest) = self.reach(index);
        let weighted = (oldest..=newest).map(|source| {
            let at = (centre + half - source * self.up as isize) as usize;
            self.taps.get(at).copied().unwrap_or(0.0) * f64::from(sample(source))
        });
        weighted.sum::<f64>() as f32
    }
}

/// A recording that is resampled block by block, bit by bit as [`Resampler::resample`] does it at once.
#[derive(Debug, Clone)]
pub struct ResampleStream {
    resampler: Resampler,
    /// Source samples that outputs to come depend on; the first of them is number `start`.
    samples: VecDeque<f32>,
    start: usize,
    first: f32,
    num_outputs: usize,
}

impl ResampleStream {
    /// The beginning of a recording.
    pub fn new(resampler: Resampler) -> Self {
        Self {
            resampler,
            samples: VecDeque::new(),
            start: 0,
            first: f32::NAN,
            num_outputs: 0,
        }
    }

    /// Takes the next samples, and appends to `outputs` what no later one can change.
    pub fn push(&mut self, block: &[f32], outputs: &mut Vec<f32>) {
        if self.resampler.up == self.resampler.down {
            outputs.extend_from_slice(block);
            return;
        }
        if let (0, Some(&first)) = (self.start + self.samples.len(), block.first()) {
            self.first = first;
        }
        self.samples.extend(block);
        let received = (self.start + self.samples.len()) as isize;
        loop {
            let (oldest, newest) = self.resampler.reach(self.num_outputs);
            let passed = usize::try_from(oldest).unwrap_or(0).saturating_sub(self.start);
            self.samples.drain(..passed.min(self.samples.len()));
            self.start += passed.min(received as usize - self.start);
            if newest >= received {
                return;
            }
            outputs.push(self.next(self.first));
        }
    }

    /// Appends the rest, after the last samples.
    pub fn finish(&mut self, outputs: &mut Vec<f32>) {
        let (Some(&last), true) = (self.samples.back(), self.resampler.up != self.resampler.down) else {
            return;
        };
        let all = self.resampler.num_outputs(self.start + self.samples.len());
        while self.num_outputs < all {
            outputs.push(self.next(last));
        }
    }

    /// The next output; `last` stands for samples beyond those that were received.
    fn next(&mut self, last: f32) -> f32 {
        let sample = |source: isize| match usize::try_from(source) {
            Err(_) => self.first,
            Ok(source) => {
                let at = source.checked_sub(self.start);
                at.and_then(|at| self.samples.get(at)).copied().unwrap_or(last)
            }
        };
        let output = self.resampler.output(self.num_outputs, sample);
        self.num_outputs += 1;
        output
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

/// The first convergent of the continued fraction of `value` with a relative error below `tolerance`.
fn ratio(value: f64, tolerance: f64) -> Option<(usize, usize)> {
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
        if up > 0.0 && (up / down / value - 1.0).abs() < tolerance {
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

/// [`interpolate_missing`] block by block: samples come out once the next known one is there.
#[derive(Debug, Clone, Default)]
pub struct MissingStream {
    known: Option<f32>,
    num_missing: usize,
}

impl MissingStream {
    /// Takes the next samples, and appends to `filled` those before the last known one and it.
    pub fn push(&mut self, block: &[f32], filled: &mut Vec<f32>) {
        for &value in block {
            if value.is_nan() {
                self.num_missing += 1;
                continue;
            }
            let from = self.known.unwrap_or(value);
            let steps = (self.num_missing + 1) as f32;
            filled.extend((1..=self.num_missing).map(|step| from + (value - from) * (step as f32 / steps)));
            filled.push(value);
            (self.known, self.num_missing) = (Some(value), 0);
        }
    }

    /// Appends the missing samples at the end; `false` where no sample is known at all, but some are missing.
    pub fn finish(self, filled: &mut Vec<f32>) -> bool {
        match self.known {
            Some(value) => {
                filled.extend(std::iter::repeat_n(value, self.num_missing));
                true
            }
            None => self.num_missing == 0,
        }
    }
}
