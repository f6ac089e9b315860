//! The transform and its inverse against PyTorch, SciPy and librosa (`tests/golden/stft.py`), and the identities of Fourier
//! analysis, on every device.

use crate::cases::{noise, to_vec};
use crate::devices::devices;
use burn::tensor::{DType, Device, Tensor, TensorData};
use recoup_kernels::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Record {
    cases: Vec<Case>,
    banks: Vec<Bank>,
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    parameters: Parameters,
    shape: Vec<usize>,
    x: Vec<f64>,
    y: Vec<f64>,
    seed: Vec<f64>,
    gradient: Vec<f64>,
}

#[derive(Debug, Deserialize)]
struct Parameters {
    n_fft: usize,
    hop: usize,
    window: String,
    window_length: usize,
    center: bool,
    padding: String,
    #[serde(default)]
    detrend: String,
    length: Option<usize>,
}

#[derive(Deserialize)]
struct Bank {
    sample_rate_hz: f64,
    n_fft: usize,
    filters: usize,
    min_hz: f64,
    max_hz: f64,
    scale: String,
    unit_area: bool,
    matrix: Vec<f64>,
}

impl Bank {
    fn filters(&self) -> Filterbank {
        let scale = if self.scale == "htk" {
            MelScale::Htk
        } else {
            MelScale::Slaney
        };
        let &Self {
            sample_rate_hz,
            n_fft,
            filters,
            min_hz,
            max_hz,
            unit_area,
            ..
        } = self;
        Filterbank::mel(&MelOptions {
            filters,
            sample_rate_hz,
            n_fft,
            min_hz,
            max_hz,
            scale,
            unit_area,
        })
        .unwrap()
    }
}

fn record() -> Record {
    serde_json::from_str(include_str!("../golden/stft.json")).unwrap()
}

fn options(p: &Parameters, kind: &str, banks: &[Bank]) -> StftOptions {
    let named = match p.window.as_str() {
        "hann" => Window::Hann,
        "hamming" => Window::Hamming,
        _ => Window::Rect,
    };
    let whole = p.window_length == p.n_fft;
    StftOptions {
        n_fft: p.n_fft,
        hop: p.hop,
        window: if whole {
            named
        } else {
            Window::Custom(named.weights(p.window_length).into())
        },
        center: p.center,
        padding: if p.padding == "reflect" {
            StftPadding::Reflect
        } else {
            StftPadding::Zero
        },
        detrend: match p.detrend.as_str() {
            "constant" => Detrend::Constant,
            "linear" => Detrend::Linear,
            _ => Detrend::None,
        },
        output: match kind {
            "magnitude" => StftOutput::Magnitude,
            "log-power" => StftOutput::LogPower { floor: 1e-3 },
            "decibels" => StftOutput::Decibels { floor: 1e-3 },
            "log-mel" => StftOutput::LogMel {
                filters: banks[0].filters(),
                floor: 1e-2,
            },
            _ => StftOutput::Power,
        },
    }
}

fn flat<const D: usize>(y: Tensor<D>) -> Tensor<1> {
    let len = y.dims().iter().product::<usize>();
    y.reshape([len])
}

/// Values within `tolerance` of the largest.
fn check(name: &str, values: Vec<f64>, expected: &[f64], tolerance: f64) {
    assert_eq!(values.len(), expected.len(), "{name}: length");
    let scale = expected.iter().fold(1.0f64, |scale, x| scale.max(x.abs()));
    for (index, (value, expected)) in values.iter().zip(expected).enumerate() {
        let error = (value - expected).abs() / scale;
        assert!(error <= tolerance, "{name}: [{index}] is {value}, expected {expected}");
    }
}

fn compare(device: &Device, dtype: DType, tolerance: f64) {
    let Record { cases, banks } = record();
    assert_eq!(cases.len(), 22);
    for case in &cases {
        let options = options(&case.parameters, &case.kind, &banks);
        let name = format!("{} {:?} on {device:?}", case.kind, case.parameters);
        let target = device.clone().autodiff();
        let x: Tensor<1> = Tensor::from_data(TensorData::new(case.x.clone(), [case.x.len()]), (&target, dtype));
        let x = x.require_grad();
        let signals = case.shape[0];
        let y = match case.kind.as_str() {
            "inverse" => {
                let shape = [1, signals, 1, case.shape[1], case.shape[2], 2];
                flat(istft(x.clone().reshape(shape), &options, case.parameters.length))
            }
            "complex" => flat(stft_complex(
                x.clone().reshape([1, signals, 1, case.shape[1]]),
                &options,
            )),
            _ => flat(stft(x.clone().reshape([1, signals, 1, case.shape[1]]), &options)),
        };
        check(&name, to_vec(y.clone()), &case.y, tolerance);
        if !case.seed.is_empty() {
            let seed = Tensor::from_data(TensorData::new(case.seed.clone(), [case.seed.len()]), (&target, dtype));
            let gradient = x.grad(&(y * seed).sum().backward()).unwrap();
            check(
                &format!("{name}: gradient"),
                to_vec(gradient),
                &case.gradient,
                tolerance,
            );
        }
    }
}

#[test]
fn stft_matches_pytorch_scipy_and_librosa() {
    for device in devices() {
        compare(&device, DType::F32, 2e-6);
    }
}

#[test]
fn stft_reference_matches_pytorch_scipy_and_librosa() {
    compare(&Device::flex(), DType::F64, 5e-9);
}

#[test]
fn mel_filters_are_those_of_librosa() {
    for bank in record().banks {
        check(&bank.scale, bank.filters().matrix(), &bank.matrix, 1e-8);
    }
}

fn tensor<const D: usize>(salt: u64, dims: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(
        TensorData::new(noise(salt, dims.iter().product()), dims),
        (device, DType::F32),
    )
}

