//! Modalities of images: pictures, slices of volumes, frames, thermal images.

use std::path::PathBuf;

use ndarray::{Array2, ArrayView3, Axis};

use super::contents::{Wanted, read, read_sequence};
use super::source::Source;
use crate::dataset::card::ImageRule;
use crate::dataset::error::DataError;
use recoup_formats::image::{self, Color, Image, Scaling};
use recoup_formats::{Contents, Images, Part, detect, dicom};

/// Enough of a file to know its format.
const HEAD_BYTES: usize = 16 << 10;

/// The images of one session, one below the other, each a flat row.
pub(super) fn images(source: &Source, rule: &ImageRule, files: &[String]) -> Result<Array2<f32>, DataError> {
    let [first, last, step] = rule.slices.unwrap_or([0, usize::MAX, 1]);
    let num_columns = rule.color.planes().len() * rule.height * rule.width;
    let (mut values, mut seen) = (Vec::new(), 0);
    let mut add = |image: Image| {
        if (first..=last).contains(&seen) && (seen - first).is_multiple_of(step) {
            let resized = image.resized(rule.height, rule.width).values.into_iter();
            values.extend(resized.map(|value| match rule.range {
                Some([low, high]) => ((value - low) / (high - low)).clamp(0.0, 1.0),
                None => value,
            }));
        }
        seen += 1;
    };
    if is_series(source, files)? {
        let (contents, path) = read_sequence(source, files)?;
        each(source, rule, (contents, path), &mut add)?;
    } else {
        for file in files {
            if let Some(image) = picture(source, rule, file)? {
                add(image);
                continue;
            }
            let contents = match rule.scale {
                None => read(source, file)?,
                Some([slope, offset]) => {
                    let path = source.raw_dir.join(file);
                    (
                        image::read_scaled(&source.read(file)?, &path, Scaling::Celsius { slope, offset })?,
                        path,
                    )
                }
            };
            each(source, rule, contents, &mut add)?;
        }
    }
    let wanted = Wanted {
        file: &source.raw_dir.join(files.first().map_or("", String::as_str)),
        card: &source.card.path,
    };
    let num_images = values.len() / num_columns.max(1);
    if num_images == 0 {
        let expected = format!("image {first}, counted from 0");
        return Err(wanted.error("images", format!("{seen} of them"), expected, "correct `slices`"));
    }
    Array2::from_shape_vec((num_images, num_columns), values)
        .map_err(|error| wanted.error("images", error.to_string(), "planes of one size", "correct `color`"))
}

/// Several files of DICOM are the slices of one volume, whose order their headers tell.
fn is_series(source: &Source, files: &[String]) -> Result<bool, DataError> {
    let [file, _, ..] = files else { return Ok(false) };
    let bytes = source.read(file)?;
    let head = bytes.get(..HEAD_BYTES).unwrap_or(&bytes);
    Ok(detect(head, &source.raw_dir.join(file)).is_ok_and(|format| format == &dicom::format::FORMAT))
}

/// A PNG or JPEG file, whose rounding is that of Pillow.
fn picture(source: &Source, rule: &ImageRule, file: &str) -> Result<Option<Image>, DataError> {
    let name = file.to_lowercase();
    let is_picture = [".png", ".jpg", ".jpeg"]
        .iter()
        .any(|extension| name.ends_with(extension));
    match is_picture && rule.scale.is_none() {
        true => Ok(Some(image::read_image(
            &source.read(file)?,
            &source.raw_dir.join(file),
            rule.color,
        )?)),
        false => Ok(None),
    }
}

/// Each image of a file in the colours that are wanted.
fn each(
    source: &Source,
    rule: &ImageRule,
    (contents, path): (Contents, PathBuf),
    add: &mut impl FnMut(Image),
) -> Result<(), DataError> {
    let wanted = Wanted {
        file: &path,
        card: &source.card.path,
    };
    let images = contents.parts.iter().find_map(|part| match part {
        Part::Images(images) => Some(images),
        _ => None,
    });
    let images = images.ok_or_else(|| wanted.error("content", &contents.format, "images", "correct the pattern"))?;
    let weights = weights(images, rule.color).ok_or_else(|| {
        let found = format!("planes {:?}", images.planes);
        wanted.error(
            "images",
            found,
            "one plane, or red, green and blue",
            "export the plane that is wanted as an image of its own, and correct `file`",
        )
    })?;
    for image in images.values.outer_iter() {
        let (_, height, width) = image.dim();
        let values = weights.iter().flat_map(|weights| plane(&image, weights)).collect();
        add(Image { height, width, values });
    }
    Ok(())
}

/// For each plane that is wanted, the weights of those that there are; `None` for planes that are no colours.
fn weights(images: &Images, color: Color) -> Option<Vec<Vec<f32>>> {
    match (images.planes.len(), color) {
        (1, color) => Some(vec![vec![1.0]; color.planes().len()]),
        // The luma of ITU-R BT.601, as for PNG and JPEG.
        (3, Color::Gray) => Some(vec![vec![0.299, 0.587, 0.114]]),
        (3, Color::Rgb) => Some(vec![vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0], vec![0.0, 0.0, 1.0]]),
        _ => None,
    }
}

fn plane(image: &ArrayView3<f32>, weights: &[f32]) -> Vec<f32> {
    let (_, height, width) = image.dim();
    let mut sum = Array2::<f32>::zeros((height, width));
    for (plane, &weight) in image
        .axis_iter(Axis(0))
        .zip(weights)
        .filter(|(_, weight)| **weight != 0.0)
    {
        sum.scaled_add(weight, &plane);
    }
    sum.into_iter().collect()
}
