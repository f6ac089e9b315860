//! The simulated cohort: what was planted is there, what was not is not, and the best AUC is the best.

use std::collections::BTreeSet;

use recoup::dataset::subjects::{Cohort, Recording, Session, Subject};
use recoup::simulate::{Course, FileLayout, Outcome, PatientTruth, SimulateConfig, TRAITS, write};
use serde_json::Value;

mod files;
mod recordings;

const CLINICAL: usize = 0;
const SCALES: usize = 1;
const EMG: usize = 2;
const FORCE: usize = 3;
const MOTION: usize = 4;

fn small(num_subjects: usize) -> SimulateConfig {
    SimulateConfig {
        num_subjects,
        ..Default::default()
    }
}

/// Everything in a cohort but its specification, bit for bit, with missing values equal to each other.
#[derive(PartialEq)]
struct Content(Vec<(String, Option<String>, Vec<SessionContent>)>);

/// Id, class, and shape and values of the recordings.
type SessionContent = (String, usize, Vec<Option<((usize, usize), Vec<u32>)>>);

impl Content {
    fn of(cohort: &Cohort) -> Self {
        let bits = |value: &f32| if value.is_nan() { u32::MAX } else { value.to_bits() };
        let recording = |recording: &Option<Recording>| {
            recording
                .as_ref()
                .map(|r| (r.values.dim(), r.values.iter().map(bits).collect()))
        };
        let session = |session: &Session| {
            (
                session.id.clone(),
                session.class,
                session.recordings.iter().map(recording).collect(),
            )
        };
        let subject = |subject: &Subject| {
            (
                subject.id.clone(),
                subject.site.clone(),
                subject.sessions.iter().map(session).collect(),
            )
        };
        Self(cohort.subjects.iter().map(subject).collect())
    }
}

/// Shows no values: there are millions of them.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} subjects", self.0.len())
    }
}

fn values(cohort: &Cohort, subject: usize, modality: usize) -> Option<&ndarray::Array2<f32>> {
    cohort.subjects[subject].sessions[0].recordings[modality]
        .as_ref()
        .map(|recording| &recording.values)
}

fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let count = pairs.len() as f64;
    let (a, b) = pairs
        .iter()
        .fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0 / count, sum.1 + pair.1 / count));
    let [aa, bb, ab] = pairs.iter().fold([0.0; 3], |[aa, bb, ab], pair| {
        let (x, y) = (pair.0 - a, pair.1 - b);
        [aa + x * x, bb + y * y, ab + x * y]
    });
    ab / (aa * bb).sqrt()
}

/// AUC by the sum of ranks; there are no ties.
fn auc(mut scored: Vec<(f64, bool)>) -> f64 {
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ranks: f64 = scored
        .iter()
        .enumerate()
        .filter(|(_, s)| s.1)
        .map(|(index, _)| index as f64 + 1.0)
        .sum();
    let positives = scored.iter().filter(|s| s.1).count() as f64;
    (ranks - positives * (positives + 1.0) / 2.0) / (positives * (scored.len() as f64 - positives))
}

#[test]
fn the_best_auc_is_that_of_integration_without_missing_values() {
    let golden: Value = serde_json::from_str(include_str!("../../golden/simulate.json")).unwrap();
    let numbers =
        |value: &Value| -> Vec<f64> { value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect() };
    assert_eq!(numbers(&golden["shares"]), TRAITS.map(|planted| planted.share));
    assert_eq!(numbers(&golden["noise"]), TRAITS.map(|planted| planted.noise));
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let (effect, mcid) = (case["effect"].as_f64().unwrap(), case["mcid"].as_f64().unwrap());
        let best = SimulateConfig {
            effect,
            mcid,
            missing: 0.0,
            ..Default::default()
        }
        .best_auc();
        let found = [best.all].into_iter().chain(best.alone).chain(best.without);
        let expected = numbers(&Value::Array(vec![case["all"].clone()])).into_iter();
        let expected = expected.chain(numbers(&case["alone"])).chain(numbers(&case["without"]));
        for (place, (found, expected)) in found.zip(expected).enumerate() {
            let distance = (found.auc - expected).abs();
            assert!(
                distance <= 4.0 * found.standard_error,
                "{effect} {mcid} {place}: {found}, expected {expected}"
            );
            assert!(found.standard_error < 0.0025, "{effect} {mcid} {place}: {found}");
        }
    }
}

