use burn::tensor::Tensor;

use super::transformer::{Layer, LayerSize, attend, heads, layer_norm, split};
use crate::models::layers::{Linear, Norm, NormConfig};
use crate::models::{Context, Init, LayoutBuilder, ParamId};

/// A transformer over the streams of a sample, one token each: `x_m = z_m + s_m` with a learned vector `s_m` per
/// stream, then transformer layers in which every token attends to every token that is present, layer normalisation,
/// and pooling by attention: `z = W_o [sum a_m v_m] + b_o` with keys and values `k_m, v_m` of the last tokens and the
/// weights `a = softmax(q k / sqrt(D))` of one learned query `q`, in every head (the pooling of Lee et al. 2019,
/// without its residual).
///
/// A missing stream has a weight of exactly 0 in every attention, so it reaches no other. The weight of a stream is the
/// mean over the heads of the pooling weights `a_m`; what streams took from each other in the layers before is in the
/// tokens, not in the weights.
#[derive(Clone, Debug)]
pub struct CrossAttention {
    /// `s_m`, `[E]`.
    streams: Vec<ParamId>,
    layers: Vec<Layer>,
    norm: Norm,
    /// `q`, `[E]`: the queries of the heads side by side.
    query: ParamId,
    key_value: Linear,
    output: Linear,
    num_heads: usize,
}

impl CrossAttention {
    pub(super) fn new(layout: &mut LayoutBuilder, num_layers: usize, streams: &[&str], size: LayerSize) -> Self {
        let width = size.embedding_size;
        let init = Init::Uniform {
            bound: 1.0 / (width as f32).sqrt(),
        };
        let stream = |name: &&str| layout.scope(name, |layout| layout.param("token", &[width], init));
        let streams = streams.iter().map(stream).collect();
        let layer = |index| layout.scope(&format!("layer{index}"), |layout| Layer::new(layout, size));
        let layers = (0..num_layers).map(layer).collect();
        layout.scope("pool", |layout| Self {
            streams,
            layers,
            norm: Norm::new(layout, NormConfig::Layer, width),
            query: layout.param("query", &[width], init),
            key_value: layout.scope("key_value", |layout| Linear::new(layout, width, 2 * width)),
            output: layout.scope("output", |layout| Linear::new(layout, width, width)),
            num_heads: size.num_heads,
        })
    }

    pub(super) fn forward(
        &self,
        embeddings: &[Tensor<3>],
        presence: Tensor<3>,
        context: &Context,
    ) -> (Tensor<3>, Tensor<3>) {
        let token = |(z, &stream): (&Tensor<3>, &ParamId)| {
            let stream: Tensor<2> = context.params.get(stream);
            (z.clone() + stream.unsqueeze_dim(1)).unsqueeze_dim(2)
        };
        let mut tokens: Tensor<4> = Tensor::cat(embeddings.iter().zip(&self.streams).map(token).collect(), 2);
        for layer in &self.layers {
            (tokens, _) = layer.forward(tokens, Some(&presence), context);
        }

        let [num_replicas, batch, num_streams, width] = tokens.dims();
        let rows = self.key_value.forward(layer_norm(&self.norm, tokens, context), context);
        let [key, value] = split(rows, batch, num_streams).map(|part| heads(part, self.num_heads));
        let query: Tensor<2> = context.params.get(self.query);
        let query = query
            .reshape([num_replicas, 1, 1, width])
            .expand([num_replicas, batch, 1, width]);
        let (pooled, weights) = attend(heads(query, self.num_heads), key, value, Some(&presence));
        let fused = self
            .output
            .forward(pooled.reshape([num_replicas, batch, width]), context);
        (fused, weights.reshape([num_replicas, batch, num_streams]))
    }
}
