//! PNG, JPEG and TIFF images as planes of numbers.
//!
//! [`read_image`] gives one PNG or JPEG image in the colours that are asked for; [`read`] everything that a file holds,
//! the pages of a TIFF file included; [`read_scaled`] counts or temperatures of a thermal image; [`read_sequence`] a
//! film whose frames are files.
//!
//! A value is divided by the largest of its bit depth (255, or 65535 for 16 bits; PNG's smaller depths are spread over
//! 8 bits first). Gray becomes three equal planes where colour is wanted; colour becomes gray by the luma of ITU-R
//! BT.601, 0.299 R + 0.587 G + 0.114 B, of the values as stored (without undoing gamma). An image is turned as its EXIF
//! orientation says. One with transparent pixels is an error, because what is behind them is not known.

mod contents;
pub mod format;
mod page;
mod raster;
mod resize;
mod strip;
mod strip_metadata;
mod strip_tiff;
mod tiff;

use std::io::Cursor;
use std::path::Path;

use image::{ImageDecoder as _, ImageFormat, ImageReader};
use serde::Deserialize;

pub use self::contents::{Scaling, read, read_scaled, read_sequence};
use crate::FileError;

/// Images beyond these would be mistakes or attacks.
const MAX_SIDE: u32 = 16_384;
const MAX_BYTES: u64 = 1 << 30;
/// Most bytes that a compressed byte can stand for: LZW reaches 1365, JPEG with subsampled colours as many, deflate
/// 1032. A header that promises more is not believed.
const MAX_BYTES_PER_BYTE: u64 = 1_400;

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
/// [`FileError`] for another format, a damaged or huge image, and one with transparent pixels.
pub fn read_image(bytes: &[u8], file: &Path, color: Color) -> Result<Image, FileError> {
    let page = raster::decode(bytes, file)?;
    let (height, width) = (page.height, page.width);
    let value = |pixel: usize, plane: usize| page.raw(pixel, plane) / page.largest();
    let pixels = 0..height * width;
    let values = match (color, page.num_planes) {
        (Color::Gray, 3) => {
            let luma = |pixel| 0.299 * value(pixel, 0) + 0.587 * value(pixel, 1) + 0.114 * value(pixel, 2);
            pixels.map(|pixel| luma(pixel) as f32).collect()
        }
        (Color::Rgb, 1) => (0..3)
            .flat_map(|_| pixels.clone())
            .map(|pixel| value(pixel, 0) as f32)
            .collect(),
        _ => page.values(|raw| raw / page.largest()),
    };
    Ok(Image { height, width, values })
}

/// Lines, columns and colour of a PNG or JPEG file, from its header alone; `None` for anything else.
pub fn image_size(bytes: &[u8]) -> Option<(usize, usize, Color)> {
    let format = image::guess_format(bytes).ok();
    let format = format.filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg))?;
    let decoder = ImageReader::with_format(Cursor::new(bytes), format)
        .into_decoder()
        .ok()?;
    let (width, height) = decoder.dimensions();
    let color = if decoder.color_type().has_color() {
        Color::Rgb
    } else {
        Color::Gray
    };
    Some((height as usize, width as usize, color))
}
