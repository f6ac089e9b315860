//! From stored predictions to metrics, intervals, tables and comparisons.
//!
//! Everything here is a pure function of stored [`Prediction`] rows, so every number of a report can be derived again
//! from `predictions.parquet`. Three choices hold throughout:
//!
//! - **Two levels.** A metric is computed over windows and over subjects. A subject's score is the mean of the softmax
//!   probabilities of its windows ([`SubjectScore::MeanProbability`]) or the softmax of their mean logits.
//! - **The headline is the mean over folds**, seeds averaged within a fold first, with the corrected t interval of
//!   Nadeau and Bengio. Predictions pooled over folds give the confusion matrix and bootstrap intervals, but never an
//!   AUC: scores of models from different folds share no scale, so a pooled ranking mixes them.
//! - **Undefined is `None`, never NaN**, and never silently replaced. The one exception is stated where it is made:
//!   precision, recall, specificity and F1 count a division by zero as 0.

pub mod ablation;
pub mod bootstrap;
pub mod calibration;
pub mod compare;
pub mod consistency;
pub mod curves;
pub mod evaluate;
pub mod intervals;
pub mod metrics;
pub mod prediction;
pub mod significance;
pub mod table;

pub use ablation::{ABLATION_METRICS, Ablation, AblationRow, Verdict};
pub use bootstrap::{Bootstrap, bootstrap};
pub use compare::{Comparison, compare, compare_to_baseline};
pub use evaluate::{
    Evaluation, EvaluationOptions, FoldEvaluation, Level, PooledEvaluation, VariantEvaluation, evaluate,
};
pub use intervals::{Interval, Method, corrected_t_interval, t_interval};
pub use metrics::{Confusion, Metric, MetricSet, Monitor};
pub use prediction::{Prediction, Scores, SubjectScore, softmax};
pub use table::{markdown, table};

use crate::base::{Class, Classified};
use crate::cohort::split::Part;

/// Errors of predictions, options and comparisons.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum EvaluationError {
    /// No row of the wanted part.
    #[error("no predictions of part `{part}` to evaluate; were the models run on it?")]
    NoPredictions {
        /// The part asked for.
        part: Part,
    },
    /// Fewer than two classes.
    #[error("a classification needs at least two classes, {found} declared")]
    TooFewClasses {
        /// The number of classes declared.
        found: usize,
    },
    /// One prediction row cannot be used.
    #[error("prediction row {row} ({place}): {problem}")]
    Row {
        /// Position in the slice of predictions, from 0.
        row: usize,
        /// Variant, repeat, fold, seed, part, subject and window of the row.
        place: String,
        /// Finding and expectation.
        problem: String,
    },
    /// Two rows describe the same window.
    #[error("two predictions for the same window ({place}); was a run appended to the predictions of another?")]
    DuplicateWindow {
        /// Variant, repeat, fold, seed, part, subject and window of both rows.
        place: String,
    },
    /// Windows of one subject carry different targets, so the subject has no single outcome.
    #[error(
        "subject `{subject}` has windows of classes {first} and {second} (variant `{variant}`), so it has no single \
         target; set `subject_score` to none to evaluate windows only"
    )]
    MixedTargets {
        /// The variant.
        variant: String,
        /// The subject.
        subject: String,
        /// The class of its first window.
        first: usize,
        /// A different class of a later window.
        second: usize,
    },
    /// Two folds of one repeat test the same subject.
    #[error(
        "subject `{subject}` is tested in folds {first} and {second} of repeat {repeat} (variant `{variant}`); folds of \
         one repeat must not share test subjects"
    )]
    SubjectInTwoFolds {
        /// The variant.
        variant: String,
        /// The repeat.
        repeat: u32,
        /// The subject.
        subject: String,
        /// The lower fold.
        first: u32,
        /// The higher fold.
        second: u32,
    },
    /// An option out of its range.
    #[error("`{option}` is {found}; expected {expected}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// The value given.
        found: String,
        /// The values allowed.
        expected: &'static str,
    },
    /// A name that is no metric.
    #[error("unknown metric `{name}`; known: {known}")]
    UnknownMetric {
        /// The name given.
        name: String,
        /// All names, comma separated.
        known: String,
    },
    /// A monitored value that is not `part/metric`.
    #[error(
        "cannot monitor `{name}`; expected `train/`, `valid/` or `test/` and a metric, such as `valid/balanced_accuracy`"
    )]
    Monitor {
        /// The text given.
        name: String,
    },
    /// Scores whose shapes do not fit each other.
    #[error("scores of {rows} rows and {classes} classes need {} probabilities and targets below {classes}: {problem}", rows * classes)]
    Scores {
        /// Number of targets.
        rows: usize,
        /// Number of classes.
        classes: usize,
        /// Text that was found.
        problem: String,
    },
    /// Two variants cannot be compared pairwise.
    #[error("`{a}` and `{b}` cannot be compared: {difference}")]
    FoldsDiffer {
        /// First variant.
        a: String,
        /// Second variant.
        b: String,
        /// The first difference found.
        difference: String,
    },
}

impl Classified for EvaluationError {
    fn class(&self) -> Class {
        Class::Input
    }
}
