//! Inputs with the zeros around them, in which every tap of a filter reads rows without gaps or edges; and the passes
//! over them that make up a convolution or its adjoint.

use super::pass::{Pass, blocks};
use crate::conv::ConvProblem;

/// Values that a pass may read past the last plane: one tile of the widest kernel in `simd.rs`.
const SLACK: usize = 8 * 16;

/// The planes of one group of channels: per channel one for each phase of the horizontal stride, with zeros around.
#[derive(Debug, Clone)]
pub(crate) struct Planes {
    channels: usize,
    phases: usize,
    /// Rows and columns of zeros before the first value.
    before: [usize; 2],
    /// Height and width of a channel as it comes.
    input: [usize; 2],
    height: usize,
    width: usize,
}

impl Planes {
    fn new(channels: usize, phases: usize, before: [usize; 2], input: [usize; 2], padded: [usize; 2]) -> Self {
        // An odd number of cache lines: planes and rows at a multiple of 4 KiB would share few sets of the cache.
        let lines = padded[1].div_ceil(phases).div_ceil(16);
        let width = if padded[1] < 512 { lines * 16 } else { (lines | 1) * 16 };
        Self {
            channels,
            phases,
            before,
            input,
            height: padded[0],
            width,
        }
    }

    /// Zeros for [`fill`](Self::fill) to write into.
    pub(crate) fn scratch(&self) -> Vec<f32> {
        vec![0.0; self.channels * self.phases * self.height * self.width + SLACK]
    }

    fn at(&self, channel: usize, phase: usize, row: usize, col: usize) -> usize {
        ((channel * self.phases + phase) * self.height + row) * self.width + col
    }

    /// Values of one group of a sample as it comes.
    pub(crate) fn group(&self) -> usize {
        self.channels * self.input[0] * self.input[1]
    }

    /// Writes the values of a group between the zeros.
    pub(crate) fn fill(&self, group: &[f32], planes: &mut [f32]) {
        let [height, width] = self.input;
        for (index, row) in group.chunks_exact(width.max(1)).enumerate() {
            let (channel, y) = (index / height, index % height + self.before[0]);
            for first in 0..self.phases.min(width) {
                let (phase, start) = (
                    (first + self.before[1]) % self.phases,
                    (first + self.before[1]) / self.phases,
                );
                let at = self.at(channel, phase, y, start);
                let out = &mut planes[at..at + (width - first).div_ceil(self.phases)];
                match self.phases {
                    1 => out.copy_from_slice(row),
                    2 => gather::<2>(out, &row[first..]),
                    4 => gather::<4>(out, &row[first..]),
                    step => out
                        .iter_mut()
                        .zip(row[first..].iter().step_by(step))
                        .for_each(|(out, value)| *out = *value),
                }
            }
        }
    }
}

/// Every `STEP`-th of `values` to `out`. A constant step is several times faster than `step_by`.
fn gather<const STEP: usize>(out: &mut [f32], values: &[f32]) {
    let (whole, rest) = values.as_chunks::<STEP>();
    out.iter_mut().zip(whole).for_each(|(out, values)| *out = values[0]);
    out.iter_mut()
        .skip(whole.len())
        .zip(rest)
        .for_each(|(out, value)| *out = *value);
}

/// A convolution or its adjoint for the input: passes over planes.
#[derive(Debug, Clone)]
pub(crate) struct Correlation {
    pub(crate) planes: Planes,
    pub(crate) passes: Vec<Pass>,
    pub(crate) groups: usize,
    /// Outputs ("filters") of one group.
    pub(crate) filters: usize,
    /// Weights from one filter to the next.
    filter_step: usize,
    /// Weights of one group.
    pub(crate) bank: usize,
    /// Height and width of a plane of outputs.
    pub(crate) output: [usize; 2],
}

