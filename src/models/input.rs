//! Shapes of what a model reads, and the tensors that hold it.

use std::sync::Arc;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Shape of a stream as an encoder sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum InputShape {
    /// A table row per sample.
    Row {
        /// Columns.
        features: usize,
    },
    /// Rows along time; `fixed` when every sample has all of them.
    Sequence {
        /// Values per row.
        channels: usize,
        /// Rows of the longest sample.
        length: usize,
        /// Whether every sample has `length` rows.
        fixed: bool,
    },
    /// Images of one size; most samples have one. Each is encoded alone, and a sample is the mean of its images.
    Image {
        /// Channels.
        channels: usize,
        /// Rows of pixels.
        height: usize,
        /// Columns of pixels.
        width: usize,
        /// Images of the sample that has most.
        count: usize,
    },
}

impl InputShape {
    /// Channels of one sample.
    pub fn num_channels(self) -> usize {
        match self {
            Self::Row { features } => features,
            Self::Sequence { channels, .. } | Self::Image { channels, .. } => channels,
        }
    }

    /// Positions of one sample: rows along time, or pixels of all images.
    pub fn num_positions(self) -> usize {
        match self {
            Self::Row { .. } => 1,
            Self::Sequence { length, .. } => length,
            Self::Image {
                height, width, count, ..
            } => height * width * count,
        }
    }

    /// Values of one sample.
    pub fn num_values(self) -> f64 {
        self.num_channels() as f64 * self.num_positions() as f64
    }

    /// The shape in words, such as "a row of 3 values".
    pub fn describe(self) -> String {
        match self {
            Self::Row { features } => format!("a row of {features} values"),
            Self::Sequence {
                channels,
                length,
                fixed,
            } => {
                let most = if fixed { "" } else { "at most " };
                format!("a sequence of {most}{length} rows of {channels} values")
            }
            Self::Image {
                channels,
                height,
                width,
                count,
            } => {
                let most = if count > 1 {
                    format!("at most {count} images")
                } else {
                    "an image".into()
                };
                format!("{most} of {channels} x {height} x {width}")
            }
        }
    }
}

/// Scaled input of one stream for a batch of R x B samples.
#[derive(Clone, Debug)]
pub struct StreamInput {
    /// `[R, B, T, C]`; zeros past a sample's length and where the modality is missing.
    pub rows: Tensor<4>,
    /// Valid rows of each sample, `R * B` entries; absent when all have `T`.
    pub lengths: Option<Arc<[usize]>>,
    /// `[R, B, 1]`: 1 where the modality is there, else 0.
    pub present: Tensor<3>,
}

impl StreamInput {
    /// The same input for a forward pass whose parameters are on the tape.
    pub fn on_tape(self) -> Self {
        Self {
            rows: self.rows.autodiff(),
            lengths: self.lengths,
            present: self.present.autodiff(),
        }
    }
}
