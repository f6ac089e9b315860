//! Bootstrap over units (subjects), stratified by class, with percentile and BCa intervals.
//!
//! Draw i of replicate b is a function of (seed, b, i) only, so the result does not depend on threads.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::intervals::{Interval, Method};
use super::significance::{normal_cdf, normal_quantile};

/// How to resample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// Number of replicates B.
    pub replicates: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// Coverage aimed at, between 0 and 1.
    pub level: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            replicates: 2000,
            seed: 0,
            level: 0.95,
        }
    }
}

/// Both intervals of one statistic.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BootstrapIntervals {
    /// Percentiles of the replicates, linearly interpolated.
    pub percentile: Interval,
    /// Bias-corrected and accelerated. Where the correction is undefined (every replicate on one side of the estimate,
    /// or an undefined jackknife value) it is the percentile interval, and its method says so.
    pub bca: Interval,
}

/// The step of SplitMix64: 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The output function of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// An index below `bound`: draw `draw` of replicate `replicate`.
fn index_below(bound: usize, seed: u64, replicate: u64, draw: u64) -> usize {
    let key = mix(seed.wrapping_add(GOLDEN.wrapping_mul(replicate + 1)));
    let bits = mix(key.wrapping_add(GOLDEN.wrapping_mul(draw + 1)));
    ((u128::from(bits) * bound as u128) >> 64) as usize
}

/// Units of each stratum, strata in ascending order.
fn members(strata: &[usize]) -> Vec<Vec<usize>> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (unit, &stratum) in strata.iter().enumerate() {
        members.entry(stratum).or_default().push(unit);
    }
    members.into_values().collect()
}

fn resample(members: &[Vec<usize>], seed: u64, replicate: usize) -> Vec<usize> {
    let slots = members.iter().flat_map(|units| std::iter::repeat_n(units, units.len()));
    let draws = slots.enumerate().filter_map(|(draw, units)| {
        units
            .get(index_below(units.len(), seed, replicate as u64, draw as u64))
            .copied()
    });
    draws.collect()
}

/// Intervals of several statistics of the same units.
///
/// `strata[u]` is the class of unit u: each replicate draws as many units of every class, with replacement, as there
/// are. `statistics` receives unit indices and returns one value per statistic, `None` where undefined; it must return
/// as many each time. A statistic that is undefined on the data or on any replicate has no bounds.
pub fn bootstrap<F>(strata: &[usize], statistics: F, options: &Bootstrap) -> Vec<BootstrapIntervals>
where
    F: Fn(&[usize]) -> Vec<Option<f64>> + Sync,
{
    let members = members(strata);
    let everyone: Vec<usize> = (0..strata.len()).collect();
    let estimates = statistics(&everyone);
    let replicates: Vec<Vec<Option<f64>>> = (0..options.replicates)
        .into_par_iter()
        .map(|replicate| statistics(&resample(&members, options.seed, replicate)))
        .collect();
    let left_out = jackknife(&members, &everyone, &statistics);
    let intervals = estimates.iter().enumerate().map(|(index, &estimate)| {
        let column: Option<Vec<f64>> = replicates.iter().map(|row| defined(row, index)).collect();
        let unbounded = |method| Interval::unbounded(estimate, options.level, method, strata.len());
        match (estimate, column) {
            (Some(estimate), Some(mut column)) if !column.is_empty() && !strata.is_empty() => {
                column.sort_by(f64::total_cmp);
                both(
                    estimate,
                    &column,
                    acceleration(&left_out, index),
                    options.level,
                    strata.len(),
                )
            }
            _ => BootstrapIntervals {
                percentile: unbounded(Method::BootstrapPercentile),
                bca: unbounded(Method::BootstrapBca),
            },
        }
    });
    intervals.collect()
}

fn defined(row: &[Option<f64>], index: usize) -> Option<f64> {
    row.get(index).copied().flatten().filter(|value| value.is_finite())
}

/// The statistics with each unit left out in turn, per stratum. A stratum of one unit has no influence to estimate and
/// is left empty.
fn jackknife<F>(members: &[Vec<usize>], everyone: &[usize], statistics: &F) -> Vec<Vec<Vec<Option<f64>>>>
where
    F: Fn(&[usize]) -> Vec<Option<f64>> + Sync,
{
    let without = |unit: &usize| {
        let rest: Vec<usize> = everyone.iter().copied().filter(|other| other != unit).collect();
        statistics(&rest)
    };
    let of_stratum = |units: &Vec<usize>| match units.len() {
        0 | 1 => Vec::new(),
        _ => units.par_iter().map(without).collect(),
    };
    members.iter().map(of_stratum).collect()
}

/// Acceleration over several samples (Davison and Hinkley 1997, section 5.3.2), `None` if a value is undefined.
fn acceleration(left_out: &[Vec<Vec<Option<f64>>>], index: usize) -> Option<f64> {
    let (mut cubes, mut squares) = (0.0, 0.0);
    for stratum in left_out.iter().filter(|stratum| !stratum.is_empty()) {
        let values: Vec<f64> = stratum.iter().map(|row| defined(row, index)).collect::<Option<_>>()?;
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let influences = values.iter().map(|value| (count - 1.0) * (mean - value));
        let (cube, square) = influences.fold((0.0, 0.0), |(c, s), u| (c + u * u * u, s + u * u));
        cubes += cube / count.powi(3);
        squares += square / count.powi(2);
    }
    Some(if squares > 0.0 {
        cubes / (6.0 * squares.powf(1.5))
    } else {
        0.0
    })
}

fn both(estimate: f64, sorted: &[f64], acceleration: Option<f64>, level: f64, num_items: usize) -> BootstrapIntervals {
    let tails = ((1.0 - level) / 2.0, 1.0 - (1.0 - level) / 2.0);
    let between = |(low, high): (f64, f64), method| Interval {
        estimate: Some(estimate),
        low: percentile(sorted, low),
        high: percentile(sorted, high),
        level,
        method,
        num_items,
    };
    let percentile = between(tails, Method::BootstrapPercentile);
    let adjusted = acceleration.and_then(|acceleration| bca_tails(estimate, sorted, acceleration, tails));
    let bca = adjusted.map_or(percentile, |tails| between(tails, Method::BootstrapBca));
    BootstrapIntervals { percentile, bca }
}

/// The probabilities at which BCa reads the replicates (Efron and Tibshirani 1993, equation 14.10).
fn bca_tails(estimate: f64, sorted: &[f64], acceleration: f64, tails: (f64, f64)) -> Option<(f64, f64)> {
    let below = sorted.partition_point(|&value| value < estimate);
    let up_to = sorted.partition_point(|&value| value <= estimate);
    let bias = normal_quantile((below + up_to) as f64 / (2.0 * sorted.len() as f64))?;
    let adjust = |tail: f64| {
        let shifted = bias + normal_quantile(tail)?;
        let denominator = 1.0 - acceleration * shifted;
        (denominator > 0.0).then(|| normal_cdf(bias + shifted / denominator))
    };
    Some((adjust(tails.0)?, adjust(tails.1)?))
}

/// Linear interpolation between order statistics, at position p (B - 1).
fn percentile(sorted: &[f64], probability: f64) -> Option<f64> {
    let position = probability * (sorted.len() as f64 - 1.0);
    let index = position.floor() as usize;
    let low = *sorted.get(index)?;
    let high = sorted.get(index + 1).copied().unwrap_or(low);
    Some(low + (high - low) * (position - position.floor()))
}
