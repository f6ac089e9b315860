//! Mixup (Zhang et al. 2018, <https://arxiv.org/abs/1710.09412>): samples and targets of a batch, mixed in pairs.

use burn::tensor::{Int, Tensor, TensorData};
use rayon::prelude::*;
use recoup_kernels::random::{self, Key, Purpose, Stream};
use serde::{Deserialize, Serialize};
use statrs::function::beta::inv_beta_reg;

use super::losses::Targets;
use crate::base::Problems;
use crate::models::{Draw, StreamInput};

const PARTNER: u64 = random::path_hash("mixup.partner");
const LAMBDA: u64 = random::path_hash("mixup.lambda");

/// The `[training.mixup]` table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixupConfig {
    /// A sample's own share is drawn from Beta(alpha, alpha): near 0 it is mostly all or nothing, at 1 uniform.
    pub alpha: f64,
}

impl MixupConfig {
    /// Every value that cannot work.
    pub fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        // The range over which quantiles of the distribution are exact to 1e-12.
        problems.require(
            (0.01..=1000.0).contains(&self.alpha),
            "alpha",
            || "must be between 0.01 and 1000",
        );
        problems
    }
}

/// How the samples of one micro-batch of R replicas are mixed.
///
/// A sample's partner is given by a random order of the replica's samples, padding left out, so every sample is a
/// partner once; the share is a sample's own. Both hold for all its streams. A sample that is its own partner is
/// unchanged to the last bit, and so is padding.
#[derive(Clone, Debug)]
pub struct Mixup {
    /// Place in the batch of each sample's partner, R x B.
    pub partners: Vec<Vec<usize>>,
    /// Share of the sample itself, lambda, R x B.
    pub shares: Vec<Vec<f32>>,
}

impl Mixup {
    /// Draws partners and shares; `window_indices` are R x B windows, `None` for padding.
    pub fn draw(config: &MixupConfig, draws: &[Draw], window_indices: &[Vec<Option<u32>>]) -> Self {
        let (partners, shares) = draws
            .par_iter()
            .zip(window_indices)
            .map(|(draw, window_indices)| draw_replica(config.alpha, draw, window_indices))
            .unzip();
        Self { partners, shares }
    }

    /// How much of each sample of replica `r` is in the mixed batch. Sums to the number of its samples, padding included.
    pub fn amounts(&self, r: usize) -> Vec<f64> {
        let mut amounts = vec![0.0; self.partners[r].len()];
        for (b, (&partner, &share)) in self.partners[r].iter().zip(&self.shares[r]).enumerate() {
            amounts[b] += f64::from(share);
            amounts[partner] += f64::from(1.0 - share);
        }
        amounts
    }

    /// Mixes every stream, off the tape. A sample keeps its presence and length: rows are mixed where both samples have
    /// them, and elsewhere its own stay as they are.
    pub fn inputs(&self, inputs: Vec<StreamInput>) -> Vec<StreamInput> {
        inputs.into_iter().map(|input| self.input(input)).collect()
    }

    fn input(&self, input: StreamInput) -> StreamInput {
        let StreamInput { rows, lengths, present } = input;
        // Channel by channel, as the host stores them.
        let planes = rows.swap_dims(2, 3);
        let [num_replicas, batch, _, length] = planes.dims();
        let device = planes.device();
        let partner_shares = match &lengths {
            Some(lengths) => {
                let mut shares = vec![0.0f32; num_replicas * batch * length];
                for (sample, shares) in shares.chunks_exact_mut(length.max(1)).enumerate() {
                    let (r, b) = (sample / batch, sample % batch);
                    let partner = r * batch + self.partners[r][b];
                    shares[..lengths[sample].min(lengths[partner])].fill(1.0 - self.shares[r][b]);
                }
                Tensor::from_data(TensorData::new(shares, [num_replicas, batch, 1, length]), &device)
            }
            None => {
                let both = present.clone() * self.of_partners(present.clone());
                (self.partner_shares(&present) * both).unsqueeze_dim(3)
            }
        };
        let rows = mix(planes.clone(), self.of_partners(planes), partner_shares).swap_dims(2, 3);
        StreamInput { rows, lengths, present }
    }

