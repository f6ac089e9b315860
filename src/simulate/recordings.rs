//! The recordings of one patient. Their docs say what shows the reading v; all the rest is nuisance.

mod emg;
mod force;
mod motion;

use ndarray::Array2;

use super::draws::Draws;
use super::patient::{PREDICTION_VISIT, PatientTruth, VISIT_WEEKS};
use super::{SimulateConfig, TRAITS};
use crate::dataset::subjects::{Channel, ModalityKind, ModalitySpec, Recording};

pub(super) use emg::{GAIN_PER_MV as EMG_GAIN, RATE_HZ as EMG_RATE_HZ};
pub(super) use force::{GAIN_PER_N as FORCE_GAIN, RATE_HZ as FORCE_RATE_HZ};
pub(super) use motion::SIDE as IMAGE_SIDE;

/// Columns of the clinical row: name, unit, smallest and largest value.
pub(super) const CLINICAL: [(&str, &str, [f64; 2]); 9] = [
    ("age", "year", [25.0, 89.0]),
    ("sex", "1", [0.0, 1.0]),
    ("weeks_since_onset", "week", [0.5, 24.0]),
    ("nihss", "point", [0.0, 42.0]),
    ("affected_side", "1", [0.0, 1.0]),
    ("diabetes", "1", [0.0, 1.0]),
    ("hypertension", "1", [0.0, 1.0]),
    ("sessions_per_week", "1/week", [3.0, 6.0]),
    ("minutes_per_session", "min", [30.0, 60.0]),
];

/// The modalities, in the order of [`TRAITS`].
pub(super) fn specs() -> Vec<ModalitySpec> {
    let channels = |names: &[(&str, &str)]| {
        names
            .iter()
            .map(|&(name, unit)| Channel {
                name: name.into(),
                unit: unit.into(),
            })
            .collect()
    };
    let scales = ["fma", "barthel"].into_iter().flat_map(|scale| {
        let known = VISIT_WEEKS.iter().take(PREDICTION_VISIT + 1);
        known.map(move |week| Channel {
            name: format!("{scale}_week{week}"),
            unit: "point".into(),
        })
    });
    let scales = scales.chain([Channel {
        name: "fma_gain".into(),
        unit: "point".into(),
    }]);
    let image = ModalityKind::Image {
        height: IMAGE_SIDE,
        width: IMAGE_SIDE,
    };
    let contents: [(ModalityKind, Vec<Channel>); 5] = [
        (
            ModalityKind::Row,
            channels(&CLINICAL.map(|(name, unit, _)| (name, unit))),
        ),
        (ModalityKind::Row, scales.collect()),
        (
            ModalityKind::Signal { rate_hz: EMG_RATE_HZ },
            channels(&[("flexor", "mV"), ("extensor", "mV")]),
        ),
        (
            ModalityKind::Signal { rate_hz: FORCE_RATE_HZ },
            channels(&[("left", "N"), ("right", "N")]),
        ),
        (image, channels(&[("gray", "1")])),
    ];
    let specs = TRAITS.iter().zip(contents);
    specs
        .map(|(planted, (kind, channels))| ModalitySpec {
            name: planted.modality.into(),
            kind,
            channels,
        })
        .collect()
}

/// One entry per modality, `None` where it is missing.
pub(super) fn render(config: &SimulateConfig, index: usize, truth: &PatientTruth) -> Vec<Option<Recording>> {
    let patient = Draws::new(config.seed, "subject", index as u64);
    let site = Draws::new(config.seed, "site", truth.site as u64);
    let [_, _, emg, force, motion] = truth.readings.map(|reading| reading.map(|reading| reading.value));
    let values = [
        truth.readings[0].map(|_| clinical(&patient, &site, truth)),
        truth.readings[1].map(|_| scales(truth)),
        emg.map(|v| emg::render(&patient, &site, v, truth.artefact, config.emg_secs)),
        force.map(|v| force::render(&patient, &site, v, config.force_secs)),
        motion.map(|v| motion::render(&patient, &site, v)),
    ];
    values
        .map(|values| {
            values.map(|values| Recording {
                times_secs: None,
                values,
            })
        })
        .to_vec()
}

/// v + q in the NIHSS (2.4 points less per unit) and v - q in the weeks since onset (1.2 weeks less per unit).
fn clinical(patient: &Draws, site: &Draws, truth: &PatientTruth) -> Array2<f32> {
    let coin = |purpose: &str, probability: f64| f64::from(patient.uniform(purpose) < probability);
    let [severity, delay] = truth.clinical_columns;
    let [weeks_present, nihss_present, diabetes_present, hypertension_present] = truth.field_present;
    let entered = |present: bool, value: f64| if present { value } else { f64::NAN };
    let age = 63.0 + 3.0 * site.normal("age") + 10.0 * patient.normal("age");
    let row = [
        age.round(),
        coin("sex", 0.42),
        entered(weeks_present, (10.0 * (6.0 - 1.2 * delay)).round() / 10.0),
        entered(nihss_present, (11.0 - 2.4 * severity).round()),
        coin("side", 0.5),
        entered(diabetes_present, coin("diabetes", 0.25)),
        entered(hypertension_present, coin("hypertension", 0.6)),
        3.0 + (4.0 * patient.uniform("sessions")).floor(),
        30.0 + 15.0 * (3.0 * patient.uniform("minutes")).floor(),
    ];
    // Few reach the bounds: 1 patient in 3,000 has been ill for less than half a week.
    let bounded = |column: usize| row[column].clamp(CLINICAL[column].2[0], CLINICAL[column].2[1]);
    Array2::from_shape_fn((1, row.len()), |(_, column)| bounded(column) as f32)
}

/// The scores up to the prediction and the gain of the first of them, which shows v: therapists note it, and a model of
/// few patients is slow to find a small difference between two large scores.
fn scales(truth: &PatientTruth) -> Array2<f32> {
    let known = PREDICTION_VISIT + 1;
    let scores: Vec<f32> = [truth.fma, truth.barthel]
        .iter()
        .flat_map(|scores| scores.iter().take(known).map(|&score| score as f32))
        .chain([(truth.fma[PREDICTION_VISIT] - truth.fma[0]) as f32])
        .collect();
    Array2::from_shape_fn((1, scores.len()), |(_, column)| scores[column])
}

/// The nearest multiple of `1 / gain` that a 16-bit converter holds; its lowest value stands for a missing sample.
fn digitise(value: f64, gain: f64) -> f32 {
    // Saturates; the way through an integer leaves no negative zero.
    let step = ((value * gain).round() as i16).max(-i16::MAX);
    (f64::from(step) / gain) as f32
}
