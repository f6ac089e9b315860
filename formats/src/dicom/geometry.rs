//! Where slices lie. PS3.3 C.7.6.2.
//!
//! DICOM's axes point to the patient's left, back and head (LPS); the affine's to right, front and head (RAS+), as
//! NIfTI's and every tool after it: the first two rows change their sign.

use super::dataset::{Dataset, Tag};
use super::frame::{Frame, Moment};
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
const MAX_UNEVEN: f64 = 0.01;
/// Frames closer than this are at one place.
const SAME_PLACE_MM: f64 = 1e-4;

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

fn sub(one: [f64; 3], other: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| one[axis] - other[axis])
}

fn length(vector: [f64; 3]) -> f64 {
    dot(vector, vector).sqrt()
}

fn add(start: [f64; 3], step: [f64; 3], times: f64) -> [f64; 3] {
    std::array::from_fn(|axis| start[axis] + times * step[axis])
}

/// Frames as volumes that follow each other, each in ascending order along the normal of its slices.
#[derive(Debug)]
pub(super) struct Volumes {
    pub order: Vec<usize>,
    pub num_volumes: usize,
    /// Whether nothing tells which of several frames at one place comes first.
    pub undecided: bool,
}

/// The volumes that frames make; `None` where they are not parallel slices with equally many frames at each place.
///
/// # Errors
/// The finding, where the file tells times and not every place has a frame of every time.
pub(super) fn volumes(slices: &[Option<Plane>], moments: &[Moment]) -> Result<Option<Volumes>, String> {
    let Some(planes) = slices.iter().map(Option::as_ref).collect::<Option<Vec<&Plane>>>() else {
        return Ok(None);
    };
    let Some(first) = planes
        .first()
        .filter(|first| planes.iter().all(|plane| plane.is_parallel(first)))
    else {
        return Ok(None);
    };
    let mut places = places(&planes, moments, first);
    let num_volumes = places.first().map_or(0, Vec::len);
    let mut undecided = false;
    for place in &mut places {
        // Stable: what nothing tells apart keeps the order of the file.
        place.sort_by(|one, other| one.1.partial_cmp(other.1).unwrap_or(std::cmp::Ordering::Equal));
        undecided |= place.windows(2).any(|pair| pair[0].1 == pair[1].1);
        let apart = |pair: &[Placed]| length(sub(pair[1].0.position, pair[0].0.position)) > 10.0 * SAME_PLACE_MM;
        if place.windows(2).any(apart) {
            return Ok(None);
        }
    }
    let is_volume = |volume: usize| {
        let mut times = places.iter().map(|place| Some(place.get(volume)?.1.time));
        let time = times.next().flatten();
        time.is_some() && times.all(|other| other == time)
    };
    if places.iter().any(|place| place.len() != num_volumes) || !(0..num_volumes).all(is_volume) {
        let has_times = moments.windows(2).any(|pair| pair[0].time != pair[1].time);
        let found = format!("{} frames of several times at {} places", slices.len(), places.len());
        return if has_times { Err(found) } else { Ok(None) };
    }
    let order = (0..num_volumes).flat_map(|volume| places.iter().filter_map(move |place| Some(place.get(volume)?.2)));
    Ok(Some(Volumes {
        order: order.collect(),
        num_volumes,
        undecided,
    }))
}

/// A frame: where it lies, when it was taken, and its number in the file.
type Placed<'a> = (&'a Plane, &'a Moment, usize);

/// The frames at each place, the places in ascending order along the normal of `first`.
fn places<'a>(planes: &[&'a Plane], moments: &'a [Moment], first: &Plane) -> Vec<Vec<Placed<'a>>> {
    let height = |plane: &Plane| dot(plane.position, first.normal);
    let numbered = planes.iter().zip(moments).enumerate();
    let mut frames: Vec<Placed> = numbered
        .map(|(index, (&plane, moment))| (plane, moment, index))
        .collect();
    frames.sort_by(|one, other| height(one.0).total_cmp(&height(other.0)));
    let mut places: Vec<Vec<Placed>> = Vec::new();
    for frame in frames {
        let is_there = |last: &Placed| height(frame.0) - height(last.0) < SAME_PLACE_MM;
        match places.last_mut() {
            Some(place) if place.last().is_some_and(is_there) => place.push(frame),
            _ => places.push(vec![frame]),
        }
    }
    places
}

/// The affine of slices in order; `None`, with a warning, where they are not the slices of one volume.
pub(super) fn affine(slices: &[Option<Plane>], warnings: &mut Vec<Warning>) -> Option<[[f64; 4]; 3]> {
    let slices: Vec<&Plane> = slices.iter().map(Option::as_ref).collect::<Option<_>>()?;
    let (first, last) = (slices.first()?, slices.last()?);
    let num_steps = slices.len() as f64 - 1.0;
    let step = match slices.len() {
        1 => first.normal.map(|part| part * first.thickness),
        _ => sub(last.position, first.position).map(|part| part / num_steps),
    };
    let spacing = length(step);
    let off = |(index, slice): (usize, &&Plane)| length(sub(slice.position, add(first.position, step, index as f64)));
    let most_off = slices.iter().enumerate().map(off).fold(0.0, f64::max);
    let gaps: Vec<f64> = slices
        .windows(2)
        .map(|pair| length(sub(pair[1].position, pair[0].position)))
        .collect();
    let (nearest, farthest) = (
        gaps.iter().copied().fold(f64::INFINITY, f64::min),
        gaps.iter().copied().fold(0.0, f64::max),
    );
    // The way from the first to the last is as long as its parts where they lie on one line.
    let on_a_line = gaps.iter().sum::<f64>() <= (1.0 + 1e-6) * spacing * num_steps + SAME_PLACE_MM;
    if !slices.iter().all(|slice| slice.is_parallel(first))
        || spacing == 0.0
        || !(on_a_line || most_off <= 0.5 * spacing)
    {
        let text = "the images are not the slices of one volume; no affine";
        warnings.push(Warning::new(WarningCode::NoVolume, text));
        return None;
    }
    if most_off > MAX_UNEVEN * spacing {
        let text = format!(
            "the slices are not even, one may be missing: {nearest:.3} to {farthest:.3} mm from one to the next, up to \
             {most_off:.3} mm off a spacing of {spacing:.3} mm"
        );
        warnings.push(Warning::new(WarningCode::UnevenSlices, text));
    }
    if most_off > 0.5 * spacing {
        return None;
    }
    let columns = [first.steps[0], first.steps[1], step, first.position];
    // From 0, so that no zero becomes negative.
    Some([
        columns.map(|[x, _, _]| 0.0 - x),
        columns.map(|[_, y, _]| 0.0 - y),
        columns.map(|[_, _, z]| z),
    ])
}
