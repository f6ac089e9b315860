//! Statistics of a series that is given as a table, such as one row per stride.

use serde::{Deserialize, Serialize};

use super::series::{Outliers, STATISTICS, statistics, symmetry_index};
use crate::base::Problem;
use crate::dataset::subjects::Channel;
use crate::features::signals::Column;
use crate::signal::statistics::mean;

/// Features of a window of a series: rows at times of their own, such as strides, with columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SeriesFeature {
    /// [`statistics`] of each column, and for each pair the [`symmetry_index`] of their means. A missing value is left
    /// out of its column.
    StrideStatistics {
        /// The columns; default all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        columns: Vec<String>,
        /// Left and right column, by name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pairs: Vec<[String; 2]>,
        /// Applied to each column alone. Default: none, as such tables were cleaned by those who made them.
        #[serde(default = "keep")]
        outliers: Outliers,
        /// Smallest and largest box of [`dfa_alpha`](super::dfa_alpha), in rows; default 10 and 20.
        #[serde(default = "super::dfa_sizes")]
        dfa_sizes: [usize; 2],
    },
}

fn keep() -> Outliers {
    Outliers::Keep {}
}

impl SeriesFeature {
    /// The feature's columns for a series with the columns `series`.
    pub fn columns(&self, series: &[Channel]) -> Vec<Column> {
        let Self::StrideStatistics { columns, pairs, .. } = self;
        let mut found = Vec::new();
        for column in series
            .iter()
            .filter(|column| columns.is_empty() || columns.contains(&column.name))
        {
            found.extend(STATISTICS.map(|(name, unit)| Column {
                name: format!("{}.{name}", column.name),
                unit: unit.unwrap_or(&column.unit).into(),
            }));
        }
        found.extend(pairs.iter().map(|[left, right]| Column {
            name: format!("{left}-{right}.symmetry_index"),
            unit: "1".into(),
        }));
        found
    }

    /// Why the features cannot be computed from this series: the key that is wrong and what was expected.
    ///
    /// # Errors
    /// The first problem.
    pub fn check(&self, series: &[Channel]) -> Result<(), Problem> {
        let Self::StrideStatistics {
            columns,
            pairs,
            outliers,
            dfa_sizes,
        } = self;
        let known = |key: &'static str| {
            move |name: &String| match series.iter().any(|column| column.name == *name) {
                true => Ok(()),
                false => Err(Problem::new(key, unknown(name, series))),
            }
        };
        columns.iter().try_for_each(known("columns"))?;
        pairs.iter().flatten().try_for_each(known("pairs"))?;
        outliers.check("outliers")?;
        super::check_dfa_sizes(*dfa_sizes)
    }

    /// Appends one value per column. `window` has the values of each column of the series, NaN where missing.
    pub fn extract(&self, series: &[Channel], window: &[&[f64]], values: &mut Vec<f64>) {
        let Self::StrideStatistics {
            columns,
            pairs,
            outliers,
            dfa_sizes,
        } = self;
        for (column, x) in series.iter().zip(window) {
            if columns.is_empty() || columns.contains(&column.name) {
                values.extend(statistics(&outliers.apply(x), dfa_sizes[0]..=dfa_sizes[1]));
            }
        }
        let average = |name: &String| {
            let column = series
                .iter()
                .position(|column| column.name == *name)
                .and_then(|index| window.get(index));
            column.map_or(f64::NAN, |x| mean(outliers.apply(x)))
        };
        values.extend(
            pairs
                .iter()
                .map(|[left, right]| symmetry_index(average(left), average(right))),
        );
    }
}

fn unknown(name: &str, series: &[Channel]) -> String {
    let names: Vec<_> = series.iter().map(|column| column.name.as_str()).collect();
    format!(
        "must name columns of the series, but `{name}` is none of {}",
        names.join(", ")
    )
}
