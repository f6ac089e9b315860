//! Pixel data as integers, whatever they are packed into. PS3.5 chapter 8 and annexes A and G.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use jpeg_decoder::{ColorTransform, Decoder, PixelFormat};

use super::dataset::{Dataset, Element, PIXEL_DATA, Tag, Value, integers};
use super::syntax;
use crate::FileError;

const SAMPLES_PER_PIXEL: Tag = Tag(0x0028, 0x0002);
const PHOTOMETRIC: Tag = Tag(0x0028, 0x0004);
const PLANAR: Tag = Tag(0x0028, 0x0006);
const FRAMES: Tag = Tag(0x0028, 0x0008);
const ROWS: Tag = Tag(0x0028, 0x0010);
const COLUMNS: Tag = Tag(0x0028, 0x0011);
const BITS_ALLOCATED: Tag = Tag(0x0028, 0x0100);
const BITS_STORED: Tag = Tag(0x0028, 0x0101);
const HIGH_BIT: Tag = Tag(0x0028, 0x0102);
const SIGNED: Tag = Tag(0x0028, 0x0103);

/// The most pixels that a compressed byte can hold: RLE repeats a byte 128 times in two; an 8 x 8 block of JPEG takes at
/// least two codes of one bit.
const MAX_PIXELS_PER_BYTE: usize = 256;

/// How an image's pixels are packed.
pub(super) struct Pixels<'b> {
    path: &'b Path,
    codec: syntax::Codec,
    big_endian: bool,
    element: &'b Element<'b>,
    pub photometric: String,
    pub num_frames: usize,
    pub rows: usize,
    pub columns: usize,
    /// Samples of a pixel: 1 or 3.
    pub samples: usize,
    pub bits_allocated: usize,
    pub bits_stored: usize,
    high_bit: usize,
    pub signed: bool,
    planar: bool,
}

impl<'b> Pixels<'b> {
    /// Checks the description of the pixels against the bytes that are there.
    pub fn describe(dataset: &'b Dataset<'b>, transfer_syntax: &str, path: &'b Path) -> Result<Self, FileError> {
        let codec = syntax::codec(transfer_syntax, path)?;
        let missing = |name: &str| {
            FileError::at(path)
                .place(name)
                .found("nothing that can be read")
                .expected("a whole number")
                .hint(DAMAGED)
        };
        let count = |tag, name| dataset.count(tag).ok_or_else(|| missing(name));
        let element = dataset.get(PIXEL_DATA).ok_or_else(|| missing("PixelData"))?;
        let num_frames = match dataset.get(FRAMES).and(dataset.text(FRAMES)) {
            Some(_) => count(FRAMES, "NumberOfFrames")?.max(1),
            None => 1,
        };
        let bits_allocated = count(BITS_ALLOCATED, "BitsAllocated")?;
        let bits_stored = dataset.count(BITS_STORED).unwrap_or(bits_allocated);
        let pixels = Self {
            path,
            codec,
            big_endian: dataset.encoding.big_endian,
            element,
            photometric: dataset.text(PHOTOMETRIC).unwrap_or_else(|| "MONOCHROME2".into()),
            num_frames,
            rows: count(ROWS, "Rows")?,
            columns: count(COLUMNS, "Columns")?,
            samples: dataset.count(SAMPLES_PER_PIXEL).unwrap_or(1),
            bits_allocated,
            bits_stored,
            high_bit: dataset.count(HIGH_BIT).unwrap_or(bits_stored.saturating_sub(1)),
            signed: dataset.count(SIGNED) == Some(1),
            planar: dataset.count(PLANAR) == Some(1),
        };
        pixels.check()?;
        Ok(pixels)
    }

