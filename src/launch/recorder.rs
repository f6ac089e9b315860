//! Reports of the training loop, as scores, records and a progress line.

use std::collections::HashMap;
use std::time::Instant;

use super::signals::StopFlag;
use crate::evaluation::metrics::Direction;
use crate::evaluation::{Metric, MetricSet, Scores, softmax};
use crate::experiment::{Program, Selection};
use crate::tracking::{GroupId, GroupStatus, Progress, RunTracker};
use crate::training::losses;
use crate::training::trainer::{EpochReport, Observer, ObserverError, StepReport};

/// Metrics of the validation windows that are recorded after each epoch.
const RECORDED: [Metric; 4] = [
    Metric::LogLoss,
    Metric::Accuracy,
    Metric::BalancedAccuracy,
    Metric::AucRoc,
];

/// Observes one group in training.
pub struct Recorder<'a> {
    program: &'a Program,
    /// Position of each replica in the program, by name.
    index: HashMap<&'a str, usize>,
    tracker: &'a mut RunTracker,
    progress: &'a mut Progress,
    group: GroupId,
    stop: &'a StopFlag,
    log_every_steps: u64,
    losses: HashMap<usize, f64>,
    best: Option<f64>,
    last_steps: Instant,
}

impl<'a> Recorder<'a> {
    /// An observer of `group`.
    pub fn new(
        program: &'a Program,
        tracker: &'a mut RunTracker,
        progress: &'a mut Progress,
        group: GroupId,
        stop: &'a StopFlag,
    ) -> Self {
        let names = program.replicas().iter().enumerate();
        Self {
            program,
            index: names
                .map(|(at, planned)| (planned.replica().name.as_str(), at))
                .collect(),
            tracker,
            progress,
            group,
            stop,
            log_every_steps: program.config().tracking.log_every_steps.max(1) as u64,
            losses: HashMap::new(),
            best: None,
            last_steps: Instant::now(),
        }
    }

    fn replica(&self, name: &str) -> Result<usize, ObserverError> {
        self.index
            .get(name)
            .copied()
            .ok_or_else(|| format!("the plan has no replica {name:?}").into())
    }
}

impl Observer for Recorder<'_> {
    fn steps(&mut self, reports: &[StepReport]) -> Result<(), ObserverError> {
        let windows_per_step =
            (self.program.config().training.batch_size * self.program.config().training.accumulate_steps) as f64;
        let windows_per_sec =
            reports.len() as f64 * windows_per_step / self.last_steps.elapsed().as_secs_f64().max(1e-9);
        self.last_steps = Instant::now();
        let mut newest = 0;
        for report in reports {
            let replica = self.replica(&report.replica)?;
            newest = newest.max(report.step);
            self.losses.insert(replica, report.loss);
            // By the replica's own step, not by the position in this report, so that a resumed run logs the same steps.
            if report.step % self.log_every_steps == 0 || !report.loss.is_finite() {
                let values = [
                    ("train/loss", report.loss),
                    ("train/learning_rate", report.learning_rate),
                    ("train/gradient_norm", report.gradient_norm),
                    ("throughput/windows_per_sec_all_replicas", windows_per_sec),
                ];
                self.tracker
                    .log_scalars(self.program.replicas()[replica].index(), report.step, &values)?;
            }
        }
        if !reports.is_empty() {
            let best_valid = self.best.map(|best| (self.program.selection().to_string(), best));
            let status = GroupStatus {
                step: newest,
                num_active: self.losses.len(),
                train_loss: Some(self.losses.values().sum::<f64>() / self.losses.len() as f64),
                best_valid,
            };
            self.progress.update(self.group, &status);
        }
        Ok(self.tracker.flush()?)
    }

    fn epoch(&mut self, reports: &[EpochReport]) -> Result<Vec<Option<f64>>, ObserverError> {
        let sign = match self.program.selection() {
            Selection::Metric(metric) if metric.direction() == Direction::Higher => 1.0,
            Selection::Metric(_) | Selection::Reconstruction => -1.0,
        };
        let mut scores = Vec::with_capacity(reports.len());
        let mut values = Vec::with_capacity(reports.len());
        self.losses.clear();
        for report in reports {
            let replica = self.replica(&report.replica)?;
            self.losses.insert(replica, report.train_loss);
            let metrics = self.metrics(replica, &report.valid_logits);
            let mut scalars = vec![
                ("epoch/train_loss".to_owned(), report.train_loss),
                ("epoch/number".to_owned(), report.epoch as f64),
            ];
            let monitored = match self.program.selection() {
                Selection::Metric(metric) if !RECORDED.contains(&metric) => Some(metric),
                _ => None,
            };
            for recorded in RECORDED.into_iter().chain(monitored) {
                if let Some(value) = metrics.as_ref().and_then(|metrics| metrics.get(recorded)) {
                    scalars.push((format!("valid/{}", recorded.name()), value));
                }
            }
            if let Some(error) = report.valid_reconstruction {
                scalars.push((Selection::Reconstruction.to_string(), error));
            }
            let named: Vec<(&str, f64)> = scalars.iter().map(|(tag, value)| (tag.as_str(), *value)).collect();
            self.tracker
                .log_scalars(self.program.replicas()[replica].index(), report.step, &named)?;
            let value = match self.program.selection() {
                Selection::Metric(metric) => metrics.and_then(|metrics| metrics.get(metric)),
                Selection::Reconstruction => report.valid_reconstruction.filter(|error| error.is_finite()),
            };
            values.extend(value);
            scores.push(value.map(|value| sign * value));
        }
        if !values.is_empty() {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let better = self.best.is_none_or(|best| sign * mean > sign * best);
            self.best = if better { Some(mean) } else { self.best };
        }
        self.tracker.flush()?;
        Ok(scores)
    }

    fn interrupted(&self) -> bool {
        self.stop.is_set()
    }
}

impl Recorder<'_> {
    /// Metrics of one replica's validation windows; `None` without any, or when a logit is not finite.
    fn metrics(&self, replica: usize, logits: &[f32]) -> Option<MetricSet> {
        // An autoencoder's validation does not look at classes.
        if !losses::see_classes(&self.program.config().training.loss) {
            return None;
        }
        let windows = &self.program.replicas()[replica].replica().valid;
        let classes = self.program.model().num_classes();
        if windows.is_empty() || logits.iter().any(|logit| !logit.is_finite()) {
            return None;
        }
        let targets = windows
            .iter()
            .map(|&window| self.program.windows()[window as usize].class as usize)
            .collect();
        let probabilities = logits
            .chunks_exact(classes)
            .flat_map(|row| softmax(row.iter().map(|&logit| f64::from(logit))))
            .collect();
        let scores = Scores::new(classes, targets, probabilities).ok()?;
        Some(MetricSet::of(&scores))
    }
}
