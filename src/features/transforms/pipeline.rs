//! The steps fitted one after the other.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::config::{FitConfig, positions, problems};
use super::encode::{categories, one_hot, ordinal};
use super::impute::KnnImputer;
use super::lasso::{Design, LassoModel, alpha_grid, cross_validation_errors};
use super::pca::Pca;
use super::rows::{TrainRows, finite, finite_mean, finite_values};
use crate::features::signals::Column;
use crate::signal::statistics::{extremes, population_std};

/// A fitted pipeline; what a run stores beside its model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    inputs: Vec<Column>,
    outputs: Vec<Column>,
    steps: Vec<Step>,
    notes: Vec<String>,
}

/// A fitted step. Lists have one entry per column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// `(x - mean) / std`.
    ZScore {
        /// Mean of the training rows; 0 without values.
        mean: Vec<f64>,
        /// Population standard deviation; 1 for a constant column.
        std: Vec<f64>,
    },
    /// `offset + x * factor`, then cut to `clip`.
    Range {
        /// `low - min * factor`.
        offset: Vec<f64>,
        /// `(high - low) / (max - min)`, of a constant column `high - low`.
        factor: Vec<f64>,
        /// `low` and `high`.
        clip: Option<[f64; 2]>,
    },
    /// Missing values replaced.
    ImputeMean {
        /// Mean of the training rows; a column without one becomes 0 as a whole.
        fill: Vec<Option<f64>>,
        /// Whether 0/1 columns follow.
        indicators: bool,
    },
    /// Missing values replaced.
    ImputeKnn {
        /// The donors.
        imputer: KnnImputer,
        /// Whether 0/1 columns follow.
        indicators: bool,
    },
    /// Columns replaced by one per category.
    OneHot {
        /// Their indices.
        columns: Vec<usize>,
        /// Training rows that they are compared with.
        categories: Vec<f64>,
    },
    /// Values replaced by positions among the categories.
    Ordinal {
        /// Indices of the columns and the categories of each.
        columns: Vec<(usize, Vec<f64>)>,
    },
    /// Columns replaced by components.
    Pca {
        /// The components.
        pca: Pca,
    },
    /// Columns set to 0.
    Lasso {
        /// Whether a column stays.
        keep: Vec<bool>,
        /// The models that decided.
        models: Vec<LassoModel>,
    },
}

impl Pipeline {
    /// Fits the steps in order. `columns` are those of the rows.
    ///
    /// # Errors
    /// All [`problems`] of the configuration, or the step that cannot be fitted on these rows.
    pub fn fit(config: &[FitConfig], columns: &[Column], train: &TrainRows) -> Result<Self, String> {
        if columns.len() != train.values.ncols() {
            return Err(format!(
                "rows of {} values, expected {} columns",
                train.values.ncols(),
                columns.len()
            ));
        }
        let problems = problems(config, columns);
        if !problems.is_empty() {
            return Err(problems.join("\n"));
        }
        let mut pipeline = Self {
            inputs: columns.to_vec(),
            outputs: columns.to_vec(),
            steps: Vec::new(),
            notes: Vec::new(),
        };
        let mut train = train.clone();
        for (index, config) in config.iter().enumerate() {
            let place = format!("step {} ({})", index + 1, config.kind());
            let mut notes = Vec::new();
            let step = Step::fit(config, &pipeline.outputs, &train, &mut notes);
            let step = step.map_err(|problem| format!("{place}: {problem}"))?;
            train.values = step.transform(train.values);
            pipeline.outputs = config.columns_after(&pipeline.outputs)?;
            pipeline.steps.push(step);
            pipeline
                .notes
                .extend(notes.into_iter().map(|note| format!("{place}: {note}")));
        }
        Ok(pipeline)
    }

    /// Applies the steps to rows of any subject, each row by itself: `[rows, inputs]` to `[rows, columns]`.
    ///
    /// # Errors
    /// For rows of another width than the one fitted.
    pub fn transform(&self, values: ArrayView2<f64>) -> Result<Array2<f64>, String> {
        if values.ncols() != self.inputs.len() {
            return Err(format!(
                "rows of {} values, expected {} columns",
                values.ncols(),
                self.inputs.len()
            ));
        }
        let out = self
            .steps
            .iter()
            .fold(finite(values.to_owned()), |values, step| step.transform(values));
        match out.ncols() == self.outputs.len() {
            true => Ok(out),
            false => Err(format!(
                "the stored steps put out {} columns, expected {}",
                out.ncols(),
                self.outputs.len()
            )),
        }
    }

    /// The columns put in.
    pub fn inputs(&self) -> &[Column] {
        &self.inputs
    }

