//! Volumes in space: turned to a common orientation, resampled to a common voxel size, standardised.

use ndarray::{Array3, Array4, Axis, Zip};
use rayon::prelude::*;

use super::affine::{Affine, apply, inverse, orientation, orientation_code};
use crate::Images;

/// How far, in voxels, a point may lie outside of the outermost voxel centres and still count as inside. Headers hold
/// `f32`, so that a point that was meant to lie on the edge can miss it.
const EDGE: f64 = 1e-6;
const MAX_VOXELS: f64 = (1u64 << 31) as f64;

/// One or more volumes of one shape, with their place in space.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    /// `[volumes, slices, lines, columns]`.
    pub values: Array4<f32>,
    /// Voxel index (column, line, slice) to millimetres: right, front, up.
    pub affine: Affine,
    /// Seconds from one volume to the next.
    pub volume_secs: Option<f64>,
}

/// The voxels that count.
#[derive(Debug, Clone, Copy)]
pub enum Mask<'a> {
    /// Voxels with values above a threshold, in each volume by itself.
    Above(f32),
    /// Voxels that are true, `[slices, lines, columns]`, the same in all volumes.
    Given(&'a Array3<bool>),
}

impl Volume {
    /// Volumes of `num_slices` images each; `None` for images of several planes, without an affine, or that do not
    /// divide into such volumes.
    pub fn from_images(images: Images, num_slices: usize) -> Option<Self> {
        let (num_images, num_planes, height, width) = images.values.dim();
        let num_volumes = num_images.checked_div(num_slices)?;
        if num_planes != 1 {
            return None;
        }
        let values = images
            .values
            .into_shape_with_order((num_volumes, num_slices, height, width))
            .ok()?;
        Some(Self {
            values,
            affine: images.affine?,
            volume_secs: images.rate_hz.map(|rate_hz| 1.0 / rate_hz),
        })
    }

    /// Columns, lines, slices.
    fn shape(&self) -> [usize; 3] {
        let (_, slices, lines, columns) = self.values.dim();
        [columns, lines, slices]
    }

    /// Distances of the centres of neighbouring voxels along columns, lines and slices.
    pub fn voxel_mm(&self) -> [f64; 3] {
        [0, 1, 2].map(|axis| self.affine.iter().map(|row| row[axis].powi(2)).sum::<f64>().sqrt())
    }

    /// Directions of columns, lines and slices, such as `LAS`: left, front, up. `None` if the affine flattens space.
    pub fn orientation(&self) -> Option<String> {
        orientation_code(&self.affine)
    }

    /// The same voxels with columns, lines and slices in the order, and running in the directions, closest to right,
    /// front and up; nothing is interpolated. As nibabel's `as_closest_canonical`.
    ///
    /// # Errors
    /// An affine that flattens space, in words.
    pub fn to_ras(&self) -> Result<Self, String> {
        let axes = orientation(&self.affine).ok_or_else(|| flat(&self.affine))?;
        let shape = self.shape();
        let mut values = self.values.view();
        let mut affine = self.affine.map(|row| [0.0, 0.0, 0.0, row[3]]);
        let mut from = [0; 3];
        for (axis, (target, backwards)) in axes.into_iter().enumerate() {
            from[target] = axis;
            for (new, old) in affine.iter_mut().zip(&self.affine) {
                new[target] = if backwards { -old[axis] } else { old[axis] };
                new[3] += if backwards {
                    old[axis] * (shape[axis] as f64 - 1.0)
                } else {
                    0.0
                };
            }
            if backwards {
                values.invert_axis(Axis(3 - axis));
            }
        }
        // Columns are the last axis of the array.
        let values = values.permuted_axes([0, 3 - from[2], 3 - from[1], 3 - from[0]]);
        Ok(Self {
            values: values.as_standard_layout().into_owned(),
            affine,
            volume_secs: self.volume_secs,
        })
    }

