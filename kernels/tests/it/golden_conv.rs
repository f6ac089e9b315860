//! Convolutions of PyTorch (`tests/golden/conv.py`): values, gradients and statistics, as the middle one of three
//! replicas, on every device.

use crate::cases::{noise, to_vec};
use crate::devices::devices;
use burn::tensor::{DType, Device, Tensor, TensorData};
use recoup_kernels::{Activation, Conv1dOptions, Conv2dOptions, conv1d_activated, conv2d_activated};
use recoup_kernels::{conv1d_with_statistics, conv2d_with_statistics};
use serde::Deserialize;

#[derive(Deserialize)]
struct Record {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    one: bool,
    padding: String,
    stride: usize,
    dilation: usize,
    groups: usize,
    activation: String,
    inputs: Vec<Array>,
    output: Array,
    seed: Vec<f64>,
    gradients: Vec<Vec<f64>>,
    statistics: Vec<f64>,
    statistics_seed: Vec<f64>,
    statistics_gradients: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Case {
    fn one(&self) -> Conv1dOptions {
        let kernel = self.inputs[1].shape[2];
        let options = Conv1dOptions {
            stride: self.stride,
            dilation: self.dilation,
            groups: self.groups,
            ..Conv1dOptions::default()
        };
        match self.padding.as_str() {
            "same" => options.same(kernel),
            "valid" => options.valid(),
            "causal" => options.causal(kernel),
            zeros => {
                let zeros = zeros.parse().unwrap();
                Conv1dOptions {
                    padding: (zeros, zeros),
                    ..options
                }
            }
        }
    }

    fn two(&self) -> Conv2dOptions {
        let kernel = [self.inputs[1].shape[2], self.inputs[1].shape[3]];
        let options = Conv2dOptions {
            stride: [self.stride; 2],
            dilation: [self.dilation; 2],
            groups: self.groups,
            ..Conv2dOptions::default()
        };
        match self.padding.as_str() {
            "same" => options.same(kernel),
            "valid" => options.valid(),
            zeros => {
                let zeros = zeros.parse().unwrap();
                Conv2dOptions {
                    padding: [(zeros, zeros); 2],
                    ..options
                }
            }
        }
    }

    fn activation(&self) -> Activation {
        match self.activation.as_str() {
            "relu" => Activation::Relu,
            "gelu" => Activation::Gelu,
            "silu" => Activation::Silu,
            "tanh" => Activation::Tanh,
            _ => Activation::None,
        }
    }

    fn input<const D: usize>(&self, leaves: &[Tensor<2>], index: usize) -> Tensor<D> {
        let mut dims = [3; D];
        dims[1..].copy_from_slice(&self.inputs[index].shape);
        leaves[index].clone().reshape(dims)
    }

    fn output(&self, x: &[Tensor<2>]) -> Tensor<2> {
        let bias = Some(x[2].clone());
        if self.one {
            flat(conv1d_activated(
                self.input(x, 0),
                self.input(x, 1),
                bias,
                &self.one(),
                self.activation(),
            ))
        } else {
            flat(conv2d_activated(
                self.input(x, 0),
                self.input(x, 1),
                bias,
                &self.two(),
                self.activation(),
            ))
        }
    }

    fn statistics(&self, x: &[Tensor<2>]) -> Tensor<2> {
        let bias = Some(x[2].clone());
        let statistics = if self.one {
            conv1d_with_statistics(self.input(x, 0), self.input(x, 1), bias, &self.one()).1
        } else {
            conv2d_with_statistics(self.input(x, 0), self.input(x, 1), bias, &self.two()).1
        };
        Tensor::cat(vec![statistics.mean, statistics.variance], 1)
    }
}

fn flat<const D: usize>(y: Tensor<D>) -> Tensor<2> {
    let len = y.dims()[1..].iter().product::<usize>();
    y.reshape([3, len])
}

/// `values` between two rows of noise.
fn between(values: &[f64], salt: u64, device: &Device, dtype: DType) -> Tensor<2> {
    let len = values.len();
    let rows = [noise(salt, len), values.to_vec(), noise(salt + 1, len)];
    Tensor::from_data(TensorData::new(rows.concat(), [3, len]), (device, dtype))
}

fn check(name: &str, values: Tensor<2>, expected: &[f64], tolerance: f64) {
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

fn run(device: &Device, dtype: DType, tolerance: f64) {
    let record: Record = serde_json::from_str(include_str!("../golden/conv.json")).unwrap();
    assert_eq!(record.cases.len(), 15);
    let device = device.clone().autodiff();
    for case in record.cases {
        let leaves = || -> Vec<Tensor<2>> {
            let inputs = case.inputs.iter().zip(100..);
            inputs
                .map(|(input, salt)| between(&input.values, salt, &device, dtype).require_grad())
                .collect()
        };
        let compare =
            |what: &str, value: Tensor<2>, of: &[Tensor<2>], expected: &[f64], seed: &[f64], slopes: &[Vec<f64>]| {
                let name = format!("{} {what} on {device:?}", case.name);
                check(&name, value.clone(), expected, tolerance);
                let gradients = (value * between(seed, 200, &device, dtype)).sum().backward();
                for (index, (leaf, expected)) in of.iter().zip(slopes).enumerate() {
                    check(
                        &format!("{name}: gradient {index}"),
                        leaf.grad(&gradients).unwrap(),
                        expected,
                        tolerance,
                    );
                }
            };
        let x = leaves();
        compare(
            "",
            case.output(&x),
            &x,
            &case.output.values,
            &case.seed,
            &case.gradients,
        );
        if case.activation() == Activation::None {
            let x = leaves();
            let slopes = &case.statistics_gradients;
            compare(
                "statistics",
                case.statistics(&x),
                &x,
                &case.statistics,
                &case.statistics_seed,
                slopes,
            );
        }
    }
}

#[test]
fn kernels_match_pytorch() {
    for device in devices() {
        run(&device, DType::F32, 1e-6);
    }
}

/// The golden values carry nine digits.
#[test]
fn reference_matches_pytorch() {
    run(&Device::flex(), DType::F64, 5e-9);
}
