use std::fmt;
use std::path::PathBuf;

use crate::base::{Class, Classified};
use crate::cohort::split::SplitError;
use crate::cohort::window::WindowError;
use crate::dataset::DataError;

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
        /// What is wrong with it.
        problem: String,
    },
    /// Values that contradict each other or the data: all of them.
    #[error("{}: {} {}{}", path.display(), problems.len(), if problems.len() == 1 { "problem" } else { "problems" }, list(problems))]
    Problems {
        /// Experiment file.
        path: PathBuf,
        /// What is wrong.
        problems: Vec<Problem>,
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
}

impl Classified for ExperimentError {
    fn class(&self) -> Class {
        Class::Input
    }
}

/// One thing wrong with an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Dotted key.
    pub key: String,
    /// Line of the experiment file, where the key is in it.
    pub line: Option<usize>,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "line {line}: {}: {}", self.key, self.message),
            None => write!(formatter, "{}: {}", self.key, self.message),
        }
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}
