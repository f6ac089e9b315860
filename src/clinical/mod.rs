//! Clinical scores: scales and their ranges, visits from tables in long format, responders, and slopes over time.

mod mixed;
mod responder;
mod scales;
mod visits;

pub use mixed::{MixedSlope, mixed_slope};
pub use responder::{ResponderConfig, Sensitivity, Threshold};
pub use scales::{Mcid, Scale, ScalePart, barthel_to_20, barthel_to_100};
pub use visits::{Trajectory, VisitsConfig, weekly_minutes};
