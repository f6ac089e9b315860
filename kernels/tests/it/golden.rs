//! Values and gradients of PyTorch (`tests/golden/torch_ops.py`).
//!
//! Each case runs as the middle one of three replicas whose neighbours hold other numbers, on the
//! CPU paths in f32 and on the reference in f64.

use crate::cases::{noise, to_vec};
use burn::tensor::{DType, Device, Tensor, TensorData};
use recoup_kernels::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Record {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    name: String,
    parameters: serde_json::Value,
    inputs: Vec<Array>,
    outputs: Vec<Array>,
    gradients: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
    #[serde(default)]
    seed: Vec<f64>,
}

#[derive(Deserialize)]
struct ConvParameters {
    stride: Vec<usize>,
    padding: Vec<(usize, usize)>,
    dilation: Vec<usize>,
    groups: usize,
}

#[derive(Deserialize)]
struct LstmParameters {
    lengths: Vec<usize>,
    reverse: bool,
}

#[derive(Deserialize)]
struct NormParameters {
    groups: usize,
    eps: f32,
}

#[derive(Deserialize)]
struct StftParameters {
    n_fft: usize,
    hop: usize,
    window: String,
    center: bool,
    padding: String,
}

impl Case {
    fn parameters<'a, P: Deserialize<'a>>(&'a self) -> P {
        P::deserialize(&self.parameters).unwrap()
    }

    /// Input `index` of the middle replica, as `[3, ...]`.
    fn input<const D: usize>(&self, leaves: &[Tensor<2>], index: usize) -> Tensor<D> {
        let mut dims = [3; D];
        dims[1..].copy_from_slice(&self.inputs[index].shape);
        leaves[index].clone().reshape(dims)
    }

    /// The outputs of the operation, each `[3, values]`.
    fn apply(&self, x: &[Tensor<2>]) -> Vec<Tensor<2>> {
        match self.kind.as_str() {
            "conv1d" => {
                let p: ConvParameters = self.parameters();
                let options = Conv2dOptions {
                    stride: [1, p.stride[0]],
                    padding: [(0, 0), p.padding[0]],
                    dilation: [1, p.dilation[0]],
                    groups: p.groups,
                };
                let (input, filters) = (self.input::<4>(x, 0), self.input::<4>(x, 1));
                let bias = Some(self.input(x, 2));
                vec![flat(conv2d(
                    input.unsqueeze_dim(3),
                    filters.unsqueeze_dim(3),
                    bias,
                    &options,
                ))]
            }
            "conv2d" => {
                let p: ConvParameters = self.parameters();
                let options = Conv2dOptions {
                    stride: p.stride.try_into().unwrap(),
                    padding: p.padding.try_into().unwrap(),
                    dilation: p.dilation.try_into().unwrap(),
                    groups: p.groups,
                };
                let bias = Some(self.input(x, 2));
                vec![flat(conv2d(self.input(x, 0), self.input(x, 1), bias, &options))]
            }
            "lstm" => {
                let p: LstmParameters = self.parameters();
                let weights = LstmWeights {
                    input: self.input(x, 1),
                    hidden: self.input(x, 2),
                    bias: self.input(x, 3),
                };
                let out = lstm(self.input(x, 0), Some(&p.lengths.repeat(3)), &weights, p.reverse);
                vec![flat(out.sequence), flat(out.last_hidden), flat(out.last_cell)]
            }
            "group_norm" => {
                let p: NormParameters = self.parameters();
                let (gamma, beta) = (self.input(x, 1), self.input(x, 2));
                vec![flat(group_norm(self.input(x, 0), gamma, beta, p.groups, p.eps))]
            }
            "stft" => {
                let p: StftParameters = self.parameters();
                vec![flat(stft_complex(self.input(x, 0), &stft_options(&p)))]
            }
            kind => panic!("unknown kind {kind}"),
        }
    }
}

fn stft_options(p: &StftParameters) -> StftOptions {
    StftOptions {
        n_fft: p.n_fft,
        hop: p.hop,
        window: match p.window.as_str() {
            "hann" => Window::Hann,
            "hamming" => Window::Hamming,
            _ => Window::Rect,
        },
        center: p.center,
        padding: match p.padding.as_str() {
            "reflect" => StftPadding::Reflect,
            _ => StftPadding::Zero,
        },
        ..StftOptions::default()
    }
}

pub fn flat<const D: usize>(y: Tensor<D>) -> Tensor<2> {
    let len = y.dims()[1..].iter().product::<usize>();
    y.reshape([3, len])
}

/// `values` as the middle one of three replicas, between two rows of noise.
pub fn between(values: &[f64], salt: u64, device: &Device, dtype: DType) -> Tensor<2> {
    let len = values.len();
    let rows = [noise(salt, len), values.to_vec(), noise(salt + 1, len)];
    Tensor::from_data(TensorData::new(rows.concat(), [3, len]), (device, dtype))
}

/// Compares the middle replica with PyTorch's values, relative to the largest of them or 1.
pub fn check(name: &str, values: Tensor<2>, expected: &[f64], tolerance: f64) {
    let values = to_vec(values.slice_dim(0, 1..2));
    assert_eq!(values.len(), expected.len(), "{name}: length");
    let scale = expected.iter().fold(1.0f64, |scale, x| scale.max(x.abs()));
    for (index, (value, expected)) in values.iter().zip(expected).enumerate() {
        let error = (value - expected).abs() / scale;
        assert!(
            error <= tolerance,
            "{name}: [{index}] is {value}, PyTorch has {expected}"
        );
    }
}

fn run(dtype: DType, tolerance: f64) {
    let record: Record = serde_json::from_str(include_str!("../golden/torch_ops.json")).unwrap();
    assert_eq!(record.cases.len(), 17);
    let device = Device::flex().autodiff();
    for case in record.cases {
        let leaves: Vec<_> = (case.inputs.iter().zip(100..))
            .map(|(input, salt)| between(&input.values, salt, &device, dtype).require_grad())
            .collect();
        let name = format!("{} {}", case.kind, case.name);
        let mut loss = Tensor::<1>::zeros([1], (&device, dtype));
        for (output, expected) in case.apply(&leaves).into_iter().zip(&case.outputs) {
            check(&name, output.clone(), &expected.values, tolerance);
            let seed = between(&expected.seed, 200, &device, dtype);
            loss = loss + (output * seed).sum();
        }
        let gradients = loss.backward();
        for (index, (leaf, expected)) in leaves.iter().zip(&case.gradients).enumerate() {
            let gradient = leaf.grad(&gradients).unwrap();
            check(&format!("{name}: gradient {index}"), gradient, expected, tolerance);
        }
    }
}

#[test]
fn cpu_paths_match_pytorch() {
    run(DType::F32, 1e-6);
}

/// The golden values carry nine digits.
#[test]
fn references_match_pytorch() {
    run(DType::F64, 5e-9);
}
