use burn::tensor::{Tensor, activation};
use recoup_kernels::matmul;
use serde::{Deserialize, Serialize};

use super::sum;
use crate::models::layers::Linear;
use crate::models::{Context, Init, LayoutBuilder, ParamId};

/// Combination of weighted embeddings.
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

/// The paper's weighting per modality (its section IV.A; additive attention, Bahdanau et al. 2015):
/// `e_m = v . tanh(W z_m + b)`, `a = softmax(e)` over the streams that are present, then [`Combine`].
/// The weights of the streams are `a`.
#[derive(Clone, Debug)]
pub struct Attention {
    /// `W` and `b`.
    project: Linear,
    /// `v`, `[hidden_size, 1]`.
    score: ParamId,
    combine: Combine,
}

impl Attention {
    pub(super) fn new(layout: &mut LayoutBuilder, hidden_size: usize, combine: Combine, embedding_size: usize) -> Self {
        let init = Init::Uniform {
            bound: 1.0 / (hidden_size as f32).sqrt(),
        };
        Self {
            project: Linear::new(layout, embedding_size, hidden_size),
            score: layout.param("score", &[hidden_size, 1], init),
            combine,
        }
    }

    pub(super) fn output_size(&self, num_streams: usize, embedding_size: usize) -> usize {
        match self.combine {
            Combine::Sum => embedding_size,
            Combine::Concat => num_streams * embedding_size,
        }
    }

    pub(super) fn forward(
        &self,
        embeddings: &[Tensor<3>],
        presence: Tensor<3>,
        context: &Context,
    ) -> (Tensor<3>, Tensor<3>) {
        let score = |z: &Tensor<3>| {
            let hidden = activation::tanh(self.project.forward(z.clone(), context));
            matmul(hidden, context.params.get(self.score))
        };
        // |e| is bounded by the sum of |v|, so this leaves a missing stream with a weight of exactly 0.
        let scores = Tensor::cat(embeddings.iter().map(score).collect(), 2) + (presence.clone() - 1.0) * 1e4;
        let weights = activation::softmax(scores, 2) * presence;
        let weigh = |(m, z): (usize, &Tensor<3>)| z.clone() * weights.clone().narrow(2, m, 1);
        let weighted: Vec<_> = embeddings.iter().enumerate().map(weigh).collect();
        let fused = match self.combine {
            Combine::Sum => sum(weighted),
            Combine::Concat => Tensor::cat(weighted, 2) * embeddings.len() as f64,
        };
        (fused, weights)
    }
}
