//! Where slices lie. PS3.3 C.7.6.2.
//!
//! DICOM's axes point to the patient's left, back and head (LPS); the affine's to right, front and head (RAS+), as
//! NIfTI's and every tool after it: the first two rows change their sign.

use super::dataset::{Dataset, Tag};
use super::image::Frame;
use crate::{Warning, WarningCode};

const SLICE_THICKNESS: Tag = Tag(0x0018, 0x0050);
const SPACING_BETWEEN_SLICES: Tag = Tag(0x0018, 0x0088);
const POSITION: Tag = Tag(0x0020, 0x0032);
const ORIENTATION: Tag = Tag(0x0020, 0x0037);
const PIXEL_SPACING: Tag = Tag(0x0028, 0x0030);
const PLANE_POSITION: Tag = Tag(0x0020, 0x9113);
const PLANE_ORIENTATION: Tag = Tag(0x0020, 0x9116);
const PIXEL_MEASURES: Tag = Tag(0x0028, 0x9110);
const GRID_FRAME_OFFSETS: Tag = Tag(0x3004, 0x000C);
/// Share of the spacing by which slices may be off.
const MOST_UNEVEN: f64 = 0.01;

/// A slice in the patient, in millimetres (LPS).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plane {
    /// Centre of the first pixel.
    pub position: [f64; 3],
    /// Step from a column to the next, and from a line to the next.
    pub steps: [[f64; 3]; 2],
    /// Unit vector; ascending slices go along it.
    pub normal: [f64; 3],
    /// Distance to the next slice, where only one slice tells.
    thickness: f64,
}

impl Plane {
    pub fn read(frame: &Frame, dataset: &Dataset, index: usize) -> Option<Self> {
        let numbers = |group, tag| {
            frame
                .places(group)
                .map(|place| place.numbers(tag))
                .find(|numbers| !numbers.is_empty())
        };
        let mut position: [f64; 3] = numbers(PLANE_POSITION, POSITION)?.try_into().ok()?;
        let orientation: [f64; 6] = numbers(PLANE_ORIENTATION, ORIENTATION)?.try_into().ok()?;
        let [line_spacing, column_spacing]: [f64; 2] = numbers(PIXEL_MEASURES, PIXEL_SPACING)?.try_into().ok()?;
        let [x0, y0, z0, x1, y1, z1] = orientation;
        let normal = [y0 * z1 - z0 * y1, z0 * x1 - x0 * z1, x0 * y1 - y0 * x1];
        let length = dot(normal, normal).sqrt();
        let spacings = [line_spacing, column_spacing];
        let all = position.iter().chain(&orientation).chain(&spacings);
        if !all.into_iter().all(|number| number.is_finite())
            || (length - 1.0).abs() > 1e-3
            || spacings.iter().any(|&s| s <= 0.0)
        {
            return None;
        }
        let normal = normal.map(|part| part / length);
        // Doses name the slices of a file by their distance from the first.
        if let Some(offset) = dataset.numbers(GRID_FRAME_OFFSETS).get(index) {
            position = add(position, normal, *offset);
        }
        let positive = |tag| {
            frame
                .places(PIXEL_MEASURES)
                .find_map(|place| place.number(tag))
                .filter(|&size| size > 0.0)
        };
        Some(Self {
            position,
            steps: [
                [x0, y0, z0].map(|part| part * column_spacing),
                [x1, y1, z1].map(|part| part * line_spacing),
            ],
            normal,
            thickness: positive(SPACING_BETWEEN_SLICES)
                .or_else(|| positive(SLICE_THICKNESS))
                .unwrap_or(1.0),
        })
    }

    /// Where the slice lies along its normal.
    pub fn height(&self) -> f64 {
        dot(self.position, self.normal)
    }

    /// Same directions and pixel sizes.
    pub fn is_parallel(&self, other: &Self) -> bool {
        let pairs = self.steps.iter().flatten().zip(other.steps.iter().flatten());
        pairs.into_iter().all(|(one, other)| (one - other).abs() < 1e-4)
    }
}

fn dot(one: [f64; 3], other: [f64; 3]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn add(start: [f64; 3], step: [f64; 3], times: f64) -> [f64; 3] {
    std::array::from_fn(|axis| start[axis] + times * step[axis])
}

/// The affine of slices in order; `None`, with a warning, where they are not the slices of one volume.
pub(super) fn affine(slices: &[Option<Plane>], warnings: &mut Vec<Warning>) -> Option<[[f64; 4]; 3]> {
    let slices: Vec<&Plane> = slices.iter().map(Option::as_ref).collect::<Option<_>>()?;
    let (first, last) = (slices.first()?, slices.last()?);
    let num_steps = slices.len() as f64 - 1.0;
    let step = match slices.len() {
        1 => first.normal.map(|part| part * first.thickness),
        _ => std::array::from_fn(|axis| (last.position[axis] - first.position[axis]) / num_steps),
    };
    let spacing = dot(step, step).sqrt();
    let off = |(index, slice): (usize, &&Plane)| {
        let expected = add(first.position, step, index as f64);
        slice
            .position
            .iter()
            .zip(expected)
            .map(|(one, other)| (one - other).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let most_off = slices.iter().enumerate().map(off).fold(0.0, f64::max);
    if !slices.iter().all(|slice| slice.is_parallel(first)) || spacing == 0.0 || most_off > 0.5 * spacing {
        let text = "the images are not the slices of one volume; no affine";
        warnings.push(Warning::new(WarningCode::NoVolume, text));
        return None;
    }
    if most_off > MOST_UNEVEN * spacing {
        let text = format!("the slices are not even: up to {most_off:.3} mm off a spacing of {spacing:.3} mm");
        warnings.push(Warning::new(WarningCode::UnevenSlices, text));
    }
    let columns = [first.steps[0], first.steps[1], step, first.position];
    // From 0, so that no zero becomes negative.
    Some([
        columns.map(|[x, _, _]| 0.0 - x),
        columns.map(|[_, y, _]| 0.0 - y),
        columns.map(|[_, _, z]| z),
    ])
}
