//! The simulated cohort: patients in rehabilitation after a stroke, recorded in five modalities, of whom the best
//! achievable prediction is known. It is Recoup's embedded default: it needs no download, and a model's AUC can be held
//! against the best one there is. It shows what a method can find; it says nothing about patients.
//!
//! # The outcome
//! Each patient has one trait per modality, u_m ~ N(0, 1), independent of each other, and luck e ~ N(0, 1). With the weights
//! `w_m = effect sqrt(share_m)` of [`TRAITS`], the change of the upper-extremity Fugl-Meyer score (0 to 66 points) from week
//! 0 to week 12 is
//!
//! ```text
//! Z      = sum_m w_m u_m + sqrt(1 - sum_m w_m^2) e              ~ N(0, 1) for every effect
//! change = round(8.5 + 5 Z), held between -10 and 28 points     responder: change >= mcid
//! ```
//!
//! so that with the default `mcid` of 9 points (9 to 10 after Arya et al. 2011, doi 10.1310/tsr18s01-599) half of the patients
//! respond. With `effect` 0 the change is independent of everything that is recorded.
//!
//! # What the recordings say
//! The recording of modality m shows the reading `v_m = u_m + noise_m eta_m`, eta_m ~ N(0, 1), and everything else in it is
//! independent of u, so
//!
//! ```text
//! Z | v ~ N(sum_m w_m v_m / (1 + noise_m^2), 1 - sum_m w_m^2 / (1 + noise_m^2))     sums over the recorded modalities
//! ```
//!
//! and ranking patients by P(change >= mcid | v) is the best there is (Neyman and Pearson). [`SimulateConfig::best_auc`]
//! computes the AUC of that ranking without rendering a recording; it is 0.897 by default. A model that sees recordings can
//! come close, not there: reading v_m from rounded numbers or a few seconds of signal costs some of it. Plain estimates from
//! the recordings correlate with v_m by 0.96 (motion) to 0.999 (clinical), which costs 0.01 of the AUC.
//!
//! | modality | what shows v_m | what varies besides |
//! |---|---|---|
//! | `clinical` | (v + q, v - q) in the NIHSS (downwards) and the weeks since onset (downwards), q ~ N(0, 0.3^2) | age, sex, side, comorbidities, dose |
//! | `scales` | `fma_gain` = `fma_week4 - fma_week0`, 4 + 2.5 v points | baseline, course, Barthel index |
//! | `emg` | the frequency axis of the spectrum, scaled by exp(0.14 v) | amplitude, rhythm, gain, artefacts |
//! | `force` | stance of the right foot over that of the left; irrelevant to the change | weight, cadence, gain |
//! | `motion` | the angle of the arc, 95 + 18 v degrees | shoulder, reach, start, brightness |
//!
//! # What does not carry the outcome
//! Each modality of each patient is missing with the probability `missing`, independently of everything (missing completely
//! at random); if all would be, one stays. So are four fields of the clinical row. Sites differ in the gain of their
//! sensors, brightness and age, not in their patients' change. A share `anomalies` of the EMG recordings has an artefact
//! that leaves v readable (in the other channel, or above the drift). With [`Outcome::Anomaly`] that flag is the class.
//! Scores after week 4 belong to the outcome: they are written to `visits.csv` and are no input.
//!
//! Every number is a function of (seed, purpose, subject, index): the first subjects of a larger cohort are those of a
//! smaller one, whatever the number of threads.

mod best;
mod draws;
mod files;
mod patient;
mod reading;
mod recordings;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::base::Problems;
use crate::dataset::subjects::{Cohort, Session, Subject};

pub use best::{BestAuc, Estimate};
pub use files::{FileLayout, write};
pub use patient::{Artefact, Course, PREDICTION_VISIT, PatientTruth, VISIT_WEEKS};
pub use reading::Reading;

/// Name of the cohort.
const NAME: &str = "simulated";
/// Mean and standard deviation of the change, in points.
const CHANGE_MEAN: f64 = 8.5;
const CHANGE_SD: f64 = 5.0;

/// Settings of a simulated cohort.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulateConfig {
    /// Number of patients.
    pub num_subjects: usize,
    /// Another seed, another cohort.
    pub seed: u64,
    /// How much the traits decide, from 0 (the outcome is independent of every input) to 1 (the shares of [`TRAITS`]).
    pub effect: f64,
    /// Smallest change of the Fugl-Meyer score that makes a responder, in points.
    pub mcid: f64,
    /// Probability that a modality of a patient is missing, and a field of the clinical row.
    pub missing: f64,
    /// Probability of an artefact in an EMG recording.
    pub anomalies: f64,
    /// Number of hospitals and rehabilitation centres.
    pub num_sites: usize,
    /// Length of the EMG.
    pub emg_secs: f64,
    /// Length of the force under the feet.
    pub force_secs: f64,
    /// Meaning of the classes.
    pub outcome: Outcome,
}

