//! TIFF through the crate `tiff`: pages of gray, RGB or any number of bands with 8 to 64 bits, integers or fractions,
//! plain or compressed by LZW, deflate or PackBits.
//!
//! JPEG and fax inside of TIFF are refused: their decoders take memory by a second header of their own, and neither has
//! exact counts. The crate turns white-is-zero over, so that white is the largest value.

use std::io::Cursor;
use std::path::Path;

use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::page::Page;
use super::raster::{transparent, wrong};
use super::{MAX_BYTES, MAX_BYTES_PER_BYTE, MAX_SIDE};
use crate::FileError;

/// Compression that is read, by the standard's code.
const COMPRESSIONS: [(u16, &str); 5] = [
    (1, "none"),
    (5, "LZW"),
    (8, "deflate"),
    (32_946, "deflate"),
    (32_773, "PackBits"),
];
const MAX_BANDS: usize = 64;

/// Content of a TIFF file.
pub struct Tiff {
    pub pages: Vec<Page>,
    pub compression: &'static str,
    /// Copies of lower resolution, which were left out.
    pub num_reduced: usize,
    /// Whether low samples are bright, so that raw values were turned over.
    pub white_is_zero: bool,
}

pub fn is_tiff(bytes: &[u8]) -> bool {
    matches!(
        bytes.get(..4),
        Some(b"II\x2a\0" | b"MM\0\x2a" | b"II\x2b\0" | b"MM\0\x2b")
    )
}

/// Decodes all pages of full resolution, turned as the file says.
pub fn decode(bytes: &[u8], file: &Path) -> Result<Tiff, FileError> {
    let damaged = |page: usize, error: TiffError| {
        let hint = "save the image again, or remove it";
        wrong(file)
            .found(format!("page {page}: {error}"))
            .expected("a whole TIFF image")
            .hint(hint)
    };
    if !first_directory_fits(bytes) {
        let found = "page 1: a field with more values than the file has bytes, or no fields";
        return Err(wrong(file)
            .found(found)
            .expected("a whole TIFF image")
            .hint("save the image again, or remove it"));
    }
    // Shared by all pages, as pages can lie on the same bytes.
    let mut budget = (MAX_BYTES_PER_BYTE * bytes.len() as u64).min(MAX_BYTES);
    let mut limits = Limits::default();
    limits.ifd_value_size = bytes.len();
    limits.decoding_buffer_size = budget as usize;
    limits.intermediate_buffer_size = budget as usize;
    let mut decoder = Decoder::new(Cursor::new(bytes))
        .map_err(|error| damaged(1, error))?
        .with_limits(limits);
    let mut tiff = Tiff {
        pages: Vec::new(),
        compression: "none",
        num_reduced: 0,
        white_is_zero: false,
    };
    for number in 1.. {
        let tag = |decoder: &mut Decoder<_>, tag| decoder.find_tag_unsigned::<u16>(tag).map_err(|e| damaged(number, e));
        let reduced = tag(&mut decoder, Tag::NewSubfileType)?.unwrap_or(0) & 1 == 1;
        if reduced {
            tiff.num_reduced += 1;
        } else {
            let compression = tag(&mut decoder, Tag::Compression)?.unwrap_or(1);
            tiff.compression = compression_name(compression).ok_or_else(|| {
                let hint = "save the image with LZW, deflate, PackBits or without compression";
                wrong(file)
                    .found(format!("page {number}: compression {compression}"))
                    .expected("a compression without loss")
                    .hint(hint)
            })?;
            let orientation = tag(&mut decoder, Tag::Orientation)?.unwrap_or(1);
            tiff.white_is_zero |= tag(&mut decoder, Tag::PhotometricInterpretation)? == Some(0);
            let page = read_page(&mut decoder, file, number, &mut budget, damaged)?;
            tiff.pages.push(turned(page, orientation));
        }
        if !decoder.more_images() {
            break;
        }
        decoder.next_image().map_err(|error| damaged(number + 1, error))?;
    }
    Ok(tiff)
}

/// Whether no field of the first directory promises more values than the file can hold. The crate reads this directory
/// before limits can be set, with room for 256 MB.
fn first_directory_fits(bytes: &[u8]) -> bool {
    let big_endian = bytes.starts_with(b"M");
    let number = |at: usize, num_bytes: usize| {
        let field = bytes.get(at..at.checked_add(num_bytes)?)?.iter();
        let digit = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if big_endian {
            field.fold(0, digit)
        } else {
            field.rev().fold(0, digit)
        })
    };
    let fits = || {
        let big = number(2, 2)? == 43;
        let (offset_at, offset_bytes, count_bytes, entry_bytes) = if big { (8, 8, 8, 20) } else { (4, 4, 2, 12) };
        let start = usize::try_from(number(offset_at, offset_bytes)?).ok()?;
        let num_entries = usize::try_from(number(start, count_bytes)?)
            .ok()
            .filter(|&num| num <= bytes.len())?;
        let first = start + count_bytes;
        // Tag and type have two bytes each, the number of values as many as an offset.
        let num_values = |entry: usize| number(first + entry * entry_bytes + 4, offset_bytes);
        Some((0..num_entries).all(|entry| num_values(entry).is_some_and(|count| count <= bytes.len() as u64)))
    };
    fits().unwrap_or(false)
}

