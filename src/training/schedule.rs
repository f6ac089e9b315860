//! Learning-rate schedules, as functions of where a replica stands.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::base::Problems;

/// How the learning rate changes over a run. All but `plateau` are functions of the step alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ScheduleConfig {
    /// Always the peak.
    #[default]
    Constant,
    /// Times `factor` after every `every_epochs` epochs (`StepLR`).
    Step {
        /// Epochs between drops.
        every_epochs: usize,
        /// Factor of the rate at each drop.
        factor: f64,
    },
    /// Linear warm-up to the peak, then half a cosine down to `final_factor` of it (SGDR without restarts,
    /// Loshchilov & Hutter 2017).
    Cosine {
        /// Epochs of warm-up.
        #[serde(default)]
        warmup_epochs: f64,
        /// Share of the peak at the end.
        #[serde(default)]
        final_factor: f64,
    },
    /// PyTorch's `OneCycleLR`: cosine from `peak / start_divisor` to the peak over `warmup_fraction` of the run, then
    /// down to `peak / start_divisor / final_divisor`.
    OneCycle {
        /// Share of the steps spent rising.
        #[serde(default = "default_warmup_fraction")]
        warmup_fraction: f64,
        /// Peak over first rate.
        #[serde(default = "default_start_divisor")]
        start_divisor: f64,
        /// First rate over last rate.
        #[serde(default = "default_final_divisor")]
        final_divisor: f64,
    },
    /// Times `factor` when the monitored metric has not improved for more than `patience_epochs` epochs
    /// (`ReduceLROnPlateau`), each replica on its own.
    Plateau {
        /// Factor of the rate at each drop.
        factor: f64,
        /// Epochs without improvement that are tolerated.
        patience_epochs: usize,
        /// The rate falls no lower than this share of the peak.
        #[serde(default)]
        min_factor: f64,
    },
}

fn default_warmup_fraction() -> f64 {
    0.3
}
fn default_start_divisor() -> f64 {
    25.0
}
fn default_final_divisor() -> f64 {
    1e4
}

impl ScheduleConfig {
    /// Every setting that cannot work.
    pub fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        let mut share = |key: &str, value: f64| {
            problems.require((0.0..=1.0).contains(&value), key, || "must be between 0 and 1");
        };
        match *self {
            Self::Constant => {}
            Self::Step { every_epochs, factor } => {
                share("factor", factor);
                problems.require(every_epochs > 0, "every_epochs", || "must be at least 1");
            }
            Self::Cosine {
                warmup_epochs,
                final_factor,
            } => {
                share("final_factor", final_factor);
                let is_time = warmup_epochs >= 0.0 && warmup_epochs.is_finite();
                problems.require(is_time, "warmup_epochs", || "must be at least 0");
            }
            Self::OneCycle {
                warmup_fraction,
                start_divisor,
                final_divisor,
            } => {
                share("warmup_fraction", warmup_fraction);
                for (key, divisor) in [("start_divisor", start_divisor), ("final_divisor", final_divisor)] {
                    problems.require(divisor >= 1.0 && divisor.is_finite(), key, || "must be at least 1");
                }
            }
            Self::Plateau { factor, min_factor, .. } => {
                share("factor", factor);
                share("min_factor", min_factor);
            }
        }
        problems
    }

    /// Share of the peak learning rate at `step` (from 0) of a run of `epochs` epochs of `steps_per_epoch` steps.
    pub fn factor(&self, step: u64, steps_per_epoch: usize, epochs: usize) -> f64 {
        let total = (steps_per_epoch * epochs) as f64;
        let step = step as f64;
        match *self {
            Self::Constant | Self::Plateau { .. } => 1.0,
            Self::Step { every_epochs, factor } => {
                let drops = step as usize / (steps_per_epoch * every_epochs).max(1);
                factor.powf(drops as f64)
            }
            Self::Cosine {
                warmup_epochs,
                final_factor,
            } => {
                let warmup = (warmup_epochs * steps_per_epoch as f64).min(total);
                if step < warmup {
                    return (step + 1.0) / (warmup + 1.0);
                }
                let progress = (step - warmup) / (total - warmup).max(1.0);
                final_factor + (1.0 - final_factor) * 0.5 * (1.0 + (PI * progress.min(1.0)).cos())
            }
            Self::OneCycle {
                warmup_fraction,
                start_divisor,
                final_divisor,
            } => {
                let start = 1.0 / start_divisor;
                let peak_step = warmup_fraction * total - 1.0;
                let anneal = |from: f64, to: f64, share: f64| to + (from - to) * 0.5 * (1.0 + (PI * share).cos());
                if step <= peak_step {
                    anneal(start, 1.0, step / peak_step.max(1.0))
                } else {
                    let share = (step - peak_step) / (total - 1.0 - peak_step).max(1.0);
                    anneal(1.0, start / final_divisor, share.min(1.0))
                }
            }
        }
    }
}
