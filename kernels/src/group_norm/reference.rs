//! [`group_norm`](super::group_norm) in plain tensor operations.

use burn::tensor::Tensor;

/// The normalisation of checked arguments.
pub fn group_norm(x: Tensor<4>, gamma: Tensor<2>, beta: Tensor<2>, groups: usize, eps: f32) -> Tensor<4> {
    let [replicas, batch, channels, positions] = x.dims();
    let group_len = channels / groups * positions;
    if group_len == 0 {
        return x;
    }
    // Not a division: burn takes the gradient of one through an f32 reciprocal, in f64 too.
    let share = 1.0 / group_len as f64;
    let grouped = x.reshape([replicas, batch, groups, group_len]);
    let mean = grouped.clone().sum_dim(3) * share;
    let centered = grouped - mean;
    let variance = centered.clone().powi_scalar(2).sum_dim(3) * share;
    let y = (centered / (variance + eps).sqrt()).reshape([replicas, batch, channels, positions]);
    y * gamma.reshape([replicas, 1, channels, 1]) + beta.reshape([replicas, 1, channels, 1])
}
