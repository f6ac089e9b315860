//! Triangular filters over the bins of a power spectrum, kept sparse.

use crate::error::KernelError;
use std::sync::Arc;

/// The scale on which the centres of mel filters are evenly spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MelScale {
    /// Linear below 1 kHz, logarithmic above (Slaney's Auditory Toolbox; the default of librosa).
    Slaney,
    /// `2595 log10(1 + f / 700)` (the default of torchaudio).
    Htk,
}

impl MelScale {
    /// Hz of the break of [`MelScale::Slaney`], its mel, and the logarithmic step above it.
    const BREAK: (f64, f64) = (1000.0, 15.0);

    fn step() -> f64 {
        6.4f64.ln() / 27.0
    }

    fn mel(self, hz: f64) -> f64 {
        let (break_hz, break_mel) = Self::BREAK;
        match self {
            Self::Htk => 2595.0 * (hz / 700.0).ln_1p() / std::f64::consts::LN_10,
            Self::Slaney if hz < break_hz => hz * break_mel / break_hz,
            Self::Slaney => break_mel + (hz / break_hz).ln() / Self::step(),
        }
    }

    fn hz(self, mel: f64) -> f64 {
        let (break_hz, break_mel) = Self::BREAK;
        match self {
            Self::Htk => 700.0 * (mel * std::f64::consts::LN_10 / 2595.0).exp_m1(),
            Self::Slaney if mel < break_mel => mel * break_hz / break_mel,
            Self::Slaney => break_hz * ((mel - break_mel) * Self::step()).exp(),
        }
    }
}

/// Mel filters: triangles that reach from the centre of one neighbour to that of the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MelOptions {
    /// Number of filters.
    pub filters: usize,
    /// Samples per second of the signal.
    pub sample_rate_hz: f64,
    /// Samples in a frame; see [`StftOptions::n_fft`](super::StftOptions::n_fft).
    pub n_fft: usize,
    /// Where the first triangle begins.
    pub min_hz: f64,
    /// Where the last triangle ends; at most half the sampling rate.
    pub max_hz: f64,
    /// The spacing of the centres.
    pub scale: MelScale,
    /// Whether each triangle has an area of 1 over Hz (`norm="slaney"` of librosa and torchaudio) instead of a height of 1.
    pub unit_area: bool,
}

/// Weighted sums of neighbouring bins: row `m` is `sum over i of weights[m][i] p[first[m] + i]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Filterbank {
    bins: usize,
    rows: Arc<[Row]>,
}

/// The bins of one filter (or, transposed, the filters of one bin).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub first: usize,
    pub weights: Vec<f64>,
}

impl Filterbank {
    /// Filters over `bins` bins, each as its first bin and the weights from there on.
    pub fn new(bins: usize, filters: Vec<(usize, Vec<f64>)>) -> Result<Self, KernelError> {
        for (filter, (first, weights)) in filters.iter().enumerate() {
            let end = first.saturating_add(weights.len());
            if end > bins {
                let problem = format!("ends at bin {end} of {bins}");
                return Err(KernelError::option("filterbank", "filter", filter, problem));
            }
            if weights.iter().any(|weight| !weight.is_finite()) {
                return Err(KernelError::option(
                    "filterbank",
                    "filter",
                    filter,
                    "has a weight that is no finite number",
                ));
            }
        }
        if filters.is_empty() {
            return Err(KernelError::option("filterbank", "filters", 0, "must be at least 1"));
        }
        let rows = filters
            .into_iter()
            .map(|(first, weights)| Row { first, weights })
            .collect();
        Ok(Self { bins, rows })
    }

    /// The filters of `librosa.filters.mel` and of `torchaudio.functional.melscale_fbanks`. A filter narrower than the
    /// distance of two bins may hold none of them; it then gives 0.
    pub fn mel(options: &MelOptions) -> Result<Self, KernelError> {
        let &MelOptions {
            filters,
            sample_rate_hz,
            n_fft,
            min_hz,
            max_hz,
            scale,
            unit_area,
        } = options;
        let refuse = |option, value: f64, problem: &str| Err(KernelError::option("filterbank", option, value, problem));
        if !(sample_rate_hz > 0.0 && sample_rate_hz.is_finite()) {
            return refuse("sample_rate_hz", sample_rate_hz, "is not a positive number");
        }
        if !(0.0..=sample_rate_hz / 2.0).contains(&max_hz) {
            return refuse("max_hz", max_hz, "is not between 0 and half the sampling rate");
        }
        if !(0.0..max_hz).contains(&min_hz) {
            return refuse("min_hz", min_hz, "is not between 0 and max_hz");
        }
        if n_fft == 0 {
            return Err(KernelError::option("filterbank", "n_fft", n_fft, "must be at least 1"));
        }
        let (low, high) = (scale.mel(min_hz), scale.mel(max_hz));
        let corner = |index: usize| scale.hz(low + (high - low) * index as f64 / (filters + 1) as f64);
        let bins = n_fft / 2 + 1;
        let rows = (0..filters).map(|filter| {
            let [left, centre, right] = [corner(filter), corner(filter + 1), corner(filter + 2)];
            let height = if unit_area { 2.0 / (right - left) } else { 1.0 };
            let weight = |bin: usize| {
                let hz = bin as f64 * sample_rate_hz / n_fft as f64;
                height
                    * ((hz - left) / (centre - left))
                        .min((right - hz) / (right - centre))
                        .max(0.0)
            };
            let first = (0..bins).find(|&bin| weight(bin) > 0.0).unwrap_or(0);
            (
                first,
                (first..bins).map(weight).take_while(|&weight| weight > 0.0).collect(),
            )
        });
        Self::new(bins, rows.collect())
    }

    /// Number of filters.
    pub fn filters(&self) -> usize {
        self.rows.len()
    }

    /// Number of bins that are filtered.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// The weights as a matrix `[filters, bins]` in row-major order.
    pub fn matrix(&self) -> Vec<f64> {
        let mut matrix = vec![0.0; self.rows.len() * self.bins];
        for (row, out) in self.rows.iter().zip(matrix.chunks_mut(self.bins)) {
            out[row.first..row.first + row.weights.len()].copy_from_slice(&row.weights);
        }
        matrix
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// For each bin the range of filters that hold it, with their weights (0 for one between them that does not).
    pub(super) fn columns(&self) -> Vec<Row> {
        let holds = |row: &Row, bin: usize| bin >= row.first && bin - row.first < row.weights.len();
        (0..self.bins)
            .map(|bin| {
                let held = |row: &&Row| holds(row, bin);
                let first = self.rows.iter().position(|row| held(&row)).unwrap_or(0);
                let end = self
                    .rows
                    .iter()
                    .rposition(|row| held(&row))
                    .map_or(first, |last| last + 1);
                let weight = |row: &Row| {
                    if holds(row, bin) {
                        row.weights[bin - row.first]
                    } else {
                        0.0
                    }
                };
                Row {
                    first,
                    weights: self.rows[first..end].iter().map(weight).collect(),
                }
            })
            .collect()
    }
}
