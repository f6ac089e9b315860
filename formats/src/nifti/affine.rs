//! Affine maps from voxel indices (column, line, slice) to millimetres, x to the right, y to the front, z up.

use std::path::Path;

use super::damaged;
use super::header::Header;
use crate::FileError;

/// Three rows of a 4 x 4 matrix whose last row is 0, 0, 0, 1.
pub type Affine = [[f64; 4]; 3];

impl Header {
    /// The affine and the field it comes from: `sform`, else `qform`, else a map from voxel sizes alone that takes the
    /// centre of the volume to the origin and, as is the custom of such files, columns to the left.
    ///
    /// # Errors
    /// A quaternion longer than one; a map with numbers that are not finite.
    pub fn affine(&self, path: &Path) -> Result<(Affine, &'static str), FileError> {
        // Voxel sizes are made good as in nibabel: signs dropped, 0 is 1.
        let sizes = [1, 2, 3].map(|axis: usize| {
            if self.pixdim[axis] == 0.0 {
                1.0
            } else {
                self.pixdim[axis].abs()
            }
        });
        // Codes beyond those of the standard count as unknown.
        let known = |code: i32| (1..=5).contains(&code);
        let (affine, source) = if known(self.sform_code) {
            (self.srow, "sform")
        } else if known(self.qform_code) {
            (self.quaternion_affine(sizes, path)?, "qform")
        } else {
            let centre = |axis: usize| (self.dims[axis] as f64 - 1.0) / 2.0 * sizes[axis];
            let [x, y, z] = sizes;
            (
                [
                    [-x, 0.0, 0.0, centre(0)],
                    [0.0, y, 0.0, -centre(1)],
                    [0.0, 0.0, z, -centre(2)],
                ],
                "pixdim",
            )
        };
        if affine.iter().flatten().any(|value| !value.is_finite()) {
            return Err(damaged(path, source)
                .found(format!("{affine:?}"))
                .expected("finite numbers"));
        }
        let scale = self.mm_per_unit();
        Ok((affine.map(|row| row.map(|value| value * scale)), source))
    }

    fn quaternion_affine(&self, sizes: [f64; 3], path: &Path) -> Result<Affine, FileError> {
        let [b, c, d] = self.quaternion;
        let epsilon = if self.version == 1 {
            f64::from(f32::EPSILON)
        } else {
            f64::EPSILON
        };
        let rest = 1.0 - (b * b + c * c + d * d);
        let a = match rest {
            rest if rest.abs() < 3.0 * epsilon => 0.0,
            rest if rest > 0.0 => rest.sqrt(),
            _ => {
                return Err(damaged(path, "qform")
                    .found(format!("the quaternion {b}, {c}, {d}"))
                    .expected("a length of at most 1"));
            }
        };
        let s = 2.0 / (a * a + b * b + c * c + d * d);
        let rotation = [
            [1.0 - s * (c * c + d * d), s * (b * c - a * d), s * (b * d + a * c)],
            [s * (b * c + a * d), 1.0 - s * (b * b + d * d), s * (c * d - a * b)],
            [s * (b * d - a * c), s * (c * d + a * b), 1.0 - s * (b * b + c * c)],
        ];
        let left_handed = if self.pixdim[0] == -1.0 { -1.0 } else { 1.0 };
        let [x, y, z] = sizes;
        let row = |row: usize| {
            let [i, j, k] = rotation[row];
            [i * x, j * y, k * z * left_handed, self.quaternion_offset[row]]
        };
        Ok([row(0), row(1), row(2)])
    }
}

/// Millimetres of a voxel index.
pub fn apply(affine: &Affine, index: [f64; 3]) -> [f64; 3] {
    affine.map(|[x, y, z, offset]| x * index[0] + y * index[1] + z * index[2] + offset)
}

/// The inverse map; `None` if the matrix has none.
pub fn inverse(affine: &Affine) -> Option<Affine> {
    let m = inverse_3x3(&affine.map(|[x, y, z, _]| [x, y, z]))?;
    let [x, y, z] = affine.map(|row| row[3]);
    Some(m.map(|[a, b, c]| [a, b, c, -(a * x + b * y + c * z)]))
}

fn inverse_3x3(m: &[[f64; 3]; 3]) -> Option<[[f64; 3]; 3]> {
    let minor = |row: usize, column: usize| {
        let [r, s] = [(row + 1) % 3, (row + 2) % 3];
        let [c, d] = [(column + 1) % 3, (column + 2) % 3];
        m[r][c] * m[s][d] - m[r][d] * m[s][c]
    };
    let determinant: f64 = (0..3).map(|column| m[0][column] * minor(0, column)).sum();
    let inverse: [[f64; 3]; 3] = std::array::from_fn(|i| std::array::from_fn(|j| minor(j, i) / determinant));
    inverse
        .iter()
        .flatten()
        .all(|value| value.is_finite())
        .then_some(inverse)
}

/// For each voxel axis the closest axis in space and whether it runs backwards, as nibabel's `io_orientation`; `None`
/// for a map that flattens space. The rotation is the orthogonal polar factor of the map with columns of length one, by
/// Newton's iteration (Higham 1986, doi 10.1137/0907079); axes are dealt out from the clearest to the least clear.
pub fn orientation(affine: &Affine) -> Option<[(usize, bool); 3]> {
    let mut rotation = affine.map(|[x, y, z, _]| [x, y, z]);
    for column in 0..3 {
        let length = rotation.iter().map(|row| row[column].powi(2)).sum::<f64>().sqrt();
        rotation.iter_mut().for_each(|row| row[column] /= length);
    }
    // Quadratic at the end; a map with columns almost in one plane takes the most steps.
    for _ in 0..60 {
        let inverse = inverse_3x3(&rotation)?;
        rotation = std::array::from_fn(|i| std::array::from_fn(|j| 0.5 * (rotation[i][j] + inverse[j][i])));
    }
    let clearest = |axis: usize| rotation.iter().map(|row| row[axis].abs()).fold(0.0, f64::max);
    let mut order = [0, 1, 2];
    order.sort_by(|&a, &b| clearest(b).total_cmp(&clearest(a)));
    let (mut axes, mut free) = ([(0, false); 3], vec![0, 1, 2]);
    for axis in order {
        let strength = |row: &usize| rotation[*row][axis].abs();
        let &best = free.iter().rev().max_by(|a, b| strength(a).total_cmp(&strength(b)))?;
        free.retain(|&row| row != best);
        axes[axis] = (best, rotation[best][axis] < 0.0);
    }
    Some(axes)
}

/// The directions in which columns, lines and slices run, such as `LAS`: left, front, up.
pub fn orientation_code(affine: &Affine) -> Option<String> {
    let letters = [['R', 'L'], ['A', 'P'], ['S', 'I']];
    let letter = |(axis, backwards): (usize, bool)| letters.get(axis).map(|pair| pair[usize::from(backwards)]);
    orientation(affine)?.into_iter().map(letter).collect()
}
