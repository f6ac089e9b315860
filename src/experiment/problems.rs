//! Problems of an experiment as they are found, with the lines of their keys.

use super::ExperimentFile;
use super::error::{ExperimentError, Problem};

pub(super) struct Problems<'a> {
    file: &'a ExperimentFile,
    found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(file: &'a ExperimentFile) -> Self {
        Self {
            file,
            found: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, key: &str, message: impl Into<String>) {
        let problem = Problem {
            key: key.into(),
            line: self.file.line_of(key),
            message: message.into(),
        };
        // Variants repeat the problems of what they share.
        if !self.found.contains(&problem) {
            self.found.push(problem);
        }
    }

    /// Fails when anything was found.
    pub(super) fn finish(&mut self) -> Result<(), ExperimentError> {
        if self.found.is_empty() {
            return Ok(());
        }
        Err(ExperimentError::Problems {
            path: self.file.path.clone(),
            problems: std::mem::take(&mut self.found),
        })
    }
}
