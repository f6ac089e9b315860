//! `lstm` against PyTorch's `nn.LSTM` on packed batches (`tests/golden/lstm.py`).

use crate::cases::{noise, to_vec};
use crate::devices::devices;
use burn::tensor::{DType, Device, Tensor, TensorData};
use recoup_kernels::{LstmWeights, lstm};
use serde::Deserialize;

#[derive(Deserialize)]
struct Record {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    lengths: Vec<usize>,
    steps: usize,
    inputs: usize,
    units: usize,
    directions: Vec<Direction>,
}

#[derive(Deserialize)]
struct Direction {
    reverse: bool,
    x: Vec<f64>,
    w: Vec<f64>,
    u: Vec<f64>,
    b: Vec<f64>,
    outputs: Vec<Vec<f64>>,
    seeds: Vec<Vec<f64>>,
    gradients: Vec<Vec<f64>>,
}

/// The golden values as the second of two replicas; the first holds noise.
fn second<const D: usize>(values: &[f64], mut dims: [usize; D], device: &Device, dtype: DType) -> Tensor<D> {
    dims[0] = 2;
    let data = [noise(3, values.len()), values.to_vec()].concat();
    Tensor::from_data(TensorData::new(data, dims), (device, dtype))
}

fn check(name: &str, values: Vec<f64>, expected: &[f64], tolerance: f64) {
    let values = &values[values.len() / 2..];
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

fn run(case: &Case, direction: &Direction, device: &Device, dtype: DType, tolerance: f64) {
    let Case {
        lengths,
        steps,
        inputs,
        units,
        ..
    } = case;
    let name = format!("H{units} T{steps} reverse={} on {device:?}", direction.reverse);
    let (batch, device) = (lengths.len(), device.clone().autodiff());
    let x = second(&direction.x, [2, batch, *steps, *inputs], &device, dtype).require_grad();
    let weights = LstmWeights {
        input: second(&direction.w, [2, *inputs, 4 * units], &device, dtype).require_grad(),
        hidden: second(&direction.u, [2, *units, 4 * units], &device, dtype).require_grad(),
        bias: second(&direction.b, [2, 4 * units], &device, dtype).require_grad(),
    };
    let out = lstm(x.clone(), Some(&lengths.repeat(2)), &weights, direction.reverse);
    check(
        &format!("{name}: sequence"),
        to_vec(out.sequence.clone()),
        &direction.outputs[0],
        tolerance,
    );
    check(
        &format!("{name}: last hidden"),
        to_vec(out.last_hidden.clone()),
        &direction.outputs[1],
        tolerance,
    );
    check(
        &format!("{name}: last cell"),
        to_vec(out.last_cell.clone()),
        &direction.outputs[2],
        tolerance,
    );

    let [sequence, hidden, cell] = &direction.seeds[..] else {
        panic!("three outputs have three seeds")
    };
    let loss = (out.sequence * second(sequence, [2, batch, *steps, *units], &device, dtype)).sum()
        + (out.last_hidden * second(hidden, [2, batch, *units], &device, dtype)).sum()
        + (out.last_cell * second(cell, [2, batch, *units], &device, dtype)).sum();
    let gradients = loss.backward();
    let found = [
        to_vec(x.grad(&gradients).unwrap()),
        to_vec(weights.input.grad(&gradients).unwrap()),
        to_vec(weights.hidden.grad(&gradients).unwrap()),
        to_vec(weights.bias.grad(&gradients).unwrap()),
    ];
    for (index, (found, expected)) in found.into_iter().zip(&direction.gradients).enumerate() {
        check(&format!("{name}: gradient {index}"), found, expected, tolerance);
    }
}

/// The kernels in f32 on every device, and the reference in f64: the golden values carry nine digits.
#[test]
fn lstm_matches_pytorch() {
    let record: Record = serde_json::from_str(include_str!("../golden/lstm.json")).unwrap();
    assert_eq!(record.cases.len(), 4);
    for case in &record.cases {
        for direction in &case.directions {
            run(case, direction, &Device::flex(), DType::F64, 5e-9);
            for device in devices() {
                run(case, direction, &device, DType::F32, 1e-6);
            }
        }
    }
}
