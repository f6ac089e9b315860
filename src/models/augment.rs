//! Random changes to the samples of a stream while it trains.
//!
//! They act on the scaled values, where 0 is the mean over the training subjects and 1 a standard deviation, on the device, in the
//! order of the stream's list, after mixup. Rows past a sample's end and samples without the modality stay 0.
//!
//! Every draw is a function of (seed of the replica, its micro-step, `<stream>.<kind>`, place in its batch): it does not
//! know which replicas train beside, nor which other kinds are in the list, so two variants of an ablation share the
//! draws of what they share. The size of a batch comes from the configuration, padding included.

use burn::tensor::{Device, Element, Int, Tensor, TensorData};
use recoup_kernels::random::{self, Key, Purpose, Stream};
use serde::{Deserialize, Serialize};

use super::{Draw, InputShape, LayoutBuilder, StreamInput};
use crate::base::Problems;

/// One kind of change, drawn anew for every sample and micro-step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AugmentConfig {
    /// Moves a signal or series by a whole number of rows, uniform in `-m..=m` with `m = floor(max_share * length)`;
    /// positive is later. A share of the sample's own length, since a series has no rate that seconds could refer to.
    TimeShift {
        /// Greatest shift, as a share of the length: at most a half.
        max_share: f64,
        /// Values that come in at the end that the sample moves away from.
        #[serde(default)]
        edge: Edge,
    },
    /// Multiplies each channel by `1 + N(0, std)` (Um et al. 2017, doi:10.1145/3136755.3136817), but never by less
    /// than 0: a signal is not turned over.
    Scaling {
        /// Standard deviation of the factor.
        std: f64,
    },
    /// Adds Gaussian noise to every value.
    Jitter {
        /// Standard deviation of the noise, in standard deviations of the channel over the training subjects.
        std: f64,
    },
    /// Sets whole channels to 0, each with probability `rate`; where it would be all of them, one is kept. The others are
    /// not scaled up: 0 is a value that the network also meets where a sensor is missing, not a mask.
    ChannelDropout {
        /// Probability of each channel.
        rate: f64,
    },
    /// Sets stretches of all channels to 0: each of a width uniform in `0..=floor(max_share * length)`, at a place uniform
    /// among those where it fits. Stretches may overlap.
    TimeMask {
        /// Widest stretch, as a share of the length.
        max_share: f64,
        /// Stretches per sample.
        #[serde(default = "one")]
        count: usize,
    },
}

/// Most stretches that are hidden of one sample.
pub(super) const MAX_STRETCHES: usize = 1000;

/// Values that fill up a shifted sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edge {
    /// The values that went out at the other end: no value is lost, and the seam is a jump. For windows cut out of one long activity.
    #[default]
    Wrap,
    /// Zeros.
    Zero,
}

fn one() -> usize {
    1
}

impl AugmentConfig {
    /// Name in a configuration.
    pub fn kind(self) -> &'static str {
        match self {
            Self::TimeShift { .. } => "time-shift",
            Self::Scaling { .. } => "scaling",
            Self::Jitter { .. } => "jitter",
            Self::ChannelDropout { .. } => "channel-dropout",
            Self::TimeMask { .. } => "time-mask",
        }
    }

    /// Every reason why a stream of this shape cannot be changed so.
    pub fn problems(self, shape: InputShape) -> Problems {
        let mut problems = Problems::default();
        let any_shape = matches!(self, Self::Scaling { .. } | Self::Jitter { .. });
        let (channels, length) = match shape {
            InputShape::Sequence { channels, length, .. } => (channels, length),
            _ if any_shape => (0, 0),
            _ => {
                problems.add("kind", format!("{} needs a signal or a series", self.kind()));
                return problems;
            }
        };
        let mut share_of_rows = |share: f64, is_share: bool, expected: &str| {
            problems.require(is_share, "max_share", || expected);
            problems.require(!is_share || share * length as f64 >= 1.0, "max_share", || {
                format!("is less than one of the {length} rows of a window")
            });
        };
        match self {
            Self::TimeShift { max_share, .. } => {
                let expected = "must be greater than 0 and at most 0.5";
                share_of_rows(max_share, max_share > 0.0 && max_share <= 0.5, expected);
            }
            Self::TimeMask { max_share, count } => {
                let expected = "must be greater than 0 and less than 1";
                share_of_rows(max_share, max_share > 0.0 && max_share < 1.0, expected);
                problems.require_size(count, MAX_STRETCHES, "count");
            }
            Self::Scaling { std } => problems.require(
                std > 0.0 && std < 1.0,
                "std",
                || "must be greater than 0 and less than 1",
            ),
            Self::Jitter { std } => {
                problems.require(std > 0.0 && std.is_finite(), "std", || "must be greater than 0");
            }
            Self::ChannelDropout { rate } => {
                problems.require(
                    rate > 0.0 && rate < 1.0,
                    "rate",
                    || "must be greater than 0 and less than 1",
                );
                problems.require(channels > 1, "kind", || "channel-dropout needs at least two channels");
            }
        }
        problems
    }
}

