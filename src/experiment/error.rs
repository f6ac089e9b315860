use std::fmt;
use std::path::PathBuf;

use crate::base::{Class, Classified, Problem};
use crate::cohort::split::SplitError;
use crate::cohort::window::WindowError;
use crate::dataset::DataError;
use crate::runs::RunError;
use crate::training::checkpoint::CheckpointError;

/// Why an experiment cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The file cannot be read.
    #[error("{}: cannot read the experiment: {source}", path.display())]
    Io {
        /// Experiment file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not TOML, or has a key or value that no experiment has.
    #[error("{}: {message}", path.display())]
    Syntax {
        /// Experiment file.
        path: PathBuf,
        /// With line and column.
        message: String,
    },
    /// An override names nothing, or is no `key=value`.
    #[error("--set {assignment}: {problem}")]
    Override {
        /// As given.
        assignment: String,
        /// Reason.
        problem: String,
    },
    /// Values that contradict each other or the data: all of them.
    #[error("{}: {} {}{}", path.display(), problems.len(), if problems.len() == 1 { "problem" } else { "problems" }, list(problems))]
    Problems {
        /// Experiment file.
        path: PathBuf,
        /// Problems with their lines.
        problems: Vec<Located>,
    },
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The cohort cannot be cut into windows so.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// A transform of features cannot be fitted on the training subjects of a fold.
    #[error("features.{table}.fit: {message}")]
    Features {
        /// Name of the table.
        table: String,
        /// The split, the step, and what is wrong.
        message: String,
    },
    /// The cohort cannot be split so.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The run that `training.init_from` names cannot be started from.
    #[error(transparent)]
    InitFrom(#[from] InitFromError),
}

impl Classified for ExperimentError {
    fn class(&self) -> Class {
        Class::Input
    }
}

/// Why weights of a run cannot be started from.
#[derive(Debug, thiserror::Error)]
pub enum InitFromError {
    /// The run cannot be read.
    #[error("training.init_from.run: {0}")]
    Run(#[from] RunError),
    /// The experiment of the run cannot be read.
    #[error("training.init_from.run: {0}")]
    Experiment(Box<ExperimentError>),
    /// The splits of the run cannot be read.
    #[error("training.init_from.run: {0}")]
    Split(#[from] SplitError),
    /// The weights of the run cannot be read.
    #[error("training.init_from.run: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// It does not fit this experiment.
    #[error("training.init_from.{key}: {problem}\nhint: {hint}")]
    Unfit {
        /// Key below `training.init_from`.
        key: &'static str,
        /// Text that was found.
        problem: String,
        /// Way out.
        hint: String,
    },
}

impl Classified for InitFromError {
    fn class(&self) -> Class {
        Class::Input
    }
}

/// One problem of an experiment and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Line of the experiment file, where the key is in it.
    pub line: Option<usize>,
    /// The key and what is wrong.
    pub problem: Problem,
}

impl fmt::Display for Located {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "line {line}: {}", self.problem),
            None => write!(formatter, "{}", self.problem),
        }
    }
}

fn list(problems: &[Located]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}
