//! Attention among the few tokens of a sample.
//!
//! With one token per stream a score matrix has a handful of entries per head, so products of queries and keys are
//! multiplied out and summed instead of going through a matrix product: samples and heads would have to be folded into
//! the replica axis for that.

use burn::tensor::{Tensor, activation};

use crate::models::layers::{Activation, Linear, Mlp, Norm, NormConfig};
use crate::models::{Context, LayoutBuilder};

/// Sizes of a transformer layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct LayerSize {
    /// E: width of a token.
    pub embedding_size: usize,
    /// Heads, which cut a token into equal parts.
    pub num_heads: usize,
    /// Width of the feed-forward network's hidden layer.
    pub hidden_size: usize,
}

/// A transformer layer (Vaswani et al. 2017) with the normalisation before each part, which trains without a warm-up
/// (Xiong et al. 2020): `x += attention(norm(x))`, `x += W_2 gelu(W_1 norm(x) + b_1) + b_2`. Dropout, at the rate of
/// the replica, on the hidden layer.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    attention_norm: Norm,
    query_key_value: Linear,
    output: Linear,
    feed_forward_norm: Norm,
    feed_forward: Mlp,
    num_heads: usize,
}

impl Layer {
    pub fn new(layout: &mut LayoutBuilder, size: LayerSize) -> Self {
        let LayerSize {
            embedding_size,
            num_heads,
            hidden_size,
        } = size;
        let (attention_norm, query_key_value, output) = layout.scope("attention", |layout| {
            (
                Norm::new(layout, NormConfig::Layer, embedding_size),
                layout.scope("query_key_value", |layout| {
                    Linear::new(layout, embedding_size, 3 * embedding_size)
                }),
                layout.scope("output", |layout| Linear::new(layout, embedding_size, embedding_size)),
            )
        });
        let (feed_forward_norm, feed_forward) = layout.scope("feed_forward", |layout| {
            let sizes = [embedding_size, hidden_size, embedding_size];
            (
                Norm::new(layout, NormConfig::Layer, embedding_size),
                Mlp::new(layout, &sizes, Activation::Gelu),
            )
        });
        Self {
            attention_norm,
            query_key_value,
            output,
            feed_forward_norm,
            feed_forward,
            num_heads,
        }
    }

    /// Tokens `[R, B, N, E]` to tokens, and the attention that each paid to each, `[R, B, N, N]`, mean over the heads.
    /// A token whose presence, in `[R, B, N]`, is 0 gets none; all are there when `presence` is absent.
    pub fn forward(
        &self,
        tokens: Tensor<4>,
        presence: Option<&Tensor<3>>,
        context: &Context,
    ) -> (Tensor<4>, Tensor<4>) {
        let shape @ [num_replicas, batch, num_tokens, _] = tokens.dims();
        let normed = layer_norm(&self.attention_norm, tokens.clone(), context);
        let parts = split(self.query_key_value.forward(normed, context), batch, num_tokens);
        let [query, key, value] = parts.map(|part| heads(part, self.num_heads));
        let (attended, weights) = attend(query, key, value, presence);
        let attended = attended.reshape([num_replicas, batch * num_tokens, shape[3]]);
        let tokens = tokens + self.output.forward(attended, context).reshape(shape);
        let normed = layer_norm(&self.feed_forward_norm, tokens.clone(), context);
        (
            tokens + self.feed_forward.forward(normed, context).reshape(shape),
            weights,
        )
    }
}

/// `[R, B, N, E]` as rows `[R, B * N, E]`, each brought to mean 0 and variance 1, scaled and shifted.
pub(super) fn layer_norm(norm: &Norm, tokens: Tensor<4>, context: &Context) -> Tensor<3> {
    let [num_replicas, batch, num_tokens, width] = tokens.dims();
    let rows = tokens.reshape([num_replicas, batch * num_tokens, width, 1]);
    norm.forward(rows, context)
        .reshape([num_replicas, batch * num_tokens, width])
}

/// Rows `[R, B * N, P * E]` as P tensors `[R, B, N, E]`.
pub(super) fn split<const P: usize>(rows: Tensor<3>, batch: usize, num_tokens: usize) -> [Tensor<4>; P] {
    let [num_replicas, _, width] = rows.dims();
    let rows = rows.reshape([num_replicas, batch, num_tokens, width]);
    std::array::from_fn(|part| rows.clone().narrow(3, part * width / P, width / P))
}

/// `[R, B, N, E]` as `[R, B, N, H, E / H]`.
pub(super) fn heads(tokens: Tensor<4>, num_heads: usize) -> Tensor<5> {
    let [num_replicas, batch, num_tokens, width] = tokens.dims();
    tokens.reshape([num_replicas, batch, num_tokens, num_heads, width / num_heads])
}

/// Scaled dot-product attention of Q queries to K keys in each of H heads: `softmax(q k / sqrt(D)) v`.
///
/// Queries `[R, B, Q, H, D]`, keys and values `[R, B, K, H, D]`, the presence of the keys `[R, B, K]`; gives
/// `[R, B, Q, H, D]` and the weights `[R, B, Q, K]`, mean over the heads: exactly 0 for missing keys, all 0 where every
/// key is missing.
pub(super) fn attend(
    query: Tensor<5>,
    key: Tensor<5>,
    value: Tensor<5>,
    presence: Option<&Tensor<3>>,
) -> (Tensor<5>, Tensor<4>) {
    let [num_replicas, batch, num_queries, num_heads, size] = query.dims();
    let num_keys = key.dims()[2];
    let scores_shape = [num_replicas, batch, num_queries, num_keys, num_heads];
    let products = query.unsqueeze_dim::<6>(3) * key.unsqueeze_dim(2);
    let scores = products.sum_dim(5).reshape(scores_shape) / (size as f64).sqrt();
    let weights = match presence {
        None => activation::softmax(scores, 3),
        Some(presence) => {
            let presence = presence.clone().reshape([num_replicas, batch, 1, num_keys, 1]);
            let missing = presence.clone().equal_elem(0.0).expand(scores_shape);
            // The product is for samples in which no key is there: equal scores, whatever they are, share the weight.
            activation::softmax(scores.mask_fill(missing, -1e30), 3) * presence
        }
    };
    let attended = (weights.clone().unsqueeze_dim::<6>(5) * value.unsqueeze_dim(2)).sum_dim(3);
    let mean_weights = weights.sum_dim(4) / num_heads as f64;
    (
        attended.reshape([num_replicas, batch, num_queries, num_heads, size]),
        mean_weights.reshape([num_replicas, batch, num_queries, num_keys]),
    )
}