    /// The columns put out.
    pub fn columns(&self) -> &[Column] {
        &self.outputs
    }

    /// Fitted steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Notes for a reader of the results: columns without training values, selections of nothing.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Step {
    fn fit(config: &FitConfig, columns: &[Column], train: &TrainRows, notes: &mut Vec<String>) -> Result<Self, String> {
        let per_column = |of: &dyn Fn(ArrayView1<f64>) -> f64| train.values.columns().into_iter().map(of).collect();
        let mut note_empty = || {
            let empty = train
                .values
                .columns()
                .into_iter()
                .zip(columns)
                .filter(|(values, _)| finite_mean(*values).is_none());
            notes.extend(empty.map(|(_, column)| format!("`{}` has no training value; it becomes 0", column.name)));
        };
        Ok(match config {
            FitConfig::ZScore {} => Self::ZScore {
                mean: per_column(&|column| finite_mean(column).unwrap_or(0.0)),
                std: per_column(&|column| {
                    let std = finite_mean(column).map(|mean| population_std(finite_values(column), mean));
                    std.filter(|&std| std > 0.0).unwrap_or(1.0)
                }),
            },
            FitConfig::Range { low, high, clip } => {
                let factor = |column: ArrayView1<f64>| match extremes(finite_values(column)) {
                    Some((min, max)) if max > min => (high - low) / (max - min),
                    _ => high - low,
                };
                let offset = |column: ArrayView1<f64>| {
                    low - extremes(finite_values(column)).map_or(0.0, |(min, _)| min * factor(column))
                };
                let (offset, factor) = (per_column(&offset), per_column(&factor));
                Self::Range {
                    offset,
                    factor,
                    clip: clip.then_some([*low, *high]),
                }
            }
            FitConfig::ImputeMean { indicators } => {
                note_empty();
                let fill = train.values.columns().into_iter().map(finite_mean).collect();
                Self::ImputeMean {
                    fill,
                    indicators: *indicators,
                }
            }
            FitConfig::ImputeKnn {
                neighbors,
                weights,
                indicators,
            } => {
                note_empty();
                let imputer = KnnImputer::fit(train.values.view(), *neighbors, *weights);
                Self::ImputeKnn {
                    imputer,
                    indicators: *indicators,
                }
            }
            FitConfig::OneHot {
                columns: chosen,
                categories,
            } => Self::OneHot {
                columns: positions(chosen, columns)?,
                categories: categories.clone(),
            },
            FitConfig::Ordinal {
                columns: chosen,
                categories: declared,
            } => {
                let of = |index: usize| match declared.is_empty() {
                    true => (index, categories(train.values.column(index))),
                    false => (index, declared.clone()),
                };
                Self::Ordinal {
                    columns: positions(chosen, columns)?.into_iter().map(of).collect(),
                }
            }
            FitConfig::Pca { components, variance } => Self::Pca {
                pca: Pca::fit(train.values.view(), *components, *variance)?,
            },
            FitConfig::Lasso { alphas, folds } => {
                let models = select(train, *alphas, *folds, notes)?;
                let keep = |column| {
                    models
                        .iter()
                        .any(|model| model.coefficients.get(column).is_some_and(|&b| b != 0.0))
                };
                Self::Lasso {
                    keep: (0..columns.len()).map(keep).collect(),
                    models,
                }
            }
        })
    }

    fn transform(&self, mut values: Array2<f64>) -> Array2<f64> {
        match self {
            Self::ZScore { mean, std } => {
                for mut row in values.rows_mut() {
                    for ((x, mean), std) in row.iter_mut().zip(mean).zip(std) {
                        *x = (*x - mean) / std;
                    }
                }
                values
            }
            Self::Range { offset, factor, clip } => {
                for mut row in values.rows_mut() {
                    for ((x, offset), factor) in row.iter_mut().zip(offset).zip(factor) {
                        *x = offset + *x * factor;
                        if let Some([low, high]) = clip {
                            // Not `clamp`: it panics where a stored range is none.
                            *x = if *x < *low {
                                *low
                            } else if *x > *high {
                                *high
                            } else {
                                *x
                            };
                        }
                    }
                }
                values
            }
            Self::ImputeMean { fill, indicators } => with_indicators(values, *indicators, |values| {
                for mut row in values.rows_mut() {
                    for (x, fill) in row.iter_mut().zip(fill) {
                        *x = fill.map_or(0.0, |fill| if x.is_finite() { *x } else { fill });
                    }
                }
            }),
            Self::ImputeKnn { imputer, indicators } => {
                with_indicators(values, *indicators, |values| imputer.transform(values))
            }
            Self::OneHot { columns, categories } => one_hot(&values, columns, categories),
            Self::Ordinal { columns } => {
                for mut row in values.rows_mut() {
                    for (column, categories) in columns {
                        row.get_mut(*column)
                            .into_iter()
                            .for_each(|x| *x = ordinal(*x, categories));
                    }
                }
                values
            }
            Self::Pca { pca } => pca.transform(&values),
            Self::Lasso { keep, .. } => {
                for (mut column, _) in values.columns_mut().into_iter().zip(keep).filter(|(_, keep)| !**keep) {
                    column.fill(0.0);
                }
                values
            }
        }
    }
}

