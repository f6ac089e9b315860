//! R peaks of an electrocardiogram.
//!
//! The detector of Pan and Tompkins (1985, IEEE Trans Biomed Eng 32:230) for recordings that are there as a whole, at
//! any rate: the integer filters of the paper, made for 200 Hz and a running signal, become a Butterworth band-pass of
//! 5 to 15 Hz without delay, and the derivative and the moving window are centred, so that no delay is to be taken off.
//! Left out is the rule that halves the thresholds in an irregular rhythm: one false beat makes the rhythm irregular
//! and so brings more of them (in white noise of 0.3 R waves precision fell from 0.97 to 0.78, with the same
//! sensitivity), and searching back has half the threshold anyway. Added is a recovery after artefacts.

use crate::signal::filter::{Passband, Sos};
use crate::signal::statistics::median;

const BAND_HZ: (f64, f64) = (5.0, 15.0);
const WINDOW_SECS: f64 = 0.15;
/// No heart beats twice in this time.
const REFRACTORY_SECS: f64 = 0.2;
/// A beat sooner than this after another may be its T wave.
const T_WAVE_SECS: f64 = 0.36;
/// How far the R peak may be from the middle of the complex's slopes.
const SEARCH_SECS: f64 = 0.1;
/// Lowest rate at which the band fits below half of it, with room for the filter's edge.
pub(crate) const MIN_RATE_HZ: f64 = 50.0;

/// Sample indices of the R peaks, ascending: for each complex that the detector finds, the maximum of the signal within
/// 100 ms. Of a lead in which the complex points down this is its largest upward wave, as good for intervals.
///
/// None for a signal below 50 Hz, or shorter than the filter's padding.
pub fn r_peaks(ecg: &[f64], rate_hz: f64) -> Vec<usize> {
    let Some(first) = ecg.first().copied().filter(|_| rate_hz >= MIN_RATE_HZ) else {
        return Vec::new();
    };
    // Without the offset the filter of a constant signal is exactly 0.
    let mut filtered: Vec<f64> = ecg.iter().map(|x| x - first).collect();
    if !Sos::butterworth(2, Passband::BandPass(BAND_HZ.0, BAND_HZ.1), rate_hz).zero_phase(&mut filtered) {
        return Vec::new();
    }
    let slopes = derivative(&filtered);
    let squared: Vec<f64> = slopes.iter().map(|x| x * x).collect();
    let energy = moving_average(&squared, samples(WINDOW_SECS, rate_hz));
    let candidates = candidates(&energy, &filtered, &slopes, rate_hz);
    let amplitudes: Vec<f64> = filtered.iter().map(|x| x.abs()).collect();
    let mut detector = Detector::new(&energy, &amplitudes, rate_hz);
    for candidate in candidates {
        detector.recover(candidate.index);
        detector.search_back(candidate.index);
        detector.take(candidate);
    }
    detector.search_back(ecg.len());
    let reach = samples(SEARCH_SECS, rate_hz);
    let mut peaks: Vec<usize> = detector
        .beats
        .iter()
        .filter_map(|beat| highest(ecg, around(beat.index, reach, ecg.len())))
        .collect();
    peaks.dedup();
    peaks
}

fn samples(secs: f64, rate_hz: f64) -> usize {
    (secs * rate_hz).round() as usize
}

fn around(index: usize, reach: usize, len: usize) -> std::ops::Range<usize> {
    index.saturating_sub(reach)..(index + reach + 1).min(len)
}

/// Index of the first largest value in a range.
pub(super) fn highest(values: &[f64], range: std::ops::Range<usize>) -> Option<usize> {
    let start = range.start;
    let values = values.get(range)?;
    // `max_by` would return the last.
    values
        .iter()
        .enumerate()
        .rev()
        .max_by(|a, b| a.1.total_cmp(b.1))
        .map(|(index, _)| start + index)
}

