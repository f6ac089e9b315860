//! Inputs with their zeros around them, laid out so that unfolding them is a copy of rows.

use super::Geometry;
use super::native::taps;
use std::ops::Range;

/// Every `STRIDE`-th of `values` to `out`. A constant stride is several times faster than `step_by`.
fn gather<const STRIDE: usize>(out: &mut [f32], values: &[f32]) {
    let (whole, rest) = values.as_chunks::<STRIDE>();
    out.iter_mut().zip(whole).for_each(|(out, values)| *out = values[0]);
    out.iter_mut().skip(whole.len()).zip(rest).for_each(|(out, value)| *out = *value);
}

/// `values` to every `STRIDE`-th place of `out`.
fn scatter<const STRIDE: usize>(out: &mut [f32], values: &[f32]) {
    let (whole, rest) = out.as_chunks_mut::<STRIDE>();
    let last = whole.len().min(values.len());
    whole.iter_mut().zip(values).for_each(|(out, value)| out[0] = *value);
    rest.iter_mut().zip(&values[last..]).for_each(|(out, value)| *out = *value);
}

/// A plane with its zeros around it, cut into one plane per phase of the horizontal stride: in these every tap reads
/// rows without gaps or edges, which makes unfolding a copy.
#[derive(Clone, Copy)]
pub(super) struct Padded {
    height: usize,
    width: usize,
    phases: usize,
}

impl Padded {
    pub(super) fn of(g: &Geometry) -> Self {
        let [(top, bottom), (left, right)] = g.options.padding;
        let phases = g.options.stride[1];
        Self { height: top + g.input[0] + bottom, width: (left + g.input[1] + right).div_ceil(phases), phases }
    }

    /// Values of all phases of one channel.
    pub(super) fn plane(&self) -> usize {
        self.phases * self.height * self.width
    }

    /// Calls `row(in the plane, in the padded plane)` for every row of every phase: each `phases`-th value of the first
    /// range is a value of the second.
    fn rows(&self, g: &Geometry, mut row: impl FnMut(Range<usize>, Range<usize>)) {
        let [height, width] = g.input;
        let [(top, _), (left, _)] = g.options.padding;
        for first in 0..self.phases.min(width) {
            let (phase, start) = ((first + left) % self.phases, (first + left) / self.phases);
            let count = (width - first).div_ceil(self.phases);
            for y in 0..height {
                let at = (phase * self.height + top + y) * self.width + start;
                row(y * width + first..(y + 1) * width, at..at + count);
            }
        }
    }

    /// Writes the input of one group to `padded`, whose zeros around it stay.
    pub(super) fn pad(&self, g: &Geometry, x_group: &[f32], padded: &mut [f32]) {
        let planes = x_group.chunks((g.input[0] * g.input[1]).max(1)).zip(padded.chunks_mut(self.plane()));
        for (plane, padded) in planes {
            self.rows(g, |from, to| {
                let (values, out) = (&plane[from], &mut padded[to]);
                match self.phases {
                    1 => out.copy_from_slice(values),
                    2 => gather::<2>(out, values),
                    4 => gather::<4>(out, values),
                    _ => out.iter_mut().zip(values.iter().step_by(self.phases)).for_each(|(out, value)| *out = *value),
                }
            });
        }
    }

    /// Writes `padded` without what lies around the input: the adjoint of [`Self::pad`].
    pub(super) fn crop(&self, g: &Geometry, padded: &[f32], dx_group: &mut [f32]) {
        let planes = dx_group.chunks_mut((g.input[0] * g.input[1]).max(1)).zip(padded.chunks(self.plane()));
        for (plane, padded) in planes {
            self.rows(g, |to, from| {
                let (values, out) = (&padded[from], &mut plane[to]);
                match self.phases {
                    1 => out.copy_from_slice(values),
                    2 => scatter::<2>(out, values),
                    4 => scatter::<4>(out, values),
                    _ => out.iter_mut().step_by(self.phases).zip(values).for_each(|(out, value)| *out = *value),
                }
            });
        }
    }

    /// Calls `run(first column value, first padded value, count)` for every row of outputs of every tap.
    pub(super) fn runs(
        &self,
        g: &Geometry,
        channels: usize,
        tile: &Range<usize>,
        mut run: impl FnMut(usize, usize, usize),
    ) {
        let (output_width, stride) = (g.output[1], g.options.stride[0]);
        for (index, (channel, [u, v])) in taps(g, channels).enumerate() {
            let shift = v * g.options.dilation[1];
            let phase = channel * self.phases + shift % self.phases;
            let first_row = phase * self.height + u * g.options.dilation[0];
            let offset = shift / self.phases;
            let (mut row, mut col) = (tile.start / output_width, tile.start % output_width);
            let mut at = 0;
            while at < tile.len() {
                let count = (output_width - col).min(tile.len() - at);
                let from = (first_row + row * stride) * self.width + offset + col;
                run(index * tile.len() + at, from, count);
                at += count;
                (row, col) = (row + 1, 0);
            }
        }
    }
}
