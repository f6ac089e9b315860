//! [`conv2d`](super::conv2d) in plain tensor operations: shifted views and a batched product.

use super::{Activation, ConvProblem};
use burn::tensor::{Slice, Tensor, activation, ops::PadMode};

/// The convolution of checked arguments.
pub fn conv2d(x: Tensor<5>, w: Tensor<5>, bias: Option<Tensor<2>>, problem: &ConvProblem) -> Tensor<5> {
    let &ConvProblem {
        replicas,
        batch,
        channels,
        filters,
        kernel,
        output,
        options,
        ..
    } = problem;
    let (groups, positions) = (options.groups, output[0] * output[1]);
    let with_bias = |y: Tensor<5>| match bias {
        Some(bias) => y + bias.reshape([replicas, 1, filters, 1, 1]),
        None => y,
    };
    if x.shape().num_elements() == 0 || w.shape().num_elements() == 0 {
        return with_bias(Tensor::zeros(
            [replicas, batch, filters, output[0], output[1]],
            (&x.device(), x.dtype()),
        ));
    }
    let x = if x.dims()[0] < replicas {
        x.repeat_dim(0, replicas)
    } else {
        x
    };
    let padded = x.pad(options.padding, PadMode::Constant(0.0));
    let mut shifted = Vec::with_capacity(kernel[0] * kernel[1]);
    for row in 0..kernel[0] {
        for col in 0..kernel[1] {
            let view = |axis: usize, tap: usize| {
                let start = (tap * options.dilation[axis]) as isize;
                let stride = options.stride[axis] as isize;
                let end = start + (output[axis] as isize - 1) * stride + 1;
                Slice::new(start, Some(end), stride)
            };
            let view = padded.clone().slice_dim(3, view(0, row)).slice_dim(4, view(1, col));
            shifted.push(view.reshape([replicas, batch, groups, channels / groups, 1, positions]));
        }
    }
    // [R, B, G, C/G, K, P] -> [R, G, B P, C/G K]
    let columns = Tensor::cat(shifted, 4).permute([0, 2, 1, 5, 3, 4]).reshape([
        replicas,
        groups,
        batch * positions,
        problem.taps(),
    ]);
    let filter = w
        .reshape([replicas, groups, filters / groups, problem.taps()])
        .swap_dims(2, 3);
    let y = columns
        .matmul(filter)
        .reshape([replicas, groups, batch, positions, filters / groups])
        .permute([0, 2, 1, 4, 3])
        .reshape([replicas, batch, filters, output[0], output[1]]);
    with_bias(y)
}

/// The activation of every value.
pub fn activate(y: Tensor<5>, by: Activation) -> Tensor<5> {
    match by {
        Activation::None => y,
        Activation::Relu => activation::relu(y),
        Activation::Gelu => activation::gelu(y),
        Activation::Silu => activation::silu(y),
        Activation::Tanh => activation::tanh(y),
    }
}
