//! Fusion of the embeddings of several streams into one vector.

use burn::tensor::{Tensor, activation};
use recoup_kernels::matmul;
use serde::{Deserialize, Serialize};

use super::layers::Linear;
use super::{Context, Init, LayoutBuilder, ParamId};

/// How the embeddings of the streams become one vector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FusionConfig {
    /// One after the other; zeros where a stream is missing.
    Concat,
    /// The paper's weighting per modality (its section IV.A; additive attention, Bahdanau et al. 2015):
    /// `e_m = v . tanh(W z_m + b)`, `a = softmax(e)` over the streams that are present, then [`Combine`].
    Attention {
        /// Rows of `W`.
        hidden_size: usize,
        /// What the weights are for.
        #[serde(default)]
        combine: Combine,
    },
}

/// What becomes of weighted embeddings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combine {
    /// `z = sum a_m z_m`: streams compete for one place.
    #[default]
    Sum,
    /// `z = [M a_1 z_1; ...; M a_M z_M]`, the paper's "concatenated in a fusion layer" with a weight per modality:
    /// streams add up, and equal weights are plain concatenation.
    Concat,
}

/// A built fusion.
#[derive(Clone, Debug)]
pub enum Fusion {
    /// Concatenation.
    Concat,
    /// Attention over streams.
    Attention {
        /// `W` and `b`.
        project: Linear,
        /// `v`, `[hidden_size, 1]`.
        score: ParamId,
        /// What the weights are for.
        combine: Combine,
    },
}

impl Fusion {
    /// A fusion of embeddings of `embedding_size`.
    pub fn new(layout: &mut LayoutBuilder, config: &FusionConfig, embedding_size: usize) -> Self {
        match config {
            FusionConfig::Concat => Self::Concat,
            FusionConfig::Attention { hidden_size, combine } => layout.scope("attention", |layout| Self::Attention {
                project: Linear::new(layout, embedding_size, *hidden_size),
                score: layout.param(
                    "score",
                    &[*hidden_size, 1],
                    Init::Uniform { bound: 1.0 / (*hidden_size as f32).sqrt() },
                ),
                combine: *combine,
            }),
        }
    }

    /// Width of the fused vector.
    pub fn output_size(&self, num_streams: usize, embedding_size: usize) -> usize {
        match self {
            Self::Concat | Self::Attention { combine: Combine::Concat, .. } => num_streams * embedding_size,
            Self::Attention { combine: Combine::Sum, .. } => embedding_size,
        }
    }

    /// M embeddings `[R, B, E]` and their presence `[R, B, 1]` (1 or 0) to the fused `[R, B, output_size]` and the
    /// weight of each stream `[R, B, M]`: 0 where it is missing, summing to 1 where any is present.
    pub fn forward(
        &self,
        embeddings: &[Tensor<3>],
        present: &[Tensor<3>],
        context: &Context,
    ) -> (Tensor<3>, Tensor<3>) {
        let presence = Tensor::cat(present.to_vec(), 2);
        match self {
            Self::Concat => {
                let parts = embeddings.iter().zip(present).map(|(z, present)| z.clone() * present.clone());
                let count = presence.clone().sum_dim(2).clamp_min(1.0);
                (Tensor::cat(parts.collect(), 2), presence / count)
            }
            Self::Attention { project, score, combine } => {
                let scores: Vec<Tensor<3>> = embeddings
                    .iter()
                    .map(|z| {
                        let hidden = activation::tanh(project.forward(z.clone(), context));
                        matmul(hidden, context.params.get(*score))
                    })
                    .collect();
                // |e| is bounded by the sum of |v|, so this leaves a missing stream with a weight of exactly 0.
                let masked = Tensor::cat(scores, 2) + (presence.clone() - 1.0) * 1e4;
                let weights = activation::softmax(masked, 2) * presence;
                let weighted = embeddings.iter().enumerate().map(|(m, z)| z.clone() * weights.clone().narrow(2, m, 1));
                if *combine == Combine::Concat {
                    let fused = Tensor::cat(weighted.collect(), 2) * embeddings.len() as f64;
                    return (fused, weights);
                }
                let fused = weighted.reduce(|sum, part| sum + part);
                // A model has at least one stream: the plan sees to it.
                (fused.unwrap_or_else(|| weights.clone()), weights)
            }
        }
    }
}
