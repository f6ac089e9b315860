//! Signal files in FLAC (formats 508, 516, 524): each signal of the file is a channel, and the samples of a frame of the
//! record follow each other in it.
//!
//! Frames are decoded by `claxon`, which verifies their CRCs. The blocks of metadata before them are skipped here: that crate
//! reserves memory by their counts, and none but the first concerns the samples. Files with
//! residuals that are not Rice-coded, or with samples of other than 8, 12, 16, 20 or 24 bits, are refused: it does not know them,
//! and common encoders do not write them.

use std::io::Cursor;
use std::path::Path;

use claxon::frame::FrameReader;
use claxon::metadata::{MetadataBlock, StreamInfo, read_metadata_block};

use crate::FileError;

/// A file that unpacks to so many samples per byte, and so many more, is refused: blocks of constant samples, at most
/// 4096 long as encoders write them, do not reach it.
const MAX_PER_BYTE: usize = 4096;
const MAX_MORE: usize = 1 << 20;

/// The samples of each channel: after `skip` as many as `wanted`, or all.
pub(super) fn decode(
    file: &Path,
    bytes: &[u8],
    (num_channels, max_bits): (usize, u32),
    skip: usize,
    wanted: Option<usize>,
) -> Result<Vec<Vec<i32>>, FileError> {
    let wrong = |place: &str| {
        let hint = "the file is damaged, cut short, or not of the header's format; fetch both again";
        FileError::at(file).place(place).hint(hint)
    };
    let (info, frames) = stream(bytes).ok_or_else(|| {
        wrong("byte 0")
            .found("something else")
            .expected("the header of a FLAC stream")
    })?;
    if info.channels as usize != num_channels || info.bits_per_sample > max_bits {
        let found = format!("{} channels of {} bits", info.channels, info.bits_per_sample);
        return Err(wrong("byte 8")
            .found(found)
            .expected(format!("{num_channels} of at most {max_bits} bits")));
    }
    let known = info
        .samples
        .map_or(usize::MAX, |samples| samples.try_into().unwrap_or(usize::MAX));
    let end = wanted.map_or(known, |wanted| skip.saturating_add(wanted));
    let mut reader = FrameReader::new(Cursor::new(frames));
    let mut channels = vec![Vec::new(); num_channels];
    let (mut position, mut buffer) = (0, Vec::new());
    while position < end {
        let place = || format!("sample {position}");
        let next = reader.read_next_or_eof(buffer);
        let Some(block) = next.map_err(|error| wrong(&place()).found(error).expected("a FLAC frame"))? else {
            break;
        };
        if block.channels() as usize != num_channels {
            return Err(wrong(&place())
                .found(format!("{} channels", block.channels()))
                .expected(num_channels));
        }
        let length = block.duration() as usize;
        let range = skip.saturating_sub(position).min(length)..(end - position).min(length);
        for (number, channel) in (0..).zip(&mut channels) {
            let samples = block.channel(number).get(range.clone()).unwrap_or_default();
            if let Some(sample) = samples
                .iter()
                .find(|&&sample| !matches!(sample >> (max_bits - 1), 0 | -1))
            {
                return Err(wrong(&place())
                    .found(sample)
                    .expected(format!("samples of at most {max_bits} bits")));
            }
            channel.extend_from_slice(samples);
        }
        position += length;
        if position.saturating_mul(num_channels) > bytes.len().saturating_mul(MAX_PER_BYTE) + MAX_MORE {
            let expected = format!("at most {MAX_PER_BYTE} per byte");
            return Err(wrong(&format!("sample {position}"))
                .found(format!("samples from {} bytes", bytes.len()))
                .expected(expected));
        }
        buffer = block.into_buffer();
    }
    if position < end && (wanted.is_some() || info.samples.is_some()) {
        return Err(wrong("size")
            .found(format!("{position} samples"))
            .expected(format!("at least {end}")));
    }
    Ok(channels)
}

/// The description of a stream, and its frames.
fn stream(bytes: &[u8]) -> Option<(StreamInfo, &[u8])> {
    let mut rest = bytes.strip_prefix(b"fLaC")?;
    let mut info = None;
    loop {
        let (&[kind, high, middle, low], body) = rest.split_first_chunk()?;
        let length = u32::from_be_bytes([0, high, middle, low]);
        let block = body.get(..length as usize)?;
        rest = body.get(length as usize..)?;
        if info.is_none() {
            let Ok(MetadataBlock::StreamInfo(first)) = read_metadata_block(&mut Cursor::new(block), kind & 127, length)
            else {
                return None;
            };
            info = Some(first);
        }
        if kind & 128 != 0 {
            return Some((info?, rest));
        }
    }
}
