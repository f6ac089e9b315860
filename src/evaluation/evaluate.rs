//! Predictions -> metrics of every fold, their mean over folds, and what can be pooled.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::EvaluationError;
use super::bootstrap::{Bootstrap, BootstrapIntervals, bootstrap};
use super::intervals::{Interval, corrected_t_interval, t_interval};
use super::metrics::{ClassMetrics, Confusion, Metric, MetricSet};
use super::prediction::{Prediction, Scores, SubjectScore};
use crate::cohort::split::Part;

/// Unit that is counted once: a window or a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Every window is an item; subjects with more windows weigh more.
    Window,
    /// Every subject is an item; see [`SubjectScore`].
    Subject,
}

/// How to evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationOptions {
    /// The part of the split to score.
    pub part: Part,
    /// How windows become one prediction per subject; `None` evaluates windows only, for targets that vary within a
    /// subject.
    pub subject_score: Option<SubjectScore>,
    /// Resampling for pooled predictions; its level is that of every interval.
    pub bootstrap: Bootstrap,
}

impl Default for EvaluationOptions {
    fn default() -> Self {
        Self {
            part: Part::Test,
            subject_score: Some(SubjectScore::MeanProbability),
            bootstrap: Bootstrap::default(),
        }
    }
}

/// Everything derived from the predictions of an experiment; the content of `metrics.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Names of the classes; the last of two is the positive one.
    pub classes: Vec<String>,
    /// How it was made.
    pub options: EvaluationOptions,
    /// One entry per variant, by name.
    pub variants: Vec<VariantEvaluation>,
}

impl Evaluation {
    /// The variant of that name.
    pub fn variant(&self, name: &str) -> Option<&VariantEvaluation> {
        self.variants.iter().find(|variant| variant.variant == name)
    }
}

/// One variant over all of its folds and seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariantEvaluation {
    /// Name of the variant.
    pub variant: String,
    /// One entry per model, by (repeat, fold, seed).
    pub folds: Vec<FoldEvaluation>,
    /// Mean over (repeat, fold) of n_test / n_train in subjects, the correction of the t interval.
    pub test_to_train: Option<f64>,
    /// Per level, the mean of every metric over folds: the headline.
    ///
    /// Seeds are averaged within their fold first, then the corrected t interval is taken over the (repeat, fold) values
    /// that are defined; `num_items` counts them. With a single fold it is the plain t interval over its seeds.
    pub mean: BTreeMap<Level, BTreeMap<Metric, Interval>>,
    /// Test predictions pooled over the folds of each (repeat, seed); empty for other parts, whose rows overlap.
    pub pooled: Vec<PooledEvaluation>,
}

/// The metrics of one model: one (repeat, fold, seed).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldEvaluation {
    /// Repeat of the cross-validation.
    pub repeat: u32,
    /// Fold within the repeat.
    pub fold: u32,
    /// Seed of the replica.
    pub seed: u64,
    /// Subjects scored, sorted.
    pub subjects: Vec<String>,
    /// Number of windows scored.
    pub num_windows: usize,
    /// Subjects trained on: those of the stored train rows; else, the test subjects of the repeat's other folds
    /// without this fold's valid subjects. `None` when neither is known, and for part `train`.
    pub num_train_subjects: Option<usize>,
    /// Metrics per level.
    pub metrics: BTreeMap<Level, MetricSet>,
    /// Metrics of each class against the rest, per level, in the order of the classes.
    pub per_class: BTreeMap<Level, Vec<ClassMetrics>>,
}

/// Predictions of all folds of one (repeat, seed) taken together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PooledEvaluation {
    /// Repeat of the cross-validation.
    pub repeat: u32,
    /// Seed of the replicas.
    pub seed: u64,
    /// Number of folds pooled.
    pub num_folds: usize,
    /// Counts per level, by target (row) and predicted class (column).
    pub confusion: BTreeMap<Level, Confusion>,
    /// Subject-level metrics with intervals from resampling subjects within their class. Without the AUCs when more
    /// than one fold is pooled: scores of different models share no scale. Empty when subjects are not evaluated.
    pub subject_metrics: BTreeMap<Metric, BootstrapIntervals>,
}

