//! The inner loops: tiles of filters and positions in vector registers, by the widest instructions of the machine.

use super::pass::{Pass, blocks};
use pulp::{Simd, WithSimd};

/// Filters of a tile of a weight gradient at most.
const GRADIENT_BLOCK: usize = 4;
/// Products added up before their sum joins the others: the rounding error grows with this and the number of such sums,
/// not with their product.
const TAPS: usize = 64;
/// Positions whose products a weight gradient adds up in registers.
const CHUNK: usize = 1024;

/// Vectors of positions beside `filters` filters in one tile: with the sums they fit 16 registers, and with one to spare
/// the compiler keeps them there.
const fn vectors(filters: usize) -> usize {
    match filters {
        1 => 8,
        2 => 5,
        3 => 3,
        _ => 2,
    }
}

/// Taps beside `filters` filters in one tile of a weight gradient.
const fn taps(filters: usize) -> usize {
    match filters {
        1 => 8,
        2 => 5,
        _ => 3,
    }
}

/// One [`Pass`] over the planes of one group.
pub(crate) struct Correlate<'a> {
    pub(crate) pass: &'a Pass,
    pub(crate) planes: &'a [f32],
    /// As packed by [`Correlation::pack`](super::planes::Correlation::pack).
    pub(crate) weights: &'a [f32],
    /// One value per filter, or nothing.
    pub(crate) bias: Option<&'a [f32]>,
    /// `[filters, height, width]`.
    pub(crate) out: &'a mut [f32],
    /// Height times width, and width, of a plane of `out`.
    pub(crate) plane: usize,
    pub(crate) width: usize,
}

impl WithSimd for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let taps = self.pass.offsets.len();
        let filters = self.out.len() / self.plane.max(1);
        for row in 0..self.pass.output[0] {
            // All filters over one stretch of the planes, which stays in the cache.
            let widest = blocks(filters).map(|block| block.len()).max().unwrap_or(0);
            let stretch = vectors(widest) * S::F32_LANES;
            for col in (0..self.pass.output[1]).step_by(stretch) {
                let cols = stretch.min(self.pass.output[1] - col);
                for block in blocks(filters) {
                    let weights = &self.weights[block.start * taps..block.end * taps];
                    match block.len() {
                        4 => self.stretch::<S, 4>(simd, block.start, weights, row, col, cols),
                        3 => self.stretch::<S, 3>(simd, block.start, weights, row, col, cols),
                        2 => self.stretch::<S, 2>(simd, block.start, weights, row, col, cols),
                        _ => self.stretch::<S, 1>(simd, block.start, weights, row, col, cols),
                    }
                }
            }
        }
    }
}

impl Correlate<'_> {
    /// `cols` outputs of `F` filters: as many vectors as they fill.
    #[inline(always)]
    fn stretch<S: Simd, const F: usize>(
        &mut self,
        simd: S,
        first: usize,
        weights: &[f32],
        row: usize,
        col: usize,
        cols: usize,
    ) {
        let weights = weights.as_chunks::<F>().0;
        match cols.div_ceil(S::F32_LANES) {
            1 => self.tile::<S, F, 1>(simd, first, weights, row, col, cols),
            2 => self.tile::<S, F, 2>(simd, first, weights, row, col, cols),
            3 if vectors(F) >= 3 => self.tile::<S, F, 3>(simd, first, weights, row, col, cols),
            4 if vectors(F) >= 5 => self.tile::<S, F, 4>(simd, first, weights, row, col, cols),
            5 if vectors(F) >= 5 => self.tile::<S, F, 5>(simd, first, weights, row, col, cols),
            6 if vectors(F) >= 8 => self.tile::<S, F, 6>(simd, first, weights, row, col, cols),
            7 if vectors(F) >= 8 => self.tile::<S, F, 7>(simd, first, weights, row, col, cols),
            8 if vectors(F) >= 8 => self.tile::<S, F, 8>(simd, first, weights, row, col, cols),
            _ => unreachable!("a stretch is as long as a tile"),
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const F: usize, const V: usize>(
        &mut self,
        simd: S,
        first: usize,
        weights: &[[f32; F]],
        row: usize,
        col: usize,
        cols: usize,
    ) {
        let [row_step, step] = self.pass.step;
        let start = (self.pass.first[0] + row * row_step) * self.width + self.pass.first[1] + col * step;
        simd.vectorize(Tile::<F, V> {
            offsets: &self.pass.offsets,
            planes: &self.planes[row * self.pass.row_step + col..],
            weights,
            bias: std::array::from_fn(|f| self.bias.map_or(0.0, |bias| bias[first + f])),
            out: &mut self.out[first * self.plane + start..],
            plane: self.plane,
            step,
            cols,
        });
    }
}

/// `cols` outputs of `F` filters in `V` vectors: a function of its own, so that its sums stay in registers.
struct Tile<'a, const F: usize, const V: usize> {
    offsets: &'a [usize],
    planes: &'a [f32],
    weights: &'a [[f32; F]],
    bias: [f32; F],
    out: &'a mut [f32],
    plane: usize,
    step: usize,
    cols: usize,
}

