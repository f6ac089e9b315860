//! Running a plan: here, on one device.

mod ablation;
mod attempt;
pub mod device;
mod error;
mod fitted;
mod loaded;
pub mod local;
pub mod memory;
mod predict;
mod recorder;
mod results;
pub mod signals;

pub use device::{DeviceChoice, DeviceError};
pub use error::LaunchError;
pub use loaded::LocalOptions;
pub use local::{Outcome, run};