/// Five-point derivative of the paper, centred, without its scale: `2 x[n+2] + x[n+1] - x[n-1] - 2 x[n-2]`.
fn derivative(x: &[f64]) -> Vec<f64> {
    let mut slopes = vec![0.0; x.len()];
    for (slope, five) in slopes.iter_mut().skip(2).zip(x.windows(5)) {
        if let [a, b, _, d, e] = five {
            *slope = 2.0 * (e - a) + (d - b);
        }
    }
    slopes
}

/// Mean of the `width` samples around each (one more if even), fewer at the ends.
pub(super) fn moving_average(x: &[f64], width: usize) -> Vec<f64> {
    let mut sums = Vec::with_capacity(x.len() + 1);
    let mut sum = 0.0;
    sums.push(sum);
    sums.extend(x.iter().map(|x| {
        sum += x;
        sum
    }));
    let average = |index: usize| {
        let range = around(index, width / 2, x.len());
        let ends = sums.get(range.end).zip(sums.get(range.start));
        ends.map_or(0.0, |(end, start)| (end - start) / range.len() as f64)
    };
    (0..x.len()).map(average).collect()
}

/// A peak of the energy of the slopes: a beat or noise.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    index: usize,
    energy: f64,
    amplitude: f64,
    slope: f64,
}

/// Local maxima of the energy; of those closer than the refractory time, the largest.
fn candidates(energy: &[f64], filtered: &[f64], slopes: &[f64], rate_hz: f64) -> Vec<Candidate> {
    let reach = samples(WINDOW_SECS / 2.0, rate_hz);
    let largest = |values: &[f64], index: usize| {
        let values = values.get(around(index, reach, values.len())).unwrap_or_default();
        values.iter().fold(0.0f64, |largest, x| largest.max(x.abs()))
    };
    let mut found: Vec<Candidate> = Vec::new();
    for (index, three) in (1..).zip(energy.windows(3)) {
        let [before, energy, after] = three else { continue };
        if !(before < energy && energy >= after) {
            continue;
        }
        let candidate = Candidate {
            index,
            energy: *energy,
            amplitude: largest(filtered, index),
            slope: largest(slopes, index),
        };
        match found.last_mut() {
            Some(last) if index - last.index < samples(REFRACTORY_SECS, rate_hz) => {
                if last.energy < candidate.energy {
                    *last = candidate;
                }
            }
            _ => found.push(candidate),
        }
    }
    found
}

/// Running estimates of the height of beats and of noise, for one of the two signals.
#[derive(Debug, Clone, Copy)]
struct Level {
    beat: f64,
    noise: f64,
}

impl Level {
    /// From ten seconds: beats are as high as the median maximum of two seconds, noise as half the median
    /// sample. The paper learns for two seconds and does not say how; five stretches survive an artefact in one.
    fn learn(values: &[f64], rate_hz: f64) -> Self {
        let values = values.get(..samples(10.0, rate_hz)).unwrap_or(values);
        let maxima: Vec<f64> = values
            .chunks(samples(2.0, rate_hz))
            .map(|piece| piece.iter().copied().fold(0.0, f64::max))
            .collect();
        Self {
            beat: median(maxima),
            noise: median(values.to_vec()) / 2.0,
        }
    }

    fn threshold(&self) -> f64 {
        self.noise + 0.25 * (self.beat - self.noise)
    }
}

/// The adaptive thresholds.
struct Detector<'s> {
    rate_hz: f64,
    energies: &'s [f64],
    amplitudes: &'s [f64],
    energy: Level,
    amplitude: Level,
    beats: Vec<Candidate>,
    /// The latest candidates since the last beat that were taken for noise, those told to be T waves excepted.
    rejected: Vec<Candidate>,
    /// Mean of those of the last eight intervals that were regular, in samples; 0 before the second beat.
    regular_interval: f64,
    /// Sample from which the levels were learned.
    learned_from: usize,
}

impl<'s> Detector<'s> {
    fn new(energies: &'s [f64], amplitudes: &'s [f64], rate_hz: f64) -> Self {
        Self {
            rate_hz,
            energies,
            amplitudes,
            energy: Level::learn(energies, rate_hz),
            amplitude: Level::learn(amplitudes, rate_hz),
            beats: Vec::new(),
            rejected: Vec::new(),
            regular_interval: 0.0,
            learned_from: 0,
        }
    }

