//! Transforms fitted on training subjects.
//!
//! Whatever is fitted here takes a [`TrainFold`](crate::data::split::TrainFold), so a statistic of a validation or
//! test subject cannot be computed by mistake.

pub mod eeg;
pub mod emg;
mod extract;
pub mod filter;
pub mod heart;
mod scaler;
pub mod spectrum;
pub mod statistics;
pub mod stride;
pub mod wavelet;

pub(crate) use extract::squared;
pub use extract::{Column, Scratch, SignalFeature, SignalInfo};
pub use scaler::Scaler;
