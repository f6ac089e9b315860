//! Weights of a part of a model, and runs of it with gradients.

use std::collections::BTreeMap;

use burn::tensor::{DType, Device, Tensor};
use recoup::models::{Context, Draw, Layout, Mode, Params, matrix};
use recoup::training::step::floats;

use crate::gradients::{Noise, assert_derivatives, tensor};

/// A layout and the weights of R replicas for it.
#[derive(Clone)]
pub struct Weights {
    pub layout: Layout,
    /// `[R, P]`.
    pub values: Vec<f32>,
    pub seeds: Vec<u64>,
    pub dtype: Option<DType>,
    /// Rate of the replicas' dropout in training.
    pub dropout: f32,
}

impl Weights {
    /// First weights, with scales and shifts of normalisations moved away from (1, 0).
    pub fn new(layout: Layout, num_replicas: usize) -> Self {
        let seeds: Vec<u64> = (3..).take(num_replicas).collect();
        let mut weights = Self {
            values: layout.init_params(&seeds),
            layout,
            seeds,
            dtype: None,
            dropout: 0.0,
        };
        let mut noise = Noise(11);
        let scaled: Vec<_> = weights
            .places()
            .into_iter()
            .filter(|(path, _)| path.contains("norm."))
            .flat_map(|(_, at)| at)
            .collect();
        for at in scaled {
            weights.values[at] += 0.3 * noise.next();
        }
        weights
    }

    pub fn num_replicas(&self) -> usize {
        self.seeds.len()
    }

    /// Those of one replica.
    pub fn only(&self, replica: usize) -> Self {
        let width = self.layout.num_params();
        Self {
            values: self.values[replica * width..(replica + 1) * width].to_vec(),
            seeds: vec![self.seeds[replica]],
            ..self.clone()
        }
    }

    /// Where the scalars of each parameter lie in `values`, over all replicas.
    pub fn places(&self) -> BTreeMap<String, Vec<usize>> {
        let width = self.layout.num_params();
        let mut start = 0;
        let place = |spec: &recoup::models::ParamSpec| {
            let columns = start..start + spec.len();
            start = columns.end;
            let rows = 0..self.num_replicas();
            (
                spec.path.clone(),
                rows.flat_map(|r| columns.clone().map(move |at| r * width + at))
                    .collect(),
            )
        };
        self.layout.params().iter().map(place).collect()
    }

    /// Training on a full batch.
    pub fn training(&self, batch: usize) -> Mode {
        let draw = |&seed: &u64| Draw {
            seed,
            step: 7,
            dropout: self.dropout,
        };
        Mode::Train {
            draws: self.seeds.iter().map(draw).collect(),
            sample_mask: tensor(vec![1.0; self.num_replicas() * batch], [self.num_replicas(), batch]),
        }
    }

    /// On the tape.
    pub fn params(&self, values: &[f32]) -> Params {
        let weights = matrix(values.to_vec(), self.num_replicas(), &Device::flex());
        let buffers = matrix(Vec::new(), self.num_replicas(), &Device::flex());
        Params::cut(&self.layout, &weights, &buffers, true, self.dtype)
    }

    /// What `forward` gives, and the gradient of its product with `cotangent`.
    pub fn run<const D: usize>(
        &self,
        mode: Mode,
        forward: impl Fn(&Context) -> Tensor<D>,
        cotangent: &[f32],
    ) -> (Vec<f32>, Vec<f32>) {
        let params = self.params(&self.values);
        let output = forward(&Context::new(&params, mode));
        let cotangent = tensor(cotangent.to_vec(), output.dims()).autodiff();
        let mut gradients = (output.clone() * cotangent).sum().backward();
        (floats(output), floats(params.gradients(&mut gradients)))
    }

    /// Compares the gradient of every parameter with central differences; gives the gradient.
    pub fn check_gradient<const D: usize>(
        &self,
        name: &str,
        mode: Mode,
        forward: impl Fn(&Context) -> Tensor<D>,
    ) -> Vec<f32> {
        let run = |values: &[f32]| floats(forward(&Context::new(&self.params(values), mode.clone())));
        let cotangent = Noise(5).values(run(&self.values).len());
        let loss = |values: &[f32]| -> f64 {
            run(values)
                .iter()
                .zip(&cotangent)
                .map(|(&y, &c)| f64::from(y) * f64::from(c))
                .sum()
        };
        let (_, gradient) = self.run(mode.clone(), &forward, &cotangent);
        assert!(gradient.iter().any(|value| value.abs() > 1e-2), "{name}: no gradient");
        let mut noise = Noise(17);
        for (path, places) in self.places() {
            assert_derivatives(
                &format!("{name}, {path}"),
                &self.values,
                &gradient,
                &places,
                &mut noise,
                &loss,
            );
        }
        gradient
    }
}

/// The bits, so that equality is that of bits.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The largest difference of two lists of equal length, in proportion to the largest value expected.
pub fn largest_error(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    let error = found.iter().zip(expected).fold(0.0f32, |most, (a, b)| {
        let difference = (a - b).abs();
        // A NaN is an error larger than any.
        if difference.is_nan() {
            f32::INFINITY
        } else {
            most.max(difference)
        }
    });
    error / largest.max(1.0)
}
