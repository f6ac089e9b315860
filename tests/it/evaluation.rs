//! Evaluation against scikit-learn, SciPy and statsmodels (`golden/evaluation.json`), and its invariants.

use std::collections::BTreeMap;

use recoup::data::split::Part;
use recoup::evaluation::consistency::{Consistency, Printed, check};
use recoup::evaluation::curves::{auc_roc, average_precision};
use recoup::evaluation::intervals::{Interval, Method, corrected_t_p};
use recoup::evaluation::significance::{holm, normal_cdf, sign_flip_p, t_quantile, t_two_sided_p};
use recoup::evaluation::{
    Bootstrap, Confusion, Evaluation, EvaluationOptions, Level, Metric, MetricSet, Monitor, Prediction, Scores,
    SubjectScore, bootstrap, compare, compare_to_baseline, corrected_t_interval, evaluate, markdown, t_interval, table,
};
use serde_json::Value;

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

#[test]
fn t_and_normal_match_scipy() {
    let golden = golden();
    for row in golden["t"].as_array().unwrap().iter().map(numbers) {
        let [t, df, p, probability, quantile] = row[..] else {
            panic!("five numbers a row")
        };
        assert_close(t_two_sided_p(t, df).unwrap(), p, &format!("p of t = {t}, df = {df}"));
        assert_close(
            t_quantile(probability, df).unwrap(),
            quantile,
            &format!("quantile {probability}, df = {df}"),
        );
    }
    for row in golden["normal"].as_array().unwrap().iter().map(numbers) {
        assert_close(normal_cdf(row[0]), row[1], &format!("normal cdf of {}", row[0]));
        assert!(
            (normal_cdf(row[0]) / row[1] - 1.0).abs() < 1e-11,
            "relative, in the tail {}",
            row[0]
        );
    }
    // One degree of freedom has a closed form, exact where SciPy rounds the tail to 1/2.
    assert_close(
        t_two_sided_p(1e-9, 1.0).unwrap(),
        1.0 - 2e-9 / std::f64::consts::PI,
        "Cauchy",
    );
    assert_eq!(t_two_sided_p(1.0, 0.0), None);
    assert_eq!(t_two_sided_p(f64::NAN, 3.0), None);
    assert_eq!(t_quantile(1.0, 3.0), None);
}

#[test]
fn t_intervals_match_scipy() {
    for case in golden()["intervals"].as_array().unwrap() {
        let values = numbers(&case["values"]);
        let (level, ratio) = (case["level"].as_f64().unwrap(), case["ratio"].as_f64());
        let check = |interval: Interval, expected: &Value, method| {
            let expected = numbers(expected);
            assert_close(interval.estimate.unwrap(), case["mean"].as_f64().unwrap(), "mean");
            assert_close(interval.low.unwrap(), expected[0], "low");
            assert_close(interval.high.unwrap(), expected[1], "high");
            assert_eq!(
                (interval.method, interval.num_items, interval.level),
                (method, values.len(), level)
            );
        };
        check(t_interval(&values, level), &case["plain"], Method::StudentT);
        check(
            corrected_t_interval(&values, ratio, level),
            &case["corrected"],
            Method::CorrectedT,
        );
        assert_close(corrected_t_p(&values, ratio).unwrap(), case["p"].as_f64().unwrap(), "p");
    }
}

#[test]
fn degenerate_intervals_have_no_nan() {
    let bounds = |interval: Interval| (interval.estimate, interval.low, interval.high);
    assert_eq!(bounds(t_interval(&[], 0.95)), (None, None, None));
    assert_eq!(bounds(t_interval(&[0.7], 0.95)), (Some(0.7), None, None));
    assert_eq!(bounds(t_interval(&[0.1; 3], 0.95)), (Some(0.1), Some(0.1), Some(0.1)));
    assert_eq!(bounds(t_interval(&[0.1, f64::NAN], 0.95)), (None, None, None));
    assert_eq!(bounds(t_interval(&[0.1, 0.3], 1.0)), (Some(0.2), None, None));
    assert_eq!(
        bounds(corrected_t_interval(&[0.1, 0.3], None, 0.95)),
        (Some(0.2), None, None)
    );
    assert_eq!(corrected_t_p(&[], Some(0.25)), None);
    assert_eq!(corrected_t_p(&[0.2], Some(0.25)), None);
    assert_eq!(corrected_t_p(&[0.2, 0.2], Some(0.25)), None);
    assert_eq!(corrected_t_p(&[0.2, 0.1], None), None);
}

