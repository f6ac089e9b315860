//! The beginning and end of a process that works on a run, as its manifest tells.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use burn::tensor::Device;

use super::error::LaunchError;
use crate::experiment::ExperimentPlan;
use crate::runs::{Attempt, Manifest, RunDirectory, RunError, RunStatus};
use crate::training::checkpoint::CheckpointError;

pub(super) fn open_manifest(
    plan: &ExperimentPlan,
    device: &Device,
    directory: &RunDirectory,
    test_evaluations_before: usize,
) -> Result<Manifest, LaunchError> {
    let mut manifest = match directory.manifest() {
        Ok(manifest) => manifest,
        Err(RunError::File(_)) => Manifest {
            experiment: plan.config().name.clone(),
            status: RunStatus::Running,
            recoup_version: env!("CARGO_PKG_VERSION").into(),
            git_commit: option_env!("RECOUP_GIT_COMMIT")
                .filter(|commit| !commit.is_empty())
                .map(Into::into),
            burn_version: option_env!("RECOUP_BURN_VERSION").unwrap_or("unknown").into(),
            device: format!("{device:?}"),
            precision: precision(plan),
            experiment_hash: plan.hash().into(),
            data_hash: plan.prepared().content_hash().into(),
            split_hash: plan.splits().hash().into(),
            seeds: plan.config().seeds.clone(),
            num_replicas: plan.replicas().count(),
            num_params: plan.base().model().layout().num_params(),
            test_evaluations_before,
            attempts: Vec::new(),
        },
        Err(error) => return Err(error.into()),
    };
    if manifest.experiment_hash != plan.hash() {
        return Err(LaunchError::Checkpoint(CheckpointError::Other {
            path: directory.root().into(),
            what: "experiment",
            found: manifest.experiment_hash,
            expected: plan.hash().into(),
        }));
    }
    manifest.status = RunStatus::Running;
    manifest.attempts.push(Attempt {
        host: host_name(),
        process: std::process::id(),
        started_unix_secs: unix_secs(),
        ended_unix_secs: None,
    });
    directory.write_manifest(&manifest)?;
    Ok(manifest)
}

pub(super) fn end_attempt(
    directory: &RunDirectory,
    manifest: &mut Manifest,
    status: RunStatus,
) -> Result<(), RunError> {
    manifest.status = status;
    if let Some(attempt) = manifest.attempts.last_mut() {
        attempt.ended_unix_secs = Some(unix_secs());
    }
    directory.write_manifest(manifest)
}

fn precision(plan: &ExperimentPlan) -> String {
    format!("{:?}", plan.config().training.precision).to_lowercase()
}

fn unix_secs() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

fn host_name() -> String {
    std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).map_or("unknown".into(), |name| name.trim().into())
}
