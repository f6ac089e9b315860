//! What to run: an experiment file becomes a checked plan, and only a plan can run.
//!
//! [`mod@file`] composes the file with its `base` and applies `--set` ([`overrides`]); [`config`] is the result as typed
//! values, with [`variant`]s beside the experiment itself; [`plan`] joins them with the data, reports every problem at
//! once, and lists the replicas in [`program`]s: variants that can train together.

pub mod config;
mod error;
pub mod file;
pub mod init_from;
pub mod memory;
pub mod overrides;
pub mod plan;
pub mod program;
mod task;
pub mod variant;
mod view;

pub use config::ExperimentConfig;
pub use error::ExperimentError;
pub use file::ExperimentFile;
pub use plan::ExperimentPlan;
pub use program::{PlannedReplica, Program, Selection};
pub use variant::BASE_VARIANT;
pub use view::feature_tables;
