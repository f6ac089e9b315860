//! What the CubeCL paths share: packed tensors, the limits of a device, launches that can be read instead of run.
//!
//! Kernels are launched with bounds checks on global memory: a wrong index reads zero or writes nothing, and no launch
//! needs `unsafe`. They use no plane (warp) operations and no atomics, so that the same kernel runs wherever 32 KiB of
//! shared memory are, and sums have one order.

mod kernel;
mod parts;

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
pub(crate) use burn_cubecl::{CubeBackend, tensor::CubeTensor};
use burn_cubecl::{kernel::into_contiguous, ops::numeric::empty_device_contiguous_dtype};
pub(crate) use cubecl::{CubeCount, CubeDim, client::Client};
pub(crate) use kernel::sum_of_team;
pub(crate) use parts::{add_parts, grid};
use std::cell::RefCell;

/// Cubes that one axis of a grid holds.
pub(crate) const MOST_CUBES: usize = 65_535;

/// The tensor in row-major order without gaps (CUDA would otherwise pad rows).
pub(crate) fn contiguous(x: CubeTensor) -> CubeTensor {
    into_contiguous(x)
}

/// A packed tensor of undefined content, where `like` lies and of its type.
pub(crate) fn empty(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape.into(), like.dtype)
}

/// The shape as an array.
pub(crate) fn dims<const D: usize>(x: &CubeTensor) -> [usize; D] {
    std::array::from_fn(|i| x.shape()[i])
}

/// What a kernel may use of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Shared memory of one cube, in bytes.
    pub shared_bytes: usize,
    /// Units (threads) of one cube.
    pub units: usize,
}

impl Limits {
    /// Those of a Hopper GPU under CUDA: what [`sources`] is usually asked for.
    pub const HOPPER: Self = Self {
        shared_bytes: 227 << 10,
        units: 1024,
    };
    /// The least that WebGPU and software Vulkan give.
    pub const SMALLEST: Self = Self {
        shared_bytes: 32 << 10,
        units: 1024,
    };

    /// Those of the device of `client`, or those that [`sources`] asks for.
    pub(crate) fn of(client: &Client) -> Self {
        RECORDING.with_borrow(|recording| match recording {
            Some(recording) => recording.limits,
            None => {
                let hardware = &client.properties().hardware;
                Self {
                    shared_bytes: hardware.max_shared_memory_size,
                    units: hardware.max_units_per_cube as usize,
                }
            }
        })
    }
}

/// The text of one kernel as it is launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelSource {
    /// The kernel's function in `kernel.rs`.
    pub name: &'static str,
    /// What it was compiled for: its comptime arguments and the size of a cube.
    pub options: String,
    /// Shared memory of a cube, in bytes.
    pub shared_bytes: usize,
    /// CUDA C++, as handed to NVRTC.
    pub cuda: String,
    /// WGSL, where it can be expressed.
    pub wgsl: Option<String>,
}

struct Recording {
    limits: Limits,
    sources: Vec<KernelSource>,
}

thread_local! {
    static RECORDING: RefCell<Option<Recording>> = const { RefCell::new(None) };
}

/// The kernels that `work` would launch on a device with these limits, each different text once, in order of launch.
///
/// Nothing is launched: what `work` computes on a CubeCL device is undefined. No GPU is needed, any CubeCL device will
/// do.
pub fn sources(limits: Limits, work: impl FnOnce()) -> Vec<KernelSource> {
    RECORDING.set(Some(Recording {
        limits,
        sources: Vec::new(),
    }));
    work();
    RECORDING.take().map_or_else(Vec::new, |recording| recording.sources)
}

/// Whether launches are read instead of run.
pub(crate) fn is_recording() -> bool {
    RECORDING.with_borrow(Option::is_some)
}

/// Keeps the text of a kernel.
pub(crate) fn record(name: &'static str, kernel: &impl cubecl::CubeKernel) {
    use cubecl::Compiler;
    use cubecl_cpp::shared::{CompilationOptions, CppCompiler};
    let options = kernel.id().stable_format();
    let is_known = |recording: &Recording| recording.sources.iter().any(|source| source.options == options);
    if RECORDING.with_borrow(|recording| recording.as_ref().is_none_or(is_known)) {
        return;
    }
    let compiled = CppCompiler::<cubecl_cpp::target::Cuda>::default()
        .compile(kernel.define(), &CompilationOptions::default())
        .unwrap_or_else(|error| panic!("{name} is no CUDA: {error:?}"));
    #[cfg(feature = "wgpu")]
    let wgsl = cubecl::wgpu::WgslCompiler.compile(kernel.define(), &Default::default());
    #[cfg(feature = "wgpu")]
    let wgsl = wgsl.ok().map(|source| source.to_string());
    #[cfg(not(feature = "wgpu"))]
    let wgsl = None;
    let source = KernelSource {
        name,
        options,
        shared_bytes: compiled.shared_memory_size,
        cuda: compiled.source,
        wgsl,
    };
    RECORDING.with_borrow_mut(|recording| {
        if let Some(recording) = recording {
            recording.sources.push(source);
        }
    });
}

/// `launch!(kernel(client, count, dim; arguments...))`: launches a kernel of `kernel.rs`, or keeps its text.
///
/// Arguments are expressions that may be evaluated once only.
macro_rules! launch {
    ($kernel:ident($client:expr, $count:expr, $dim:expr; $($argument:expr),* $(,)?)) => {{
        let (client, count, dim): (&$crate::gpu::Client, $crate::gpu::CubeCount, $crate::gpu::CubeDim) =
            (&$client, $count, $dim);
        if $crate::gpu::is_recording() {
            let kernel = super::kernel::$kernel::create_dummy_kernel(
                client.properties_shared(),
                client.target_properties_shared(),
                count,
                dim,
                $($argument),*
            );
            $crate::gpu::record(stringify!($kernel), &kernel);
        } else {
            super::kernel::$kernel::launch(client, count, dim, $($argument),*);
        }
    }};
}
pub(crate) use launch;
