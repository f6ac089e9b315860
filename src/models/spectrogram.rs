//! Log-power spectrogram of a signal and a 2-D CNN over it.

use burn::tensor::Tensor;
use recoup_kernels::{StftOptions, StftOutput, StftPadding, Window, group_norm, stft};
use serde::{Deserialize, Serialize};

use super::cnn::{Cnn, CnnConfig, Dims};
use super::{ConfigProblem, Context, Init, LayoutBuilder, ParamId};

/// Added to the power before its logarithm: silence is finite, and what lies below is noise of the sensor.
const POWER_FLOOR: f32 = 1e-6;

/// Short-time Fourier transform with a periodic Hann window, centred frames and reflected edges, as `torch.stft`'s
/// defaults have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpectrogramConfig {
    /// Samples per frame; also the transform's length.
    pub num_fft: usize,
    /// Samples between frames.
    pub hop: usize,
    /// The network over `[channels, frequency, frame]`.
    pub cnn: CnnConfig,
}

impl SpectrogramConfig {
    fn frames(&self, length: usize) -> usize {
        length / self.hop.max(1) + 1
    }

    /// Reasons why a signal of `length` samples cannot be transformed so.
    pub fn problems(&self, key: &str, length: usize) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        if self.num_fft < 2 || self.hop == 0 {
            problems.push(ConfigProblem {
                key: format!("{key}.num_fft"),
                message: "num_fft must be at least 2 and hop at least 1".into(),
            });
        } else if self.num_fft / 2 >= length {
            problems.push(ConfigProblem {
                key: format!("{key}.num_fft"),
                message: format!(
                    "{} samples cannot be reflected around a window of {length} samples: at most {}",
                    self.num_fft,
                    2 * length.saturating_sub(1)
                ),
            });
        } else {
            let size = [self.num_fft / 2 + 1, self.frames(length)];
            problems.extend(self.cnn.problems(&format!("{key}.cnn"), Dims::Two, size));
        }
        problems
    }
}

/// Spectrogram encoder.
#[derive(Clone, Debug)]
pub struct Spectrogram {
    options: StftOptions,
    gamma: ParamId,
    beta: ParamId,
    cnn: Cnn,
}

impl Spectrogram {
    /// An encoder for `channels` channels.
    pub fn new(layout: &mut LayoutBuilder, config: &SpectrogramConfig, channels: usize) -> Self {
        Self {
            options: StftOptions {
                n_fft: config.num_fft,
                hop: config.hop,
                window: Window::Hann,
                center: true,
                padding: StftPadding::Reflect,
                output: StftOutput::LogPower { floor: POWER_FLOOR },
            },
            gamma: layout.param("norm.weight", &[channels], Init::Constant(1.0)),
            beta: layout.param("norm.bias", &[channels], Init::Constant(0.0)),
            cnn: layout.scope("cnn", |layout| Cnn::new(layout, &config.cnn, Dims::Two, channels)),
        }
    }

    /// `[R, B, C, T] -> [R, B, C, bins, frames]`: natural logarithm of the power.
    pub fn transform(&self, x: Tensor<4>) -> Tensor<5> {
        stft(x, &self.options)
    }

    /// `[R, B, C, T] -> [R, B, F]`. Each channel's spectrogram is brought to mean 0 and deviation 1 within its own
    /// window (log-power has a wide, sensor-dependent offset), with a learned scale and shift.
    pub fn encode(&self, x: Tensor<4>, context: &Context) -> Tensor<3> {
        let spectrogram = self.transform(x);
        let [num_replicas, batch, channels, bins, frames] = spectrogram.dims();
        let normal = group_norm(
            spectrogram.reshape([num_replicas, batch, channels, bins * frames]),
            context.params.get(self.gamma),
            context.params.get(self.beta),
            channels,
            1e-5,
        );
        self.cnn.encode(normal.reshape([num_replicas, batch, channels, bins, frames]), None, context)
    }

    /// Features that [`encode`](Self::encode) gives.
    pub fn output_size(&self, channels: usize) -> usize {
        self.cnn.output_size(channels)
    }
}
