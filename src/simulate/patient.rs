//! One patient before anything is recorded: traits, what the recordings will say about them, and the course of recovery.

use std::f64::consts::SQRT_2;

use statrs::function::erf::erfc;

use super::draws::Draws;
use super::reading::{Reading, margin};
use super::{CHANGE_MEAN, CHANGE_SD, SimulateConfig, TRAITS};

/// Weeks of the seven biweekly visits.
pub const VISIT_WEEKS: [u8; 7] = [0, 2, 4, 6, 8, 10, 12];
/// The visit at which the prediction is made; later ones belong to the outcome.
pub const PREDICTION_VISIT: usize = 2;
/// Standard deviation of the contrast between the two clinical columns that carry the trait: what one of them alone lacks.
const CLINICAL_CONTRAST: f64 = 0.3;

/// Points gained by week 4 at a reading of 0, and per unit of it.
const EARLY_GAIN_MEAN: f64 = 4.0;
const EARLY_GAIN_SLOPE: f64 = 2.5;

/// Traits planted in one patient; never an input.
#[derive(Debug, Clone, PartialEq)]
pub struct PatientTruth {
    /// The subject's id in the cohort.
    pub id: String,
    /// Index of the site.
    pub site: usize,
    /// The traits u, in the order of [`TRAITS`].
    pub traits: [f64; 5],
    /// Readings of the traits in the recordings; `None` where the modality is missing.
    pub readings: [Option<Reading>; 5],
    /// Whether `weeks_since_onset`, `nihss`, `diabetes` and `hypertension` were entered.
    pub field_present: [bool; 4],
    /// v + q and v - q, which the columns `nihss` and `weeks_since_onset` carry.
    pub clinical_columns: [f64; 2],
    /// Fugl-Meyer score of the upper extremity at [`VISIT_WEEKS`], 0 to 66 points.
    pub fma: [f64; 7],
    /// Barthel index at [`VISIT_WEEKS`], 0 to 100 points in steps of 5.
    pub barthel: [f64; 7],
    /// The shape of the recovery.
    pub course: Course,
    /// Change of the Fugl-Meyer score from week 0 to week 12.
    pub change: f64,
    /// Whether the change reached the minimal clinically important difference.
    pub responder: bool,
    /// P(responder | readings): no function of the recordings ranks patients better.
    pub probability: f64,
    /// The artefact in the EMG, if there is one.
    pub artefact: Option<Artefact>,
}

/// Shape of a recovery, independent of the change and of every trait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Most of it at once.
    Rapid,
    /// About the same from visit to visit.
    Steady,
    /// Most of it in the last weeks.
    Late,
}

/// Disturbances of an EMG recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Artefact {
    /// One channel holds nothing but mains hum of 50 Hz.
    ElectrodeOff,
    /// Both channels drift by several times the signal, in bursts of a few hertz.
    Movement,
}

impl Course {
    /// As the files write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rapid => "rapid",
            Self::Steady => "steady",
            Self::Late => "late",
        }
    }

    fn draw(draws: &Draws) -> Self {
        match draws.uniform("course") {
            lot if lot < 0.3 => Self::Rapid,
            lot if lot < 0.75 => Self::Steady,
            _ => Self::Late,
        }
    }

    /// Fugl-Meyer scores from a baseline that says nothing about the change, over the early gain that carries the trait,
    /// to the end. The bounds of all three keep every visit within 0 to 66 points.
    fn fma(self, draws: &Draws, early: f64, change: f64) -> [f64; 7] {
        let start = 14.0 + (23.0 * draws.uniform("fma")).floor();
        let gain = (EARLY_GAIN_MEAN + EARLY_GAIN_SLOPE * early).round().clamp(-8.0, 16.0);
        let (by_week_2, later) = self.shares();
        let later = later.map(|share| gain + share * (change - gain));
        let [week_6, week_8, week_10, week_12] = later;
        [0.0, by_week_2 * gain, gain, week_6, week_8, week_10, week_12].map(|gain| start + gain.round())
    }

    /// Share of the gain up to week 4 that is reached in week 2, and of the change after week 4 that is reached in weeks
    /// 6, 8, 10 and 12.
    fn shares(self) -> (f64, [f64; 4]) {
        match self {
            Self::Rapid => (0.85, [0.55, 0.80, 0.95, 1.0]),
            Self::Steady => (0.50, [0.25, 0.50, 0.75, 1.0]),
            Self::Late => (0.20, [0.05, 0.15, 0.45, 1.0]),
        }
    }
}

impl Artefact {
    /// As the files write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ElectrodeOff => "electrode-off",
            Self::Movement => "movement",
        }
    }
}