/// The changes of one stream.
#[derive(Clone, Debug)]
pub struct Augmentation {
    shape: InputShape,
    /// Each with the hash of its path.
    changes: Vec<(AugmentConfig, u64)>,
}

impl Augmentation {
    /// Every reason why a stream of this shape cannot be changed by this list, under `augment[0]` and so on.
    pub fn problems(configs: &[AugmentConfig], shape: InputShape) -> Problems {
        let mut problems = Problems::default();
        for (index, config) in configs.iter().enumerate() {
            let is_repeated = configs[..index].iter().any(|other| other.kind() == config.kind());
            problems.require(!is_repeated, &format!("augment[{index}].kind"), || {
                format!("{} is in the list twice: both would draw the same", config.kind())
            });
            problems.extend_below(format_args!("augment[{index}]"), config.problems(shape));
        }
        problems
    }

    /// The changes of a list that [`problems`](Self::problems) found nothing wrong with; their draws are named by the
    /// present scope of `layout`.
    pub fn new(layout: &LayoutBuilder, configs: &[AugmentConfig], shape: InputShape) -> Self {
        let path = |config: &AugmentConfig| random::path_hash(&layout.path(config.kind()));
        Self {
            shape,
            changes: configs.iter().map(|config| (*config, path(config))).collect(),
        }
    }

    /// Changes a batch; one draw per replica.
    pub fn apply(&self, input: StreamInput, draws: &[Draw]) -> StreamInput {
        if self.changes.is_empty() {
            return input;
        }
        let StreamInput { rows, lengths, present } = input;
        let mut planes = self.planes(rows.clone());
        let per_row = planes.dims()[3] / rows.dims()[2].max(1);
        let valid: Option<Vec<usize>> = lengths
            .as_ref()
            .map(|lengths| lengths.iter().map(|length| length * per_row).collect());
        let [_, batch, _, length] = planes.dims();
        for &(change, path) in &self.changes {
            let samples = Samples {
                draws,
                path,
                batch,
                length,
                lengths: valid.as_deref(),
            };
            planes = match change {
                AugmentConfig::TimeShift { max_share, edge } => time_shift(planes, max_share, edge, &samples),
                AugmentConfig::Scaling { std } => scaling(planes, std as f32, &samples),
                AugmentConfig::Jitter { std } => jitter(planes, std as f32, &present, &samples),
                AugmentConfig::ChannelDropout { rate } => channel_dropout(planes, rate as f32, &samples),
                AugmentConfig::TimeMask { max_share, count } => {
                    let kept = samples.outside_stretches(max_share, count, &planes.device());
                    planes.clone() * kept.cast(planes.dtype()).unsqueeze_dim(2)
                }
            };
        }
        let rows = self.rows(planes, rows.dims());
        StreamInput { rows, lengths, present }
    }

