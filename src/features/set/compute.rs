//! What can be computed, by kind.

use ndarray::ArrayView4;
use serde::{Deserialize, Serialize};

use crate::data::{Channel, ModalityKind};
use crate::features::{Column, SignalFeature, SignalInfo};

/// One entry of `compute`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ComputeConfig {
}

impl ComputeConfig {
    /// What is computed of a signal.
    pub(super) fn signal(&self) -> Option<&dyn SignalFeature> {
        None
    }
    pub(super) fn fits(&self, kind: ModalityKind) -> bool {
        false
    }
    pub(super) fn columns(&self, channels: &[Channel], kind: ModalityKind, shortest: usize) -> Result<Vec<Column>, (String, String)> {
        Ok(Vec::new())
    }
    pub(super) fn of_series(&self, times: &[f64], channels: &[Channel], columns: &[&[f64]], values: &mut Vec<f64>) {}
    pub(super) fn of_images(&self, images: ArrayView4<f32>, values: &mut Vec<f64>) {}
}