#[test]
fn with_missing_values_the_best_auc_is_that_of_the_expected_change() {
    let config = small(50_000);
    let (truth, best) = (config.truth(), config.best_auc());
    // With the threshold at the mean, P(Z >= 0 | v) = Phi(mean / sd); any function that grows with mean / sd ranks alike.
    let score = |patient: &PatientTruth| {
        let (mut mean, mut variance) = (0.0, 1.0);
        for (planted, reading) in TRAITS.iter().zip(patient.readings) {
            let reading = reading.filter(|reading| reading.noise.is_finite());
            let reliability = reading.map_or(0.0, |reading| 1.0 / (1.0 + reading.noise * reading.noise));
            mean += planted.share.sqrt() * reliability * reading.map_or(0.0, |reading| reading.value);
            variance -= planted.share * reliability;
        }
        mean / variance.sqrt()
    };
    let by_hand = auc(truth
        .iter()
        .map(|patient| (score(patient), patient.responder))
        .collect());
    let by_probability = auc(truth
        .iter()
        .map(|patient| (patient.probability, patient.responder))
        .collect());
    assert!((by_hand - by_probability).abs() < 1e-9);
    // The standard error among 50,000 is twice that among 200,000.
    let chance = 4.0 * best.all.standard_error * 5f64.sqrt();
    assert!((by_hand - best.all.auc).abs() < chance, "{by_hand}, {}", best.all);
    assert!((0.885..0.915).contains(&best.all.auc), "{}", best.all);
    // The probabilities are those that come true.
    for decile in 0..10 {
        let range = 0.1 * f64::from(decile)..0.1 * f64::from(decile + 1);
        let inside: Vec<_> = truth
            .iter()
            .filter(|patient| range.contains(&patient.probability))
            .collect();
        let count = inside.len() as f64;
        let expected = inside.iter().map(|patient| patient.probability).sum::<f64>() / count;
        let found = inside.iter().filter(|patient| patient.responder).count() as f64 / count;
        let chance = 4.0 * (expected * (1.0 - expected) / count).sqrt();
        assert!(
            (found - expected).abs() < chance,
            "{range:?}: {found}, expected {expected}"
        );
    }
    let share = truth.iter().filter(|patient| patient.responder).count() as f64 / 50_000.0;
    assert!(
        (share - 0.5).abs() < 0.009 && (best.responders - 0.5).abs() < 0.005,
        "{share} {}",
        best.responders
    );
    let text = best.to_string();
    assert!(
        text.contains("force                  0.00   0.5000 +/- 0.0000"),
        "{text}"
    );
}

#[test]
fn the_effect_changes_the_outcome_only_and_is_gone_at_zero() {
    let none = SimulateConfig {
        effect: 0.0,
        ..small(20_000)
    };
    let (truth, best) = (none.truth(), none.best_auc());
    let chance = 4.0 * (1.0 / (12.0 * 5_000.0f64)).sqrt();
    for (modality, planted) in TRAITS.iter().enumerate() {
        let at_chance = auc(truth
            .iter()
            .map(|patient| (patient.traits[modality], patient.responder))
            .collect());
        assert!((at_chance - 0.5).abs() < chance, "{}: {at_chance}", planted.modality);
        let present = |patient: &PatientTruth| f64::from(u8::from(patient.readings[modality].is_some()));
        let missing = correlation(
            &truth
                .iter()
                .map(|p| (present(p), f64::from(u8::from(p.responder))))
                .collect::<Vec<_>>(),
        );
        assert!(
            missing.abs() < 4.0 / 20_000f64.sqrt(),
            "{}: {missing}",
            planted.modality
        );
    }
    assert!(truth.iter().all(|patient| (patient.probability - 0.5).abs() < 1e-12));
    assert!(
        [best.all]
            .iter()
            .chain(&best.alone)
            .chain(&best.without)
            .all(|estimate| estimate.auc == 0.5)
    );
    let full = small(20_000).truth();
    for truth in [&truth, &full] {
        let mean = truth.iter().map(|patient| patient.change).sum::<f64>() / 20_000.0;
        let variance = truth.iter().map(|patient| (patient.change - mean).powi(2)).sum::<f64>() / 19_999.0;
        // 25, and 1/12 for the rounding.
        assert!(
            (mean - 8.5).abs() < 0.15 && (variance - 25.08).abs() < 1.0,
            "{mean} {variance}"
        );
    }
    let recordings = |effect: f64| {
        let mut cohort = SimulateConfig { effect, ..small(12) }.generate();
        cohort
            .subjects
            .iter_mut()
            .for_each(|subject| subject.sessions[0].class = 0);
        cohort
    };
    assert_eq!(Content::of(&recordings(0.0)), Content::of(&recordings(1.0)));
}

