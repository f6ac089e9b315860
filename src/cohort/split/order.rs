//! Random orders of the subjects, as functions of seed, repeat, purpose and id.

use sha2::{Digest, Sha256};

use super::SubjectInfo;

/// Ids of the subjects at some positions.
pub(super) fn ids<'a>(subjects: &[SubjectInfo], positions: impl IntoIterator<Item = &'a usize>) -> Vec<String> {
    positions
        .into_iter()
        .filter_map(|&i| subjects.get(i))
        .map(|info| info.id.clone())
        .collect()
}

/// One random order of the subjects.
pub(super) struct Draw {
    pub(super) seed: u64,
    pub(super) repeat: usize,
    pub(super) purpose: String,
}

impl Draw {
    /// Place of an id in this order.
    pub(super) fn key(&self, id: &str) -> [u8; 32] {
        Sha256::digest(format!(
            "recoup-split-1\n{}\n{}\n{}\n{id}",
            self.seed, self.repeat, self.purpose
        ))
        .into()
    }

    /// Name of the ordered subjects, for messages.
    pub(super) fn part(&self) -> String {
        match self.purpose.as_str() {
            "outer" => "the cohort".into(),
            _ => format!("the subjects not tested in repeat {} ({})", self.repeat, self.purpose),
        }
    }
}
