//! Rhythms of the electroencephalogram against SciPy, and tones that lie in one band.

use std::f64::consts::TAU;

use recoup::dataset::subjects::Channel;
use recoup::features::signals::eeg::{Eeg, Reference};
use recoup::features::signals::{Scratch, SignalFeature, SignalInfo};
use serde::Deserialize;

use super::random::Normal;

#[derive(Deserialize)]
struct Golden {
    rate_hz: f64,
    names: Vec<String>,
    signals: Vec<Vec<f64>>,
    average: Vec<f64>,
    recorded: Vec<f64>,
}

fn channels(names: &[String]) -> Vec<Channel> {
    names
        .iter()
        .map(|name| Channel {
            name: name.clone(),
            unit: "uV".into(),
        })
        .collect()
}

fn values(config: &Eeg, signal: &SignalInfo, signals: &[Vec<f64>]) -> Vec<f64> {
    config.check(signal).unwrap();
    let position = |name: &&str| {
        signal
            .channels
            .iter()
            .position(|channel| channel.name == **name)
            .unwrap()
    };
    let window: Vec<&[f64]> = config
        .channels(signal)
        .iter()
        .map(|name| signals[position(name)].as_slice())
        .collect();
    let mut values = Vec::new();
    config.extract(&window, signal.rate_hz, &mut Scratch::default(), &mut values);
    assert_eq!(values.len(), config.columns(signal).len());
    values
}

#[test]
fn rhythms_equal_scipy() {
    let golden: Golden = serde_json::from_str(include_str!("../../golden/eeg.json")).unwrap();
    let channels = channels(&golden.names);
    let signal = SignalInfo {
        channels: &channels,
        rate_hz: golden.rate_hz,
        num_samples: golden.signals[0].len(),
    };
    let config: Eeg = toml::from_str("pairs = [[\"C3\", \"C4\"], [\"O1\", \"O2\"]]").unwrap();
    assert_eq!(config, toml::from_str(&toml::to_string(&config).unwrap()).unwrap());
    for (reference, expected) in [
        (Reference::Average, &golden.average),
        (Reference::Recorded, &golden.recorded),
    ] {
        let config = Eeg {
            reference,
            ..config.clone()
        };
        let found = values(&config, &signal, &golden.signals);
        assert_eq!(found.len(), expected.len());
        for ((found, expected), column) in found.iter().zip(expected).zip(config.columns(&signal)) {
            assert!(
                (found - expected).abs() < 1e-10 * expected.abs().max(1.0),
                "{}: {found} {expected}",
                column.name
            );
        }
    }
    let columns = config.columns(&signal);
    assert_eq!(
        (columns[2].name.as_str(), columns[2].unit.as_str()),
        ("C3.alpha", "uV^2")
    );
    assert_eq!(columns[columns.len() - 3].name, "C3-C4.bsi");
}

#[test]
fn a_tone_is_in_its_band_and_the_bands_sum_to_all() {
    let rate_hz = 250.0;
    let mut normal = Normal::new(3);
    let tone = |amplitude: f64, frequency: f64| -> Vec<f64> {
        (0..2500)
            .map(|index| amplitude * (TAU * frequency * f64::from(index) / rate_hz).sin())
            .collect()
    };
    let noise: Vec<f64> = (0..2500).map(|_| normal.next()).collect();
    let signals = [tone(4.0, 10.5), tone(4.0, 10.5), noise, vec![0.0; 2500]];
    let names = ["F3", "F4", "F7", "F8"].map(String::from);
    let channels = channels(&names);
    let signal = SignalInfo {
        channels: &channels,
        rate_hz,
        num_samples: 2500,
    };
    let config: Eeg = toml::from_str("pairs = [[\"F3\", \"F4\"], [\"F7\", \"F8\"]]\nreference = \"recorded\"").unwrap();
    let found = values(&config, &signal, &signals);
    // Power of a tone: half its squared amplitude.
    assert!(
        (found[2] - 8.0).abs() < 1e-9 && (found[7] - 1.0).abs() < 1e-9,
        "{:?}",
        &found[..12]
    );
    for channel in found[..36].chunks(12) {
        assert!((channel[5..10].iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
    // White noise of variance 1 has 2 / rate per Hz.
    assert!((found[24..29].iter().sum::<f64>() - 44.0 * 2.0 / rate_hz).abs() < 0.05);
    assert_eq!(found[48..], [0.0, 1.0, 0.5]);
    assert!(found[41..48].iter().all(|x| x.is_nan()), "shares of silence");
}

#[test]
fn the_average_reference_takes_out_what_all_channels_share() {
    let golden: Golden = serde_json::from_str(include_str!("../../golden/eeg.json")).unwrap();
    let channels = channels(&golden.names);
    let signal = SignalInfo {
        channels: &channels,
        rate_hz: golden.rate_hz,
        num_samples: golden.signals[0].len(),
    };
    let mut normal = Normal::new(8);
    let mains: Vec<f64> = golden.signals[0].iter().map(|_| 50.0 * normal.next()).collect();
    let disturbed: Vec<Vec<f64>> = golden
        .signals
        .iter()
        .map(|x| x.iter().zip(&mains).map(|(x, noise)| x + noise).collect())
        .collect();
    let config: Eeg = toml::from_str("channels = [\"C4\", \"O1\", \"C3\"]\npairs = [[\"C3\", \"C4\"]]").unwrap();
    let (plain, same) = (
        values(&config, &signal, &golden.signals),
        values(&config, &signal, &disturbed),
    );
    assert_eq!(plain.len(), 3 * 12 + 2);
    for (plain, same) in plain.iter().zip(&same) {
        assert!((plain - same).abs() < 1e-9 * plain.abs().max(1.0));
    }
}

#[test]
fn wrong_keys_are_named() {
    let names = ["C3", "C4"].map(String::from);
    let channels = channels(&names);
    let signal = |rate_hz| SignalInfo {
        channels: &channels,
        rate_hz,
        num_samples: 1000,
    };
    let key = |text: &str, rate_hz: f64| {
        toml::from_str::<Eeg>(text)
            .unwrap()
            .check(&signal(rate_hz))
            .unwrap_err()
            .key
    };
    assert_eq!(key("channels = [\"Cz\"]", 250.0), "channels");
    assert_eq!(key("pairs = [[\"C3\", \"Cz\"]]", 250.0), "pairs");
    assert_eq!(key("channels = [\"C3\"]", 250.0), "reference");
    assert_eq!(key("segment_secs = 5", 250.0), "segment_secs");
    assert_eq!(key("segment_secs = 0.5", 250.0), "segment_secs");
    assert_eq!(key("", 80.0), "channels");
    assert!(toml::from_str::<Eeg>("pair = []").is_err());
}
