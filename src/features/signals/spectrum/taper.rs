//! Tapers of frames, and the buffers of their transforms.

use std::collections::HashMap;
use std::f64::consts::PI;
use std::sync::Arc;

use realfft::num_complex::Complex64;
use serde::{Deserialize, Serialize};

/// Weights of the samples of a frame; periodic, as SciPy's `get_window` returns them:
/// `w[n] = sum_k a_k (-1)^k cos(2 pi k n / N)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taper {
    /// `a = 0.5, 0.5`.
    #[default]
    Hann,
    /// `a = 0.54, 0.46`.
    Hamming,
    /// `a = 0.42, 0.5, 0.08`.
    Blackman,
    /// All 1.
    Boxcar,
}

impl Taper {
    /// The weights of a frame of this length.
    pub fn weights(self, len: usize) -> Vec<f64> {
        let terms: &[f64] = match self {
            Self::Hann => &[0.5, 0.5],
            Self::Hamming => &[0.54, 0.46],
            Self::Blackman => &[0.42, 0.5, 0.08],
            Self::Boxcar => &[1.0],
        };
        if len == 1 {
            return vec![1.0];
        }
        let weight = |n: usize| {
            let angle = 2.0 * PI * n as f64 / len as f64 - PI;
            terms
                .iter()
                .enumerate()
                .map(|(k, a)| a * (k as f64 * angle).cos())
                .sum()
        };
        (0..len).map(weight).collect()
    }
}

/// Tapers and buffers that are kept between windows.
#[derive(Default)]
pub struct Buffers {
    tapers: HashMap<(Taper, usize), Arc<[f64]>>,
    pub(super) frame: Vec<f64>,
    pub(super) transform: Vec<Complex64>,
    pub(super) work: Vec<Complex64>,
}

impl Buffers {
    pub(super) fn taper(&mut self, taper: Taper, len: usize) -> Arc<[f64]> {
        self.tapers
            .entry((taper, len))
            .or_insert_with(|| taper.weights(len).into())
            .clone()
    }
}
