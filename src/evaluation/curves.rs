//! Ranking curves of one class against the rest: ROC and precision-recall, and the areas under them.
//!
//! Scores are compared as they are. Probabilities near 1 round to 1 when the logit margin passes about 37, so items
//! beyond that margin count as tied, as they do in scikit-learn when it is given the same probabilities.

use serde::{Deserialize, Serialize};

/// One threshold of a ranking: everything scored at or above it is called positive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// The score at which the point is reached.
    pub threshold: f64,
    /// Positives at or above the threshold.
    pub true_positives: usize,
    /// Negatives at or above the threshold.
    pub false_positives: usize,
}

/// The points of the ranking from the highest score to the lowest, one per distinct score.
///
/// With P positives and N negatives a point lies at (fp / N, tp / P) of the ROC curve and at (tp / P, tp / (tp + fp)) of
/// the precision-recall curve; the ROC curve starts at (0, 0), which is not listed. `scores` and `positive` pair up.
pub fn ranking(scores: &[f64], positive: &[bool]) -> Vec<CurvePoint> {
    let mut items: Vec<(f64, bool)> = scores.iter().copied().zip(positive.iter().copied()).collect();
    items.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut true_positives, mut false_positives) = (0, 0);
    let mut points = Vec::new();
    for ties in items.chunk_by(|a, b| a.0 == b.0) {
        let in_tie = ties.iter().filter(|item| item.1).count();
        true_positives += in_tie;
        false_positives += ties.len() - in_tie;
        if let Some(&(threshold, _)) = ties.first() {
            points.push(CurvePoint {
                threshold,
                true_positives,
                false_positives,
            });
        }
    }
    points
}

/// Area under the ROC curve: the share of (positive, negative) pairs ranked right, ties counted one half (Mann-Whitney).
///
/// `None` when either class is absent.
pub fn auc_roc(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let points = ranking(scores, positive);
    let last = points.last()?;
    let (num_positive, num_negative) = (last.true_positives, last.false_positives);
    if num_positive == 0 || num_negative == 0 {
        return None;
    }
    // Twice the area in units of one pair, so that it stays an integer and the order of summation cannot matter.
    let (mut doubled, mut previous) = (0u128, (0, 0));
    for point in &points {
        let width = (point.false_positives - previous.1) as u128;
        doubled += width * (point.true_positives + previous.0) as u128;
        previous = (point.true_positives, point.false_positives);
    }
    Some(doubled as f64 / (2.0 * num_positive as f64 * num_negative as f64))
}

/// Average precision: the sum over thresholds of (recall gained) x (precision there), without interpolation.
///
/// The chance level is the prevalence. `None` when either class is absent.
pub fn average_precision(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let points = ranking(scores, positive);
    let last = points.last()?;
    if last.true_positives == 0 || last.false_positives == 0 {
        return None;
    }
    let (mut area, mut previous) = (0.0, 0);
    for point in &points {
        let precision = point.true_positives as f64 / (point.true_positives + point.false_positives) as f64;
        area += (point.true_positives - previous) as f64 * precision;
        previous = point.true_positives;
    }
    Some(area / last.true_positives as f64)
}
