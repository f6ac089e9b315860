//! Dropout of whole modalities in training.

use burn::tensor::{DType, Tensor, TensorData};
use recoup_kernels::random::{self, Key, Purpose};

use super::{Context, LayoutBuilder, Mode};

/// Hides present modalities from the fusion in training, so that a model learns to do without each of them (ModDrop;
/// Neverova et al. 2016, arXiv 1501.00102); the identity in evaluation.
///
/// Each modality that a sample has is dropped with the same probability, independently, except that the present one
/// with the largest draw stays: a sample never loses everything. So with P modalities present each stays with a
/// probability of `1 - rate + rate^P / P`, and a sample's only modality always. Nothing is rescaled: fusions weigh what
/// is present.
///
/// A draw is a function of (seed of the replica, its step, `sample * M + stream`), the same whichever replicas run
/// beside and after any resume.
#[derive(Clone, Debug)]
pub struct ModalityDropout {
    path: u64,
    /// For each stream, the first stream that reads the same modality: its draw counts for all of them.
    leaders: Vec<usize>,
}

impl ModalityDropout {
    /// A layer whose draws are named by the present scope of `layout`. `modalities` holds the modality that each stream
    /// reads: streams of one modality are dropped together.
    pub fn new(layout: &LayoutBuilder, modalities: &[usize]) -> Self {
        let leader = |modality| modalities.iter().position(|other| other == modality).unwrap_or(0);
        let leaders = modalities.iter().map(leader).collect();
        Self {
            path: random::path_hash(&layout.path("modality_dropout")),
            leaders,
        }
    }

    /// The presence `[R, B, 1]` (1 or 0) of each stream to the presence after dropping at `rate`, in `[0, 1)`.
    ///
    /// Only presence changes: what a dropped stream holds is for the fusion to ignore, as with a missing one. Encoders
    /// still run on it, so the statistics of a batch normalisation in them see it.
    pub fn forward(&self, present: Vec<Tensor<3>>, rate: f32, context: &Context) -> Vec<Tensor<3>> {
        let (Mode::Train { draws, .. }, Some(first)) = (&context.mode, present.first()) else {
            return present;
        };
        if rate == 0.0 {
            return present;
        }
        let [num_replicas, batch, _] = first.dims();
        let num_streams = self.leaders.len();
        let mut uniforms = Vec::with_capacity(num_replicas * batch * num_streams);
        for draw in draws {
            let key = Key {
                seed: draw.seed,
                purpose: Purpose::Dropout,
                step: draw.step,
                path: self.path,
            };
            let mut own = vec![0.0; batch * num_streams];
            random::fill_uniform(key, &mut own);
            let of_leaders = |sample: &[f32]| self.leaders.iter().map(|&leader| sample[leader]).collect::<Vec<_>>();
            uniforms.extend(own.chunks_exact(num_streams).flat_map(of_leaders));
        }
        let uniforms = TensorData::new(uniforms, [num_replicas, batch, num_streams]);
        let uniforms = Tensor::<3>::from_data(uniforms, &first.device());

        let dtype = first.dtype();
        let presence = Tensor::cat(present, 2).cast(DType::F32);
        // A missing stream draws -1: it is neither kept nor the largest.
        let drawn = uniforms * presence.clone() + (presence.clone() - 1.0);
        let largest = drawn.clone().max_dim(2).expand(drawn.dims());
        let stays = drawn
            .clone()
            .greater_equal_elem(rate)
            .bool_or(drawn.greater_equal(largest));
        let kept = presence * stays.float().cast(DType::F32);
        kept.cast(dtype).split(1, 2)
    }
}
