//! Errors of drawing.

use crate::base::{Class, Classified};

/// A figure that cannot be drawn from what was given.
#[derive(Debug, thiserror::Error)]
#[error("{what}\nhint: {hint}")]
pub struct FigureError {
    what: String,
    hint: &'static str,
}

impl Classified for FigureError {
    fn class(&self) -> Class {
        Class::Failure
    }
}

impl FigureError {
    pub(crate) fn new(what: impl Into<String>, hint: &'static str) -> Self {
        Self {
            what: what.into(),
            hint,
        }
    }
}
