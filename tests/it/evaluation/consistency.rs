//! The consistency checker on printed tables and on tables that exist.

use recoup::evaluation::Confusion;
use recoup::evaluation::consistency::{Consistency, Printed, check};

use super::draw;

/// Accuracy, precision, recall, F1 as printed in two tables of six models; which kinds of averaging can give each row.
#[test]
fn printed_numbers_that_no_table_can_give() {
    let rows = [
        ([0.794, 0.715, 0.908, 0.808], 0.8000, 0.454, false),
        ([0.938, 0.917, 0.753, 0.773], 0.8269, 0.197, true),
        ([0.883, 0.850, 0.745, 0.853], 0.7940, 0.303, false),
        ([0.850, 0.877, 0.746, 0.735], 0.8062, 0.418, true),
        ([0.739, 0.705, 0.776, 0.773], 0.7388, 0.476, false),
        ([0.739, 0.942, 0.831, 0.792], 0.8830, 1.185, true),
        ([0.682, 0.837, 0.721, 0.671], 0.7747, 0.758, true),
        ([0.821, 0.802, 0.666, 0.886], 0.7277, 0.359, false),
        ([0.687, 0.658, 0.893, 0.888], 0.7577, 0.548, false),
        ([0.717, 0.855, 0.712, 0.922], 0.7770, 0.692, false),
        ([0.742, 0.761, 0.763, 0.758], 0.7620, 0.541, true),
        ([0.891, 0.875, 0.739, 0.917], 0.8013, 0.297, false),
    ];
    for ([accuracy, precision, recall, f1], implied, prevalence, same_weights) in rows {
        let found = check(&Printed {
            accuracy,
            precision,
            recall,
            f1,
            decimals: 3,
        });
        let Consistency {
            binary,
            two_class_macro,
            micro,
            weighted,
            ..
        } = found;
        assert!(!binary && !two_class_macro && !micro && !weighted, "{found:?}");
        assert_eq!(found.same_weights, same_weights, "{found:?}");
        assert!(
            found.implied_f1.0 <= implied && implied <= found.implied_f1.1,
            "{found:?}"
        );
        assert!(
            (found.implied_prevalence.unwrap() - prevalence).abs() < 5e-4,
            "{found:?}"
        );
    }
}

/// Whatever a real table prints must be possible under the averaging that made it.
#[test]
fn printed_numbers_of_real_tables_are_possible() {
    for round in 0..150u64 {
        let counts: Vec<u64> = (0..4).map(|cell| 1 + (draw(round * 4 + cell) * 60.0) as u64).collect();
        let confusion = Confusion(vec![vec![counts[0], counts[1]], vec![counts[2], counts[3]]]);
        let classes = confusion.per_class();
        let total = confusion.total() as f64;
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        let accuracy = rounded(confusion.correct() as f64 / total);
        let printed = |weights: [f64; 2]| {
            let mean = |value: fn(&recoup::evaluation::metrics::ClassMetrics) -> f64| {
                rounded(
                    classes
                        .iter()
                        .zip(weights)
                        .map(|(class, weight)| weight * value(class))
                        .sum(),
                )
            };
            let (precision, recall, f1) = (mean(|c| c.precision), mean(|c| c.recall), mean(|c| c.f1));
            check(&Printed {
                accuracy,
                precision,
                recall,
                f1,
                decimals: 3,
            })
        };
        assert!(printed([0.0, 1.0]).binary, "{confusion:?}");
        assert!(printed([0.5, 0.5]).two_class_macro, "{confusion:?}");
        let share = classes[0].support as f64 / total;
        assert!(printed([share, 1.0 - share]).weighted, "{confusion:?}");
        assert!(printed([share, 1.0 - share]).same_weights, "{confusion:?}");
        let micro = Printed {
            accuracy,
            precision: accuracy,
            recall: accuracy,
            f1: accuracy,
            decimals: 3,
        };
        assert!(check(&micro).micro);
    }
}
