//! Log-power spectrogram of a signal and a 2-D CNN over it.

use std::sync::Arc;

use burn::tensor::Tensor;
use recoup_kernels::random::path_hash;
use recoup_kernels::{StftOptions, StftOutput, StftPadding, Window, group_norm, stft};
use serde::{Deserialize, Serialize};

use super::augment::{MAX_STRETCHES, Samples};
use super::cnn::{Cnn, CnnConfig, Dims};
use super::context::{Context, Draw, Mode};
use super::encode::{Encode, EncoderSettings, wrong_input};
use super::input::InputShape;
use super::params::{Init, LayoutBuilder, ParamId};
use crate::base::Problems;

/// Added to the power before its logarithm: silence is finite, and what lies below is noise of the sensor.
const POWER_FLOOR: f32 = 1e-6;

/// Log-power spectrogram, normalised per channel, and a 2-D CNN over it. The short-time Fourier transform has a periodic
/// Hann window, centred frames and reflected edges, as `torch.stft`'s defaults have it.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `num_fft` | | samples per frame; also the transform's length |
/// | `hop` | | samples between frames |
/// | `cnn` | | the network over `[channels, frequency, frame]`, [`CnnConfig`] |
/// | `mask` | none | stretches hidden in training, [`MaskConfig`] |
///
/// - **Shapes**: `[R, B, T, C]`, all samples of one length, to `[R, B, F]` with F that of the CNN.
/// - **Paper**: Hershey et al. 2017, "CNN architectures for large-scale audio classification",
///   <https://arxiv.org/abs/1609.09430>; masks, Park et al. 2019 (SpecAugment), <https://arxiv.org/abs/1904.08779>.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpectrogramConfig {
    /// Samples per frame; also the transform's length.
    pub num_fft: usize,
    /// Samples between frames.
    pub hop: usize,
    /// The network over `[channels, frequency, frame]`.
    pub cnn: CnnConfig,
    /// Stretches hidden in training; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<MaskConfig>,
}

/// Stretches of frequency and of time that are hidden in training (Park et al. 2019, SpecAugment): the same for all
/// channels of a sample, drawn anew for each sample and step, each of a width uniform from 0 to `share` of the bins or
/// frames, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskConfig {
    /// Widest stretch of frequency, as a share of the bins; 0: none.
    #[serde(default)]
    pub frequency_share: f64,
    /// Widest stretch of time, as a share of the frames; 0: none.
    #[serde(default)]
    pub time_share: f64,
    /// Stretches of each.
    #[serde(default = "one")]
    pub count: usize,
}

fn one() -> usize {
    1
}

impl MaskConfig {
    fn problems(&self, [bins, frames]: [usize; 2]) -> Problems {
        let mut problems = Problems::default();
        let shares = [
            ("frequency_share", self.frequency_share, bins, "bins"),
            ("time_share", self.time_share, frames, "frames"),
        ];
        for (key, share, size, unit) in shares {
            let is_share = (0.0..1.0).contains(&share);
            problems.require(is_share, key, || "must be at least 0 and less than 1");
            let hides_one = share == 0.0 || share * size as f64 >= 1.0;
            problems.require(!is_share || hides_one, key, || {
                format!("is less than one of {size} {unit}")
            });
        }
        let hides_any = self.frequency_share != 0.0 || self.time_share != 0.0;
        problems.require(
            hides_any,
            "frequency_share",
            || "hides nothing: set frequency_share or time_share",
        );
        problems.require_size(self.count, MAX_STRETCHES, "count");
        problems
    }
}

impl SpectrogramConfig {
    fn frames(&self, length: usize) -> usize {
        length / self.hop.max(1) + 1
    }
}

impl EncoderSettings for SpectrogramConfig {
    fn problems(&self, input: InputShape) -> Problems {
        let InputShape::Sequence {
            length, fixed: true, ..
        } = input
        else {
            return wrong_input("a signal at a constant rate", input);
        };
        let mut problems = Problems::default();
        if self.num_fft < 2 || self.hop == 0 {
            problems.add("num_fft", "num_fft must be at least 2 and hop at least 1");
            return problems;
        }
        if self.hop > length {
            problems.add(
                "hop",
                format!("is {}, must be at most the {length} samples of a window", self.hop),
            );
            return problems;
        }
        if self.num_fft / 2 >= length {
            let message = format!(
                "{} samples cannot be reflected around a window of {length} samples: at most {}",
                self.num_fft,
                2 * length.saturating_sub(1)
            );
            problems.add("num_fft", message);
            return problems;
        }
        let size = [self.num_fft / 2 + 1, self.frames(length)];
        problems.extend_below("cnn", self.cnn.block_problems(Dims::Two, size));
        if let Some(mask) = &self.mask {
            problems.extend_below("mask", mask.problems(size));
        }
        problems
    }

