//! Strides: planted ones, those that the database gaitndd publishes, and scaling exponents of known noises.

use std::path::{Path, PathBuf};

use recoup::dataset::subjects::Channel;
use recoup::features::signals::stride::{ContactThreshold, GaitForce, Outliers, SeriesFeature, dfa_alpha, statistics};
use recoup::features::signals::{Scratch, SignalFeature, SignalInfo};
use recoup_formats::wfdb::read_record;
use serde::Deserialize;

use super::random::Normal;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
    excerpt: Excerpt,
}

#[derive(Deserialize)]
struct Case {
    values: Vec<f64>,
    sizes: [usize; 2],
    statistics: [f64; 5],
}

#[derive(Deserialize)]
struct Excerpt {
    rate_hz: f64,
    left: Vec<f64>,
    right: Vec<f64>,
    end_secs: Vec<f64>,
    left_stride_secs: Vec<f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../golden/stride.json")).unwrap()
}

fn feet() -> GaitForce {
    toml::from_str("left = \"left\"\nright = \"right\"").unwrap()
}

#[test]
fn statistics_equal_numpy() {
    let golden = golden();
    assert_eq!(golden.cases.len(), 4);
    for case in golden.cases {
        let found = statistics(&case.values, case.sizes[0]..=case.sizes[1]);
        for (found, expected) in found.into_iter().zip(case.statistics) {
            assert!((found - expected).abs() < 1e-10, "{found}, not {expected}");
        }
    }
}

#[test]
fn the_scaling_exponent_of_white_noise_is_a_half_and_of_its_sum_three_halves() {
    let mut normal = Normal::new(4);
    let white: Vec<f64> = (0..20_000).map(|_| normal.next()).collect();
    let mut sum = 0.0;
    let brown: Vec<f64> = white
        .iter()
        .map(|x| {
            sum += x;
            sum
        })
        .collect();
    let (white_alpha, brown_alpha) = (dfa_alpha(&white, 16..=200), dfa_alpha(&brown, 16..=200));
    println!("white {white_alpha:.4}, brown {brown_alpha:.4}");
    assert!((white_alpha - 0.5).abs() < 0.03 && (brown_alpha - 1.5).abs() < 0.05);
    // Neither gain nor offset count.
    let scaled: Vec<f64> = white.iter().map(|x| 3.0 * x - 100.0).collect();
    assert!((dfa_alpha(&scaled, 16..=200) - white_alpha).abs() < 1e-9);
    assert!(dfa_alpha(&[1.1; 100], 10..=20).is_nan());
    assert!(dfa_alpha(&white[..39], 10..=20).is_nan());
    assert!(dfa_alpha(&white[..40], 10..=20).is_finite());
    assert!(dfa_alpha(&[], 4..=5).is_nan() && dfa_alpha(&white, 2..=20).is_nan());
}

#[test]
fn outliers_go_by_the_rule() {
    let mut series = vec![1.0, 1.1, 0.9, 1.0, 1.05, 0.95, 1.0, 1.1, 0.9, 1.0, 1.0, 1.0, 1.02, 0.98];
    series.push(4.0);
    let dropped = |rule: Outliers, series: &[f64]| -> Vec<usize> {
        rule.kept(series)
            .iter()
            .enumerate()
            .filter(|(_, kept)| !**kept)
            .map(|(index, _)| index)
            .collect()
    };
    assert_eq!(dropped(Outliers::Deviations { num: 3.0 }, &series), [14]);
    assert_eq!(dropped(Outliers::LocalMedian { share: 0.2 }, &series), [14]);
    assert_eq!(dropped(Outliers::Keep {}, &series), [0usize; 0]);
    series[3] = f64::NAN;
    for rule in [Outliers::Deviations { num: 3.0 }, Outliers::LocalMedian { share: 0.2 }] {
        assert_eq!(dropped(rule, &series), [3, 14]);
    }
    assert_eq!(dropped(Outliers::Keep {}, &series), [3]);
    assert_eq!(Outliers::Deviations { num: 3.0 }.apply(&[2.0]), [2.0]);
    assert_eq!(Outliers::LocalMedian { share: 0.2 }.apply(&[]), [0.0; 0]);
}