    fn check(&self) -> Result<(), FileError> {
        let wrong = |place: &str, found: String, expected: &str| {
            Err(FileError::at(self.path)
                .place(place)
                .found(found)
                .expected(expected)
                .hint(DAMAGED))
        };
        if ![1, 8, 16, 32].contains(&self.bits_allocated) || (self.bits_allocated == 1 && self.samples != 1) {
            return wrong("BitsAllocated", self.bits_allocated.to_string(), "1, 8, 16 or 32");
        }
        if self.bits_stored == 0 || self.high_bit >= self.bits_allocated || self.bits_stored > self.high_bit + 1 {
            let found = format!("{} bits up to bit {}", self.bits_stored, self.high_bit);
            return wrong(
                "BitsStored",
                found,
                &format!("bits of a sample of {}", self.bits_allocated),
            );
        }
        if self.samples != 1 && self.samples != 3 {
            return wrong("SamplesPerPixel", self.samples.to_string(), "1 or 3");
        }
        if self.rows == 0 || self.columns == 0 {
            return wrong(
                "Rows and Columns",
                format!("{} x {}", self.rows, self.columns),
                "at least one pixel",
            );
        }
        let pixels = [self.rows, self.columns]
            .iter()
            .try_fold(self.num_frames, |all, &side| all.checked_mul(side));
        let (fits, there) = match &self.element.value {
            Value::Bytes(bytes) => {
                let bits = pixels.and_then(|pixels| pixels.checked_mul(self.bits_per_pixel()));
                (bits.is_some_and(|bits| bits.div_ceil(8) <= bytes.len()), bytes.len())
            }
            Value::Fragments(fragments) => {
                let there: usize = fragments.iter().map(|fragment| fragment.len()).sum();
                (
                    pixels.is_some_and(|pixels| pixels <= MAX_PIXELS_PER_BYTE * there),
                    there,
                )
            }
            Value::Items(_) => (false, 0),
        };
        let native = matches!(self.element.value, Value::Bytes(_));
        if fits && native == (self.codec == syntax::Codec::None) {
            return Ok(());
        }
        let found = format!("{there} bytes of {}compressed pixels", if native { "un" } else { "" });
        let expected = format!(
            "{} frames of {} x {} pixels, {} samples of {} bits each",
            self.num_frames, self.rows, self.columns, self.samples, self.bits_allocated
        );
        wrong("PixelData", found, &expected)
    }

    /// Bits of a pixel in native data: two pixels share their colour in YBR_FULL_422.
    fn bits_per_pixel(&self) -> usize {
        let samples = if self.photometric == "YBR_FULL_422" {
            2
        } else {
            self.samples
        };
        samples * self.bits_allocated
    }

    /// The samples of a frame, plane by plane, each with its sign.
    pub fn frame(&self, index: usize) -> Result<Vec<i64>, FileError> {
        let mut samples = match &self.element.value {
            Value::Bytes(bytes) => self.native(bytes, index),
            Value::Fragments(fragments) => {
                let data = self.fragments_of(fragments, index)?;
                match self.codec {
                    syntax::Codec::Rle => self.run_lengths(&data)?,
                    _ => self.jpeg(&data)?,
                }
            }
            Value::Items(_) => Vec::new(),
        };
        if samples.len() != self.num_pixels() * self.samples {
            return Err(self.damaged(format!("{} samples in frame {}", samples.len(), index + 1)));
        }
        let (shift, unused) = (self.high_bit + 1 - self.bits_stored, 64 - self.bits_stored);
        for sample in &mut samples {
            let bits = *sample >> shift << unused;
            *sample = if self.signed {
                bits >> unused
            } else {
                (bits as u64 >> unused) as i64
            };
        }
        Ok(samples)
    }

    fn num_pixels(&self) -> usize {
        self.rows * self.columns
    }

