//! Cuts a signal into tapered frames and transforms them.

use realfft::num_complex::Complex64;
use serde::{Deserialize, Serialize};

use super::taper::{Buffers, Taper};
use crate::features::signals::Scratch;
use crate::signal::sums::sum;

/// Trend that is subtracted from a frame before it is tapered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detrend {
    /// Nothing.
    None,
    /// Mean of the frame.
    #[default]
    Constant,
    /// Least-squares line through the frame.
    Linear,
}

/// Which frames a signal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edges {
    /// The first begins at the first sample, and all lie within the signal.
    #[default]
    Inside,
    /// Every frame that touches the signal with a sample of non-zero weight, frame 0 centred on the first sample, with
    /// zeros around the signal: the frames of `scipy.signal.ShortTimeFFT.stft`.
    Zero,
}

/// How a signal is cut into frames for a short-time Fourier transform.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frames {
    /// Samples of a frame, and the length of the transform.
    pub len: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Weights.
    pub taper: Taper,
    /// Subtracted first.
    pub detrend: Detrend,
    /// Which frames.
    pub edges: Edges,
}

impl Frames {
    /// Where frames begin, relative to the first sample.
    fn starts(&self, num_samples: usize) -> impl Iterator<Item = isize> + use<> {
        let (len, hop, num_samples) = (self.len as isize, self.hop.max(1) as isize, num_samples as isize);
        let (first, end) = match self.edges {
            Edges::Inside => (0, num_samples - len + 1),
            // Frame 0 begins half a frame early; the weight of the first sample of a Hann frame is 0.
            Edges::Zero => {
                let earlier = (len - 1 - len / 2).div_euclid(hop) * hop;
                (
                    -(len / 2) - earlier,
                    num_samples - isize::from(self.taper == Taper::Hann),
                )
            }
        };
        (first..end).step_by(hop as usize)
    }

    /// `[frame]` of one-sided transforms `X[m, k] = sum_n x[s_m + n] w[n] exp(-2 pi i k n / N)` without scaling, the
    /// phase counted from the frame's first sample (`ShortTimeFFT` with `phase_shift=None`), handed to `visit` one by
    /// one.
    pub fn transform(&self, samples: &[f64], scratch: &mut Scratch, mut visit: impl FnMut(&[Complex64])) {
        if self.len == 0 {
            return;
        }
        let plan = scratch.fourier.plan_fft_forward(self.len);
        let buffers = &mut scratch.spectrum;
        let taper = buffers.taper(self.taper, self.len);
        let Buffers {
            frame, transform, work, ..
        } = buffers;
        frame.resize(self.len, 0.0);
        transform.resize(self.len / 2 + 1, Complex64::ZERO);
        work.resize(plan.get_scratch_len(), Complex64::ZERO);
        for start in self.starts(samples.len()) {
            let before = start.min(0).unsigned_abs().min(self.len);
            let source = samples.get(start.max(0) as usize..).unwrap_or_default();
            let source = &source[..source.len().min(self.len - before)];
            frame[..before].fill(0.0);
            frame[before..before + source.len()].copy_from_slice(source);
            frame[before + source.len()..].fill(0.0);
            self.detrend.apply(frame);
            frame.iter_mut().zip(taper.iter()).for_each(|(x, weight)| *x *= weight);
            if plan.process_with_scratch(frame, transform, work).is_ok() {
                visit(transform);
            }
        }
    }
}

impl Detrend {
    fn apply(self, frame: &mut [f64]) {
        if self == Self::None {
            return;
        }
        let count = frame.len() as f64;
        let mean = sum(frame, |x| x) / count;
        match self {
            Self::None => {}
            Self::Constant => frame.iter_mut().for_each(|x| *x -= mean),
            Self::Linear => {
                let middle = (count - 1.0) / 2.0;
                let moment: f64 = frame
                    .iter()
                    .enumerate()
                    .map(|(n, x)| (n as f64 - middle) * (x - mean))
                    .sum();
                let slope = if frame.len() > 1 {
                    moment / (count * (count * count - 1.0) / 12.0)
                } else {
                    0.0
                };
                frame
                    .iter_mut()
                    .enumerate()
                    .for_each(|(n, x)| *x -= mean + slope * (n as f64 - middle));
            }
        }
    }
}
