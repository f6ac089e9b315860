//! Running a plan: here, on one device.

pub mod device;
pub mod local;
mod recorder;
pub mod signals;

pub use device::{DeviceChoice, DeviceError};
pub use local::{LaunchError, LocalOptions, run};
