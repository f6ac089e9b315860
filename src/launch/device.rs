//! `--device`: a backend chosen at run time among those compiled in.

use burn::tensor::Device;

/// What the user can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
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
        /// What the driver said.
        reason: String,
    },
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
        if self == Self::Auto {
            let found =
                [Self::Cuda, Self::Vulkan, Self::Wgpu, Self::Cpu].into_iter().filter_map(|choice| choice.open().ok());
            return found.into_iter().next().ok_or(DeviceError::NotCompiled { name: "cpu" });
        }
        let name = self.name();
        let constructor: fn() -> Device = match self {
            #[cfg(feature = "cuda")]
            Self::Cuda => || Device::cuda(0usize),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => || Device::vulkan(burn::tensor::DeviceKind::default()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => || Device::wgpu(burn::tensor::DeviceKind::default()),
            #[cfg(feature = "cpu")]
            Self::Cpu => Device::flex,
            _ => return Err(DeviceError::NotCompiled { name }),
        };
        probe(constructor).map_err(|reason| DeviceError::NotThere { name, reason })
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
        let sum: Vec<f32> = (ones.clone() + ones).try_into_vec_as().map_err(|error| error.to_string())?;
        if sum == [2.0, 2.0] { Ok(device) } else { Err(format!("1 + 1 gave {sum:?}")) }
    });
    std::panic::set_hook(hook);
    tried.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text
            .or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()))
            .unwrap_or_else(|| "the driver panicked".into()))
    })
}
