//! Measures of heart rate variability (Task Force of the ESC and NASPE 1996, Circulation 93:1043), times in ms.

use super::BeatIntervals;
use crate::features::signals::Scratch;
use crate::features::signals::spectrum::{Integration, Welch};
use crate::features::signals::stride::{dfa_alpha, ratio};
use crate::signal::statistics::{mean, sample_std};

/// Names and units of [`time_domain`].
pub(super) const TIME_DOMAIN: [(&str, &str); 8] = [
    ("mean_rr", "ms"),
    ("heart_rate", "1/min"),
    ("sdnn", "ms"),
    ("rmssd", "ms"),
    ("sdsd", "ms"),
    ("pnn50", "%"),
    ("pnn20", "%"),
    ("cvnn", "1"),
];

/// Mean interval, `60,000 / mean`, sample standard deviation (`ddof = 1`), root mean square and sample standard
/// deviation of the successive differences, share of the differences above 50 and above 20 ms, and `SDNN / mean`.
///
/// The shares are of the number of intervals, not of differences, as the Task Force has it. Differences are those of
/// intervals that follow each other directly. NaN for what there are too few intervals for.
pub fn time_domain(intervals: &BeatIntervals) -> [f64; 8] {
    let differences: Vec<f64> = intervals.pairs().map(|(a, b)| b - a).collect();
    let (mean_rr, sdnn) = (mean(intervals.millis.iter().copied()), sample_std(&intervals.millis));
    let squares: Vec<f64> = differences.iter().map(|d| d * d).collect();
    let share_above = |millis: f64| match differences.len() {
        0 => f64::NAN,
        _ => 100.0 * differences.iter().filter(|d| d.abs() > millis).count() as f64 / intervals.millis.len() as f64,
    };
    [
        mean_rr,
        60_000.0 / mean_rr,
        sdnn,
        mean(squares).sqrt(),
        sample_std(&differences),
        share_above(50.0),
        share_above(20.0),
        sdnn / mean_rr,
    ]
}

/// Names and units of [`nonlinear`].
pub(super) const NONLINEAR: [(&str, &str); 5] = [
    ("sd1", "ms"),
    ("sd2", "ms"),
    ("sd1_sd2", "1"),
    ("sample_entropy", "1"),
    ("dfa_alpha1", "1"),
];

/// Poincare plot, sample entropy and short-term scaling exponent.
///
/// Measures of the pairs of successive intervals (Brennan et al. 2001): `SD1 = sd((b - a) / sqrt 2)`, so that
/// `SD1^2 = var(differences) / 2`, and `SD2 = sd((a + b) / sqrt 2)`, `ddof = 1`. [`sample_entropy`] with m = 2 and r =
/// 0.2 SDNN. [`dfa_alpha`] over 4 to 16 beats (Peng et al. 1995). The last two read the kept intervals as one series.
pub fn nonlinear(intervals: &BeatIntervals) -> [f64; 5] {
    let half = std::f64::consts::FRAC_1_SQRT_2;
    let across: Vec<f64> = intervals.pairs().map(|(a, b)| (b - a) * half).collect();
    let along: Vec<f64> = intervals.pairs().map(|(a, b)| (a + b) * half).collect();
    let (sd1, sd2) = (sample_std(&across), sample_std(&along));
    let entropy = sample_entropy(&intervals.millis, 2, 0.2 * sample_std(&intervals.millis));
    [sd1, sd2, ratio(sd1, sd2), entropy, dfa_alpha(&intervals.millis, 4..=16)]
}

/// Sample entropy (Richman and Moorman 2000, Am J Physiol 278:H2039): `-ln(A / B)`, with B the number of pairs of
/// stretches of `m` values that differ by at most `tolerance` in each place, among the first `len - m` stretches, and A
/// those that still do with one value more. NaN where either is 0. Time grows with the square of the length.
pub fn sample_entropy(x: &[f64], m: usize, tolerance: f64) -> f64 {
    let stretches = || x.windows(m + 1);
    let (mut longer, mut shorter) = (0u64, 0u64);
    for (index, a) in stretches().enumerate() {
        for b in stretches().skip(index + 1) {
            let mut near = a.iter().zip(b).map(|(a, b)| (a - b).abs() <= tolerance);
            if near.by_ref().take(m).all(|near| near) {
                shorter += 1;
                longer += u64::from(near.next() == Some(true));
            }
        }
    }
    match (longer, shorter) {
        (0, _) | (_, 0) => f64::NAN,
        _ => -(longer as f64 / shorter as f64).ln(),
    }
}

/// Names and units of [`spectral`].
pub(super) const SPECTRAL: [(&str, &str); 6] = [
    ("vlf", "ms^2"),
    ("lf", "ms^2"),
    ("hf", "ms^2"),
    ("lf_hf", "1"),
    ("lf_nu", "%"),
    ("hf_nu", "%"),
];

const RESAMPLED_HZ: f64 = 4.0;
const VERY_LOW_HZ: [f64; 2] = [0.0033, 0.04];
const LOW_HZ: [f64; 2] = [0.04, 0.15];
const HIGH_HZ: [f64; 2] = [0.15, 0.4];

/// Power from 0.0033 to 0.04 Hz (VLF), to 0.15 Hz (LF) and to 0.4 Hz (HF), LF / HF, and the shares of LF and HF in
/// their sum.
///
/// Programs differ in the method, and so in the numbers. Here: the intervals at the times of the beats that end them,
/// through the natural cubic spline at 4 Hz ([`BeatIntervals::resample`], which also bridges what was left out);
/// Welch's density with Hann segments of `segment_secs`, or the whole series if it is shorter, half overlapping,
/// without their means; trapezoids over the bins in the band, edges included. NaN where a band has less than two bins.
/// The Task Force asks for at least one minute for HF and two for LF.
pub fn spectral(intervals: &BeatIntervals, segment_secs: f64, scratch: &mut Scratch) -> [f64; 6] {
    let samples = intervals.resample(RESAMPLED_HZ);
    let spectrum = Welch::new((segment_secs * RESAMPLED_HZ).round() as usize).estimate(&samples, RESAMPLED_HZ, scratch);
    let [very_low, low, high] = [VERY_LOW_HZ, LOW_HZ, HIGH_HZ].map(|[from, to]| match spectrum.bins(from, to).len() {
        0 | 1 => f64::NAN,
        _ => spectrum.band_power([from, to], Integration::Trapezoid),
    });
    let share = |part: f64| ratio(100.0 * part, low + high);
    [very_low, low, high, ratio(low, high), share(low), share(high)]
}
