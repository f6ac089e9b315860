//! When a foot is on the ground, from the force under it.

use serde::{Deserialize, Serialize};

use crate::base::Problem;
use crate::signal::statistics::quantile;

/// When a foot counts as loaded. Between the two thresholds it stays what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ContactThreshold {
    /// Shares of the range from the 5th to the 95th percentile. The range is that of pieces of about `piece_secs`,
    /// because force-sensing resistors drift; a piece with less than a quarter of the window's range, where nobody
    /// walks, has the window's.
    Relative {
        /// Unloaded below; default 0.15.
        #[serde(default = "low")]
        low: f64,
        /// Loaded from here; default 0.25.
        #[serde(default = "high")]
        high: f64,
        /// Default 10.
        #[serde(default = "piece_secs")]
        piece_secs: f64,
    },
    /// In the unit of the signal.
    Absolute {
        /// Unloaded below.
        low: f64,
        /// Loaded from here.
        high: f64,
    },
}

fn low() -> f64 {
    0.15
}

fn high() -> f64 {
    0.25
}

fn piece_secs() -> f64 {
    10.0
}

impl Default for ContactThreshold {
    fn default() -> Self {
        Self::Relative {
            low: low(),
            high: high(),
            piece_secs: piece_secs(),
        }
    }
}

impl ContactThreshold {
    /// Checks the setting.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        let problem = |key: &str, text: String| Err(Problem::new(format!("threshold.{key}"), text));
        match *self {
            Self::Relative { low, high, .. } if !(0.0 < low && low <= high && high < 1.0) => problem(
                "low",
                format!("must be above 0 and at most high, and high below 1, but they are {low} and {high}"),
            ),
            Self::Relative { piece_secs, .. } if !(piece_secs > 0.0 && piece_secs.is_finite()) => {
                problem("piece_secs", format!("must be above 0, but is {piece_secs}"))
            }
            Self::Absolute { low, high } if !(low <= high && low.is_finite() && high.is_finite()) => {
                problem("low", format!("must be at most high, but they are {low} and {high}"))
            }
            _ => Ok(()),
        }
    }

    /// Pieces of the signal with their thresholds (low, high).
    fn levels<'f>(&self, force: &'f [f64], rate_hz: f64) -> Vec<(&'f [f64], f64, f64)> {
        let (low, high, piece_secs) = match *self {
            Self::Absolute { low, high } => return vec![(force, low, high)],
            Self::Relative { low, high, piece_secs } => (low, high, piece_secs),
        };
        let range = |samples: &[f64]| {
            let mut sorted = samples.to_vec();
            sorted.sort_by(f64::total_cmp);
            let floor = quantile(&sorted, 0.05);
            (floor, quantile(&sorted, 0.95) - floor)
        };
        let whole = range(force);
        let num_pieces = (force.len() as f64 / (piece_secs * rate_hz))
            .round()
            .clamp(1.0, force.len().max(1) as f64);
        let pieces = force.chunks(force.len().div_ceil(num_pieces as usize).max(1));
        pieces
            .map(|piece| {
                let own = range(piece);
                let (floor, range) = if own.1 < whole.1 / 4.0 { whole } else { own };
                // Without a range, such as that of an unplugged sensor, no sample is above NaN.
                let floor = if range > 0.0 { floor } else { f64::NAN };
                (piece, floor + low * range, floor + high * range)
            })
            .collect()
    }

    /// For each sample, whether the foot is on the ground. Contacts and swings shorter than `min_phase_secs` are joined
    /// to what was before.
    pub fn contact(&self, force: &[f64], rate_hz: f64, min_phase_secs: f64) -> Vec<bool> {
        let mut contact = Vec::with_capacity(force.len());
        let mut loaded = false;
        for (piece, low, high) in self.levels(force, rate_hz) {
            for &x in piece {
                loaded = if loaded { x >= low } else { x >= high };
                contact.push(loaded);
            }
        }
        let mut runs: Vec<(bool, usize)> = Vec::new();
        for run in contact.chunk_by(|a, b| a == b) {
            let short = (run.len() as f64) < min_phase_secs * rate_hz;
            match runs.last_mut() {
                Some(last) if short || run.first() == Some(&last.0) => last.1 += run.len(),
                _ => runs.push((run.first() == Some(&true), run.len())),
            }
        }
        runs.into_iter()
            .flat_map(|(state, count)| std::iter::repeat_n(state, count))
            .collect()
    }
}

/// One stride: from a heel strike to the next one of the same foot, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stride {
    /// Time of its heel strike in the window.
    pub start_secs: f64,
    /// Heel strike to next heel strike.
    pub stride_secs: f64,
    /// Toe-off to next heel strike.
    pub swing_secs: f64,
    /// Heel strike to toe-off.
    pub stance_secs: f64,
    /// Time with both feet on the ground, which comes in two parts.
    pub double_support_secs: f64,
}

/// The complete strides of a foot. A heel strike is the first sample on the ground, a toe-off the first above it.
pub fn strides(contact: &[bool], other_contact: &[bool], rate_hz: f64) -> Vec<Stride> {
    let starts = |from: bool| {
        let steps = contact.iter().zip(contact.iter().skip(1)).zip(1..);
        steps
            .filter(move |((before, now), _)| **before == from && **now != from)
            .map(|(_, index)| index)
    };
    let (strikes, offs): (Vec<usize>, Vec<usize>) = (starts(false).collect(), starts(true).collect());
    let secs = |samples: usize| samples as f64 / rate_hz;
    let stride = |(&start, &end): (&usize, &usize)| {
        let off = *offs.iter().find(|off| (start..end).contains(*off))?;
        let both = contact.get(start..end)?.iter().zip(other_contact.get(start..end)?);
        Some(Stride {
            start_secs: secs(start),
            stride_secs: secs(end - start),
            swing_secs: secs(end - off),
            stance_secs: secs(off - start),
            double_support_secs: secs(both.filter(|(a, b)| **a && **b).count()),
        })
    };
    strikes.iter().zip(strikes.iter().skip(1)).filter_map(stride).collect()
}
