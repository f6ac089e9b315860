use burn::tensor::Tensor;
use recoup_kernels::matmul;

use super::{Activation, Dropout};
use crate::models::{Context, Init, LayoutBuilder, ParamId};

/// `y = x W + b`, one weight matrix per replica.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: ParamId,
    bias: ParamId,
    output_size: usize,
}

impl Linear {
    /// Weight `[input_size, output_size]` and bias `[output_size]`, both uniform in `±1/sqrt(input_size)`.
    pub fn new(layout: &mut LayoutBuilder, input_size: usize, output_size: usize) -> Self {
        let init = Init::Uniform {
            bound: 1.0 / (input_size.max(1) as f32).sqrt(),
        };
        Self {
            weight: layout.param("weight", &[input_size, output_size], init),
            bias: layout.param("bias", &[output_size], init),
            output_size,
        }
    }

    /// `[R, B, input_size] -> [R, B, output_size]`.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        let [num_replicas, _, _] = x.dims();
        let bias: Tensor<2> = context.params.get(self.bias);
        matmul(x, context.params.get(self.weight)) + bias.reshape([num_replicas, 1, self.output_size])
    }
}

/// Linear layers with an activation and dropout between them; none after the last.
#[derive(Clone, Debug)]
pub struct Mlp {
    layers: Vec<(Linear, Dropout)>,
    activation: Activation,
}

impl Mlp {
    /// `sizes` = input, hidden..., output.
    pub fn new(layout: &mut LayoutBuilder, sizes: &[usize], activation: Activation) -> Self {
        let layers = sizes
            .windows(2)
            .enumerate()
            .map(|(index, pair)| {
                layout.scope(&format!("linear{index}"), |layout| {
                    (Linear::new(layout, pair[0], pair[1]), Dropout::new(layout))
                })
            })
            .collect();
        Self { layers, activation }
    }

    /// `[R, B, sizes[0]] -> [R, B, sizes.last()]`.
    pub fn forward(&self, mut x: Tensor<3>, context: &Context) -> Tensor<3> {
        for (index, (linear, dropout)) in self.layers.iter().enumerate() {
            x = linear.forward(x, context);
            if index + 1 < self.layers.len() {
                x = dropout.forward(self.activation.forward(x), context);
            }
        }
        x
    }
}