#[test]
fn a_cohort_is_a_function_of_its_configuration_and_grows_at_the_end() {
    let five = small(5).generate();
    five.validate().unwrap();
    assert_eq!(Content::of(&five), Content::of(&small(5).generate()));
    let nine = small(9).generate();
    assert!(Content::of(&nine).0[..5] == Content::of(&five).0);
    assert_eq!(nine.modalities, five.modalities);
    let other = SimulateConfig { seed: 1, ..small(5) }.generate();
    assert_ne!(Content::of(&other), Content::of(&five));
    let single = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(single.install(|| Content::of(&small(5).generate())), Content::of(&five));
    let cohort = SimulateConfig::default().generate();
    cohort.validate().unwrap();
    assert_eq!((cohort.subjects.len(), cohort.name.as_str()), (216, "simulated"));
    assert_eq!(cohort.classes, ["non-responder", "responder"]);
    let sites: BTreeSet<_> = cohort
        .subjects
        .iter()
        .filter_map(|subject| subject.site.as_deref())
        .collect();
    assert_eq!(
        Vec::from_iter(sites),
        ["centre-1", "centre-2", "hospital-1", "hospital-2", "hospital-3"]
    );
    for (emg_secs, force_secs) in [(0.5, 0.5), (10.0, 1.0)] {
        let cohort = SimulateConfig {
            emg_secs,
            force_secs,
            ..small(20)
        }
        .generate();
        cohort.validate().unwrap();
        let rows = |modality: usize| {
            (0..20)
                .find_map(|subject| values(&cohort, subject, modality))
                .unwrap()
                .nrows()
        };
        assert_eq!(
            (rows(EMG), rows(FORCE)),
            ((500.0 * emg_secs) as usize, (100.0 * force_secs) as usize)
        );
    }
}

#[test]
fn recoveries_end_at_the_change_and_only_their_beginning_is_an_input() {
    let config = small(2000);
    let (cohort, truth) = (config.generate(), config.truth());
    cohort.validate().unwrap();
    let names: Vec<_> = cohort.modalities[SCALES]
        .channels
        .iter()
        .map(|channel| channel.name.as_str())
        .collect();
    let known = [
        "fma_week0",
        "fma_week2",
        "fma_week4",
        "barthel_week0",
        "barthel_week2",
        "barthel_week4",
        "fma_gain",
    ];
    assert_eq!(names, known);
    let mut shares = [0f64; 3];
    for (subject, patient) in truth.iter().enumerate() {
        assert_eq!(patient.fma[6] - patient.fma[0], patient.change);
        assert_eq!(patient.responder, patient.change >= 9.0);
        assert!(
            patient
                .fma
                .iter()
                .all(|score| (0.0..=66.0).contains(score) && score.fract() == 0.0)
        );
        assert!(
            patient
                .barthel
                .iter()
                .all(|score| (0.0..=100.0).contains(score) && score % 5.0 == 0.0)
        );
        if let Some(values) = values(&cohort, subject, SCALES) {
            let row: Vec<f64> = values.iter().map(|&value| value.into()).collect();
            let gain = [patient.fma[2] - patient.fma[0]];
            assert_eq!(row, [&patient.fma[..3], &patient.barthel[..3], &gain[..]].concat());
        }
        shares[patient.course as usize] += 1.0 / 2000.0;
    }
    for (found, expected) in shares.into_iter().zip([0.30, 0.45, 0.25]) {
        assert!((found - expected).abs() < 0.045, "{shares:?}");
    }
    // Of what was to come after week 4, the rapid had most by week 8 and the late had not.
    let middle = |course: Course| {
        let of = truth
            .iter()
            .filter(|p| p.course == course && (p.fma[6] - p.fma[2]).abs() >= 5.0);
        let shares: Vec<f64> = of.map(|p| (p.fma[4] - p.fma[2]) / (p.fma[6] - p.fma[2])).collect();
        shares.iter().sum::<f64>() / shares.len() as f64
    };
    assert!(middle(Course::Rapid) > 0.75 && (middle(Course::Steady) - 0.5).abs() < 0.05 && middle(Course::Late) < 0.2);
}

