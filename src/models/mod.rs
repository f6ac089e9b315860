//! The deep family, written once with a leading replica axis.
//!
//! A [`Model`] is a list of streams (one encoder each: [`cnn`], [`lstm`], both, or an MLP), a fusion of their
//! embeddings ([`fusion`]) and a classification head. Models hold no weights: they hold a [`Layout`] and the ids of
//! their parameters in it, and a forward pass reads the weights of all R replicas from a [`Params`]. Every tensor in
//! this module has the replica axis first and the batch axis second; R = 1 is not a special case.

pub mod augment;
pub mod cnn;
pub mod decoder;
pub mod encoder;
pub mod fusion;
pub mod layers;
pub mod lstm;
pub mod modality_dropout;
mod network;
pub mod params;
mod spectrogram;

use std::cell::RefCell;

use burn::tensor::Tensor;

pub use augment::AugmentConfig;
pub use encoder::{EncoderConfig, InputShape};
pub use fusion::FusionConfig;
pub use network::{HeadConfig, Model, ModelConfig, ModelOutput, Scaling, StreamConfig, StreamInput};
pub use params::{BufferId, Init, Layout, LayoutBuilder, ParamId, ParamSpec, Params, matrix};

/// Largest width of a layer: channels, units, tokens. With it products of four sizes stay below 2^64.
pub const MAX_WIDTH: usize = 65_536;

/// Most layers that one number can ask for.
pub const MAX_LAYERS: usize = 256;

/// What one replica's random draws in a forward pass are keyed by.
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

/// What every layer's forward receives beside its input.
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
