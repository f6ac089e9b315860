//! Errors of a run.

use burn::tensor::DType;

use super::memory::MemoryError;
use crate::base::{Class, Classified};
use crate::cohort::split::SplitError;
use crate::evaluation::EvaluationError;
use crate::figures::FigureError;
use crate::runs::RunError;
use crate::runs::predictions::PredictionsError;
use crate::tracking::TrackingError;
use crate::training::checkpoint::CheckpointError;
use crate::training::trainer::TrainError;

/// Why a run did not end well.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The loop failed or was interrupted.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A checkpoint could not be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The run directory could not be written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The splits could not be frozen.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// Metrics could not be recorded.
    #[error(transparent)]
    Tracking(#[from] TrackingError),
    /// A figure could not be drawn.
    #[error(transparent)]
    Figure(#[from] FigureError),
    /// Predictions could not be stored.
    #[error(transparent)]
    Predictions(#[from] PredictionsError),
    /// Predictions could not be evaluated.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// The device cannot compute with the experiment's dtype.
    #[error("training.precision: {device} has no {dtype:?}\nhint: use precision = \"f32\" on this device")]
    Precision {
        /// As burn names it.
        device: String,
        /// Type that the experiment asks for.
        dtype: DType,
    },
    /// One replica is larger than the device.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// No replica has finite predictions.
    #[error(
        "all {0} replicas diverged: a loss or gradient was not finite\n\
         hint: lower training.optimizer.learning_rate, or set training.gradient_clip_norm"
    )]
    AllDiverged(usize),
}

impl Classified for LaunchError {
    fn class(&self) -> Class {
        match self {
            Self::Train(error) => error.class(),
            Self::Checkpoint(error) => error.class(),
            Self::Run(error) => error.class(),
            Self::Split(error) => error.class(),
            Self::Tracking(error) => error.class(),
            Self::Figure(error) => error.class(),
            Self::Predictions(error) => error.class(),
            Self::Evaluation(error) => error.class(),
            Self::Memory(error) => error.class(),
            Self::Precision { .. } => Class::Input,
            Self::AllDiverged(_) => Class::Failure,
        }
    }
}
