//! Imputation from the nearest training rows.

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::config::KnnWeights;
use super::rows::finite_mean;

/// Troyanskaya's KNN imputation as scikit-learn defines it. For each missing value the donors are the training rows
/// that have the column and share one with the row; the `neighbors` nearest are averaged. Among rows at one distance
/// the earlier is nearer. Without a donor, the column's training mean; a column without any training value becomes 0 as
/// a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnnImputer {
    neighbors: usize,
    weights: KnnWeights,
    /// Training rows; `None` is missing. (JSON has no NaN.)
    rows: Vec<Vec<Option<f64>>>,
    /// Mean of each column, if it has any value.
    means: Vec<Option<f64>>,
}

impl KnnImputer {
    /// Keeps the rows.
    pub fn fit(rows: ArrayView2<f64>, neighbors: usize, weights: KnnWeights) -> Self {
        let keep = |value: &f64| value.is_finite().then_some(*value);
        Self {
            neighbors,
            weights,
            rows: rows
                .rows()
                .into_iter()
                .map(|row| row.iter().map(keep).collect())
                .collect(),
            means: rows.columns().into_iter().map(finite_mean).collect(),
        }
    }

    /// Fills the missing values.
    pub fn transform(&self, values: &mut Array2<f64>) {
        for (mut column, _) in values
            .columns_mut()
            .into_iter()
            .zip(&self.means)
            .filter(|(_, mean)| mean.is_none())
        {
            column.fill(0.0);
        }
        for mut row in values.rows_mut() {
            if row.iter().all(|value| value.is_finite()) {
                continue;
            }
            let given = row.to_vec();
            let mut donors: Vec<_> = self
                .rows
                .iter()
                .filter_map(|donor| Some((squared_distance(&given, donor)?, donor)))
                .collect();
            donors.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (column, value) in row.iter_mut().enumerate().filter(|(_, value)| !value.is_finite()) {
                let having = donors
                    .iter()
                    .filter_map(|(d2, donor)| Some((d2.sqrt(), donor.get(column).copied()??)));
                let nearest: Vec<_> = having.take(self.neighbors).collect();
                *value = self
                    .average(&nearest)
                    .or(self.means.get(column).copied().flatten())
                    .unwrap_or(0.0);
            }
        }
    }

    /// Weighted mean of (distance, value); `None` for none.
    fn average(&self, donors: &[(f64, f64)]) -> Option<f64> {
        let touching = donors.iter().any(|&(distance, _)| distance == 0.0);
        let weight = |distance: f64| match self.weights {
            KnnWeights::Uniform => 1.0,
            KnnWeights::Distance if touching => f64::from(u8::from(distance == 0.0)),
            KnnWeights::Distance => 1.0 / distance,
        };
        let total: f64 = donors.iter().map(|&(distance, _)| weight(distance)).sum();
        let sum: f64 = donors.iter().map(|&(distance, value)| weight(distance) * value).sum();
        (!donors.is_empty()).then(|| sum / total)
    }
}

/// `columns / columns in both * sum (x - y)^2`; `None` if no column is in both.
fn squared_distance(given: &[f64], donor: &[Option<f64>]) -> Option<f64> {
    let (mut sum, mut both) = (0.0, 0usize);
    for (x, y) in given.iter().zip(donor) {
        if let (true, Some(y)) = (x.is_finite(), y) {
            sum += (x - y).powi(2);
            both += 1;
        }
    }
    (both > 0).then(|| sum * given.len() as f64 / both as f64)
}
