//! CubeCL path of [`conv2d`](super::conv2d): sizes, grids and the choice of kernels.

use super::kernel::{DEPTH, FEW_TAPS, FEW_UNITS, OWN, SPAN, Tile};
use super::tape::ConvOps;
use super::{Activation, Geometry};
use crate::gpu::{CubeBackend, CubeCount, CubeDim, CubeTensor, MOST_CUBES, add_parts, contiguous, empty, grid, launch};
use burn::backend::TensorMetadata;
use burn::tensor::Shape;

/// Shared memory of input and weights of one cube. Everywhere the same, so that bits do not depend on the device's
/// limits, and small enough that several cubes share a multiprocessor.
const SHARED_BYTES: usize = 24 << 10;
/// Partial weight gradients of one replica, in values: what they cost in memory.
const PARTIAL_VALUES: usize = 1 << 20;
/// Positions of which one part of a weight gradient is made at least.
const POSITIONS_PER_PART: usize = 1024;
/// Parts of a weight gradient at most: two for each multiprocessor of a large GPU.
const MOST_PARTS: usize = 256;

/// Whether every kernel of this convolution fits; otherwise the reference serves.
pub(super) fn serves(g: &Geometry) -> bool {
    let values = |planes: usize, [height, width]: [usize; 2]| g.replicas * g.batch * planes * height * width;
    // Indices are 32 bits wide.
    let largest = values(g.channels, g.input).max(values(g.filters, g.output));
    let sweep = Sweep::forward(g);
    let tiles = |tile: Tile| sweep.output[0].div_ceil(tile.rows) * sweep.output[1].div_ceil(tile.cols);
    let axes = [
        g.replicas * g.batch,
        g.replicas * MOST_PARTS,
        g.channels,
        g.filters,
        g.taps(),
    ];
    axes.into_iter().all(|cubes| cubes <= MOST_CUBES)
        && largest < u32::MAX as usize
        && sweep.tile().is_some_and(|tile| tiles(tile) <= MOST_CUBES)
}

/// A convolution, or the gradient of its input at stride 1, as [`correlate`](super::kernel::correlate) sees it.
struct Sweep {
    channels: usize,
    filters: usize,
    input: [usize; 2],
    output: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    before: [usize; 2],
    skip: [usize; 2],
    w_filter: usize,
    w_channel: usize,
    flipped: bool,
}

impl Sweep {
    fn forward(g: &Geometry) -> Self {
        let taps = g.kernel[0] * g.kernel[1];
        Self {
            channels: g.channels / g.options.groups,
            filters: g.filters / g.options.groups,
            input: g.input,
            output: g.output,
            kernel: g.kernel,
            stride: g.options.stride,
            dilation: g.options.dilation,
            before: g.options.padding.map(|(before, _)| before),
            skip: [0, 0],
            w_filter: g.taps(),
            w_channel: taps,
            flipped: false,
        }
    }

    /// Correlation with the filter turned round; `None` for strides above 1.
    fn input_gradient(g: &Geometry) -> Option<Self> {
        let forward = Self::forward(g);
        let span = [0, 1].map(|axis| g.options.dilation[axis] * (g.kernel[axis] - 1));
        let padding = forward.before;
        (g.options.stride == [1, 1]).then(|| Self {
            channels: forward.filters,
            filters: forward.channels,
            input: g.output,
            output: g.input,
            before: [0, 1].map(|axis| span[axis].saturating_sub(padding[axis])),
            skip: [0, 1].map(|axis| padding[axis].saturating_sub(span[axis])),
            w_filter: forward.w_channel,
            w_channel: forward.w_filter,
            flipped: true,
            ..forward
        })
    }

