//! CPU path of [`conv2d`](super::conv2d): the input padded and unfolded tile by tile, and single-threaded
//! products of the tiles.

use super::padded::Padded;
use super::{Geometry, direct};
use crate::native::{FlexTensor, Matrix, add_parts, contiguous, product, tasks, tensor, values};
use burn::backend::{
    Autodiff, Backend, Dispatch, Flex,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;
use rayon::prelude::*;
use std::ops::Range;

/// Samples whose weight gradients one task adds up.
const SAMPLES_PER_TASK: usize = 4;
/// Values of the unfolded input held at a time, so that it stays in the second-level cache.
const TILE_LEN: usize = 1 << 16;

/// Convolution and its adjoints, on the shapes of [`conv2d`](super::conv2d).
#[backend_extension(Flex, Autodiff)]
pub trait ConvOps: Backend {
    /// The convolution of `x` by `w` plus `bias: [R, O]`.
    fn replica_conv2d(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;

    /// Gradient of `x`, from `w` and the gradient of the output.
    fn replica_conv2d_input_gradient(
        w: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;

    /// Gradient of `w`, from `x` and the gradient of the output.
    fn replica_conv2d_weight_gradient(
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;

    /// Gradient of `bias`, from the gradient of the output.
    fn replica_conv2d_bias_gradient(dy: FloatTensor<Self>, geometry: Geometry) -> FloatTensor<Self>;
}

pub(super) fn call(x: Tensor<5>, w: Tensor<5>, bias: Option<Tensor<2>>, geometry: Geometry) -> Tensor<5> {
    let bias = bias.unwrap_or_else(|| Tensor::zeros([geometry.replicas, geometry.filters], &x.device()));
    Tensor::from_dispatch(<Dispatch as ConvOps>::replica_conv2d(
        x.into_dispatch(),
        w.into_dispatch(),
        bias.into_dispatch(),
        geometry,
    ))
}

/// Sizes of one sample and of one group in it.
pub(super) struct Sizes {
    pub(super) channels_per_group: usize,
    filters_per_group: usize,
    taps: usize,
    pub(super) plane: usize,
    pub(super) positions: usize,
    tile: usize,
    padded: Padded,
    x_sample: usize,
    y_sample: usize,
    filter_bank: usize,
}

impl Sizes {
    fn of(g: &Geometry) -> Self {
        let taps = g.taps();
        let plane = g.input[0] * g.input[1];
        let positions = g.output[0] * g.output[1];
        Self {
            channels_per_group: g.channels / g.options.groups,
            filters_per_group: g.filters / g.options.groups,
            taps,
            plane,
            positions,
            tile: (TILE_LEN / taps.max(1)).max(64).min(positions),
            padded: Padded::of(g),
            x_sample: g.channels * plane,
            y_sample: g.filters * positions,
            filter_bank: g.filters * taps,
        }
    }

    /// For one task.
    fn scratch(&self) -> Scratch {
        (vec![0.0; self.taps * self.tile], vec![0.0; self.channels_per_group * self.padded.plane()])
    }

    fn tiles(&self) -> impl Iterator<Item = Range<usize>> {
        let (positions, tile) = (self.positions, self.tile.max(1));
        (0..positions).step_by(tile).map(move |start| start..positions.min(start + tile))
    }

    /// Where group `group` of a sample of `x` lies.
    fn x_group(&self, group: usize) -> Range<usize> {
        let len = self.channels_per_group * self.plane;
        group * len..(group + 1) * len
    }

    /// Where group `group` of a sample of `y` lies.
    fn y_group(&self, group: usize) -> Range<usize> {
        let len = self.filters_per_group * self.positions;
        group * len..(group + 1) * len
    }

    /// The filters of one group: `[filters, taps]`.
    fn filters<'a>(&self, w: &'a [f32], replica: usize, group: usize) -> &'a [f32] {
        let len = self.filters_per_group * self.taps;
        let start = replica * self.filter_bank + group * len;
        &w[start..start + len]
    }

    /// [`Self::filters`] as a matrix.
    fn matrix<'a>(&self, filters: &'a [f32]) -> Matrix<'a> {
        Matrix::new(filters, self.filters_per_group, self.taps)
    }

    /// The output positions `tile` of one group as `[filters, positions]`.
    fn outputs<'a>(&self, y_group: &'a [f32], tile: &Range<usize>) -> Matrix<'a> {
        Matrix::strided(&y_group[tile.start..], self.filters_per_group, tile.len(), self.positions)
    }
}

