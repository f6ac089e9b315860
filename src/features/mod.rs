//! Features of recordings, and transforms fitted on training subjects.
//!
//! [`set`] computes the tables that an experiment names; the other modules hold what can be computed.
//!
//! Whatever is fitted here takes a [`TrainFold`](crate::data::split::TrainFold), so a statistic of a validation or
//! test subject cannot be computed by mistake.

pub mod eeg;
pub mod emg;
mod extract;
pub mod filter;
pub mod heart;
pub mod image;
pub mod motion;
mod scaler;
pub mod set;
pub mod spectrum;
pub mod statistics;
pub mod stride;
pub mod table;
pub mod wavelet;

pub(crate) use extract::squared;
pub use extract::{Column, Scratch, SignalFeature, SignalInfo};
pub use scaler::Scaler;