    /// After four seconds without a beat the levels are learned anew and what was rejected is judged again, unless what
    /// is there has less than a tenth of the energy of the beats before: an artefact of fifty R waves raises the
    /// running level by hundreds, and the paper's detector, whose threshold falls with beats only, would find nothing
    /// any more.
    fn recover(&mut self, now: usize) {
        let Some(last) = self.beats.last() else { return };
        let from = last.index.max(self.learned_from);
        if ((now - from) as f64) < 4.0 * self.rate_hz {
            return;
        }
        self.learned_from = now;
        // The last beat may have been the artefact itself.
        let start = from + samples(1.0, self.rate_hz);
        let learn = |values: &[f64]| Level::learn(values.get(start..).unwrap_or_default(), self.rate_hz);
        let (energy, amplitude) = (learn(self.energies), learn(self.amplitudes));
        let before: Vec<f64> = self.beats.iter().map(|beat| beat.energy).collect();
        if energy.beat > 0.1 * median(before) {
            (self.energy, self.amplitude) = (energy, amplitude);
            std::mem::take(&mut self.rejected)
                .into_iter()
                .for_each(|candidate| self.take(candidate));
        }
    }

    fn take(&mut self, candidate: Candidate) {
        let is_high = candidate.energy > self.energy.threshold() && candidate.amplitude > self.amplitude.threshold();
        let since = |last: &Candidate| (candidate.index - last.index) as f64;
        let is_t_wave = self
            .beats
            .last()
            .is_some_and(|last| since(last) < T_WAVE_SECS * self.rate_hz && candidate.slope < 0.5 * last.slope);
        if is_high && !is_t_wave {
            self.add_beat(candidate, 0.125);
        } else {
            self.energy.noise += 0.125 * (candidate.energy - self.energy.noise);
            self.amplitude.noise += 0.125 * (candidate.amplitude - self.amplitude.noise);
            if !is_t_wave {
                // At most five in a second: those of the last ten.
                if self.rejected.len() == 50 {
                    self.rejected.remove(0);
                }
                self.rejected.push(candidate);
            }
        }
    }

    /// When the next beat is later than 1.66 regular intervals, the largest candidate since the last beat is one too if
    /// it is above half the threshold.
    fn search_back(&mut self, until: usize) {
        while let Some(last) = self.beats.last() {
            let late = (until - last.index) as f64 > 1.66 * self.regular_interval && self.regular_interval > 0.0;
            let missed = self
                .rejected
                .iter()
                .enumerate()
                .max_by(|a, b| a.1.energy.total_cmp(&b.1.energy));
            let Some((position, &missed)) = missed.filter(|_| late) else {
                return;
            };
            let is_high =
                missed.energy > 0.5 * self.energy.threshold() && missed.amplitude > 0.5 * self.amplitude.threshold();
            if !is_high {
                return;
            }
            let later = self.rejected.split_off(position + 1);
            self.add_beat(missed, 0.25);
            self.rejected = later;
        }
    }

    fn add_beat(&mut self, beat: Candidate, weight: f64) {
        self.energy.beat += weight * (beat.energy - self.energy.beat);
        self.amplitude.beat += weight * (beat.amplitude - self.amplitude.beat);
        self.beats.push(beat);
        self.rejected.clear();
        let recent: Vec<f64> = self
            .beats
            .iter()
            .rev()
            .zip(self.beats.iter().rev().skip(1))
            .take(8)
            .map(|(b, a)| (b.index - a.index) as f64)
            .collect();
        let limits = 0.92 * self.regular_interval..=1.16 * self.regular_interval;
        let regular: Vec<f64> = recent
            .iter()
            .copied()
            .filter(|interval| limits.contains(interval))
            .collect();
        // After a lasting change of rate nothing is regular; the paper would wait for ever for the old rate.
        let of = if regular.is_empty() { &recent } else { &regular };
        if !of.is_empty() {
            self.regular_interval = of.iter().sum::<f64>() / of.len() as f64;
        }
    }
}
