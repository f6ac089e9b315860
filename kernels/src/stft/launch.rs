//! CubeCL path of the transform.

use super::fourier::{Fourier, turns};
use super::kernel::{RADICES, Shape};
use super::options::{Logarithm, Reduction};
use super::tape::StftOps;
use super::{Detrend, Plan, StftPadding};
use crate::gpu::{CubeBackend, CubeCount, CubeDim, CubeTensor, Limits, contiguous, dims, empty, launch};
use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device};

/// Most cubes along the second axis of a grid.
const MOST_CUBES: usize = 32_768;
/// Most units of a cube.
const UNITS: usize = 256;
/// Most samples of the gradient of the signal that a cube owns.
const MOST_OWNED: usize = 4096;

/// Whether the kernels can follow a plan on a device; on others than CubeCL's there is nothing to fit.
pub(super) fn fits(device: &Device, plan: &Plan) -> bool {
    match device.clone().inner().as_dispatch() {
        DispatchDevice::Cube(device) => {
            let limits = Limits::of(&device.client());
            let cubes = plan.frames.max(plan.samples);
            shape(plan, &fourier(plan), limits).is_some_and(|shape| cubes / shape.owned.min(shape.lanes) < 65_535)
        }
        _ => true,
    }
}

fn fourier(plan: &Plan) -> Fourier {
    let n_fft = plan.options.n_fft;
    Fourier::new(if n_fft.is_multiple_of(2) { n_fft / 2 } else { n_fft }, &RADICES)
}

/// The most frames side by side whose memory leaves room for two cubes on a multiprocessor, or else that fit at all; the
/// bits of a frame do not depend on it.
fn shape(plan: &Plan, fourier: &Fourier, limits: Limits) -> Option<Shape> {
    let options = &plan.options;
    let mut radices = [1; 16];
    radices
        .get_mut(..fourier.radices.len())?
        .copy_from_slice(&fourier.radices);
    let reduction = plan.reduction.as_ref();
    let of_lanes = |lanes: usize| {
        let smallest = fourier.radices.iter().min().copied().unwrap_or(1);
        let groups = (fourier.len / smallest)
            .next_power_of_two()
            .clamp(1, UNITS.min(limits.units) / lanes);
        let overlapping = options.n_fft.div_ceil(options.hop) - 1;
        let owned = if lanes > overlapping {
            lanes - overlapping
        } else {
            lanes
        } * options.hop;
        Shape {
            n_fft: options.n_fft,
            hop: options.hop,
            side: options.side(),
            reflect: options.center && options.padding == StftPadding::Reflect,
            halved: options.n_fft.is_multiple_of(2),
            points: fourier.points,
            len: fourier.len,
            chirp: fourier.chirp.is_some(),
            radices,
            stages: fourier.radices.len(),
            lanes,
            units: lanes * groups,
            detrend: match options.detrend {
                Detrend::None => 0,
                Detrend::Constant => 1,
                Detrend::Linear => 2,
            },
            complex: reduction.is_none(),
            magnitude: reduction.is_some_and(|reduction| reduction.magnitude),
            logarithm: reduction.is_some_and(|reduction| reduction.logarithm.is_some()),
            filters: reduction
                .and_then(|reduction| reduction.filters.as_ref())
                .map_or(0, |filters| filters.filters()),
            owned: owned.clamp(1, MOST_OWNED),
        }
    };
    let shapes = [32, 16, 8, 4, 2, 1].map(of_lanes);
    let within = |bytes: usize| shapes.into_iter().find(|shape| shape.shared_bytes() <= bytes);
    within(limits.shared_bytes / 2).or_else(|| within(limits.shared_bytes))
}

/// What a launch needs beside its tensors.
struct Job {
    shape: Shape,
    tables: CubeTensor,
    places: CubeTensor,
    /// The floor and the factor of a logarithm.
    logarithm: [f32; 2],
}

impl Job {
    fn new(plan: &Plan, like: &CubeTensor) -> Self {
        let fourier = fourier(plan);
        let shape = shape(plan, &fourier, Limits::of(&like.client)).expect("checked by `fits`");
        let logarithm = match plan.reduction {
            Some(Reduction {
                logarithm: Some(Logarithm { floor, scale }),
                ..
            }) => [floor, scale as f32],
            _ => [1.0; 2],
        };
        let (tables, places) = tables(plan, &fourier);
        let upload = |bytes: Vec<u8>, dtype: DType| {
            let (client, len) = (like.client.clone(), bytes.len() / 4);
            let handle = client.create_from_slice(&bytes);
            CubeTensor::new_contiguous(client, like.device.clone(), [len].into(), handle, dtype)
        };
        let tables = upload(
            tables.iter().flat_map(|value| value.to_ne_bytes()).collect(),
            DType::F32,
        );
        let places = upload(
            places.iter().flat_map(|value| value.to_ne_bytes()).collect(),
            DType::U32,
        );
        Self {
            shape,
            tables,
            places,
            logarithm,
        }
    }

