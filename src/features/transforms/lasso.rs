//! LASSO: `min_b 1/(2n) |y - b0 - X b|^2 + alpha |b|_1`, the intercept `b0` without penalty.
//!
//! Own code: of the crates at hand, one leaves the columns of X where they are when it fits an intercept, which is
//! another problem, and the other takes `alpha` for its half on top of that. All is done on the moments `X^T X / n` and
//! `X^T y / n` of centred data, however many rows there are; the path is warm-started from the largest penalty down.
//! Descent takes columns in, and a Cholesky factor, kept along the path, solves for all that are in at once: sweeps alone
//! need hundreds of rounds where columns are correlated. A solution counts once the optimality conditions hold.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Largest violation of the optimality conditions, as a share of the smallest penalty that selects nothing.
const TOLERANCE: f64 = 1e-12;
const MAX_ROUNDS: usize = 20_000;
/// Smallest fraction of a column's variance that earlier columns may leave unexplained; below it the column counts as
/// linearly dependent.
const DEPENDENT: f64 = 1e-13;
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
    /// Penalties at which the optimality conditions were not met to the tolerance after the last round.
    pub num_unsettled: usize,
}

/// Moments of X, which serve every target.
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
        (
            self.centred.t().dot(&(target - mean)) / target.len().max(1) as f64,
            mean,
        )
    }

    /// Solves for each of `alphas`, which descend.
    pub fn path(&self, target: &Array1<f64>, alphas: &[f64]) -> LassoPath {
        let (correlations, target_mean) = self.correlations(target);
        let tolerance = TOLERANCE * correlations.iter().fold(0.0_f64, |most, c| most.max(c.abs()));
        let mut solver = Solver {
            moments: &self.moments,
            b: Array1::zeros(self.mean.len()),
            gradient: correlations.clone(),
            correlations,
            order: Vec::new(),
            factor: Vec::new(),
        };
        let mut coefficients = Array2::zeros((alphas.len(), self.mean.len()));
        let (mut intercepts, mut num_unsettled) = (Vec::new(), 0);
        for (&alpha, mut slot) in alphas.iter().zip(coefficients.rows_mut()) {
            num_unsettled += usize::from(!solver.settle(alpha, tolerance));
            slot.assign(&solver.b);
            intercepts.push(target_mean - self.mean.dot(&solver.b));
        }
        LassoPath {
            coefficients,
            intercepts,
            num_unsettled,
        }
    }
}

/// The state of the descent: `gradient = X^T (y - X b) / n`, and the Cholesky factor of the moments of `order`.
struct Solver<'a> {
    moments: &'a Array2<f64>,
    correlations: Array1<f64>,
    b: Array1<f64>,
    gradient: Array1<f64>,
    /// The columns with a coefficient, in the order in which the factor took them in.
    order: Vec<usize>,
    /// Row `i` of the lower factor has `i + 1` values.
    factor: Vec<Vec<f64>>,
}