    /// Rows `[R, B, T, width]` channel by channel, `[R, B, C, positions]`: the order in which the host gathers signals
    /// and convolutions read. A row of a table, signal or series has one position of each channel, that of an image its
    /// pixels.
    fn planes(&self, rows: Tensor<4>) -> Tensor<4> {
        let [num_replicas, batch, length, width] = rows.dims();
        match self.shape {
            InputShape::Image {
                channels,
                height,
                width: columns,
                ..
            } => rows
                .reshape([num_replicas, batch, length, channels, height * columns])
                .swap_dims(2, 3)
                .reshape([num_replicas, batch, channels, length * width / channels.max(1)]),
            InputShape::Row { .. } | InputShape::Sequence { .. } => rows.swap_dims(2, 3),
        }
    }

    /// The inverse of [`planes`](Self::planes).
    fn rows(&self, planes: Tensor<4>, shape: [usize; 4]) -> Tensor<4> {
        let [num_replicas, batch, length, _] = shape;
        match self.shape {
            InputShape::Image {
                channels,
                height,
                width,
                ..
            } => planes
                .reshape([num_replicas, batch, channels, length, height * width])
                .swap_dims(2, 3)
                .reshape(shape),
            InputShape::Row { .. } | InputShape::Sequence { .. } => planes.swap_dims(2, 3),
        }
    }
}

/// The samples of a batch and their draws for one change.
pub(super) struct Samples<'a> {
    /// One per replica.
    pub draws: &'a [Draw],
    /// Hash of the change's path.
    pub path: u64,
    /// B.
    pub batch: usize,
    /// Positions of a whole sample.
    pub length: usize,
    /// Positions of each of the R x B samples; absent when all are whole.
    pub lengths: Option<&'a [usize]>,
}

/// One sample among them.
struct Sample {
    /// Place in its replica's batch.
    place: u64,
    /// Positions of a sample.
    length: usize,
}

impl Samples<'_> {
    fn key(&self, draw: &Draw) -> Key {
        Key {
            seed: draw.seed,
            purpose: Purpose::Augmentation,
            step: draw.step,
            path: self.path,
        }
    }

    /// `width` values of each sample, `[R, B, width]`, written over zeros by `write` from the draws of its replica.
    fn table<E: Element>(&self, width: usize, write: impl Fn(&Stream, Sample, &mut [E])) -> Vec<E> {
        let mut values = vec![E::from_elem(0); self.draws.len() * self.batch * width];
        let rows = values.chunks_exact_mut((self.batch * width).max(1));
        for (r, (row, draw)) in rows.zip(self.draws).enumerate() {
            let stream = self.key(draw).stream();
            for (b, values) in row.chunks_exact_mut(width.max(1)).enumerate() {
                let length = self.lengths.map_or(self.length, |lengths| lengths[r * self.batch + b]);
                write(
                    &stream,
                    Sample {
                        place: b as u64,
                        length,
                    },
                    values,
                );
            }
        }
        values
    }

    /// `[R, B, positions]`: 0 on `count` random stretches of each sample, else 1 (Park et al. 2019, SpecAugment).
    pub fn outside_stretches(&self, max_share: f64, count: usize, device: &Device) -> Tensor<3> {
        let kept = self.table(self.length, |stream, sample, kept: &mut [f32]| {
            kept.fill(1.0);
            let widest = (max_share * sample.length as f64) as u64;
            for stretch in 0..count as u64 {
                let index = 2 * (sample.place * count as u64 + stretch);
                let width = stream.below(index, widest + 1) as usize;
                let start = stream.below(index + 1, (sample.length - width + 1) as u64) as usize;
                kept[start..start + width].fill(0.0);
            }
        });
        Tensor::from_data(
            TensorData::new(kept, [self.draws.len(), self.batch, self.length]),
            device,
        )
    }
}

