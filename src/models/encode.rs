//! Terms between a model and its encoders.

use std::fmt::Debug;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::context::Context;
use super::input::InputShape;
use super::params::LayoutBuilder;
use crate::base::Problems;

/// Settings of an encoder, `[model.stream.encoder]`.
pub trait EncoderSettings {
    /// Every reason why the encoder cannot take this input.
    fn problems(&self, input: InputShape) -> Problems;

    /// Values that the layers put out for one image, row or sequence: the part of memory that grows with the batch.
    fn activations(&self, input: InputShape) -> f64;

    /// Builds what [`problems`](Self::problems) found nothing wrong with.
    fn build(&self, layout: &mut LayoutBuilder, input: InputShape) -> Arc<dyn Encode>;
}

/// A built encoder: structure and parameter ids, no weights.
pub trait Encode: Debug + Send + Sync {
    /// F: features of a sample.
    fn output_size(&self) -> usize;

    /// Scaled rows `[R, B, T, C]` (`T` = 1 for a row; an image is one row of `C * H * W`) to `[R, B, F]`. `lengths`
    /// (`R * B` entries) are the valid rows of each sample, all of them when absent.
    fn encode(&self, rows: Tensor<4>, lengths: Option<&[usize]>, context: &Context) -> Tensor<3>;

    /// Whether [`spectrogram`](Self::spectrogram) gives one.
    fn makes_spectrogram(&self) -> bool {
        false
    }

    /// Log-power spectrogram `[R, B, C, bins, frames]` of rows `[R, B, T, C]`, where the encoder makes one.
    fn spectrogram(&self, _: Tensor<4>) -> Option<Tensor<5>> {
        None
    }
}

/// The problem of an input that an encoder cannot take.
pub(super) fn wrong_input(expected: &str, found: InputShape) -> Problems {
    let mut problems = Problems::default();
    let message = format!(
        "this encoder needs {expected}, but the modality is {}",
        found.describe()
    );
    problems.add("kind", message);
    problems
}

/// Rows `[R, B, T, C]` as planes `[R, B, C, 1, T]`.
pub(super) fn planes(rows: Tensor<4>) -> Tensor<5> {
    let [num_replicas, batch, steps, channels] = rows.dims();
    rows.swap_dims(2, 3).reshape([num_replicas, batch, channels, 1, steps])
}
