//! `lstm` at the sizes of physiological recordings; PyTorch's peer is `nn.LSTM`, on packed sequences where ragged.

use crate::{Bench, Prepare};
use burn::nn::{Lstm, LstmConfig};
use burn::tensor::{Device, Distribution, Tensor};
use recoup_kernels::{LstmWeights, lstm};

/// One layer in one direction at one replica.
#[derive(Debug, Clone, Copy)]
struct Size {
    batch: usize,
    steps: usize,
    inputs: usize,
    units: usize,
    backward: bool,
    ragged: bool,
}

/// The length of sample `index` of a ragged batch: sevenths of all steps, at least one.
fn length(index: usize, steps: usize) -> usize {
    (steps * (index % 7 + 1) / 7).max(1)
}

fn noise<const D: usize>(dims: [usize; D], scale: f64, device: &Device) -> Tensor<D> {
    Tensor::random(dims, Distribution::Uniform(-scale, scale), device)
}

impl Size {
    /// The device with a tape where the backward pass is timed.
    fn place(self, device: &Device) -> Device {
        if self.backward {
            device.clone().autodiff()
        } else {
            device.clone()
        }
    }

    fn leaf<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        if self.backward { x.require_grad() } else { x }
    }

    fn ours(self) -> Prepare {
        Box::new(move |device| {
            let Self {
                batch,
                steps,
                inputs,
                units,
                backward,
                ragged,
            } = self;
            let device = self.place(device);
            let scale = (units as f64).powf(-0.5);
            let x = self.leaf(noise([1, batch, steps, inputs], 1.0, &device));
            let weights = LstmWeights {
                input: self.leaf(noise([1, inputs, 4 * units], scale, &device)),
                hidden: self.leaf(noise([1, units, 4 * units], scale, &device)),
                bias: self.leaf(noise([1, 4 * units], scale, &device)),
            };
            let lengths: Vec<usize> = (0..batch).map(|index| length(index, steps)).collect();
            Box::new(move || {
                let out = lstm(x.clone(), ragged.then_some(&lengths[..]), &weights, false).sequence;
                if backward {
                    let gradients = out.backward();
                    std::hint::black_box((x.grad(&gradients), weights.hidden.grad(&gradients)));
                } else {
                    std::hint::black_box(out);
                }
            })
        })
    }

    /// burn's module has no lengths.
    fn burn(self) -> Option<Prepare> {
        if self.ragged {
            return None;
        }
        Some(Box::new(move |device| {
            let Self {
                batch,
                steps,
                inputs,
                units,
                backward,
                ..
            } = self;
            let device = self.place(device);
            let x = self.leaf(noise([batch, steps, inputs], 1.0, &device));
            let layer: Lstm = LstmConfig::new(inputs, units, true).init(&device);
            Box::new(move || {
                let (out, _) = layer.forward(x.clone(), None);
                if backward {
                    let gradients = out.backward();
                    std::hint::black_box(x.grad(&gradients));
                } else {
                    std::hint::black_box(out);
                }
            })
        }))
    }

    fn bench(self) -> Bench {
        let Self {
            batch,
            steps,
            inputs,
            units,
            backward,
            ragged,
        } = self;
        let direction = if backward { "forward and backward" } else { "forward" };
        Bench {
            op: "lstm",
            name: format!(
                "I{inputs} H{units} T{steps} B{batch}{} {direction}",
                if ragged { " ragged" } else { "" }
            ),
            peer: serde_json::json!({
                "batch": batch,
                "steps": steps,
                "inputs": inputs,
                "units": units,
                "backward": backward,
                "ragged": ragged,
            }),
            ours: self.ours(),
            burn: self.burn(),
        }
    }
}

/// Forward, forward and backward, and the same on ragged batches.
pub fn cases() -> Vec<Bench> {
    let sizes = [
        (32, 64, 128, 32),
        (16, 64, 256, 64),
        (32, 128, 128, 32),
        (16, 128, 256, 64),
        (16, 32, 64, 16),
        (32, 64, 128, 8),
    ];
    let passes = [(false, false), (true, false), (false, true), (true, true)];
    sizes
        .into_iter()
        .flat_map(|(inputs, units, steps, batch)| {
            passes.map(|(backward, ragged)| {
                Size {
                    batch,
                    steps,
                    inputs,
                    units,
                    backward,
                    ragged,
                }
                .bench()
            })
        })
        .collect()
}
