//! What simple estimates find in the simulated recordings.

use ndarray::ArrayView1;
use recoup::simulate::{Artefact, Outcome, PatientTruth, SimulateConfig, TRAITS};

use super::{CLINICAL, EMG, FORCE, MOTION, SCALES, auc, correlation, small, values};

/// Mean frequency of a signal without its mean, up to a factor: the root of the power of its differences over its own.
fn frequency(signal: ArrayView1<f32>) -> f64 {
    let mean = signal.mean().unwrap();
    let power: f64 = signal.iter().map(|x| f64::from(x - mean).powi(2)).sum();
    let differences: f64 = signal
        .windows(2)
        .into_iter()
        .map(|w| f64::from(w[1] - w[0]).powi(2))
        .sum();
    (differences / power).sqrt()
}

/// Mean length of the whole stances, in samples.
fn stance(force: ArrayView1<f32>) -> f64 {
    let threshold = 0.1 * force.iter().copied().fold(0.0, f32::max);
    let down: Vec<bool> = force.iter().map(|&newtons| newtons > threshold).collect();
    let runs: Vec<_> = down.chunk_by(|a, b| a == b).collect();
    let stances: Vec<_> = runs[1..runs.len() - 1]
        .iter()
        .filter(|run| run[0])
        .map(|run| run.len() as f64)
        .collect();
    stances.iter().sum::<f64>() / stances.len() as f64
}

/// Spread of the angles, seen from where the shoulder is on average, at which the rim is bright.
fn extent(image: ArrayView1<f32>) -> f64 {
    let brightest = image.iter().copied().fold(0.0, f32::max);
    let rim = image.iter().enumerate().filter_map(|(pixel, &value)| {
        let (down, forward) = ((pixel / 24) as f64 - 12.0, (pixel % 24) as f64 - 10.5);
        let on_rim = (6.0..11.0).contains(&down.hypot(forward)) && value > 0.5 * brightest;
        on_rim.then_some(forward.atan2(down))
    });
    let angles: Vec<f64> = rim.collect();
    let mean = angles.iter().sum::<f64>() / angles.len() as f64;
    (angles.iter().map(|angle| (angle - mean).powi(2)).sum::<f64>() / angles.len() as f64).sqrt()
}

/// A plain estimate of v from a recording.
fn estimate(modality: usize, values: &ndarray::Array2<f32>) -> f64 {
    match modality {
        CLINICAL => -f64::from(values[[0, 3]]) / 2.4 - f64::from(values[[0, 2]]) / 1.2,
        SCALES => f64::from(values[[0, 2]] - values[[0, 0]]),
        EMG => (0..2).map(|channel| frequency(values.column(channel)).ln()).sum(),
        FORCE => (stance(values.column(1)) / stance(values.column(0))).ln(),
        _ => extent(values.row(0)),
    }
}

#[test]
fn recordings_show_their_own_reading_and_nothing_else_that_matters() {
    let config = SimulateConfig {
        anomalies: 0.0,
        ..small(400)
    };
    let (cohort, truth) = (config.generate(), config.truth());
    // What is measured; the rest of the variance is the price of a few seconds of signal, of rounding and of nuisances.
    for (modality, expected) in [
        (CLINICAL, 0.99),
        (SCALES, 0.98),
        (EMG, 0.95),
        (FORCE, 0.95),
        (MOTION, 0.95),
    ] {
        let pairs = |of: &dyn Fn(&PatientTruth) -> Option<f64>| -> Vec<(f64, f64)> {
            let pair = |(subject, truth): (usize, &PatientTruth)| {
                Some((estimate(modality, values(&cohort, subject, modality)?), of(truth)?))
            };
            truth
                .iter()
                .enumerate()
                .filter_map(pair)
                .filter(|pair| !pair.0.is_nan())
                .collect()
        };
        let name = TRAITS[modality].modality;
        let shown = correlation(&pairs(&|truth| truth.readings[modality].map(|reading| reading.value)));
        println!("{name}: {shown}");
        assert!(
            shown > expected,
            "{name}: correlation {shown}, expected more than {expected}"
        );
        let trait_shown = correlation(&pairs(&|truth| Some(truth.traits[modality])));
        let reliability = (1.0 / (1.0 + TRAITS[modality].noise.powi(2))).sqrt();
        assert!(
            (trait_shown - reliability).abs() < 0.08,
            "{name}: {trait_shown}, expected about {reliability}"
        );
        for other in (0..5).filter(|&other| other != modality) {
            let leak = correlation(&pairs(&|truth| Some(truth.traits[other])));
            assert!(
                leak.abs() < 0.2,
                "{name} shows the trait of {}: {leak}",
                TRAITS[other].modality
            );
        }
    }
}

