//! Student's t and the normal distribution, and tests of paired differences.
//!
//! Checked against SciPy to 1e-12. statrs's `Normal::cdf` is good to 8e-11 only, so the normal distribution function
//! goes through the incomplete gamma function, and t probabilities near 1 through the complementary beta function.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::function::{beta::beta_reg, gamma::gamma_ur};

/// The largest number of differences whose 2^n sign patterns [`sign_flip_p`] enumerates.
pub const MAX_SIGN_FLIPS: usize = 20;

/// P(|T| >= |t|) for Student's t with `df` degrees of freedom; `None` unless `df` is positive and `t` is finite.
pub fn t_two_sided_p(t: f64, df: f64) -> Option<f64> {
    if !t.is_finite() || !df.is_finite() || df <= 0.0 {
        return None;
    }
    let square = t * t;
    // Each form loses digits where its argument rounds to 1.
    let p = if square < df {
        1.0 - beta_reg(0.5, df / 2.0, square / (df + square))
    } else {
        beta_reg(df / 2.0, 0.5, df / (df + square))
    };
    Some(p)
}

/// The quantile of Student's t; `None` unless `0 < probability < 1` and `df` is positive.
pub fn t_quantile(probability: f64, df: f64) -> Option<f64> {
    if !(probability > 0.0 && probability < 1.0) {
        return None;
    }
    let distribution = StudentsT::new(0.0, 1.0, df).ok()?;
    Some(distribution.inverse_cdf(probability))
}

/// The standard normal distribution function.
pub fn normal_cdf(z: f64) -> f64 {
    if z == 0.0 || z.is_nan() {
        return if z == 0.0 { 0.5 } else { f64::NAN };
    }
    if z.is_infinite() {
        return if z > 0.0 { 1.0 } else { 0.0 };
    }
    let tail = 0.5 * gamma_ur(0.5, 0.5 * z * z);
    if z > 0.0 { 1.0 - tail } else { tail }
}

/// The quantile of the standard normal distribution; `None` unless `0 < probability < 1`.
pub fn normal_quantile(probability: f64) -> Option<f64> {
    if !(probability > 0.0 && probability < 1.0) {
        return None;
    }
    Some(Normal::new(0.0, 1.0).ok()?.inverse_cdf(probability))
}

/// Exact two-sided p of the paired sign-flip test: the share of the 2^n sign patterns whose |sum| reaches the observed.
///
/// The smallest value is 2 / 2^n, so fewer than six differences cannot reach 0.05. It assumes differences that are
/// exchangeable in sign: seeds or repeats on their own data, not folds that share training data. `None` without
/// differences, with more than [`MAX_SIGN_FLIPS`], or when one is not finite.
pub fn sign_flip_p(differences: &[f64]) -> Option<f64> {
    let count = differences.len();
    if count == 0 || count > MAX_SIGN_FLIPS || differences.iter().any(|difference| !difference.is_finite()) {
        return None;
    }
    let observed = differences.iter().sum::<f64>().abs();
    // Patterns that tie in exact arithmetic may differ in the last bits.
    let bound = observed - 1e-14 * differences.iter().map(|difference| difference.abs()).sum::<f64>();
    let patterns = 1u32 << count;
    let reached = (0..patterns).filter(|pattern| {
        let signed = differences.iter().enumerate();
        let sum: f64 = signed
            .map(|(bit, difference)| {
                if pattern >> bit & 1 == 1 {
                    -difference
                } else {
                    *difference
                }
            })
            .sum();
        sum.abs() >= bound
    });
    Some(reached.count() as f64 / f64::from(patterns))
}

/// Holm's step-down adjustment of p-values, in the order given: compare each with the family-wise level.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = p_values.iter().copied().enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut adjusted = p_values.to_vec();
    let mut largest = 0.0_f64;
    for (rank, (index, p)) in order.into_iter().enumerate() {
        largest = largest.max(p * (p_values.len() - rank) as f64).min(1.0);
        if let Some(slot) = adjusted.get_mut(index) {
            *slot = largest;
        }
    }
    adjusted
}
