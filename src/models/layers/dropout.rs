use burn::tensor::Tensor;
use recoup_kernels::dropout;
use recoup_kernels::random::{self, Key, Purpose};

use crate::models::{Context, LayoutBuilder, Mode};

/// Inverted dropout at the replica's own rate, identity in evaluation.
///
/// The mask is a function of (seed of the replica, its step, path of this layer, element), so it is the same
/// whichever replicas run beside and after any resume.
#[derive(Clone, Debug)]
pub struct Dropout {
    path: u64,
}

impl Dropout {
    /// A dropout layer whose draws are named by the present scope of `layout`.
    pub fn new(layout: &LayoutBuilder) -> Self {
        Self {
            path: random::path_hash(&layout.path("dropout")),
        }
    }

    /// `[R, B, F] -> [R, B, F]`.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        let Mode::Train { draws, .. } = &context.mode else {
            return x;
        };
        if draws.iter().all(|draw| draw.dropout == 0.0) {
            return x;
        }
        let keys: Vec<Key> = draws
            .iter()
            .map(|draw| Key {
                seed: draw.seed,
                purpose: Purpose::Dropout,
                step: draw.step,
                path: self.path,
            })
            .collect();
        let rates: Vec<f32> = draws.iter().map(|draw| draw.dropout).collect();
        dropout(x, &keys, &rates)
    }
}
