use serde::{Deserialize, Serialize};

use crate::cohort::split::TrainFold;
use crate::cohort::window::Window;

/// Weights of the classes: how much a sample of each counts in every loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// All 1.
    #[default]
    None,
    /// `windows / (classes * windows of the class)` over the training windows, as scikit-learn's `balanced`.
    Balanced,
}

impl ClassWeights {
    /// The weights, from the windows of the training subjects; `windows` are those of the whole cohort.
    pub fn weights(self, fold: &TrainFold, windows: &[Window], num_classes: usize) -> Vec<f64> {
        if self == Self::None {
            return vec![1.0; num_classes];
        }
        let mut is_trained_on = vec![false; fold.num_subjects()];
        fold.indices().iter().for_each(|&subject| is_trained_on[subject] = true);
        let mut counts = vec![0usize; num_classes];
        for window in windows.iter().filter(|window| is_trained_on[window.subject as usize]) {
            counts[window.class as usize] += 1;
        }
        let total: usize = counts.iter().sum();
        counts
            .iter()
            .map(|&count| total as f64 / (num_classes * count.max(1)) as f64)
            .collect()
    }
}
