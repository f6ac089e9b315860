//! Products of a few rows with one matrix, again and again: the matrix is packed once.

use pulp::{Simd, WithSimd};

/// Most rows of a register tile; with two vectors to a row and a vector of each operand they fill 16 registers.
const TILE_ROWS: usize = 6;

/// A matrix `[inner, cols]`, cut into panels of two vectors' columns.
pub(super) struct Panels {
    values: Vec<f32>,
    inner: usize,
    width: usize,
    /// Columns, with those that fill up the last panel.
    pub(super) cols: usize,
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

impl Panels {
    /// Packs a matrix given by its elements.
    pub(super) fn pack(inner: usize, cols: usize, element: impl Fn(usize, usize) -> f32) -> Self {
        let width = 2 * crate::simd::dispatch(Lanes);
        let panels = cols.div_ceil(width);
        let mut values = vec![0.0; panels * inner * width];
        for (panel, values) in values.chunks_exact_mut((inner * width).max(1)).enumerate() {
            for (k, row) in values.chunks_exact_mut(width).enumerate() {
                for (col, value) in (panel * width..cols).zip(row) {
                    *value = element(k, col);
                }
            }
        }
        Self {
            values,
            inner,
            width,
            cols: panels * width,
        }
    }

    /// `out[row] = left(row) x matrix` for each of `rows`; rows of `out` lie `self.cols` apart. The order of a sum does
    /// not depend on the other rows.
    #[inline(always)]
    pub(super) fn multiply<'a, S: Simd>(
        &self,
        s: S,
        rows: &[usize],
        left: impl Fn(usize) -> &'a [f32],
        out: &mut [f32],
    ) {
        let groups = rows.len().div_ceil(TILE_ROWS);
        for (index, panel) in self.values.chunks_exact(self.inner * self.width).enumerate() {
            for group in 0..groups {
                let rows = &rows[rows.len() * group / groups..rows.len() * (group + 1) / groups];
                match rows.len() {
                    1 => self.tile::<S, 1>(s, panel, index, rows, &left, out),
                    2 => self.tile::<S, 2>(s, panel, index, rows, &left, out),
                    3 => self.tile::<S, 3>(s, panel, index, rows, &left, out),
                    4 => self.tile::<S, 4>(s, panel, index, rows, &left, out),
                    5 => self.tile::<S, 5>(s, panel, index, rows, &left, out),
                    _ => self.tile::<S, TILE_ROWS>(s, panel, index, rows, &left, out),
                }
            }
        }
    }

    #[inline(always)]
    fn tile<'a, S: Simd, const ROWS: usize>(
        &self,
        s: S,
        panel: &[f32],
        index: usize,
        rows: &[usize],
        left: impl Fn(usize) -> &'a [f32],
        out: &mut [f32],
    ) {
        let lefts: [&[f32]; ROWS] = std::array::from_fn(|i| &left(rows[i])[..self.inner]);
        let mut sums = [[s.splat_f32s(0.0); 2]; ROWS];
        let (vectors, _) = S::as_simd_f32s(panel);
        let mut k = 0;
        while k < self.inner {
            let (first, second) = (vectors[2 * k], vectors[2 * k + 1]);
            let mut i = 0;
            while i < ROWS {
                let value = s.splat_f32s(lefts[i][k]);
                sums[i][0] = s.mul_add_e_f32s(value, first, sums[i][0]);
                sums[i][1] = s.mul_add_e_f32s(value, second, sums[i][1]);
                i += 1;
            }
            k += 1;
        }
        for (row, sums) in rows.iter().zip(sums) {
            let out = &mut out[row * self.cols + index * self.width..][..self.width];
            S::as_mut_simd_f32s(out).0.copy_from_slice(&sums);
        }
    }
}
