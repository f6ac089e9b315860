//! CubeCL path of [`conv2d`](super::conv2d): sizes, grids and the choice of kernels.

use super::autodiff::{ConvAdjoint, ConvOps};
use super::kernel::{
    BLOCK_K, ConvSizesLaunch, DepthwiseSizesLaunch, FiltersLaunch, Movement, OUTPUTS_PER_CUBE, PartsLaunch,
    TAPS_PER_PASS, TILE_PER_UNIT, Tile, UNITS, WeightTile,
};
use super::{Activation, ConvProblem};
use crate::gpu::{
    CubeBackend, CubeDim, CubeTensor, Limits, add_partial_sums, contiguous, empty, grid, launch, linear, spread,
};
use crate::limits::Problem;
use burn::backend::TensorMetadata;
use burn::tensor::Shape;

/// Shared memory of input and weights of one cube. Everywhere the same, so that bits do not depend on the device's
/// limits, and small enough that several cubes share a multiprocessor.
const SHARED_BYTES: usize = 24 << 10;
/// Partial weight gradients of one replica, in values: what they cost in memory.
const MAX_PARTIAL_VALUES: usize = 1 << 20;
/// Positions of one part of a weight gradient.
const MIN_POSITIONS_PER_PART: usize = 1024;
/// Parts of a weight gradient: two for each multiprocessor of a large GPU.
const MAX_PARTS: usize = 256;

impl Problem for ConvProblem {
    fn is_served(&self, limits: Limits) -> bool {
        let samples = self.replicas * self.batch;
        let input = [samples, self.channels, self.input[0], self.input[1]];
        let output = [samples, self.filters, self.output[0], self.output[1]];
        let partials = [self.replicas, WeightSum::of(self).parts, self.filters, self.taps()];
        // Whatever the number of parts: the axis that holds them is asked for the most there can be.
        let axes = [
            samples,
            self.replicas * MAX_PARTS,
            self.channels,
            self.filters,
            self.taps(),
            WeightSum::of(self).tiles(),
        ];
        let shapes = [&input[..], &output, &partials, &[self.replicas, self.filters]];
        let forward = CorrelationProblem::forward(self);
        let is_gradient_served = CorrelationProblem::input_gradient(self).is_none_or(|gradient| {
            // Without a tile, the kernel for strides serves.
            gradient
                .tile()
                .is_none_or(|tile| limits.serve(&[], &gradient.axes(self, tile)))
        });
        limits.serve(&shapes, &axes)
            && forward
                .tile()
                .is_some_and(|tile| limits.serve(&[], &forward.axes(self, tile)))
            && is_gradient_served
    }
}

/// A convolution, or the gradient of its input at stride 1, as [`conv_direct`](super::kernel::conv_direct) sees it.
struct CorrelationProblem {
    channels: usize,
    filters: usize,
    input: [usize; 2],
    output: [usize; 2],
    movement: Movement,
    before: [usize; 2],
    skip: [usize; 2],
    filter_stride: usize,
    channel_stride: usize,
    flipped: bool,
}

impl CorrelationProblem {
    fn forward(problem: &ConvProblem) -> Self {
        Self {
            channels: problem.channels / problem.options.groups,
            filters: problem.filters / problem.options.groups,
            input: problem.input,
            output: problem.output,
            movement: movement(problem),
            before: problem.options.padding.map(|(before, _)| before),
            skip: [0, 0],
            filter_stride: problem.taps(),
            channel_stride: problem.kernel[0] * problem.kernel[1],
            flipped: false,
        }
    }

