//! `manifest.json`: what ran, on what, when.

use serde::{Deserialize, Serialize};

/// Whether a run is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    /// Training, or cut off: the difference cannot be seen from the disk.
    Running,
    /// Left at a signal; a checkpoint is there.
    Interrupted,
    /// All replicas are done and evaluated.
    Finished,
}

/// One process that worked on a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// Host name.
    pub host: String,
    /// Process.
    pub process: u32,
    /// Seconds since 1970.
    pub started_unix_secs: u64,
    /// Seconds since 1970; absent for an attempt that was cut off.
    pub ended_unix_secs: Option<u64>,
}

/// The manifest of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the experiment.
    pub experiment: String,
    /// Status.
    pub status: RunStatus,
    /// Version of this program.
    pub recoup_version: String,
    /// Commit it was built from, with `-dirty` after uncommitted changes; absent outside a repository.
    pub git_commit: Option<String>,
    /// Version of the tensor library.
    pub burn_version: String,
    /// Device as burn names it.
    pub device: String,
    /// Arithmetic, with what the device makes of it.
    pub precision: String,
    /// SHA-256 of the resolved experiment and split.
    pub experiment_hash: String,
    /// Hash of the prepared data.
    pub data_hash: String,
    /// Hash of the splits.
    pub split_hash: String,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Number of replicas.
    pub num_replicas: usize,
    /// Learned scalars of one replica of the experiment without changes.
    pub num_params: usize,
    /// How often test metrics were computed for this experiment before this run. Choosing among several evaluations on
    /// the same test subjects makes the best of them too good.
    pub test_evaluations_before: usize,
    /// The processes that worked on it, oldest first.
    pub attempts: Vec<Attempt>,
}
