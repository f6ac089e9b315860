//! Prediction rows, and scores of windows and subjects made from them.

use serde::{Deserialize, Serialize};

use super::EvaluationError;
use crate::cohort::split::Part;

/// Prediction of one model for one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Variant of the experiment that the model belongs to.
    pub variant: String,
    /// Repeat of the cross-validation, from 0.
    pub repeat: u32,
    /// Fold within the repeat, from 0.
    pub fold: u32,
    /// Seed of the replica.
    pub seed: u64,
    /// Part of the split that the window is in.
    pub part: Part,
    /// Subject that the window was recorded from.
    pub subject: String,
    /// Session of that subject.
    pub session: String,
    /// Start of the window within its session, in seconds.
    pub window_start_secs: f64,
    /// Class that was observed, as an index into the declared classes.
    pub target: u32,
    /// One logit per declared class, before the softmax.
    pub logits: Vec<f32>,
}

impl Prediction {
    /// Variant, repeat, fold, seed, part, subject, session and window, for messages.
    pub(super) fn describe(&self) -> String {
        format!(
            "variant `{}`, repeat {}, fold {}, seed {}, {}, subject `{}`, session `{}`, window at {} s",
            self.variant,
            self.repeat,
            self.fold,
            self.seed,
            self.part,
            self.subject,
            self.session,
            self.window_start_secs
        )
    }

    /// Checks what evaluation relies on: logit count, target range, finite numbers.
    pub(super) fn check(&self, row: usize, num_classes: usize) -> Result<(), EvaluationError> {
        let problem = if self.logits.len() != num_classes {
            format!("{} logits for {num_classes} declared classes", self.logits.len())
        } else if self.target as usize >= num_classes {
            format!(
                "target {} but only {num_classes} classes are declared, counted from 0",
                self.target
            )
        } else if let Some(logit) = self.logits.iter().find(|logit| !logit.is_finite()) {
            format!("logit is {logit}; the model diverged, so leave its rows out explicitly")
        } else if !self.window_start_secs.is_finite() {
            format!("window start is {}", self.window_start_secs)
        } else {
            return Ok(());
        };
        Err(EvaluationError::Row {
            row,
            place: self.describe(),
            problem,
        })
    }
}

/// How the windows of a subject become one prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectScore {
    /// Mean over windows of the softmax probabilities: each window has one bounded vote.
    #[default]
    MeanProbability,
    /// Softmax of the mean logits, the normalised geometric mean of the probabilities: a sure window outweighs others.
    MeanLogits,
}

/// Class probabilities and targets of some items, windows or subjects.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    num_classes: usize,
    targets: Vec<usize>,
    probabilities: Vec<f64>,
}

impl Scores {
    /// `probabilities` is `[item, class]`, row-major; `targets` holds one class index per item.
    ///
    /// # Errors
    /// When there are fewer than two classes, the lengths disagree, a target is no class, or a probability is not in
    /// `[0, 1]`. Rows are not required to sum to exactly 1.
    pub fn new(num_classes: usize, targets: Vec<usize>, probabilities: Vec<f64>) -> Result<Self, EvaluationError> {
        if num_classes < 2 {
            return Err(EvaluationError::TooFewClasses { found: num_classes });
        }
        let problem = if probabilities.len() != num_classes * targets.len() {
            Some(format!("{} probabilities", probabilities.len()))
        } else if let Some(target) = targets.iter().find(|&&target| target >= num_classes) {
            Some(format!("target {target}"))
        } else {
            let outside = probabilities
                .iter()
                .find(|probability| !(0.0..=1.0).contains(*probability));
            outside.map(|probability| format!("probability {probability}"))
        };
        match problem {
            Some(problem) => Err(EvaluationError::Scores {
                rows: targets.len(),
                classes: num_classes,
                problem,
            }),
            None => Ok(Self {
                num_classes,
                targets,
                probabilities,
            }),
        }
    }

