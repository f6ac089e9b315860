//! Sessions without a label.

use serde::Deserialize;

/// What to do about a session without a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unlabelled {
    /// It is an error.
    #[default]
    Error,
    /// It is no part of the cohort, nor is a subject without another session.
    LeaveOut,
}
