//! Statistics against NumPy, SciPy and statsmodels (`golden/window_statistics.json`), laws that need no reference, and
//! planted faults.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use recoup::features::signals::statistics::{CleaningRules, Fault, Moments, StatisticsConfig, autocorrelation, hjorth};
use recoup::signal::statistics::quantile;
use serde::Deserialize;

use super::{difference, features, noise, refused, units};

#[derive(Deserialize)]
struct Golden {
    rate_hz: f64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    ddof: usize,
    samples: Vec<f64>,
    features: Vec<f64>,
}

fn config(text: &str) -> StatisticsConfig {
    toml::from_str(text).unwrap()
}

#[test]
fn features_are_those_of_numpy() {
    let golden: Golden = serde_json::from_str(include_str!("../../golden/window_statistics.json")).unwrap();
    assert_eq!(golden.cases.len(), 3);
    for Case {
        ddof,
        samples,
        features: wanted,
    } in golden.cases
    {
        let config = config(&format!("ddof = {ddof}\nlags_secs = [0.0, 0.01, 0.12]"));
        let ours: Vec<f64> = features(&config, &samples, golden.rate_hz)
            .into_iter()
            .map(|(_, x)| x)
            .collect();
        let scale = samples.iter().fold(1.0, |a: f64, b| a.max(b.abs()));
        let worst = difference(&ours, &wanted) / scale;
        assert!(worst < 1e-12, "{worst:e} {ours:?} {wanted:?}");
    }
    let all = units(&config("lags_secs = [0.5]\nquantiles = [0.5, 0.025]"));
    let wanted = "a.mean [mV], a.variance [mV^2], a.sd [mV], a.skewness [1], a.kurtosis [1], a.min [mV], a.max [mV], \
                  a.peak_to_peak [mV], a.median [mV], a.q50 [mV], a.q2.5 [mV], a.rms [mV], a.line_length [mV], a.mobility [1], \
                  a.complexity [1], a.autocorrelation_0.5s [1]";
    assert_eq!(all.join(", "), wanted);
    assert_eq!(units(&config(""))[9], "a.q05 [mV]");
}

#[test]
fn laws_hold() {
    let signal = noise(500);
    let features: BTreeMap<_, _> = features(&config("lags_secs = [0.0, 0.03]"), &signal, 100.0)
        .into_iter()
        .collect();
    let of = |name: &str| features[&format!("a.{name}")];
    assert!((of("rms").powi(2) - of("mean").powi(2) - of("variance")).abs() < 1e-12);
    assert!((of("autocorrelation_0s") - 1.0).abs() < 1e-12 && of("autocorrelation_0.03s").abs() < 1.0);
    let order = ["min", "q05", "q25", "median", "q75", "q95", "max"].map(of);
    assert!(order.is_sorted());
    assert_eq!(of("peak_to_peak"), of("max") - of("min"));
    // A tone: mobility 2 sin(w / 2), complexity 1, two-valued moments known.
    let tone: Vec<f64> = (0..10_000).map(|n| (TAU * f64::from(n) / 50.0).sin()).collect();
    let [mobility, complexity] = hjorth(&tone);
    assert!((mobility - 2.0 * (TAU / 100.0).sin()).abs() < 1e-4 && (complexity - 1.0).abs() < 1e-3);
    assert!((autocorrelation(&tone, 25) + 1.0).abs() < 0.01);
    let moments = Moments::of(&tone);
    assert!(moments.skewness().abs() < 1e-9 && (moments.kurtosis() + 1.5).abs() < 1e-9);
    assert_eq!(
        [0.0, 0.25, 0.5, 1.0].map(|share| quantile(&[1.0, 2.0, 4.0], share)),
        [1.0, 1.5, 2.0, 4.0]
    );
    assert!(quantile(&[], 0.5).is_nan() && autocorrelation(&[1.0, 2.0], 5) == 0.0);
}

#[test]
fn a_constant_has_no_shape() {
    for value in [0.0, 0.1, 1e9] {
        let all = features(&config("lags_secs = [0.01]"), &[value; 77], 100.0);
        for (name, x) in all {
            let shape = ["skewness", "kurtosis", "mobility", "complexity", "autocorrelation"]
                .iter()
                .any(|s| name.contains(s));
            assert_eq!(x.is_nan(), shape, "{name} of {value}");
        }
    }
}

