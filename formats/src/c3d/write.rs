//! Writing C3D: points and analog channels as floating-point numbers in the byte order of a PC.

use std::path::Path;

use super::BLOCK;
use crate::FileError;
use crate::{Points, SignalChannel};

/// The bytes of a C3D file with these points and signals; `path` is for messages.
///
/// Values keep their bits: points are stored as real numbers, signals with scale 1 and offset 0. A point with a missing
/// coordinate is stored as not seen. Confidences and annotations have no place in the file.
///
/// # Errors
/// [`FileError`] for points without a rate or in the plane, signals that do not have the same whole number of samples
/// in each frame, and more names than the parameters can hold (about 130 kB).
pub fn write_c3d(points: &Points, signals: &[SignalChannel], path: &Path) -> Result<Vec<u8>, FileError> {
    let (num_frames, num_points, num_axes) = points.positions.dim();
    let rate_hz = points.rate_hz.filter(|&rate_hz| rate_hz.is_finite() && rate_hz > 0.0);
    let (Some(rate_hz), 3, 1..) = (rate_hz, num_axes, num_frames) else {
        let found = format!(
            "{num_frames} frames in {num_axes} dimensions at {:?} Hz",
            points.rate_hz
        );
        return Err(FileError::at(path)
            .place("points")
            .found(found)
            .expected("frames in 3 dimensions at a known rate")
            .hint("C3D holds nothing else"));
    };
    let analog_hz = signals.first().map_or(0.0, |signal| signal.rate_hz);
    let per_frame = analog_hz / rate_hz;
    let samples_per_frame = per_frame.round() as usize;
    let whole = (per_frame - samples_per_frame as f64).abs() < 1e-6 && u16::try_from(samples_per_frame).is_ok();
    for signal in signals {
        let (length, hz) = (signal.values.len(), signal.rate_hz);
        if !whole || samples_per_frame == 0 || hz != analog_hz || length != num_frames * samples_per_frame {
            let found = format!("{length} samples at {hz} Hz for {num_frames} frames at {rate_hz} Hz");
            let expected = "the same whole number of samples per frame in all signals";
            return Err(FileError::at(path)
                .place(format!("signal `{}`", signal.name))
                .found(found)
                .expected(expected)
                .hint("resample the signal first"));
        }
    }
    let samples_in_frame = u16::try_from(samples_per_frame * signals.len()).ok();
    let (Ok(used), Some(samples_in_frame)) = (u16::try_from(num_points), samples_in_frame) else {
        let found = format!(
            "{num_points} points, {} samples of signals",
            samples_per_frame * signals.len()
        );
        return Err(FileError::at(path)
            .place("frame")
            .found(found)
            .expected("at most 65535 of each in a frame")
            .hint("write several files"));
    };

    let largest = points
        .positions
        .iter()
        .filter(|value| value.is_finite())
        .fold(1.0f32, |max, value| max.max(value.abs()));
    // The sign says "real"; the size is what integers would need.
    let scale = -largest / 32000.0;
    let mut section = Section::default();
    let groups = [("POINT", 1), ("ANALOG", 2)];
    groups.iter().for_each(|&(name, id)| section.group(name, id));
    section.words(1, "USED", &[used]);
    section.floats(1, "SCALE", &[scale]);
    section.floats(1, "RATE", &[rate_hz as f32]);
    let last = u16::try_from(num_frames).unwrap_or(u16::MAX);
    section.words(1, "FRAMES", &[last]);
    section.texts(1, "UNITS", &[points.unit.as_str()]);
    section.texts(
        1,
        "LABELS",
        &points.names.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    section.texts(1, "DESCRIPTIONS", &vec![""; num_points]);
    let count = signals.len() as u16;
    section.words(2, "USED", &[count]);
    section.floats(2, "GEN_SCALE", &[1.0]);
    section.floats(2, "RATE", &[analog_hz as f32]);
    section.floats(2, "SCALE", &vec![1.0; signals.len()]);
    section.words(2, "OFFSET", &vec![0; signals.len()]);
    section.texts(
        2,
        "UNITS",
        &signals.iter().map(|signal| signal.unit.as_str()).collect::<Vec<_>>(),
    );
    section.texts(
        2,
        "LABELS",
        &signals.iter().map(|signal| signal.name.as_str()).collect::<Vec<_>>(),
    );
    section.texts(2, "DESCRIPTIONS", &vec![""; signals.len()]);
    if last == u16::MAX {
        // The true number, low word first.
        section.group("TRIAL", 3);
        section.words(3, "ACTUAL_START_FIELD", &[1, 0]);
        section.words(3, "ACTUAL_END_FIELD", &[num_frames as u16, (num_frames >> 16) as u16]);
    }
    let Some((parameters, num_blocks)) = section.finish() else {
        let found = format!("{num_points} points and {count} signals");
        return Err(FileError::at(path)
            .place("names")
            .found(found)
            .expected("at most 255 blocks of parameters")
            .hint("write several files"));
    };

    let mut bytes = vec![2, 0x50];
    let data_start = u16::from(num_blocks) + 2;
    for word in [used, samples_in_frame, 1, last, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(scale.to_le_bytes());
    bytes.extend(data_start.to_le_bytes());
    bytes.extend((samples_per_frame as u16).to_le_bytes());
    bytes.extend((rate_hz as f32).to_le_bytes());
    bytes.resize(BLOCK, 0);
    bytes.extend(parameters);
    for (frame, positions) in points.positions.outer_iter().enumerate() {
        for position in positions.outer_iter() {
            let seen = position.iter().all(|value| !value.is_nan());
            let word = if seen { 0.0f32 } else { -1.0 };
            position
                .iter()
                .for_each(|&value| bytes.extend(if seen { value } else { 0.0 }.to_le_bytes()));
            bytes.extend(word.to_le_bytes());
        }
        for sample in frame * samples_per_frame..(frame + 1) * samples_per_frame {
            signals
                .iter()
                .for_each(|signal| bytes.extend(signal.values[sample].to_le_bytes()));
        }
    }
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    Ok(bytes)
}

/// The parameter section while it grows.
#[derive(Default)]
struct Section(Vec<u8>);

impl Section {
    fn group(&mut self, name: &str, id: u8) {
        self.record(name, id.wrapping_neg(), &[0]);
    }

    fn record(&mut self, name: &str, id: u8, body: &[u8]) {
        self.0.extend([name.len() as u8, id]);
        self.0.extend(name.as_bytes());
        self.0.extend((body.len() as u16 + 2).to_le_bytes());
        self.0.extend(body);
    }

    /// One parameter: type, axes, values and an empty description.
    fn parameter(&mut self, id: u8, name: &str, kind: u8, axes: &[u8], values: impl Iterator<Item = u8>) {
        let mut body = vec![kind, axes.len() as u8];
        body.extend(axes);
        body.extend(values);
        body.push(0);
        self.record(name, id, &body);
    }

    fn words(&mut self, id: u8, name: &str, values: &[u16]) {
        self.pieces(name, values, 255, |section, name, piece| {
            section.parameter(
                id,
                name,
                2,
                &[piece.len() as u8],
                piece.iter().flat_map(|value| value.to_le_bytes()),
            );
        });
    }

    fn floats(&mut self, id: u8, name: &str, values: &[f32]) {
        self.pieces(name, values, 255, |section, name, piece| {
            section.parameter(
                id,
                name,
                4,
                &[piece.len() as u8],
                piece.iter().flat_map(|value| value.to_le_bytes()),
            );
        });
    }

    /// Texts of one length, filled up with blanks; those beyond 255 bytes are cut off.
    fn texts(&mut self, id: u8, name: &str, texts: &[&str]) {
        let width = texts.iter().map(|text| text.len()).max().unwrap_or(0).clamp(1, 255);
        // A record ends at most 32767 bytes after its name, as the distance is a signed word for many readers.
        self.pieces(name, texts, (32_000 / width).min(255), |section, name, piece| {
            let letters = piece
                .iter()
                .flat_map(|text| text.bytes().chain(std::iter::repeat(b' ')).take(width));
            section.parameter(id, name, 255, &[width as u8, piece.len() as u8], letters);
        });
    }

    /// `name`, `name2`, `name3`, ... with at most `most` values each.
    fn pieces<T>(&mut self, name: &str, values: &[T], most: usize, write: impl Fn(&mut Self, &str, &[T])) {
        for (index, piece) in values.chunks(most).enumerate() {
            let name = if index == 0 {
                name.to_string()
            } else {
                format!("{name}{}", index + 1)
            };
            write(self, &name, piece);
        }
        if values.is_empty() {
            write(self, name, values);
        }
    }

    /// Whole blocks and their number; `None` for more than a byte can count.
    fn finish(self) -> Option<(Vec<u8>, u8)> {
        let mut bytes = vec![0; 4];
        bytes.extend(self.0);
        // The zeros after the last record end the section.
        bytes.resize((bytes.len() + 2).next_multiple_of(BLOCK), 0);
        let num_blocks = u8::try_from(bytes.len() / BLOCK).ok()?;
        bytes[..4].copy_from_slice(&[1, 0x50, num_blocks, 84]);
        Some((bytes, num_blocks))
    }
}