/// Strike and toe-off of each contact, in samples.
type Contacts = Vec<(usize, usize)>;

/// Forces with planted contacts of the left and the right foot, and noise of 2 %.
fn planted_forces() -> (Contacts, Contacts, [Vec<f64>; 2]) {
    let mut normal = Normal::new(9);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut strike = 40usize;
    for _ in 0..25 {
        let stride = (110.0 + 3.0 * normal.next()).round() as usize;
        left.push((strike, strike + 68));
        right.push((strike + stride / 2, strike + stride / 2 + 72));
        strike += stride;
    }
    let mut force = |contacts: &[(usize, usize)], gain: f64| -> Vec<f64> {
        let mut force = vec![0.0; strike + 200];
        for (on, off) in contacts {
            for (index, x) in force.iter_mut().enumerate().take(*off).skip(*on) {
                *x = gain * (1.0 + 0.2 * ((index - on) as f64 / 9.0).sin());
            }
        }
        force.iter().map(|x| x + gain * 0.02 * normal.next() - 3.0).collect()
    };
    let forces = [force(&left, 700.0), force(&right, 2.0)];
    (left, right, forces)
}

#[test]
fn planted_strides_are_found_to_the_sample() {
    let (left, right, forces) = planted_forces();
    let rate_hz = 100.0;
    let found = feet().strides(&forces[0], &forces[1], rate_hz);
    for (contacts, found) in [&left, &right].into_iter().zip(&found) {
        assert_eq!(found.len(), contacts.len() - 1);
        for (pair, stride) in contacts.windows(2).zip(found) {
            let [(on, off), (next, _)] = pair else { unreachable!() };
            let samples = |secs: f64| (secs * rate_hz).round() as usize;
            assert_eq!(samples(stride.start_secs), *on);
            assert_eq!(samples(stride.stride_secs), next - on);
            assert_eq!(samples(stride.stance_secs), off - on);
            assert_eq!(samples(stride.swing_secs), next - off);
        }
    }
    // Both feet bear from each strike to the other foot's toe-off.
    for (index, stride) in found[0].iter().enumerate().skip(1) {
        let both = right[index - 1].1 - left[index].0 + left[index].1 - right[index].0;
        assert_eq!((stride.double_support_secs * rate_hz).round() as usize, both);
    }

    let config = feet();
    let channels: Vec<_> = ["left", "right"]
        .map(|name| Channel {
            name: name.into(),
            unit: "N".into(),
        })
        .into();
    let signal = SignalInfo {
        channels: &channels,
        rate_hz,
        num_samples: forces[0].len(),
    };
    config.check(&signal).unwrap();
    let mut values = Vec::new();
    config.extract(&[&forces[0], &forces[1]], rate_hz, &mut Scratch::default(), &mut values);
    let columns = config.columns(&signal);
    assert_eq!((columns.len(), values.len()), (31, 31));
    let value = |name: &str| values[columns.iter().position(|column| column.name == name).unwrap()];
    assert_eq!(value("left.stance_sd"), 0.0);
    assert!((value("left.stance_mean") - 0.68).abs() < 1e-12);
    assert!((value("left-right.stance_symmetry_index") - 2.0 * 0.04 / 1.4).abs() < 1e-12);
    assert!((value("left.stride_mean") - value("left.stance_mean") - value("left.swing_mean")).abs() < 1e-12);
    assert!(
        value("left.stride_dfa_alpha").is_nan(),
        "24 strides are too few for boxes of 20"
    );
    assert!(value("left.stride_lag1").abs() < 0.5);

    for flat in [vec![0.0; 500], vec![7.5; 1]] {
        let mut values = Vec::new();
        config.extract(&[&flat, &flat], rate_hz, &mut Scratch::default(), &mut values);
        assert!(values.len() == 31 && values.iter().all(|x| x.is_nan()));
    }
    let absolute: GaitForce = toml::from_str(
        "left = \"left\"\nright = \"right\"\nmin_phase_secs = 0\n\
         threshold = { kind = \"absolute\", low = 90, high = 180 }",
    )
    .unwrap();
    assert_eq!(
        absolute.strides(&forces[0], &forces[0], rate_hz)[0].len(),
        left.len() - 1
    );
}