/// The scored rows of one model.
struct Cell<'a> {
    repeat: u32,
    fold: u32,
    seed: u64,
    scored: Vec<&'a Prediction>,
    train: BTreeSet<&'a str>,
    valid: BTreeSet<&'a str>,
    test: BTreeSet<&'a str>,
}

/// Evaluates one part of stored predictions; rows of the other parts only count the subjects trained on.
///
/// The result does not depend on the order of `predictions`.
///
/// # Errors
/// On a row that does not fit `classes` or is not finite, duplicates, nothing to score, subjects with two targets (see
/// [`EvaluationOptions::subject_score`]), a subject tested in two folds of a repeat, and options out of range.
pub fn evaluate(
    predictions: &[Prediction],
    classes: &[String],
    options: &EvaluationOptions,
) -> Result<Evaluation, EvaluationError> {
    check_options(options, classes.len())?;
    for (row, prediction) in predictions.iter().enumerate() {
        prediction.check(row, classes.len())?;
    }
    let rows = sorted(predictions)?;
    let mut variants = Vec::new();
    for rows in rows.chunk_by(|a, b| a.variant == b.variant) {
        let cells = cells(rows, options.part);
        if let (Some(first), false) = (rows.first(), cells.is_empty()) {
            variants.push(evaluate_variant(&first.variant, &cells, classes.len(), options)?);
        }
    }
    if variants.is_empty() {
        return Err(EvaluationError::NoPredictions { part: options.part });
    }
    Ok(Evaluation {
        classes: classes.to_vec(),
        options: *options,
        variants,
    })
}

fn check_options(options: &EvaluationOptions, num_classes: usize) -> Result<(), EvaluationError> {
    if num_classes < 2 {
        return Err(EvaluationError::TooFewClasses { found: num_classes });
    }
    let Bootstrap { replicates, level, .. } = options.bootstrap;
    if !(level > 0.0 && level < 1.0) {
        let (option, expected) = ("bootstrap.level", "a number between 0 and 1, both excluded");
        return Err(EvaluationError::Option {
            option,
            found: level.to_string(),
            expected,
        });
    }
    if replicates == 0 {
        let (option, expected) = ("bootstrap.replicates", "at least 1, 2000 for publication");
        return Err(EvaluationError::Option {
            option,
            found: replicates.to_string(),
            expected,
        });
    }
    Ok(())
}

/// Rows in a fixed order, so that sums are too; two rows of the same window are an error.
fn sorted(predictions: &[Prediction]) -> Result<Vec<&Prediction>, EvaluationError> {
    let order = |a: &Prediction, b: &Prediction| {
        (
            &a.variant,
            a.repeat,
            a.fold,
            a.seed,
            a.part as u8,
            &a.subject,
            &a.session,
        )
            .cmp(&(
                &b.variant,
                b.repeat,
                b.fold,
                b.seed,
                b.part as u8,
                &b.subject,
                &b.session,
            ))
            .then(a.window_start_secs.total_cmp(&b.window_start_secs))
    };
    let mut rows: Vec<&Prediction> = predictions.iter().collect();
    rows.sort_by(|a, b| order(a, b));
    for pair in rows.windows(2) {
        if let [a, b] = pair
            && order(a, b).is_eq()
        {
            return Err(EvaluationError::DuplicateWindow { place: a.describe() });
        }
    }
    Ok(rows)
}

/// The models of one variant that have rows of `part`.
fn cells<'a>(rows: &[&'a Prediction], part: Part) -> Vec<Cell<'a>> {
    let models = rows.chunk_by(|a, b| (a.repeat, a.fold, a.seed) == (b.repeat, b.fold, b.seed));
    let cell = |rows: &[&'a Prediction]| {
        let of_part = |part| rows.iter().copied().filter(move |row| row.part == part);
        let subjects = |part| of_part(part).map(|row| row.subject.as_str()).collect();
        let scored: Vec<&Prediction> = of_part(part).collect();
        let first = scored.first()?;
        Some(Cell {
            repeat: first.repeat,
            fold: first.fold,
            seed: first.seed,
            train: subjects(Part::Train),
            valid: subjects(Part::Valid),
            test: subjects(Part::Test),
            scored,
        })
    };
    models.filter_map(cell).collect()
}

