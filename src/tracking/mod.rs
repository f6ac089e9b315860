//! Records of a run while it trains: TensorBoard events, `metrics.jsonl` and progress.
//!
//! ```text
//! <run>/metrics.jsonl                          every scalar of every replica, one writer
//! <run>/tb/events.out.tfevents.*               the experiment: hyperparameters, metrics, chart layout
//! <run>/tb/<variant>/repeat0-fold0-seed1/events.out.*  one TensorBoard run per replica
//! ```
//!
//! [`RunTracker`] writes this tree; [`read_metrics`] reads the scalars back; [`EventWriter`] is one TensorBoard run;
//! [`Progress`] talks to the person at the terminal.
//!
//! This room is passive: nothing computes a metric, nothing touches a device, nothing writes from a thread of its
//! own. Every IO error goes back to the caller, who decides whether training goes on.

mod append;
mod jsonl;
mod progress;
mod protobuf;
mod run_tracker;
mod tensorboard;

pub use jsonl::{MetricLine, read_metrics};
pub use progress::{GroupId, GroupStatus, Progress};
pub use run_tracker::{RunTracker, TrackedReplica};
pub use tensorboard::{
    Chart, ChartCategory, DatasetRole, EventWriter, ExperimentSummary, HistogramBucket, HparamValue, MetricInfo,
    SessionStatus,
};

use crate::base::{Class, Classified};
use std::io;
use std::path::{Path, PathBuf};

/// Why tracking failed.
#[derive(Debug, thiserror::Error)]
pub enum TrackingError {
    /// The device or the quota is full. What was logged stays in memory and is written by the next flush that succeeds.
    #[error(
        "no space left on the device (or quota used up) while writing {}\n\
         hint: free space or raise the quota, then resume the run: it continues from its last checkpoint",
        path.display()
    )]
    NoSpace {
        /// The file that could not grow.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Any other failure of the file system.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// Action that failed: "create", "write", "sync" ...
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A line of `metrics.jsonl`, other than a torn last one, is not a metric line.
    #[error(
        "{}, line {line}: not a metric line: {reason}\n\
         hint: only a torn last line can come from an interrupted run; this file was edited or damaged on disk",
        path.display()
    )]
    BadLine {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// Expectation of the parser.
        reason: String,
    },
    /// The caller asked for something that cannot be recorded or drawn.
    #[error("{what}\nhint: {hint}")]
    Invalid {
        /// Reason, with the values.
        what: String,
        /// Way out.
        hint: &'static str,
    },
}

impl Classified for TrackingError {
    fn class(&self) -> Class {
        Class::Failure
    }
}

impl TrackingError {
    fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { path, source },
            _ => Self::Io { action, path, source },
        }
    }

    fn invalid(what: impl Into<String>, hint: &'static str) -> Self {
        Self::Invalid {
            what: what.into(),
            hint,
        }
    }
}
