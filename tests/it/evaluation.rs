//! Evaluation against scikit-learn, SciPy and statsmodels (`golden/evaluation.json`), and its invariants.

use recoup::cohort::split::Part;
use recoup::evaluation::curves::{auc_roc, average_precision};
use recoup::evaluation::{Metric, MetricSet, Monitor, Scores};
use serde_json::Value;

mod ablation;
mod consistency;
mod folds;
mod statistics;

const TOLERANCE: f64 = 1e-12;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/evaluation.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_f64().unwrap())
        .collect()
}

fn assert_close(found: f64, expected: f64, what: &str) {
    let bound = TOLERANCE * expected.abs().max(1.0);
    assert!(
        (found - expected).abs() <= bound,
        "{what}: {found} but {expected} expected"
    );
}

fn assert_metrics(found: &MetricSet, expected: &Value, what: &str) {
    let expected = expected.as_object().unwrap();
    assert_eq!(expected.len(), Metric::ALL.len(), "the golden file covers every metric");
    for (metric, value) in found.iter() {
        match (value, expected[metric.name()].as_f64()) {
            (Some(value), Some(expected)) => assert_close(value, expected, &format!("{what}, {metric}")),
            (value, expected) => assert_eq!(value, expected, "{what}, {metric}"),
        }
    }
}

/// A splitmix draw in [0, 1), a function of its counter.
fn draw(counter: u64) -> f64 {
    let mut bits = counter.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[test]
fn metrics_match_scikit_learn() {
    let golden = golden();
    let cases = golden["metrics"].as_array().unwrap();
    assert!(cases.len() > 100);
    for (index, case) in cases.iter().enumerate() {
        let rows: Vec<Vec<f64>> = case["probabilities"].as_array().unwrap().iter().map(numbers).collect();
        let targets = numbers(&case["targets"])
            .into_iter()
            .map(|target| target as usize)
            .collect();
        let scores = Scores::new(rows[0].len(), targets, rows.concat()).unwrap();
        let what = format!(
            "case {index}, {}, {} classes, {} items",
            case["kind"],
            rows[0].len(),
            rows.len()
        );
        assert_metrics(&MetricSet::of(&scores), &case["expected"], &what);
        let mirrored: Vec<usize> = (0..scores.len()).rev().collect();
        for (metric, value) in MetricSet::of(&scores.select(&mirrored)).iter() {
            match (value, MetricSet::of(&scores).get(metric)) {
                (Some(a), Some(b)) => assert!((a - b).abs() < 1e-13, "{what}, reversed, {metric}: {a} and {b}"),
                (a, b) => assert_eq!(a, b, "{what}, reversed, {metric}"),
            }
        }
    }
}

#[test]
fn areas_do_not_change_under_a_monotone_map_and_mirror_with_the_classes() {
    for round in 0..50u64 {
        let count = 2 + (round as usize % 40);
        let scores: Vec<f64> = (0..count as u64)
            .map(|i| (draw(round * 100 + i) * 10.0).floor())
            .collect();
        let positive: Vec<bool> = (0..count as u64).map(|i| draw(9999 + round * 100 + i) < 0.4).collect();
        let mapped: Vec<f64> = scores.iter().map(|score| (score / 3.0).exp() - 7.0).collect();
        assert_eq!(auc_roc(&scores, &positive), auc_roc(&mapped, &positive));
        assert_eq!(
            average_precision(&scores, &positive),
            average_precision(&mapped, &positive)
        );
        let negated: Vec<f64> = scores.iter().map(|score| -score).collect();
        let swapped: Vec<bool> = positive.iter().map(|positive| !positive).collect();
        assert_eq!(auc_roc(&scores, &positive), auc_roc(&negated, &swapped));
    }
    assert_eq!(auc_roc(&[0.1, 0.2], &[true, true]), None);
    assert_eq!(average_precision(&[], &[]), None);
}

#[test]
fn a_metric_is_parsed_from_its_name_only() {
    for &metric in Metric::ALL {
        assert_eq!(metric.name().parse(), Ok(metric));
        assert!(metric.heading().chars().count() <= 8);
        assert_eq!(serde_json::to_string(&metric).unwrap(), format!("\"{metric}\""));
    }
    let monitor: Monitor = "valid/balanced_accuracy".parse().unwrap();
    assert_eq!(
        monitor,
        Monitor {
            part: Part::Valid,
            metric: Metric::BalancedAccuracy
        }
    );
    assert_eq!(monitor.to_string(), "valid/balanced_accuracy");
    let message = "balanced_accuracy".parse::<Monitor>().unwrap_err().to_string();
    assert_eq!(
        message,
        "cannot monitor `balanced_accuracy`; expected `train/`, `valid/` or `test/` and a metric, such as \
         `valid/balanced_accuracy`"
    );
    let message = "valid/acc".parse::<Monitor>().unwrap_err().to_string();
    assert!(
        message.starts_with("unknown metric `acc`; known: accuracy, balanced_accuracy, precision, "),
        "{message}"
    );
}

#[test]
fn scores_of_the_wrong_shape_are_refused() {
    let message = |classes, targets: &[usize], probabilities: &[f64]| {
        Scores::new(classes, targets.to_vec(), probabilities.to_vec())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message(1, &[0], &[1.0]),
        "a classification needs at least two classes, 1 declared"
    );
    let shape = "scores of 1 rows and 2 classes need 2 probabilities and targets below 2: ";
    assert_eq!(message(2, &[0], &[1.0]), format!("{shape}1 probabilities"));
    assert_eq!(message(2, &[2], &[0.5, 0.5]), format!("{shape}target 2"));
    assert_eq!(message(2, &[1], &[0.5, f64::NAN]), format!("{shape}probability NaN"));
    let none = Scores::new(3, vec![], vec![]).unwrap();
    assert!(MetricSet::of(&none).iter().all(|(_, value)| value.is_none()));
}