fn dot<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f64 {
    to_vec(a).iter().zip(to_vec(b)).map(|(a, b)| a * b).sum()
}

const SIZES: [usize; 13] = [1, 2, 6, 7, 13, 16, 17, 60, 64, 97, 200, 256, 400];

fn sized(n_fft: usize) -> StftOptions {
    StftOptions {
        n_fft,
        hop: n_fft.div_ceil(4),
        window: Window::Hamming,
        ..StftOptions::default()
    }
}

/// Against f64, for every kind of factorisation.
#[test]
fn every_frame_length_is_transformed() {
    for (device, n_fft) in devices().iter().flat_map(|device| SIZES.map(|n_fft| (device, n_fft))) {
        let (options, shape) = (sized(n_fft), [1, 1, 1, n_fft + 5]);
        let x = tensor(n_fft as u64, shape, device);
        let exact = Tensor::from_data(TensorData::new(to_vec(x.clone()), shape), (&Device::flex(), DType::F64));
        let expected = to_vec(stft::reference::stft_complex(exact, &options));
        check(
            &format!("{n_fft} on {device:?}"),
            to_vec(stft_complex(x, &options)),
            &expected,
            1e-6,
        );
    }
}

/// One frame without window or padding is a plain transform: that of realfft.
#[test]
fn a_frame_is_the_transform_of_realfft() {
    let mut planner = realfft::RealFftPlanner::<f64>::new();
    for (device, n_fft) in devices().iter().flat_map(|device| SIZES.map(|n_fft| (device, n_fft))) {
        let options = StftOptions {
            window: Window::Rect,
            center: false,
            ..sized(n_fft)
        };
        let x = tensor(n_fft as u64, [1, 1, 1, n_fft], device);
        let plan = planner.plan_fft_forward(n_fft);
        let (mut frame, mut spectrum) = (to_vec(x.clone()), plan.make_output_vec());
        plan.process(&mut frame, &mut spectrum).unwrap();
        let expected: Vec<f64> = spectrum.iter().flat_map(|bin| [bin.re, bin.im]).collect();
        check(
            &format!("{n_fft} on {device:?}"),
            to_vec(stft_complex(x, &options)),
            &expected,
            1e-6,
        );
    }
}

#[test]
fn the_inverse_gives_the_signal_back() {
    for (device, n_fft) in devices().iter().flat_map(|device| SIZES.map(|n_fft| (device, n_fft))) {
        let (options, samples) = (sized(n_fft), 3 * n_fft + 1);
        let x = tensor(n_fft as u64, [1, 2, 1, samples], device);
        let back = istft(stft_complex(x.clone(), &options), &options, Some(samples));
        check(&format!("{n_fft} on {device:?}"), to_vec(back), &to_vec(x), 2e-6);
    }
}

/// `<A x, y> = <x, A' y>` of the transform and of its inverse.
#[test]
fn adjoints_pass_the_dot_product_test() {
    for (device, n_fft) in devices().iter().flat_map(|device| SIZES.map(|n_fft| (device, n_fft))) {
        // A line through one or two points leaves nothing of them.
        let trends = if n_fft < 3 {
            &[Detrend::None][..]
        } else {
            &[Detrend::None, Detrend::Linear]
        };
        for &detrend in trends {
            let options = StftOptions {
                detrend,
                ..sized(n_fft)
            };
            let x = tensor(1, [2, 1, 1, 2 * n_fft + 3], &device.clone().autodiff()).require_grad();
            let ax = stft_complex(x.clone(), &options);
            let y = tensor(2, ax.dims(), &device.clone().autodiff());
            let aty = x.grad(&(ax.clone() * y.clone()).sum().backward()).unwrap();
            let (left, right) = (dot(ax.clone(), y.clone()), dot(x.clone().inner(), aty));
            let scale = (dot(ax.clone(), ax.clone()) * dot(y.clone(), y)).sqrt();
            assert!(
                (left - right).abs() <= 1e-6 * scale,
                "{n_fft} {detrend:?} on {device:?}: {left} {right}"
            );
        }
        let options = sized(n_fft);
        let spectrum = tensor(3, [1, 2, 1, options.bins(), 4, 2], &device.clone().autodiff()).require_grad();
        let ax = istft(spectrum.clone(), &options, None);
        let y = tensor(4, ax.dims(), &device.clone().autodiff());
        let aty = spectrum.grad(&(ax.clone() * y.clone()).sum().backward()).unwrap();
        let (left, right) = (dot(ax.clone(), y.clone()), dot(spectrum.clone().inner(), aty));
        let scale = (dot(ax.clone(), ax) * dot(y.clone(), y)).sqrt();
        assert!(
            (left - right).abs() <= 1e-6 * scale,
            "inverse {n_fft} on {device:?}: {left} {right}"
        );
    }
}

/// The energy of a frame is that of its spectrum, where inner bins stand for two.
#[test]
fn energy_is_kept() {
    for (device, n_fft) in devices().iter().flat_map(|device| SIZES.map(|n_fft| (device, n_fft))) {
        let options = StftOptions {
            center: false,
            window: Window::Rect,
            hop: n_fft,
            ..sized(n_fft)
        };
        let x = tensor(5, [1, 1, 1, n_fft], device);
        let power = to_vec(stft(x.clone(), &options));
        let twice = |bin: usize| if bin == 0 || 2 * bin == n_fft { 1.0 } else { 2.0 };
        let energy: f64 = power
            .iter()
            .enumerate()
            .map(|(bin, power)| twice(bin) * power / n_fft as f64)
            .sum();
        let expected = dot(x.clone(), x);
        assert!(
            (energy - expected).abs() <= 1e-6 * expected,
            "{n_fft} on {device:?}: {energy} {expected}"
        );
    }
}