impl Solver<'_> {
    /// Takes columns in and solves for all that are in, until the optimality conditions hold; whether they do.
    fn settle(&mut self, alpha: f64, tolerance: f64) -> bool {
        let all: Vec<usize> = (0..self.b.len()).collect();
        for _ in 0..MAX_ROUNDS {
            if self.violation(&all, alpha) <= tolerance {
                return true;
            }
            self.take_in(alpha);
            self.solve_active(alpha);
        }
        false
    }

    /// One round of descent over the columns without a coefficient.
    fn take_in(&mut self, alpha: f64) {
        for j in 0..self.b.len() {
            let (curvature, pull) = (self.moments[[j, j]], self.gradient[j]);
            if self.b[j] == 0.0 && curvature > 0.0 && pull.abs() > alpha {
                self.b[j] = pull.signum() * (pull.abs() - alpha) / curvature;
                self.gradient.scaled_add(-self.b[j], &self.moments.row(j));
            }
        }
    }

    /// Moves to the minimum over the columns with a coefficient and for the signs that they have; a coefficient that
    /// would change its sign on the way stops at 0 and drops out (feature-sign search, Lee et al. 2006: the objective
    /// falls with every move, so no set of signs comes twice).
    fn solve_active(&mut self, alpha: f64) {
        let mut crossed = true;
        while crossed {
            crossed = match self.refactor() {
                Some(idle) => self.travel(&idle, f64::INFINITY),
                None => {
                    let miss = |&j: &usize| self.gradient[j] - alpha * self.b[j].signum();
                    let mut step: Vec<f64> = self.order.iter().map(miss).collect();
                    solve_lower(&self.factor, &mut step);
                    solve_upper(&self.factor, &mut step);
                    self.travel(&step, 1.0)
                }
            };
            self.gradient.assign(&self.correlations);
            for &j in self.order.iter().filter(|&&j| self.b[j] != 0.0) {
                self.gradient.scaled_add(-self.b[j], &self.moments.row(j));
            }
        }
    }

    /// Adds `most` steps, or as many as there are to the first coefficient that reaches 0; whether there is one.
    fn travel(&mut self, step: &[f64], most: f64) -> bool {
        let (mut share, mut crossing) = (most, None);
        for (&j, step) in self.order.iter().zip(step) {
            let reach = -self.b[j] / step;
            if reach > 0.0 && reach < share {
                (share, crossing) = (reach, Some(j));
            }
        }
        if share.is_finite() {
            for (&j, step) in self.order.iter().zip(step) {
                self.b[j] = if crossing == Some(j) {
                    0.0
                } else {
                    self.b[j] + share * step
                };
            }
        }
        crossing.is_some()
    }

    /// Brings the factor up to date with the columns that have a coefficient. If one depends on those before it, the
    /// order ends with it, and what comes back is the step that leaves the fit as it is and lowers `|b|_1`.
    fn refactor(&mut self) -> Option<Vec<f64>> {
        let kept = self
            .order
            .iter()
            .take(self.factor.len())
            .take_while(|&&j| self.b[j] != 0.0)
            .count();
        self.factor.truncate(kept);
        let mut order: Vec<usize> = self.order.iter().copied().filter(|&j| self.b[j] != 0.0).collect();
        order.extend((0..self.b.len()).filter(|j| self.b[*j] != 0.0 && !self.order.contains(j)));
        self.order = order;
        for index in kept..self.order.len() {
            let j = self.order[index];
            let moments = self.moments.row(j);
            let mut row: Vec<f64> = self.order[..index].iter().map(|&k| moments[k]).collect();
            solve_lower(&self.factor, &mut row);
            let rest = moments[j] - dot(&row, &row);
            if rest <= DEPENDENT * moments[j] {
                self.order.truncate(index + 1);
                solve_upper(&self.factor, &mut row);
                row.push(-1.0);
                let slope: f64 = self
                    .order
                    .iter()
                    .zip(&row)
                    .map(|(&j, step)| self.b[j].signum() * step)
                    .sum();
                row.iter_mut().for_each(|step| *step *= -slope.signum());
                return Some(row);
            }
            row.push(rest.sqrt());
            self.factor.push(row);
        }
        None
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

/// The sum of products over the shorter of both, in eight strands: a fixed order that a processor computes side by side.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let length = a.len().min(b.len());
    let (a, b) = (a[..length].chunks_exact(8), b[..length].chunks_exact(8));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; 8];
    for (a, b) in a.zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// `L x = right`, in place.
fn solve_lower(factor: &[Vec<f64>], right: &mut [f64]) {
    for (index, row) in factor.iter().enumerate() {
        let (before, rest) = right.split_at_mut(index);
        if let (Some(x), Some(pivot)) = (rest.first_mut(), row.last()) {
            *x = (*x - dot(row, before)) / pivot;
        }
    }
}

/// `L^T x = right`, in place.
fn solve_upper(factor: &[Vec<f64>], right: &mut [f64]) {
    for (index, row) in factor.iter().enumerate().rev() {
        let (before, rest) = right.split_at_mut(index);
        if let (Some(x), Some(pivot)) = (rest.first_mut(), row.last()) {
            *x /= pivot;
            before.iter_mut().zip(row).for_each(|(before, l)| *before -= *x * l);
        }
    }
}

/// `count` penalties falling geometrically from `max |X^T (y - mean(y))| / n`, which selects nothing, to a thousandth.
/// Empty for a target that no column is correlated with.
pub fn alpha_grid(design: &Design, target: &Array1<f64>, count: usize) -> Vec<f64> {
    let largest = design
        .correlations(target)
        .0
        .iter()
        .fold(0.0_f64, |most, c| most.max(c.abs()));
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
    let of_fold = |fold: usize| -> Vec<Vec<f64>> {
        let (inside, outside): (Vec<usize>, Vec<usize>) =
            (0..rows.nrows()).partition(|&row| fold_of_row.get(row) != Some(&fold));
        let design = Design::new(rows.select(Axis(0), &inside).view());
        let held = rows.select(Axis(0), &outside);
        let of_target = |(target, alphas): (&Array1<f64>, &Vec<f64>)| {
            let path = design.path(&target.select(Axis(0), &inside), alphas);
            let truth = target.select(Axis(0), &outside);
            let error = |(b, intercept): (ArrayView1<f64>, &f64)| {
                let residual = &truth - &(held.dot(&b) + *intercept);
                residual.dot(&residual) / (outside.len().max(1) * num_folds) as f64
            };
            path.coefficients
                .rows()
                .into_iter()
                .zip(&path.intercepts)
                .map(error)
                .collect()
        };
        targets.par_iter().zip(alphas).map(of_target).collect()
    };
    // Folds and targets run side by side; the sums are taken here, in the order of the folds.
    let by_fold: Vec<Vec<Vec<f64>>> = (0..num_folds).into_par_iter().map(of_fold).collect();
    let mut errors: Vec<Vec<f64>> = alphas.iter().map(|alphas| vec![0.0; alphas.len()]).collect();
    for fold in &by_fold {
        for (sum, error) in errors.iter_mut().zip(fold) {
            sum.iter_mut().zip(error).for_each(|(sum, error)| *sum += error);
        }
    }
    errors
}