    /// A grid of `groups` cubes for each signal.
    fn count(&self, groups: usize, signals: usize) -> CubeCount {
        let rows = signals.min(MOST_CUBES);
        CubeCount::Static(groups as u32, rows as u32, signals.div_ceil(rows) as u32)
    }
}

/// The constants of the kernels: numbers, in the order of [`Shape`], and the places of bins, filters and their transposes.
fn tables(plan: &Plan, fourier: &Fourier) -> (Vec<f32>, Vec<u32>) {
    let options = &plan.options;
    let mut numbers = fourier.twiddles.as_flattened().to_vec();
    numbers.extend(
        options
            .window
            .weights(options.n_fft)
            .into_iter()
            .map(|weight| weight as f32),
    );
    numbers.extend_from_slice(turns(options.n_fft, fourier.points + 1).as_flattened());
    if let Some(chirp) = &fourier.chirp {
        numbers.extend_from_slice(chirp.wave.as_flattened());
        numbers.extend_from_slice(chirp.spectrum.as_flattened());
    }
    let mut places = fourier.positions.clone();
    if let Some(filters) = plan.reduction.as_ref().and_then(|reduction| reduction.filters.as_ref()) {
        for row in filters.rows().iter().chain(&filters.columns()) {
            places.extend([row.first as u32, row.weights.len() as u32, numbers.len() as u32]);
            numbers.extend(row.weights.iter().map(|&weight| weight as f32));
        }
    }
    (numbers, places)
}

impl StftOps for CubeBackend {
    fn stft_analysis(x: CubeTensor, plan: Plan) -> CubeTensor {
        let x = contiguous(x);
        let [replicas, batch, channels, samples] = dims(&x);
        let job = Job::new(&plan, &x);
        let (shape, frames, signals) = (job.shape, plan.frames, replicas * batch * channels);
        let out = match plan.reduction {
            Some(_) => empty(&x, [replicas, batch, channels, plan.rows(), frames]),
            None => empty(&x, [replicas, batch, channels, plan.rows(), frames, 2]),
        };
        let count = job.count(frames.div_ceil(shape.lanes), signals);
        let client = out.client.clone();
        let ([floor, log_scale], [edge, interior]) = (job.logarithm, plan.scale.map(|factor| factor as f32));
        launch!(stft_analysis(client, count, CubeDim::new_1d(shape.units as u32);
            x.into_buffer_arg(),
            job.tables.into_buffer_arg(),
            job.places.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            samples,
            frames,
            signals,
            floor,
            log_scale,
            edge,
            interior,
            shape,
        ));
        out
    }

    fn stft_synthesis(spectrum: CubeTensor, plan: Plan) -> CubeTensor {
        let spectrum = contiguous(spectrum);
        gradient(spectrum.clone(), spectrum, &plan)
    }

    fn stft_gradient(x: CubeTensor, of_output: CubeTensor, plan: Plan) -> CubeTensor {
        gradient(contiguous(x), contiguous(of_output), &plan)
    }
}

/// The gradient of the signal; of complex spectra it does not depend on `x`, of which then only the first axes matter.
fn gradient(x: CubeTensor, of_output: CubeTensor, plan: &Plan) -> CubeTensor {
    let [replicas, batch, channels] = dims(&x);
    let job = Job::new(plan, &x);
    let (shape, samples, signals) = (job.shape, plan.samples, replicas * batch * channels);
    let out = empty(&x, [replicas, batch, channels, samples]);
    if samples == 0 {
        return out;
    }
    let count = job.count(samples.div_ceil(shape.owned), signals);
    let client = out.client.clone();
    let ([floor, log_scale], [edge, interior]) = (job.logarithm, plan.scale.map(|factor| factor as f32));
    launch!(stft_synthesis(client, count, CubeDim::new_1d(shape.units as u32);
        x.into_buffer_arg(),
        of_output.into_buffer_arg(),
        job.tables.into_buffer_arg(),
        job.places.into_buffer_arg(),
        out.clone().into_buffer_arg(),
        samples,
        plan.frames,
        signals,
        floor,
        log_scale,
        edge,
        interior,
        shape,
    ));
    out
}