/// Meaning of the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// `non-responder`, `responder`.
    #[default]
    Response,
    /// `usual`, `anomalous`: whether the EMG has an artefact.
    Anomaly,
}

/// Traits planted in one modality.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trait {
    /// The modality that shows it.
    pub modality: &'static str,
    /// Share of the variance of the change that it decides at effect 1.
    pub share: f64,
    /// Standard deviation of the reading's error.
    pub noise: f64,
}

/// The traits, in the order of the cohort's modalities. Force is the control that no method should find useful.
pub const TRAITS: [Trait; 5] = [
    Trait {
        modality: "clinical",
        share: 0.12,
        noise: 0.6,
    },
    Trait {
        modality: "scales",
        share: 0.22,
        noise: 0.5,
    },
    Trait {
        modality: "emg",
        share: 0.33,
        noise: 0.45,
    },
    Trait {
        modality: "force",
        share: 0.0,
        noise: 0.45,
    },
    Trait {
        modality: "motion",
        share: 0.25,
        noise: 0.5,
    },
];

impl Trait {
    /// The weight w_m of the trait in the standardised change.
    pub fn weight(&self, config: &SimulateConfig) -> f64 {
        config.effect * self.share.sqrt()
    }
}

impl Default for SimulateConfig {
    fn default() -> Self {
        Self {
            num_subjects: 216,
            seed: 0,
            effect: 1.0,
            mcid: 9.0,
            missing: 0.08,
            anomalies: 0.05,
            num_sites: 5,
            emg_secs: 4.0,
            force_secs: 8.0,
            outcome: Outcome::Response,
        }
    }
}

impl SimulateConfig {
    /// Everything that is wrong with it. Every other method expects that there is nothing.
    pub fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        let mut range = |key: &str, value: f64, low: f64, high: f64, unit: &str| {
            problems.require((low..=high).contains(&value), key, || {
                format!("{value}, expected {low} to {high}{unit}")
            });
        };
        range("num_subjects", self.num_subjects as f64, 1.0, 1e5, "");
        range("effect", self.effect, 0.0, 1.0, "");
        range("mcid", self.mcid, 1.0, 20.0, " points");
        range("missing", self.missing, 0.0, 0.9, "");
        range("anomalies", self.anomalies, 0.0, 1.0, "");
        range("num_sites", self.num_sites as f64, 1.0, 1000.0, "");
        range("emg_secs", self.emg_secs, 0.5, 600.0, " seconds");
        range("force_secs", self.force_secs, 0.5, 600.0, " seconds");
        problems
    }

    /// Names of the classes.
    pub fn classes(&self) -> [&'static str; 2] {
        match self.outcome {
            Outcome::Response => ["non-responder", "responder"],
            Outcome::Anomaly => ["usual", "anomalous"],
        }
    }

    /// Traits planted in each patient, in the order of the cohort's subjects.
    pub fn truth(&self) -> Vec<PatientTruth> {
        (0..self.num_subjects)
            .into_par_iter()
            .map(|index| PatientTruth::draw(self, index))
            .collect()
    }

    /// The cohort `simulated`: one session per patient with the modalities of [`TRAITS`].
    pub fn generate(&self) -> Cohort {
        Cohort {
            name: NAME.into(),
            classes: self.classes().map(String::from).to_vec(),
            modalities: recordings::specs(),
            subjects: (0..self.num_subjects)
                .into_par_iter()
                .map(|index| self.subject(index))
                .collect(),
        }
    }

    /// The best AUC that any model can reach in telling responders, whatever [`SimulateConfig::outcome`] is; takes a second.
    pub fn best_auc(&self) -> BestAuc {
        BestAuc::of(self)
    }

    /// Three hospitals to two rehabilitation centres.
    fn site_name(&self, site: usize) -> String {
        let hospitals = (self.num_sites * 3).div_ceil(5);
        match site.checked_sub(hospitals) {
            None => format!("hospital-{}", site + 1),
            Some(centre) => format!("centre-{}", centre + 1),
        }
    }

    fn class(&self, truth: &PatientTruth) -> usize {
        usize::from(match self.outcome {
            Outcome::Response => truth.responder,
            Outcome::Anomaly => truth.artefact.is_some(),
        })
    }

    fn subject(&self, index: usize) -> Subject {
        let truth = PatientTruth::draw(self, index);
        let recordings = recordings::render(self, index, &truth);
        let session = Session {
            id: truth.id.clone(),
            class: self.class(&truth),
            recordings,
        };
        Subject {
            site: Some(self.site_name(truth.site)),
            group: None,
            id: truth.id,
            sessions: vec![session],
        }
    }
}