#[test]
fn wrong_keys_are_named() {
    let channels: Vec<_> = ["left", "right"]
        .map(|name| Channel {
            name: name.into(),
            unit: "N".into(),
        })
        .into();
    let signal = SignalInfo {
        channels: &channels,
        rate_hz: 100.0,
        num_samples: 100,
    };
    let key = |change: fn(&mut GaitForce)| {
        let mut config = feet();
        change(&mut config);
        config.check(&signal).unwrap_err().key
    };
    assert_eq!(key(|c| c.left = "let".into()), "left");
    assert_eq!(key(|c| c.right = "left".into()), "right");
    assert_eq!(key(|c| c.min_phase_secs = f64::NAN), "min_phase_secs");
    assert_eq!(key(|c| c.dfa_sizes = [20, 10]), "dfa_sizes");
    assert_eq!(key(|c| c.outliers = Outliers::Deviations { num: 0.0 }), "outliers.num");
    assert_eq!(
        key(|c| c.threshold = ContactThreshold::Absolute { low: 2.0, high: 1.0 }),
        "threshold.low"
    );
    let relative = |low, high, piece_secs| ContactThreshold::Relative { low, high, piece_secs };
    assert!(relative(0.15, 0.25, 10.0) == ContactThreshold::default());
    let config = |threshold| GaitForce { threshold, ..feet() };
    assert_eq!(
        config(relative(0.0, 0.25, 10.0)).check(&signal).unwrap_err().key,
        "threshold.low"
    );
    assert_eq!(
        config(relative(0.1, 0.25, 0.0)).check(&signal).unwrap_err().key,
        "threshold.piece_secs"
    );
    assert!(
        toml::from_str::<GaitForce>("left = \"l\"\nright = \"r\"\nthreshold = { kind = \"relative\", lo = 1 }")
            .is_err()
    );
    let text = toml::to_string(&feet()).unwrap();
    assert_eq!(toml::from_str::<GaitForce>(&text).unwrap(), feet());
}

#[test]
fn series_have_the_same_statistics() {
    let config: SeriesFeature = toml::from_str(
        "kind = \"stride-statistics\"\ncolumns = [\"left\", \"right\"]\npairs = [[\"left\", \"right\"]]",
    )
    .unwrap();
    let series: Vec<_> = ["time", "left", "right"]
        .map(|name| Channel {
            name: name.into(),
            unit: "s".into(),
        })
        .into();
    config.check(&series).unwrap();
    let mut normal = Normal::new(1);
    let left: Vec<f64> = (0..60).map(|_| 1.1 + 0.02 * normal.next()).collect();
    let mut right: Vec<f64> = (0..60).map(|_| 1.2 + 0.02 * normal.next()).collect();
    let mut values = Vec::new();
    config.extract(&series, &[&left, &left, &right], &mut values);
    let columns = config.columns(&series);
    assert_eq!(columns.len(), values.len());
    let mut expected: Vec<f64> = [&left, &right].iter().flat_map(|x| statistics(x, 10..=20)).collect();
    expected.push(2.0 * (expected[0] - expected[5]).abs() / (expected[0] + expected[5]));
    assert_eq!(values, expected);
    assert_eq!((columns[0].name.as_str(), columns[0].unit.as_str()), ("left.mean", "s"));
    assert_eq!(columns[10].name, "left-right.symmetry_index");

    right[7] = f64::NAN;
    values.clear();
    config.extract(&series, &[&left, &left, &right], &mut values);
    right.remove(7);
    assert_eq!(values[5..10], statistics(&right, 10..=20));

    let all: SeriesFeature = toml::from_str("kind = \"stride-statistics\"").unwrap();
    assert_eq!(all.columns(&series).len(), 15);
    values.clear();
    all.extract(&series, &[&[], &[], &[]], &mut values);
    assert!(values.len() == 15 && values.iter().all(|x| x.is_nan()));
    let wrong: SeriesFeature = toml::from_str("kind = \"stride-statistics\"\npairs = [[\"left\", \"rigth\"]]").unwrap();
    assert_eq!(wrong.check(&series).unwrap_err().key, "pairs");
    assert!(toml::from_str::<SeriesFeature>("kind = \"stride-statistics\"\ncolumn = []").is_err());
}