fn evaluate_variant(
    variant: &str,
    cells: &[Cell],
    num_classes: usize,
    options: &EvaluationOptions,
) -> Result<VariantEvaluation, EvaluationError> {
    if options.part == Part::Test {
        check_disjoint(variant, cells)?;
    }
    let scores: Vec<BTreeMap<Level, Scores>> = cells
        .iter()
        .map(|cell| scores_of(cell, num_classes, options.subject_score))
        .collect::<Result<_, _>>()?;
    let folds: Vec<FoldEvaluation> = cells
        .iter()
        .zip(&scores)
        .map(|(cell, scores)| FoldEvaluation {
            repeat: cell.repeat,
            fold: cell.fold,
            seed: cell.seed,
            subjects: subjects_scored(cell),
            num_windows: cell.scored.len(),
            num_train_subjects: num_train_subjects(cell, cells, options.part),
            metrics: scores
                .iter()
                .map(|(&level, scores)| (level, MetricSet::of(scores)))
                .collect(),
            per_class: scores
                .iter()
                .map(|(&level, scores)| (level, Confusion::of(scores).per_class()))
                .collect(),
        })
        .collect();
    let test_to_train = mean_test_to_train(&folds);
    let levels = if options.subject_score.is_some() {
        vec![Level::Window, Level::Subject]
    } else {
        vec![Level::Window]
    };
    let mean_of = |level| {
        let interval = |&metric| {
            (
                metric,
                mean_over_folds(&folds, level, metric, test_to_train, options.bootstrap.level),
            )
        };
        Metric::ALL.iter().map(interval).collect()
    };
    Ok(VariantEvaluation {
        variant: variant.to_owned(),
        test_to_train,
        mean: levels.into_iter().map(|level| (level, mean_of(level))).collect(),
        pooled: if options.part == Part::Test {
            pool(cells, &scores, num_classes, options)
        } else {
            Vec::new()
        },
        folds,
    })
}

fn scores_of(
    cell: &Cell,
    num_classes: usize,
    subject_score: Option<SubjectScore>,
) -> Result<BTreeMap<Level, Scores>, EvaluationError> {
    let mut scores = BTreeMap::from([(Level::Window, Scores::of_windows(&cell.scored, num_classes))]);
    if let Some(score) = subject_score {
        scores.insert(Level::Subject, Scores::of_subjects(&cell.scored, num_classes, score)?);
    }
    Ok(scores)
}

fn subjects_scored(cell: &Cell) -> Vec<String> {
    let subjects: BTreeSet<&str> = cell.scored.iter().map(|row| row.subject.as_str()).collect();
    subjects.into_iter().map(str::to_owned).collect()
}

fn num_train_subjects(cell: &Cell, cells: &[Cell], part: Part) -> Option<usize> {
    if part == Part::Train {
        return None;
    }
    if !cell.train.is_empty() {
        return Some(cell.train.len());
    }
    let others = cells
        .iter()
        .filter(|other| (other.repeat, other.seed) == (cell.repeat, cell.seed));
    let subjects: BTreeSet<&str> = others.flat_map(|other| other.test.iter().copied()).collect();
    let count = subjects
        .iter()
        .filter(|subject| !cell.test.contains(*subject) && !cell.valid.contains(*subject))
        .count();
    (count > 0).then_some(count)
}

fn check_disjoint(variant: &str, cells: &[Cell]) -> Result<(), EvaluationError> {
    let mut tested: BTreeMap<(u32, &str), u32> = BTreeMap::new();
    for cell in cells {
        for &subject in &cell.test {
            let first = *tested.entry((cell.repeat, subject)).or_insert(cell.fold);
            if first != cell.fold {
                return Err(EvaluationError::SubjectInTwoFolds {
                    variant: variant.to_owned(),
                    repeat: cell.repeat,
                    subject: subject.to_owned(),
                    first,
                    second: cell.fold,
                });
            }
        }
    }
    Ok(())
}

