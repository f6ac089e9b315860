//! Group normalisation, forward and with gradients.

use crate::{Bench, Prepare, noise};
use burn::tensor::Tensor;
use recoup_kernels::group_norm;
use serde_json::json;

type Norm = fn(Tensor<4>, Tensor<2>, Tensor<2>, usize, f32) -> Tensor<4>;

fn prepare([replicas, b, c, s]: [usize; 4], groups: usize, backward: bool, norm: Norm) -> Prepare {
    Box::new(move |device| {
        let device = if backward {
            device.clone().autodiff()
        } else {
            device.clone()
        };
        let x: Tensor<4> = noise([replicas, b, c, s], &device);
        let (gamma, beta): (Tensor<2>, Tensor<2>) = (noise([replicas, c], &device), noise([replicas, c], &device));
        if !backward {
            return Box::new(move || drop(norm(x.clone(), gamma.clone(), beta.clone(), groups, 1e-5)));
        }
        let leaves = (x.require_grad(), gamma.require_grad(), beta.require_grad());
        Box::new(move || {
            let (x, gamma, beta) = leaves.clone();
            drop(norm(x, gamma, beta, groups, 1e-5).backward()); // from ones
        })
    })
}

pub fn cases() -> Vec<Bench> {
    let sizes = [([1, 64, 32, 1024], 8), ([1, 64, 16, 8192], 4), ([25, 32, 32, 128], 8)];
    let sizes = sizes.into_iter().flat_map(|size| [(size, false), (size, true)]);
    sizes
        .map(|((shape, groups), backward)| Bench {
            op: "group_norm",
            name: format!(
                "R{} B{} C{} S{} G{groups} backward={backward}",
                shape[0], shape[1], shape[2], shape[3]
            ),
            peer: json!({ "x": shape, "groups": groups, "backward": backward }),
            ours: prepare(shape, groups, backward, group_norm),
            burn: Some(prepare(
                shape,
                groups,
                backward,
                recoup_kernels::group_norm::reference::group_norm,
            )),
        })
        .collect()
}
