//! CPU path of [`conv2d`](super::conv2d): padded planes, tiles of filters and positions in vector registers, one task
//! per sample.
//!
//! Nothing is unfolded: a filter tap reads its row of the planes where it lies. The instructions are chosen by the
//! machine at run time, so bits may differ between machines, but not with the number of replicas or threads.

mod drive;
mod planes;
mod simd;

use super::tape::ConvOps;
use super::{Activation, Geometry};
use crate::native::{FlexTensor, contiguous, tensor, values};
use burn::backend::{Flex, TensorMetadata};
use planes::Correlation;
use rayon::prelude::*;

/// Count, mean and sum of squared deviations of one channel.
type Moments = (f64, f64, f64);

/// The moments of each row of one sample, while it is in the cache.
fn moments(rows: &[f32], positions: usize) -> Vec<Moments> {
    let of_row = |row: &[f32]| {
        let mean = crate::native::sum(row) / row.len() as f32;
        let squares = crate::native::sum_of(row, row, |value, _| (value - mean) * (value - mean));
        (row.len() as f64, f64::from(mean), f64::from(squares))
    };
    rows.chunks_exact(positions.max(1)).map(of_row).collect()
}

/// Moments of two sets together (Chan, Golub & LeVeque 1983).
fn together(a: Moments, b: Moments) -> Moments {
    let count = a.0 + b.0;
    let shift = b.1 - a.1;
    (
        count,
        a.1 + shift * b.0 / count,
        a.2 + b.2 + shift * shift * a.0 * b.0 / count,
    )
}

fn forward<T: Send>(
    x: FlexTensor,
    w: FlexTensor,
    bias: FlexTensor,
    g: &Geometry,
    finish: impl Fn(&mut [f32]) -> T + Sync,
) -> (FlexTensor, Vec<T>) {
    let (x, w, bias) = (contiguous(x), contiguous(w), contiguous(bias));
    let correlation = Correlation::forward(g);
    let bias = Some(values(&bias));
    let (y, finished) = drive::correlate(
        &correlation,
        [g.replicas, g.batch],
        values(&x),
        values(&w),
        bias,
        finish,
    );
    (
        tensor(y, [g.replicas, g.batch, g.filters, g.output[0], g.output[1]]),
        finished,
    )
}

impl ConvOps for Flex {
    fn replica_conv2d(
        x: FlexTensor,
        w: FlexTensor,
        bias: FlexTensor,
        g: Geometry,
        activation: Activation,
    ) -> FlexTensor {
        let finish = |y: &mut [f32]| {
            if activation != Activation::None {
                y.iter_mut().for_each(|y| *y = activation.of(*y));
            }
        };
        forward(x, w, bias, &g, finish).0
    }

    fn replica_conv2d_with_statistics(
        x: FlexTensor,
        w: FlexTensor,
        bias: FlexTensor,
        g: Geometry,
    ) -> (FlexTensor, FlexTensor) {
        let positions = g.output[0] * g.output[1];
        let (y, samples) = forward(x, w, bias, &g, |y| moments(y, positions));
        let mut statistics = vec![0.0; g.replicas * 2 * g.filters];
        let replicas = statistics.chunks_mut((2 * g.filters).max(1));
        for (out, samples) in replicas.zip(samples.chunks(g.batch.max(1))) {
            for filter in 0..g.filters {
                let all = samples.iter().map(|sample| sample[filter]).reduce(together);
                let (count, mean, squares) = all.unwrap_or((1.0, 0.0, 0.0));
                out[filter] = mean as f32;
                out[g.filters + filter] = (squares / count) as f32;
            }
        }
        (y, tensor(statistics, [g.replicas, 2, g.filters]))
    }

    fn replica_conv2d_input_gradient(w: FlexTensor, dy: FlexTensor, g: Geometry) -> FlexTensor {
        let (w, dy) = (contiguous(w), contiguous(dy));
        let correlation = Correlation::input_gradient(&g);
        let (dx, _) = drive::correlate(
            &correlation,
            [g.replicas, g.batch],
            values(&dy),
            values(&w),
            None,
            |_: &mut [f32]| (),
        );
        tensor(dx, [g.replicas, g.batch, g.channels, g.input[0], g.input[1]])
    }

    fn replica_conv2d_weight_gradient(x: FlexTensor, dy: FlexTensor, g: Geometry) -> FlexTensor {
        let (x, dy) = (contiguous(x), contiguous(dy));
        let dw = drive::weight_gradient(&g, values(&x), values(&dy));
        tensor(
            dw,
            [
                g.replicas,
                g.filters,
                g.channels / g.options.groups,
                g.kernel[0],
                g.kernel[1],
            ],
        )
    }

    fn replica_conv2d_bias_gradient(dy: FlexTensor, g: Geometry) -> FlexTensor {
        let dy = contiguous(dy);
        tensor(drive::bias_gradient(&g, values(&dy)), [g.replicas, g.filters])
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
