//! Transforms fitted on training subjects.
//!
//! Whatever is fitted here takes a [`TrainFold`](crate::data::split::TrainFold), so a statistic of a validation or
//! test subject cannot be computed by mistake.

mod extract;
pub mod image;
pub mod motion;
mod scaler;
pub mod table;

pub use extract::{Column, Scratch, SignalFeature, SignalInfo};
pub use scaler::Scaler;
