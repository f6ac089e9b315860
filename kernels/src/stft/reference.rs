//! [`stft`](super::stft) as framing by shifted views and a product with the Fourier matrix.

use super::options::{Logarithm, Reduction};
use super::{Detrend, Filterbank, StftOptions, StftPadding, StftProblem};
use burn::tensor::{DType, Device, Tensor, TensorData, ops::PadMode};
use std::f64::consts::TAU;

/// The spectrum of checked arguments, reduced to the output asked for.
pub fn stft(x: Tensor<4>, options: &StftOptions) -> Tensor<5> {
    let [replicas, batch, channels, samples] = x.dims();
    let (real, imaginary) = spectrum(x, options);
    let output = reduce(
        real.powi_scalar(2) + imaginary.powi_scalar(2),
        &options.output.reduction(),
    );
    output
        .reshape([replicas, batch, channels, options.frames(samples), options.rows()])
        .swap_dims(3, 4)
}

/// `[R, B C frames, bins]` of power to `[R, B C frames, rows]`.
fn reduce(
    power: Tensor<3>,
    Reduction {
        magnitude,
        filters,
        logarithm,
    }: &Reduction,
) -> Tensor<3> {
    if *magnitude {
        // The root has no gradient at 0: take that of a constant there instead of 0 x infinity.
        let zero = power.clone().equal_elem(0.0);
        return power.mask_fill(zero.clone(), 1.0).sqrt().mask_fill(zero, 0.0);
    }
    let value = match filters {
        Some(filters) => filter(power, filters),
        None => power,
    };
    match logarithm {
        Some(Logarithm { floor, scale }) => value.clamp_min(*floor).log().mul_scalar(*scale),
        None => value,
    }
}

fn filter(power: Tensor<3>, filters: &Filterbank) -> Tensor<3> {
    let matrix = TensorData::new(filters.matrix(), [1, filters.filters(), filters.bins()]);
    let matrix = Tensor::<3>::from_data(matrix, (&power.device(), power.dtype())).swap_dims(1, 2);
    let replicas = power.dims()[0];
    crate::matmul::matmul(power, matrix.expand([replicas, filters.bins(), filters.filters()]))
}

/// The complex spectrum of checked arguments.
pub fn stft_complex(x: Tensor<4>, options: &StftOptions) -> Tensor<6> {
    let [replicas, batch, channels, samples] = x.dims();
    let (real, imaginary) = spectrum(x, options);
    let (frames, bins) = (options.frames(samples), options.bins());
    Tensor::stack::<4>(vec![real, imaginary], 3)
        .reshape([replicas, batch, channels, frames, bins, 2])
        .swap_dims(3, 4)
}

/// [`istft`](super::istft) of checked arguments.
pub fn istft(spectrum: Tensor<6>, options: &StftOptions, length: Option<usize>) -> Tensor<4> {
    let problem = StftProblem::inverse(options, spectrum.dims(), length);
    let envelope = crate::error::or_panic(problem.inverse_envelope());
    let envelope = TensorData::new(envelope, [1, 1, 1, problem.samples]);
    let envelope = Tensor::from_data(envelope, (&spectrum.device(), spectrum.dtype()));
    synthesis(spectrum, &problem) * envelope
}

/// The adjoint of the complex transform, its bins scaled as planned: frames by the transposed Fourier matrix, cut into
/// blocks of one hop that are shifted and added.
pub(super) fn synthesis(spectrum: Tensor<6>, problem: &StftProblem) -> Tensor<4> {
    let [replicas, batch, channels, bins, frames, _] = spectrum.dims();
    let StftOptions { n_fft, hop, .. } = problem.options;
    let target = (&spectrum.device(), spectrum.dtype());
    if batch * channels == 0 {
        return Tensor::zeros([replicas, batch, channels, problem.samples], target);
    }
    let [edge, interior] = problem.scale;
    let scale: Vec<f64> = (0..bins)
        .map(|bin| if bin == 0 || 2 * bin == n_fft { edge } else { interior })
        .collect();
    let scale = Tensor::from_data(TensorData::new(scale, [1, 1, 1, bins, 1, 1]), target);
    let fourier = fourier_matrix(&problem.options, target.0, target.1).expand([replicas, n_fft, 2 * bins]);
    let spectrum = (spectrum * scale).permute([0, 1, 2, 4, 5, 3]);
    let spectrum = spectrum.reshape([replicas, batch * channels * frames, 2 * bins]);
    let frame = crate::matmul::matmul(spectrum, fourier.swap_dims(1, 2));

    let shifts = n_fft.div_ceil(hop);
    let frame = frame.pad([(0, shifts * hop - n_fft)], PadMode::Constant(0.0));
    let frame = frame.reshape([replicas, batch * channels, frames, shifts, hop]);
    let shifted = (0..shifts).map(|shift| {
        let blocks: Tensor<4> = frame.clone().slice_dim(3, shift..shift + 1).squeeze_dim(3);
        blocks.pad([(shift, shifts - 1 - shift), (0, 0)], PadMode::Constant(0.0))
    });
    let len = (frames + shifts - 1) * hop;
    let signal = shifted
        .reduce(|sum, blocks| sum + blocks)
        .map(|sum| sum.reshape([replicas, batch, channels, len]));
    let signal = signal.unwrap_or_else(|| Tensor::zeros([replicas, batch, channels, len], target));
    let pad = problem.options.pad();
    let signal = signal.pad(
        [(0, (pad + problem.samples).saturating_sub(len))],
        PadMode::Constant(0.0),
    );
    signal.slice_dim(3, pad..pad + problem.samples)
}