/// Calls `run(first position in the tile, first input index, count)` for every row of `positions`
/// that tap `(u, v)` reads inside the input; input indices advance by the horizontal stride.
pub(super) fn runs(
    g: &Geometry,
    [u, v]: [usize; 2],
    positions: &Range<usize>,
    mut run: impl FnMut(usize, usize, usize),
) {
    let [height, width] = g.input;
    let [stride_y, stride_x] = g.options.stride;
    let [(top, _), (left, _)] = g.options.padding;
    let shift = v * g.options.dilation[1];
    let inside = left.saturating_sub(shift).div_ceil(stride_x)..(width + left).saturating_sub(shift).div_ceil(stride_x);
    let mut position = positions.start;
    while position < positions.end {
        let (row, col) = (position / g.output[1], position % g.output[1]);
        let end = g.output[1].min(col + positions.end - position);
        let y = (row * stride_y + u * g.options.dilation[0]).wrapping_sub(top);
        let (first, last) = (col.max(inside.start), end.min(inside.end));
        if y < height && first < last {
            run(position - positions.start + first - col, y * width + first * stride_x + shift - left, last - first);
        }
        position += end - col;
    }
}

/// The taps of one group in the order of the filter's memory, each with its channel.
pub(super) fn taps(g: &Geometry, channels: usize) -> impl Iterator<Item = (usize, [usize; 2])> {
    let [height, width] = g.kernel;
    (0..channels).flat_map(move |channel| (0..height * width).map(move |tap| (channel, [tap / width, tap % width])))
}

/// Unfolds one tile of one group: `columns[tap, position]`.
fn unfold(g: &Geometry, sizes: &Sizes, padded: &[f32], tile: &Range<usize>, columns: &mut [f32]) {
    sizes.padded.runs(g, sizes.channels_per_group, tile, |at, from, count| {
        columns[at..at + count].copy_from_slice(&padded[from..from + count]);
    });
}

/// Adds unfolded gradients back to where they were read: the adjoint of [`unfold`].
fn fold(g: &Geometry, sizes: &Sizes, columns: &[f32], tile: &Range<usize>, padded: &mut [f32]) {
    sizes.padded.runs(g, sizes.channels_per_group, tile, |at, from, count| {
        let values = &columns[at..at + count];
        padded[from..from + count].iter_mut().zip(values).for_each(|(out, value)| *out += value);
    });
}

/// What a task unfolds into: columns of a tile, padded planes of a group.
type Scratch = (Vec<f32>, Vec<f32>);

/// Adds the convolution of one group of one sample to `y`.
fn forward(g: &Geometry, sizes: &Sizes, x: &[f32], filters: &[f32], y: &mut [f32], scratch: &mut Scratch) {
    if sizes.filters_per_group == 1 {
        return direct::forward(g, sizes, x, filters, y);
    }
    let (columns, padded) = scratch;
    sizes.padded.pad(g, x, padded);
    for tile in sizes.tiles() {
        let columns = &mut columns[..sizes.taps * tile.len()];
        unfold(g, sizes, padded, &tile, columns);
        let columns = Matrix::new(columns, sizes.taps, tile.len());
        let filters = sizes.matrix(filters);
        product(&mut y[tile.start..], sizes.positions, filters, columns, true);
    }
}