impl PatientTruth {
    /// Patient number `index`, whatever the number of patients.
    pub(super) fn draw(config: &SimulateConfig, index: usize) -> Self {
        let draws = Draws::new(config.seed, "subject", index as u64);
        let latent = Latent::draw(config, &draws);
        let luck = draws.normal("luck");
        let carried: f64 = TRAITS
            .iter()
            .zip(latent.traits)
            .map(|(planted, u)| planted.weight(config) * u)
            .sum();
        let luck_share = 1.0 - TRAITS.iter().map(|planted| planted.weight(config).powi(2)).sum::<f64>();
        let standard = carried + luck_share.max(0.0).sqrt() * luck;
        // Bounds that 1 patient in 10,000 reaches, so that every course stays within the scale.
        let change = (CHANGE_MEAN + CHANGE_SD * standard).round().clamp(-10.0, 28.0);
        let course = Course::draw(&draws);
        let fma = course.fma(&draws, latent.early, change);
        let artefact = (latent.readings[EMG].is_some() && draws.uniform("artefact") < config.anomalies).then(|| {
            if draws.uniform("artefact kind") < 0.5 {
                Artefact::ElectrodeOff
            } else {
                Artefact::Movement
            }
        });
        Self {
            id: format!("p{:03}", index + 1),
            site: (draws.uniform("site") * config.num_sites as f64) as usize,
            traits: latent.traits,
            readings: latent.readings,
            field_present: latent.field_present,
            clinical_columns: latent.clinical_columns,
            barthel: barthel(&draws, &fma),
            fma,
            course,
            change,
            responder: change >= config.mcid,
            probability: 0.5 * erfc(-margin(config, &latent.readings) / SQRT_2),
            artefact,
        }
    }
}

/// Follows the Fugl-Meyer score of the same visit, with an offset per patient and noise per visit.
fn barthel(draws: &Draws, fma: &[f64; 7]) -> [f64; 7] {
    let (offset, visits) = (10.0 * draws.normal("barthel"), draws.stream("barthel visit"));
    std::array::from_fn(|visit| {
        let score = 10.0 + 1.4 * fma[visit] + offset + 3.0 * visits.normal(visit as u64);
        5.0 * f64::from((score / 5.0).round().clamp(0.0, 20.0) as u8)
    })
}

const CLINICAL: usize = 0;
const SCALES: usize = 1;
const EMG: usize = 2;

/// Traits and readings.
struct Latent {
    traits: [f64; 5],
    /// v of the scales, also where they are missing: the early course carries it.
    early: f64,
    readings: [Option<Reading>; 5],
    field_present: [bool; 4],
    clinical_columns: [f64; 2],
}

impl Latent {
    fn draw(config: &SimulateConfig, draws: &Draws) -> Self {
        let (traits, errors) = (draws.stream("trait"), draws.stream("reading"));
        let traits = std::array::from_fn(|m| traits.normal(m as u64));
        let mut readings: [Reading; 5] = std::array::from_fn(|m| {
            let noise = TRAITS[m].noise;
            Reading {
                value: traits[m] + noise * errors.normal(m as u64),
                noise,
            }
        });
        let early = readings[SCALES].value;
        let (fields, contrast) = (
            draws.stream("field missing"),
            CLINICAL_CONTRAST * draws.normal("contrast"),
        );
        let field_present: [bool; 4] = std::array::from_fn(|field| fields.uniform(field as u64) >= config.missing);
        let clinical_columns = [readings[CLINICAL].value + contrast, readings[CLINICAL].value - contrast];
        let [weeks_present, nihss_present, ..] = field_present;
        let alone = TRAITS[CLINICAL].noise.hypot(CLINICAL_CONTRAST);
        readings[CLINICAL] = match (nihss_present, weeks_present) {
            (true, true) => readings[CLINICAL],
            (true, false) => Reading {
                value: clinical_columns[0],
                noise: alone,
            },
            (false, true) => Reading {
                value: clinical_columns[1],
                noise: alone,
            },
            // The row is there, but says nothing.
            (false, false) => Reading {
                value: 0.0,
                noise: f64::INFINITY,
            },
        };
        let lots = draws.stream("missing");
        let lots: [f64; 5] = std::array::from_fn(|m| lots.uniform(m as u64));
        let highest = lots.iter().copied().fold(0.0, f64::max);
        // Somebody of whom nothing is left would be no patient: the last one standing stays.
        let present = |m: usize| lots[m] >= config.missing || lots[m] == highest;
        let readings = std::array::from_fn(|m| present(m).then_some(readings[m]));
        Self {
            traits,
            early,
            readings,
            field_present,
            clinical_columns,
        }
    }
}