    /// The tile of a cube: the first of this table whose input and weights fit [`SHARED_BYTES`].
    ///
    /// | filters of a group | filters x positions of a unit | units along filters x positions | why |
    /// |---|---|---|---|
    /// | 17 or more | 8 x 8 | 4 x 32 | 16 loads from shared memory for 64 products: bound by arithmetic |
    /// | 9 to 16 | 8 x 8 | 2 x 64 | as above; the input is read once |
    /// | 5 to 8 | 8 x 8 | 1 x 128 | as above |
    /// | 3, 4 | 4 x 8 | 1 x 128 | 12 loads for 32 products |
    /// | 1, 2 (depthwise where [`depthwise`](super::kernel::depthwise) does not serve) | 1 or 2 x 8 | 1 x 128 | bound by memory: a long tile reads the reach of the filter least often |
    ///
    /// Short outputs take fewer positions per unit, long reaches fewer filters, then fewer positions per unit. The rows
    /// are arithmetic on loads and products; none is measured on a GPU.
    fn tile(&self) -> Option<Tile> {
        let filters = self.filters.clamp(1, 8).next_power_of_two();
        let positions = self.output[0] * self.output[1];
        let units = self.filters.div_ceil(filters).next_power_of_two().min(4);
        let mut sizes = vec![(filters, units), (filters, 1)];
        sizes.extend(
            [4, 2, 1]
                .into_iter()
                .filter(|&fewer| fewer < filters)
                .map(|fewer| (fewer, 1)),
        );
        let fitted = |own: usize| {
            sizes.iter().find_map(|&(filters, filter_units)| {
                let lanes = 128 / filter_units;
                // No more positions than there are, as far as units and not lanes would be idle.
                let own = (1..=own)
                    .rev()
                    .find(|&p| p == 1 || (p.is_power_of_two() && lanes * p < 2 * positions))?;
                let cols = self.output[1].next_power_of_two().min(lanes * own);
                let tile = Tile {
                    filters,
                    positions: own,
                    filter_units,
                    lanes,
                    rows: lanes * own / cols,
                    cols,
                    channels: 1,
                    kernel: self.kernel,
                    stride: self.stride,
                    dilation: self.dilation,
                };
                let channels = (SHARED_BYTES / 4 / tile.channel()).min(self.channels.max(1));
                (channels > 0).then_some(Tile { channels, ..tile })
            })
        };
        fitted(8).or_else(|| fitted(2)).or_else(|| fitted(1))
    }

    /// Whether the kernel for one channel per group serves: rows without stride, dilation or neighbours, at least half a
    /// tile long (bound by memory; the general kernel loads nine values from shared memory where it loads two).
    fn is_depthwise(&self, g: &Geometry) -> bool {
        self.channels == 1
            && (!self.flipped || self.filters == 1)
            && self.kernel[0] == 1
            && self.kernel[1] <= SPAN
            && self.input[0] == self.output[0]
            && self.stride == [1, 1]
            && self.dilation[1] == 1
            && self.output[1] >= SPAN / 2
            && g.options.groups > 1
            && g.options.groups * self.filters * self.input[0] <= MOST_CUBES
    }

    /// Launches [`depthwise`](super::kernel::depthwise).
    fn run_depthwise(&self, g: &Geometry, tensors: [CubeTensor; 3], activation: Activation) -> CubeTensor {
        let [x, w, bias] = tensors.map(contiguous);
        let filters = g.options.groups * self.filters;
        let y = empty(&x, [g.replicas, g.batch, filters, self.output[0], self.output[1]]);
        if y.shape().num_elements() == 0 {
            return y;
        }
        let cubes = (
            self.output[1].div_ceil(SPAN),
            filters * self.output[0],
            g.replicas * g.batch,
        );
        let count = CubeCount::Static(cubes.0 as u32, cubes.1 as u32, cubes.2 as u32);
        let client = y.client.clone();
        let x_samples = x.shape()[0] * g.batch;
        launch!(depthwise(client, count, CubeDim::new_1d(FEW_UNITS as u32);
            x.into_buffer_arg(),
            w.into_buffer_arg(),
            bias.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            g.batch,
            x_samples,
            filters,
            self.filters,
            self.input[0],
            self.input[1],
            self.output[1],
            self.before[1],
            self.skip[1],
            self.kernel[1],
            self.flipped,
            activation,
        ));
        y
    }

