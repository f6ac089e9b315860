//! CubeCL path of the transform.

use super::autodiff::{StftAdjoint, StftOps};
use super::fourier::{Fourier, twiddles};
use super::kernel::{Blueprint, RADICES, StftSizesLaunch, SynthesisInputsLaunch, TablesLaunch};
use super::options::{Logarithm, Reduction};
use super::{Detrend, StftPadding, StftProblem};
use crate::gpu::{CubeBackend, CubeDim, CubeTensor, Limits, contiguous, dims, empty, grid, launch, limits_of, spread};
use crate::limits::{MAX_CUBES, Problem};
use burn::tensor::DType;

/// Units of a cube.
const MAX_UNITS: usize = 256;
/// Samples of the gradient of the signal that a cube owns.
const MAX_OWNED: usize = 4096;

impl Problem for StftProblem {
    fn is_served(&self, limits: Limits) -> bool {
        let Some(plan) = blueprint(self, &fourier(self), limits) else {
            return false;
        };
        let parts = if self.reduction.is_some() { 1 } else { 2 };
        let shapes = [
            &[self.signals, self.samples][..],
            &[self.signals, self.rows(), self.frames, parts],
        ];
        // Positions in the padded signal, and mirrored ones, are signed; the grid holds no signal that is too long.
        const { assert!(2 * MAX_OWNED * MAX_CUBES <= i32::MAX as usize) };
        limits.serve(&shapes, &self.analysis_axes(plan)) && limits.serve(&[], &self.synthesis_axes(plan))
    }
}

impl StftProblem {
    /// A cube for some frames of each signal.
    fn analysis_axes(&self, plan: Blueprint) -> [usize; 3] {
        let [y, z] = spread(self.signals);
        [self.frames.div_ceil(plan.frames_per_cube), y, z]
    }

    /// A cube for a stretch of each signal.
    fn synthesis_axes(&self, plan: Blueprint) -> [usize; 3] {
        let [y, z] = spread(self.signals);
        [self.samples.div_ceil(plan.owned), y, z]
    }

    fn sizes(&self) -> StftSizesLaunch {
        let (floor, log_scale) = match self.reduction {
            Some(Reduction {
                logarithm: Some(Logarithm { floor, scale }),
                ..
            }) => (floor, scale as f32),
            _ => (1.0, 1.0),
        };
        let [edge, interior] = self.scale.map(|factor| factor as f32);
        StftSizesLaunch {
            samples: self.samples,
            frames: self.frames,
            signals: self.signals,
            floor,
            log_scale,
            edge,
            interior,
        }
    }
}

fn fourier(problem: &StftProblem) -> Fourier {
    let n_fft = problem.options.n_fft;
    Fourier::new(if n_fft.is_multiple_of(2) { n_fft / 2 } else { n_fft }, &RADICES)
}

/// The most frames side by side whose memory leaves room for two cubes on a multiprocessor, or else that fit at all; the
/// bits of a frame do not depend on it.
fn blueprint(problem: &StftProblem, fourier: &Fourier, limits: Limits) -> Option<Blueprint> {
    let options = &problem.options;
    let mut radices = [1; 16];
    radices
        .get_mut(..fourier.radices.len())?
        .copy_from_slice(&fourier.radices);
    let reduction = problem.reduction.as_ref();
    let of_lanes = |lanes: usize| {
        let smallest = fourier.radices.iter().min().copied().unwrap_or(1);
        let groups = (fourier.padded_len / smallest)
            .next_power_of_two()
            .clamp(1, MAX_UNITS.min(limits.units) / lanes);
        let overlapping = options.n_fft.div_ceil(options.hop) - 1;
        let owned = if lanes > overlapping {
            lanes - overlapping
        } else {
            lanes
        } * options.hop;
        Blueprint {
            n_fft: options.n_fft,
            hop: options.hop,
            pad: options.pad(),
            reflect: options.center && options.padding == StftPadding::Reflect,
            packs_pairs: options.n_fft.is_multiple_of(2),
            num_points: fourier.num_points,
            padded_len: fourier.padded_len,
            bluestein: fourier.bluestein.is_some(),
            radices,
            stages: fourier.radices.len(),
            frames_per_cube: lanes,
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
            owned: owned.clamp(1, MAX_OWNED),
        }
    };
    let plans = [32, 16, 8, 4, 2, 1].map(of_lanes);
    let within = |bytes: usize| plans.into_iter().find(|plan| plan.shared_bytes() <= bytes);
    within(limits.shared_bytes / 2).or_else(|| within(limits.shared_bytes))
}

/// The blueprint of the kernels on the device of `like`, and their tables there.
fn prepare(problem: &StftProblem, like: &CubeTensor) -> (Blueprint, TablesLaunch) {
    let fourier = fourier(problem);
    let plan = blueprint(problem, &fourier, limits_of(&like.client)).expect("asked before the call");
    let (numbers, places) = tables(problem, &fourier);
    let upload = |bytes: Vec<u8>, dtype: DType| {
        let (client, len) = (like.client.clone(), bytes.len() / 4);
        let handle = client.create_from_slice(&bytes);
        CubeTensor::new_contiguous(client, like.device.clone(), [len].into(), handle, dtype).into_buffer_arg()
    };
    let tables = TablesLaunch {
        numbers: upload(
            numbers.iter().flat_map(|value| value.to_ne_bytes()).collect(),
            DType::F32,
        ),
        places: upload(
            places.iter().flat_map(|value| value.to_ne_bytes()).collect(),
            DType::U32,
        ),
    };
    (plan, tables)
}

