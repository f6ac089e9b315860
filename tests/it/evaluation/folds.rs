//! Evaluation over folds and seeds, comparison of variants, tables.

use std::collections::BTreeMap;

use recoup::cohort::split::Part;
use recoup::evaluation::intervals::{Method, corrected_t_p};
use recoup::evaluation::{
    Bootstrap, Confusion, Evaluation, EvaluationOptions, Level, Metric, Prediction, SubjectScore, compare,
    compare_to_baseline, corrected_t_interval, evaluate, markdown, t_interval, table,
};
use serde_json::Value;

use super::{assert_close, assert_metrics, draw, golden, numbers};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("c{class}")).collect()
}

/// Quick options: enough replicates to run the code, too few to quote.
fn options() -> EvaluationOptions {
    EvaluationOptions {
        bootstrap: Bootstrap {
            replicates: 20,
            ..Bootstrap::default()
        },
        ..EvaluationOptions::default()
    }
}

/// Test rows of `variant`: `repeats` times `folds` folds over 12 subjects of two classes, three windows each.
fn study(variant: &str, repeats: u32, folds: u32, seeds: &[u64], skill: f64) -> Vec<Prediction> {
    let mut rows = Vec::new();
    for (repeat, seed, subject, window) in (0..repeats).flat_map(|repeat| {
        seeds.iter().flat_map(move |&seed| {
            (0..12u32).flat_map(move |subject| (0..3u32).map(move |window| (repeat, seed, subject, window)))
        })
    }) {
        let target = subject % 2;
        let counter = u64::from(repeat) * 100_000 + seed * 1000 + u64::from(subject * 10 + window);
        let margin = 4.0 * draw(counter) - 2.0 + skill * (2.0 * f64::from(target) - 1.0);
        rows.push(Prediction {
            variant: variant.to_owned(),
            repeat,
            fold: (subject / 2 + repeat) % folds,
            seed,
            part: Part::Test,
            subject: format!("s{subject:02}"),
            session: "1".to_owned(),
            window_start_secs: f64::from(window) * 2.5,
            target,
            logits: vec![0.0, margin as f32],
        });
    }
    rows
}