    fn native(&self, bytes: &[u8], index: usize) -> Vec<i64> {
        let (pixels, words) = (self.num_pixels(), self.element.vr == *b"OW");
        if self.bits_allocated == 1 {
            // Frames follow each other without padding, the lowest bit of a byte first.
            let swap = usize::from(self.big_endian && words);
            let bit = |at: usize| {
                bytes
                    .get((at / 8) ^ swap)
                    .map_or(0, |byte| i64::from(byte >> (at % 8) & 1))
            };
            return (index * pixels..(index + 1) * pixels).map(bit).collect();
        }
        let length = pixels * self.bits_per_pixel() / 8;
        if self.bits_allocated == 8 && self.big_endian && words {
            // Two samples share a word, whose bytes are swapped.
            let byte = |at: usize| i64::from(bytes.get(at ^ 1).copied().unwrap_or_default());
            return self.planes((index * length..(index + 1) * length).map(byte).collect());
        }
        let frame = bytes.get(index * length..(index + 1) * length).unwrap_or_default();
        self.planes(integers(frame, self.bits_allocated, false, self.big_endian).collect())
    }

    /// Sorts samples that are stored pixel by pixel into planes.
    fn planes(&self, samples: Vec<i64>) -> Vec<i64> {
        if self.samples == 1 || (self.planar && self.codec == syntax::Codec::None) {
            return samples;
        }
        if self.photometric == "YBR_FULL_422" && self.codec == syntax::Codec::None {
            // Y1 Y2 Cb Cr for every two pixels.
            let groups = samples.as_chunks::<4>().0;
            let light = groups.iter().flat_map(|&[one, two, _, _]| [one, two]);
            let colour = |plane: usize| groups.iter().flat_map(move |group| [group[plane]; 2]);
            return light.chain(colour(2)).chain(colour(3)).collect();
        }
        (0..self.samples)
            .flat_map(|plane| samples.iter().skip(plane).step_by(self.samples).copied())
            .collect()
    }

    fn damaged(&self, found: impl Display) -> FileError {
        FileError::at(self.path)
            .place("PixelData")
            .found(found)
            .expected("whole compressed frames")
            .hint(DAMAGED)
    }

    /// The bytes of a frame: its own fragment, all of them, or those between two entries of the offset table.
    fn fragments_of(&self, fragments: &[&[u8]], index: usize) -> Result<Vec<u8>, FileError> {
        let Some((table, fragments)) = fragments.split_first() else {
            return Err(self.damaged("no fragments"));
        };
        if self.num_frames == 1 {
            return Ok(fragments.concat());
        }
        if fragments.len() == self.num_frames {
            return Ok(fragments
                .get(index)
                .map(|fragment| fragment.to_vec())
                .unwrap_or_default());
        }
        let mut offsets = integers(table, 32, false, false).skip(index);
        let Some(start) = offsets.next() else {
            let found = format!(
                "{} fragments for {} frames and no offset table",
                fragments.len(),
                self.num_frames
            );
            return Err(self.damaged(found));
        };
        let stop = offsets.next().unwrap_or(i64::MAX);
        let mut at = 0;
        let mut frame = Vec::new();
        for fragment in fragments {
            if (start..stop).contains(&at) {
                frame.extend_from_slice(fragment);
            }
            at += 8 + fragment.len() as i64;
        }
        Ok(frame)
    }

    /// RLE Lossless: a header of 16 numbers, then a segment for each byte of each sample, the highest byte first.
    fn run_lengths(&self, data: &[u8]) -> Result<Vec<i64>, FileError> {
        let num_bytes = self.bits_allocated / 8;
        let header: Vec<i64> = integers(data.get(..64).unwrap_or_default(), 32, false, false).collect();
        let Some((&count, offsets)) = header.split_first() else {
            return Err(self.damaged(format!("{} bytes of run lengths", data.len())));
        };
        if count != (self.samples * num_bytes) as i64 {
            return Err(self.damaged(format!("{count} segments of run lengths")));
        }
        let mut samples = vec![0; self.samples * self.num_pixels()];
        for (segment, &start) in offsets.iter().take(self.samples * num_bytes).enumerate() {
            let bytes = data.get(start as usize..).unwrap_or_default();
            let plane = samples
                .chunks_exact_mut(self.num_pixels())
                .nth(segment / num_bytes.max(1))
                .unwrap_or_default();
            let filled = unpack(bytes, plane);
            if filled < self.num_pixels() {
                return Err(self.damaged(format!("{filled} run-length pixels of {}", self.num_pixels())));
            }
        }
        Ok(samples)
    }

