use burn::tensor::Tensor;
use recoup_kernels::group_norm;
use serde::{Deserialize, Serialize};

use super::BatchNorm;
use crate::base::Problems;
use crate::models::{Context, Init, LayoutBuilder, ParamId};

/// Added to a variance before the square root, as in PyTorch.
const EPSILON: f32 = 1e-5;

/// Normalisation between a convolution and its activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum NormConfig {
    /// Group normalisation (Wu & He 2018): statistics of one sample, so a short batch changes nothing. The default.
    Group {
        /// Groups that the channels are cut into; must divide every block's channels.
        #[serde(default = "default_num_groups")]
        num_groups: usize,
    },
    /// One group: all channels of a sample together.
    Layer,
    /// Batch normalisation with running statistics per replica; padding samples take no part.
    Batch,
    /// No normalisation.
    None,
}

fn default_num_groups() -> usize {
    4
}

impl Default for NormConfig {
    fn default() -> Self {
        Self::Group {
            num_groups: default_num_groups(),
        }
    }
}

impl NormConfig {
    /// Why `channels` channels cannot be normalised so.
    pub fn problems(&self, channels: usize) -> Problems {
        let mut problems = Problems::default();
        if let Self::Group { num_groups } = *self {
            let divides = num_groups > 0 && channels.is_multiple_of(num_groups);
            problems.require(divides, "channels", || {
                format!(
                    "{channels} channels cannot be cut into {num_groups} groups of norm = {{ kind = \"group\" }}: \
                     use a multiple, or set norm.num_groups"
                )
            });
        }
        problems
    }
}

/// A normalisation layer over channels.
#[derive(Clone, Debug)]
pub enum Norm {
    /// Group or layer normalisation.
    Group {
        /// Scale `[C]`.
        gamma: ParamId,
        /// Shift `[C]`.
        beta: ParamId,
        /// Number of groups.
        num_groups: usize,
    },
    /// Batch normalisation.
    Batch(BatchNorm),
    /// The identity.
    Identity,
}

impl Norm {
    /// A layer for `channels` channels; a group count that does not divide them is the plan's error, not ours.
    pub fn new(layout: &mut LayoutBuilder, config: NormConfig, channels: usize) -> Self {
        let mut group = |num_groups| Self::Group {
            gamma: layout.param("norm.weight", &[channels], Init::Constant(1.0)),
            beta: layout.param("norm.bias", &[channels], Init::Constant(0.0)),
            num_groups,
        };
        match config {
            NormConfig::Group { num_groups } => group(num_groups),
            NormConfig::Layer => group(1),
            NormConfig::Batch => Self::Batch(BatchNorm::new(layout, channels)),
            NormConfig::None => Self::Identity,
        }
    }

    /// `[R, B, C, S] -> [R, B, C, S]`.
    pub fn forward(&self, x: Tensor<4>, context: &Context) -> Tensor<4> {
        match self {
            Self::Group {
                gamma,
                beta,
                num_groups,
            } => group_norm(
                x,
                context.params.get(*gamma),
                context.params.get(*beta),
                *num_groups,
                EPSILON,
            ),
            Self::Batch(norm) => norm.forward(x, context, f64::from(EPSILON)),
            Self::Identity => x,
        }
    }
}
