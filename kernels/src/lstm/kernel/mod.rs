//! Kernels of the LSTM: whole sequences in one launch, and single steps.

mod arguments;
mod cell;
mod column;
mod sequence;
mod step;

pub use arguments::{
    LstmGradientsLaunch, LstmInputsLaunch, LstmSavedLaunch, Order, SequenceSizesLaunch, StepSizesLaunch,
};
pub use sequence::{SequencePlan, lstm_sequence, lstm_sequence_backward};
pub use step::{ROWS, UNITS, lstm_step, lstm_step_backward};
