//! Errors of drawing.

/// A figure that cannot be drawn from what was given.
#[derive(Debug, thiserror::Error)]
#[error("{what}\nhint: {hint}")]
pub struct FigureError {
    what: String,
    hint: &'static str,
}

impl FigureError {
    pub(crate) fn new(what: impl Into<String>, hint: &'static str) -> Self {
        Self {
            what: what.into(),
            hint,
        }
    }
}
