//! Wavelet transforms against PyWavelets (`golden/wavelet.json`), and against laws that need no reference.

use std::collections::BTreeMap;

use recoup::features::signals::wavelet::{Padding, Wavelet, WaveletConfig, dwt, dwt_max_level};
use serde::Deserialize;

use super::{difference, features, noise, refused, units};

#[derive(Deserialize)]
struct Golden {
    noise: Vec<f64>,
    filters: BTreeMap<String, Vec<f64>>,
    dwt: Vec<Single>,
    features: Vec<f64>,
    max_level: Vec<(usize, Wavelet, usize)>,
}

#[derive(Deserialize)]
struct Single {
    wavelet: Wavelet,
    padding: Padding,
    length: usize,
    low: Vec<f64>,
    high: Vec<f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../golden/wavelet.json")).unwrap()
}

fn wavelets() -> Vec<Wavelet> {
    golden()
        .filters
        .keys()
        .map(|name| Wavelet::named(name).unwrap())
        .collect()
}

#[test]
fn filters_are_those_of_pywavelets_to_the_bit() {
    let filters = golden().filters;
    assert_eq!(filters.len(), 44);
    for (name, taps) in filters {
        let wavelet = Wavelet::named(&name).unwrap();
        assert_eq!(wavelet.reconstruction_low(), taps, "{name}");
        assert_eq!(String::from(wavelet), name);
    }
    assert_eq!(Wavelet::named("haar"), Wavelet::named("db1"));
    for name in ["db0", "db21", "sym1", "coif6", "db", "morl", "db4x", "db-1", ""] {
        assert!(Wavelet::named(name).is_none(), "{name}");
    }
}

#[test]
fn one_level_is_that_of_pywavelets() {
    let Golden {
        noise,
        dwt: cases,
        max_level,
        ..
    } = golden();
    assert_eq!(cases.len(), 4 * 9 * 4);
    for Single {
        wavelet,
        padding,
        length,
        low,
        high,
    } in cases
    {
        let (ours, details) = dwt(&noise[..length], wavelet, padding);
        let worst = difference(&ours, &low).max(difference(&details, &high));
        assert!(worst < 1e-12, "{wavelet:?} {padding:?} {length}: {worst:e}");
    }
    for (length, wavelet, level) in max_level {
        assert_eq!(dwt_max_level(length, wavelet), level, "{length} {wavelet:?}");
    }
}

#[test]
fn features_are_those_of_numpy() {
    let golden = golden();
    let config: WaveletConfig = toml::from_str("wavelet = \"sym4\"\nlevel = 3").unwrap();
    let ours: Vec<f64> = features(&config, &golden.noise, 100.0)
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    let scale = golden.features.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    assert!(difference(&ours, &golden.features) < 1e-12 * scale);
    let wanted = [
        "a.d1.energy [mV^2]",
        "a.d1.relative_energy [1]",
        "a.d1.entropy [1]",
        "a.d1.mean_abs [mV]",
        "a.d1.sd [mV]",
    ];
    assert_eq!(units(&config)[..5], wanted);
    assert_eq!(units(&config)[15], "a.a3.energy [mV^2]");
    assert_eq!(units(&config)[20..], ["a.wavelet_entropy [1]"]);
}

#[test]
fn filters_are_orthogonal_and_blind_to_polynomials() {
    for wavelet in wavelets() {
        let low = wavelet.reconstruction_low();
        let high: Vec<f64> = wavelet.reconstruction_high().collect();
        let product = |a: &[f64], b: &[f64], shift: usize| a[shift..].iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        assert!((low.iter().sum::<f64>() - 2f64.sqrt()).abs() < 1e-9, "{wavelet:?}");
        for shift in (0..low.len()).step_by(2) {
            let one = if shift == 0 { 1.0 } else { 0.0 };
            assert!((product(low, low, shift) - one).abs() < 1e-9, "{wavelet:?} {shift}");
            assert!((product(&high, &high, shift) - one).abs() < 1e-9, "{wavelet:?} {shift}");
            assert!(product(low, &high, shift).abs() < 1e-9, "{wavelet:?} {shift}");
        }
        // As many vanishing moments as the name says; a coiflet has twice its order.
        let name = String::from(wavelet);
        let order: i32 = name.trim_start_matches(char::is_alphabetic).parse().unwrap();
        for power in 0..if name.starts_with("coif") { 2 * order } else { order }.min(5) {
            let scale = (low.len() as f64).powi(power);
            let moment: f64 = high.iter().enumerate().map(|(n, g)| (n as f64).powi(power) * g).sum();
            assert!(moment.abs() < 1e-8 * scale, "{name} {power}: {moment:e}");
        }
    }
}

#[test]
fn periodization_keeps_the_energy() {
    let signal = noise(256);
    let energy = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>();
    for wavelet in wavelets() {
        let (low, high) = dwt(&signal, wavelet, Padding::Periodization);
        assert!(
            ((energy(&low) + energy(&high)) / energy(&signal) - 1.0).abs() < 1e-9,
            "{wavelet:?}"
        );
        assert_eq!(low.len() + high.len(), 256);
    }
}

#[test]
fn an_empty_signal_has_no_coefficients() {
    let db4 = Wavelet::named("db4").unwrap();
    assert_eq!(dwt(&[], db4, Padding::Symmetric), (vec![], vec![]));
}

#[test]
fn a_band_holds_the_tone_of_its_frequencies() {
    // At 256 Hz, d1 is 64 to 128 Hz, d2 32 to 64, d3 16 to 32.
    for (hz, band) in [(90.0, "a.d1"), (45.0, "a.d2"), (22.0, "a.d3"), (5.0, "a.a3")] {
        let tone: Vec<f64> = (0..512)
            .map(|n| (std::f64::consts::TAU * hz * f64::from(n) / 256.0).sin())
            .collect();
        let config: WaveletConfig =
            toml::from_str("wavelet = \"db10\"\nlevel = 3\npadding = \"periodization\"").unwrap();
        let features: BTreeMap<_, _> = features(&config, &tone, 256.0).into_iter().collect();
        assert!(
            features[&format!("{band}.relative_energy")] > 0.9,
            "{hz} Hz: {features:?}"
        );
    }
    let silence = features(
        &toml::from_str::<WaveletConfig>("level = 2").unwrap(),
        &[0.0; 64],
        100.0,
    );
    assert!(
        silence
            .iter()
            .all(|(name, x)| x.is_nan() == (name.contains("relative") || name.contains("entropy")))
    );
}

#[test]
fn levels_that_are_too_many_are_refused() {
    let config: WaveletConfig = toml::from_str("level = 6").unwrap();
    assert_eq!(
        refused(&config, 100.0, 250),
        "level must be 1 to 5 for db4 and 250 samples, but is 6"
    );
    let error = toml::from_str::<WaveletConfig>("wavelet = \"db99\"\nlevel = 1")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`db99` is not a wavelet: expected db1-db20, sym2-sym20 or coif1-coif5"),
        "{error}"
    );
    assert_eq!(
        toml::from_str::<WaveletConfig>(&toml::to_string(&config).unwrap()).unwrap(),
        config
    );
}
