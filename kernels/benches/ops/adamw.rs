//! The optimiser's step, and dropout.

use crate::{Bench, Prepare, noise};
use burn::tensor::{Distribution, Tensor};
use recoup_kernels::random::{Key, Purpose};
use recoup_kernels::{AdamwOptions, AdamwState, AdamwStep, UpdateMask, adamw, dropout};
use serde_json::json;

type Step = fn(AdamwState, Tensor<2>, &[AdamwStep], &AdamwOptions) -> AdamwState;

fn ours(state: AdamwState, gradient: Tensor<2>, steps: &[AdamwStep], options: &AdamwOptions) -> AdamwState {
    adamw(state, gradient, steps, UpdateMask::default(), options).state
}

fn of_burn(state: AdamwState, gradient: Tensor<2>, steps: &[AdamwStep], options: &AdamwOptions) -> AdamwState {
    recoup_kernels::adamw::reference::adamw(state, gradient, steps, UpdateMask::default(), options).state
}

/// Step after step on the same gradient.
fn prepare([replicas, parameters]: [usize; 2], max_norm: Option<f64>, step: Step) -> Prepare {
    Box::new(move |device| {
        let gradient: Tensor<2> = noise([replicas, parameters], device);
        let zeros = || gradient.zeros_like();
        let mut state = Some(AdamwState {
            weights: gradient.clone() + 0.0,
            first: zeros(),
            second: zeros(),
        });
        let options = AdamwOptions {
            max_norm,
            ..AdamwOptions::default()
        };
        let mut steps = vec![
            AdamwStep {
                step: 0,
                learning_rate: 1e-3,
                weight_decay: 1e-2,
                active: true
            };
            replicas
        ];
        Box::new(move || {
            state = state
                .take()
                .map(|state| step(state, gradient.clone(), &steps, &options));
            steps.iter_mut().for_each(|step| step.step += 1);
        })
    })
}

fn optimizer() -> impl Iterator<Item = Bench> {
    let sizes = [
        ([1, 100_000], Some(1.0)),
        ([1, 1_000_000], None),
        ([1, 1_000_000], Some(1.0)),
        ([25, 100_000], Some(1.0)),
    ];
    sizes.into_iter().map(|(shape, max_norm)| Bench {
        op: "adamw",
        name: format!("R{} P{} clip={}", shape[0], shape[1], max_norm.is_some()),
        peer: json!({ "replicas": shape[0], "parameters": shape[1], "max_norm": max_norm }),
        ours: prepare(shape, max_norm, ours),
        burn: Some(prepare(shape, max_norm, of_burn)),
    })
}

fn dropouts() -> impl Iterator<Item = Bench> {
    let sizes = [[1, 64, 4096], [1, 4096, 1024], [25, 64, 256]];
    sizes.into_iter().map(|shape| {
        let rate = 0.3;
        Bench {
            op: "dropout",
            name: format!("R{} {}x{}", shape[0], shape[1], shape[2]),
            peer: json!({ "x": shape, "rate": rate }),
            ours: Box::new(move |device| {
                let x: Tensor<3> = noise(shape, device);
                let mut step = 0;
                Box::new(move || {
                    let key = |seed| Key {
                        seed,
                        purpose: Purpose::Dropout,
                        step,
                        path: 1,
                    };
                    let keys: Vec<Key> = (0..shape[0] as u64).map(key).collect();
                    step += 1;
                    drop(dropout::dropout(x.clone(), &keys, &vec![rate; shape[0]]));
                })
            }),
            burn: Some(Box::new(move |device| {
                let x: Tensor<3> = noise(shape, device);
                let kept = 1.0 - f64::from(rate);
                Box::new(move || {
                    let mask = x.random_like(Distribution::Bernoulli(kept));
                    drop(x.clone() * mask * (1.0 / kept));
                })
            })),
        }
    })
}

pub fn cases() -> Vec<Bench> {
    optimizer().chain(dropouts()).collect()
}
