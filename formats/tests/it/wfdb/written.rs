//! Samples written here in each storage format are read back.

use std::fmt::Write as _;

use super::{Folder, channels, hash_values, read_from};
use crate::mutate::Draws;

/// Bytes of samples as `signal(5)` describes them.
fn pack(format: u32, samples: &[i32]) -> Vec<u8> {
    let bits = |count: usize, width: u32| {
        let word = move |block: &[i32]| {
            let fields = block.iter().enumerate();
            fields.fold(0u64, |word, (at, &v)| {
                word | u64::from(v as u32 & ((1 << width) - 1)) << (at as u32 * width)
            })
        };
        samples.chunks(count).map(word)
    };
    match format {
        8 => samples
            .iter()
            .scan(0, |last, &v| Some((v - std::mem::replace(last, v)) as u8))
            .collect(),
        16 => samples.iter().flat_map(|&v| (v as i16).to_le_bytes()).collect(),
        24 => samples
            .iter()
            .flat_map(|&v| [v as u8, (v >> 8) as u8, (v >> 16) as u8])
            .collect(),
        32 => samples.iter().flat_map(|&v| v.to_le_bytes()).collect(),
        61 => samples.iter().flat_map(|&v| (v as i16).to_be_bytes()).collect(),
        80 => samples.iter().map(|&v| (v + 128) as u8).collect(),
        160 => samples
            .iter()
            .flat_map(|&v| ((v + 0x8000) as u16).to_le_bytes())
            .collect(),
        212 => (bits(2, 12))
            .flat_map(|word| {
                [
                    word as u8,
                    (word >> 8 & 15 | word >> 16 & 0xf0) as u8,
                    (word >> 12) as u8,
                ]
            })
            .collect(),
        310 => (bits(3, 10))
            .flat_map(|word| {
                let low = (word & 0x3ff) << 1 | (word >> 20 & 31) << 11;
                let high = (word >> 10 & 0x3ff) << 1 | (word >> 25 & 31) << 11;
                (low | high << 16).to_le_bytes().into_iter().take(4)
            })
            .collect(),
        311 => bits(3, 10)
            .flat_map(|word| word.to_le_bytes().into_iter().take(4))
            .collect(),
        _ => panic!("{format}"),
    }
}

fn crc(bytes: &[u8], width: u32, polynomial: u32) -> u32 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << (width - 8), |crc, _| {
            (crc << 1 ^ if crc >> (width - 1) & 1 == 1 { polynomial } else { 0 }) & ((1 << width) - 1)
        })
    })
}

/// The start of a FLAC stream of so many channels, bits and samples.
pub(super) fn flac_start(count: usize, bits: u32, length: usize) -> Vec<u8> {
    let mut stream = b"fLaC\x80\0\0\x22\0\x10\0\x10\0\0\0\0\0\0".to_vec();
    let description = 96_000u64 << 44 | (count as u64 - 1) << 41 | u64::from(bits - 1) << 36 | length as u64;
    stream.extend(description.to_be_bytes());
    stream.extend([0; 16]);
    stream
}

/// A FLAC frame with its checksums.
pub(super) fn flac_frame(header: &[u8], channels: &[u8]) -> Vec<u8> {
    let mut frame = [header, &[crc(header, 8, 0x07) as u8], channels].concat();
    frame.extend((crc(&frame, 16, 0x8005) as u16).to_be_bytes());
    frame
}

/// A FLAC stream of verbatim frames of at most 16 samples.
fn pack_flac(channels: &[Vec<i32>], bits: u32) -> Vec<u8> {
    let (count, length) = (channels.len(), channels[0].len());
    let mut stream = flac_start(count, bits, length);
    for start in (0..length).step_by(16) {
        let size = 16.min(length - start);
        let code = [1, 4, 6][bits as usize / 8 - 1];
        let header = [
            0xff,
            0xf8,
            0x60,
            (count as u8 - 1) << 4 | code << 1,
            (start / 16) as u8,
            size as u8 - 1,
        ];
        let bytes = |&v: &i32| v.to_be_bytes().into_iter().skip(4 - bits as usize / 8);
        let verbatim = channels
            .iter()
            .flat_map(|channel| std::iter::once(2).chain(channel[start..start + size].iter().flat_map(bytes)));
        stream.extend(flac_frame(&header, &verbatim.collect::<Vec<_>>()));
    }
    stream
}

