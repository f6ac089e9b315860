//! Fusion of the embeddings of several streams into one vector.
//!
//! Every kind takes M embeddings `[R, B, E]` with their presence and gives one vector per sample and the share of each
//! stream in it. A missing stream is cut off twice: its embedding is replaced by zeros, by selection, so that not even
//! a NaN in it reaches anything; and it is masked wherever streams are summed, averaged or attended to. So a fused
//! vector is a function of the streams that are present, and of which they are.

mod attention;
mod bottleneck;
mod cross_attention;
mod gated;
mod transformer;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

pub use attention::{Attention, Combine};
pub use bottleneck::Bottleneck;
pub use cross_attention::CrossAttention;
pub use gated::Gated;
use transformer::LayerSize;

use super::{Context, LayoutBuilder, MAX_LAYERS, MAX_WIDTH};
use crate::base::Problems;

/// How the embeddings of the streams become one vector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FusionConfig {
    /// One after the other; zeros where a stream is missing.
    Concat {},
    /// The paper's weighting per modality, a scalar weight per stream: [`Attention`].
    Attention {
        /// Rows of `W`.
        hidden_size: usize,
        /// Combination of the weighted embeddings.
        #[serde(default)]
        combine: Combine,
    },
    /// A gate per stream and unit: [`Gated`].
    Gated {
        /// Width of the fused vector.
        hidden_size: usize,
    },
    /// Transformer layers over the streams as tokens: [`CrossAttention`].
    CrossAttention {
        /// Heads of every attention; divides the embedding size.
        #[serde(default = "default_num_heads")]
        num_heads: usize,
        /// Transformer layers.
        #[serde(default = "default_num_layers")]
        num_layers: usize,
        /// Width of the hidden layer of the feed-forward networks.
        hidden_size: usize,
    },
    /// Transformer layers in which streams meet in a few tokens only: [`Bottleneck`].
    Bottleneck {
        /// Tokens through which the streams exchange.
        #[serde(default = "default_num_tokens")]
        num_tokens: usize,
        /// Heads of every attention; divides the embedding size.
        #[serde(default = "default_num_heads")]
        num_heads: usize,
        /// Transformer layers, at least 2: a stream reads in one layer what others wrote in the layer before.
        #[serde(default = "default_num_exchanges")]
        num_layers: usize,
        /// Width of the hidden layer of the feed-forward networks.
        hidden_size: usize,
    },
}

fn default_num_heads() -> usize {
    4
}

fn default_num_layers() -> usize {
    1
}

fn default_num_tokens() -> usize {
    4
}

fn default_num_exchanges() -> usize {
    2
}

impl FusionConfig {
    /// Every reason why embeddings of this size cannot be fused so.
    pub fn problems(&self, embedding_size: usize) -> Problems {
        let mut problems = Problems::default();
        let heads = match *self {
            Self::Concat {} => None,
            Self::Attention { hidden_size, .. } | Self::Gated { hidden_size } => {
                problems.require_size(hidden_size, MAX_WIDTH, "hidden_size");
                None
            }
            Self::CrossAttention {
                num_heads,
                num_layers,
                hidden_size,
            } => {
                problems.require_size(hidden_size, MAX_WIDTH, "hidden_size");
                problems.require_size(num_layers, MAX_LAYERS, "num_layers");
                Some(num_heads)
            }
            Self::Bottleneck {
                num_tokens,
                num_heads,
                num_layers,
                hidden_size,
            } => {
                problems.require_size(hidden_size, MAX_WIDTH, "hidden_size");
                problems.require_size(num_tokens, MAX_WIDTH, "num_tokens");
                problems.require_size(num_layers.max(1), MAX_LAYERS, "num_layers");
                problems.require(
                    num_layers > 1,
                    "num_layers",
                    || "must be at least 2: in a first layer no stream has read anything of another yet",
                );
                Some(num_heads)
            }
        };
        if let Some(num_heads) = heads {
            let divides = num_heads > 0 && embedding_size.is_multiple_of(num_heads);
            problems.require(divides, "num_heads", || {
                format!("{num_heads} heads do not divide an embedding_size of {embedding_size}: use a divisor")
            });
        }
        problems
    }

    /// Values that the layers put out for one sample of `num_streams` embeddings.
    pub fn activations(&self, num_streams: usize, embedding_size: usize) -> f64 {
        let (streams, embedding) = (num_streams as f64, embedding_size as f64);
        // Queries, keys, values, their products by head, and the feed-forward network.
        let transformer = |tokens: f64, heads: usize, hidden: usize| {
            let attention = tokens * tokens * (embedding + 2.0 * heads as f64);
            attention + tokens * (7.0 * embedding + 2.0 * hidden as f64)
        };
        match *self {
            Self::Concat {} => streams * embedding,
            Self::Attention { hidden_size, .. } => streams * (hidden_size as f64 + 2.0 * embedding),
            Self::Gated { hidden_size } => streams * (3.0 * hidden_size as f64 + embedding),
            Self::CrossAttention {
                num_heads,
                num_layers,
                hidden_size,
            } => (num_layers as f64 + 1.0) * transformer(streams, num_heads, hidden_size),
            Self::Bottleneck {
                num_tokens,
                num_heads,
                num_layers,
                hidden_size,
            } => num_layers as f64 * streams * transformer(num_tokens as f64 + 1.0, num_heads, hidden_size),
        }
    }
}