    fn activations(&self, input: InputShape) -> f64 {
        let size = [self.num_fft / 2 + 1, self.frames(input.num_positions())];
        let spectrogram = input.num_channels() as f64 * size[0] as f64 * size[1] as f64;
        // The power, its normalisation and, in training, what the mask leaves.
        3.0 * spectrogram + self.cnn.block_activations(Dims::Two, size).0
    }

    fn build(&self, layout: &mut LayoutBuilder, input: InputShape) -> Arc<dyn Encode> {
        Arc::new(Spectrogram::new(layout, self, input.num_channels()))
    }
}

/// Built spectrogram encoder.
#[derive(Clone, Debug)]
struct Spectrogram {
    output_size: usize,
    options: StftOptions,
    gamma: ParamId,
    beta: ParamId,
    cnn: Cnn,
    mask: Option<Mask>,
}

#[derive(Clone, Debug)]
struct Mask {
    config: MaskConfig,
    frequency_path: u64,
    time_path: u64,
}

impl Spectrogram {
    /// An encoder for `channels` channels.
    fn new(layout: &mut LayoutBuilder, config: &SpectrogramConfig, channels: usize) -> Self {
        let (gamma, beta) = (Init::Constant(1.0), Init::Constant(0.0));
        let (gamma, beta) = (
            layout.param("norm.weight", &[channels], gamma),
            layout.param("norm.bias", &[channels], beta),
        );
        let cnn = layout.scope("cnn", |layout| Cnn::new(layout, &config.cnn, Dims::Two, channels));
        Self {
            output_size: cnn.output_size(channels),
            options: StftOptions {
                n_fft: config.num_fft,
                hop: config.hop,
                window: Window::Hann,
                center: true,
                padding: StftPadding::Reflect,
                output: StftOutput::LogPower { floor: POWER_FLOOR },
                ..StftOptions::default()
            },
            gamma,
            beta,
            cnn,
            mask: config.mask.map(|config| Mask {
                config,
                frequency_path: path_hash(&layout.path("spectrogram.frequency-mask")),
                time_path: path_hash(&layout.path("spectrogram.time-mask")),
            }),
        }
    }

    /// `[R, B, C, T] -> [R, B, C, bins, frames]`: natural logarithm of the power.
    fn transform(&self, x: Tensor<4>) -> Tensor<5> {
        stft(x, &self.options)
    }
}

impl Encode for Spectrogram {
    fn output_size(&self) -> usize {
        self.output_size
    }

    /// Each channel's spectrogram is brought to mean 0 and standard deviation 1 within its own window (log-power has a
    /// wide, sensor-dependent offset), with a learned scale and shift.
    fn encode(&self, rows: Tensor<4>, _: Option<&[usize]>, context: &Context) -> Tensor<3> {
        let spectrogram = self.transform(rows.swap_dims(2, 3));
        let [num_replicas, batch, channels, bins, frames] = spectrogram.dims();
        let normal = group_norm(
            spectrogram.reshape([num_replicas, batch, channels, bins * frames]),
            context.params.get(self.gamma),
            context.params.get(self.beta),
            channels,
            1e-5,
        );
        let mut normal = normal.reshape([num_replicas, batch, channels, bins, frames]);
        if let (Some(mask), Mode::Train { draws, .. }) = (&self.mask, &context.mode) {
            let mean = context
                .params
                .get::<2>(self.beta)
                .reshape([num_replicas, 1, channels, 1, 1]);
            normal = mask.hide(normal, mean, draws);
        }
        self.cnn.encode(normal, None, context)
    }

    fn makes_spectrogram(&self) -> bool {
        true
    }

    fn spectrogram(&self, rows: Tensor<4>) -> Option<Tensor<5>> {
        Some(self.transform(rows.swap_dims(2, 3)))
    }
}

impl Mask {
    /// Puts each channel's `mean` `[R, 1, C, 1, 1]`, which is what normalisation leaves of it, in place of the stretches.
    fn hide(&self, x: Tensor<5>, mean: Tensor<5>, draws: &[Draw]) -> Tensor<5> {
        let [num_replicas, batch, _, bins, frames] = x.dims();
        let device = x.device().without_autodiff();
        let kept = |share: f64, path: u64, length: usize| {
            Samples {
                draws,
                path,
                batch,
                length,
                lengths: None,
            }
            .outside_stretches(share, self.config.count, &device)
        };
        let frequency = kept(self.config.frequency_share, self.frequency_path, bins);
        let time = kept(self.config.time_share, self.time_path, frames);
        let kept =
            frequency.reshape([num_replicas, batch, 1, bins, 1]) * time.reshape([num_replicas, batch, 1, 1, frames]);
        let hidden = kept.clone().neg() + 1.0;
        let on_tape = |mask: Tensor<5>| mask.autodiff().cast(x.dtype());
        x.clone() * on_tape(kept) + mean * on_tape(hidden)
    }
}