    /// Launches [`correlate`](super::kernel::correlate); moments of tiles go to the second tensor, `[R, B x tiles, O, 3]`, on request.
    fn run(
        &self,
        g: &Geometry,
        tile: Tile,
        tensors: [CubeTensor; 3],
        activation: Activation,
        moments: bool,
    ) -> (CubeTensor, CubeTensor) {
        let [x, w, bias] = tensors.map(contiguous);
        let groups = g.options.groups;
        let tiles = self.output[0].div_ceil(tile.rows) * self.output[1].div_ceil(tile.cols);
        let planes = groups * self.filters;
        let y = empty(&x, [g.replicas, g.batch, planes, self.output[0], self.output[1]]);
        let parts = if moments {
            [g.replicas, g.batch * tiles, planes, 3]
        } else {
            [1, 1, 1, 1]
        };
        let partials = empty(&x, parts);
        if y.shape().num_elements() == 0 {
            return (y, partials);
        }
        let cubes = (
            tiles,
            groups * self.filters.div_ceil(tile.all_filters()),
            g.replicas * g.batch,
        );
        let count = CubeCount::Static(cubes.0 as u32, cubes.1 as u32, cubes.2 as u32);
        let client = y.client.clone();
        let x_samples = x.shape()[0] * g.batch;
        launch!(correlate(client, count, CubeDim::new_1d(tile.units() as u32);
            x.into_buffer_arg(),
            w.into_buffer_arg(),
            bias.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            partials.clone().into_buffer_arg(),
            g.batch,
            x_samples,
            groups,
            self.channels,
            self.filters,
            self.input[0],
            self.input[1],
            self.output[0],
            self.output[1],
            self.before[0],
            self.before[1],
            self.skip[0],
            self.skip[1],
            self.w_filter,
            self.w_channel,
            tile,
            self.flipped,
            activation,
            moments,
        ));
        (y, partials)
    }
}

fn forward(
    x: CubeTensor,
    w: CubeTensor,
    bias: CubeTensor,
    g: &Geometry,
    activation: Activation,
    moments: bool,
) -> (CubeTensor, CubeTensor) {
    let sweep = Sweep::forward(g);
    if sweep.is_depthwise(g) && !moments {
        let partials = bias.clone();
        return (sweep.run_depthwise(g, [x, w, bias], activation), partials);
    }
    let tile = sweep.tile().expect("asked before the call");
    sweep.run(g, tile, [x, w, bias], activation, moments)
}

/// Zeros of any shape.
fn zeros(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    burn_cubecl::ops::numeric::zeros_client(like.client.clone(), like.device.clone(), shape.into(), like.dtype)
}

impl ConvOps for CubeBackend {
    fn replica_conv2d(
        x: CubeTensor,
        w: CubeTensor,
        bias: CubeTensor,
        g: Geometry,
        activation: Activation,
    ) -> CubeTensor {
        forward(x, w, bias, &g, activation, false).0
    }

    fn replica_conv2d_with_statistics(
        x: CubeTensor,
        w: CubeTensor,
        bias: CubeTensor,
        g: Geometry,
    ) -> (CubeTensor, CubeTensor) {
        let (y, partials) = forward(x, w, bias, &g, Activation::None, true);
        let count = g.batch * g.output[0] * g.output[1];
        if y.shape().num_elements() == 0 {
            let statistics = zeros(&y, [g.replicas, 2, g.filters]);
            return (y, statistics);
        }
        let statistics = empty(&y, [g.replicas, 2, g.filters]);
        let parts = partials.shape()[1];
        let cubes = CubeCount::Static(g.filters as u32, g.replicas as u32, 1);
        let client = y.client.clone();
        launch!(combine_moments(client, cubes, CubeDim::new_1d(FEW_UNITS as u32);
            partials.into_buffer_arg(), statistics.clone().into_buffer_arg(), parts, g.filters, count as f32));
        (y, statistics)
    }

    fn replica_conv2d_input_gradient(w: CubeTensor, dy: CubeTensor, g: Geometry) -> CubeTensor {
        if let Some(sweep) = Sweep::input_gradient(&g) {
            let bias = zeros(&dy, [g.replicas, g.channels]);
            if sweep.is_depthwise(&g) {
                return sweep.run_depthwise(&g, [dy, w, bias], Activation::None);
            }
            if let Some(tile) = sweep.tile() {
                return sweep.run(&g, tile, [dy, w, bias], Activation::None, false).0;
            }
        }
        let (w, dy) = (contiguous(w), contiguous(dy));
        let dx = empty(&dy, [g.replicas, g.batch, g.channels, g.input[0], g.input[1]]);
        let values = dx.shape().num_elements();
        if values == 0 {
            return dx;
        }
        let (count, dim) = grid(values);
        let client = dx.client.clone();
        launch!(input_gradient(client, count, dim;
            w.into_buffer_arg(),
            dy.into_buffer_arg(),
            dx.clone().into_buffer_arg(),
            g.batch,
            g.options.groups,
            g.channels / g.options.groups,
            g.filters / g.options.groups,
            g.input[0],
            g.input[1],
            g.output[0],
            g.output[1],
            g.options.padding[0].0,
            g.options.padding[1].0,
            g.kernel,
            g.options.stride,
            g.options.dilation,
        ));
        dx
    }