/// A built fusion.
#[derive(Clone, Debug)]
pub enum Fusion {
    /// Concatenation.
    Concat,
    /// Attention over streams.
    Attention(Attention),
    /// Gated multimodal unit.
    Gated(Gated),
    /// Transformer over streams.
    CrossAttention(CrossAttention),
    /// Transformers that meet in bottleneck tokens.
    Bottleneck(Bottleneck),
}

impl Fusion {
    /// A fusion of the embeddings, of `embedding_size`, of streams of these names. What a kind learns per stream
    /// carries the name, so that its first values do not depend on the other streams; gates, which read them all, do.
    pub fn new(layout: &mut LayoutBuilder, config: &FusionConfig, streams: &[&str], embedding_size: usize) -> Self {
        let layer_size = |num_heads, hidden_size| LayerSize {
            embedding_size,
            num_heads,
            hidden_size,
        };
        match *config {
            FusionConfig::Concat {} => Self::Concat,
            FusionConfig::Attention { hidden_size, combine } => Self::Attention(layout.scope("attention", |layout| {
                Attention::new(layout, hidden_size, combine, embedding_size)
            })),
            FusionConfig::Gated { hidden_size } => Self::Gated(layout.scope("gated", |layout| {
                Gated::new(layout, hidden_size, streams, embedding_size)
            })),
            FusionConfig::CrossAttention {
                num_heads,
                num_layers,
                hidden_size,
            } => {
                let size = layer_size(num_heads, hidden_size);
                Self::CrossAttention(layout.scope("cross_attention", |layout| {
                    CrossAttention::new(layout, num_layers, streams, size)
                }))
            }
            FusionConfig::Bottleneck {
                num_tokens,
                num_heads,
                num_layers,
                hidden_size,
            } => {
                let size = layer_size(num_heads, hidden_size);
                Self::Bottleneck(layout.scope("bottleneck", |layout| {
                    Bottleneck::new(layout, num_tokens, num_layers, streams, size)
                }))
            }
        }
    }

    /// Width of the fused vector.
    pub fn output_size(&self, num_streams: usize, embedding_size: usize) -> usize {
        match self {
            Self::Concat => num_streams * embedding_size,
            Self::Attention(attention) => attention.output_size(num_streams, embedding_size),
            Self::Gated(gated) => gated.output_size(),
            Self::CrossAttention(_) | Self::Bottleneck(_) => embedding_size,
        }
    }

    /// M embeddings `[R, B, E]` and their presence `[R, B, 1]` (1 or 0) to the fused `[R, B, output_size]` and the
    /// weight of each stream `[R, B, M]`: 0 where it is missing, summing to 1 where any is present. Where none is,
    /// the fused vector is some finite constant of the weights.
    pub fn forward(
        &self,
        embeddings: &[Tensor<3>],
        present: &[Tensor<3>],
        context: &Context,
    ) -> (Tensor<3>, Tensor<3>) {
        let embeddings: Vec<_> = embeddings
            .iter()
            .zip(present)
            .map(|(z, present)| or_zero(z, present))
            .collect();
        let presence = Tensor::cat(present.to_vec(), 2);
        match self {
            Self::Concat => (Tensor::cat(embeddings, 2), shares(presence)),
            Self::Attention(attention) => attention.forward(&embeddings, presence, context),
            Self::Gated(gated) => gated.forward(embeddings, presence, context),
            Self::CrossAttention(cross) => cross.forward(&embeddings, presence, context),
            Self::Bottleneck(bottleneck) => bottleneck.forward(embeddings, presence, context),
        }
    }
}

/// Zeros, by selection, in the rows of `z` `[R, B, E]` that are missing.
fn or_zero(z: &Tensor<3>, present: &Tensor<3>) -> Tensor<3> {
    z.clone()
        .mask_fill(present.clone().equal_elem(0.0).expand(z.dims()), 0.0)
}

/// Parts `[R, B, M]`, none negative, as fractions of their sum; zeros stay zeros.
fn shares(parts: Tensor<3>) -> Tensor<3> {
    let sum = parts.clone().sum_dim(2).clamp_min(1e-12);
    parts / sum
}

/// The sum in the order of the terms; there is at least one stream, the plan sees to it.
fn sum<const D: usize>(terms: Vec<Tensor<D>>) -> Tensor<D> {
    let mut terms = terms.into_iter();
    let first = terms.next().expect("a model has at least one stream");
    terms.fold(first, |sum, term| sum + term)
}