    /// Correlation with the filter turned round; `None` for strides above 1.
    fn input_gradient(problem: &ConvProblem) -> Option<Self> {
        let forward = Self::forward(problem);
        let span = [0, 1].map(|axis| problem.options.dilation[axis] * (problem.kernel[axis] - 1));
        let padding = forward.before;
        (problem.options.stride == [1, 1]).then(|| Self {
            channels: forward.filters,
            filters: forward.channels,
            input: problem.output,
            output: problem.input,
            before: [0, 1].map(|axis| span[axis].saturating_sub(padding[axis])),
            skip: [0, 1].map(|axis| padding[axis].saturating_sub(span[axis])),
            filter_stride: forward.channel_stride,
            channel_stride: forward.filter_stride,
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
    /// | 1, 2 (depthwise where [`conv_depthwise`](super::kernel::conv_depthwise) does not serve) | 1 or 2 x 8 | 1 x 128 | bound by memory: a long tile reads the reach of the filter least often |
    ///
    /// Short outputs take fewer positions per unit, long reaches fewer filters, then fewer positions per unit. The rows
    /// are arithmetic on loads and products; none is measured on a GPU.
    fn tile(&self) -> Option<Tile> {
        let filters = self.filters.clamp(1, 8).next_power_of_two();
        let units = self.filters.div_ceil(filters).next_power_of_two().min(4);
        let mut sizes = vec![(filters, units), (filters, 1)];
        sizes.extend(
            [4, 2, 1]
                .into_iter()
                .filter(|&fewer| fewer < filters)
                .map(|fewer| (fewer, 1)),
        );
        let fitted = |positions| sizes.iter().find_map(|&size| self.fitted(positions, size));
        fitted(8).or_else(|| fitted(2)).or_else(|| fitted(1))
    }

    /// The tile with at most so many positions of a unit and with these filters of a unit and units along the filters,
    /// if it fits.
    fn fitted(&self, positions: usize, (filters, filter_units): (usize, usize)) -> Option<Tile> {
        let lanes = 128 / filter_units;
        // No more positions than there are, as far as units and not lanes would be idle.
        let all = self.output[0] * self.output[1];
        let positions = (1..=positions)
            .rev()
            .find(|&p| p == 1 || (p.is_power_of_two() && lanes * p < 2 * all))?;
        let cols = self.output[1].next_power_of_two().min(lanes * positions);
        let tile = Tile {
            filters,
            positions,
            filter_units,
            lanes,
            rows: lanes * positions / cols,
            cols,
            channels: 1,
            movement: self.movement,
            flipped: self.flipped,
        };
        let channels = (SHARED_BYTES / 4 / tile.channel()).min(self.channels.max(1));
        (channels > 0).then_some(Tile { channels, ..tile })
    }

    /// The grid of [`conv_direct`](super::kernel::conv_direct).
    fn axes(&self, problem: &ConvProblem, tile: Tile) -> [usize; 3] {
        [
            self.output[0].div_ceil(tile.rows) * self.output[1].div_ceil(tile.cols),
            problem.options.groups * self.filters.div_ceil(tile.cube_filters()),
            problem.replicas * problem.batch,
        ]
    }

    /// Grid of the kernel for one channel per group, if it serves: rows without stride, dilation or neighbours, at least
    /// half a tile long (bound by memory; the general kernel loads nine values from shared memory where it loads two).
    fn depthwise_axes(&self, problem: &ConvProblem) -> Option<[usize; 3]> {
        let by = self.movement;
        let is_depthwise = self.channels == 1
            && (!self.flipped || self.filters == 1)
            && by.kernel[0] == 1
            && by.kernel[1] <= OUTPUTS_PER_CUBE
            && self.input[0] == self.output[0]
            && by.stride == [1, 1]
            && by.dilation[1] == 1
            && self.output[1] >= OUTPUTS_PER_CUBE / 2
            && problem.options.groups > 1;
        let axes = [
            self.output[1].div_ceil(OUTPUTS_PER_CUBE),
            problem.options.groups * self.filters * self.input[0],
            problem.replicas * problem.batch,
        ];
        (is_depthwise && Limits::HOPPER.serve(&[], &axes)).then_some(axes)
    }

    /// The sizes for kernels.
    fn sizes(&self, problem: &ConvProblem, x: &CubeTensor) -> ConvSizesLaunch {
        ConvSizesLaunch {
            batch: problem.batch,
            x_samples: x.shape()[0] * problem.batch,
            groups: problem.options.groups,
            channels: self.channels,
            filters: self.filters,
            height: self.input[0],
            width: self.input[1],
            out_height: self.output[0],
            out_width: self.output[1],
            before_y: self.before[0],
            before_x: self.before[1],
        }
    }

    /// Correlates `[x, w, bias]`.
    fn run(&self, problem: &ConvProblem, tensors: [CubeTensor; 3], activation: Activation) -> CubeTensor {
        let [x, w, bias] = tensors.map(contiguous);
        let planes = problem.options.groups * self.filters;
        let [height, width] = self.output;
        let y = empty(&x, [problem.replicas, problem.batch, planes, height, width]);
        if y.shape().num_elements() == 0 {
            return y;
        }
        if let Some(axes) = self.depthwise_axes(problem) {
            self.launch_depthwise(problem, axes, [x, w, bias, y.clone()], activation);
            return y;
        }
        let tile = self.tile().expect("asked before the call");
        let client = y.client.clone();
        let sizes = self.sizes(problem, &x);
        let filters = FiltersLaunch {
            skip_y: self.skip[0],
            skip_x: self.skip[1],
            filter_stride: self.filter_stride,
            channel_stride: self.channel_stride,
        };
        let axes = self.axes(problem, tile);
        launch!(conv_direct(client, grid(axes), CubeDim::new_1d(tile.units() as u32);
            x.into_buffer_arg(),
            w.into_buffer_arg(),
            bias.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            sizes,
            filters,
            tile,
            activation,
        ));
        y
    }

    fn launch_depthwise(
        &self,
        problem: &ConvProblem,
        axes: [usize; 3],
        [x, w, bias, y]: [CubeTensor; 4],
        activation: Activation,
    ) {
        let client = y.client.clone();
        let sizes = DepthwiseSizesLaunch {
            batch: problem.batch,
            x_samples: x.shape()[0] * problem.batch,
            filters: problem.options.groups * self.filters,
            filters_per_group: self.filters,
            height: self.input[0],
            width: self.input[1],
            out_width: self.output[1],
            before: self.before[1],
            skip: self.skip[1],
        };
        launch!(conv_depthwise(client, grid(axes), CubeDim::new_1d(UNITS as u32);
            x.into_buffer_arg(),
            w.into_buffer_arg(),
            bias.into_buffer_arg(),
            y.into_buffer_arg(),
            sizes,
            self.movement.kernel[1],
            self.flipped,
            activation,
        ));
    }
}

fn movement(problem: &ConvProblem) -> Movement {
    Movement {
        kernel: problem.kernel,
        stride: problem.options.stride,
        dilation: problem.options.dilation,
    }
}

/// The sums of a weight gradient, cut by the shape of one replica alone.
struct WeightSum {
    /// Filters and taps of one group.
    filters: usize,
    taps: usize,
    parts: usize,
    per_part: usize,
    /// `None` where groups have too few filters for tiles.
    tile: Option<WeightTile>,
}

impl WeightSum {
    fn of(problem: &ConvProblem) -> Self {
        let (filters, taps) = (problem.filters / problem.options.groups, problem.taps());
        let items = problem.batch * problem.output[0] * problem.output[1];
        let max_parts = (MAX_PARTIAL_VALUES / (problem.filters * taps).max(1)).clamp(1, MAX_PARTS);
        let per_part = items.div_ceil(max_parts).max(MIN_POSITIONS_PER_PART);
        let per_part = per_part.next_multiple_of(BLOCK_K);
        // At least one warp of units: four filters take twice the taps.
        let tile_filters = filters.next_power_of_two().min(64);
        let tile = WeightTile {
            filters: tile_filters,
            taps: if tile_filters == TILE_PER_UNIT { 128 } else { 64 },
            movement: movement(problem),
        };
        Self {
            filters,
            taps,
            parts: items.div_ceil(per_part),
            per_part,
            tile: (filters >= TILE_PER_UNIT).then_some(tile),
        }
    }

    /// Tiles of filters and taps of one group; blocks of taps where there are no tiles.
    fn tiles(&self) -> usize {
        match self.tile {
            Some(tile) => self.filters.div_ceil(tile.filters) * self.taps.div_ceil(tile.taps),
            None => self.taps.div_ceil(TAPS_PER_PASS),
        }
    }
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
        problem: ConvProblem,
        activation: Activation,
    ) -> CubeTensor {
        CorrelationProblem::forward(&problem).run(&problem, [x, w, bias], activation)
    }
}

impl ConvAdjoint for CubeBackend {
    fn replica_conv2d_input_gradient(w: CubeTensor, dy: CubeTensor, problem: ConvProblem) -> CubeTensor {
        let correlation = CorrelationProblem::input_gradient(&problem)
            .filter(|gradient| gradient.depthwise_axes(&problem).is_some() || gradient.tile().is_some());
        if let Some(correlation) = correlation {
            let bias = zeros(&dy, [problem.replicas, problem.channels]);
            return correlation.run(&problem, [dy, w, bias], Activation::None);
        }
        let (w, dy) = (contiguous(w), contiguous(dy));
        let [height, width] = problem.input;
        let dx = empty(&dy, [problem.replicas, problem.batch, problem.channels, height, width]);
        let values = dx.shape().num_elements();
        if values == 0 {
            return dx;
        }
        let (count, dim) = linear(values);
        let client = dx.client.clone();
        let sizes = CorrelationProblem::forward(&problem).sizes(&problem, &dx);
        launch!(conv_input_gradient(client, count, dim;
            w.into_buffer_arg(),
            dy.into_buffer_arg(),
            dx.clone().into_buffer_arg(),
            sizes,
            movement(&problem),
        ));
        dx
    }

    fn replica_conv2d_weight_gradient(x: CubeTensor, dy: CubeTensor, problem: ConvProblem) -> CubeTensor {
        let (x, dy) = (contiguous(x), contiguous(dy));
        let (replicas, groups) = (problem.replicas, problem.options.groups);
        let [height, width] = problem.kernel;
        let shape = [replicas, problem.filters, problem.channels / groups, height, width];
        let sum = WeightSum::of(&problem);
        if sum.parts * problem.filters * sum.taps == 0 {
            return zeros(&dy, shape);
        }
        let partials = empty(&dy, [replicas, sum.parts, problem.filters, sum.taps]);
        let client = dy.client.clone();
        let sizes = CorrelationProblem::forward(&problem).sizes(&problem, &x);
        let parts = PartsLaunch {
            parts: sum.parts,
            per_part: sum.per_part,
        };
        let (x, dy, out) = (
            x.into_buffer_arg(),
            dy.into_buffer_arg(),
            partials.clone().into_buffer_arg(),
        );
        if let Some(tile) = sum.tile {
            let count = grid([sum.tiles(), groups, replicas * sum.parts]);
            let dim = CubeDim::new_1d(tile.units() as u32);
            launch!(conv_weight_gradient(client, count, dim; x, dy, out, sizes, parts, tile));
        } else {
            let count = grid([problem.filters, sum.tiles(), replicas * sum.parts]);
            let dim = CubeDim::new_1d(UNITS as u32);
            launch!(conv_weight_gradient_few(client, count, dim; x, dy, out, sizes, parts, movement(&problem)));
        }
        add_partial_sums(partials, shape)
    }

    fn replica_conv2d_bias_gradient(dy: CubeTensor, problem: ConvProblem) -> CubeTensor {
        let dy = contiguous(dy);
        let (replicas, filters) = (problem.replicas, problem.filters);
        if dy.shape().num_elements() == 0 {
            return zeros(&dy, [replicas, filters]);
        }
        let sums = empty(&dy, [replicas, problem.batch, filters]);
        let [x, y] = spread(sums.shape().num_elements());
        let client = dy.client.clone();
        launch!(conv_bias_gradient(client, grid([x, y, 1]), CubeDim::new_1d(UNITS as u32);
            dy.into_buffer_arg(), sums.clone().into_buffer_arg(), problem.output[0] * problem.output[1]));
        add_partial_sums(sums, [replicas, filters])
    }

    fn replica_activation_gradient(saved: CubeTensor, dy: CubeTensor, activation: Activation) -> CubeTensor {
        let (saved, dy) = (contiguous(saved), contiguous(dy));
        let dz = empty(&dy, dy.shape());
        let values = dz.shape().num_elements();
        if values == 0 {
            return dz;
        }
        let (count, dim) = linear(values);
        let client = dz.client.clone();
        launch!(conv_activation_gradient(client, count, dim;
            saved.into_buffer_arg(), dy.into_buffer_arg(), dz.clone().into_buffer_arg(), activation));
        dz
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::Conv2dOptions;
    use crate::limits::{MAX_CUBES, MAX_ELEMENTS};

    fn served(x: [usize; 5], w: [usize; 5], options: Conv2dOptions) -> bool {
        let problem = ConvProblem::new(x, w, None, &options);
        problem.is_ok_and(|problem| problem.is_served(Limits::HOPPER))
    }

    #[test]
    fn convolutions_are_served_up_to_the_limits() {
        let plain = Conv2dOptions::default();
        let same = plain.same([1, 3]);
        // Input, output, and the output of a shared input.
        let len = MAX_ELEMENTS / (64 * 16);
        assert!(served([1, 64, 16, 1, len], [1, 8, 16, 1, 3], same));
        assert!(!served([1, 64, 16, 1, len + 1], [1, 8, 16, 1, 3], same));
        assert!(served([1, 64, 8, 1, len], [1, 16, 8, 1, 3], same));
        assert!(!served([1, 64, 8, 1, len + 1], [1, 16, 8, 1, 3], same));
        assert!(!served([1, 64, 8, 1, len], [2, 16, 8, 1, 3], same));
        // Axes: samples, parts, channels, filters, tiles of positions.
        assert!(served([1, MAX_CUBES, 1, 1, 9], [1, 1, 1, 1, 3], same));
        assert!(!served([1, MAX_CUBES + 1, 1, 1, 9], [1, 1, 1, 1, 3], same));
        assert!(served([255, 1, 1, 1, 9], [255, 1, 1, 1, 3], same));
        assert!(!served([256, 1, 1, 1, 9], [256, 1, 1, 1, 3], same));
        assert!(!served([1, 1, 1, 1, 9], [1, MAX_CUBES + 1, 1, 1, 3], same));
        assert!(!served([1, 1, MAX_CUBES + 1, 1, 9], [1, 1, MAX_CUBES + 1, 1, 3], same));
        assert!(served([1, 1, 1, 1, 1024 * MAX_CUBES], [1, 1, 1, 1, 3], same));
        assert!(!served([1, 1, 1, 1, 1024 * MAX_CUBES + 1], [1, 1, 1, 1, 3], same));
        // The reach of a filter beside one position in shared memory.
        assert!(!served([1, 1, 1, 1, 9000], [1, 1, 1, 1, 7000], plain));
    }

    /// A large output of few inputs: the gradient of the input is a longer row than the output.
    #[test]
    fn the_grid_of_the_gradient_is_asked_for_too() {
        let plain = Conv2dOptions::default();
        assert!(served([1, 1, 1, 1, 1024 * MAX_CUBES], [1, 1, 1, 1, 9], plain));
        assert!(!served([1, 1, 1, 1, 1024 * MAX_CUBES + 1], [1, 1, 1, 1, 9], plain));
    }
}