/// Writes the gradient of one group of one sample to `dx`, which comes in as zeros.
fn input_gradient(g: &Geometry, sizes: &Sizes, filters: &[f32], dy: &[f32], dx: &mut [f32], scratch: &mut Scratch) {
    if sizes.filters_per_group == 1 {
        return direct::input_gradient(g, sizes, filters, dy, dx);
    }
    let (columns, padded) = scratch;
    padded.fill(0.0);
    for tile in sizes.tiles() {
        let columns = &mut columns[..sizes.taps * tile.len()];
        let filters = sizes.matrix(filters).transposed();
        product(columns, tile.len(), filters, sizes.outputs(dy, &tile), false);
        fold(g, sizes, columns, &tile, padded);
    }
    sizes.padded.crop(g, padded, dx);
}

/// Adds what one group of one sample gives to the gradient of its filters.
fn weight_gradient(g: &Geometry, sizes: &Sizes, x: &[f32], dy: &[f32], dw: &mut [f32], scratch: &mut Scratch) {
    if sizes.filters_per_group == 1 {
        return direct::weight_gradient(g, sizes, x, dy, dw);
    }
    let (columns, padded) = scratch;
    sizes.padded.pad(g, x, padded);
    for tile in sizes.tiles() {
        let columns = &mut columns[..sizes.taps * tile.len()];
        unfold(g, sizes, padded, &tile, columns);
        let columns = Matrix::new(columns, sizes.taps, tile.len()).transposed();
        product(dw, sizes.taps, sizes.outputs(dy, &tile), columns, true);
    }
}

impl ConvOps for Flex {
    fn replica_conv2d(x: FlexTensor, w: FlexTensor, bias: FlexTensor, g: Geometry) -> FlexTensor {
        let (x, w, bias) = (contiguous(x), contiguous(w), contiguous(bias));
        let (xv, wv, bias) = (values(&x), values(&w), values(&bias));
        let sizes = Sizes::of(&g);
        let mut y = vec![0.0; g.replicas * g.batch * sizes.y_sample];
        tasks(&mut y, g.batch, sizes.y_sample, 1).into_par_iter().enumerate().for_each_init(
            || sizes.scratch(),
            |scratch, (sample, y)| {
                let replica = sample / g.batch;
                let x = &xv[sample * sizes.x_sample..(sample + 1) * sizes.x_sample];
                let bias = &bias[replica * g.filters..(replica + 1) * g.filters];
                for (row, bias) in y.chunks_mut(sizes.positions).zip(bias) {
                    row.fill(*bias);
                }
                for group in 0..g.options.groups {
                    let filters = sizes.filters(wv, replica, group);
                    let x = &x[sizes.x_group(group)];
                    forward(&g, &sizes, x, filters, &mut y[sizes.y_group(group)], scratch);
                }
            },
        );
        tensor(y, [g.replicas, g.batch, g.filters, g.output[0], g.output[1]])
    }

    fn replica_conv2d_input_gradient(w: FlexTensor, dy: FlexTensor, g: Geometry) -> FlexTensor {
        let (w, dy) = (contiguous(w), contiguous(dy));
        let (wv, dyv) = (values(&w), values(&dy));
        let sizes = Sizes::of(&g);
        let mut dx = vec![0.0; g.replicas * g.batch * sizes.x_sample];
        tasks(&mut dx, g.batch, sizes.x_sample, 1).into_par_iter().enumerate().for_each_init(
            || sizes.scratch(),
            |scratch, (sample, dx)| {
                let dy = &dyv[sample * sizes.y_sample..(sample + 1) * sizes.y_sample];
                for group in 0..g.options.groups {
                    let filters = sizes.filters(wv, sample / g.batch, group);
                    let dy = &dy[sizes.y_group(group)];
                    let dx = &mut dx[sizes.x_group(group)];
                    input_gradient(&g, &sizes, filters, dy, dx, scratch);
                }
            },
        );
        tensor(dx, [g.replicas, g.batch, g.channels, g.input[0], g.input[1]])
    }

