//! Short-time Fourier transform of any frame length and its inverse, differentiable.

#[cfg(any(feature = "cpu", feature = "cube"))]
pub mod autodiff;
#[cfg(feature = "cpu")]
mod block;
#[cfg(feature = "cpu")]
mod cpu;
mod filterbank;
mod fourier;
#[cfg(feature = "cube")]
mod kernel;
#[cfg(feature = "cpu")]
mod lanes;
#[cfg(feature = "cube")]
mod launch;
#[cfg(feature = "cpu")]
mod logarithm;
mod options;
pub mod reference;

pub use filterbank::{Filterbank, MelOptions, MelScale};
pub use options::{Detrend, StftOptions, StftOutput, StftPadding, Window};

use crate::error::{KernelError, or_panic};
use burn::tensor::{Tensor, TensorData};
use options::Reduction;

/// `X[bin, frame] = sum over n of window[n] x[frame hop + n] exp(-2πi bin n / n_fft)`, unscaled as
/// in `torch.stft`, reduced to [`StftOptions::output`].
///
/// - **Shapes**: `x: [R, B, C, T]` to `[R, B, C, rows, frames]`, with
///   `frames = (T + padding - n_fft) / hop + 1` and as many rows as bins or, for mel outputs, filters.
/// - **Precision**: f32; an FFT of each frame by itself (of half the length where `n_fft` is even), with tables computed
///   in f64. An `n_fft` with a prime factor above 7 (13 on GPUs) takes Bluestein's convolution in place of the transform.
/// - **Gradient**: of `x`. The spectrum is computed again rather than kept; the frames of one sample are added in order.
/// - **Speed**: on GPUs a cube takes up to 32 frames, one to a lane; the signal is read once and the result written once.
///   The kernels were run on a software adapter only: no time was taken on a GPU.
/// - **Falls back**: to a product with the Fourier matrix, on [`matmul`](fn@crate::matmul), for other dtypes and devices,
///   and on GPUs for frames that do not fit shared memory, signals of more than 65535 stretches of a few thousand samples,
///   and spectra beyond 32-bit indices. A reduced-precision result is a cast of this one.
///
/// # Panics
/// When the options do not fit the signal.
pub fn stft(x: Tensor<4>, options: &StftOptions) -> Tensor<5> {
    or_panic(options.check_output("stft"));
    or_panic(options.check("stft", x.dims()));
    #[cfg(any(feature = "cpu", feature = "cube"))]
    {
        let problem = StftProblem::analysis(options, x.dims(), Some(options.output.reduction()));
        if problem.has_kernels(&x) {
            return autodiff::analysis(x, problem);
        }
    }
    reference::stft(x, options)
}

/// The complex spectrum: `x: [R, B, C, T]` to `[R, B, C, bins, frames, 2]` (real, imaginary).
/// The contract of [`stft`] otherwise.
///
/// # Panics
/// When the options do not fit the signal.
pub fn stft_complex(x: Tensor<4>, options: &StftOptions) -> Tensor<6> {
    or_panic(options.check("stft_complex", x.dims()));
    #[cfg(any(feature = "cpu", feature = "cube"))]
    {
        let problem = StftProblem::analysis(options, x.dims(), None);
        if problem.has_kernels(&x) {
            return autodiff::analysis(x, problem);
        }
    }
    reference::stft_complex(x, options)
}

/// The signal whose complex spectrum comes closest to `spectrum` by least squares, as `torch.istft` (Griffin and Lim
/// 1984, equation 6): frames are transformed back, weighted, added where they overlap, and divided by the sum of the
/// squared weights.
///
/// - **Shapes**: `spectrum: [R, B, C, bins, frames, 2]` to `[R, B, C, T]`, with `T = length`, or without one the samples
///   between the paddings. What lies behind the last frame is zero.
/// - **Options**: those of [`stft_complex`]; the padding is cut off whatever it was, and a trend cannot be put back.
/// - **Gradient**: of `spectrum`, by the forward transform.
/// - **Precision** and **fallback**: as [`stft`].
///
/// # Panics
/// When the options do not fit the spectrum or leave samples without weight.
pub fn istft(spectrum: Tensor<6>, options: &StftOptions, length: Option<usize>) -> Tensor<4> {
    or_panic(check_inverse(spectrum.dims(), options));
    let problem = StftProblem::inverse(options, spectrum.dims(), length);
    let envelope = or_panic(problem.inverse_envelope());
    let envelope = TensorData::new(envelope, [1, 1, 1, problem.samples]);
    let envelope = Tensor::from_data(envelope, (&spectrum.device(), spectrum.dtype()));
    #[cfg(any(feature = "cpu", feature = "cube"))]
    if problem.has_kernels(&spectrum) {
        return autodiff::synthesis(spectrum, problem) * envelope;
    }
    reference::synthesis(spectrum, &problem) * envelope
}

