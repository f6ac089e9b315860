//! Settings of the transforms, and the columns that each puts out.

use serde::{Deserialize, Serialize};

use crate::features::signals::Column;

/// One step of the pipeline, such as `{ kind = "impute-knn", neighbors = 5 }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FitConfig {
    /// `(x - mean) / std` with the population standard deviation (`ddof = 0`); a constant column becomes 0, NaN stays.
    ZScore {},
    /// `low + (x - min) / (max - min) (high - low)`; a constant column becomes `low`, NaN stays.
    Range {
        /// Image of the smallest training value.
        #[serde(default)]
        low: f64,
        /// Image of the largest training value.
        #[serde(default = "one")]
        high: f64,
        /// Whether values beyond those of the training rows are cut to `low` and `high`.
        #[serde(default)]
        clip: bool,
    },
    /// Missing values become the mean of the column.
    ImputeMean {
        /// Whether a 0/1 column per column follows that tells what was missing.
        #[serde(default)]
        indicators: bool,
    },
    /// Missing values become the mean of the nearest training rows that have one. The distance of two rows is that of
    /// the columns which both have, `d^2 = columns / columns in both * sum (x - y)^2`: scale before.
    ImputeKnn {
        /// How many rows.
        #[serde(default = "default_neighbors")]
        neighbors: usize,
        /// Weight of each of them.
        #[serde(default)]
        weights: KnnWeights,
        /// Whether a 0/1 column per column follows that tells what was missing.
        #[serde(default)]
        indicators: bool,
    },
    /// Each of the columns is replaced by one 0/1 column per category; another value and NaN are all zeros. The
    /// categories are declared, not found, so that folds which miss one have the same columns.
    OneHot {
        /// Names of the columns.
        columns: Vec<String>,
        /// The values that these columns have.
        categories: Vec<f64>,
    },
    /// The values of the columns become their positions 0, 1, 2, ... in the list of categories; another value becomes
    /// NaN.
    Ordinal {
        /// Names of the columns.
        columns: Vec<String>,
        /// The values in their order; without, those of the training rows, ascending.
        #[serde(default)]
        categories: Vec<f64>,
    },
    /// All columns are replaced by their principal components, in descending order of variance.
    Pca {
        /// Number of components; not more than there are columns.
        components: usize,
        /// Keep only the first components that together have this share of the variance; the others are 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        variance: Option<f64>,
    },
    /// Keeps the columns that LASSO selects and sets the others to 0. One model per class against the others (one in
    /// all for two classes) on 0/1 targets; a column stays if any model has it. The penalty of each model is the one
    /// with the least squared error in cross-validation by subject inside the training rows, the larger among equals.
    Lasso {
        /// Number of penalties to try, falling geometrically from the smallest that selects nothing to a thousandth.
        #[serde(default = "default_alphas")]
        alphas: usize,
        /// Number of folds; at most one per subject.
        #[serde(default = "default_folds")]
        folds: usize,
    },
}

/// Weight of a neighbour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnnWeights {
    /// As much as the others.
    #[default]
    Uniform,
    /// The inverse of its distance; neighbours at distance 0 count alone.
    Distance,
}

fn one() -> f64 {
    1.0
}

fn default_neighbors() -> usize {
    5
}

fn default_alphas() -> usize {
    100
}

fn default_folds() -> usize {
    5
}