    /// Mixes targets and their weights such that the loss of a sample is `sum_k (lambda w_a y_ak + (1 - lambda) w_b y_bk)
    /// (-log p_k)`: each of the two labels counts with the weight of its own class.
    ///
    /// The weights of a replica's step sum to 1 if its total was that of [`amounts`](Self::amounts).
    pub fn targets(&self, targets: Targets) -> Targets {
        let Targets {
            one_hot,
            weights,
            sample_mask,
        } = targets;
        let partner_shares = self.partner_shares(&weights);
        let partner_weights = self.of_partners(weights.clone());
        let mixed = mix(weights, partner_weights.clone(), partner_shares.clone());
        // Padding has weight 0.
        let label_shares = partner_weights * partner_shares / mixed.clone().clamp_min(f32::MIN_POSITIVE);
        let one_hot = mix(one_hot.clone(), self.of_partners(one_hot), label_shares);
        Targets {
            one_hot,
            weights: mixed,
            sample_mask,
        }
    }

    /// `[R, B, 1]`: 1 - lambda, on the device of `like`.
    fn partner_shares(&self, like: &Tensor<3>) -> Tensor<3> {
        let shares: Vec<f32> = self.shares.iter().flatten().map(|share| 1.0 - share).collect();
        let [num_replicas, batch, _] = like.dims();
        Tensor::from_data(TensorData::new(shares, [num_replicas, batch, 1]), &like.device())
    }

    /// The partner's values in each sample's place.
    fn of_partners<const D: usize>(&self, values: Tensor<D>) -> Tensor<D> {
        let shape = values.dims();
        let samples = shape[0] * shape[1];
        let index = |(r, partners): (usize, &Vec<usize>)| {
            let batch = partners.len();
            partners
                .iter()
                .map(move |partner| (r * batch + partner) as i32)
                .collect::<Vec<_>>()
        };
        let indices: Vec<i32> = self.partners.iter().enumerate().flat_map(index).collect();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [samples]), &values.device());
        let width = shape[2..].iter().product();
        values.reshape([samples, width]).select(0, indices).reshape(shape)
    }
}

/// Exactly `own` where the partner's share is 0.
fn mix<const D: usize>(own: Tensor<D>, partner: Tensor<D>, partner_share: Tensor<D>) -> Tensor<D> {
    let own_share = partner_share.clone().neg() + 1.0;
    own * own_share + partner * partner_share
}

fn draw_replica(alpha: f64, draw: &Draw, window_indices: &[Option<u32>]) -> (Vec<usize>, Vec<f32>) {
    let key = |path| Key {
        seed: draw.seed,
        purpose: Purpose::Augmentation,
        step: draw.step,
        path,
    };
    let samples: Vec<usize> = (0..window_indices.len())
        .filter(|&b| window_indices[b].is_some())
        .collect();
    let mut partners: Vec<usize> = (0..window_indices.len()).collect();
    for (&b, at) in samples.iter().zip(random::permutation(key(PARTNER), samples.len())) {
        partners[b] = samples[at];
    }
    let stream = key(LAMBDA).stream();
    let share = |(b, &partner): (usize, &usize)| {
        if partner == b {
            1.0
        } else {
            share(alpha, &stream, b as u64)
        }
    };
    let shares = partners.iter().enumerate().map(share).collect();
    (partners, shares)
}

/// A draw from Beta(alpha, alpha) as the quantile of a uniform number: one draw per sample, whatever alpha, so that
/// variants that differ in alpha differ in nothing else.
fn share(alpha: f64, stream: &Stream, index: u64) -> f32 {
    let uniform = (f64::from(stream.u32(index)) + 0.5) / (1u64 << 32) as f64;
    beta_quantile(alpha, uniform) as f32
}

/// The quantile of Beta(alpha, alpha) at `probability`, which lies strictly between 0 and 1.
pub fn beta_quantile(alpha: f64, probability: f64) -> f64 {
    inv_beta_reg(alpha, alpha, probability)
}
