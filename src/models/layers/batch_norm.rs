use burn::tensor::{DType, Tensor};

use crate::models::{BufferId, Context, Init, LayoutBuilder, Mode, ParamId};

/// Weight of the newest batch in the running statistics, as in PyTorch.
const MOMENTUM: f64 = 0.1;

/// Batch normalisation with `[R, C]` statistics: each replica normalises by its own samples only, and samples that
/// merely pad a short batch are left out.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    gamma: ParamId,
    beta: ParamId,
    running_mean: BufferId,
    running_variance: BufferId,
}

impl BatchNorm {
    /// A layer for `channels` channels.
    pub fn new(layout: &mut LayoutBuilder, channels: usize) -> Self {
        Self {
            gamma: layout.param("norm.weight", &[channels], Init::Constant(1.0)),
            beta: layout.param("norm.bias", &[channels], Init::Constant(0.0)),
            running_mean: layout.buffer("norm.running_mean", &[channels], Init::Constant(0.0)),
            running_variance: layout.buffer("norm.running_var", &[channels], Init::Constant(1.0)),
        }
    }

    /// `[R, B, C, S] -> [R, B, C, S]`; in training also records the new running statistics in the context.
    pub fn forward(&self, x: Tensor<4>, context: &Context, epsilon: f64) -> Tensor<4> {
        let [num_replicas, batch, channels, positions] = x.dims();
        // Statistics are f32 whatever the activations are.
        let dtype = x.dtype();
        let x = x.cast(DType::F32);
        let wide = [num_replicas, 1, channels, 1];
        let (mean, variance) = match &context.mode {
            Mode::Eval => (
                context.params.buffer(self.running_mean).reshape(wide),
                context.params.buffer(self.running_variance).reshape(wide),
            ),
            Mode::Train { sample_mask, .. } => {
                let mask = sample_mask.clone().autodiff().reshape([num_replicas, batch, 1, 1]);
                let count = (mask.clone().sum_dim(1) * positions as f64).clamp_min(1.0);
                let mean = (x.clone() * mask.clone()).sum_dim(3).sum_dim(1) / count.clone();
                let centred = (x.clone() - mean.clone()) * mask;
                let variance = (centred.clone() * centred).sum_dim(3).sum_dim(1) / count.clone();
                self.record(&mean, &variance, &count, context);
                (mean, variance)
            }
        };
        let learned = |id| context.params.get::<2>(id).cast(DType::F32).reshape(wide);
        ((x - mean) / (variance + epsilon).sqrt() * learned(self.gamma) + learned(self.beta)).cast(dtype)
    }

    /// Running statistics use the unbiased variance, as PyTorch's do.
    fn record(&self, mean: &Tensor<4>, variance: &Tensor<4>, count: &Tensor<4>, context: &Context) {
        let [num_replicas, _, channels, _] = mean.dims();
        let flat = |t: Tensor<4>| t.without_autodiff().reshape([num_replicas, channels]);
        let count = count.clone().without_autodiff();
        let unbiased = variance.clone().without_autodiff() * (count.clone() / (count - 1.0).clamp_min(1.0));
        for (id, batch) in [
            (self.running_mean, flat(mean.clone())),
            (self.running_variance, flat(unbiased)),
        ] {
            let old = context.params.buffer(id).without_autodiff();
            context.update_buffer(id, old * (1.0 - MOMENTUM) + batch * MOMENTUM);
        }
    }
}
