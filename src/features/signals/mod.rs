//! Features of physiological signals: statistics, EMG, EEG, heart, spectra, wavelets and strides.

pub mod eeg;
pub mod emg;
mod extract;
pub mod heart;
pub mod spectrum;
pub mod statistics;
pub mod stride;
pub mod wavelet;

pub(crate) use extract::squared;
pub use extract::{Column, Scratch, SignalFeature, SignalInfo};