impl<const F: usize, const V: usize> WithSimd for Tile<'_, F, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            offsets,
            planes,
            weights,
            bias,
            out,
            plane,
            step,
            cols,
        } = self;
        let mut totals = bias.map(|bias| [simd.splat_f32s(bias); V]);
        for (offsets, weights) in offsets.chunks(TAPS).zip(weights.chunks(TAPS)) {
            let mut sums = [[simd.splat_f32s(0.0); V]; F];
            for (&offset, weights) in offsets.iter().zip(weights) {
                let values = S::as_simd_f32s(&planes[offset..][..V * S::F32_LANES]).0;
                for f in 0..F {
                    let weight = simd.splat_f32s(weights[f]);
                    for v in 0..V {
                        sums[f][v] = simd.mul_add_e_f32s(weight, values[v], sums[f][v]);
                    }
                }
            }
            for f in 0..F {
                for v in 0..V {
                    totals[f][v] = simd.add_f32s(totals[f][v], sums[f][v]);
                }
            }
        }
        for f in 0..F {
            let out = &mut out[f * plane..];
            if step == 1 {
                for v in 0..V {
                    let at = v * S::F32_LANES;
                    let last = cols.min(at + S::F32_LANES);
                    simd.partial_store_f32s(&mut out[at..last], totals[f][v]);
                }
            } else {
                let totals: &[f32] = pulp::bytemuck::cast_slice(&totals[f]);
                out.iter_mut()
                    .step_by(step)
                    .zip(&totals[..cols])
                    .for_each(|(out, total)| *out = *total);
            }
        }
    }
}

/// Adds what one group of one sample gives to the gradient of its filters, over the pass of the convolution.
pub(crate) struct WeightGradient<'a> {
    pub(crate) pass: &'a Pass,
    pub(crate) planes: &'a [f32],
    /// `[filters, height, width]`.
    pub(crate) dy: &'a [f32],
    /// `[filters, taps]`.
    pub(crate) dw: &'a mut [f32],
}

/// Rows and columns of outputs.
#[derive(Clone, Copy)]
struct Area {
    first: [usize; 2],
    rows: usize,
    cols: usize,
}

impl WithSimd for WeightGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let [height, width] = self.pass.output;
        let filters = self.dy.len() / (height * width).max(1);
        let cols = width.clamp(1, CHUNK);
        let rows = (CHUNK / cols).max(1);
        for row in (0..height).step_by(rows) {
            for col in (0..width).step_by(cols) {
                let area = Area {
                    first: [row, col],
                    rows: rows.min(height - row),
                    cols: cols.min(width - col),
                };
                for first in (0..filters).step_by(GRADIENT_BLOCK) {
                    match filters - first {
                        1 => self.taps::<S, 1, { taps(1) }>(simd, first, area),
                        2 => self.taps::<S, 2, { taps(2) }>(simd, first, area),
                        3 => self.taps::<S, 3, { taps(3) }>(simd, first, area),
                        _ => self.taps::<S, 4, { taps(4) }>(simd, first, area),
                    }
                }
            }
        }
    }
}

impl WeightGradient<'_> {
    /// All taps of `F` filters, `T` at a time.
    #[inline(always)]
    fn taps<S: Simd, const F: usize, const T: usize>(&mut self, simd: S, first: usize, area: Area) {
        let taps = self.pass.offsets.len();
        let mut tap = 0;
        while tap + T <= taps {
            self.tile::<S, F, T>(simd, first, tap, area);
            tap += T;
        }
        while tap < taps {
            self.tile::<S, F, 1>(simd, first, tap, area);
            tap += 1;
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const F: usize, const T: usize>(&mut self, simd: S, first: usize, tap: usize, area: Area) {
        let [height, width] = self.pass.output;
        let mut sums = [[simd.splat_f32s(0.0); T]; F];
        for row in area.first[0]..area.first[0] + area.rows {
            let dy: [&[f32]; F] = std::array::from_fn(|f| {
                let at = ((first + f) * height + row) * width + area.first[1];
                &self.dy[at..at + area.cols]
            });
            let x: [&[f32]; T] = std::array::from_fn(|t| {
                let at = self.pass.offsets[tap + t] + row * self.pass.row_step + area.first[1];
                &self.planes[at..at + area.cols]
            });
            let whole = area.cols / S::F32_LANES;
            let (dys, xs) = (
                dy.map(|row| &S::as_simd_f32s(row).0[..whole]),
                x.map(|row| &S::as_simd_f32s(row).0[..whole]),
            );
            for at in 0..whole {
                for f in 0..F {
                    for t in 0..T {
                        sums[f][t] = simd.mul_add_e_f32s(dys[f][at], xs[t][at], sums[f][t]);
                    }
                }
            }
            if whole * S::F32_LANES < area.cols {
                let rest = |row: &[f32]| simd.partial_load_f32s(&row[whole * S::F32_LANES..]);
                let (dy, x) = (dy.map(rest), x.map(rest));
                for f in 0..F {
                    for t in 0..T {
                        sums[f][t] = simd.mul_add_e_f32s(dy[f], x[t], sums[f][t]);
                    }
                }
            }
        }
        let taps = self.pass.offsets.len();
        for f in 0..F {
            for t in 0..T {
                self.dw[(first + f) * taps + tap + t] += simd.reduce_sum_f32s(sums[f][t]);
            }
        }
    }
}
