//! Modalities of images: pictures, slices of volumes, frames, thermal images.

use ndarray::{Array2, ArrayView3, Axis};

use super::reading::Reading;
use crate::dataset::card::ImageRule;
use crate::dataset::error::DataError;
use recoup_formats::image::{self, Color, Image, Scaling};
use recoup_formats::{Contents, Images, Part, detect, open};

/// The images of one session, stacked along the first axis, each a flat row.
pub(super) fn images(reading: &Reading, rule: &ImageRule, files: &[String]) -> Result<Array2<f32>, DataError> {
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
    if is_series(reading, files)? {
        each(reading, rule, files, &reading.contents(files)?, &mut add)?;
    } else {
        for file in files {
            let own = std::slice::from_ref(file);
            match (picture(reading, rule, file)?, rule.scale) {
                (Some(image), _) => add(image),
                (None, None) => each(reading, rule, own, &reading.contents(own)?, &mut add)?,
                (None, Some([slope, offset])) => {
                    let scaling = Scaling::Celsius { slope, offset };
                    let contents = image::read_scaled(&reading.source.read(file)?, &reading.path(file), scaling)?;
                    reading.keep(&contents, file)?;
                    each(reading, rule, own, &contents, &mut add)?;
                }
            }
        }
    }
    let first_file = files.first().map_or("", String::as_str);
    let num_images = values.len() / num_columns.max(1);
    if num_images == 0 {
        let (found, expected) = (format!("{seen} of them"), format!("image {first}, counted from 0"));
        return Err(reading.error(first_file, "images", found, expected, "correct `slices` in the card"));
    }
    Array2::from_shape_vec((num_images, num_columns), values).map_err(|error| {
        let hint = "correct `color` in the card";
        reading.error(first_file, "images", error.to_string(), "planes of one size", hint)
    })
}

/// Several files of DICOM are the slices of one volume, whose order their headers tell.
fn is_series(reading: &Reading, files: &[String]) -> Result<bool, DataError> {
    let [file, _, ..] = files else { return Ok(false) };
    let path = reading.path(file);
    Ok(detect(&open::head(&path)?, &path).is_ok_and(|format| format.name == "DICOM"))
}

/// A PNG or JPEG file, whose rounding is that of Pillow.
fn picture(reading: &Reading, rule: &ImageRule, file: &str) -> Result<Option<Image>, DataError> {
    let name = file.to_lowercase();
    let is_picture = [".png", ".jpg", ".jpeg"]
        .iter()
        .any(|extension| name.ends_with(extension));
    match is_picture && rule.scale.is_none() {
        true => Ok(Some(image::read_image(
            &reading.source.read(file)?,
            &reading.path(file),
            rule.color,
        )?)),
        false => Ok(None),
    }
}

/// Each image of a file in the colours that are wanted.
fn each(
    reading: &Reading,
    rule: &ImageRule,
    files: &[String],
    contents: &Contents,
    add: &mut impl FnMut(Image),
) -> Result<(), DataError> {
    let file = files.first().map_or("", String::as_str);
    let images = contents.parts.iter().find_map(|part| match part {
        Part::Images(images) => Some(images),
        _ => None,
    });
    let no_images = || reading.error(file, "content", &contents.format, "images", "correct the pattern");
    let images = images.ok_or_else(no_images)?;
    let weights = weights(images, rule.color).ok_or_else(|| {
        let found = format!("planes {:?}", images.planes);
        let hint = "export the plane that is wanted as an image of its own, and correct `file`";
        reading.error(file, "images", found, "one plane, or red, green and blue", hint)
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
