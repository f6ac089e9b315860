//! The spectrogram of a signal: the power of overlapping windows, averaged in every column of pixels.

use realfft::RealFftPlanner;

use super::super::axes::{Axes, Axis};
use super::super::canvas::{Align, Area, BLACK, Canvas, HEADING, LIGHT_GRAY};
use super::super::spectrogram::Spectrogram;
use super::Panel;
use super::span::Span;
use recoup_formats::SignalChannel;

/// Frames that are kept, each the mean of successive windows.
const MAX_FRAMES: usize = 1000;
/// Range of the colours below the largest value; smaller values are drawn as its end.
const RANGE_DB: f64 = 80.0;
/// Fewer frames look like blocks.
const MIN_FRAMES: usize = 300;
const MIN_FFT: usize = 16;
const MAX_FFT: usize = 4096;

pub(super) struct Spectrum {
    title: String,
    value_label: String,
    /// `[bins, frames]` in decibels.
    values: Vec<f32>,
    num_bins: usize,
    num_frames: usize,
    nyquist_hz: f64,
    /// The time that the frames cover.
    covered: Span,
    span: Span,
    left: f64,
    right: f64,
}

impl Spectrum {
    /// Windows of about a second, a power of two of samples, but an eighth of the signal at most; `None` for a signal
    /// without eight windows of 16 samples or without any whole one.
    pub(super) fn new(channel: &SignalChannel, span: Span, left: f64, right: f64) -> Option<Self> {
        let (first, values) = span.cut(&channel.values, channel.rate_hz);
        let num_fft = (channel.rate_hz.min(MAX_FFT as f64) as usize).next_power_of_two();
        let most = if values.len() < 8 * MIN_FFT {
            0
        } else {
            1 << (values.len() / 8).ilog2()
        };
        let num_fft = num_fft.clamp(64, MAX_FFT).min(most);
        if num_fft < MIN_FFT {
            return None;
        }
        let hop = hop(num_fft, values.len());
        let num_windows = (values.len() - num_fft) / hop + 1;
        let num_frames = num_windows.min(MAX_FRAMES);
        let secs = |sample: usize| sample as f64 / channel.rate_hz;
        // Each window stands for the samples around its centre that are nearer to it than to the next.
        let covered = Span {
            start_secs: secs(first + (num_fft - hop) / 2).max(span.start_secs),
            end_secs: secs(first + (num_fft - hop) / 2 + num_windows * hop).min(span.end_secs),
        };
        let power = mean_power(values, channel.rate_hz, num_fft, num_frames)?;
        let decibels: Vec<f64> = power.iter().map(|&power| 10.0 * power.log10()).collect();
        let top = decibels
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .reduce(f64::max)?;
        // A frame without a whole window stays NaN; no power at all is the floor.
        let floor = top - RANGE_DB;
        let values = decibels.iter().map(|&value| {
            if value.is_nan() {
                f32::NAN
            } else {
                value.max(floor) as f32
            }
        });
        let unit = if channel.unit == "1" {
            String::new()
        } else {
            format!("{}^2", channel.unit)
        };
        Some(Self {
            title: format!("spectrogram of {}, windows of {num_fft} samples (Hann)", channel.name),
            value_label: if unit.is_empty() {
                "power [dB re 1/Hz]".into()
            } else {
                format!("power [dB re {unit}/Hz]")
            },
            values: values.collect(),
            num_bins: num_fft / 2 + 1,
            num_frames,
            nyquist_hz: channel.rate_hz / 2.0,
            covered,
            span,
            left,
            right,
        })
    }
}

/// Half a window, or less of it down to an eighth where the signal has few windows.
fn hop(num_fft: usize, num_samples: usize) -> usize {
    let is_enough = |&share: &usize| num_samples / (num_fft / share) >= MIN_FRAMES;
    num_fft / [2, 4].into_iter().find(is_enough).unwrap_or(8)
}

/// One-sided power spectral density `2 |sum w (x - mean(x)) e^(-i..)|^2 / (rate sum w^2)` (bins 0 and Nyquist once) of Hann
/// windows [`hop`] samples apart, of `num_frames` equal groups of successive windows the mean; `[bins, frames]`,
/// NaN where no window is finite.
fn mean_power(values: &[f32], rate_hz: f64, num_fft: usize, num_frames: usize) -> Option<Vec<f64>> {
    let fft = RealFftPlanner::<f64>::new().plan_fft_forward(num_fft);
    let (mut input, mut output, mut scratch) = (fft.make_input_vec(), fft.make_output_vec(), fft.make_scratch_vec());
    let turn = std::f64::consts::TAU / num_fft as f64;
    let window: Vec<f64> = (0..num_fft)
        .map(|index| 0.5 - 0.5 * (turn * index as f64).cos())
        .collect();
    let scale = 1.0 / (rate_hz * window.iter().map(|weight| weight * weight).sum::<f64>());
    let num_bins = output.len();
    let mut sums = vec![0.0; num_bins * num_frames];
    let mut counts = vec![0_usize; num_frames];
    let hop = hop(num_fft, values.len());
    let num_windows = (values.len() - num_fft) / hop + 1;
    for index in 0..num_windows {
        let frame = index * num_frames / num_windows;
        let start = index * hop;
        let samples = values.get(start..start + num_fft)?;
        let mean = samples.iter().map(|&value| f64::from(value)).sum::<f64>() / num_fft as f64;
        if !mean.is_finite() {
            continue;
        }
        for ((input, &value), weight) in input.iter_mut().zip(samples).zip(&window) {
            *input = (f64::from(value) - mean) * weight;
        }
        fft.process_with_scratch(&mut input, &mut output, &mut scratch).ok()?;
        for (bin, value) in output.iter().enumerate() {
            let sides = if bin == 0 || bin + 1 == num_bins { 1.0 } else { 2.0 };
            if let Some(sum) = sums.get_mut(bin * num_frames + frame) {
                *sum += sides * scale * value.norm_sqr();
            }
        }
        if let Some(count) = counts.get_mut(frame) {
            *count += 1;
        }
    }
    for row in sums.chunks_exact_mut(num_frames) {
        row.iter_mut()
            .zip(&counts)
            .for_each(|(sum, &count)| *sum /= count as f64);
    }
    Some(sums)
}

impl Panel for Spectrum {
    fn height(&self) -> f64 {
        22.0 + 260.0 + 44.0
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let plot = Area {
            left: area.left + self.left,
            top: area.top + 22.0,
            width: area.width - self.left - self.right,
            height: 260.0,
        };
        canvas.text(&self.title, (plot.left, area.top + 8.0), Align::Left, HEADING, BLACK);
        let (x, label) = self.span.axis();
        let spectrogram = Spectrogram {
            values: &self.values,
            num_bins: self.num_bins,
            num_frames: self.num_frames,
            duration_secs: self.span.secs(),
            nyquist_hz: self.nyquist_hz,
            value_label: &self.value_label,
            title: "",
        };
        let x_of = |secs: f64| plot.left + (secs - self.span.start_secs) / self.span.secs() * plot.width;
        let (left, right) = (x_of(self.covered.start_secs), x_of(self.covered.end_secs));
        canvas.fill(plot, LIGHT_GRAY);
        spectrogram.paint(
            canvas,
            Area {
                left,
                width: right - left,
                ..plot
            },
        );
        spectrogram.draw_axes(
            canvas,
            &Axes {
                area: plot,
                x,
                y: Axis::new(0.0, self.nyquist_hz, 7),
            },
            label,
        );
    }
}
