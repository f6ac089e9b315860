//! Features of recordings, and transforms fitted on training subjects.
//!
//! [`tables`] computes the tables that an experiment names; the other modules hold what can be computed.
//!
//! Whatever is fitted here takes a [`TrainFold`](crate::cohort::split::TrainFold), so a statistic of a validation or
//! test subject cannot be computed by mistake.

pub mod image;
pub mod motion;
pub mod signals;
pub mod tables;
pub mod transforms;

pub use transforms::Scaler;
