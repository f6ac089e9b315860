//! Early stopping, best weights and plateaus, one replica at a time.

use serde::{Deserialize, Serialize};

use super::schedule::ScheduleConfig;
use crate::base::Problems;

/// When a replica stops before its last epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStoppingConfig {
    /// Stops after this many epochs without improvement of the monitored metric.
    pub patience_epochs: usize,
    /// Smaller changes are no improvement.
    #[serde(default)]
    pub min_delta: f64,
    /// Epochs before which no replica stops.
    #[serde(default)]
    pub min_epochs: usize,
}

impl EarlyStoppingConfig {
    /// Every setting that cannot work.
    pub fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        problems.require(self.patience_epochs > 0, "patience_epochs", || "must be at least 1");
        let delta = self.min_delta;
        problems.require(delta >= 0.0 && delta.is_finite(), "min_delta", || "must be at least 0");
        problems
    }
}

/// Where a replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Still training.
    Running,
    /// Made all its epochs.
    Finished,
    /// Stopped early: the monitored metric no longer improved.
    Stopped,
    /// A loss or gradient was not finite; the weights are those before it.
    Diverged,
}

/// One replica's history as far as decisions need it. Scores are oriented: higher is better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Status.
    pub status: Status,
    /// Optimiser steps made.
    pub steps: u64,
    /// Best score so far.
    pub best_score: Option<f64>,
    /// Epoch (from 1) after which it was seen.
    pub best_epoch: usize,
    /// Epochs since then.
    pub stale_epochs: usize,
    /// Share of the peak learning rate that plateaus have left.
    pub plateau_factor: f64,
    /// Epochs without improvement since the last drop of the rate.
    pub plateau_epochs: usize,
    /// Sum of the training losses of the present epoch.
    pub loss_sum: f64,
    /// Steps in that sum.
    pub loss_count: u64,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            status: Status::Running,
            steps: 0,
            best_score: None,
            best_epoch: 0,
            stale_epochs: 0,
            plateau_factor: 1.0,
            plateau_epochs: 0,
            loss_sum: 0.0,
            loss_count: 0,
        }
    }
}

impl Progress {
    /// Takes in the score after `epoch` (from 1); says whether it is the best so far. A replica without a score (no
    /// validation part, or a metric that is not defined there) keeps its newest weights.
    pub fn epoch_end(
        &mut self,
        epoch: usize,
        score: Option<f64>,
        stopping: Option<&EarlyStoppingConfig>,
        schedule: &ScheduleConfig,
    ) -> bool {
        let min_delta = stopping.map_or(0.0, |stopping| stopping.min_delta);
        let improved = match (score, self.best_score) {
            (Some(score), Some(best)) => score > best + min_delta,
            (Some(score), None) => score.is_finite(),
            (None, _) => self.best_score.is_none(),
        };
        if improved {
            self.best_score = score;
            self.best_epoch = epoch;
            self.stale_epochs = 0;
            self.plateau_epochs = 0;
        } else {
            self.stale_epochs += 1;
            self.plateau_epochs += 1;
        }
        if let ScheduleConfig::Plateau {
            factor,
            patience_epochs,
            min_factor,
        } = *schedule
            && self.plateau_epochs > patience_epochs
        {
            self.plateau_factor = (self.plateau_factor * factor).max(min_factor);
            self.plateau_epochs = 0;
        }
        if let Some(stopping) = stopping
            && self.stale_epochs >= stopping.patience_epochs
            && epoch >= stopping.min_epochs
        {
            self.status = Status::Stopped;
        }
        improved
    }
}
