//! Intervals and tests against SciPy and statsmodels.

use recoup::evaluation::curves::auc_roc;
use recoup::evaluation::intervals::{Interval, Method, corrected_t_p};
use recoup::evaluation::significance::{holm, normal_cdf, sign_flip_p, t_quantile, t_two_sided_p};
use recoup::evaluation::{Bootstrap, bootstrap, corrected_t_interval, t_interval};
use serde_json::Value;

use super::{assert_close, golden, numbers};

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