fn compression_name(code: u16) -> Option<&'static str> {
    COMPRESSIONS
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, name)| *name)
}

fn read_page(
    decoder: &mut Decoder<Cursor<&[u8]>>,
    file: &Path,
    number: usize,
    budget: &mut u64,
    damaged: impl Fn(usize, TiffError) -> FileError,
) -> Result<Page, FileError> {
    let failed = |error| damaged(number, error);
    let refuse = |found: String, expected: &str| {
        wrong(file)
            .found(format!("page {number}: {found}"))
            .expected(expected)
            .hint("convert the image, or correct the pattern in the card")
    };
    let (width, height) = decoder.dimensions().map_err(failed)?;
    let color = decoder.colortype().map_err(failed)?;
    let (bits, num_samples, alpha) = match color {
        ColorType::Gray(bits) => (bits, 1, false),
        ColorType::GrayA(bits) => (bits, 2, true),
        ColorType::RGB(bits) => (bits, 3, false),
        ColorType::RGBA(bits) => (bits, 4, true),
        ColorType::Multiband { bit_depth, num_samples } => (bit_depth, usize::from(num_samples), false),
        other => return Err(refuse(format!("{other:?}"), "gray, RGB or bands")),
    };
    if !matches!(bits, 8 | 16 | 32 | 64) && (bits, num_samples) != (1, 1) {
        return Err(refuse(format!("{bits} bits per sample"), "1, 8, 16, 32 or 64"));
    }
    let layout = decoder.image_buffer_layout().map_err(failed)?;
    // A chunk's line has its buffer too, and a tile can be wider than the image.
    let chunk_line = u64::from(decoder.chunk_dimensions().0) * num_samples as u64 * u64::from(bits).div_ceil(8);
    let needed = layout.complete_len as u64;
    if width.max(height) > MAX_SIDE || num_samples > MAX_BANDS || needed.max(chunk_line) > *budget {
        let found = format!("{width} x {height} pixels of {num_samples} samples");
        return Err(refuse(
            found,
            "at most 16384 x 16384 pixels of 64 samples, and as many as the file has bytes for",
        ));
    }
    *budget -= needed;
    let mut samples = DecodingResult::U8(Vec::new());
    decoder.read_image_to_buffer(&mut samples).map_err(failed)?;
    let (height, width) = (height as usize, width as usize);
    if let (1, DecodingResult::U8(packed)) = (bits, &samples) {
        samples = DecodingResult::U8(unpacked(packed, width));
    }
    let mut page = Page {
        height,
        width,
        num_planes: num_samples,
        planar: layout.planes > 1,
        samples,
        lossy: false,
    };
    if alpha {
        let opaque = |pixel| page.raw(pixel, num_samples - 1) == page.largest();
        if !(0..height * width).all(opaque) {
            return Err(transparent(file));
        }
        page = selected(page, num_samples - 1, |pixel| pixel);
    }
    Ok(page)
}

/// One byte, 0 or 255, per bit; lines start at bytes.
fn unpacked(packed: &[u8], width: usize) -> Vec<u8> {
    let line = |line: &[u8]| -> Vec<u8> {
        (0..width)
            .map(|x| line.get(x / 8).map_or(0, |byte| (byte >> (7 - x % 8) & 1) * 255))
            .collect()
    };
    packed.chunks(width.div_ceil(8).max(1)).flat_map(line).collect()
}

/// The picture with its first line up and first column left, as the standard's orientations 1 to 8 say.
fn turned(page: Page, orientation: u16) -> Page {
    let (height, width) = (page.height, page.width);
    let swapped = (5..=8).contains(&orientation);
    let (new_height, new_width) = if swapped { (width, height) } else { (height, width) };
    let source = |pixel: usize| {
        let (line, column) = (pixel / new_width, pixel % new_width);
        let (line, column) = if swapped { (column, line) } else { (line, column) };
        let line = if matches!(orientation, 3 | 4 | 6 | 7) {
            height - 1 - line
        } else {
            line
        };
        let column = if matches!(orientation, 2 | 3 | 7 | 8) {
            width - 1 - column
        } else {
            column
        };
        line * width + column
    };
    if !(2..=8).contains(&orientation) {
        return page;
    }
    let num_planes = page.num_planes;
    Page {
        height: new_height,
        width: new_width,
        ..selected(page, num_planes, source)
    }
}

/// The first planes, with each pixel taken from where `source` says.
fn selected(page: Page, num_planes: usize, source: impl Fn(usize) -> usize) -> Page {
    let num_pixels = page.height * page.width;
    let index = |at: usize| {
        let (pixel, plane) = if page.planar {
            (at % num_pixels, at / num_pixels)
        } else {
            (at / num_planes, at % num_planes)
        };
        let pixel = source(pixel);
        if page.planar {
            plane * num_pixels + pixel
        } else {
            pixel * page.num_planes + plane
        }
    };
    macro_rules! gather {
        ($($kind:ident),*) => {
            match &page.samples {
                $(DecodingResult::$kind(all) => DecodingResult::$kind(
                    (0..num_planes * num_pixels).filter_map(|at| all.get(index(at)).copied()).collect(),
                ),)*
            }
        };
    }
    let samples = gather!(U8, U16, U32, U64, I8, I16, I32, I64, F16, F32, F64);
    Page {
        num_planes,
        samples,
        ..page
    }
}
