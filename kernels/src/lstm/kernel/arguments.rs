//! Arguments that the kernels of whole sequences and of single steps share.

use cubecl::prelude::*;

/// Inputs of the forward pass.
#[derive(CubeType, CubeLaunch)]
pub struct LstmInputs {
    /// `[R, B, T, 4H]`.
    pub projected: Box<[f32]>,
    /// `[R, H, 4H]`.
    pub hidden: Box<[f32]>,
    /// `[R, 4H]`.
    pub bias: Box<[f32]>,
    /// `[R, B]`; unread where all samples have all steps.
    pub lengths: Box<[u32]>,
}

/// Inputs of the backward pass.
#[derive(CubeType, CubeLaunch)]
pub struct LstmSaved {
    /// The recurrent weights, `[R, 4H, H]`.
    pub transposed: Box<[f32]>,
    /// `[R, B, T + 2, H]`.
    pub states: Box<[f32]>,
    /// `[R, B, T, 5H]`.
    pub saved: Box<[f32]>,
    /// The gradient of `states`.
    pub grad: Box<[f32]>,
    /// `[R, B]`; unread where all samples have all steps.
    pub lengths: Box<[u32]>,
}

/// Results of the backward pass.
#[derive(CubeType, CubeLaunch)]
pub struct LstmGradients {
    /// The gradient of `projected`.
    pub d_projected: Box<[f32]>,
    /// The hidden state before each step, the other factor of the gradient of the weights: `[R, B, T, H]`.
    pub before: Box<[f32]>,
    /// The gradient of the bias from each sample: `[R, B, 4H]`.
    pub d_bias: Box<[f32]>,
}

/// The sizes of a launch for a whole sequence.
#[derive(CubeType, CubeLaunch)]
pub struct SequenceSizes {
    pub batch: usize,
    pub steps: usize,
}

/// The sizes of a launch for one step, and which one it is in the order of the pass.
#[derive(CubeType, CubeLaunch)]
pub struct StepSizes {
    pub batch: usize,
    pub steps: usize,
    pub units: usize,
    pub index: usize,
}

/// How the samples are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Order {
    /// Whether samples end at their own lengths.
    pub ragged: bool,
    /// From each sample's own end to its start.
    pub reverse: bool,
}