    /// Number of classes declared, present or not.
    pub fn num_classes(&self) -> usize {
        self.num_classes
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Class index of each item.
    pub fn targets(&self) -> &[usize] {
        &self.targets
    }

    /// Target and class probabilities of each item.
    pub fn rows(&self) -> impl Iterator<Item = (usize, &[f64])> {
        self.targets
            .iter()
            .copied()
            .zip(self.probabilities.chunks_exact(self.num_classes))
    }

    /// Probability of `class` for each item.
    pub fn of_class(&self, class: usize) -> Vec<f64> {
        self.rows().filter_map(|(_, row)| row.get(class).copied()).collect()
    }

    /// The items at `indices`, in that order, repeats allowed; an index out of range is left out.
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut selected = Self::with_capacity(self.num_classes, indices.len());
        for &index in indices {
            let row = self
                .probabilities
                .get(index * self.num_classes..(index + 1) * self.num_classes);
            if let (Some(&target), Some(row)) = (self.targets.get(index), row) {
                selected.push(target, row);
            }
        }
        selected
    }

    /// Appends the items of `other`, which must have as many classes.
    pub(super) fn extend(&mut self, other: &Self) {
        self.targets.extend_from_slice(&other.targets);
        self.probabilities.extend_from_slice(&other.probabilities);
    }

    pub(super) fn with_capacity(num_classes: usize, rows: usize) -> Self {
        Self {
            num_classes,
            targets: Vec::with_capacity(rows),
            probabilities: Vec::with_capacity(rows * num_classes),
        }
    }

    fn push(&mut self, target: usize, row: &[f64]) {
        self.targets.push(target);
        self.probabilities.extend_from_slice(row);
    }

    /// One item per prediction. The rows must have passed [`Prediction::check`].
    pub(super) fn of_windows(rows: &[&Prediction], num_classes: usize) -> Self {
        let mut scores = Self::with_capacity(num_classes, rows.len());
        for row in rows {
            scores.push(
                row.target as usize,
                &softmax(row.logits.iter().map(|&logit| f64::from(logit))),
            );
        }
        scores
    }

    /// One item per run of rows with the same subject; rows must be sorted by subject and checked.
    pub(super) fn of_subjects(
        rows: &[&Prediction],
        num_classes: usize,
        score: SubjectScore,
    ) -> Result<Self, EvaluationError> {
        let mut scores = Self::with_capacity(num_classes, 0);
        for windows in rows.chunk_by(|a, b| a.subject == b.subject) {
            let Some(first) = windows.first() else { continue };
            if let Some(other) = windows.iter().find(|window| window.target != first.target) {
                return Err(EvaluationError::MixedTargets {
                    variant: first.variant.clone(),
                    subject: first.subject.clone(),
                    first: first.target as usize,
                    second: other.target as usize,
                });
            }
            let mut mean = vec![0.0; num_classes];
            for window in windows {
                let logits = window.logits.iter().map(|&logit| f64::from(logit));
                let values: Vec<f64> = match score {
                    SubjectScore::MeanProbability => softmax(logits),
                    SubjectScore::MeanLogits => logits.collect(),
                };
                mean.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            mean.iter_mut().for_each(|sum| *sum /= windows.len() as f64);
            let row = match score {
                // The sum of n probabilities divided by n can round to just above 1.
                SubjectScore::MeanProbability => mean.into_iter().map(|p| p.min(1.0)).collect(),
                SubjectScore::MeanLogits => softmax(mean.into_iter()),
            };
            scores.push(first.target as usize, &row);
        }
        Ok(scores)
    }
}

/// Softmax with the largest logit subtracted first, so that no finite logits overflow.
pub fn softmax(logits: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let largest = logits.clone().fold(f64::NEG_INFINITY, f64::max);
    let mut row: Vec<f64> = logits.map(|logit| (logit - largest).exp()).collect();
    let total: f64 = row.iter().sum();
    row.iter_mut().for_each(|value| *value /= total);
    row
}

/// The class with the largest probability, the lowest index among equals; `None` for an empty row.
pub fn predicted_class(row: &[f64]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (class, &probability) in row.iter().enumerate() {
        if best.is_none_or(|(_, largest)| probability > largest) {
            best = Some((class, probability));
        }
    }
    best.map(|(class, _)| class)
}
