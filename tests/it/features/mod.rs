//! Features against SciPy, PyWavelets, scikit-learn, statsmodels and NeuroKit2, and against laws that need no
//! reference.

mod align;
mod eeg;
mod emg;
mod filter;
mod heart;
mod image;
mod motion;
mod random;
mod set;
mod spectrum;
mod statistics;
mod stride;
mod table;
mod wavelet;

use recoup::dataset::subjects::Channel;
use recoup::features::signals::{Scratch, SignalFeature, SignalInfo};

/// A signal of all frequencies, the same on every machine: sums of three uniform numbers, of variance 1/4.
fn noise(len: usize) -> Vec<f64> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    (0..len).map(|_| next() + next() + next()).collect()
}

/// The largest difference; NaN equals NaN only.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let apart = a.iter().zip(b).map(|(a, b)| match (a.is_nan(), b.is_nan()) {
        (true, true) => 0.0,
        (false, false) => (a - b).abs(),
        _ => f64::INFINITY,
    });
    apart.fold(0.0, f64::max)
}

/// The features of a window by column, after the checks that every feature must pass: names that are unique, and the
/// same values with a scratch that has served another window, for both of two channels.
fn features(feature: &impl SignalFeature, samples: &[f64], rate_hz: f64) -> Vec<(String, f64)> {
    let channels = ["a", "b"].map(|name| Channel {
        name: name.into(),
        unit: "mV".into(),
    });
    let signal = SignalInfo {
        channels: &channels,
        rate_hz,
        num_samples: samples.len(),
    };
    feature.check(&signal).unwrap();
    let columns = feature.columns(&signal);
    let names: std::collections::BTreeSet<_> = columns.iter().map(|column| &column.name).collect();
    assert_eq!(names.len(), columns.len());
    let mut scratch = Scratch::default();
    feature.extract(
        &[&noise(samples.len() + 3), samples],
        rate_hz,
        &mut scratch,
        &mut vec![],
    );
    let mut values = Vec::new();
    feature.extract(&[samples, samples], rate_hz, &mut scratch, &mut values);
    assert_eq!(values.len(), columns.len());
    let (first, second) = values.split_at(values.len() / 2);
    assert_eq!(difference(first, second), 0.0);
    columns
        .into_iter()
        .zip(first)
        .map(|(column, &value)| (column.name, value))
        .collect()
}

/// The key and the message of a check that fails.
fn refused(feature: &impl SignalFeature, rate_hz: f64, num_samples: usize) -> String {
    let channels = [Channel {
        name: "a".into(),
        unit: "mV".into(),
    }];
    let problem = feature
        .check(&SignalInfo {
            channels: &channels,
            rate_hz,
            num_samples,
        })
        .unwrap_err();
    format!("{} {}", problem.key, problem.message)
}

fn units(feature: &impl SignalFeature) -> Vec<String> {
    let channels = [Channel {
        name: "a".into(),
        unit: "mV".into(),
    }];
    let columns = feature.columns(&SignalInfo {
        channels: &channels,
        rate_hz: 1000.0,
        num_samples: 1000,
    });
    columns
        .into_iter()
        .map(|column| format!("{} [{}]", column.name, column.unit))
        .collect()
}
