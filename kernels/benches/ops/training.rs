//! Many small models trained together: one optimiser step of all.

use crate::{Bench, noise};
use burn::tensor::{Device, Tensor, activation};
use recoup_kernels::{AdamwOptions, AdamwState, AdamwStep, Conv2dOptions, UpdateMask, adamw, conv2d, matmul};
use serde_json::json;

const BATCH: usize = 16;
const LENGTH: usize = 256;
const CHANNELS: [usize; 3] = [8, 16, 32];
const CLASSES: usize = 2;
const TAPS: usize = 7;

/// Cuts `[R, P]` into tensors, in order.
struct Cut {
    weights: Tensor<2>,
    at: usize,
}

impl Cut {
    fn next<const D: usize>(&mut self, mut shape: [usize; D]) -> Tensor<D> {
        let len: usize = shape[1..].iter().product();
        shape[0] = self.weights.dims()[0];
        self.at += len;
        self.weights.clone().slice_dim(1, self.at - len..self.at).reshape(shape)
    }
}

/// Two convolutions, the mean over time and a linear layer: `[R, B, C, 1, T]` to logits `[R, B, K]`.
fn forward(weights: &Tensor<2>, x: Tensor<5>) -> Tensor<3> {
    let mut cut = Cut {
        weights: weights.clone(),
        at: 0,
    };
    let mut x = x;
    for (layer, stride) in [(0, 1), (1, 2)] {
        let options = Conv2dOptions {
            stride: [1, stride],
            padding: [(0, 0), (3, 3)],
            ..Conv2dOptions::default()
        };
        let filters = cut.next([0, CHANNELS[layer + 1], CHANNELS[layer], 1, TAPS]);
        let bias = cut.next([0, CHANNELS[layer + 1]]);
        x = activation::relu(conv2d(x, filters, Some(bias), &options));
    }
    let x: Tensor<3> = x.mean_dim(4).squeeze_dim::<4>(4).squeeze_dim(3);
    matmul(x, cut.next([0, CHANNELS[2], CLASSES])) + cut.next([0, 1, CLASSES])
}

fn num_parameters() -> usize {
    let layer = |[input, output]: [usize; 2]| output * (input * TAPS + 1);
    layer([CHANNELS[0], CHANNELS[1]]) + layer([CHANNELS[1], CHANNELS[2]]) + (CHANNELS[2] + 1) * CLASSES
}

fn step_of(replicas: usize, device: &Device) -> Box<dyn FnMut()> {
    let shape = [replicas, num_parameters()];
    let zeros = || Tensor::zeros(shape, device);
    let mut state = AdamwState {
        weights: noise(shape, device) * 0.1,
        first: zeros(),
        second: zeros(),
    };
    let x: Tensor<5> = noise([replicas, BATCH, CHANNELS[0], 1, LENGTH], device);
    let one_hot = Tensor::cat(
        vec![
            Tensor::ones([replicas, BATCH, 1], device),
            Tensor::zeros([replicas, BATCH, 1], device),
        ],
        2,
    );
    let mut step = 0;
    Box::new(move || {
        let leaf = state.weights.clone().autodiff().require_grad();
        let likelihood = activation::log_softmax(forward(&leaf, x.clone().autodiff()), 2) * one_hot.clone().autodiff();
        let loss = likelihood.sum_dim(2).mean_dim(1).neg();
        let gradient = leaf.grad(&loss.backward()).unwrap();
        let part = AdamwStep {
            step,
            learning_rate: 1e-3,
            weight_decay: 0.01,
            active: true,
        };
        let options = AdamwOptions::default();
        let mask = UpdateMask::default();
        state = adamw(state.clone(), gradient, &vec![part; replicas], mask, &options).state;
        step += 1;
    })
}

pub fn cases() -> Vec<Bench> {
    [1, 10, 40]
        .into_iter()
        .map(|replicas| Bench {
            op: "training",
            name: format!("R{replicas} B{BATCH} conv 8-16-32 T{LENGTH}"),
            peer: json!({
                "replicas": replicas, "batch": BATCH, "length": LENGTH, "channels": CHANNELS, "taps": TAPS,
                "classes": CLASSES,
            }),
            ours: Box::new(move |device| step_of(replicas, device)),
            burn: None,
        })
        .collect()
}
