//! From an experiment file to a checked plan, which is the only thing that runs.
//!
//! [`mod@file`] composes the file with its `base` and applies `--set` ([`overrides`]); [`config`] is the result as typed
//! values, with [`variant`]s beside the experiment itself; [`plan`] joins them with the data, reports every problem at
//! once, and lists the replicas in [`program`]s: variants that can train together.

pub mod config;
mod data;
mod error;
pub mod file;
mod init_from;
pub mod overrides;
mod plan;
pub mod program;
mod sources;
mod task;
pub mod variant;
mod variant_plan;
mod view;

pub use config::ExperimentConfig;
pub use data::open_data;
pub use error::{ExperimentError, InitFromError};
pub use file::ExperimentFile;
pub use plan::{ExperimentPlan, Variant};
pub use program::{PlannedReplica, Program, ReplicaKey, Selection};
pub use variant::BASE_VARIANT;
pub use view::feature_tables;