    fn replica_conv2d_weight_gradient(x: CubeTensor, dy: CubeTensor, g: Geometry) -> CubeTensor {
        let (x, dy) = (contiguous(x), contiguous(dy));
        let groups = g.options.groups;
        let (channels, filters, taps) = (g.channels / groups, g.filters / groups, g.taps());
        let shape = [g.replicas, g.filters, channels, g.kernel[0], g.kernel[1]];
        let (items, weights) = (g.batch * g.output[0] * g.output[1], g.filters * taps);
        if items * weights == 0 {
            return zeros(&dy, shape);
        }
        let most = (PARTIAL_VALUES / weights).clamp(1, MOST_PARTS);
        let per_part = items.div_ceil(most).max(POSITIONS_PER_PART).next_multiple_of(DEPTH);
        let parts = items.div_ceil(per_part);
        let partials = empty(&dy, [g.replicas, parts, g.filters, channels, g.kernel[0], g.kernel[1]]);
        let client = dy.client.clone();
        let x_samples = x.shape()[0] * g.batch;
        let planes = (g.replicas * parts) as u32;
        let (x, dy, out) = (
            x.into_buffer_arg(),
            dy.into_buffer_arg(),
            partials.clone().into_buffer_arg(),
        );
        let [height, width] = g.input;
        let [out_height, out_width] = g.output;
        let [before_y, before_x] = g.options.padding.map(|(before, _)| before);
        let (kernel, stride, dilation) = (g.kernel, g.options.stride, g.options.dilation);
        if filters < OWN {
            let count = CubeCount::Static(g.filters as u32, taps.div_ceil(FEW_TAPS) as u32, planes);
            launch!(weight_gradient_of_few(client, count, CubeDim::new_1d(FEW_UNITS as u32);
                x, dy, out, g.batch, x_samples, groups, channels, filters, height, width, out_height, out_width,
                before_y, before_x, parts, per_part, kernel, stride, dilation));
        } else {
            // At least one warp of units: four filters take twice the taps.
            let rows = filters.next_power_of_two().min(64);
            let tile = [rows, if rows == OWN { 128 } else { 64 }];
            let tiles = filters.div_ceil(tile[0]) * taps.div_ceil(tile[1]);
            let count = CubeCount::Static(tiles as u32, groups as u32, planes);
            let dim = CubeDim::new_1d((tile[0] * tile[1] / (OWN * OWN)) as u32);
            launch!(weight_gradient(client, count, dim;
                x, dy, out, g.batch, x_samples, groups, channels, filters, height, width, out_height, out_width,
                before_y, before_x, parts, per_part, tile, kernel, stride, dilation));
        }
        add_parts(partials, shape)
    }

    fn replica_conv2d_bias_gradient(dy: CubeTensor, g: Geometry) -> CubeTensor {
        let dy = contiguous(dy);
        let rows = g.replicas * g.batch * g.filters;
        if dy.shape().num_elements() == 0 {
            return zeros(&dy, [g.replicas, g.filters]);
        }
        let sums = empty(&dy, [g.replicas, g.batch, g.filters]);
        let count = CubeCount::Static(rows.min(32_768) as u32, rows.div_ceil(32_768) as u32, 1);
        let client = dy.client.clone();
        launch!(bias_gradient(client, count, CubeDim::new_1d(FEW_UNITS as u32);
            dy.into_buffer_arg(), sums.clone().into_buffer_arg(), g.output[0] * g.output[1]));
        add_parts(sums, [g.replicas, g.filters])
    }

    fn replica_activation_gradient(saved: CubeTensor, dy: CubeTensor, activation: Activation) -> CubeTensor {
        let (saved, dy) = (contiguous(saved), contiguous(dy));
        let dz = empty(&dy, dy.shape());
        let values = dz.shape().num_elements();
        if values == 0 {
            return dz;
        }
        let (count, dim) = grid(values);
        let client = dz.client.clone();
        launch!(activation_gradient(client, count, dim;
            saved.into_buffer_arg(), dy.into_buffer_arg(), dz.clone().into_buffer_arg(), activation));
        dz
    }
}
