//! Transfer: weights of another run that a replica starts from.

use super::checkpoint::{CheckpointError, StoredReplica};
use crate::models::ParamSpec;

/// Weights of a finished replica, and where they go in the row of the replica that starts from them. They are read when
/// training begins.
#[derive(Clone, Debug)]
pub struct InitialWeights {
    /// The replica whose weights are taken.
    pub stored: StoredReplica,
    /// Parameters that are taken.
    pub params: Vec<Columns>,
    /// Buffers that are taken.
    pub buffers: Vec<Columns>,
    /// Learning rate of the parameters that are taken, as a multiple of the replica's; 0: they and their buffers stay.
    pub learning_rate_factor: f32,
}

/// One tensor that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// First column in the row that starts.
    pub first: usize,
    /// Number of columns.
    pub len: usize,
    /// Position of the tensor in the stored model.
    pub stored: usize,
}

impl InitialWeights {
    /// Puts the stored values into the rows of parameters and buffers.
    ///
    /// # Errors
    /// See [`StoredReplica::load`].
    pub(super) fn put(&self, params: &mut [f32], buffers: &mut [f32]) -> Result<(), CheckpointError> {
        let model = self.stored.load()?;
        let copy = |row: &mut [f32], columns: &[Columns], values: &[(ParamSpec, Vec<f32>)]| {
            for at in columns {
                row[at.first..at.first + at.len].copy_from_slice(&values[at.stored].1);
            }
        };
        copy(params, &self.params, &model.params);
        copy(buffers, &self.buffers, &model.buffers);
        Ok(())
    }

    /// A row of `width` ones with the learning-rate factor in the given columns.
    pub(super) fn factors(&self, columns: &[Columns], width: usize) -> Vec<f32> {
        let mut row = vec![1.0; width];
        for at in columns {
            row[at.first..at.first + at.len].fill(self.learning_rate_factor);
        }
        row
    }
}