impl FitConfig {
    /// The step's name in configurations.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ZScore {} => "z-score",
            Self::Range { .. } => "range",
            Self::ImputeMean { .. } => "impute-mean",
            Self::ImputeKnn { .. } => "impute-knn",
            Self::OneHot { .. } => "one-hot",
            Self::Ordinal { .. } => "ordinal",
            Self::Pca { .. } => "pca",
            Self::Lasso { .. } => "lasso",
        }
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::ZScore {} | Self::ImputeMean { .. } => Ok(()),
            Self::Range { low, high, .. } => match low < high && low.is_finite() && high.is_finite() {
                true => Ok(()),
                false => Err(format!(
                    "`low` is {low} and `high` {high}, expected finite numbers in this order"
                )),
            },
            Self::ImputeKnn { neighbors, .. } => at_least("neighbors", *neighbors, 1),
            Self::OneHot { categories, .. } if categories.is_empty() => {
                Err("`categories` is empty, expected the values of the columns".into())
            }
            Self::OneHot { categories, .. } | Self::Ordinal { categories, .. } => distinct(categories),
            Self::Pca {
                variance: Some(share), ..
            } if !(*share > 0.0 && *share <= 1.0) => Err(format!("`variance` is {share}, expected a share in (0, 1]")),
            Self::Pca { components, .. } => at_least("components", *components, 1),
            Self::Lasso { alphas, folds } => at_least("alphas", *alphas, 2).and(at_least("folds", *folds, 2)),
        }
    }

    /// The columns after this step.
    pub(super) fn columns_after(&self, columns: &[Column]) -> Result<Vec<Column>, String> {
        self.check()?;
        let plain = |name: String| Column { name, unit: "1".into() };
        let same = || columns.iter().map(|column| plain(column.name.clone())).collect();
        Ok(match self {
            Self::ZScore {} | Self::Range { .. } => same(),
            Self::Lasso { .. } | Self::ImputeMean { indicators: false } | Self::ImputeKnn { indicators: false, .. } => {
                columns.to_vec()
            }
            Self::ImputeMean { .. } | Self::ImputeKnn { .. } => {
                let indicators = columns.iter().map(|column| plain(format!("{}.missing", column.name)));
                columns.iter().cloned().chain(indicators).collect()
            }
            Self::OneHot {
                columns: chosen,
                categories,
            } => {
                let chosen = positions(chosen, columns)?;
                let replace = |(index, column): (usize, &Column)| match chosen.contains(&index) {
                    true => categories
                        .iter()
                        .map(|value| plain(format!("{}={value}", column.name)))
                        .collect(),
                    false => vec![column.clone()],
                };
                columns.iter().enumerate().flat_map(replace).collect()
            }
            Self::Ordinal { columns: chosen, .. } => {
                let chosen = positions(chosen, columns)?;
                let mut columns = columns.to_vec();
                for index in chosen {
                    if let Some(column) = columns.get_mut(index) {
                        column.unit = "1".into();
                    }
                }
                columns
            }
            Self::Pca { components, .. } => (1..=columns.len().min(*components))
                .map(|number| plain(format!("pc{number}")))
                .collect(),
        })
    }
}

fn at_least(key: &str, value: usize, least: usize) -> Result<(), String> {
    match value >= least {
        true => Ok(()),
        false => Err(format!("`{key}` is {value}, expected at least {least}")),
    }
}

fn distinct(categories: &[f64]) -> Result<(), String> {
    for (index, value) in categories.iter().enumerate() {
        if !value.is_finite() || categories.iter().take(index).any(|other| other == value) {
            return Err(format!("`categories` has {value} twice or as no finite number"));
        }
    }
    Ok(())
}

/// Indices of named columns.
pub(super) fn positions(names: &[String], columns: &[Column]) -> Result<Vec<usize>, String> {
    if names.is_empty() {
        return Err("`columns` is empty, expected names of columns".into());
    }
    let position = |name: &String| {
        let found = columns.iter().position(|column| column.name == *name);
        let known = || {
            columns
                .iter()
                .map(|column| column.name.as_str())
                .take(12)
                .collect::<Vec<_>>()
                .join(", ")
        };
        found.ok_or_else(|| format!("no column `{name}`, expected one of {}", known()))
    };
    names.iter().map(position).collect()
}

/// Everything that is wrong with a pipeline for these columns, before any value is seen.
pub fn problems(config: &[FitConfig], columns: &[Column]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut columns = columns.to_vec();
    // Whether a value can be missing after the steps so far.
    let mut missing = true;
    for (index, step) in config.iter().enumerate() {
        let place = format!("step {} ({})", index + 1, step.kind());
        match step.columns_after(&columns) {
            Ok(after) => columns = after,
            Err(problem) => {
                problems.push(format!("{place}: {problem}"));
                // What follows cannot be checked without the columns of this step.
                return problems;
            }
        }
        match step {
            FitConfig::ImputeMean { .. } | FitConfig::ImputeKnn { .. } => missing = false,
            FitConfig::Ordinal { .. } => missing = true,
            FitConfig::Pca { .. } | FitConfig::Lasso { .. } if missing => {
                problems.push(format!(
                    "{place}: values may be missing here, expected an `impute-...` step before"
                ));
            }
            _ => {}
        }
        let mut names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair.first() == pair.last()) {
            problems.push(format!(
                "{place}: column `{}` twice, expected different names",
                twice.first().unwrap_or(&"")
            ));
        }
    }
    problems
}

/// The columns that a pipeline puts out.
///
/// # Errors
/// All [`problems`].
pub fn columns_after(config: &[FitConfig], columns: &[Column]) -> Result<Vec<Column>, Vec<String>> {
    let problems = problems(config, columns);
    if !problems.is_empty() {
        return Err(problems);
    }
    let step = |columns: Vec<Column>, step: &FitConfig| step.columns_after(&columns);
    config
        .iter()
        .try_fold(columns.to_vec(), step)
        .map_err(|problem| vec![problem])
}