fn pipeline_rows(golden: &Value) -> Vec<Prediction> {
    let row = |row: &Value| Prediction {
        variant: "cnn".to_owned(),
        repeat: row[0].as_u64().unwrap() as u32,
        fold: row[1].as_u64().unwrap() as u32,
        seed: row[2].as_u64().unwrap(),
        part: Part::Test,
        subject: row[3].as_str().unwrap().to_owned(),
        session: "1".to_owned(),
        window_start_secs: row[4].as_f64().unwrap(),
        target: row[5].as_u64().unwrap() as u32,
        logits: vec![row[6].as_f64().unwrap() as f32, row[7].as_f64().unwrap() as f32],
    };
    golden["pipeline"]["rows"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn evaluation_of_stored_predictions_matches_the_reference() {
    let golden = golden();
    let rows = pipeline_rows(&golden);
    let evaluation = evaluate(&rows, &names(2), &options()).unwrap();
    let by_logits = EvaluationOptions {
        subject_score: Some(SubjectScore::MeanLogits),
        ..options()
    };
    let by_logits = evaluate(&rows, &names(2), &by_logits).unwrap();
    let variant = evaluation.variant("cnn").unwrap();
    let expected = golden["pipeline"]["folds"].as_array().unwrap();
    assert_eq!(variant.folds.len(), expected.len());
    for expected in expected {
        let key = ["repeat", "fold", "seed"].map(|key| expected[key].as_u64().unwrap());
        let same =
            |fold: &&recoup::evaluation::FoldEvaluation| [fold.repeat.into(), fold.fold.into(), fold.seed] == key;
        let fold = variant.folds.iter().find(same).unwrap();
        let other = by_logits.variant("cnn").unwrap().folds.iter().find(same).unwrap();
        assert_metrics(
            &fold.metrics[&Level::Window],
            &expected["window"],
            &format!("windows of {key:?}"),
        );
        assert_metrics(
            &fold.metrics[&Level::Subject],
            &expected["subject"],
            &format!("subjects of {key:?}"),
        );
        let what = format!("subjects by mean logits of {key:?}");
        assert_metrics(&other.metrics[&Level::Subject], &expected["subject_mean_logits"], &what);
        assert_eq!((fold.subjects.len(), fold.num_train_subjects), (4, Some(8)));
    }
    let mean = variant.mean[&Level::Subject][&Metric::Brier];
    let interval = numbers(&golden["pipeline"]["brier_interval"]);
    assert_close(
        mean.estimate.unwrap(),
        golden["pipeline"]["brier_mean"].as_f64().unwrap(),
        "mean Brier",
    );
    assert_close(mean.low.unwrap(), interval[0], "low");
    assert_close(mean.high.unwrap(), interval[1], "high");
    assert_eq!(
        (mean.num_items, mean.method, variant.test_to_train),
        (6, Method::CorrectedT, Some(0.5))
    );
}

#[test]
fn row_order_changes_nothing_and_json_round_trips() {
    let mut rows = study("cnn", 2, 3, &[1, 2], 0.5);
    let evaluation = evaluate(&rows, &names(2), &options()).unwrap();
    let order: BTreeMap<u64, usize> = (0..rows.len())
        .map(|index| (draw(index as u64).to_bits(), index))
        .collect();
    rows = order.values().map(|&index| rows[index].clone()).collect();
    assert_eq!(evaluate(&rows, &names(2), &options()).unwrap(), evaluation);
    let json = serde_json::to_string(&evaluation).unwrap();
    let back: Evaluation = serde_json::from_str(&json).unwrap();
    for (level, metrics) in &evaluation.variants[0].mean {
        for (metric, interval) in metrics {
            let read = back.variants[0].mean[level][metric];
            assert_eq!((read.method, read.num_items), (interval.method, interval.num_items));
            for (read, wrote) in [
                (read.estimate, interval.estimate),
                (read.low, interval.low),
                (read.high, interval.high),
            ] {
                assert!(
                    (read.unwrap() - wrote.unwrap()).abs() < 1e-15,
                    "{metric}: {read:?} and {wrote:?}"
                );
            }
        }
    }
    assert_eq!(
        back.variants[0].pooled[0].confusion,
        evaluation.variants[0].pooled[0].confusion
    );
    let value: Value = serde_json::from_str(&json).unwrap();
    assert!(value["variants"][0]["mean"]["subject"]["auc_roc"]["estimate"].is_number());
    assert_eq!(
        value["variants"][0]["folds"][0]["metrics"]["window"]
            .as_object()
            .unwrap()
            .len(),
        Metric::ALL.len()
    );
}

#[test]
fn pooling_counts_every_subject_once_and_leaves_out_the_areas() {
    let evaluation = evaluate(&study("cnn", 2, 3, &[7], 0.5), &names(2), &options()).unwrap();
    let pooled = &evaluation.variants[0].pooled;
    assert_eq!(
        pooled
            .iter()
            .map(|pool| (pool.repeat, pool.seed, pool.num_folds))
            .collect::<Vec<_>>(),
        [(0, 7, 3), (1, 7, 3)]
    );
    for pool in pooled {
        assert_eq!(pool.confusion[&Level::Subject].total(), 12);
        assert_eq!(pool.confusion[&Level::Window].total(), 36);
        let Confusion(counts) = &pool.confusion[&Level::Subject];
        assert_eq!(counts.iter().map(|row| row.iter().sum()).collect::<Vec<u64>>(), [6, 6]);
        assert!(
            !pool.subject_metrics.contains_key(&Metric::AucRoc) && !pool.subject_metrics.contains_key(&Metric::AucPr)
        );
        let accuracy = pool.subject_metrics[&Metric::Accuracy].percentile;
        assert_eq!(
            accuracy.estimate,
            Some(pool.confusion[&Level::Subject].correct() as f64 / 12.0)
        );
        assert!(accuracy.low.unwrap() <= accuracy.high.unwrap());
    }
    let one_fold = evaluate(&study("cnn", 1, 1, &[7], 0.5), &names(2), &options()).unwrap();
    assert!(
        one_fold.variants[0].pooled[0]
            .subject_metrics
            .contains_key(&Metric::AucRoc)
    );
}

#[test]
fn seeds_of_one_fold_get_the_plain_interval() {
    let evaluation = evaluate(&study("cnn", 1, 1, &[1, 2, 3, 4], 0.5), &names(2), &options()).unwrap();
    let variant = &evaluation.variants[0];
    let interval = variant.mean[&Level::Window][&Metric::LogLoss];
    let values: Vec<f64> = variant
        .folds
        .iter()
        .map(|fold| fold.metrics[&Level::Window].get(Metric::LogLoss).unwrap())
        .collect();
    assert_eq!(interval, t_interval(&values, 0.95));
    assert_eq!((interval.method, interval.num_items), (Method::StudentT, 4));
}

#[test]
fn a_class_missing_from_a_fold_leaves_the_area_undefined_there_and_is_counted() {
    let mut rows = study("cnn", 1, 3, &[1], 0.5);
    rows.retain(|row| row.fold != 0 || row.target == 0);
    let evaluation = evaluate(&rows, &names(2), &options()).unwrap();
    let variant = &evaluation.variants[0];
    assert_eq!(variant.folds[0].metrics[&Level::Subject].get(Metric::AucRoc), None);
    assert_eq!(variant.mean[&Level::Subject][&Metric::AucRoc].num_items, 2);
    assert_eq!(variant.mean[&Level::Subject][&Metric::Accuracy].num_items, 3);
    let text = table(&evaluation, Level::Subject, &[Metric::Accuracy, Metric::AucRoc]);
    assert!(text.contains("\nAUC ROC: defined in 2 of 3.\n"), "{text}");
}

#[test]
fn stored_train_rows_give_the_training_size() {
    let mut rows = study("cnn", 1, 3, &[1], 0.5);
    let train: Vec<Prediction> = rows
        .iter()
        .filter(|row| row.fold != 0 && row.window_start_secs == 0.0 && row.subject != "s02")
        .map(|row| Prediction {
            fold: 0,
            part: Part::Train,
            ..row.clone()
        })
        .collect();
    rows.extend(train);
    let evaluation = evaluate(&rows, &names(2), &options()).unwrap();
    let sizes: Vec<_> = evaluation.variants[0]
        .folds
        .iter()
        .map(|fold| fold.num_train_subjects)
        .collect();
    assert_eq!(sizes, [Some(7), Some(8), Some(8)]);
}

#[test]
fn bad_rows_are_named() {
    let good = study("cnn", 1, 3, &[1], 0.5);
    let message = |change: &dyn Fn(&mut Vec<Prediction>)| {
        let mut rows = good.clone();
        change(&mut rows);
        evaluate(&rows, &names(2), &options()).unwrap_err().to_string()
    };
    let place = "variant `cnn`, repeat 0, fold 0, seed 1, test, subject `s00`, session `1`, window at 2.5 s";
    assert_eq!(
        message(&|rows| rows[1].logits[0] = f32::NAN),
        format!("prediction row 1 ({place}): logit is NaN; the model diverged, so leave its rows out explicitly")
    );
    assert_eq!(
        message(&|rows| rows[1].target = 2),
        format!("prediction row 1 ({place}): target 2 but only 2 classes are declared, counted from 0")
    );
    assert_eq!(
        message(&|rows| rows[1].logits.push(0.0)),
        format!("prediction row 1 ({place}): 3 logits for 2 declared classes")
    );
    assert_eq!(
        message(&|rows| rows.push(rows[1].clone())),
        format!("two predictions for the same window ({place}); was a run appended to the predictions of another?")
    );
    assert_eq!(
        message(&|rows| rows[1].target = 1),
        "subject `s00` has windows of classes 0 and 1 (variant `cnn`), so it has no single target; set `subject_score` \
         to none to evaluate windows only"
    );
    assert_eq!(
        message(&|rows| rows[1].fold = 2),
        "subject `s00` is tested in folds 0 and 2 of repeat 0 (variant `cnn`); folds of one repeat must not share test \
         subjects"
    );
    assert_eq!(
        message(&|rows| rows.clear()),
        "no predictions of part `test` to evaluate; were the models run on it?"
    );
    let full = EvaluationOptions {
        bootstrap: Bootstrap {
            level: 1.0,
            ..Bootstrap::default()
        },
        ..options()
    };
    assert_eq!(
        evaluate(&good, &names(2), &full).unwrap_err().to_string(),
        "`bootstrap.level` is 1; expected a number between 0 and 1, both excluded"
    );
    assert_eq!(
        evaluate(&good, &names(1), &options()).unwrap_err().to_string(),
        "a classification needs at least two classes, 1 declared"
    );
}

#[test]
fn targets_that_vary_within_a_subject_are_evaluated_per_window() {
    let mut rows = study("cnn", 1, 3, &[1], 0.5);
    rows[1].target = 1;
    let windows_only = EvaluationOptions {
        subject_score: None,
        ..options()
    };
    let evaluation = evaluate(&rows, &names(2), &windows_only).unwrap();
    let levels: Vec<Level> = evaluation.variants[0].mean.keys().copied().collect();
    assert_eq!(levels, [Level::Window]);
    assert!(evaluation.variants[0].pooled[0].subject_metrics.is_empty());
}

#[test]
fn a_comparison_pairs_folds_and_averages_seeds() {
    let mut rows = study("good", 2, 3, &[1, 2], 1.5);
    rows.extend(study("poor", 2, 3, &[1, 2], 0.0));
    rows.extend(study("same", 2, 3, &[1, 2], 1.5));
    let evaluation = evaluate(&rows, &names(2), &options()).unwrap();
    let [good, poor, same] = ["good", "poor", "same"].map(|name| evaluation.variant(name).unwrap());
    let found = compare(good, poor, Metric::LogLoss, Level::Window, 0.95).unwrap();
    assert_eq!(found.differences.len(), 6);
    let first = &found.differences[0];
    let seeds = good.folds.iter().filter(|fold| (fold.repeat, fold.fold) == (0, 0));
    let values: Vec<f64> = seeds
        .map(|fold| fold.metrics[&Level::Window].get(Metric::LogLoss).unwrap())
        .collect();
    assert_eq!(
        (first.a, first.difference),
        ((values[0] + values[1]) / 2.0, first.a - first.b)
    );
    let differences: Vec<f64> = found.differences.iter().map(|fold| fold.difference).collect();
    assert_eq!(found.interval, corrected_t_interval(&differences, Some(0.5), 0.95));
    assert_eq!(
        (found.p, found.sign_flip_p),
        (corrected_t_p(&differences, Some(0.5)), Some(2.0 / 64.0))
    );
    let mirrored = compare(poor, good, Metric::LogLoss, Level::Window, 0.95).unwrap();
    assert_eq!(mirrored.p, found.p);
    let equal = compare(good, same, Metric::LogLoss, Level::Window, 0.95).unwrap();
    assert_eq!(
        (equal.interval.estimate, equal.p, equal.sign_flip_p),
        (Some(0.0), None, Some(1.0))
    );
    let all = compare_to_baseline(&[good, same], poor, Metric::LogLoss, Level::Window, 0.95).unwrap();
    assert_eq!(all[0].holm_p, Some((2.0 * found.p.unwrap()).min(1.0)));
}

#[test]
fn a_comparison_of_other_folds_names_what_differs() {
    let base = study("a", 1, 3, &[1], 1.0);
    let message = |change: &dyn Fn(&mut Vec<Prediction>)| {
        let mut other = study("b", 1, 3, &[1], 0.0);
        change(&mut other);
        other.extend(base.clone());
        let evaluation = evaluate(&other, &names(2), &options()).unwrap();
        let [a, b] = ["a", "b"].map(|name| evaluation.variant(name).unwrap());
        compare(a, b, Metric::Accuracy, Level::Window, 0.95)
            .unwrap_err()
            .to_string()
    };
    let prefix = "`a` and `b` cannot be compared: ";
    assert_eq!(
        message(&|rows| rows.retain(|row| row.fold != 2)),
        format!("{prefix}`b` has no repeat 0, fold 2, seed 1")
    );
    assert_eq!(
        message(&|rows| rows.retain(|row| row.subject != "s06")),
        format!("{prefix}in repeat 0, fold 0, seed 1 only the first is scored on subject `s06`")
    );
    assert_eq!(
        message(&|rows| drop(rows.remove(0))),
        format!("{prefix}in repeat 0, fold 0, seed 1 they are scored on 2 and 3 windows")
            .replace("2 and 3", "12 and 11")
    );
    assert_eq!(
        message(&|rows| {
            let valid = Prediction {
                fold: 0,
                part: Part::Valid,
                ..rows[12].clone()
            };
            rows.push(valid);
        }),
        format!("{prefix}in repeat 0, fold 0, seed 1 they are trained on 8 and 7 subjects")
    );
}

#[test]
fn tables_fit_100_columns() {
    let mut rows = study("cnn", 2, 3, &[1, 2], 0.5);
    rows.iter_mut()
        .filter(|row| row.seed == 2)
        .for_each(|row| row.seed = u64::MAX);
    let evaluation = evaluate(&rows, &names(2), &options()).unwrap();
    let text = table(&evaluation, Level::Window, Metric::ALL);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let one = evaluate(&study("cnn", 1, 3, &[1], 0.5), &names(2), &options()).unwrap();
    let metrics = [Metric::Accuracy, Metric::AucRoc, Metric::LogLoss];
    assert_eq!(table(&one, Level::Subject, &metrics), TABLE);
    assert_eq!(markdown(&one, Level::Subject, &metrics), MARKDOWN);
}

const TABLE: &str = "\
cnn | every subject counts once
fold      items    acc AUC ROC log loss
---------------------------------------
r0 f0 s1      4  0.500   0.750    0.673
r0 f1 s1      4  0.500   0.500    0.733
r0 f2 s1      4  1.000   1.000    0.540
---------------------------------------
mean             0.667   0.750    0.648
low 95 %        -0.467  -0.232    0.261
high 95 %        1.801   1.732    1.036
Corrected t interval over 3 folds, n_test/n_train = 0.500; seeds averaged within a fold.
";

const MARKDOWN: &str = "\
**cnn**, every subject counts once

| fold | items | acc | AUC ROC | log loss |
|:---|---:|---:|---:|---:|
| r0 f0 s1 | 4 | 0.500 | 0.750 | 0.673 |
| r0 f1 s1 | 4 | 0.500 | 0.500 | 0.733 |
| r0 f2 s1 | 4 | 1.000 | 1.000 | 0.540 |
| mean | | 0.667 | 0.750 | 0.648 |
| low 95 % | | -0.467 | -0.232 | 0.261 |
| high 95 % | | 1.801 | 1.732 | 1.036 |

Corrected t interval over 3 folds, n_test/n_train = 0.500; seeds averaged within a fold.
";
