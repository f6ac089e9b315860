//! Memory of devices.

use burn::tensor::Device;

/// All memory of a CubeCL device in bytes, where its driver tells; `None` for the CPU (flex) and for WebGPU.
#[cfg(feature = "cube")]
pub fn device_memory_bytes(device: &Device) -> Option<u64> {
    use burn::backend::DispatchDevice;
    match device.clone().inner().as_dispatch() {
        DispatchDevice::Cube(device) => device.client().properties().memory.max_memory(),
        #[allow(unreachable_patterns)] // The CPU is a feature.
        _ => None,
    }
}

/// All memory of a CubeCL device in bytes: no such device is compiled in.
#[cfg(not(feature = "cube"))]
pub fn device_memory_bytes(_: &Device) -> Option<u64> {
    None
}
