//! Replicas that fit a device together.

use burn::tensor::Device;

use crate::base::{Class, Classified};
use crate::experiment::{ExperimentPlan, Program};

/// Tensors that are kept for each value a layer puts out: convolution, normalisation, activation, their gradients, and
/// the scratch of the layer in work.
const ACTIVATION_COPIES: f64 = 6.0;

/// Bytes of a number on the device.
const BYTES: f64 = 4.0;

/// Memory that is assumed of a device that does not tell: what a small GPU has.
const DEFAULT_BYTES: u64 = 8 << 30;

/// Share of a GPU's memory that is planned with; the rest is for its driver and for gaps between allocations.
const DEVICE_SHARE: f64 = 0.75;

/// Share of the free memory of the host that is planned with; the rest is for other programs.
const HOST_SHARE: f64 = 0.5;

/// Memory of a device, and how it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceMemory {
    /// All memory of a GPU, in bytes, as its driver tells.
    Device(u64),
    /// Free memory of the host, in bytes: the CPU is the device.
    Host(u64),
    /// Assumed, in bytes, as neither is known.
    Assumed(u64),
}

impl DeviceMemory {
    /// Memory to plan with where no device is there to ask.
    pub const UNKNOWN: Self = Self::Assumed(DEFAULT_BYTES);

    /// Asks the device, or the host where the device is the CPU.
    pub fn of(device: &Device) -> Self {
        let known = match recoup_kernels::device_memory_bytes(device) {
            Some(bytes) => Some(Self::Device(bytes)),
            None if is_cpu(device) => free_host_bytes().map(Self::Host),
            None => None,
        };
        known.unwrap_or(Self::UNKNOWN)
    }

    /// Bytes to plan with.
    pub fn usable_bytes(self) -> f64 {
        match self {
            Self::Device(bytes) | Self::Assumed(bytes) => DEVICE_SHARE * bytes as f64,
            Self::Host(bytes) => HOST_SHARE * bytes as f64,
        }
    }
}

impl std::fmt::Display for DeviceMemory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (bytes, source) = match self {
            Self::Device(bytes) => (bytes, "of the device"),
            Self::Host(bytes) => (bytes, "free on this machine"),
            Self::Assumed(bytes) => (bytes, "assumed, as the device does not tell"),
        };
        let (total, usable) = (Size(*bytes as f64), Size(self.usable_bytes()));
        write!(formatter, "{total} {source}, of which {usable} are planned with")
    }
}

/// A number of bytes in the unit that suits it.
#[derive(Clone, Copy, Debug)]
pub struct Size(pub f64);

impl std::fmt::Display for Size {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let units = ["MiB", "GiB", "TiB", "PiB"];
        let mut value = self.0 / 1_048_576.0;
        let mut unit = 0;
        while value >= 1024.0 && unit + 1 < units.len() {
            value /= 1024.0;
            unit += 1;
        }
        write!(formatter, "{value:.1} {}", units[unit])
    }
}

#[cfg(feature = "cpu")]
fn is_cpu(device: &Device) -> bool {
    *device == Device::flex()
}

#[cfg(not(feature = "cpu"))]
fn is_cpu(_: &Device) -> bool {
    false
}

/// One replica is larger than the device.
#[derive(Debug, thiserror::Error)]
#[error(
    "program {program}: one replica needs about {needed} and the data {data}, but there are {memory}\n\
     hint: make training.batch_size, the windows or the model smaller, or try all the same with --max-replicas 1"
)]
pub struct MemoryError {
    /// Name of the program.
    pub program: String,
    /// Estimate for one replica in training.
    pub needed: Size,
    /// Tables of the data on the device.
    pub data: Size,
    /// Memory that there is.
    pub memory: DeviceMemory,
}

impl Classified for MemoryError {
    fn class(&self) -> Class {
        Class::Input
    }
}

/// Free memory of this machine, where the system tells.
fn free_host_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

/// Estimated bytes of one replica in training: an upper estimate by shapes, nothing is measured.
pub fn bytes_per_replica(program: &Program) -> f64 {
    let config = program.config();
    let activations = config.model.activations(&program.input_shapes());
    // Weights, the best ones, gradient and optimiser state live at once with the weights and state that a step makes.
    let num_slots = config.training.optimizer.optimizer().slot_names().len();
    let weights = (4 + 2 * num_slots) as f64 * program.model().layout().num_params() as f64;
    BYTES * (weights + ACTIVATION_COPIES * activations * config.training.batch_size as f64)
}

/// Bytes of the tables that the programs of a plan hold on the device.
pub fn data_bytes(plan: &ExperimentPlan) -> f64 {
    let table = |program: &Program, modality: usize| {
        let spec = &program.prepared().modalities()[modality];
        BYTES * program.prepared().num_rows(modality) as f64 * spec.num_columns() as f64
    };
    let program = |program: &Program| {
        let sources = program.sources().iter();
        sources.map(|source| table(program, source.modality)).sum::<f64>()
    };
    plan.programs().iter().map(program).sum()
}

/// Replicas of each program of a plan that train together: as many as memory and kernels hold, at most `max_replicas`.
///
/// # Errors
/// Not even one fits, and `max_replicas` does not ask to try.
pub fn group_sizes(
    plan: &ExperimentPlan,
    memory: DeviceMemory,
    max_replicas: Option<usize>,
) -> Result<Vec<usize>, MemoryError> {
    let free = memory.usable_bytes() - data_bytes(plan);
    let size = |program: &Program| {
        let bytes = bytes_per_replica(program);
        let held = recoup_kernels::max_replicas(program.config().training.batch_size).min(program.replicas().len());
        // A float that is negative or too large becomes the nearest integer.
        match max_replicas.unwrap_or((free / bytes) as usize) {
            0 => Err(MemoryError {
                program: program.name().into(),
                needed: Size(bytes),
                data: Size(data_bytes(plan)),
                memory,
            }),
            most => Ok(most.min(held).max(1)),
        }
    };
    plan.programs().iter().map(size).collect()
}
