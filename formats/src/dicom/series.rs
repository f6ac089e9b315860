//! A series: the slices of one volume, a file each.

use std::path::PathBuf;

use ndarray::{Axis, concatenate};

use super::dataset::{Dataset, PIXEL_DATA, Tag};
use super::file::Envelope;
use super::geometry::{self, Plane};
use super::{describe, image};
use crate::{Contents, FileError, Images, Part, Warning, WarningCode};

const SERIES: Tag = Tag(0x0020, 0x000E);
const INSTANCE_NUMBER: Tag = Tag(0x0020, 0x0013);

/// A file of a series.
struct Slice<'f> {
    path: &'f PathBuf,
    series: Option<String>,
    number: Option<f64>,
    plane: Option<Plane>,
    images: Images,
}

/// Reads the files of one series as one volume, in ascending order along the normal of the slices, or of their instance
/// numbers where a file does not tell its position. The facts are those of the first slice.
///
/// # Errors
/// Errors of [`super::read`]; [`FileError`] for no file, for one of several frames, another series, another size or
/// another direction, and for two at one place.
pub fn read_series(files: &[(PathBuf, Vec<u8>)]) -> Result<Contents, FileError> {
    let Some((first_path, _)) = files.first() else {
        return Err(FileError::at(&PathBuf::from("series"))
            .place("files")
            .found("none")
            .expected("at least one")
            .hint("check the pattern"));
    };
    let (mut slices, mut contents) = (Vec::new(), Vec::new());
    for (path, bytes) in files {
        let envelope = Envelope::open(bytes, path)?;
        let dataset = envelope.dataset()?;
        slices.push(slice(&dataset, &envelope.transfer_syntax, path)?);
        contents.push(describe(&envelope, &dataset));
    }
    for slice in slices.iter().skip(1) {
        if let Some((place, found, expected)) = slices.first().and_then(|first| difference(first, slice)) {
            let hint = "files of several series or sizes lie together; select one series";
            return Err(FileError::at(slice.path)
                .place(place)
                .found(found)
                .expected(expected)
                .hint(hint));
        }
    }
    let (order, placed) = order(&slices)?;
    let first = order.first().copied().unwrap_or(0);
    let mut sorted = contents.swap_remove(first);
    for other in contents {
        sorted.warnings.extend(
            other
                .warnings
                .into_iter()
                .filter(|warning| !sorted.warnings.contains(warning))
                .collect::<Vec<_>>(),
        );
    }
    if !placed {
        let text = "ordered by InstanceNumber: not every file tells its position";
        sorted.warnings.push(Warning::new(WarningCode::UnorderedSlices, text));
    }
    let in_order: Vec<&Slice> = order.iter().filter_map(|&index| slices.get(index)).collect();
    let views: Vec<_> = in_order.iter().map(|slice| slice.images.values.view()).collect();
    let values = concatenate(Axis(0), &views).map_err(|error| {
        FileError::at(first_path)
            .place("series")
            .found(error)
            .expected("slices of one size")
            .hint("select one series")
    })?;
    let planes: Vec<Option<Plane>> = in_order.iter().map(|slice| slice.plane.clone()).collect();
    let affine = geometry::affine(&planes, &mut sorted.warnings);
    if let Some(slice) = in_order.first() {
        let images = Images {
            num_volumes: 1,
            planes: slice.images.planes.clone(),
            unit: slice.images.unit.clone(),
            rate_hz: None,
            values,
            affine,
            display_range: slice.images.display_range,
        };
        sorted.parts.push(Part::Images(images));
    }
    Ok(sorted)
}

/// Indices of the slices in order, and whether the order is that of their positions.
fn order(slices: &[Slice]) -> Result<(Vec<usize>, bool), FileError> {
    let placed = slices.iter().all(|slice| slice.plane.is_some());
    let key = |slice: &Slice| match &slice.plane {
        Some(plane) if placed => Some(plane.height()),
        _ => slice.number,
    };
    let mut order: Vec<(f64, usize)> = Vec::new();
    for (index, slice) in slices.iter().enumerate() {
        let key = key(slice).ok_or_else(|| {
            let hint = "without one of them nobody knows the order of the files";
            FileError::at(slice.path)
                .place("slice")
                .found("neither")
                .expected("ImagePositionPatient or InstanceNumber")
                .hint(hint)
        })?;
        order.push((key, index));
    }
    order.sort_by(|one, other| one.0.total_cmp(&other.0));
    for (one, other) in order.iter().zip(order.iter().skip(1)) {
        if let (true, Some(one), Some(other)) = ((one.0 - other.0).abs() < 1e-4, slices.get(one.1), slices.get(other.1))
        {
            let hint = "the folder holds several volumes, such as times or echoes; select one of them";
            let expected = format!("another place than {}", one.path.display());
            return Err(FileError::at(other.path)
                .place("slice")
                .found("the same place")
                .expected(expected)
                .hint(hint));
        }
    }
    Ok((order.into_iter().map(|(_, index)| index).collect(), placed))
}

fn slice<'f>(dataset: &Dataset, transfer_syntax: &str, path: &'f PathBuf) -> Result<Slice<'f>, FileError> {
    if dataset.get(PIXEL_DATA).is_none() {
        return Err(FileError::at(path)
            .place("data set")
            .found("no PixelData")
            .expected("an image")
            .hint("leave the file out of the series"));
    }
    let mut reading = image::read(dataset, transfer_syntax, path)?;
    if reading.images.values.len_of(Axis(0)) != 1 {
        let found = format!("{} frames", reading.images.values.len_of(Axis(0)));
        return Err(FileError::at(path)
            .place("NumberOfFrames")
            .found(found)
            .expected("one slice in each file")
            .hint("read the file alone: it is a volume"));
    }
    Ok(Slice {
        path,
        series: dataset.text(SERIES),
        number: dataset.number(INSTANCE_NUMBER),
        plane: reading.planes.pop().flatten(),
        images: reading.images,
    })
}

/// The first difference that keeps two slices out of one volume: its place, what the other has, and what the first has.
fn difference(first: &Slice, other: &Slice) -> Option<(&'static str, String, String)> {
    let differs = |place, found: String, expected: String| (found != expected).then_some((place, found, expected));
    let size = |slice: &Slice| format!("{:?} values in {:?}", slice.images.values.dim(), slice.images.unit);
    let parallel = match (&first.plane, &other.plane) {
        (Some(one), Some(other)) => one.is_parallel(other),
        _ => true,
    };
    let direction = (!parallel).then(|| {
        (
            "ImageOrientationPatient or PixelSpacing",
            "another direction or pixel size".into(),
            "those of the first file".into(),
        )
    });
    let series = |slice: &Slice| slice.series.clone().unwrap_or_default();
    differs("SeriesInstanceUID", series(other), series(first))
        .or(differs("size", size(other), size(first)))
        .or(direction)
}
