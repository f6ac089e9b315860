//! Short-time Fourier transform of any frame length, differentiable.

#[cfg(feature = "cpu")]
mod native;
pub mod reference;

use crate::error::{KernelError, or_panic};
use burn::tensor::Tensor;

/// The weighting of a frame; periodic, `2π i / n_fft`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// `0.5 - 0.5 cos`.
    Hann,
    /// `0.54 - 0.46 cos`.
    Hamming,
    /// Ones.
    Rect,
}

/// What stands beyond the ends of the signal when frames are centred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StftPadding {
    /// The signal mirrored at its first and last sample.
    Reflect,
    /// Zeros.
    Zero,
}

/// What is returned of each complex bin X.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StftOutput {
    /// `|X|`; its gradient at X = 0 is taken as 0.
    Magnitude,
    /// `|X|²`.
    Power,
    /// `ln(max(|X|², floor))`, no gradient below the floor.
    LogPower {
        /// The smallest power that is told apart; above 0.
        floor: f32,
    },
}

/// How the signal is cut into frames and what is returned of their spectra.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StftOptions {
    /// Samples in a frame, of any factorisation; the result has `n_fft / 2 + 1` bins.
    pub n_fft: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// The weighting of a frame.
    pub window: Window,
    /// Whether frame `t` is centred on sample `t hop` (the signal is padded by `n_fft / 2` at
    /// both ends) or starts there.
    pub center: bool,
    /// The padding of centred frames.
    pub padding: StftPadding,
    /// What [`stft`] returns; [`stft_complex`] ignores it.
    pub output: StftOutput,
}

impl StftOptions {
    /// Frequencies in the result: 0 to half the sampling rate.
    pub fn bins(&self) -> usize {
        self.n_fft / 2 + 1
    }

    /// Frames of a signal of so many samples.
    pub fn frames(&self, samples: usize) -> usize {
        (samples + 2 * self.side()).saturating_sub(self.n_fft) / self.hop + 1
    }

    /// Samples padded at each end.
    fn side(&self) -> usize {
        if self.center { self.n_fft / 2 } else { 0 }
    }
}

/// `X[bin, frame] = sum over n of window[n] x[frame hop + n] exp(-2πi bin n / n_fft)`, unscaled as
/// in `torch.stft`, reduced to [`StftOptions::output`].
///
/// - **Shapes**: `x: [R, B, C, T]` to `[R, B, C, bins, frames]`, with
///   `frames = (T + padding - n_fft) / hop + 1`.
/// - **Precision**: on the CPU a real-input FFT of each frame, where no gradient is asked for; else a product with the f32
///   Fourier matrix (whose entries are computed in f64).
/// - **Gradient**: of `x`, by the tape.
/// - **Falls back**: to the product, on [`matmul`](fn@crate::matmul), on other devices, for other dtypes, and for signals on
///   the tape.
///
/// # Panics
/// When the options do not fit the signal; see [`try_stft`].
pub fn stft(x: Tensor<4>, options: &StftOptions) -> Tensor<5> {
    or_panic(try_stft(x, options))
}

/// [`stft`], returning an error when the options do not fit the signal.
pub fn try_stft(x: Tensor<4>, options: &StftOptions) -> Result<Tensor<5>, KernelError> {
    if let StftOutput::LogPower { floor } = options.output
        && !(floor > 0.0 && floor.is_finite())
    {
        return Err(KernelError::option("stft", "floor", floor, "is not a positive number"));
    }
    check("stft", x.dims(), options)?;
    #[cfg(feature = "cpu")]
    if crate::runs_natively(&x) && !x.is_tracked() {
        return Ok(native::stft(x, options));
    }
    Ok(reference::stft(x, options))
}

/// The complex spectrum: `x: [R, B, C, T]` to `[R, B, C, bins, frames, 2]` (real, imaginary).
/// The contract of [`stft`] otherwise.
///
/// # Panics
/// When the options do not fit the signal; see [`try_stft_complex`].
pub fn stft_complex(x: Tensor<4>, options: &StftOptions) -> Tensor<6> {
    or_panic(try_stft_complex(x, options))
}

/// [`stft_complex`], returning an error when the options do not fit the signal.
pub fn try_stft_complex(x: Tensor<4>, options: &StftOptions) -> Result<Tensor<6>, KernelError> {
    check("stft_complex", x.dims(), options)?;
    Ok(reference::stft_complex(x, options))
}

fn check(op: &'static str, x: [usize; 4], options: &StftOptions) -> Result<(), KernelError> {
    let &StftOptions { n_fft, hop, .. } = options;
    for (option, value) in [("n_fft", n_fft), ("hop", hop)] {
        if value == 0 {
            return Err(KernelError::option(op, option, value, "must be at least 1"));
        }
    }
    let side = options.side();
    let mirrored = options.center && options.padding == StftPadding::Reflect;
    if mirrored && side >= x[3] {
        let problem = format!("mirrors {side} samples at each end, but x {x:?} has only {}", x[3]);
        return Err(KernelError::option(op, "n_fft", n_fft, problem));
    }
    if x[3] + 2 * side < n_fft {
        let problem = format!("is longer than the {} padded samples of x {x:?}", x[3] + 2 * side);
        return Err(KernelError::option(op, "n_fft", n_fft, problem));
    }
    Ok(())
}
