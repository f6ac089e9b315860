//! The stretch of time that a picture shows.

use super::super::axes::Axis;
use super::{RenderOptions, time_unit};
use crate::figures::FigureError;

/// The stretch of time that all panels of a file show.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start_secs: f64,
    pub(super) end_secs: f64,
}

impl Span {
    /// Stretch of `total_secs` that the options ask for.
    pub(super) fn new(total_secs: f64, options: &RenderOptions) -> Result<Self, FigureError> {
        let start_secs = options.start_secs;
        let end_secs = options
            .duration_secs
            .map_or(total_secs, |secs| (start_secs + secs).min(total_secs));
        if total_secs > 0.0 && start_secs >= end_secs {
            let what = format!("a stretch from {start_secs} s of a recording of {total_secs} s");
            return Err(FigureError::new(what, "begin earlier"));
        }
        Ok(Self { start_secs, end_secs })
    }

    pub(super) fn secs(self) -> f64 {
        self.end_secs - self.start_secs
    }

    /// The samples that lie in it and one more on each side, and the index of the first.
    pub(super) fn cut(self, values: &[f32], rate_hz: f64) -> (usize, &[f32]) {
        let index = |secs: f64| (secs * rate_hz).clamp(0.0, values.len() as f64) as usize;
        let first = index(self.start_secs).saturating_sub(1);
        let end = index(self.end_secs).saturating_add(2).min(values.len());
        (first, values.get(first..end).unwrap_or_default())
    }

    /// The time axis and what it says.
    pub(super) fn axis(self) -> (Axis, &'static str) {
        let (label, unit_secs) = time_unit(self.secs());
        (
            Axis::new(self.start_secs / unit_secs, self.end_secs / unit_secs, 9),
            label,
        )
    }
}
