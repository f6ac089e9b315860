//! Options of the transform, and their checks.

use super::Filterbank;
use crate::error::KernelError;
use std::f64::consts::TAU;
use std::sync::Arc;

/// The weighting of a frame; the named ones periodic, with `phase = 2π i / n_fft`. That of a single sample is 1, as in
/// PyTorch and SciPy.
#[derive(Debug, Clone, PartialEq)]
pub enum Window {
    /// `0.5 - 0.5 cos(phase)`.
    Hann,
    /// `0.54 - 0.46 cos(phase)`.
    Hamming,
    /// Ones.
    Rect,
    /// These weights; fewer than `n_fft` stand in its middle between zeros, as with the `win_length` of `torch.stft`.
    Custom(Arc<[f64]>),
}

impl Window {
    /// The weights of a frame of `n_fft` samples. Those of a named window for a smaller `n_fft` make a
    /// [`Window::Custom`] of that length.
    pub fn weights(&self, n_fft: usize) -> Vec<f64> {
        let raised = |mean: f64| move |i: usize| mean - (1.0 - mean) * (TAU * i as f64 / n_fft as f64).cos();
        match self {
            Self::Hann | Self::Hamming if n_fft == 1 => vec![1.0],
            Self::Hann => (0..n_fft).map(raised(0.5)).collect(),
            Self::Hamming => (0..n_fft).map(raised(0.54)).collect(),
            Self::Rect => vec![1.0; n_fft],
            Self::Custom(weights) => {
                let before = n_fft.saturating_sub(weights.len()) / 2;
                let weights = std::iter::repeat_n(0.0, before).chain(weights.iter().copied());
                weights.chain(std::iter::repeat(0.0)).take(n_fft).collect()
            }
        }
    }
}

/// Continuation of the signal beyond its ends, where frames are centred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StftPadding {
    /// The signal mirrored at its first and last sample.
    Reflect,
    /// Zeros.
    Zero,
}

/// The trend taken out of each frame before it is weighted, as in `scipy.signal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detrend {
    /// Nothing.
    None,
    /// The mean.
    Constant,
    /// The line of least squares.
    Linear,
}

/// The value returned for each complex bin X.
#[derive(Debug, Clone, PartialEq)]
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
    /// `10 log10(max(|X|², floor))`, no gradient below the floor.
    Decibels {
        /// The smallest power that is told apart; above 0.
        floor: f32,
    },
    /// Filtered power, such as a mel spectrogram; the filters take the place of the bins.
    Mel {
        /// The filters.
        filters: Filterbank,
    },
    /// `ln(max(filtered power, floor))`, no gradient below the floor.
    LogMel {
        /// The filters.
        filters: Filterbank,
        /// The smallest filtered power that is told apart; above 0.
        floor: f32,
    },
}

/// How the signal is cut into frames and what is returned of their spectra.
///
/// The default is that of `torch.stft` with a Hann window: 400 samples, hop 100, centred, mirrored; power.
#[derive(Debug, Clone, PartialEq)]
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
    /// The trend taken out of each frame before it is weighted.
    pub detrend: Detrend,
    /// The result of [`stft`](fn@super::stft); the complex transforms ignore it.
    pub output: StftOutput,
}

impl Default for StftOptions {
    fn default() -> Self {
        Self {
            n_fft: 400,
            hop: 100,
            window: Window::Hann,
            center: true,
            padding: StftPadding::Reflect,
            detrend: Detrend::None,
            output: StftOutput::Power,
        }
    }
}

/// [`StftOutput`] in the steps in which it is computed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reduction {
    /// `|X|` instead of `|X|²`.
    pub magnitude: bool,
    pub filters: Option<Filterbank>,
    pub logarithm: Option<Logarithm>,
}

/// `scale ln(max(value, floor))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Logarithm {
    pub floor: f32,
    pub scale: f64,
}

impl StftOutput {
    pub(super) fn reduction(&self) -> Reduction {
        let natural = |floor: f32| Some(Logarithm { floor, scale: 1.0 });
        let (filters, logarithm) = match self {
            Self::Magnitude | Self::Power => (None, None),
            &Self::LogPower { floor } => (None, natural(floor)),
            &Self::Decibels { floor } => (
                None,
                Some(Logarithm {
                    floor,
                    scale: 10.0 / std::f64::consts::LN_10,
                }),
            ),
            Self::Mel { filters } => (Some(filters.clone()), None),
            Self::LogMel { filters, floor } => (Some(filters.clone()), natural(*floor)),
        };
        Reduction {
            magnitude: *self == Self::Magnitude,
            filters,
            logarithm,
        }
    }
}

impl StftOptions {
    /// Frequencies in the spectrum: 0 to half the sampling rate.
    pub fn bins(&self) -> usize {
        self.n_fft / 2 + 1
    }

    /// Rows of the result of [`stft`](fn@super::stft): bins or filters.
    pub fn rows(&self) -> usize {
        match &self.output {
            StftOutput::Mel { filters } | StftOutput::LogMel { filters, .. } => filters.filters(),
            _ => self.bins(),
        }
    }

    /// Frames of a signal of so many samples.
    pub fn frames(&self, samples: usize) -> usize {
        (samples + 2 * self.pad()).saturating_sub(self.n_fft) / self.hop + 1
    }

    /// Samples padded at each end.
    pub(super) fn pad(&self) -> usize {
        if self.center { self.n_fft / 2 } else { 0 }
    }

    pub(super) fn check(&self, op: &'static str, x: [usize; 4]) -> Result<(), KernelError> {
        self.check_frame(op)?;
        let pad = self.pad();
        let mirrored = self.center && self.padding == StftPadding::Reflect;
        if mirrored && pad >= x[3] {
            let problem = format!("mirrors {pad} samples at each end, but x {x:?} has only {}", x[3]);
            return Err(KernelError::option(op, "n_fft", self.n_fft, problem));
        }
        if x[3] + 2 * pad < self.n_fft {
            let problem = format!("is longer than the {} padded samples of x {x:?}", x[3] + 2 * pad);
            return Err(KernelError::option(op, "n_fft", self.n_fft, problem));
        }
        Ok(())
    }

    /// The options that need no signal.
    pub(super) fn check_frame(&self, op: &'static str) -> Result<(), KernelError> {
        for (option, value) in [("n_fft", self.n_fft), ("hop", self.hop)] {
            if value == 0 {
                return Err(KernelError::option(op, option, value, "must be at least 1"));
            }
        }
        if let Window::Custom(weights) = &self.window
            && !(1..=self.n_fft).contains(&weights.len())
        {
            let problem = format!("weights, expected between 1 and the {} samples of a frame", self.n_fft);
            return Err(KernelError::option(op, "window", weights.len(), problem));
        }
        Ok(())
    }

    pub(super) fn check_output(&self, op: &'static str) -> Result<(), KernelError> {
        let Reduction { filters, logarithm, .. } = self.output.reduction();
        if let Some(Logarithm { floor, .. }) = logarithm
            && !(floor > 0.0 && floor.is_finite())
        {
            return Err(KernelError::option(op, "floor", floor, "is not a positive number"));
        }
        if let Some(filters) = filters
            && filters.bins() != self.bins()
        {
            let problem = format!("bins, but n_fft = {} gives {}", self.n_fft, self.bins());
            return Err(KernelError::option(op, "filters", filters.bins(), problem));
        }
        Ok(())
    }
}