#[test]
fn permutation_and_holm_match_scipy_and_statsmodels() {
    let golden = golden();
    for case in golden["sign_flip"].as_array().unwrap() {
        let values = numbers(&case["values"]);
        assert_close(
            sign_flip_p(&values).unwrap(),
            case["p"].as_f64().unwrap(),
            &format!("{values:?}"),
        );
    }
    assert_eq!(sign_flip_p(&[0.1; 5]), Some(2.0 / 32.0));
    assert_eq!(
        (sign_flip_p(&[]), sign_flip_p(&[0.1; 21]), sign_flip_p(&[f64::NAN])),
        (None, None, None)
    );
    for case in golden["holm"].as_array().unwrap() {
        for (found, expected) in holm(&numbers(&case["p"])).into_iter().zip(numbers(&case["adjusted"])) {
            assert_close(found, expected, "Holm");
        }
    }
    assert!(holm(&[]).is_empty());
}

#[test]
fn bootstrap_intervals_match_scipy_on_the_same_resamples() {
    for case in golden()["bootstrap"].as_array().unwrap() {
        let strata: Vec<usize> = numbers(&case["strata"])
            .into_iter()
            .map(|stratum| stratum as usize)
            .collect();
        let values = numbers(&case["values"]);
        let options = Bootstrap {
            replicates: case["replicates"].as_u64().unwrap() as usize,
            seed: case["seed"].as_u64().unwrap(),
            level: case["level"].as_f64().unwrap(),
        };
        let statistics = |units: &[usize]| {
            let drawn: Vec<f64> = units.iter().map(|&unit| values[unit]).collect();
            let positive: Vec<bool> = units.iter().map(|&unit| strata[unit] == 1).collect();
            vec![
                auc_roc(&drawn, &positive),
                Some(drawn.iter().sum::<f64>() / drawn.len() as f64),
            ]
        };
        let found = bootstrap(&strata, statistics, &options);
        for (name, found) in ["auc", "mean"].into_iter().zip(&found) {
            let expected = &case[name];
            let percentile = numbers(&expected["percentile"]);
            let bca = numbers(&expected["bca"]);
            assert_close(
                found.percentile.estimate.unwrap(),
                expected["estimate"].as_f64().unwrap(),
                name,
            );
            assert_close(found.percentile.low.unwrap(), percentile[0], name);
            assert_close(found.percentile.high.unwrap(), percentile[1], name);
            assert_eq!(found.bca.method, Method::BootstrapBca);
            assert_close(found.bca.low.unwrap(), bca[0], &format!("{name}, BCa"));
            assert_close(found.bca.high.unwrap(), bca[1], &format!("{name}, BCa"));
        }
        let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(one_thread.install(|| bootstrap(&strata, statistics, &options)), found);
    }
}

#[test]
fn degenerate_bootstraps_have_no_nan() {
    let options = Bootstrap {
        replicates: 50,
        ..Bootstrap::default()
    };
    let nothing = bootstrap(&[], |_| vec![None], &options)[0];
    assert_eq!(
        (nothing.bca.estimate, nothing.bca.low, nothing.percentile.high),
        (None, None, None)
    );
    let constant = bootstrap(&[0, 0, 1], |_| vec![Some(1.0)], &options)[0].bca;
    assert_eq!(
        (constant.low, constant.high, constant.method),
        (Some(1.0), Some(1.0), Method::BootstrapBca)
    );
    // Every replicate lies above the estimate: the bias correction is infinite, so the percentiles are reported as such.
    let shifted = bootstrap(
        &[0; 4],
        |units| vec![Some(if units == [0, 1, 2, 3] { 0.0 } else { 1.0 })],
        &options,
    )[0]
    .bca;
    assert_eq!(
        (shifted.low, shifted.high, shifted.method),
        (Some(1.0), Some(1.0), Method::BootstrapPercentile)
    );
    let single = bootstrap(&[0], |units| vec![Some(units.len() as f64)], &options)[0].bca;
    assert_eq!(
        (single.estimate, single.low, single.high),
        (Some(1.0), Some(1.0), Some(1.0))
    );
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
        compare(a, b, Metric::Accuracy, Level::Subject, 0.95)
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
