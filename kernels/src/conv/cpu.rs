//! CPU path of [`conv2d`](super::conv2d): padded planes, tiles of filters and positions in vector registers, one task
//! per sample.
//!
//! Nothing is unfolded: a filter tap reads its row of the planes where it lies. The instructions are chosen by the
//! machine at run time, so bits may differ between machines, but not with the number of replicas or threads.

mod drive;
mod pass;
mod planes;
mod simd;

use super::autodiff::{ConvAdjoint, ConvOps};
use super::{Activation, ConvProblem};
use crate::cpu::{FlexTensor, contiguous, tensor, values};
use burn::backend::{Flex, TensorMetadata};
use planes::Correlation;
use rayon::prelude::*;

impl ConvOps for Flex {
    fn replica_conv2d(
        x: FlexTensor,
        w: FlexTensor,
        bias: FlexTensor,
        problem: ConvProblem,
        activation: Activation,
    ) -> FlexTensor {
        let (x, w, bias) = (contiguous(x), contiguous(w), contiguous(bias));
        let correlation = Correlation::forward(&problem);
        let samples = [problem.replicas, problem.batch];
        let y = drive::correlate(
            &correlation,
            samples,
            values(&x),
            values(&w),
            Some(values(&bias)),
            |y| {
                if activation != Activation::None {
                    y.iter_mut().for_each(|y| *y = activation.of(*y));
                }
            },
        );
        let [height, width] = problem.output;
        tensor(y, [problem.replicas, problem.batch, problem.filters, height, width])
    }
}

impl ConvAdjoint for Flex {
    fn replica_conv2d_input_gradient(w: FlexTensor, dy: FlexTensor, problem: ConvProblem) -> FlexTensor {
        let (w, dy) = (contiguous(w), contiguous(dy));
        let correlation = Correlation::input_gradient(&problem);
        let dx = drive::correlate(
            &correlation,
            [problem.replicas, problem.batch],
            values(&dy),
            values(&w),
            None,
            |_| (),
        );
        tensor(
            dx,
            [
                problem.replicas,
                problem.batch,
                problem.channels,
                problem.input[0],
                problem.input[1],
            ],
        )
    }

    fn replica_conv2d_weight_gradient(x: FlexTensor, dy: FlexTensor, problem: ConvProblem) -> FlexTensor {
        let (x, dy) = (contiguous(x), contiguous(dy));
        let dw = drive::weight_gradient(&problem, values(&x), values(&dy));
        tensor(
            dw,
            [
                problem.replicas,
                problem.filters,
                problem.channels / problem.options.groups,
                problem.kernel[0],
                problem.kernel[1],
            ],
        )
    }

    fn replica_conv2d_bias_gradient(dy: FlexTensor, problem: ConvProblem) -> FlexTensor {
        let dy = contiguous(dy);
        tensor(
            drive::bias_gradient(&problem, values(&dy)),
            [problem.replicas, problem.filters],
        )
    }

    fn replica_activation_gradient(saved: FlexTensor, dy: FlexTensor, activation: Activation) -> FlexTensor {
        let (saved, dy) = (contiguous(saved), contiguous(dy));
        let (from, dy) = (values(&saved), values(&dy));
        let slopes = from.par_iter().zip(dy).with_min_len(1 << 14);
        tensor(
            slopes.map(|(from, dy)| dy * activation.slope(*from)).collect(),
            saved.shape(),
        )
    }
}