/// Real and imaginary parts, `[R, B C frames, bins]`.
fn spectrum(x: Tensor<4>, options: &StftOptions) -> (Tensor<3>, Tensor<3>) {
    let replicas = x.dims()[0];
    let bins = options.bins();
    let fourier = fourier_matrix(options, &x.device(), x.dtype()).expand([replicas, options.n_fft, 2 * bins]);
    let spectrum = crate::matmul::matmul(detrended(frames(x, options), options.detrend), fourier);
    (
        spectrum.clone().slice_dim(2, 0..bins),
        spectrum.slice_dim(2, bins..2 * bins),
    )
}

fn detrended(frames: Tensor<3>, detrend: Detrend) -> Tensor<3> {
    if detrend == Detrend::None {
        return frames;
    }
    let centred = frames.clone() - frames.mean_dim(2);
    let n_fft = centred.dims()[2];
    if detrend == Detrend::Constant || n_fft == 1 {
        return centred;
    }
    let ramp: Vec<f64> = (0..n_fft).map(|i| i as f64 - (n_fft - 1) as f64 / 2.0).collect();
    let square: f64 = ramp.iter().map(|step| step * step).sum();
    let ramp = Tensor::from_data(
        TensorData::new(ramp, [1, 1, n_fft]),
        (&centred.device(), centred.dtype()),
    );
    let slope = (centred.clone() * ramp.clone()).sum_dim(2).div_scalar(square);
    centred - slope * ramp
}

/// `x: [R, B, C, T]` to `[R, B C frames, n_fft]`. Blocks of one hop stand side by side as often as
/// a frame touches one: frames overlap, so this is a copy, but of few and large pieces.
fn frames(x: Tensor<4>, options: &StftOptions) -> Tensor<3> {
    let &StftOptions { n_fft, hop, .. } = options;
    let [replicas, batch, channels, samples] = x.dims();
    if batch * channels == 0 {
        return Tensor::zeros([replicas, 0, n_fft], (&x.device(), x.dtype()));
    }
    let (pad, frames) = (options.pad(), options.frames(samples));
    let x = match options.padding {
        _ if pad == 0 => x,
        StftPadding::Zero => x.pad([(pad, pad)], PadMode::Constant(0.0)),
        StftPadding::Reflect => x.pad([(pad, pad)], PadMode::Reflect),
    };
    let len = samples + 2 * pad;
    let shifts = n_fft.div_ceil(hop);
    let blocks = frames + shifts - 1;
    let x = if blocks * hop > len {
        x.pad([(0, blocks * hop - len)], PadMode::Constant(0.0))
    } else {
        x.slice_dim(3, 0..blocks * hop)
    };
    let blocks = x.reshape([replicas, batch * channels, blocks, hop]);
    let shifted = (0..shifts)
        .map(|shift| blocks.clone().slice_dim(2, shift..shift + frames))
        .collect();
    Tensor::cat(shifted, 3)
        .slice_dim(3, 0..n_fft)
        .reshape([replicas, batch * channels * frames, n_fft])
}

/// `[1, n_fft, 2 bins]`: the window times cosines, then the window times negative sines.
fn fourier_matrix(options: &StftOptions, device: &Device, dtype: DType) -> Tensor<3> {
    let (n_fft, bins) = (options.n_fft, options.bins());
    let mut matrix = vec![0.0f64; n_fft * 2 * bins];
    for (sample, (row, weight)) in matrix
        .chunks_mut(2 * bins)
        .zip(options.window.weights(n_fft))
        .enumerate()
    {
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