/// The constants of the kernels: numbers, in the order of [`Blueprint`], and the places of bins, filters and their transposes.
fn tables(problem: &StftProblem, fourier: &Fourier) -> (Vec<f32>, Vec<u32>) {
    let options = &problem.options;
    let mut numbers = fourier.twiddles.as_flattened().to_vec();
    numbers.extend(
        options
            .window
            .weights(options.n_fft)
            .into_iter()
            .map(|weight| weight as f32),
    );
    numbers.extend_from_slice(twiddles(options.n_fft, fourier.num_points + 1).as_flattened());
    if let Some(bluestein) = &fourier.bluestein {
        numbers.extend_from_slice(bluestein.wave.as_flattened());
        numbers.extend_from_slice(bluestein.spectrum.as_flattened());
    }
    let mut places = fourier.positions.clone();
    if let Some(filters) = problem
        .reduction
        .as_ref()
        .and_then(|reduction| reduction.filters.as_ref())
    {
        for row in filters.rows().iter().chain(&filters.columns()) {
            places.extend([row.first as u32, row.weights.len() as u32, numbers.len() as u32]);
            numbers.extend(row.weights.iter().map(|&weight| weight as f32));
        }
    }
    (numbers, places)
}

impl StftOps for CubeBackend {
    fn stft_analysis(x: CubeTensor, problem: StftProblem) -> CubeTensor {
        let x = contiguous(x);
        let [replicas, batch, channels] = dims(&x);
        let (plan, tables) = prepare(&problem, &x);
        let (rows, frames) = (problem.rows(), problem.frames);
        let out = match problem.reduction {
            Some(_) => empty(&x, [replicas, batch, channels, rows, frames]),
            None => empty(&x, [replicas, batch, channels, rows, frames, 2]),
        };
        let count = grid(problem.analysis_axes(plan));
        let client = out.client.clone();
        launch!(stft_analysis(client, count, CubeDim::new_1d(plan.units as u32);
            x.into_buffer_arg(),
            tables,
            out.clone().into_buffer_arg(),
            problem.sizes(),
            plan,
        ));
        out
    }

    fn stft_synthesis(spectrum: CubeTensor, problem: StftProblem) -> CubeTensor {
        let spectrum = contiguous(spectrum);
        gradient(spectrum.clone(), spectrum, &problem)
    }
}

impl StftAdjoint for CubeBackend {
    fn stft_gradient(x: CubeTensor, of_output: CubeTensor, problem: StftProblem) -> CubeTensor {
        gradient(contiguous(x), contiguous(of_output), &problem)
    }
}

/// The gradient of the signal; of complex spectra it does not depend on `x`, of which then only the first axes matter.
fn gradient(x: CubeTensor, of_output: CubeTensor, problem: &StftProblem) -> CubeTensor {
    let [replicas, batch, channels] = dims(&x);
    let (plan, tables) = prepare(problem, &x);
    let out = empty(&x, [replicas, batch, channels, problem.samples]);
    if problem.samples == 0 {
        return out;
    }
    let count = grid(problem.synthesis_axes(plan));
    let client = out.client.clone();
    let inputs = SynthesisInputsLaunch {
        x: x.into_buffer_arg(),
        gradient: of_output.into_buffer_arg(),
        tables,
    };
    launch!(stft_synthesis(client, count, CubeDim::new_1d(plan.units as u32);
        inputs,
        out.clone().into_buffer_arg(),
        problem.sizes(),
        plan,
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_ELEMENTS;
    use crate::stft::StftOptions;

    #[test]
    fn transforms_are_served_up_to_the_limits() {
        let options = |n_fft, hop| StftOptions {
            n_fft,
            hop,
            ..StftOptions::default()
        };
        let served = |signals, samples, options: &StftOptions, complex: bool| {
            let reduction = (!complex).then(|| options.output.reduction());
            let problem = StftProblem::analysis(options, [1, signals, 1, samples], reduction);
            problem.is_served(Limits::HOPPER)
        };
        // 129 bins of 65536 frames, real or complex.
        let (power, samples) = (options(256, 64), 64 * 65_535);
        let most = MAX_ELEMENTS / (129 * 65_536);
        assert!(served(most, samples, &power, false));
        assert!(!served(most + 1, samples, &power, false));
        assert!(served(most / 2, samples, &power, true));
        assert!(!served(most / 2 + 1, samples, &power, true));
        // Cubes for the stretches of a signal, however few frames there are.
        let sparse = options(16, 1 << 20);
        assert!(served(1, MAX_OWNED * MAX_CUBES, &sparse, false));
        assert!(!served(1, MAX_OWNED * MAX_CUBES + 1, &sparse, false));
        // Signals beyond one axis.
        assert!(served(2 * MAX_CUBES, 16, &options(4, 4), false));
        // Frames that do not fit shared memory.
        assert!(served(1, 1 << 13, &options(1 << 13, 64), false));
        assert!(!served(1, 1 << 17, &options(1 << 17, 64), false));
    }
}
