//! PNG and JPEG images as planes of numbers in [0, 1].
//!
//! A value is divided by the largest of its bit depth (255, or 65535 for 16 bits; PNG's smaller depths are spread over
//! 8 bits first). Gray becomes three equal planes where colour is wanted; colour becomes gray by the luma of ITU-R
//! BT.601, 0.299 R + 0.587 G + 0.114 B, of the values as stored (without undoing gamma). An image is turned as its EXIF
//! orientation says. One with transparent pixels is an error, because what is behind them is not known.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};
use serde::Deserialize;

use crate::data::DataError;

/// Images beyond these would be mistakes or attacks.
const MAX_SIDE: u32 = 16_384;
const MAX_BYTES: u64 = 1 << 30;

/// Planes to keep of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Color {
    /// One plane.
    Gray,
    /// Three planes.
    Rgb,
}

impl Color {
    /// Names of the planes, in order.
    pub fn planes(self) -> &'static [&'static str] {
        match self {
            Self::Gray => &["gray"],
            Self::Rgb => &["red", "green", "blue"],
        }
    }
}

/// An image, plane by plane.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Lines.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// In the order plane, line, column.
    pub values: Vec<f32>,
}

/// Reads a PNG or JPEG file; `file` is for messages.
///
/// # Errors
/// [`DataError::File`] for another format, a damaged or huge image, and one with transparent pixels.
pub fn read_image(bytes: &[u8], file: &Path, color: Color) -> Result<Image, DataError> {
    let wrong = |found: String, expected: &str, hint: &str| DataError::File {
        file: file.to_path_buf(),
        place: "image".into(),
        found,
        expected: expected.into(),
        hint: hint.into(),
    };
    let damaged = |error: image::ImageError| {
        wrong(error.to_string(), "a whole image of at most 16384 x 16384 pixels", "save the image again, or remove it")
    };
    let format = image::guess_format(bytes).ok();
    let Some(format) = format.filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg)) else {
        let found = format.map_or("neither".into(), |format| format!("{format:?}"));
        return Err(wrong(found, "PNG or JPEG", "convert the image, or correct the pattern in the card"));
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let orientation = decoder.orientation().map_err(damaged)?;
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    decoded.apply_orientation(orientation);
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    if decoded.color().has_alpha() {
        let alpha = decoded.to_rgba16();
        if alpha.pixels().any(|pixel| pixel.0[3] != u16::MAX) {
            let hint = "put the image on a background and save it without transparency";
            return Err(wrong("transparent pixels".into(), "an opaque image", hint));
        }
    }
    let planes = planes(&decoded);
    let values = match (color, planes.as_slice()) {
        (Color::Gray, [red, green, blue]) => {
            let pixels = red.iter().zip(green).zip(blue);
            pixels.map(|((red, green), blue)| (0.299 * red + 0.587 * green + 0.114 * blue) as f32).collect()
        }
        (Color::Rgb, [gray]) => gray.iter().cycle().take(3 * gray.len()).map(|value| *value as f32).collect(),
        (_, planes) => planes.iter().flatten().map(|value| *value as f32).collect(),
    };
    Ok(Image { height, width, values })
}

/// One or three planes of values in [0, 1].
fn planes(image: &DynamicImage) -> Vec<Vec<f64>> {
    let split = |values: Vec<f64>, num_planes: usize| -> Vec<Vec<f64>> {
        (0..num_planes).map(|plane| values.iter().skip(plane).step_by(num_planes).copied().collect()).collect()
    };
    let bytes = |values: Vec<u8>| values.into_iter().map(|value| f64::from(value) / 255.0).collect();
    let words = |values: Vec<u16>| values.into_iter().map(|value| f64::from(value) / 65535.0).collect();
    let color = image.color();
    match (color.has_color(), color.bytes_per_pixel() / color.channel_count() == 2) {
        (false, false) => split(bytes(image.to_luma8().into_raw()), 1),
        (false, true) => split(words(image.to_luma16().into_raw()), 1),
        (true, false) => split(bytes(image.to_rgb8().into_raw()), 3),
        (true, true) => split(words(image.to_rgb16().into_raw()), 3),
    }
}

impl Image {
    /// The image with another size, by a triangle filter ("bilinear"): pixels are squares with the value at their
    /// centre, and the filter reaches one pixel to either side, of the coarser of the two grids, so that making an image
    /// smaller averages. Weights are cut off at the edges and sum to one. Lines first, then columns, rounded to `f32`
    /// after each; the same numbers as Pillow's `resize(..., BILINEAR)` of images of mode "F".
    pub fn resized(&self, height: usize, width: usize) -> Self {
        let mut image = self.clone();
        if width != image.width {
            let weights = weights(image.width, width);
            let lines = image.values.chunks_exact(image.width.max(1));
            image.values = lines.flat_map(|line| weights.iter().map(|weights| weights.apply(line.iter()))).collect();
            image.width = width;
        }
        if height != image.height {
            let weights = weights(image.height, height);
            let planes = image.values.chunks_exact((image.height * image.width).max(1));
            let mut values = Vec::new();
            for plane in planes {
                for weights in &weights {
                    let column = |column| weights.apply(plane.iter().skip(column).step_by(image.width));
                    values.extend((0..image.width).map(column));
                }
            }
            image.values = values;
            image.height = height;
        }
        image
    }
}

/// What one pixel of the new image takes from the old one.
struct Weights {
    first: usize,
    weights: Vec<f64>,
}

impl Weights {
    fn apply<'v>(&self, values: impl Iterator<Item = &'v f32>) -> f32 {
        let weighted = values.skip(self.first).zip(&self.weights).map(|(value, weight)| f64::from(*value) * weight);
        weighted.sum::<f64>() as f32
    }
}

fn weights(from: usize, to: usize) -> Vec<Weights> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let pixel = |index: usize| {
        let centre = (index as f64 + 0.5) * scale;
        let first = (centre - reach + 0.5).max(0.0) as usize;
        let end = ((centre + reach + 0.5) as usize).min(from);
        let weight = |source: usize| (1.0 - ((source as f64 + 0.5 - centre) / reach).abs()).max(0.0);
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        Weights { first, weights: weights.into_iter().map(|weight| weight / sum).collect() }
    };
    (0..to).map(pixel).collect()
}

/// Lines, columns and colour of a PNG or JPEG file, from its header alone; `None` for anything else.
pub fn image_size(bytes: &[u8]) -> Option<(usize, usize, Color)> {
    let format = image::guess_format(bytes).ok();
    let format = format.filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg))?;
    let decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder().ok()?;
    let (width, height) = decoder.dimensions();
    let color = if decoder.color_type().has_color() { Color::Rgb } else { Color::Gray };
    Some((height as usize, width as usize, color))
}
