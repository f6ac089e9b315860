//! Principal components.

use nalgebra::DMatrix;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// Most iterations of a singular value decomposition for each of its values; usual are two or three.
const MAX_ITERATIONS: usize = 100;

/// Principal components: `X - mean = U S V^T`, component `k` is column `k` of `V`, its variance `S_k^2 / (n - 1)`.
///
/// The decomposition is that of the matrix or its transpose, whichever has more rows. The sign is such that the loading
/// largest in absolute value is positive, the first among equals. Components whose singular value is rounding error,
/// `S_k <= max(n, p) eps S_1`, have no direction of their own and are left out: they are 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pca {
    /// Mean of each column.
    pub mean: Vec<f64>,
    /// Loadings of each kept component.
    pub components: Vec<Vec<f64>>,
    /// Variance of each kept component, with `n - 1`.
    pub explained_variance: Vec<f64>,
    /// Share of the total variance of each kept component.
    pub explained_variance_ratio: Vec<f64>,
    /// Columns put out: the kept components, then zeros.
    pub width: usize,
}

impl Pca {
    /// Fits at most `components` components, and with `variance` only the first that together exceed this share.
    ///
    /// # Errors
    /// For less than two rows, and with a column whose values are missing or too large to be squared.
    pub fn fit(rows: ArrayView2<f64>, components: usize, variance: Option<f64>) -> Result<Self, String> {
        let (num_rows, num_columns) = rows.dim();
        if num_rows < 2 {
            return Err(format!("{num_rows} training rows, expected at least 2"));
        }
        let mean = rows.mean_axis(Axis(0)).unwrap_or_default();
        let centred = &rows - &mean;
        let largest = centred.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        if !centred.iter().all(|value| value.is_finite()) || !(largest * largest * num_rows as f64).is_finite() {
            return Err("a value is missing or too large to be squared, expected finite ones".into());
        }
        let width = components.min(num_columns);
        let nothing = Self {
            mean: mean.to_vec(),
            width,
            ..Self::empty()
        };
        if largest == 0.0 {
            return Ok(nothing);
        }
        // The decomposition's tolerance is absolute.
        let (singular, directions) = decompose(&(centred / largest))?;
        let floor = num_rows.max(num_columns) as f64 * f64::EPSILON * singular.first().copied().unwrap_or(0.0);
        let total: f64 = singular.iter().map(|s| s * s).sum();
        let mut pca = nothing;
        let mut share = 0.0;
        for (&s, direction) in singular
            .iter()
            .zip(&directions)
            .take(width)
            .take_while(|(s, _)| **s > floor)
        {
            pca.components.push(direction.clone());
            pca.explained_variance
                .push((s * largest).powi(2) / (num_rows - 1) as f64);
            pca.explained_variance_ratio.push(s * s / total);
            share += s * s / total;
            if variance.is_some_and(|wanted| share > wanted) {
                break;
            }
        }
        Ok(pca)
    }

    fn empty() -> Self {
        Self {
            mean: Vec::new(),
            components: Vec::new(),
            explained_variance: Vec::new(),
            explained_variance_ratio: Vec::new(),
            width: 0,
        }
    }

    /// `(X - mean) V`, `[rows, width]`.
    pub fn transform(&self, values: &Array2<f64>) -> Array2<f64> {
        let mut out = Array2::zeros((values.nrows(), self.width));
        for (row, mut out) in values.rows().into_iter().zip(out.rows_mut()) {
            let centred: Array1<f64> = row.iter().zip(&self.mean).map(|(value, mean)| value - mean).collect();
            for (slot, component) in out.iter_mut().zip(&self.components) {
                *slot = centred
                    .iter()
                    .zip(component)
                    .map(|(value, loading)| value * loading)
                    .sum();
            }
        }
        out
    }
}

/// Singular values, descending, and the right singular vectors.
fn decompose(matrix: &Array2<f64>) -> Result<(Vec<f64>, Vec<Vec<f64>>), String> {
    let (num_rows, num_columns) = matrix.dim();
    let is_wide = num_columns > num_rows;
    let dense = DMatrix::from_iterator(num_columns, num_rows, matrix.iter().copied());
    let tall = if is_wide { dense } else { dense.transpose() };
    let max_iterations = MAX_ITERATIONS * num_rows.min(num_columns);
    let svd = tall
        .try_svd(is_wide, !is_wide, f64::EPSILON, max_iterations)
        .ok_or("the singular value decomposition does not converge")?;
    let directions: Vec<Vec<f64>> = match (&svd.u, &svd.v_t) {
        (Some(left), _) => left
            .column_iter()
            .map(|vector| vector.iter().copied().collect())
            .collect(),
        (None, Some(right)) => right
            .row_iter()
            .map(|vector| vector.iter().copied().collect())
            .collect(),
        (None, None) => Vec::new(),
    };
    let singular = svd.singular_values.iter().copied().collect();
    Ok((singular, directions.into_iter().map(oriented).collect()))
}

fn oriented(direction: Vec<f64>) -> Vec<f64> {
    let largest = direction
        .iter()
        .fold(0.0_f64, |largest, &x| if x.abs() > largest.abs() { x } else { largest });
    if largest < 0.0 {
        direction.into_iter().map(|x| -x).collect()
    } else {
        direction
    }
}
