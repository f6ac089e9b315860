//! Running a plan: here, on one device.

mod ablation;
pub mod device;
mod fitted;
mod life;
pub mod local;
mod predict;
mod recorder;
mod results;
pub mod signals;
pub mod start;

pub use device::{DeviceChoice, DeviceError};
pub use local::{LaunchError, LocalOptions, run};
