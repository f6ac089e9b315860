use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// How the positions of a sequence (or image) become one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Mean over valid positions (global average pooling).
    #[default]
    Mean,
    /// Maximum over valid positions.
    Max,
    /// Mean and standard deviation over valid positions, concatenated (statistics pooling, Snyder et al. 2017):
    /// variability is what gait and EMG carry, and a mean alone loses it.
    Stats,
    /// The last valid position.
    Last,
}

impl Pooling {
    /// Features out for `channels` channels in.
    pub fn output_size(self, channels: usize) -> usize {
        match self {
            Self::Stats => 2 * channels,
            _ => channels,
        }
    }

    /// `[R, B, C, S] -> [R, B, output_size(C)]`. `lengths` (`R * B` entries, `<= S`) are the valid positions of each
    /// sample, all of them when absent; a sample of length 0 gives zeros.
    pub fn forward(self, x: Tensor<4>, lengths: Option<&[usize]>) -> Tensor<3> {
        let [num_replicas, batch, channels, positions] = x.dims();
        let flat = |t: Tensor<4>| t.reshape([num_replicas, batch, channels]);
        let weights = |weight: &dyn Fn(usize, usize) -> f32| position_weights(&x, lengths, weight);
        let mean_weights = |x: &Tensor<4>| match lengths {
            None => Tensor::<4>::full(
                [num_replicas, batch, 1, positions],
                1.0 / positions.max(1) as f32,
                &x.device(),
            )
            .cast(x.dtype()),
            Some(_) => weights(&|position, length| {
                if position < length { 1.0 / length as f32 } else { 0.0 }
            }),
        };
        match self {
            Self::Mean => flat((x.clone() * mean_weights(&x)).sum_dim(3)),
            Self::Stats => {
                let weights = mean_weights(&x);
                let mean = (x.clone() * weights.clone()).sum_dim(3);
                let centred = x - mean.clone();
                let variance = (centred.clone() * centred * weights).sum_dim(3);
                // Below the square root so that a constant channel has a finite gradient.
                let std = (variance + 1e-5).sqrt();
                Tensor::cat(vec![flat(mean), flat(std)], 2)
            }
            Self::Max => match lengths {
                None => flat(x.max_dim(3)),
                Some(lengths) => {
                    let floor = weights(&|position, length| if position < length { 0.0 } else { -1e30 });
                    let some = presence(&x, lengths);
                    flat((x + floor).max_dim(3) * some)
                }
            },
            Self::Last => {
                let last = weights(&|position, length| if position + 1 == length { 1.0 } else { 0.0 });
                flat((x.clone() * last).sum_dim(3))
            }
        }
    }
}

/// `[R, B, 1, S]` of `weight(position, length of the sample)`.
fn position_weights(x: &Tensor<4>, lengths: Option<&[usize]>, weight: &dyn Fn(usize, usize) -> f32) -> Tensor<4> {
    let [num_replicas, batch, _, positions] = x.dims();
    let values: Vec<f32> = (0..num_replicas * batch)
        .flat_map(|sample| {
            let length = lengths.map_or(positions, |lengths| lengths[sample]);
            (0..positions).map(move |position| weight(position, length))
        })
        .collect();
    let data = TensorData::new(values, [num_replicas, batch, 1, positions]);
    Tensor::<4>::from_data(data, &x.device()).cast(x.dtype())
}

/// `[R, B, 1, 1]`: 1 for samples with any valid position, else 0.
fn presence(x: &Tensor<4>, lengths: &[usize]) -> Tensor<4> {
    let [num_replicas, batch, _, _] = x.dims();
    let values: Vec<f32> = lengths.iter().map(|&length| f32::from(length > 0)).collect();
    let data = TensorData::new(values, [num_replicas, batch, 1, 1]);
    Tensor::<4>::from_data(data, &x.device()).cast(x.dtype())
}
