use burn::tensor::{Tensor, activation};

use super::{shares, sum};
use crate::models::layers::Linear;
use crate::models::{Context, LayoutBuilder};

/// The gated multimodal unit (Arevalo et al. 2017, arXiv 1702.01992), for M streams of which some may be missing:
///
/// `h_m = tanh(W_m z_m + b_m)`, `g_m = sigmoid(V_m [z_1; ...; z_M; p_1; ...; p_M] + c_m)`, `z = sum p_m g_m * h_m`
///
/// with the presence `p_m` of 1 or 0 and `z_m = 0` where a stream is missing. As in the article for more than two
/// modalities, the gates of a unit are independent of each other: they do not sum to 1, and all may close. Ours are the
/// biases, and the presences among the inputs of the gates, which tell a missing stream from an embedding of zeros.
///
/// The weight of a stream is its mean gate over the units as a fraction of the sum of the mean gates of the streams
/// that are present: how far its gates stand open, whatever the size of `h_m` behind them.
#[derive(Clone, Debug)]
pub struct Gated {
    streams: Vec<GatedStream>,
    hidden_size: usize,
}

#[derive(Clone, Debug)]
struct GatedStream {
    transform: Linear,
    gate: Linear,
}

impl Gated {
    pub(super) fn new(layout: &mut LayoutBuilder, hidden_size: usize, streams: &[&str], embedding_size: usize) -> Self {
        let inputs = streams.len() * (embedding_size + 1);
        let stream = |name: &&str| {
            layout.scope(name, |layout| GatedStream {
                transform: layout.scope("transform", |layout| Linear::new(layout, embedding_size, hidden_size)),
                gate: layout.scope("gate", |layout| Linear::new(layout, inputs, hidden_size)),
            })
        };
        Self {
            streams: streams.iter().map(stream).collect(),
            hidden_size,
        }
    }

    pub(super) fn output_size(&self) -> usize {
        self.hidden_size
    }

    pub(super) fn forward(
        &self,
        embeddings: Vec<Tensor<3>>,
        presence: Tensor<3>,
        context: &Context,
    ) -> (Tensor<3>, Tensor<3>) {
        let everything = Tensor::cat([embeddings.clone(), vec![presence.clone()]].concat(), 2);
        let (mut parts, mut openings) = (Vec::new(), Vec::new());
        for (m, (stream, embedding)) in self.streams.iter().zip(embeddings).enumerate() {
            let hidden = activation::tanh(stream.transform.forward(embedding, context));
            let gate = activation::sigmoid(stream.gate.forward(everything.clone(), context))
                * presence.clone().narrow(2, m, 1);
            openings.push(gate.clone().sum_dim(2));
            parts.push(gate * hidden);
        }
        (sum(parts), shares(Tensor::cat(openings, 2) / self.hidden_size as f64))
    }
}
