//! The best AUC that any model can reach on the simulated cohort, from the generator alone.

use std::fmt;

use rayon::prelude::*;

use super::patient::PatientTruth;
use super::reading::margin;
use super::{SimulateConfig, TRAITS};

const NUM_BATCHES: usize = 20;
const BATCH_SIZE: usize = 10_000;
/// Patients from here on are in no cohort.
const FIRST_FRESH: usize = 1 << 32;

/// The best AUC with all modalities, with one, and with all but one, over [`BestAuc::num_patients`] fresh patients.
/// Patients who lack a modality count all the same: without any, they get the score of somebody unknown.
#[derive(Debug, Clone, PartialEq)]
pub struct BestAuc {
    /// Share of responders.
    pub responders: f64,
    /// With every modality that a patient has.
    pub all: Estimate,
    /// With one modality only, in the order of [`TRAITS`].
    pub alone: [Estimate; 5],
    /// Without one modality, in the order of [`TRAITS`].
    pub without: [Estimate; 5],
    /// Number of patients behind each estimate.
    pub num_patients: usize,
}

/// A mean over batches of fresh patients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Area under the ROC curve.
    pub auc: f64,
    /// Standard error of it.
    pub standard_error: f64,
}

impl BestAuc {
    pub(super) fn of(config: &SimulateConfig) -> Self {
        // The same patients for every seed: the figure belongs to the model, not to one cohort.
        let config = SimulateConfig {
            seed: 0,
            ..config.clone()
        };
        let batches: Vec<Batch> = (0..NUM_BATCHES)
            .into_par_iter()
            .map(|batch| Batch::draw(&config, batch))
            .collect();
        let estimate = |score: usize| Estimate::over(batches.iter().map(|batch| batch.aucs[score]));
        Self {
            responders: batches.iter().map(|batch| batch.responders).sum::<f64>() / NUM_BATCHES as f64,
            all: estimate(0),
            alone: std::array::from_fn(|m| estimate(1 + m)),
            without: std::array::from_fn(|m| estimate(1 + TRAITS.len() + m)),
            num_patients: NUM_BATCHES * BATCH_SIZE,
        }
    }
}

/// AUCs among some fresh patients: with all modalities, each alone, and without each.
struct Batch {
    responders: f64,
    aucs: [f64; 11],
}

impl Batch {
    fn draw(config: &SimulateConfig, batch: usize) -> Self {
        let first = FIRST_FRESH + batch * BATCH_SIZE;
        let patients: Vec<_> = (first..first + BATCH_SIZE)
            .map(|index| PatientTruth::draw(config, index))
            .collect();
        let scored = |keep: &dyn Fn(usize) -> bool| {
            let score = |patient: &PatientTruth| {
                let kept = std::array::from_fn(|m| patient.readings[m].filter(|_| keep(m)));
                (margin(config, &kept), patient.responder)
            };
            auc(patients.iter().map(score).collect())
        };
        let aucs = std::array::from_fn(|score| match score {
            0 => scored(&|_| true),
            1..=5 => scored(&|m| m == score - 1),
            _ => scored(&|m| m != score - 6),
        });
        let responders = patients.iter().filter(|patient| patient.responder).count();
        Self {
            responders: responders as f64 / BATCH_SIZE as f64,
            aucs,
        }
    }
}

/// Share of (responder, other) pairs in the right order, ties counting half; one half when there is no such pair.
fn auc(mut scored: Vec<(f64, bool)>) -> f64 {
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut pairs, mut positives) = (0.0, 0.0, 0.0);
    for tied in scored.chunk_by(|a, b| a.0 == b.0) {
        let responders = tied.iter().filter(|(_, responder)| *responder).count() as f64;
        let others = tied.len() as f64 - responders;
        pairs += responders * (below + 0.5 * others);
        below += others;
        positives += responders;
    }
    if positives == 0.0 || below == 0.0 {
        0.5
    } else {
        pairs / (positives * below)
    }
}

impl Estimate {
    fn over(batches: impl Iterator<Item = f64> + Clone) -> Self {
        let count = NUM_BATCHES as f64;
        let auc = batches.clone().sum::<f64>() / count;
        let variance = batches.map(|batch| (batch - auc).powi(2)).sum::<f64>() / (count - 1.0);
        Self {
            auc,
            standard_error: (variance / count).sqrt(),
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:.4} +/- {:.4}", self.auc, self.standard_error)
    }
}

impl fmt::Display for BestAuc {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(
            f,
            "best AUC of any model     {} (standard error, {} patients)",
            self.all, self.num_patients
        )?;
        writeln!(f, "share of responders       {:.4}", self.responders)?;
        writeln!(
            f,
            "{:<12}{:>14}{:>20}{:>20}",
            "modality", "share of change", "alone", "without"
        )?;
        for ((planted, alone), without) in TRAITS.iter().zip(&self.alone).zip(&self.without) {
            let cells = (planted.share, alone.to_string(), without.to_string());
            writeln!(
                f,
                "{:<12}{:>15.2}{:>20}{:>20}",
                planted.modality, cells.0, cells.1, cells.2
            )?;
        }
        Ok(())
    }
}
