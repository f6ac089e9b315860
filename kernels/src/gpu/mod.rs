//! Shared parts of the CubeCL paths: packed tensors, the limits of a device, launches that can be read instead of run.
//!
//! Kernels are launched with bounds checks on global memory: a wrong index reads zero or writes nothing, and no launch
//! needs `unsafe`. They use no plane (warp) operations and no atomics, so that the same kernel runs wherever 32 KiB of
//! shared memory are, and sums have one order.

mod grid;
mod kernel;
mod partial_sums;

pub use crate::limits::Limits;
pub(crate) use burn_cubecl::{CubeBackend, tensor::CubeTensor};
pub(crate) use cubecl::{CubeDim, client::Client};
pub(crate) use grid::{grid, linear, spread};
pub(crate) use kernel::tree_sum;
pub(crate) use partial_sums::add_partial_sums;

use burn::backend::{DispatchDevice, TensorMetadata};
use burn::tensor::{Device, Shape};
use burn_cubecl::{kernel::into_contiguous, ops::numeric::empty_device_contiguous_dtype};
use std::cell::RefCell;

/// The tensor in row-major order without gaps (CUDA would otherwise pad rows), as kernels read it.
pub(crate) fn contiguous(x: CubeTensor) -> CubeTensor {
    assert_indexed(&x.shape());
    into_contiguous(x)
}

/// A packed tensor of undefined content, on the device of `like` and of its type, for kernels to write.
pub(crate) fn empty(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    let shape = shape.into();
    assert_indexed(&shape);
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape, like.dtype)
}

/// The second net behind `Problem::is_served`, for callers of the backend operations themselves: an index that does
/// not fit 32 bits would wrap, and read or write a wrong element in silence.
fn assert_indexed(shape: &Shape) {
    assert!(
        Limits::HOPPER.serve(&[shape], &[]),
        "a tensor of shape {shape:?} has more elements than kernels can index"
    );
}

/// The shape as an array.
pub(crate) fn dims<const D: usize>(x: &CubeTensor) -> [usize; D] {
    std::array::from_fn(|i| x.shape()[i])
}

/// Limits of the device of `client`, or those that [`sources`] asks for.
pub(crate) fn limits_of(client: &Client) -> Limits {
    RECORDING.with_borrow(|recording| match recording {
        Some(recording) => recording.limits,
        None => {
            let hardware = &client.properties().hardware;
            Limits {
                shared_bytes: hardware.max_shared_memory_size,
                units: hardware.max_units_per_cube as usize,
                ..Limits::HOPPER
            }
        }
    })
}

/// Limits of a device, if it is one of CubeCL's.
pub(crate) fn limits(device: &Device) -> Option<Limits> {
    match device.clone().inner().as_dispatch() {
        DispatchDevice::Cube(device) => Some(limits_of(&device.client())),
        #[allow(unreachable_patterns)] // without the CPU backend
        _ => None,
    }
}

/// The text of one kernel as it is launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelSource {
    /// The kernel's function in `kernel.rs`.
    pub name: &'static str,
    /// Comptime arguments and the size of a cube, for which it was compiled.
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
        let (client, count, dim): (&$crate::gpu::Client, cubecl::CubeCount, $crate::gpu::CubeDim) =
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
