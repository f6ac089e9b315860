//! [`stft`](super::stft) as framing by shifted views and a product with the Fourier matrix.

use super::{StftOptions, StftOutput, StftPadding, Window};
use burn::tensor::{DType, Device, Tensor, TensorData, ops::PadMode};
use std::f64::consts::TAU;

/// The spectrum of checked arguments, reduced to the output asked for.
pub fn stft(x: Tensor<4>, options: &StftOptions) -> Tensor<5> {
    let [replicas, batch, channels, samples] = x.dims();
    let (real, imaginary) = spectrum(x, options);
    let power = real.powi_scalar(2) + imaginary.powi_scalar(2);
    let output = match options.output {
        StftOutput::Power => power,
        // The root has no gradient at 0: take that of a constant there instead of 0 x infinity.
        StftOutput::Magnitude => {
            let zero = power.clone().equal_elem(0.0);
            power.mask_fill(zero.clone(), 1.0).sqrt().mask_fill(zero, 0.0)
        }
        StftOutput::LogPower { floor } => power.clamp_min(floor).log(),
    };
    let (frames, bins) = (options.frames(samples), options.bins());
    output.reshape([replicas, batch, channels, frames, bins]).swap_dims(3, 4)
}

/// The complex spectrum of checked arguments.
pub fn stft_complex(x: Tensor<4>, options: &StftOptions) -> Tensor<6> {
    let [replicas, batch, channels, samples] = x.dims();
    let (real, imaginary) = spectrum(x, options);
    let (frames, bins) = (options.frames(samples), options.bins());
    Tensor::stack::<4>(vec![real, imaginary], 3).reshape([replicas, batch, channels, frames, bins, 2]).swap_dims(3, 4)
}

/// Real and imaginary parts, `[R, B C frames, bins]`.
fn spectrum(x: Tensor<4>, options: &StftOptions) -> (Tensor<3>, Tensor<3>) {
    let replicas = x.dims()[0];
    let bins = options.bins();
    let fourier = fourier_matrix(options, &x.device(), x.dtype()).expand([replicas, options.n_fft, 2 * bins]);
    let spectrum = crate::matmul(frames(x, options), fourier);
    (spectrum.clone().slice_dim(2, 0..bins), spectrum.slice_dim(2, bins..2 * bins))
}

/// `x: [R, B, C, T]` to `[R, B C frames, n_fft]`. Blocks of one hop stand side by side as often as
/// a frame touches one: frames overlap, so this is a copy, but of few and large pieces.
fn frames(x: Tensor<4>, options: &StftOptions) -> Tensor<3> {
    let &StftOptions { n_fft, hop, .. } = options;
    let [replicas, batch, channels, samples] = x.dims();
    if batch * channels == 0 {
        return Tensor::zeros([replicas, 0, n_fft], (&x.device(), x.dtype()));
    }
    let (side, frames) = (options.side(), options.frames(samples));
    let x = match options.padding {
        _ if side == 0 => x,
        StftPadding::Zero => x.pad([(side, side)], PadMode::Constant(0.0)),
        StftPadding::Reflect => x.pad([(side, side)], PadMode::Reflect),
    };
    let len = samples + 2 * side;
    let shifts = n_fft.div_ceil(hop);
    let blocks = frames + shifts - 1;
    let x = if blocks * hop > len {
        x.pad([(0, blocks * hop - len)], PadMode::Constant(0.0))
    } else {
        x.slice_dim(3, 0..blocks * hop)
    };
    let blocks = x.reshape([replicas, batch * channels, blocks, hop]);
    let shifted = (0..shifts).map(|shift| blocks.clone().slice_dim(2, shift..shift + frames)).collect();
    Tensor::cat(shifted, 3).slice_dim(3, 0..n_fft).reshape([replicas, batch * channels * frames, n_fft])
}

/// `[1, n_fft, 2 bins]`: the window times cosines, then the window times negative sines.
fn fourier_matrix(options: &StftOptions, device: &Device, dtype: DType) -> Tensor<3> {
    let (n_fft, bins) = (options.n_fft, options.bins());
    let mut matrix = vec![0.0f64; n_fft * 2 * bins];
    for (sample, row) in matrix.chunks_mut(2 * bins).enumerate() {
        let phase = (TAU * sample as f64 / n_fft as f64).cos();
        let weight = match options.window {
            Window::Hann => 0.5 - 0.5 * phase,
            Window::Hamming => 0.54 - 0.46 * phase,
            Window::Rect => 1.0,
        };
        for bin in 0..bins {
            // Reduced before the division, so that the angle is exact to the last bit.
            let angle = TAU * (bin * sample % n_fft) as f64 / n_fft as f64;
            row[bin] = weight * angle.cos();
            row[bins + bin] = -weight * angle.sin();
        }
    }
    let matrix = TensorData::new(matrix, [1, n_fft, 2 * bins]);
    Tensor::from_data(matrix, (device, dtype))
}
