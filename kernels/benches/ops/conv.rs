//! Convolutions at the sizes of biosignals and small images.

use crate::{Bench, Prepare};
use burn::tensor::{Device, Tensor, TensorData, module, ops::ConvOptions};
use recoup_kernels::{Conv2dOptions, conv2d};
use serde_json::json;

/// One convolution with a bias; a height of 1 is written as a 1-D convolution for the peer.
#[derive(Clone, Copy)]
struct Sizes {
    name: &'static str,
    /// B, C, H, W.
    x: [usize; 4],
    /// O, KH, KW.
    w: [usize; 3],
    options: Conv2dOptions,
}

fn sizes(name: &'static str, x: [usize; 4], w: [usize; 3], groups: usize) -> Sizes {
    let options = Conv2dOptions {
        groups,
        ..Conv2dOptions::default()
    };
    // The same zeros on both sides, which every peer has: one position less than "same" for an even number of taps.
    let padding = [(w[1] - 1) / 2, (w[2] - 1) / 2].map(|zeros| (zeros, zeros));
    Sizes {
        name,
        x,
        w,
        options: Conv2dOptions { padding, ..options },
    }
}

/// Reproducible values in [-1, 1).
fn noise<const D: usize>(salt: u64, dims: [usize; D], device: &Device) -> Tensor<D> {
    let mut state = salt.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D;
    let values: Vec<f32> = (0..dims.iter().product())
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
        })
        .collect();
    Tensor::from_data(TensorData::new(values, dims), device)
}

type Inputs = (Tensor<5>, Tensor<5>, Tensor<2>);

impl Sizes {
    fn inputs(&self, device: &Device) -> Inputs {
        let ([b, c, h, width], [filters, kh, kw]) = (self.x, self.w);
        let w = noise(2, [1, filters, c / self.options.groups, kh, kw], device);
        (noise(1, [1, b, c, h, width], device), w, noise(3, [1, filters], device))
    }

    /// `op` alone, or with the gradients of all three inputs from ones.
    fn prepare(self, backward: bool, op: impl Fn(&Sizes, Inputs) -> Tensor<5> + Clone + 'static) -> Prepare {
        Box::new(move |device| {
            let op = op.clone();
            if !backward {
                let inputs = self.inputs(device);
                return Box::new(move || drop(op(&self, inputs.clone())));
            }
            let (x, w, bias) = self.inputs(&device.clone().autodiff());
            let inputs = (x.require_grad(), w.require_grad(), bias.require_grad());
            Box::new(move || drop(op(&self, inputs.clone()).backward()))
        })
    }

    fn peer(&self, backward: bool) -> serde_json::Value {
        let ([b, c, h, width], [filters, kh, kw], o) = (self.x, self.w, &self.options);
        let per_group = c / o.groups;
        if h == 1 {
            return json!({
                "x": [b, c, width], "w": [filters, per_group, kw], "stride": o.stride[1], "padding": o.padding[1].0,
                "dilation": o.dilation[1], "groups": o.groups, "backward": backward,
            });
        }
        json!({
            "x": [b, c, h, width], "w": [filters, per_group, kh, kw], "stride": o.stride,
            "padding": [o.padding[0].0, o.padding[1].0], "dilation": o.dilation, "groups": o.groups,
            "backward": backward,
        })
    }

    fn bench(self, backward: bool) -> Bench {
        Bench {
            op: if self.x[2] == 1 { "conv1d" } else { "conv2d" },
            name: format!("{}{}", self.name, if backward { ", forward and backward" } else { "" }),
            peer: self.peer(backward),
            ours: self.prepare(backward, |sizes, (x, w, bias)| conv2d(x, w, Some(bias), &sizes.options)),
            burn: Some(self.prepare(backward, |sizes, (x, w, bias)| {
                let o = &sizes.options;
                let padding = o.padding.map(|(zeros, _)| zeros);
                let bias = Some(bias.squeeze_dim::<1>(0));
                if sizes.x[2] == 1 {
                    let (x, w) = (
                        x.squeeze_dim::<4>(0).squeeze_dim::<3>(2),
                        w.squeeze_dim::<4>(0).squeeze_dim::<3>(2),
                    );
                    let options = ConvOptions::new([o.stride[1]], [padding[1]], [o.dilation[1]], o.groups);
                    return module::conv1d(x, w, bias, options)
                        .unsqueeze_dim::<4>(2)
                        .unsqueeze_dim(0);
                }
                let options = ConvOptions::new(o.stride, padding, o.dilation, o.groups);
                module::conv2d(x.squeeze_dim::<4>(0), w.squeeze_dim::<4>(0), bias, options).unsqueeze_dim(0)
            })),
        }
    }
}

/// Every size, forward and with its gradients.
pub fn cases() -> Vec<Bench> {
    let all = [
        sizes("1->16 k63 T2048 B64", [64, 1, 1, 2048], [16, 1, 63], 1),
        sizes("22->40 k25 T1024 B64", [64, 22, 1, 1024], [40, 1, 25], 1),
        sizes("8->32 k7 T1024 B32", [32, 8, 1, 1024], [32, 1, 7], 1),
        sizes("32->64 k7 T1024 B32", [32, 32, 1, 1024], [64, 1, 7], 1),
        sizes("32->64 k7 T1024 B64", [64, 32, 1, 1024], [64, 1, 7], 1),
        sizes("64->64 k15 T1024 B64", [64, 64, 1, 1024], [64, 1, 15], 1),
        sizes("12->32 k15 T5000 B64", [64, 12, 1, 5000], [32, 1, 15], 1),
        sizes("depthwise 64 k15 T1024 B64", [64, 64, 1, 1024], [64, 1, 15], 64),
        sizes(
            "1->8 k64 over 22 electrodes, T1024 B64",
            [64, 1, 22, 1024],
            [8, 1, 64],
            1,
        ),
        sizes("1->16 3x3 64x64 B64", [64, 1, 64, 64], [16, 3, 3], 1),
        sizes("16->32 3x3 64x64 B64", [64, 16, 64, 64], [32, 3, 3], 1),
    ];
    all.into_iter()
        .flat_map(|sizes| [sizes.bench(false), sizes.bench(true)])
        .collect()
}