#[test]
fn plain_estimates_from_the_recordings_come_close_to_the_best_auc() {
    let config = SimulateConfig {
        anomalies: 0.0,
        missing: 0.0,
        ..small(2000)
    };
    let (cohort, truth) = (config.generate(), config.truth());
    let mut scores = vec![0.0; truth.len()];
    for (modality, planted) in TRAITS.iter().enumerate() {
        let estimates: Vec<f64> = (0..truth.len())
            .map(|subject| estimate(modality, values(&cohort, subject, modality).unwrap()))
            .collect();
        let mean = estimates.iter().sum::<f64>() / 2000.0;
        let deviation = (estimates.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / 2000.0).sqrt();
        // Scaled as v is, E[u | v] = v / (1 + noise^2).
        let reliability = 1.0 / (1.0 + planted.noise * planted.noise);
        for (score, estimate) in scores.iter_mut().zip(&estimates) {
            *score += (planted.share * reliability).sqrt() * (estimate - mean) / deviation;
        }
    }
    let scored = |scores: &[f64]| {
        auc(scores
            .iter()
            .zip(&truth)
            .map(|(&score, p)| (score, p.responder))
            .collect())
    };
    let probabilities: Vec<f64> = truth.iter().map(|patient| patient.probability).collect();
    let (found, best) = (scored(&scores), scored(&probabilities));
    println!("estimates {found}, best {best}");
    assert!((0.0..0.02).contains(&(best - found)), "{found}, best {best}");
}

/// Share of the signal's power, mean aside, at some frequencies: those with `cycles` periods in the signal.
fn power_share(signal: ArrayView1<f32>, cycles: std::ops::RangeInclusive<u32>) -> f64 {
    let count = signal.len() as f64;
    let mean = f64::from(signal.sum()) / count;
    let total: f64 = signal.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum();
    let at = |cycles: u32| {
        let step = std::f64::consts::TAU * f64::from(cycles) / count;
        let (sin, cos) = signal
            .iter()
            .enumerate()
            .fold((0.0, 0.0), |(sin, cos), (index, &value)| {
                let (s, c) = (step * index as f64).sin_cos();
                (sin + f64::from(value) * s, cos + f64::from(value) * c)
            });
        2.0 * (sin * sin + cos * cos) / count
    };
    cycles.map(at).sum::<f64>() / total
}

#[test]
fn artefacts_are_planted_where_the_truth_says_and_plain_to_see() {
    let config = SimulateConfig {
        anomalies: 0.2,
        outcome: Outcome::Anomaly,
        ..small(200)
    };
    let (cohort, truth) = (config.generate(), config.truth());
    assert_eq!(cohort.classes, ["usual", "anomalous"]);
    for (subject, patient) in truth.iter().enumerate() {
        assert_eq!(
            cohort.subjects[subject].sessions[0].class,
            usize::from(patient.artefact.is_some())
        );
        let Some(values) = values(&cohort, subject, EMG) else {
            assert_eq!(patient.artefact, None);
            continue;
        };
        let hum = [0, 1].map(|channel| power_share(values.column(channel), 200..=200));
        let drift = [0, 1].map(|channel| power_share(values.column(channel), 1..=32));
        let found = match (
            hum.iter().any(|&share| share > 0.9),
            drift.iter().all(|&share| share > 0.5),
        ) {
            (false, false) => None,
            (true, _) => Some(Artefact::ElectrodeOff),
            (false, true) => Some(Artefact::Movement),
        };
        assert_eq!(found, patient.artefact, "{}: hum {hum:?}, drift {drift:?}", patient.id);
    }
    let count = |artefact| {
        truth
            .iter()
            .filter(|patient| patient.artefact == Some(artefact))
            .count()
    };
    assert!((8..=34).contains(&count(Artefact::ElectrodeOff)) && (8..=34).contains(&count(Artefact::Movement)));
    let responders = SimulateConfig {
        anomalies: 1.0,
        ..small(300)
    };
    let classes = |config: &SimulateConfig| {
        config
            .generate()
            .subjects
            .iter()
            .map(|s| s.sessions[0].class)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        classes(&responders),
        classes(&small(300)),
        "artefacts say nothing about the response"
    );
}
