//! Running a plan: here, on one device.

mod ablation;
mod attempt;
pub mod device;
mod fitted;
pub mod local;
pub mod memory;
mod predict;
mod recorder;
mod results;
pub mod signals;

pub use device::{DeviceChoice, DeviceError};
pub use local::{LaunchError, LocalOptions, run};
