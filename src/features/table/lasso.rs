//! LASSO by coordinate descent: `min_b 1/(2n) |y - b0 - X b|^2 + alpha |b|_1`, the intercept `b0` without penalty.
//!
//! Own code: of the crates at hand, one leaves the columns of X where they are when it fits an intercept, which is
//! another problem, and the other takes `alpha` for its half on top of that. Coordinates are updated on the moments
//! `X^T X / n` and `X^T y / n` of centred data, so a sweep costs `p` products per coefficient that changes, however
//! many rows there are; the path is warm-started from the largest penalty down.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// Largest violation of the optimality conditions, as a share of the smallest penalty that selects nothing.
const TOLERANCE: f64 = 1e-12;
const MAX_SWEEPS: usize = 20_000;
/// The smallest penalty of a grid as a share of its largest.
const SMALLEST: f64 = 1e-3;

/// One fitted model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LassoModel {
    /// The class that had the target 1.
    pub class: usize,
    /// The penalty chosen by cross-validation.
    pub alpha: f64,
    /// `mean(y) - mean(X) b`.
    pub intercept: f64,
    /// One per column.
    pub coefficients: Vec<f64>,
}

/// The solutions for a list of penalties.
#[derive(Debug, Clone, PartialEq)]
pub struct LassoPath {
    /// `[penalties, columns]`.
    pub coefficients: Array2<f64>,
    /// One per penalty.
    pub intercepts: Vec<f64>,
    /// Penalties at which the optimality conditions were not met to the tolerance after the last sweep.
    pub num_unsettled: usize,
}

/// What is needed of X for any target.
#[derive(Debug, Clone)]
pub struct Design {
    mean: Array1<f64>,
    centred: Array2<f64>,
    moments: Array2<f64>,
}

impl Design {
    /// Centres the columns of `[rows, columns]` and takes their second moments.
    pub fn new(rows: ArrayView2<f64>) -> Self {
        let mean = rows.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(rows.ncols()));
        let centred = &rows - &mean;
        let moments = centred.t().dot(&centred) / rows.nrows().max(1) as f64;
        Self { mean, centred, moments }
    }

    /// `X^T (y - mean(y)) / n` and `mean(y)`. `target` has one value per row.
    fn correlations(&self, target: &Array1<f64>) -> (Array1<f64>, f64) {
        let mean = target.mean().unwrap_or(0.0);
        (self.centred.t().dot(&(target - mean)) / target.len().max(1) as f64, mean)
    }

    /// Solves for each of `alphas`, which descend.
    pub fn path(&self, target: &Array1<f64>, alphas: &[f64]) -> LassoPath {
        let (correlations, target_mean) = self.correlations(target);
        let tolerance = TOLERANCE * correlations.iter().fold(0.0_f64, |most, c| most.max(c.abs()));
        let mut solver = Solver { moments: &self.moments, b: Array1::zeros(self.mean.len()), gradient: correlations };
        let mut coefficients = Array2::zeros((alphas.len(), self.mean.len()));
        let (mut intercepts, mut num_unsettled) = (Vec::new(), 0);
        for (&alpha, mut slot) in alphas.iter().zip(coefficients.rows_mut()) {
            num_unsettled += usize::from(!solver.settle(alpha, tolerance));
            slot.assign(&solver.b);
            intercepts.push(target_mean - self.mean.dot(&solver.b));
        }
        LassoPath { coefficients, intercepts, num_unsettled }
    }
}

/// The state of the descent: `gradient = X^T (y - X b) / n`.
struct Solver<'a> {
    moments: &'a Array2<f64>,
    b: Array1<f64>,
    gradient: Array1<f64>,
}

impl Solver<'_> {
    /// Sweeps until the optimality conditions hold; whether they do.
    fn settle(&mut self, alpha: f64, tolerance: f64) -> bool {
        let all: Vec<usize> = (0..self.b.len()).collect();
        let mut sweeps = 0;
        while self.violation(&all, alpha) > tolerance {
            self.sweep(&all, alpha);
            // Most sweeps move only what is selected already.
            let active: Vec<usize> =
                all.iter().copied().filter(|&j| self.b.get(j).is_some_and(|&b| b != 0.0)).collect();
            while self.violation(&active, alpha) > tolerance {
                self.sweep(&active, alpha);
                sweeps += 1;
                if sweeps > MAX_SWEEPS {
                    return false;
                }
            }
            sweeps += 1;
            if sweeps > MAX_SWEEPS {
                return false;
            }
        }
        true
    }

    fn sweep(&mut self, columns: &[usize], alpha: f64) {
        for &j in columns {
            let curvature = self.moments[[j, j]];
            if curvature <= 0.0 {
                continue;
            }
            let pull = self.gradient[j] + curvature * self.b[j];
            let next = pull.signum() * (pull.abs() - alpha).max(0.0) / curvature;
            let step = next - self.b[j];
            if step != 0.0 {
                self.b[j] = next;
                self.gradient.scaled_add(-step, &self.moments.row(j));
            }
        }
    }

    /// By how much the worst of the columns misses its condition: `gradient = alpha sign(b)` where `b` is not 0,
    /// `|gradient| <= alpha` where it is.
    fn violation(&self, columns: &[usize], alpha: f64) -> f64 {
        let miss = |&j: &usize| match self.b[j] {
            0.0 => self.gradient[j].abs() - alpha,
            b => (self.gradient[j] - alpha * b.signum()).abs(),
        };
        columns.iter().map(miss).fold(0.0, f64::max)
    }
}

/// `count` penalties falling geometrically from `max |X^T (y - mean(y))| / n`, which selects nothing, to a thousandth.
/// Empty for a target that no column is correlated with.
pub fn alpha_grid(design: &Design, target: &Array1<f64>, count: usize) -> Vec<f64> {
    let largest = design.correlations(target).0.iter().fold(0.0_f64, |most, c| most.max(c.abs()));
    let power = |index: usize| index as f64 / count.saturating_sub(1).max(1) as f64;
    match largest > 0.0 {
        true => (0..count).map(|index| largest * SMALLEST.powf(power(index))).collect(),
        false => Vec::new(),
    }
}

/// Mean over the folds of the mean squared error on the rows of each, for each target and each of its penalties.
/// `fold_of_row` counts from 0.
pub fn cross_validation_errors(
    rows: ArrayView2<f64>,
    targets: &[Array1<f64>],
    alphas: &[Vec<f64>],
    fold_of_row: &[usize],
) -> Vec<Vec<f64>> {
    let num_folds = fold_of_row.iter().max().map_or(0, |&last| last + 1);
    let mut errors: Vec<Vec<f64>> = alphas.iter().map(|alphas| vec![0.0; alphas.len()]).collect();
    for fold in 0..num_folds {
        let (inside, outside): (Vec<usize>, Vec<usize>) =
            (0..rows.nrows()).partition(|&row| fold_of_row.get(row) != Some(&fold));
        let design = Design::new(rows.select(Axis(0), &inside).view());
        let held = rows.select(Axis(0), &outside);
        for ((target, alphas), errors) in targets.iter().zip(alphas).zip(&mut errors) {
            let path = design.path(&target.select(Axis(0), &inside), alphas);
            let truth = target.select(Axis(0), &outside);
            for ((b, intercept), error) in path.coefficients.rows().into_iter().zip(&path.intercepts).zip(errors) {
                let residual = &truth - &(held.dot(&b) + *intercept);
                *error += residual.dot(&residual) / (outside.len().max(1) * num_folds) as f64;
            }
        }
    }
    errors
}
