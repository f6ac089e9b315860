//! PNG and JPEG through the crate `image`.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use tiff::decoder::DecodingResult;

use super::page::Page;
use super::{MAX_BYTES, MAX_BYTES_PER_BYTE, MAX_SIDE};
use crate::FileError;

pub fn wrong(file: &Path) -> FileError {
    FileError::at(file).place("image")
}

pub fn transparent(file: &Path) -> FileError {
    let hint = "put the image on a background and save it without transparency";
    wrong(file)
        .found("transparent pixels")
        .expected("an opaque image")
        .hint(hint)
}

/// The one picture of the file, turned as it says, one or three planes of 8 or 16 bits.
pub fn decode(bytes: &[u8], file: &Path) -> Result<Page, FileError> {
    let damaged = |found: String| {
        wrong(file)
            .found(found)
            .expected("a whole image of at most 16384 x 16384 pixels")
            .hint("save the image again, or remove it")
    };
    let failed = |error: ImageError| damaged(error.to_string());
    let format = image::guess_format(bytes).ok();
    let Some(format) = format.filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg)) else {
        let found = format.map_or("neither".into(), |format| format!("{format:?}"));
        return Err(wrong(file)
            .found(found)
            .expected("PNG or JPEG")
            .hint("convert the image, or correct the pattern in the card"));
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    if !believable(bytes, format, decoder.total_bytes()) {
        let (width, height) = decoder.dimensions();
        return Err(damaged(format!("{} bytes for {width} x {height} pixels", bytes.len())));
    }
    if format == ImageFormat::Jpeg && !ends(bytes) {
        return Err(damaged("no end: the file is cut short".into()));
    }
    let orientation = decoder.orientation().map_err(failed)?;
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(failed)?;
    decoded.apply_orientation(orientation);
    if decoded.color().has_alpha() && decoded.to_rgba16().pixels().any(|pixel| pixel.0[3] != u16::MAX) {
        return Err(transparent(file));
    }
    let (height, width) = (decoded.height() as usize, decoded.width() as usize);
    let color = decoded.color();
    let wide = color.bytes_per_pixel() / color.channel_count() == 2;
    let samples = match (color.has_color(), wide) {
        (false, false) => DecodingResult::U8(decoded.into_luma8().into_raw()),
        (false, true) => DecodingResult::U16(decoded.into_luma16().into_raw()),
        (true, false) => DecodingResult::U8(decoded.into_rgb8().into_raw()),
        (true, true) => DecodingResult::U16(decoded.into_rgb16().into_raw()),
    };
    let num_planes = if color.has_color() { 3 } else { 1 };
    Ok(Page {
        height,
        width,
        num_planes,
        planar: false,
        samples,
        lossy: format == ImageFormat::Jpeg,
    })
}

/// Whether the last scan of a JPEG file has an end. The decoder takes what is missing for gray. Within a scan 0xff
/// comes before zeros and restarts only, and thumbnails with ends of their own come before it.
fn ends(bytes: &[u8]) -> bool {
    let last = |marker: [u8; 2]| bytes.array_windows().rposition(|&pair: &[u8; 2]| pair == marker);
    last([0xff, 0xda]) < last([0xff, 0xd9])
}

/// Whether the file is long enough for the picture that its header promises. PNG packs and indexes pixels, so that its
/// bytes are counted before they are spread out.
fn believable(bytes: &[u8], format: ImageFormat, decoded_bytes: u64) -> bool {
    let packed_bytes = match (format, bytes.get(16..26)) {
        (ImageFormat::Png, Some(&[a, b, c, d, e, f, g, h, depth, kind])) => {
            let channels = match kind {
                2 => 3,
                4 => 2,
                6 => 4,
                _ => 1,
            };
            let line_bits = u64::from(u32::from_be_bytes([a, b, c, d])) * channels * u64::from(depth);
            line_bits
                .div_ceil(8)
                .saturating_mul(u32::from_be_bytes([e, f, g, h]).into())
        }
        _ => decoded_bytes,
    };
    decoded_bytes <= MAX_BYTES && packed_bytes <= MAX_BYTES_PER_BYTE * bytes.len() as u64
}
