//! Operations on sampled signals: resampling, alignment of clocks, filters, statistics.

pub mod align;
pub mod filter;
pub mod resample;
pub mod stamps;
pub mod statistics;
pub mod sums;
