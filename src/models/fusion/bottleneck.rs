use burn::tensor::Tensor;

use super::transformer::{Layer, LayerSize, layer_norm};
use super::{shares, sum};
use crate::models::layers::{Norm, NormConfig};
use crate::models::{Context, Init, LayoutBuilder, ParamId};

/// Attention bottlenecks (MBT; Nagrani et al. 2021, arXiv 2107.00135) with one token per stream.
///
/// The tokens of a stream are its embedding `x_m` and T bottleneck tokens `b`, at first learned and common to all. In
/// each layer every stream runs a transformer layer of its own weights over its T + 1 tokens, and the bottleneck becomes
/// the mean over the P streams that are present:
///
/// `[x_m; b_m] <- layer_m([x_m; b])`, `b <- sum p_m b_m / P`, and after the last layer `z = sum p_m norm(x_m) / P`
///
/// with the presence `p_m` of 1 or 0. All that streams know of each other has passed through `b`. The mean `z` is the
/// article's mean of the logits of its modalities where the head is linear. There the streams have many tokens, and
/// layers of their own before the first exchange; here that is the encoders' part.
///
/// The weight of a stream is the attention that the bottleneck tokens pay to `x_m` in its layers, mean over tokens,
/// heads and all layers but the last, whose bottleneck nothing reads, as a fraction of the sum over the streams that
/// are present: its part in what is exchanged.
#[derive(Clone, Debug)]
pub struct Bottleneck {
    /// First bottleneck tokens, `[T, E]`.
    tokens: ParamId,
    /// By layer, then stream.
    layers: Vec<Vec<Layer>>,
    norm: Norm,
}

impl Bottleneck {
    pub(super) fn new(
        layout: &mut LayoutBuilder,
        num_tokens: usize,
        num_layers: usize,
        streams: &[&str],
        size: LayerSize,
    ) -> Self {
        let width = size.embedding_size;
        let init = Init::Uniform {
            bound: 1.0 / (width as f32).sqrt(),
        };
        let tokens = layout.param("tokens", &[num_tokens, width], init);
        let layer = |index| {
            layout.scope(&format!("layer{index}"), |layout| {
                streams
                    .iter()
                    .map(|name| layout.scope(name, |layout| Layer::new(layout, size)))
                    .collect()
            })
        };
        let layers = (0..num_layers).map(layer).collect();
        Self {
            tokens,
            layers,
            norm: Norm::new(layout, NormConfig::Layer, width),
        }
    }

    pub(super) fn forward(
        &self,
        embeddings: Vec<Tensor<3>>,
        presence: Tensor<3>,
        context: &Context,
    ) -> (Tensor<3>, Tensor<3>) {
        let [num_replicas, batch, _] = presence.dims();
        let count = presence.clone().sum_dim(2).clamp_min(1.0);
        let there = |m: usize| presence.clone().narrow(2, m, 1);
        let mut bottleneck: Tensor<4> = context.params.get::<3>(self.tokens).unsqueeze_dim(1);
        let [_, _, num_tokens, width] = bottleneck.dims();
        bottleneck = bottleneck.expand([num_replicas, batch, num_tokens, width]);
        let mut streams: Vec<Tensor<4>> = embeddings.into_iter().map(|z| z.unsqueeze_dim(2)).collect();
        let mut attention = Vec::new();
        for (index, layers) in self.layers.iter().enumerate() {
            let (mut written, mut read) = (Vec::new(), Vec::new());
            for (m, (layer, stream)) in layers.iter().zip(&mut streams).enumerate() {
                let (tokens, weights) =
                    layer.forward(Tensor::cat(vec![stream.clone(), bottleneck.clone()], 2), None, context);
                *stream = tokens.clone().narrow(2, 0, 1);
                written.push(tokens.narrow(2, 1, num_tokens) * there(m).unsqueeze_dim(3));
                let paid = weights.narrow(2, 1, num_tokens).narrow(3, 0, 1).sum_dim(2) / num_tokens as f64;
                read.push(paid.reshape([num_replicas, batch, 1]));
            }
            bottleneck = sum(written) / count.clone().unsqueeze_dim(3);
            if index + 1 < self.layers.len() {
                attention.push(Tensor::cat(read, 2));
            }
        }
        let read_out = |(m, stream): (usize, Tensor<4>)| layer_norm(&self.norm, stream, context) * there(m);
        let fused = sum(streams.into_iter().enumerate().map(read_out).collect()) / count;
        (fused, shares(sum(attention) * presence))
    }
}
