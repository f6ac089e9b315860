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
                    for (n, (value, weight)) in frame.iter_mut().zip(&window).enumerate() {
                        *value = weight * sample(signal, start + n as isize, options.padding);
                    }
                    // The buffers are the planner's own, so their lengths fit.
                    let done = transform.process_with_scratch(frame, spectrum, scratch);
                    debug_assert!(done.is_ok());
                    for (bin, value) in spectrum.iter().enumerate() {
                        let power = value.re * value.re + value.im * value.im;
                        output[bin * frames + at] = match options.output {
                            StftOutput::Power => power,
                            StftOutput::Magnitude => power.sqrt(),
                            StftOutput::LogPower { floor } => libm::logf(power.max(floor)),
                        };
                    }
                }
            },
        );
    }
    let output = Tensor::from_data(TensorData::new(output, [replicas, batch, channels, bins, frames]), &device);
    if on_tape { output.autodiff() } else { output }
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
