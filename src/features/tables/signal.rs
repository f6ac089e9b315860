//! Features of signals: windows that lie together are read and filtered as one block.

use std::ops::Range;

use rayon::prelude::*;

use super::compute::Extractor;
use super::run::{Extraction, Session};
use crate::cohort::prepared::RowRange;
use crate::features::signals::{Scratch, SignalFeature, SignalInfo};

/// Samples of one channel that a thread holds at most, where windows are not longer.
const BLOCK_SAMPLES: usize = 1 << 17;

/// Channels of a stretch of a recording, cleaned and filtered.
struct Stretch {
    /// First row in the recording.
    start: usize,
    channels: Vec<Vec<f64>>,
}

impl Extraction<'_> {
    /// The rows of a session, `width` values each.
    pub(super) fn of_signal(&self, session: &Session, rate_hz: f64, width: usize) -> Vec<f64> {
        let mut blocks: Vec<Range<usize>> = Vec::new();
        for (at, (_, range)) in session.windows.iter().enumerate() {
            let end = (range.start + range.count) as usize;
            let fits = |block: &Range<usize>| {
                end.saturating_sub(session.windows[block.start].1.start as usize) <= BLOCK_SAMPLES
            };
            match blocks.last_mut().filter(|block| fits(block)) {
                Some(block) => block.end = at + 1,
                None => blocks.push(at..at + 1),
            }
        }
        let compute = |scratch: &mut Scratch, block: Range<usize>| {
            self.block(&session.windows[block], session.all, rate_hz, width, scratch)
        };
        let blocks: Vec<Vec<f64>> = blocks.into_par_iter().map_init(Scratch::default, compute).collect();
        blocks.concat()
    }

    fn block(
        &self,
        windows: &[(f64, RowRange)],
        all: RowRange,
        rate_hz: f64,
        width: usize,
        scratch: &mut Scratch,
    ) -> Vec<f64> {
        let ranges = || windows.iter().map(|(_, range)| range).filter(|range| range.count > 0);
        let first = ranges().map(|range| range.start).min().unwrap_or(all.start);
        let end = ranges().map(|range| range.start + range.count).max().unwrap_or(first);
        let stretch = self.stretch((first - all.start) as usize..(end - all.start) as usize, all, rate_hz);
        let info = SignalInfo {
            channels: &self.specs,
            rate_hz,
            num_samples: (end - first) as usize,
        };
        let features: Vec<_> = self.extractors.iter().filter_map(Extractor::signal).collect();
        let features: Vec<_> = features.into_iter().map(|feature| self.bound(feature, &info)).collect();
        let mut values = Vec::with_capacity(windows.len() * width);
        for (_, range) in windows {
            let row_end = values.len() + width;
            if range.count > 0 {
                let from = (range.start - all.start) as usize - stretch.start;
                let rows = from..from + range.count as usize;
                let window: Vec<&[f64]> = stretch.channels.iter().map(|channel| &channel[rows.clone()]).collect();
                let is_whole = |channel: &&[f64]| channel.iter().all(|value| value.is_finite());
                let is_whole: Vec<bool> = window.iter().map(is_whole).collect();
                for (feature, channels, num_columns) in &features {
                    let end = values.len() + num_columns;
                    if feature.takes_missing() || channels.iter().all(|&channel| is_whole[channel]) {
                        let window: Vec<&[f64]> = channels.iter().map(|&channel| window[channel]).collect();
                        feature.extract(&window, rate_hz, scratch, &mut values);
                    }
                    values.resize(end, f64::NAN);
                }
            }
            values.resize(row_end, f64::NAN);
        }
        values
    }

    /// A feature, the positions of its channels, and how many columns it has.
    fn bound<'f>(
        &self,
        feature: &'f dyn SignalFeature,
        info: &SignalInfo,
    ) -> (&'f dyn SignalFeature, Vec<usize>, usize) {
        let position = |name: &str| self.specs.iter().position(|channel| channel.name == name);
        let channels = feature.channels(info).into_iter().filter_map(position).collect();
        (feature, channels, feature.columns(info).len())
    }

    /// Reads `rows` of a recording with what cleaning and filters need around them.
    fn stretch(&self, rows: Range<usize>, all: RowRange, rate_hz: f64) -> Stretch {
        let num_rows = all.count as usize;
        // The last filter says what it needs of the one before it, and so on.
        let read = self
            .filters
            .iter()
            .rev()
            .fold(rows, |range, filter| filter.reach(range, num_rows));
        // Faults are told by what lies around them.
        let margin_secs = |clean: &crate::features::signals::statistics::CleaningRules| {
            2.0 * (clean.flat_secs.unwrap_or(0.0) + clean.packet_secs.unwrap_or(0.0))
        };
        let margin = self
            .config
            .clean
            .as_ref()
            .map_or(0, |clean| (margin_secs(clean) * rate_hz) as usize + 1);
        let read = read.start.saturating_sub(margin)..read.end.saturating_add(margin).min(num_rows);
        let num_columns = self.prepared.modalities()[self.modality].num_columns();
        let start = all.start as usize;
        let table =
            &self.prepared.table(self.modality)[(start + read.start) * num_columns..(start + read.end) * num_columns];
        let channel = |&channel: &usize| {
            table
                .iter()
                .skip(channel)
                .step_by(num_columns)
                .map(|&x| f64::from(x))
                .collect()
        };
        let mut channels: Vec<Vec<f64>> = self.channels.iter().map(channel).collect();
        if let Some(clean) = &self.config.clean {
            for channel in &mut channels {
                clean.mask(channel, rate_hz);
            }
        }
        for filter in &self.filters {
            let mut slices: Vec<&mut [f64]> = channels.iter_mut().map(Vec::as_mut_slice).collect();
            filter.apply_channels(&mut slices);
        }
        Stretch {
            start: read.start,
            channels,
        }
    }
}