/// Samples of two signals, of one and of `per_frame` samples per frame, within so many bits and their extremes.
fn draw(draws: &mut Draws, bits: u32, num_frames: usize, per_frame: usize) -> [Vec<i32>; 2] {
    let [low, high] = [-1i64 << (bits - 1), (1i64 << (bits - 1)) - 1];
    let mut sample = || match draws.below(6) {
        0 => low as i32,
        1 => high as i32,
        _ => (low + (draws.next() >> 1) as i64 % (high - low + 1)) as i32,
    };
    [1, per_frame].map(|per_frame| (0..num_frames * per_frame).map(|_| sample()).collect())
}

#[test]
fn samples_written_in_any_format_are_read_back() {
    const FORMATS: [(u32, u32); 13] = [
        (8, 7),
        (16, 16),
        (24, 24),
        (32, 32),
        (61, 16),
        (80, 8),
        (160, 16),
        (212, 12),
        (310, 10),
        (311, 10),
        (508, 8),
        (516, 16),
        (524, 24),
    ];
    let mut draws = Draws(5);
    for ((format, bits), (num_frames, per_frame)) in FORMATS
        .into_iter()
        .flat_map(|format| [(1, 1), (2, 3), (50, 1), (37, 4), (101, 2)].map(|shape| (format, shape)))
    {
        let signals = draw(&mut draws, bits, num_frames, per_frame);
        let mut folder = Folder::new();
        // FLAC files hold signals of one rate: one file for each.
        let files = if format > 500 {
            ["a.dat", "b.dat"]
        } else {
            ["a.dat", "a.dat"]
        };
        if format > 500 {
            for (file, signal) in files.iter().zip(&signals) {
                folder.insert((*file).into(), pack_flac(std::slice::from_ref(signal), bits));
            }
        } else {
            let of_frame =
                |signal: &[i32], size: usize, frame: usize| signal[frame * size..(frame + 1) * size].to_vec();
            let frames =
                (0..num_frames).map(|f| [of_frame(&signals[0], 1, f), of_frame(&signals[1], per_frame, f)].concat());
            let bytes = match format {
                // First differences run along each signal.
                8 => {
                    let [a, b] = signals.each_ref().map(|signal| pack(8, signal));
                    let pairs = a.iter().zip(b.chunks(per_frame)).flat_map(|(&a, b)| [&[a], b].concat());
                    pairs.collect()
                }
                format => pack(format, &frames.collect::<Vec<_>>().concat()),
            };
            folder.insert("a.dat".into(), bytes);
        }
        let mut header = format!("r 2 100 {num_frames}\n");
        for (number, ((file, signal), per_frame)) in files.iter().zip(&signals).zip([1, per_frame]).enumerate() {
            let initial = if format == 8 { 0 } else { signal[0] };
            let checksum = signal.iter().fold(0i16, |sum, &v| sum.wrapping_add(v as i16));
            writeln!(
                header,
                "{file} {format}x{per_frame} 0.5(7)/N 0 0 {initial} {checksum} 0 signal {number}"
            )
            .unwrap();
        }
        folder.insert("r.hea".into(), header.into_bytes());
        let contents = read_from(&folder, "r.hea").unwrap();
        assert!(contents.warnings.is_empty());
        for ((channel, signal), per_frame) in channels(&contents).iter().zip(&signals).zip([1, per_frame]) {
            assert_eq!(
                (channel.unit.as_str(), channel.rate_hz),
                ("N", 100.0 * per_frame as f64)
            );
            let missing = if format == 8 {
                None
            } else {
                Some((-1i64 << (bits - 1)) as i32)
            };
            let physical = |&v: &i32| {
                if Some(v) == missing {
                    f32::NAN
                } else {
                    ((f64::from(v) - 7.0) / 0.5) as f32
                }
            };
            let expected: Vec<_> = signal.iter().map(physical).collect();
            assert_eq!(
                hash_values(&channel.values),
                hash_values(&expected),
                "{format}x{per_frame}"
            );
        }
    }
}
