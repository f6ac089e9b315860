//! What to run: an experiment file becomes a checked plan, and only a plan can run.
//!
//! [`config`] is the file as typed values; [`overrides`] applies `--set key=value` to its text first; [`plan`] joins it
//! with the data, reports every problem at once, and lists the replicas.

pub mod config;
mod error;
pub mod memory;
pub mod overrides;
pub mod plan;

pub use config::ExperimentConfig;
pub use error::ExperimentError;
pub use plan::{ExperimentPlan, PlannedReplica};
