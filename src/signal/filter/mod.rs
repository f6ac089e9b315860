//! Filters of signals: Butterworth and mains notch, without delay or causal.
//!
//! Own code: `sci-rs` agrees with SciPy but has rested since 2024, and what is needed beyond it, blocks of a longer
//! recording, gaps, settling times and several channels at a time, is most of this module.

mod config;
mod design;
mod sos;

pub use config::{Band, FilterConfig, Phase};
pub use design::Passband;
pub use sos::Sos;

use std::ops::Range;

/// A filter for one sampling rate, to be used for many signals.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// The sections.
    pub sos: Sos,
    /// How they are run.
    pub phase: Phase,
}

impl Filter {
    /// Filters a recording in place, each finite stretch alone.
    ///
    /// Zero phase: a stretch of at most [`Sos::pad_len`] samples cannot be extended at its ends and becomes NaN.
    /// Causal: each stretch starts in the steady state of its first sample, so a constant offset does not ring.
    pub fn apply(&self, samples: &mut [f64]) {
        self.apply_channels(&mut [samples]);
    }

    /// [`Self::apply`] for several channels: each as alone, to the bit, but four or two at a time, because a filter waits
    /// for its own last sample and not for that of another channel.
    pub fn apply_channels(&self, channels: &mut [&mut [f64]]) {
        let (fours, rest) = channels.as_chunks_mut::<4>();
        let (twos, ones) = rest.as_chunks_mut::<2>();
        fours.iter_mut().for_each(|group| self.apply_group(group));
        twos.iter_mut().for_each(|group| self.apply_group(group));
        ones.iter_mut().for_each(|channel| self.apply_stretches(channel));
    }

    fn apply_group<const LANES: usize>(&self, group: &mut [&mut [f64]; LANES]) {
        let len = group.first().map_or(0, |channel| channel.len());
        match group
            .iter()
            .all(|channel| channel.len() == len && channel.iter().all(|x| x.is_finite()))
        {
            true => self.run(group.each_mut().map(|channel| &mut **channel)),
            false => group.iter_mut().for_each(|channel| self.apply_stretches(channel)),
        }
    }

    fn apply_stretches(&self, channel: &mut [f64]) {
        for stretch in channel.chunk_by_mut(|a, b| a.is_finite() == b.is_finite()) {
            if stretch.first().is_some_and(|x| x.is_finite()) {
                self.run([stretch]);
            }
        }
    }

    /// Finite samples of equal length.
    fn run<const LANES: usize>(&self, mut channels: [&mut [f64]; LANES]) {
        match self.phase {
            Phase::Zero => {
                if !self.sos.zero_phase_lanes(&mut channels) {
                    channels.into_iter().for_each(|x| x.fill(f64::NAN));
                }
            }
            Phase::Causal => self.sos.causal_lanes(&mut channels),
        }
    }

    /// The samples of a recording of `num_samples` that must be known to filter `block` of it: the block and what the
    /// filter takes to settle, on both sides for zero phase, before it for a causal filter. The block cut from the
    /// filtered reach equals that of the filtered recording within 1e-10 of the signal's range.
    pub fn reach(&self, block: Range<usize>, num_samples: usize) -> Range<usize> {
        // The padding at a cut must be possible wherever it is at the true end.
        let margin = self.sos.settling_samples() + self.sos.pad_len() + 1;
        let end = match self.phase {
            Phase::Zero => block.end.saturating_add(margin),
            Phase::Causal => block.end,
        };
        block.start.saturating_sub(margin).min(num_samples)..end.min(num_samples)
    }
}