fn time_shift(planes: Tensor<4>, max_share: f64, edge: Edge, samples: &Samples) -> Tensor<4> {
    let [num_replicas, batch, channels, length] = planes.dims();
    let device = planes.device();
    // Where each row comes from; -1: from beyond the edge.
    let mut sources = samples.table(length, |stream, sample, sources: &mut [i32]| {
        let most = (max_share * sample.length as f64) as i32;
        let shift = stream.below(sample.place, 2 * most as u64 + 1) as i32 - most;
        let valid = sample.length as i32;
        for (at, source) in (0..).zip(sources) {
            *source = match edge {
                _ if at >= valid => at,
                Edge::Wrap => (at - shift).rem_euclid(valid),
                Edge::Zero if (0..valid).contains(&(at - shift)) => at - shift,
                Edge::Zero => -1,
            };
        }
    });
    let inside = (edge == Edge::Zero).then(|| {
        let inside: Vec<f32> = sources.iter().map(|&source| f32::from(source >= 0)).collect();
        floats_like(inside, [num_replicas, batch, 1, length], &planes)
    });
    for (sample, sources) in sources.chunks_exact_mut(length.max(1)).enumerate() {
        sources
            .iter_mut()
            .for_each(|source| *source = (*source).max(0) + (sample * length) as i32);
    }
    let count = sources.len();
    let sources = Tensor::<1, Int>::from_data(TensorData::new(sources, [count]), &device);
    let moved = planes.swap_dims(2, 3).reshape([count, channels]).select(0, sources);
    let moved = moved.reshape([num_replicas, batch, length, channels]).swap_dims(2, 3);
    match inside {
        Some(inside) => moved * inside,
        None => moved,
    }
}

fn scaling(planes: Tensor<4>, std: f32, samples: &Samples) -> Tensor<4> {
    per_channel(planes, samples, |stream, first, factors| {
        for (index, factor) in (first..).zip(factors) {
            *factor = (1.0 + std * stream.normal(index)).max(0.0);
        }
    })
}

fn channel_dropout(planes: Tensor<4>, rate: f32, samples: &Samples) -> Tensor<4> {
    per_channel(planes, samples, |stream, first, factors| {
        // The highest draw is kept if nothing else is.
        let (mut highest, mut kept) = (-1.0, 0);
        for (channel, (index, factor)) in (first..).zip(&mut *factors).enumerate() {
            let uniform = stream.uniform(index);
            *factor = f32::from(uniform >= rate);
            if uniform > highest {
                (highest, kept) = (uniform, channel);
            }
        }
        factors[kept] = 1.0;
    })
}

/// Multiplies each channel of each sample; `write` fills the factors of a sample, whose draws count from an index on.
fn per_channel(planes: Tensor<4>, samples: &Samples, write: impl Fn(&Stream, u64, &mut [f32])) -> Tensor<4> {
    let [num_replicas, batch, channels, _] = planes.dims();
    let factors = samples.table(channels, |stream, sample, factors| {
        write(stream, sample.place * channels as u64, factors)
    });
    let factors = floats_like(factors, [num_replicas, batch, channels, 1], &planes);
    planes * factors
}

fn jitter(planes: Tensor<4>, std: f32, present: &Tensor<3>, samples: &Samples) -> Tensor<4> {
    let shape @ [num_replicas, batch, channels, length] = planes.dims();
    let per_replica = batch * channels * length;
    let mut noise = vec![0.0f32; num_replicas * per_replica];
    for (noise, draw) in noise.chunks_exact_mut(per_replica.max(1)).zip(samples.draws) {
        random::fill_normal(samples.key(draw), noise);
    }
    let stds = if samples.lengths.is_some() {
        let valid = samples.table(length, |_, sample, values: &mut [f32]| {
            values[..sample.length].fill(std)
        });
        floats_like(valid, [num_replicas, batch, 1, length], &planes)
    } else {
        present.clone().reshape([num_replicas, batch, 1, 1]) * std
    };
    let noise = floats_like(noise, shape, &planes);
    planes + noise * stds
}

/// Values made on the host, with the device, tape and dtype of `like`.
fn floats_like(values: Vec<f32>, shape: [usize; 4], like: &Tensor<4>) -> Tensor<4> {
    Tensor::<4>::from_data(TensorData::new(values, shape), &like.device()).cast(like.dtype())
}
