//! Can printed accuracy, precision, recall and F1 belong to one table of counts?
//!
//! The checks only ever *exclude*: "possible" means not excluded. They hold for any number of items, since they allow
//! every share of counts, not only whole counts; and they allow for the rounding of the printed digits.
//!
//! - Binary: F1 is the harmonic mean of P and R, and accuracy, P and R fix the prevalence, which must leave room for the
//!   true negatives.
//! - Macro over two classes: accuracy, P and R fix the table up to swapping the classes, and with it the F1.
//! - Micro (one label per item): precision, recall, F1 and accuracy are one number.
//! - Weighted by support: recall equals accuracy.
//! - Any average that weighs P, R and F1 alike (classes, folds or seeds): the harmonic mean is concave, so by Jensen's
//!   inequality the averaged F1 is at most the harmonic mean of the averaged P and R.

use serde::{Deserialize, Serialize};

/// Four numbers as printed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Printed {
    /// Accuracy, between 0 and 1.
    pub accuracy: f64,
    /// Precision, between 0 and 1.
    pub precision: f64,
    /// Recall, between 0 and 1.
    pub recall: f64,
    /// F1, between 0 and 1.
    pub f1: f64,
    /// Digits after the decimal point: each true value lies within half a unit of the last.
    pub decimals: u32,
}

/// Which kinds of averaging the printed numbers do not exclude.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Consistency {
    /// One binary table, metrics of its positive class.
    pub binary: bool,
    /// One table of two classes, metrics averaged over both.
    pub two_class_macro: bool,
    /// One table of any number of classes, counts pooled.
    pub micro: bool,
    /// One table of any number of classes, metrics weighted by class support.
    pub weighted: bool,
    /// Any averaging with the same weights for precision, recall and F1.
    pub same_weights: bool,
    /// The F1 that the printed precision and recall imply for one binary table, lowest and highest.
    pub implied_f1: (f64, f64),
    /// The share of positives that one binary table needs for accuracy, precision and recall as printed; beyond 1 none
    /// has it. `None` where they do not determine it.
    pub implied_prevalence: Option<f64>,
}

/// Slack for rounding errors of this module's own arithmetic.
const SLACK: f64 = 1e-9;

/// Closed interval of the values that a printed number can stand for.
#[derive(Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    fn of(printed: f64, decimals: u32) -> Self {
        let half_unit = 0.5 * 10f64.powi(-(decimals.min(15) as i32));
        Self {
            low: (printed - half_unit).max(0.0),
            high: (printed + half_unit).min(1.0),
        }
    }

    fn meets(self, other: Self) -> bool {
        self.low <= other.high + SLACK && other.low <= self.high + SLACK
    }

    /// `steps + 1` values from low to high.
    fn grid(self, steps: u32) -> impl Iterator<Item = f64> {
        (0..=steps).map(move |step| self.low + (self.high - self.low) * f64::from(step) / f64::from(steps))
    }
}

fn harmonic_mean(precision: f64, recall: f64) -> f64 {
    if precision + recall > 0.0 {
        2.0 * precision * recall / (precision + recall)
    } else {
        0.0
    }
}

/// Checks the printed numbers. Values outside `[0, 1]` or not finite make everything impossible.
pub fn check(printed: &Printed) -> Consistency {
    let Printed {
        accuracy,
        precision,
        recall,
        f1,
        decimals,
    } = *printed;
    let [a, p, r, f] = [accuracy, precision, recall, f1].map(|value| Range::of(value, decimals));
    let implied = Range {
        low: harmonic_mean(p.low, r.low),
        high: harmonic_mean(p.high, r.high),
    };
    let valid = [accuracy, precision, recall, f1]
        .iter()
        .all(|value| (0.0..=1.0).contains(value));
    let same_weights = valid && f.low <= implied.high + SLACK;
    Consistency {
        binary: valid && implied.meets(f) && binary_table_exists(a, p, r),
        two_class_macro: same_weights && macro_table_exists(a, p, r, f),
        micro: valid && [p, r, f].iter().all(|range| range.meets(a)) && p.meets(r) && p.meets(f) && r.meets(f),
        weighted: same_weights && r.meets(a),
        same_weights,
        implied_f1: (implied.low, implied.high),
        implied_prevalence: prevalence(accuracy, precision, recall),
    }
}

