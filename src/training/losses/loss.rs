use burn::tensor::Tensor;

use crate::base::Problems;
use crate::models::ModelOutput;

/// Part of a model's output that a loss judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Logits, against the classes.
    Classes,
    /// Decoded streams, against the streams themselves.
    Reconstruction,
}

/// A loss of single samples.
pub trait Loss {
    /// Factor of this loss in the sum; greater than 0.
    fn weight(&self) -> f64;

    /// Part of the output that it judges.
    fn basis(&self) -> Basis;

    /// Loss of each sample, `[R, B, 1]` in f32, for targets `[R, B, K]` that sum to 1 (0 for padding).
    fn per_sample(&self, output: &ModelOutput, one_hot: &Tensor<3>) -> Tensor<3>;

    /// Every setting besides the weight that cannot work.
    fn problems(&self) -> Problems {
        Problems::default()
    }
}

/// Weight of a loss that the experiment does not state.
pub(super) fn unit_weight() -> f64 {
    1.0
}
