//! Clocks of two recordings: planted lags, and SciPy's correlation.

use recoup::signal::align::lag_secs;
use serde::Deserialize;

use super::random::Normal;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    rate_hz: f64,
    max_lag_secs: f64,
    planted: i64,
    x: Vec<f32>,
    y: Vec<f32>,
    lag_secs: f64,
    correlation: f64,
}

#[test]
fn lags_equal_those_of_scipy() {
    let golden: Golden = serde_json::from_str(include_str!("../../golden/align.json")).unwrap();
    assert_eq!(golden.cases.len(), 3);
    for case in golden.cases {
        let found = lag_secs(&case.x, case.rate_hz, &case.y, case.rate_hz, case.max_lag_secs).unwrap();
        assert!(
            (found.lag_secs - case.lag_secs).abs() < 1e-10,
            "{found:?}, not {}",
            case.lag_secs
        );
        assert!(
            (found.correlation - case.correlation).abs() < 1e-12,
            "{found:?}, not {}",
            case.correlation
        );
        assert!(
            (found.lag_secs * case.rate_hz - case.planted as f64).abs() < 1.0 && found.confidence > 1.5,
            "{found:?}"
        );
        let back = lag_secs(&case.y, case.rate_hz, &case.x, case.rate_hz, case.max_lag_secs).unwrap();
        assert!((back.lag_secs + found.lag_secs).abs() < 1e-10);
    }
}

/// Bumps at random times, `late` seconds later.
fn session(rate_hz: f64, secs: f64, late: f64, noise: f32) -> Vec<f32> {
    let mut draws = Normal::new(6);
    let bumps: Vec<f64> = (0..12)
        .map(|index| 5.0 * f64::from(index) + 2.0 + draws.next())
        .collect();
    let mut normal = Normal::new(rate_hz as u64);
    (0..(secs * rate_hz) as usize)
        .map(|index| {
            let time = index as f64 / rate_hz - late;
            let value: f64 = bumps.iter().map(|at| (-0.5 * ((time - at) / 0.1).powi(2)).exp()).sum();
            value as f32 + noise * normal.next() as f32
        })
        .collect()
}

#[test]
fn recordings_of_different_rates_and_lengths_are_aligned_between_the_samples() {
    for (x_rate, y_rate, late) in [
        (100.0, 100.0, 1.234),
        (1000.0, 30.0, -3.21),
        (30.0, 250.0, 4.567),
        (300.0, 100.0, 0.0),
    ] {
        for noise in [0.0, 0.03] {
            let (x, y) = (session(x_rate, 55.0, 0.0, noise), session(y_rate, 60.0, late, noise));
            let found = lag_secs(&x, x_rate, &y, y_rate, 8.0).unwrap();
            let rate = x_rate.min(y_rate);
            assert!(
                (found.lag_secs - late).abs() < 1.0 / rate,
                "{x_rate} {y_rate} {late}: {found:?}"
            );
            assert!(found.confidence > 1.5 && found.correlation <= 1.0, "{found:?}");
        }
    }
}

#[test]
fn confidence_tells_the_periodic_from_the_unique() {
    let sine: Vec<f32> = (0..2000)
        .map(|index| (index as f32 * std::f32::consts::TAU / 50.0).sin())
        .collect();
    let periodic = lag_secs(&sine, 100.0, &sine, 100.0, 5.0).unwrap();
    assert!(
        periodic.lag_secs.abs() < 1e-9 && periodic.confidence < 1.1,
        "{periodic:?}"
    );
    let mut pulse = vec![0.0f32; 1000];
    pulse[400] = 1.0;
    let mut later = vec![0.0f32; 900];
    later[425] = 5.0;
    let unique = lag_secs(&pulse, 100.0, &later, 100.0, 5.0).unwrap();
    assert!(
        (unique.lag_secs - 0.25).abs() < 1e-6 && unique.confidence > 100.0,
        "{unique:?}"
    );
}

#[test]
fn what_cannot_be_aligned_is_told() {
    let (x, y) = (session(100.0, 55.0, 0.0, 0.0), session(100.0, 55.0, 2.0, 0.0));
    let error = |x: &[f32], x_rate, y: &[f32], y_rate, most| lag_secs(x, x_rate, y, y_rate, most).unwrap_err();
    assert!(error(&x, 0.0, &y, 100.0, 5.0).starts_with("rate of the first signal"));
    assert!(error(&x, 100.0, &y, f64::NAN, 5.0).starts_with("rate of the second signal"));
    assert!(error(&x, 100.0, &y, 100.0, -1.0).starts_with("largest lag"));
    // A ratio of whole numbers that drifts less than a quarter of a sample over the signal serves.
    assert!(lag_secs(&x, 100.0, &y, 100.0 * std::f64::consts::SQRT_2, 5.0).is_ok());
    assert!(error(&[1.0; 50], 100.0, &y, 100.0, 5.0).starts_with("first signal: it is constant"));
    assert!(error(&x, 100.0, &[], 100.0, 5.0).starts_with("second signal: it is constant or empty"));
    assert!(error(&x, 100.0, &[0.0, f32::NAN], 100.0, 5.0).starts_with("second signal: sample 1"));
    // The bumps are 2 s apart, their rise begins within 1.9 s.
    assert!(error(&x, 100.0, &y, 100.0, 1.9).contains("allow a larger one"));
    assert!(error(&x, 100.0, &x, 100.0, 0.0).contains("allow a larger one"));
    // A lag far beyond the recordings is no reason for memory.
    assert!((lag_secs(&x, 100.0, &y, 100.0, 1e12).unwrap().lag_secs - 2.0).abs() < 1e-3);
}