/// Share of positives of a binary table: errors are FP = pi R (1 - P) / P and FN = pi (1 - R), together 1 - A.
fn prevalence(accuracy: f64, precision: f64, recall: f64) -> Option<f64> {
    let errors_per_positive = recall * (1.0 - precision) / precision + 1.0 - recall;
    (errors_per_positive.is_finite() && errors_per_positive > 0.0).then(|| (1.0 - accuracy) / errors_per_positive)
}

fn binary_table_exists(a: Range, p: Range, r: Range) -> bool {
    const STEPS: u32 = 20;
    if a.high >= 1.0 - SLACK || p.low <= SLACK {
        // No errors, or no true positives: not determined by these formulas, so not excluded.
        return true;
    }
    // More accuracy means fewer errors, hence fewer positives and more room: the high end decides.
    p.grid(STEPS).any(|precision| {
        r.grid(STEPS).any(|recall| {
            prevalence(a.high, precision, recall).is_none_or(|share| {
                let false_positives = share * recall * (1.0 - precision) / precision;
                share + false_positives <= 1.0 + SLACK
            })
        })
    })
}

/// A two-class table by its recalls: prevalence of the first class follows from accuracy and macro recall.
struct TwoClasses {
    precision: f64,
    f1: f64,
}

fn two_classes(accuracy: f64, recall: f64, first_recall: f64) -> Option<TwoClasses> {
    let second_recall = 2.0 * recall - first_recall;
    // accuracy = pi s + (1 - pi) t with macro recall (s + t) / 2
    let share = (accuracy - second_recall) / (first_recall - second_recall);
    if !(0.0..=1.0).contains(&share) || !(0.0..=1.0).contains(&second_recall) {
        return None;
    }
    let (tp, tn) = (share * first_recall, (1.0 - share) * second_recall);
    let (fn_, fp) = (share - tp, 1.0 - share - tn);
    let ratio = |hits: f64, all: f64| if all > 0.0 { hits / all } else { 0.0 };
    Some(TwoClasses {
        precision: 0.5 * (ratio(tp, tp + fp) + ratio(tn, tn + fn_)),
        f1: 0.5 * (ratio(2.0 * tp, 2.0 * tp + fp + fn_) + ratio(2.0 * tn, 2.0 * tn + fp + fn_)),
    })
}

/// Walks all tables of the rounded accuracy and macro recall, and asks whether one has the macro precision and F1.
fn macro_table_exists(a: Range, p: Range, r: Range, f: Range) -> bool {
    const BOX_STEPS: u32 = 6;
    const RECALL_STEPS: u32 = 4000;
    // Equal recalls leave the prevalence free; only there accuracy and recall agree.
    if a.meets(r) {
        return true;
    }
    let within = |low: f64, high: f64, range: Range| {
        Range {
            low: low.min(high),
            high: low.max(high),
        }
        .meets(range)
    };
    a.grid(BOX_STEPS).any(|accuracy| {
        r.grid(BOX_STEPS).any(|recall| {
            // By symmetry the first class has the larger recall; neighbours on the walk bracket what lies between.
            let recalls = Range {
                low: recall,
                high: (2.0 * recall).min(1.0),
            };
            let mut previous: Option<TwoClasses> = None;
            recalls.grid(RECALL_STEPS).any(|first_recall| {
                let table = two_classes(accuracy, recall, first_recall);
                let hit = match (&previous, &table) {
                    (Some(before), Some(now)) => {
                        within(before.precision, now.precision, p) && within(before.f1, now.f1, f)
                    }
                    (None, Some(now)) => within(now.precision, now.precision, p) && within(now.f1, now.f1, f),
                    _ => false,
                };
                previous = table;
                hit
            })
        })
    })
}