fn check_inverse(shape: [usize; 6], options: &StftOptions) -> Result<(), KernelError> {
    options.check_frame("istft")?;
    if shape[3] != options.bins() || shape[5] != 2 || shape[4] == 0 {
        let problem = format!(
            "does not fit spectrum {shape:?}: expected [R, B, C, {}, frames, 2]",
            options.bins()
        );
        return Err(KernelError::option("istft", "n_fft", options.n_fft, problem));
    }
    if options.detrend != Detrend::None {
        return Err(KernelError::option(
            "istft",
            "detrend",
            options.detrend,
            "cannot be undone",
        ));
    }
    Ok(())
}

/// A checked transform of signals of one length: what all its implementations are handed.
#[derive(Debug, Clone)]
pub struct StftProblem {
    options: StftOptions,
    /// Signals of all replicas: R B C.
    #[cfg_attr(not(feature = "cube"), allow(dead_code))]
    signals: usize,
    samples: usize,
    frames: usize,
    /// Reduction of the complex spectrum; without one the spectrum itself is returned.
    reduction: Option<Reduction>,
    /// Factors of complex bins: of 0 and half the sampling rate, and of the others.
    scale: [f64; 2],
}

impl StftProblem {
    #[cfg(any(feature = "cpu", feature = "cube"))]
    fn has_kernels<const D: usize>(&self, x: &Tensor<D>) -> bool {
        x.dims().iter().product::<usize>() > 0 && crate::dispatch::has_kernels(x, self)
    }

    fn analysis(options: &StftOptions, x: [usize; 4], reduction: Option<Reduction>) -> Self {
        let frames = options.frames(x[3]);
        Self {
            options: options.clone(),
            signals: x[0] * x[1] * x[2],
            samples: x[3],
            frames,
            reduction,
            scale: [1.0; 2],
        }
    }

    /// The forward transform whose adjoint gives the inverse. Interior bins count twice, because each stands for a
    /// conjugate pair; the caller divides by the sum of squared weights.
    fn inverse(options: &StftOptions, spectrum: [usize; 6], length: Option<usize>) -> Self {
        let frames = spectrum[4];
        let options = StftOptions {
            padding: StftPadding::Zero,
            ..options.clone()
        };
        let covered = (options.n_fft + (frames - 1) * options.hop).saturating_sub(2 * options.pad());
        let one = 1.0 / options.n_fft as f64;
        Self {
            signals: spectrum[0] * spectrum[1] * spectrum[2],
            samples: length.unwrap_or(covered),
            frames,
            reduction: None,
            scale: [one, 2.0 * one],
            options,
        }
    }

    /// One over the sum of the squared weights of all frames at each sample; 0 behind the last frame.
    fn inverse_envelope(&self) -> Result<Vec<f64>, KernelError> {
        let StftOptions { n_fft, hop, .. } = self.options;
        let mut sums = vec![0.0f64; n_fft + (self.frames - 1) * hop];
        let weights = self.options.window.weights(n_fft);
        for frame in 0..self.frames {
            let covered = sums.iter_mut().skip(frame * hop);
            covered.zip(&weights).for_each(|(sum, weight)| *sum += weight * weight);
        }
        let inner = sums.get(self.options.pad()..).unwrap_or_default();
        // The threshold of torch.istft.
        if let Some(sample) = inner.iter().take(self.samples).position(|&sum| sum < 1e-11) {
            let problem = format!("leaves sample {sample} without weight: the signal cannot be told from the spectrum");
            return Err(KernelError::option("istft", "hop", hop, problem));
        }
        Ok(inner
            .iter()
            .map(|sum| 1.0 / sum)
            .chain(std::iter::repeat(0.0))
            .take(self.samples)
            .collect())
    }

    /// The rows of the result: bins or filters.
    fn rows(&self) -> usize {
        let filters = self.reduction.as_ref().and_then(|reduction| reduction.filters.as_ref());
        filters.map_or(self.options.bins(), Filterbank::filters)
    }
}
