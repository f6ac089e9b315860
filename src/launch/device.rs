//! `--device`: a backend chosen at run time among those compiled in.

use crate::base::{Class, Classified};
use burn::tensor::Device;
#[cfg(feature = "wgpu")]
use burn::tensor::DeviceKind;

/// Devices that the user can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first of cuda, vulkan, wgpu and cpu that is compiled in and there.
    Auto,
    /// NVIDIA GPU.
    Cuda,
    /// Any GPU through Vulkan, SPIR-V shaders.
    Vulkan,
    /// Any GPU through wgpu, WGSL shaders.
    Wgpu,
    /// The processor, all cores.
    Cpu,
}

/// A device that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The backend is a cargo feature that this binary was built without.
    #[error(
        "--device {name}: this binary was built without it\n\
         hint: cargo build --release --features {name}; compiled in: {}", compiled().join(", ")
    )]
    NotCompiled {
        /// As on the command line.
        name: &'static str,
    },
    /// The backend found no such device, or no driver.
    #[error(
        "--device {name}: no such device on this machine ({reason})\n\
         hint: `recoup devices` lists what is there; --device cpu always works"
    )]
    NotThere {
        /// As on the command line.
        name: &'static str,
        /// Reason of the driver.
        reason: String,
    },
}

impl Classified for DeviceError {
    fn class(&self) -> Class {
        Class::Input
    }
}

/// Backends in this binary.
pub fn compiled() -> Vec<&'static str> {
    let mut names = Vec::new();
    if cfg!(feature = "cuda") {
        names.push("cuda");
    }
    if cfg!(feature = "vulkan") {
        names.push("vulkan");
    }
    if cfg!(feature = "wgpu") {
        names.push("wgpu");
    }
    if cfg!(feature = "cpu") {
        names.push("cpu");
    }
    names
}

impl DeviceChoice {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cuda => "cuda",
            Self::Vulkan => "vulkan",
            Self::Wgpu => "wgpu",
            Self::Cpu => "cpu",
        }
    }

    /// Opens the device and tries it with a sum, so that a missing driver is an error here and not a panic later.
    pub fn open(self) -> Result<Device, DeviceError> {
        let name = self.name();
        let constructors = self.constructors();
        let mut reason = None;
        for constructor in constructors {
            match probe(constructor) {
                Ok(device) => return Ok(device),
                Err(problem) => _ = reason.get_or_insert(problem),
            }
        }
        match reason {
            Some(reason) => Err(DeviceError::NotThere { name, reason }),
            None => Err(DeviceError::NotCompiled { name }),
        }
    }

    /// Constructors to try, in this order; none for a backend that is not compiled in.
    fn constructors(self) -> Vec<fn() -> Device> {
        match self {
            // A software Vulkan adapter would come before the processor and be much slower: `auto` takes GPUs only.
            Self::Auto => {
                #[allow(unused_mut)]
                let mut all: Vec<fn() -> Device> = Self::Cuda.constructors();
                #[cfg(feature = "vulkan")]
                all.extend([
                    || Device::vulkan(DeviceKind::DiscreteGpu(0)),
                    || Device::vulkan(DeviceKind::IntegratedGpu(0)),
                ] as [fn() -> Device; 2]);
                #[cfg(feature = "wgpu")]
                all.extend([
                    || Device::wgpu(DeviceKind::DiscreteGpu(0)),
                    || Device::wgpu(DeviceKind::IntegratedGpu(0)),
                ] as [fn() -> Device; 2]);
                all.extend(Self::Cpu.constructors());
                all
            }
            #[cfg(feature = "cuda")]
            Self::Cuda => vec![|| Device::cuda(0usize)],
            #[cfg(feature = "vulkan")]
            Self::Vulkan => vec![|| Device::vulkan(DeviceKind::default())],
            #[cfg(feature = "wgpu")]
            Self::Wgpu => vec![|| Device::wgpu(DeviceKind::default())],
            #[cfg(feature = "cpu")]
            Self::Cpu => vec![Device::flex],
            #[allow(unreachable_patterns)]
            _ => Vec::new(),
        }
    }
}

/// Backends are opened lazily and panic where there is no driver, so a trial runs behind a net, on a thread whose
/// panic message goes nowhere but into the error.
fn probe(constructor: fn() -> Device) -> Result<Device, String> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let tried = std::panic::catch_unwind(move || {
        let device = constructor();
        let ones = burn::tensor::Tensor::<1>::ones([2], &device);
        let sum: Vec<f32> = (ones.clone() + ones)
            .try_into_vec_as()
            .map_err(|error| error.to_string())?;
        if sum == [2.0, 2.0] {
            Ok(device)
        } else {
            Err(format!("1 + 1 gave {sum:?}"))
        }
    });
    std::panic::set_hook(hook);
    tried.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text
            .or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()))
            .unwrap_or_else(|| "the driver panicked".into()))
    })
}