impl Correlation {
    /// The convolution.
    pub(crate) fn forward(problem: &ConvProblem) -> Self {
        let groups = problem.options.groups;
        let (channels, filters) = (problem.channels / groups, problem.filters / groups);
        let [(top, bottom), (left, right)] = problem.options.padding;
        let padded = [top + problem.input[0] + bottom, left + problem.input[1] + right];
        let [row_stride, phases] = problem.options.stride;
        let planes = Planes::new(channels, phases, [top, left], problem.input, padded);
        let mut offsets = Vec::with_capacity(problem.taps());
        for channel in 0..channels {
            for tap in 0..problem.kernel[0] * problem.kernel[1] {
                let row = tap / problem.kernel[1] * problem.options.dilation[0];
                let col = tap % problem.kernel[1] * problem.options.dilation[1];
                offsets.push(planes.at(channel, col % phases, row, col / phases));
            }
        }
        let row_step = row_stride * planes.width;
        let weights = (0..offsets.len()).collect();
        let pass = Pass {
            offsets,
            weights,
            output: problem.output,
            row_step,
            first: [0, 0],
            step: [1, 1],
        };
        let filter_step = problem.taps();
        Self {
            planes,
            passes: vec![pass],
            groups,
            filters,
            filter_step,
            bank: filters * filter_step,
            output: problem.output,
        }
    }

    /// The gradient of the input, from that of the output: one pass for each phase of the stride, each with the taps
    /// that its positions have seen. Position `i` saw output `(i + padding - dilation tap) / stride`.
    pub(crate) fn input_gradient(problem: &ConvProblem) -> Self {
        let groups = problem.options.groups;
        let (channels, filters) = (problem.channels / groups, problem.filters / groups);
        let phases = [0, 1].map(|axis| axis_phases(problem, axis));
        let extent = |axis: usize| {
            let all = phases[axis].iter();
            let before = all
                .clone()
                .flat_map(|p| &p.taps)
                .map(|tap| (-tap.1).max(0))
                .max()
                .unwrap_or(0);
            let reach = |p: &Phase| {
                p.taps
                    .iter()
                    .map(|tap| tap.1 + before)
                    .max()
                    .map_or(0, |last| last as usize + p.count)
            };
            let before_len = before as usize + problem.output[axis];
            (before, all.map(reach).max().unwrap_or(0).max(before_len))
        };
        let [(top, height), (left, width)] = [extent(0), extent(1)];
        let planes = Planes::new(
            filters,
            1,
            [top as usize, left as usize],
            problem.output,
            [height, width],
        );
        let taps = problem.kernel[0] * problem.kernel[1];
        let mut passes = Vec::new();
        for rows in &phases[0] {
            for cols in &phases[1] {
                let (mut offsets, mut weights) = (Vec::new(), Vec::new());
                for filter in 0..filters {
                    for (u, row) in &rows.taps {
                        for (v, col) in &cols.taps {
                            offsets.push(planes.at(filter, 0, (row + top) as usize, (col + left) as usize));
                            weights.push(filter * channels * taps + u * problem.kernel[1] + v);
                        }
                    }
                }
                passes.push(Pass {
                    offsets,
                    weights,
                    output: [rows.count, cols.count],
                    row_step: planes.width,
                    first: [rows.first, cols.first],
                    step: problem.options.stride,
                });
            }
        }
        let bank = filters * channels * taps;
        Self {
            planes,
            passes,
            groups,
            filters: channels,
            filter_step: taps,
            bank,
            output: problem.input,
        }
    }

    /// The filters of one group for one pass, in the order in which tiles read them: block by block, tap by tap.
    pub(crate) fn pack(&self, pass: &Pass, bank: &[f32]) -> Vec<f32> {
        let mut packed = Vec::with_capacity(self.filters * pass.weights.len());
        for block in blocks(self.filters) {
            for tap in &pass.weights {
                packed.extend(block.clone().map(|filter| bank[filter * self.filter_step + tap]));
            }
        }
        packed
    }
}

/// Every `stride`-th position of one axis of the input, and what its gradient reads.
#[derive(Debug)]
struct Phase {
    first: usize,
    count: usize,
    /// Taps, each with the output that the first position saw through it; it may lie outside.
    taps: Vec<(usize, isize)>,
}

fn axis_phases(problem: &ConvProblem, axis: usize) -> Vec<Phase> {
    let (stride, dilation) = (
        problem.options.stride[axis] as isize,
        problem.options.dilation[axis] as isize,
    );
    let padding = problem.options.padding[axis].0 as isize;
    (0..problem.options.stride[axis].min(problem.input[axis]))
        .map(|first| {
            let seen = |tap: usize| first as isize + padding - dilation * tap as isize;
            let taps = (0..problem.kernel[axis]).filter(|&tap| seen(tap).rem_euclid(stride) == 0);
            let taps = taps.map(|tap| (tap, seen(tap).div_euclid(stride))).collect();
            Phase {
                first,
                count: (problem.input[axis] - first).div_ceil(problem.options.stride[axis]),
                taps,
            }
        })
        .collect()
}
