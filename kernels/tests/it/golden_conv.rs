//! Convolutions of PyTorch (`tests/golden/conv.py`): values and gradients, as the middle one of three replicas, on every
//! device.

use crate::devices::devices;
use crate::golden::{between, check, flat};
use burn::tensor::{DType, Device, Tensor};
use recoup_kernels::{Activation, Conv2dOptions, conv2d_activated};
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
}

#[derive(Deserialize)]
struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Case {
    /// Options of a 2-D convolution; a 1-D one has height 1.
    fn options(&self) -> Conv2dOptions {
        let one = |along_width: usize| if self.one { [1, along_width] } else { [along_width; 2] };
        let taps = &self.inputs[1].shape;
        let kernel = if self.one { [1, taps[2]] } else { [taps[2], taps[3]] };
        let options = Conv2dOptions {
            stride: one(self.stride),
            dilation: one(self.dilation),
            groups: self.groups,
            ..Conv2dOptions::default()
        };
        match self.padding.as_str() {
            "same" => options.same(kernel),
            "valid" => options.valid(),
            "causal" => options.causal(kernel),
            zeros => {
                let zeros = zeros.parse().unwrap();
                let height = if self.one { 0 } else { zeros };
                Conv2dOptions {
                    padding: [(height, height), (zeros, zeros)],
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

    /// Input `index` of the replicas, as `[3, ..., height, width]`.
    fn input(&self, leaves: &[Tensor<2>], index: usize) -> Tensor<5> {
        let mut dims = [3, 1, 1, 1, 1];
        let shape = &self.inputs[index].shape;
        dims[1..3].copy_from_slice(&shape[..2]);
        dims[5 - (shape.len() - 2)..].copy_from_slice(&shape[2..]);
        leaves[index].clone().reshape(dims)
    }

    fn output(&self, x: &[Tensor<2>]) -> Tensor<2> {
        let (input, filters, bias) = (self.input(x, 0), self.input(x, 1), Some(x[2].clone()));
        flat(conv2d_activated(
            input,
            filters,
            bias,
            &self.options(),
            self.activation(),
        ))
    }
}

fn run(device: &Device, dtype: DType, tolerance: f64) {
    let record: Record = serde_json::from_str(include_str!("../golden/conv.json")).unwrap();
    assert_eq!(record.cases.len(), 15);
    let device = device.clone().autodiff();
    for case in record.cases {
        let name = format!("{} on {device:?}", case.name);
        let leaves: Vec<Tensor<2>> = (case.inputs.iter().zip(100..))
            .map(|(input, salt)| between(&input.values, salt, &device, dtype).require_grad())
            .collect();
        let value = case.output(&leaves);
        check(&name, value.clone(), &case.output.values, tolerance);
        let gradients = (value * between(&case.seed, 200, &device, dtype)).sum().backward();
        for (index, (leaf, expected)) in leaves.iter().zip(&case.gradients).enumerate() {
            let gradient = leaf.grad(&gradients).unwrap();
            check(&format!("{name}: gradient {index}"), gradient, expected, tolerance);
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
