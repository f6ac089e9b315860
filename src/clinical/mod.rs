//! Clinical scores: scales and their ranges, visits from tables in long format, and responders.

mod responder;
mod scales;
mod visits;

pub use responder::{ResponderConfig, Threshold};
pub use scales::{Mcid, Scale, ScalePart};
pub use visits::{Trajectory, VisitsConfig};