// ---- published strides

/// Errors of the left strides against a published table, each matched by the time of its end, and how many there are.
fn errors(found: &[recoup::features::signals::stride::Stride], end_secs: &[f64], stride_secs: &[f64]) -> Vec<f64> {
    let nearest = |end: &f64| {
        let distance = |s: &&recoup::features::signals::stride::Stride| (s.start_secs + s.stride_secs - end).abs();
        found.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))
    };
    let pairs = end_secs.iter().zip(stride_secs);
    pairs
        .filter_map(|(end, published)| Some((nearest(end)?.stride_secs - published).abs()))
        .collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn strides_from_force_are_the_published_ones() {
    let excerpt = golden().excerpt;
    let found = feet().strides(&excerpt.left, &excerpt.right, excerpt.rate_hz);
    let errors = errors(&found[0], &excerpt.end_secs, &excerpt.left_stride_secs);
    assert!(errors.len() >= 30 && errors.len() == excerpt.end_secs.len());
    // The excerpt has 100 samples per second, the table comes from 300.
    assert!(
        median(errors.clone()) <= 0.007 && errors.iter().all(|error| *error < 0.025),
        "{errors:?}"
    );
}

/// Record, median error and share within 10 ms of its left strides.
fn compare(folder: &Path, name: &str) -> (f64, f64) {
    // The database's own headers give the table's order: left foot first.
    let record = read_record(&folder.join(format!("{name}.hea"))).unwrap();
    let feet_forces: Vec<Vec<f64>> = record
        .signals
        .iter()
        .map(|signal| signal.digital().into_iter().map(f64::from).collect())
        .collect();
    let table = std::fs::read_to_string(folder.join(format!("{name}.ts"))).unwrap();
    let rows: Vec<Vec<f64>> = table
        .lines()
        .map(|line| line.split_whitespace().map(|field| field.parse().unwrap()).collect())
        .filter(|row: &Vec<f64>| row.len() == 13)
        .collect();
    let column = |index: usize| rows.iter().map(|row| row[index]).collect::<Vec<f64>>();
    let found = feet().strides(&feet_forces[0], &feet_forces[1], record.rate_hz);
    let errors = errors(&found[0], &column(0), &column(1));
    let near = errors.iter().filter(|error| **error < 0.0101).count() as f64 / errors.len() as f64;
    (median(errors), near)
}

#[test]
fn strides_of_gaitndd_are_those_of_its_tables() {
    let Some(folder) = std::env::var_os("RECOUP_TEST_DATA").map(|folder| PathBuf::from(folder).join("gaitndd")) else {
        println!("skipped: RECOUP_TEST_DATA is not set, gaitndd was not read");
        return;
    };
    let groups = [("als", 13), ("control", 16), ("hunt", 20), ("park", 15)];
    let names: Vec<String> = groups
        .iter()
        .flat_map(|(group, count)| (1..=*count).map(move |index| format!("{group}{index}")))
        .collect();
    let mut medians = Vec::new();
    let mut within = 0.0;
    for name in &names {
        let (median, near) = compare(&folder, name);
        // Below 20 ms even for shuffling gaits, whose strikes are a matter of definition.
        assert!(median < 0.02, "{name}: median error {median} s");
        medians.push(median);
        within += near / names.len() as f64;
    }
    let worst = medians.iter().copied().fold(0.0, f64::max);
    let median = median(medians);
    println!("64 records: median error {median:.4} s, worst median {worst:.4} s, {within:.3} of strides within 10 ms");
    assert!(median < 0.0034 && within > 0.87, "{median} {within}");
}