#[test]
fn values_are_in_range_and_what_files_hold() {
    let config = small(300);
    let cohort = config.generate();
    let ranges = [
        (25.0, 89.0),
        (0.0, 1.0),
        (0.5, 24.0),
        (0.0, 42.0),
        (0.0, 1.0),
        (0.0, 1.0),
        (0.0, 1.0),
        (3.0, 6.0),
        (30.0, 60.0),
    ];
    let mut missing = [0; 5];
    let mut missing_fields = [0; 9];
    for subject in 0..300 {
        for (modality, missing) in missing.iter_mut().enumerate() {
            let Some(values) = values(&cohort, subject, modality) else {
                *missing += 1;
                continue;
            };
            let multiples = |gain: f32, limit: f32| {
                values
                    .iter()
                    .all(|value| (value * gain).fract() == 0.0 && (value * gain).abs() <= limit)
            };
            match modality {
                CLINICAL => {
                    for ((value, (low, high)), missing) in values.iter().zip(ranges).zip(&mut missing_fields) {
                        *missing += i32::from(value.is_nan());
                        assert!(value.is_nan() || (low..=high).contains(value), "{values}");
                    }
                }
                EMG => assert!(multiples(8192.0, 32767.0)),
                FORCE => assert!(multiples(16.0, 32767.0) && values.iter().all(|&newtons| newtons > -64.0)),
                MOTION => assert!(
                    values
                        .iter()
                        .all(|&value| value == (255.0 * value).round() / 255.0 && value <= 1.0)
                ),
                _ => {}
            }
        }
    }
    // 24 of 300 expected, standard deviation 4.7.
    assert!(missing.iter().all(|count| (6..=42).contains(count)), "{missing:?}");
    for (column, count) in missing_fields.into_iter().enumerate() {
        assert_eq!(
            (6..=42).contains(&count),
            [2, 3, 5, 6].contains(&column),
            "{missing_fields:?}"
        );
    }
    let bare = SimulateConfig {
        missing: 0.9,
        ..small(200)
    }
    .generate();
    bare.validate().unwrap();
    assert!(
        bare.subjects
            .iter()
            .all(|subject| subject.sessions[0].recordings.iter().any(Option::is_some))
    );
}

#[test]
fn wrong_values_are_named() {
    let config = SimulateConfig {
        num_subjects: 0,
        effect: 1.5,
        mcid: f64::NAN,
        missing: -0.1,
        anomalies: 2.0,
        num_sites: 0,
        emg_secs: 0.0,
        force_secs: f64::INFINITY,
        ..Default::default()
    };
    let found: Vec<_> = config
        .problems()
        .into_iter()
        .map(|problem| problem.to_string())
        .collect();
    assert_eq!(
        found,
        [
            "num_subjects: 0, expected 1 to 100000",
            "effect: 1.5, expected 0 to 1",
            "mcid: NaN, expected 1 to 20 points",
            "missing: -0.1, expected 0 to 0.9",
            "anomalies: 2, expected 0 to 1",
            "num_sites: 0, expected 1 to 1000",
            "emg_secs: 0, expected 0.5 to 600 seconds",
            "force_secs: inf, expected 0.5 to 600 seconds",
        ]
    );
    assert!(SimulateConfig::default().problems().is_empty());
    let never = std::path::Path::new("never-made");
    let error = write(&config, FileLayout::Physionet, never).unwrap_err().to_string();
    assert_eq!(error, "cohort `simulated`: num_subjects: 0, expected 1 to 100000");
    let error = toml::from_str::<SimulateConfig>("subjects = 3")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("unknown field `subjects`, expected one of `num_subjects`, `seed`, `effect`"),
        "{error}"
    );
    let config: SimulateConfig = toml::from_str("outcome = \"anomaly\"\nnum_subjects = 7").unwrap();
    assert_eq!(
        config,
        SimulateConfig {
            outcome: Outcome::Anomaly,
            ..small(7)
        }
    );
}
