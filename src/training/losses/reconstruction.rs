use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::loss::{Basis, Loss, unit_weight};
use crate::models::ModelOutput;

/// Mean squared error of a sample's decoded streams
/// ([`reconstruction_error`](crate::models::decoder::reconstruction_error)), averaged with the weights of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconstruction {
    /// Factor in the sum of losses.
    #[serde(default = "unit_weight")]
    pub weight: f64,
}

impl Loss for Reconstruction {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn basis(&self) -> Basis {
        Basis::Reconstruction
    }

    fn per_sample(&self, output: &ModelOutput, _: &Tensor<3>) -> Tensor<3> {
        output
            .reconstruction
            .clone()
            .expect("a checked model with this loss has a decoder")
    }
}