/// `None` as soon as one fold does not know its training size.
fn mean_test_to_train(folds: &[FoldEvaluation]) -> Option<f64> {
    let ratios: Option<Vec<f64>> = folds
        .iter()
        .map(|fold| Some(fold.subjects.len() as f64 / fold.num_train_subjects? as f64))
        .collect();
    ratios
        .filter(|ratios| !ratios.is_empty())
        .map(|ratios| ratios.iter().sum::<f64>() / ratios.len() as f64)
}

/// The metric of each (repeat, fold), its seeds averaged; folds where it is undefined are left out.
pub(super) fn fold_values(folds: &[FoldEvaluation], level: Level, metric: Metric) -> BTreeMap<(u32, u32), f64> {
    let mut values: BTreeMap<(u32, u32), Vec<f64>> = BTreeMap::new();
    for fold in folds {
        if let Some(value) = fold.metrics.get(&level).and_then(|set| set.get(metric)) {
            values.entry((fold.repeat, fold.fold)).or_default().push(value);
        }
    }
    values
        .into_iter()
        .map(|(key, seeds)| (key, seeds.iter().sum::<f64>() / seeds.len() as f64))
        .collect()
}

fn mean_over_folds(
    folds: &[FoldEvaluation],
    level: Level,
    metric: Metric,
    test_to_train: Option<f64>,
    coverage: f64,
) -> Interval {
    let single_fold = folds.windows(2).all(|pair| match pair {
        [a, b] => (a.repeat, a.fold) == (b.repeat, b.fold),
        _ => true,
    });
    if single_fold && folds.len() > 1 {
        let seeds = folds.iter().filter_map(|fold| fold.metrics.get(&level)?.get(metric));
        return t_interval(&seeds.collect::<Vec<_>>(), coverage);
    }
    let values: Vec<f64> = fold_values(folds, level, metric).into_values().collect();
    corrected_t_interval(&values, test_to_train, coverage)
}

fn pool(
    cells: &[Cell],
    scores: &[BTreeMap<Level, Scores>],
    num_classes: usize,
    options: &EvaluationOptions,
) -> Vec<PooledEvaluation> {
    type Pool = (usize, BTreeMap<Level, Scores>);
    let mut pools: BTreeMap<(u32, u64), Pool> = BTreeMap::new();
    for (cell, scores) in cells.iter().zip(scores) {
        let (num_folds, pooled) = pools.entry((cell.repeat, cell.seed)).or_default();
        *num_folds += 1;
        for (&level, scores) in scores {
            pooled
                .entry(level)
                .or_insert_with(|| Scores::with_capacity(num_classes, 0))
                .extend(scores);
        }
    }
    let evaluation = |((repeat, seed), (num_folds, scores)): ((u32, u64), Pool)| PooledEvaluation {
        repeat,
        seed,
        num_folds,
        confusion: scores
            .iter()
            .map(|(&level, scores)| (level, Confusion::of(scores)))
            .collect(),
        subject_metrics: scores
            .get(&Level::Subject)
            .map(|scores| bootstrap_metrics(scores, num_folds > 1, &options.bootstrap))
            .unwrap_or_default(),
    };
    pools.into_iter().map(evaluation).collect()
}

fn bootstrap_metrics(
    scores: &Scores,
    several_folds: bool,
    options: &Bootstrap,
) -> BTreeMap<Metric, BootstrapIntervals> {
    let metrics: Vec<Metric> = Metric::ALL
        .iter()
        .copied()
        .filter(|metric| !(several_folds && metric.ranks()))
        .collect();
    let statistics = |subjects: &[usize]| {
        let set = MetricSet::of(&scores.select(subjects));
        metrics.iter().map(|&metric| set.get(metric)).collect()
    };
    let intervals = bootstrap(scores.targets(), statistics, options);
    metrics.iter().copied().zip(intervals).collect()
}
