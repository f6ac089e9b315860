//! How far predicted probabilities agree with what happened: log-loss, Brier score, expected calibration error.

use serde::{Deserialize, Serialize};

use super::prediction::{Scores, predicted_class};

/// Number of bins of both forms of the expected calibration error.
pub const NUM_BINS: usize = 15;

/// Mean of -ln(probability of the observed class), in nats; probabilities are clipped to `[2^-52, 1 - 2^-52]` as in
/// scikit-learn, so one certain and wrong item costs at most 36.04. `None` without items.
pub fn log_loss(scores: &Scores) -> Option<f64> {
    let losses = scores.rows().map(|(target, row)| {
        let probability = row.get(target).copied().unwrap_or(0.0);
        -probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
    });
    mean(losses)
}

/// Brier score summed over classes: mean of sum_c (p_c - \[target = c\])^2, between 0 and 2. `None` without items.
///
/// With two classes it is twice the binary form (Brier 1950).
pub fn brier(scores: &Scores) -> Option<f64> {
    let squares = scores.rows().map(|(target, row)| {
        row.iter()
            .enumerate()
            .map(|(class, p)| (p - f64::from(u8::from(class == target))).powi(2))
            .sum::<f64>()
    });
    mean(squares)
}

/// Brier score of the last class alone: mean of (p - \[target is last\])^2, between 0 and 1. `None` without items.
pub fn brier_of_last_class(scores: &Scores) -> Option<f64> {
    let last = scores.num_classes() - 1;
    let squares = scores.rows().map(|(target, row)| {
        let probability = row.last().copied().unwrap_or(0.0);
        (probability - f64::from(u8::from(target == last))).powi(2)
    });
    mean(squares)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// How the confidences are cut into bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binning {
    /// Bin i of b holds confidences in (i / b, (i + 1) / b] (Guo et al. 2017).
    EqualWidth,
    /// Items sorted by confidence are cut into bins whose sizes differ by at most one, the larger first.
    ///
    /// Items of equal confidence share their mean correctness, so that a cut through a tie does not depend on row order.
    EqualMass,
}

/// One bin of a reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Number of items in the bin.
    pub num_items: usize,
    /// Mean probability of the predicted class.
    pub mean_confidence: f64,
    /// Share of items predicted right.
    pub accuracy: f64,
}

/// The non-empty bins, from low to high confidence. Confidence is the probability of the predicted class.
pub fn reliability(scores: &Scores, binning: Binning, num_bins: usize) -> Vec<ReliabilityBin> {
    let mut items: Vec<(f64, f64)> = scores
        .rows()
        .filter_map(|(target, row)| {
            let class = predicted_class(row)?;
            Some((*row.get(class)?, f64::from(u8::from(class == target))))
        })
        .collect();
    items.sort_by(|a, b| a.0.total_cmp(&b.0));
    for ties in items.chunk_by_mut(|a, b| a.0 == b.0) {
        let share = ties.iter().map(|item| item.1).sum::<f64>() / ties.len() as f64;
        ties.iter_mut().for_each(|item| item.1 = share);
    }
    let bounds: Vec<usize> = (1..=num_bins)
        .map(|bin| match binning {
            Binning::EqualWidth => items.partition_point(|item| item.0 <= bin as f64 / num_bins as f64),
            Binning::EqualMass => bin * (items.len() / num_bins) + bin.min(items.len() % num_bins),
        })
        .collect();
    let mut start = 0;
    let mut bins = Vec::new();
    for end in bounds {
        if let Some(members) = items.get(start..end).filter(|members| !members.is_empty()) {
            let count = members.len() as f64;
            bins.push(ReliabilityBin {
                num_items: members.len(),
                mean_confidence: members.iter().map(|item| item.0).sum::<f64>() / count,
                accuracy: members.iter().map(|item| item.1).sum::<f64>() / count,
            });
        }
        start = end;
    }
    bins
}

/// Expected calibration error: mean over items of |accuracy - confidence| of their bin, with [`NUM_BINS`] bins.
///
/// `None` without items.
pub fn expected_calibration_error(scores: &Scores, binning: Binning) -> Option<f64> {
    if scores.is_empty() {
        return None;
    }
    let bins = reliability(scores, binning, NUM_BINS);
    let gaps = bins
        .iter()
        .map(|bin| bin.num_items as f64 * (bin.accuracy - bin.mean_confidence).abs());
    Some(gaps.sum::<f64>() / scores.len() as f64)
}
