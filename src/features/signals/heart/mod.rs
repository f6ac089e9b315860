//! Heart: beats in the electrocardiogram and in the pulse wave, and what their intervals tell.

mod ecg;
mod hrv;
mod intervals;
mod ppg;
mod variability;

pub use ecg::r_peaks;
pub use hrv::Hrv;
pub use intervals::BeatIntervals;
pub use ppg::{Ppg, ratio_of_ratios, systolic_peaks};
pub use variability::{nonlinear, sample_entropy, spectral, time_domain};
