//! Where the operations are tested.

use burn::tensor::Device;

/// The CPU and, where it is compiled in, a GPU: CUDA's first, or that of wgpu, which may be a software adapter.
pub fn devices() -> Vec<Device> {
    let mut devices = vec![Device::flex()];
    devices.extend(gpu());
    devices
}

#[cfg(feature = "cuda")]
fn gpu() -> Option<Device> {
    Some(Device::cuda(0usize))
}

#[cfg(all(feature = "wgpu", not(feature = "cuda")))]
fn gpu() -> Option<Device> {
    Some(Device::wgpu(burn::tensor::DeviceKind::default()))
}

#[cfg(not(any(feature = "wgpu", feature = "cuda")))]
fn gpu() -> Option<Device> {
    None
}