/// Fills `values`, and appends what was missing as 0/1 columns.
fn with_indicators(mut values: Array2<f64>, indicators: bool, fill: impl FnOnce(&mut Array2<f64>)) -> Array2<f64> {
    let missing = indicators.then(|| values.mapv(|x| f64::from(u8::from(!x.is_finite()))));
    fill(&mut values);
    match missing {
        None => values,
        Some(missing) => {
            let width = values.ncols();
            let mut both = Array2::zeros((values.nrows(), 2 * width));
            for ((mut both, values), missing) in both.rows_mut().into_iter().zip(values.rows()).zip(missing.rows()) {
                both.iter_mut()
                    .zip(values.iter().chain(missing))
                    .for_each(|(slot, x)| *slot = *x);
            }
            both
        }
    }
}

/// One model per class against the others, one in all for two classes.
fn select(train: &TrainRows, alphas: usize, folds: usize, notes: &mut Vec<String>) -> Result<Vec<LassoModel>, String> {
    let mut classes = train.classes.clone();
    classes.sort_unstable();
    classes.dedup();
    if classes.len() < 2 {
        return Err("the training rows have one class, expected at least 2".into());
    }
    let skipped = usize::from(classes.len() == 2);
    let classes = classes.split_off(skipped);
    let target = |&class: &usize| -> Array1<f64> {
        train
            .classes
            .iter()
            .map(|&other| f64::from(u8::from(other == class)))
            .collect()
    };
    let targets: Vec<Array1<f64>> = classes.iter().map(target).collect();
    let fold_of_row = folds_by_subject(train, folds)?;
    let design = Design::new(train.values.view());
    let grids: Vec<Vec<f64>> = targets
        .iter()
        .map(|target| alpha_grid(&design, target, alphas))
        .collect();
    let errors = cross_validation_errors(train.values.view(), &targets, &grids, &fold_of_row);
    let mut models = Vec::new();
    for (((class, target), grid), errors) in classes.into_iter().zip(&targets).zip(&grids).zip(&errors) {
        // Penalties descend, and `min_by` keeps the first of equals.
        let best = errors
            .iter()
            .enumerate()
            .min_by(|a, b| a.1.total_cmp(b.1))
            .map_or(0, |(index, _)| index);
        let path = design.path(target, grid.get(..=best).unwrap_or_default());
        if path.num_unsettled > 0 {
            notes.push(format!(
                "class {class}: {} penalties did not converge",
                path.num_unsettled
            ));
        }
        let last = path.coefficients.rows().into_iter().next_back();
        let coefficients = last.map_or_else(|| vec![0.0; train.values.ncols()], |b| b.to_vec());
        if coefficients.iter().all(|&b| b == 0.0) {
            notes.push(format!("class {class}: no column is selected"));
        }
        let alpha = grid.get(best).copied().unwrap_or(0.0);
        let intercept = path.intercepts.last().copied().or(target.mean()).unwrap_or(0.0);
        models.push(LassoModel {
            class,
            alpha,
            intercept,
            coefficients,
        });
    }
    Ok(models)
}

/// Deals the subjects, class by class and by id, to the folds in turn. The class of a subject is that of its first row.
fn folds_by_subject(train: &TrainRows, folds: usize) -> Result<Vec<usize>, String> {
    let mut class_of = BTreeMap::new();
    for (&subject, &class) in train.subjects.iter().zip(&train.classes) {
        class_of.entry(subject).or_insert(class);
    }
    let mut subjects: Vec<(usize, usize)> = class_of.into_iter().map(|(subject, class)| (class, subject)).collect();
    subjects.sort_unstable();
    let folds = folds.min(subjects.len());
    if folds < 2 {
        return Err(format!(
            "{folds} training subject, expected at least 2 for the cross-validation"
        ));
    }
    let fold_of: BTreeMap<usize, usize> = subjects
        .into_iter()
        .enumerate()
        .map(|(index, (_, subject))| (subject, index % folds))
        .collect();
    Ok(train
        .subjects
        .iter()
        .map(|subject| fold_of.get(subject).copied().unwrap_or(0))
        .collect())
}
