//! Operations on sampled signals: resampling, alignment of clocks, filters.

pub mod align;
pub mod filter;
pub mod resample;
pub mod stamps;
