//! The synthetic cohort: a function of its configuration, with the effect that it promises.

use recoup::data::{Cohort, SyntheticConfig};

use super::prepared::synthetic;

#[test]
fn a_synthetic_cohort_is_a_function_of_its_configuration() {
    let bits = |cohort: &Cohort| -> Vec<u32> {
        let recordings = cohort.subjects.iter().flat_map(|s| &s.sessions[0].recordings).flatten();
        recordings.flat_map(|recording| recording.values.iter().map(|value| value.to_bits())).collect()
    };
    let small = synthetic(3);
    small.validate().unwrap();
    assert_eq!(bits(&small), bits(&synthetic(3)));
    let large = synthetic(5);
    assert!(bits(&large).starts_with(&bits(&small)), "more subjects change nothing about the first ones");
    let other = SyntheticConfig { seed: 1, num_subjects: 3, duration_secs: 10.0, ..Default::default() }.generate();
    assert_ne!(bits(&other), bits(&small));
    assert_eq!(SyntheticConfig::default().generate().subjects.len(), 60);
    for duration_secs in [0.001, 0.3] {
        SyntheticConfig { duration_secs, ..Default::default() }.generate().validate().unwrap();
    }
}

/// One number per subject and planted trait: log variability of strides, age, speed, height of the bright spot.
fn traits(cohort: &Cohort) -> Vec<(usize, [f64; 4])> {
    let of = |subject: &recoup::data::Subject| {
        let session = &subject.sessions[0];
        let values = |modality: usize| &session.recordings[modality].as_ref().unwrap().values;
        let strides: Vec<f64> = values(1).column(0).iter().map(|&v| f64::from(v)).collect();
        let mean = strides.iter().sum::<f64>() / strides.len() as f64;
        let variance = strides.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / strides.len() as f64;
        let bright = values(3).iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        let clinical = values(2);
        (session.class, [variance.ln() / 2.0, clinical[[0, 0]].into(), clinical[[0, 1]].into(), (bright / 16) as f64])
    };
    cohort.subjects.iter().map(of).collect()
}

/// Distance of the class means in standard deviations, and the largest that chance gives 1 in 10,000 times.
fn distance(traits: &[(usize, [f64; 4])], index: usize) -> (f64, f64) {
    let of = |class: usize| -> Vec<f64> {
        traits.iter().filter(|t| t.0 == class && !t.1[index].is_nan()).map(|t| t.1[index]).collect()
    };
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let variance = |v: &[f64]| v.iter().map(|x| (x - mean(v)).powi(2)).sum::<f64>() / (v.len() - 1) as f64;
    let (a, b) = (of(0), of(1));
    let pooled = ((variance(&a) + variance(&b)) / 2.0).sqrt();
    ((mean(&b) - mean(&a)) / pooled, 3.9 * (1.0 / a.len() as f64 + 1.0 / b.len() as f64).sqrt())
}

#[test]
fn the_synthetic_effect_is_planted_to_its_degree_and_absent_at_zero() {
    let at = |effect| {
        traits(&SyntheticConfig { num_subjects: 400, effect, duration_secs: 30.0, ..Default::default() }.generate())
    };
    let (none, some) = (at(0.0), at(1.0));
    for (index, sign) in [(0, 1.0), (1, 0.5), (2, -0.5), (3, -1.0)] {
        let (difference, chance) = distance(&none, index);
        assert!(difference.abs() < chance, "trait {index}: {difference} at effect 0");
        let (difference, chance) = distance(&some, index);
        assert!((difference - sign).abs() < chance, "trait {index}: {difference}, expected {sign}");
    }
    // The other class is untouched, and so is what is missing.
    for (none, some) in none.iter().zip(&some) {
        assert!(none.0 == 1 || none.1.map(f64::to_bits) == some.1.map(f64::to_bits));
        assert_eq!(none.1.map(f64::is_nan), some.1.map(f64::is_nan));
    }
    let missing = some.iter().filter(|t| t.1[1].is_nan()).count();
    assert!((20..=62).contains(&missing), "{missing} of 400 ages are missing, expected about 40");
}
