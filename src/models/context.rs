//! Weights and mode of a forward pass.

use std::cell::RefCell;

use burn::tensor::Tensor;

use super::params::{BufferId, Params};

/// Key of one replica's random draws in a forward pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// Seed of the replica.
    pub seed: u64,
    /// Micro-step of the replica: its optimiser step times the accumulation count plus the position in it.
    pub step: u64,
    /// Dropout rate of the replica, in `[0, 1)`.
    pub dropout: f32,
}

/// Whether a forward pass trains or evaluates.
// One value per forward pass: its size costs nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug)]
pub enum Mode {
    /// No dropout, running statistics.
    Eval,
    /// Dropout and batch statistics.
    Train {
        /// One per replica.
        draws: Vec<Draw>,
        /// `[R, B]`: 0 for samples that only pad a short batch, else 1; off the tape.
        sample_mask: Tensor<2>,
    },
}

/// Weights and mode of one forward pass, which every layer receives beside its input.
#[derive(Debug)]
pub struct Context<'a> {
    /// Weights of the R replicas.
    pub params: &'a Params,
    /// Training or evaluation.
    pub mode: Mode,
    buffer_updates: RefCell<Vec<(BufferId, Tensor<2>)>>,
}

impl<'a> Context<'a> {
    /// A context for one forward pass.
    pub fn new(params: &'a Params, mode: Mode) -> Self {
        Self {
            params,
            mode,
            buffer_updates: RefCell::default(),
        }
    }

    /// Records a buffer's value after this pass.
    pub fn update_buffer(&self, id: BufferId, value: Tensor<2>) {
        self.buffer_updates.borrow_mut().push((id, value));
    }

    /// All buffers `[R, Q]` after this pass, or `None` when the model has none.
    pub fn into_buffers(self) -> Option<Tensor<2>> {
        self.params.buffers_with(&self.buffer_updates.into_inner())
    }
}
