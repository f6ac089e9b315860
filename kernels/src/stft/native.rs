//! The forward transform on the CPU by real-input FFTs; for signals that need no gradient, which recordings do not.

use super::{StftOptions, StftOutput, StftPadding, Window};
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;
use realfft::RealFftPlanner;
use std::f64::consts::TAU;

/// The spectrum of checked arguments, reduced to the output asked for. One task per signal, so the number of replicas and
/// of threads changes no bits.
pub fn stft(x: Tensor<4>, options: &StftOptions) -> Tensor<5> {
    let [replicas, batch, channels, samples] = x.dims();
    let (on_tape, device) = (x.is_autodiff(), x.device().without_autodiff());
    let (bins, frames) = (options.bins(), options.frames(samples));
    let signals: Vec<f32> = match x.without_autodiff().try_into_vec_as() {
        Ok(signals) => signals,
        Err(error) => panic!("the device failed: {error}"),
    };
    let window = window(options);
    let transform = RealFftPlanner::<f32>::new().plan_fft_forward(options.n_fft);
    let mut output = vec![0.0f32; replicas * batch * channels * bins * frames];
    if samples > 0 && !output.is_empty() {
        output.par_chunks_mut(bins * frames).zip(signals.par_chunks(samples)).for_each_init(
            || (transform.make_input_vec(), transform.make_output_vec(), transform.make_scratch_vec()),
            |(frame, spectrum, scratch), (output, signal)| {
                for at in 0..frames {
                    let start = (at * options.hop) as isize - options.side() as isize;
                    let inside = usize::try_from(start).ok().and_then(|start| signal.get(start..start + options.n_fft));
                    let weighted = frame.iter_mut().zip(&window);
                    match inside {
                        Some(samples) => {
                            weighted.zip(samples).for_each(|((value, weight), sample)| *value = weight * sample);
                        }
                        // Over the edge.
                        None => weighted.zip(start..).for_each(|((value, weight), position)| {
                            *value = weight * sample(signal, position, options.padding);
                        }),
                    }
                    // The buffers are the planner's own, so their lengths fit.
                    let done = transform.process_with_scratch(frame, spectrum, scratch);
                    debug_assert!(done.is_ok());
                    for (bin, value) in spectrum.iter().enumerate() {
                        let power = value.re * value.re + value.im * value.im;
                        output[bin * frames + at] = match options.output {
                            StftOutput::Power => power,
                            StftOutput::Magnitude => power.sqrt(),
                            StftOutput::LogPower { floor } => power.max(floor),
                        };
                    }
                }
                if let StftOutput::LogPower { .. } = options.output {
                    logarithms(output);
                }
            },
        );
    }
    let output = Tensor::from_data(TensorData::new(output, [replicas, batch, channels, bins, frames]), &device);
    if on_tape { output.autodiff() } else { output }
}

/// The natural logarithm of each value, none of them negative.
fn logarithms(values: &mut [f32]) {
    // Without a branch for what is rare, the loop vectorises; the bits of a value are the same in both.
    if values.iter().all(|value| value.is_normal()) {
        values.iter_mut().for_each(|value| *value = ln(*value));
    } else {
        values.iter_mut().for_each(|value| *value = if value.is_normal() { ln(*value) } else { libm::logf(*value) });
    }
}

/// The natural logarithm of a positive normal number, from IEEE additions and products alone: the polynomial of
/// Cephes (Moshier) over \[sqrt(1/2), sqrt(2)).
#[inline(always)]
fn ln(x: f32) -> f32 {
    let exponent = (x.to_bits().wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits()) as i32) >> 23;
    let fraction = f32::from_bits(x.to_bits().wrapping_sub((exponent as u32) << 23)) - 1.0;
    let square = fraction * fraction;
    let p = 7.037_683_6e-2;
    let p = p * fraction - 1.151_461e-1;
    let p = p * fraction + 1.167_699_9e-1;
    let p = p * fraction - 1.242_014_1e-1;
    let p = p * fraction + 1.424_932_3e-1;
    let p = p * fraction - 1.666_805_8e-1;
    let p = p * fraction + 2.000_071_5e-1;
    let p = p * fraction - 2.499_999_4e-1;
    let p = p * fraction + 3.333_333e-1;
    let exponent = exponent as f32;
    // ln 2 in two parts; the first has few bits, so that its multiples are exact.
    let small = p * fraction * square - exponent * 2.121_944_4e-4 - 0.5 * square;
    (fraction + small) + exponent * 0.693_359_4
}

/// The sample at a position before, in or behind the signal; the options are checked, so one reflection is enough.
fn sample(signal: &[f32], position: isize, padding: StftPadding) -> f32 {
    let len = signal.len() as isize;
    let position = match padding {
        StftPadding::Reflect if position < 0 => -position,
        StftPadding::Reflect if position >= len => 2 * (len - 1) - position,
        _ => position,
    };
    usize::try_from(position).ok().and_then(|position| signal.get(position)).copied().unwrap_or(0.0)
}

fn window(options: &StftOptions) -> Vec<f32> {
    let weight = |n: usize| {
        let cosine = (TAU * n as f64 / options.n_fft as f64).cos();
        match options.window {
            Window::Hann => 0.5 - 0.5 * cosine,
            Window::Hamming => 0.54 - 0.46 * cosine,
            Window::Rect => 1.0,
        }
    };
    (0..options.n_fft).map(|n| weight(n) as f32).collect()
}

#[cfg(test)]
mod tests {
    /// Against f64 over all exponents; around 1, where the logarithm is 0, by absolute error.
    #[test]
    fn logarithm_is_close_to_f64() {
        for bits in (f32::MIN_POSITIVE.to_bits()..f32::INFINITY.to_bits()).step_by(9973) {
            let x = f32::from_bits(bits);
            let expected = f64::from(x).ln();
            let error = (f64::from(super::ln(x)) - expected).abs() / expected.abs().max(0.5);
            assert!(error < 1.5e-7, "ln({x:e}): error {error:e}");
        }
        let mut rare = [0.0, f32::INFINITY, 1e-40, 1.0];
        super::logarithms(&mut rare);
        assert_eq!(rare[..2], [f32::NEG_INFINITY, f32::INFINITY]);
        assert!((rare[2] + 92.1034).abs() < 1e-3 && rare[3] == 0.0);
    }
}