    /// JPEG: baseline, extended with 8 bits, lossless.
    fn jpeg(&self, data: &[u8]) -> Result<Vec<i64>, FileError> {
        let mut decoder = Decoder::new(data);
        decoder.set_max_decoding_buffer_size(self.num_pixels() * self.samples * 2);
        if self.samples == 3 && !tells_colours(data) {
            let is_rgb = self.photometric == "RGB";
            decoder.set_color_transform(if is_rgb {
                ColorTransform::RGB
            } else {
                ColorTransform::YCbCr
            });
        }
        // The decoder is careful but was written for whole files; a panic in it must not end a run over a thousand
        // files. The size is checked before it allocates.
        let decoded = catch_unwind(AssertUnwindSafe(|| {
            decoder.read_info().map_err(|error| error.to_string())?;
            let info = decoder.info().ok_or("no header")?;
            let samples = match info.pixel_format {
                PixelFormat::L8 | PixelFormat::L16 => 1,
                PixelFormat::RGB24 => 3,
                PixelFormat::CMYK32 => 4,
            };
            let size = (usize::from(info.height), usize::from(info.width), samples);
            if size != (self.rows, self.columns, self.samples) {
                return Err(format!(
                    "a JPEG image of {} x {} pixels of {} samples",
                    size.0, size.1, size.2
                ));
            }
            let bits = if info.pixel_format == PixelFormat::L16 { 16 } else { 8 };
            Ok((bits, decoder.decode().map_err(|error| error.to_string())?))
        }));
        let (bits, decoded) = decoded
            .unwrap_or_else(|_| Err("a JPEG image that cannot be decoded".into()))
            .map_err(|found| {
                let expected = format!(
                    "a JPEG image of {} x {} pixels of 8 bits, or lossless",
                    self.rows, self.columns
                );
                FileError::at(self.path)
                    .place("PixelData")
                    .found(found)
                    .expected(expected)
                    .hint(syntax::UNPACK)
            })?;
        Ok(self.planes(integers(&decoded, bits, false, cfg!(target_endian = "big")).collect()))
    }

    /// Whether three samples come as RGB out of [`Pixels::frame`]: JPEG decoders turn them.
    pub fn is_rgb(&self) -> bool {
        self.photometric == "RGB" || self.codec == syntax::Codec::Jpeg
    }
}

pub(super) const DAMAGED: &str = "the file is damaged or cut off; fetch it again";

/// Shifts the bytes of a PackBits stream into the samples from the right; returns how many got one.
fn unpack(mut bytes: &[u8], samples: &mut [i64]) -> usize {
    let mut filled = 0;
    while let (Some(room), [control, rest @ ..]) = (samples.get_mut(filled..).filter(|room| !room.is_empty()), bytes) {
        let (literal, repeats) = match control {
            0..128 => (rest.get(..usize::from(*control) + 1).unwrap_or(rest), 1),
            128 => (&[][..], 1),
            129.. => (rest.get(..1).unwrap_or_default(), 257 - usize::from(*control)),
        };
        bytes = rest.get(literal.len()..).unwrap_or_default();
        let unpacked = literal.iter().flat_map(|byte| std::iter::repeat_n(byte, repeats));
        filled += room
            .iter_mut()
            .zip(unpacked)
            .map(|(sample, &byte)| *sample = *sample << 8 | i64::from(byte))
            .count();
    }
    filled
}

/// Whether a JPEG stream tells its colours itself, by an Adobe or a JFIF segment.
fn tells_colours(data: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low, ref rest @ ..]) = data.get(at..) {
        match marker {
            // The last byte is 0 for RGB and 1 for YCbCr; some writers leave others there.
            0xEE if rest.starts_with(b"Adobe") => return matches!(rest.get(11), Some(0 | 1)),
            0xE0 if rest.starts_with(b"JFIF") => return true,
            // The frame or the scan.
            0xC0..=0xC3 | 0xDA => return false,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    false
}