    fn replica_conv2d_weight_gradient(x: FlexTensor, dy: FlexTensor, g: Geometry) -> FlexTensor {
        let (x, dy) = (contiguous(x), contiguous(dy));
        let (xv, dyv) = (values(&x), values(&dy));
        let sizes = Sizes::of(&g);
        let parts = g.batch.div_ceil(SAMPLES_PER_TASK);
        let mut partials = vec![0.0; g.replicas * parts * sizes.filter_bank];
        tasks(&mut partials, parts, sizes.filter_bank, 1).into_par_iter().enumerate().for_each_init(
            || sizes.scratch(),
            |scratch, (task, dw)| {
                let (replica, part) = (task / parts, task % parts);
                let first = part * SAMPLES_PER_TASK;
                for sample in first..g.batch.min(first + SAMPLES_PER_TASK) {
                    let sample = replica * g.batch + sample;
                    let x = &xv[sample * sizes.x_sample..(sample + 1) * sizes.x_sample];
                    let dy = &dyv[sample * sizes.y_sample..(sample + 1) * sizes.y_sample];
                    let banks = dw.chunks_mut(sizes.filters_per_group * sizes.taps);
                    for (group, dw) in banks.enumerate() {
                        let x = &x[sizes.x_group(group)];
                        let dy = &dy[sizes.y_group(group)];
                        weight_gradient(&g, &sizes, x, dy, dw, scratch);
                    }
                }
            },
        );
        let dw = add_parts(&partials, g.replicas, parts, sizes.filter_bank);
        let channels = sizes.channels_per_group;
        tensor(dw, [g.replicas, g.filters, channels, g.kernel[0], g.kernel[1]])
    }

    fn replica_conv2d_bias_gradient(dy: FlexTensor, g: Geometry) -> FlexTensor {
        let dy = contiguous(dy);
        let positions = g.output[0] * g.output[1];
        let mut partials = vec![0.0; g.replicas * g.batch * g.filters];
        if positions > 0 {
            partials
                .par_iter_mut()
                .zip(values(&dy).par_chunks(positions))
                .for_each(|(sum, row)| *sum = crate::native::sum(row));
        }
        let db = add_parts(&partials, g.replicas, g.batch, g.filters);
        tensor(db, [g.replicas, g.filters])
    }
}

impl<B: Backend + ConvOps, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn replica_conv2d(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct ConvBackward;

        impl<B: Backend + ConvOps> Backward<B, 3> for ConvBackward {
            type State = (FloatTensor<B>, FloatTensor<B>, Geometry);

            fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
                let [node_x, node_w, node_bias] = ops.parents;
                let dy = grads.consume::<B>(&ops.node);
                let (x, w, geometry) = ops.state;
                if let Some(node) = node_x {
                    let dx = B::replica_conv2d_input_gradient(w, dy.clone(), geometry);
                    grads.register::<B>(node.id, dx);
                }
                if let Some(node) = node_w {
                    let dw = B::replica_conv2d_weight_gradient(x, dy.clone(), geometry);
                    grads.register::<B>(node.id, dw);
                }
                if let Some(node) = node_bias {
                    let db = B::replica_conv2d_bias_gradient(dy, geometry);
                    grads.register::<B>(node.id, db);
                }
            }
        }

        let nodes = [x.node(), w.node(), bias.node()];
        let (x, w) = (x.into_primitive(), w.into_primitive());
        let bias = bias.into_primitive();
        match ConvBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let y = B::replica_conv2d(x.clone(), w.clone(), bias, geometry);
                prep.finish((x, w, geometry), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::replica_conv2d(x, w, bias, geometry)),
        }
    }

    fn replica_conv2d_input_gradient(_: FloatTensor<Self>, _: FloatTensor<Self>, _: Geometry) -> FloatTensor<Self> {
        unimplemented!("second-order gradients")
    }

    fn replica_conv2d_weight_gradient(_: FloatTensor<Self>, _: FloatTensor<Self>, _: Geometry) -> FloatTensor<Self> {
        unimplemented!("second-order gradients")
    }

    fn replica_conv2d_bias_gradient(_: FloatTensor<Self>, _: Geometry) -> FloatTensor<Self> {
        unimplemented!("second-order gradients")
    }
}