#[test]
fn what_a_window_cannot_give_is_refused() {
    for (text, wanted) in [
        ("ddof = 2", "ddof must be 0 or 1, but is 2"),
        (
            "quantiles = [0.5, 95.0]",
            "quantiles must be shares from 0 to 1, but one is 95",
        ),
        (
            "lags_secs = [2.0]",
            "lags_secs must be less than the window's 2 s, but one is 2",
        ),
    ] {
        assert_eq!(refused(&config(text), 100.0, 200), wanted);
    }
    assert_eq!(
        refused(&config(""), 100.0, 2),
        "kind needs windows of at least 3 samples"
    );
}

#[test]
fn planted_faults_are_found_and_nothing_else() {
    let rules: CleaningRules =
        toml::from_str("flat_secs = 0.1\ndevice_range = [-2.0, 2.0]\nvalid_range = [-1.9, 1.95]\npacket_secs = 0.2")
            .unwrap();
    let mut signal = noise(1000);
    let clean = signal.clone();
    let none = features(&rules, &signal, 100.0);
    assert!(none.iter().all(|(_, share)| *share == 0.0), "{none:?}");
    assert_eq!(rules.mask(&mut signal, 100.0), 0);
    assert_eq!(signal, clean);

    signal[100..111].fill(0.3); // flat, 0.11 s
    signal[150..159].fill(0.4); // 0.09 s: not yet
    signal[200..203].fill(2.0); // clipped, and beyond what is possible
    signal[210] = -2.5; // alone: out of range, not clipped
    signal[300] = 1.96; // out of range only
    signal.copy_within(400..425, 425); // a packet of 20 samples and more, repeated at a distance of 25: another length
    signal.copy_within(500..520, 520); // sent twice
    signal.copy_within(600..620, 620);
    signal.copy_within(600..620, 640); // three times
    signal[700..703].copy_from_slice(&[f64::NAN, 0.1, f64::NAN]);
    let found = features(&rules, &signal, 100.0);
    let wanted = [
        ("flat_share", 0.011),
        ("clipped_share", 0.003),
        ("out_of_range_share", 0.005),
        ("duplicate_share", 0.06),
    ];
    for ((name, share), (suffix, wanted)) in found.iter().zip(wanted) {
        assert!(
            name.ends_with(suffix) && (share - wanted).abs() < 1e-12,
            "{name} {share}"
        );
    }
    let mut masked = signal.clone();
    assert_eq!(rules.mask(&mut masked, 100.0), 11 + 5 + 60);
    for (index, (after, before)) in masked.iter().zip(&signal).enumerate() {
        let faulty = [100..111, 200..203, 210..211, 300..301, 520..540, 620..660]
            .iter()
            .any(|range| range.contains(&index));
        assert!(
            if faulty {
                after.is_nan()
            } else {
                after.to_bits() == before.to_bits()
            },
            "{index}"
        );
    }
    assert_eq!(rules.mask(&mut masked, 100.0), 0, "what is masked has no fault");
}

#[test]
fn rules_are_checked() {
    let rules = |text: &str| toml::from_str::<CleaningRules>(text).unwrap();
    assert_eq!(
        rules("valid_range = [0, 1]").faults().collect::<Vec<_>>(),
        [Fault::OutOfRange]
    );
    for (text, wanted) in [
        (
            "",
            "kind needs a rule: flat_secs, device_range, valid_range or packet_secs",
        ),
        (
            "flat_secs = 3.0",
            "flat_secs must be above 0 and at most 2 s to be seen in a window, but is 3",
        ),
        (
            "packet_secs = 1.5",
            "packet_secs must be above 0 and at most 1 s to be seen in a window, but is 1.5",
        ),
        (
            "device_range = [1, -1]",
            "device_range must be [lowest, highest], but is [1, -1]",
        ),
    ] {
        assert_eq!(refused(&rules(text), 100.0, 200), wanted);
    }
}
