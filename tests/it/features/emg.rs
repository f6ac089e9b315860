//! Features of the electromyogram against NumPy and SciPy (`golden/emg.json`), and against laws that need no reference.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use recoup::features::signals::emg::{EmgConfig, envelope, onset};
use serde::Deserialize;

use super::{difference, features, noise, refused, units};

#[derive(Deserialize)]
struct Golden {
    rate_hz: f64,
    threshold: f64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    samples: Vec<f64>,
    features: Vec<f64>,
}

fn config(text: &str) -> EmgConfig {
    toml::from_str(text).unwrap()
}

fn map(config: &EmgConfig, samples: &[f64]) -> BTreeMap<String, f64> {
    features(config, samples, 1000.0)
        .into_iter()
        .map(|(name, x)| (name.replace("a.emg.", ""), x))
        .collect()
}

#[test]
fn features_are_those_of_numpy() {
    let golden: Golden = serde_json::from_str(include_str!("../../golden/emg.json")).unwrap();
    let config = config(&format!("threshold = {}\nbaseline_secs = 0.2", golden.threshold));
    assert_eq!(golden.cases.len(), 3);
    for case in golden.cases {
        let ours: Vec<f64> = features(&config, &case.samples, golden.rate_hz)
            .into_iter()
            .map(|(_, x)| x)
            .collect();
        assert!(
            difference(&ours, &case.features) < 1e-10,
            "{ours:?} {:?}",
            case.features
        );
        assert!(ours[5] > 10.0 && ours[6] > 10.0 && ours[7] > 10.0 && ours[13].is_finite());
    }
    let wanted = [
        "a.emg.rms [mV]",
        "a.emg.mav [mV]",
        "a.emg.iemg [mV s]",
        "a.emg.variance [mV^2]",
        "a.emg.waveform_length [mV]",
    ];
    assert_eq!(units(&config)[..5], wanted);
}

#[test]
fn a_louder_signal_scales_its_features() {
    let signal = noise(1000);
    let loud: Vec<f64> = signal.iter().map(|x| 8.0 * x).collect();
    let (before, after) = (
        map(&config("threshold = 0.25"), &signal),
        map(&config("threshold = 2.0"), &loud),
    );
    assert_eq!(before.len(), 13);
    for (name, &x) in &before {
        // 8 is a power of two: the results are exact.
        let factor = match name.as_str() {
            "rms" | "mav" | "iemg" | "waveform_length" | "envelope_mean" | "envelope_peak" => 8.0,
            "variance" => 64.0,
            _ => 1.0,
        };
        assert!(
            (after[name] - factor * x).abs() <= 1e-12 * factor * x,
            "{name}: {x} {}",
            after[name]
        );
    }
    assert!(before["mav"] < before["rms"] && before["rms"] < before["envelope_peak"] * 4.0);
}

#[test]
fn a_tone_has_its_frequency_and_counts() {
    let tone: Vec<f64> = (0..1000)
        .map(|n| (TAU * (100.0 * f64::from(n) / 1000.0 + 0.02)).sin())
        .collect();
    let features = map(&config("threshold = 0.1"), &tone);
    assert_eq!(features["dominant_frequency"], 100.0);
    assert_eq!(features["median_frequency"], 100.0);
    assert!((features["mean_frequency"] - 100.0).abs() < 1e-9);
    assert_eq!(
        features["zero_crossings"], 199.0,
        "two in each of 100 periods, the last beyond the end"
    );
    assert_eq!(features["slope_sign_changes"], 200.0);
    assert!((features["rms"] - 0.5f64.sqrt()).abs() < 1e-12);
    let quiet = map(&config("threshold = 2.1"), &tone);
    assert_eq!(
        [
            quiet["zero_crossings"],
            quiet["slope_sign_changes"],
            quiet["willison_amplitude"]
        ],
        [0.0; 3]
    );
}

#[test]
fn the_planted_onset_is_found() {
    let mut signal = noise(4000);
    signal.iter_mut().take(2500).for_each(|x| *x *= 0.02);
    // Without delay, the envelope rises before the muscle: by up to two periods of its cut-off after such a quiet rest.
    let sharp = onset(&envelope(&signal, 60.0, 1000.0), 0..1000, 3.0, 25).unwrap();
    assert!((2470..2510).contains(&sharp), "{sharp}");
    let curve = envelope(&signal, 6.0, 1000.0);
    let found = onset(&curve, 0..1000, 3.0, 25).unwrap();
    assert!((2200..2510).contains(&found), "{found}");
    assert_eq!(onset(&curve[..2000], 0..1000, 20.0, 25), None);
    assert_eq!(onset(&curve, 0..0, 3.0, 25), None);
    assert_eq!(onset(&curve, 0..9999, 3.0, 25), None);
    // One sample above is not enough for two, and a run counts from its first.
    let steps = [0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0];
    assert_eq!(
        [1, 2, 3, 4].map(|least| onset(&steps, 0..2, 3.0, least)),
        [Some(2), Some(4), Some(4), None]
    );
    assert!(envelope(&[1.0; 15], 6.0, 1000.0).iter().all(|x| x.is_nan()));
    assert!(
        envelope(&[-2.0; 400], 6.0, 1000.0)
            .iter()
            .all(|x| (x - 2.0).abs() < 1e-9)
    );
}

#[test]
fn what_the_recording_cannot_give_is_refused() {
    let band = "band_hz must be [low, high] from 0 to half the sampling rate, 250 Hz, but is [20, 450]: an electromyogram reaches \
                450 Hz; of a slower recording, name the part that it has";
    assert_eq!(refused(&config("threshold = 0.1"), 500.0, 500), band);
    for (text, wanted) in [
        ("threshold = -0.1", "threshold must be at least 0, but is -0.1"),
        (
            "threshold = 0.1\nenvelope_hz = 500.0",
            "envelope_hz must lie above 0 and below 500 Hz, but is 500",
        ),
        (
            "threshold = 0.1\nsegment_secs = 0.3",
            "segment_secs must be at most the window's 0.25 s, but is 0.3",
        ),
        (
            "threshold = 0.1\nbaseline_secs = 0.25",
            "baseline_secs must be less than the window's 0.25 s, but is 0.25",
        ),
        (
            "threshold = 0.1\nonset_secs = nan",
            "onset_secs must be from 0 to the window's 0.25 s, but is NaN",
        ),
        (
            "threshold = 0.1\nband_hz = [21, 23]",
            "band_hz has no bin of the spectrum: take longer segments",
        ),
    ] {
        assert_eq!(refused(&config(text), 1000.0, 250), wanted);
    }
    let short = refused(&config("threshold = 0.1\nsegment_secs = 0.01"), 1000.0, 15);
    assert_eq!(
        short,
        "envelope_hz needs windows of more than 15 samples, but they have 15"
    );
    assert!(toml::from_str::<EmgConfig>("threshold = 0.1\nthresh = 1").is_err());
}