    /// The volume on the grid of voxels of `voxel_mm` (columns, lines, slices) whose axes are right, front and up and
    /// that starts at the least coordinates of the old voxel centres and reaches the greatest: `ceil(extent / voxel) +
    /// 1` voxels. Trilinear between the centres of old voxels, in `f64`; 0 outside of them. As nibabel's
    /// `resample_to_output(..., order=1)`, but for points on the very edge, which are inside.
    ///
    /// # Errors
    /// Voxel sizes that are not above zero, a grid of more than 2^31 voxels, an affine that flattens space; in words.
    pub fn resampled(&self, voxel_mm: [f64; 3]) -> Result<Self, String> {
        let to_voxel = inverse(&self.affine).ok_or_else(|| flat(&self.affine))?;
        let last = self.shape().map(|size| size as f64 - 1.0);
        let corner = |bits: usize| {
            apply(
                &self.affine,
                [0, 1, 2].map(|axis| last[axis] * (bits >> axis & 1) as f64),
            )
        };
        let corners: [_; 8] = std::array::from_fn(corner);
        let low = [0, 1, 2].map(|axis: usize| corners.iter().map(|at| at[axis]).fold(f64::INFINITY, f64::min));
        let high = [0, 1, 2].map(|axis: usize| corners.iter().map(|at| at[axis]).fold(f64::NEG_INFINITY, f64::max));
        let sizes = [0, 1, 2].map(|axis: usize| ((high[axis] - low[axis]) / voxel_mm[axis]).ceil() + 1.0);
        let num_voxels = sizes.iter().product::<f64>() * self.values.len_of(Axis(0)) as f64;
        let above_0 = voxel_mm.iter().all(|&size| size.is_finite() && size > 0.0);
        if !above_0 || num_voxels.is_nan() || num_voxels > MAX_VOXELS {
            return Err(format!(
                "voxels of {voxel_mm:?} mm give a grid of {sizes:?}; expected at most 2^31 voxels above 0 mm"
            ));
        }
        let [columns, lines, slices] = sizes.map(|size| size as usize);
        let num_volumes = self.values.len_of(Axis(0));
        let grid = |axis: usize, at: usize| low[axis] + voxel_mm[axis] * at as f64;
        let mut values = vec![0.0; num_volumes * slices * lines * columns];
        values
            .par_chunks_mut((lines * columns).max(1))
            .enumerate()
            .for_each(|(image, plane)| {
                let (volume, k) = (image / slices, image % slices);
                let old = self.values.index_axis(Axis(0), volume);
                for (pixel, value) in plane.iter_mut().enumerate() {
                    let at = [grid(0, pixel % columns), grid(1, pixel / columns), grid(2, k)];
                    let voxel = |x, y, z| old.get((z, y, x)).map_or(0.0, |&value| value.into());
                    *value = trilinear(&voxel, apply(&to_voxel, at), last) as f32;
                }
            });
        let values = Array4::from_shape_vec((num_volumes, slices, lines, columns), values);
        let values = values.map_err(|error| error.to_string())?;
        let row = |axis: usize| {
            let mut row = [0.0, 0.0, 0.0, low[axis]];
            row[axis] = voxel_mm[axis];
            row
        };
        Ok(Self {
            values,
            affine: [row(0), row(1), row(2)],
            volume_secs: self.volume_secs,
        })
    }

    /// Standardises in place: `(x - mean) / sd` with the mean and population deviation (ddof = 0) of the finite values
    /// within the mask, over all volumes; 0 outside of the mask, and everywhere if the values within it are all equal.
    ///
    /// # Errors
    /// A mask of another shape, in words.
    pub fn standardise(&mut self, mask: Mask) -> Result<(), String> {
        let (_, slices, lines, columns) = self.values.dim();
        if let Mask::Given(given) = mask
            && given.dim() != (slices, lines, columns)
        {
            return Err(format!(
                "a mask of {:?}, expected {slices} x {lines} x {columns}",
                given.shape()
            ));
        }
        for mut volume in self.values.outer_iter_mut() {
            match mask {
                Mask::Above(threshold) => {
                    volume.mapv_inplace(|x| if x > threshold && x.is_finite() { x } else { f32::NAN });
                }
                Mask::Given(given) => Zip::from(&mut volume).and(given).for_each(|x, &inside| {
                    *x = if inside && x.is_finite() { *x } else { f32::NAN };
                }),
            }
        }
        let within = || self.values.iter().filter(|x| !x.is_nan()).map(|&x| f64::from(x));
        let count = within().count() as f64;
        let mean = within().sum::<f64>() / count;
        let deviation = (within().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
        let first = within().next();
        let constant = within().all(|x| Some(x) == first);
        let standard = |x: f32| {
            if constant || x.is_nan() {
                0.0
            } else {
                (f64::from(x) - mean) / deviation
            }
        };
        self.values.mapv_inplace(|x| standard(x) as f32);
        Ok(())
    }
}

fn flat(affine: &Affine) -> String {
    format!("the affine {affine:?} flattens space, so that no voxel has a place of its own")
}

/// Weights of the eight voxels around a point.
fn trilinear(voxel: &impl Fn(usize, usize, usize) -> f64, at: [f64; 3], last: [f64; 3]) -> f64 {
    if (0..3).any(|axis| !(at[axis] >= -EDGE && at[axis] <= last[axis] + EDGE)) {
        return 0.0;
    }
    let at: [f64; 3] = std::array::from_fn(|axis| at[axis].clamp(0.0, last[axis]));
    let low = at.map(f64::floor);
    let [x, y, z]: [[(usize, f64); 2]; 3] = std::array::from_fn(|axis| {
        let share = at[axis] - low[axis];
        [(low[axis] as usize, 1.0 - share), (low[axis] as usize + 1, share)]
    });
    let mut sum = 0.0;
    for (k, wz) in z {
        for (j, wy) in y {
            for (i, wx) in x {
                // A voxel beyond the last has the weight 0, and 0 x infinity must not count.
                let weight = wx * wy * wz;
                sum += if weight > 0.0 { weight * voxel(i, j, k) } else { 0.0 };
            }
        }
    }
    sum
}
