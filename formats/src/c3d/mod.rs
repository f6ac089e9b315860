//! C3D, the format of motion capture: paths of markers, analog channels, force plates and events.
//!
//! Layout as in the *C3D File Format User Guide* (c3d.org): a header of one block of 512 bytes, parameters in named groups, and
//! frames of points and analog samples, as integers or floating-point numbers in the byte order of a PC, DEC or SGI machine.
//! Own code, as the crate `c3dio` 0.8.0 refuses files whose parameters do not begin in the second block, which the format
//! allows, and panics on broken bytes (22 of 6000 mutations).

mod bytes;
pub mod deidentify;
mod events;
pub mod format;
mod layout;
mod parameters;
mod plates;
mod write;

use std::fmt::Display;
use std::path::Path;

use self::bytes::Order;
use self::layout::{Layout, finite};
use self::parameters::Parameters;
pub use self::write::write_c3d;
use super::contents::{Contents, Part, SignalChannel};
use crate::contents::number_duplicates;
use crate::{FileError, Warning, WarningCode};

const BLOCK: usize = 512;

/// Reads a C3D file; `path` is for messages.
///
/// Points are in `POINT:UNITS`; one whose fourth word is negative was not seen and is NaN. A camera mask of 0 does not make a point
/// missing: interpolated points have it, as have all points of software without cameras. Analog values are
/// `(raw - OFFSET) * SCALE * GEN_SCALE`, with unsigned words where `ANALOG:FORMAT` says so. The channels of the force
/// plates follow in a part of their own, see [`Contents::parts`]: `plate1.Fx` to `plate1.COPz`, in the laboratory's axes. All
/// parameters become facts. Infinite values become NaN.
///
/// # Errors
/// [`FileError`] for another format, parameters that contradict their own lengths, and fewer bytes than frames.
pub fn read(bytes: &[u8], path: &Path) -> Result<Contents, FileError> {
    let (order, start) = processor(bytes, path)?;
    let data_start = usize::from(order.word_at(bytes, 16) as u16).saturating_sub(1) * BLOCK;
    let section = parameter_section(bytes, start, data_start);
    let parameters = Parameters::parse(section, order).map_err(|(at, found, expected)| {
        damaged(path, format!("byte {}", start + at))
            .found(found)
            .expected(expected)
    })?;
    let mut warnings = Vec::new();
    let layout = Layout::new(bytes, order, &parameters, data_start, &mut warnings);
    let body = bytes.get(data_start..).filter(|_| data_start > 0).unwrap_or_default();
    let num_frames = num_frames(&layout, body, path)?;
    if layout.num_frames.is_none() {
        let text = format!("the number of frames is not stored; {num_frames} fit into the file");
        warnings.push(Warning::new(WarningCode::OddHeader, text));
    }
    let (mut points, mut analog) = layout.decode(body, num_frames, &parameters);
    warnings.extend(number_duplicates("points", points.names.iter_mut()));
    let channels = analog.iter_mut().map(|(channel, _)| &mut channel.name);
    warnings.extend(number_duplicates("analog channels", channels));
    let rate_hz = layout.analog_hz.unwrap_or(f64::NAN);
    let values: Vec<&[f64]> = analog.iter().map(|(_, values)| values.as_slice()).collect();
    let (plates, problems) = plates::plates(&parameters, &values, rate_hz, &points.unit);
    warnings.extend(
        problems
            .into_iter()
            .map(|text| Warning::new(WarningCode::LeftOut, text)),
    );
    let analog = (analog.into_iter()).map(|(channel, values)| SignalChannel {
        name: channel.name,
        unit: channel.unit,
        rate_hz,
        values: values.into_iter().map(finite).collect(),
    });
    let signals = [analog.collect(), plates]
        .into_iter()
        .filter(|channels: &Vec<_>| !channels.is_empty());
    let points = (layout.num_points > 0).then_some(Part::Points(points));
    let start_secs = layout
        .rate_hz
        .map_or(0.0, |rate_hz| (layout.first_frame as f64 - 1.0) / rate_hz);
    let storage = if layout.real { "real" } else { "integer" };
    let first = ("first frame".to_string(), layout.first_frame.to_string());
    Ok(Contents {
        format: format!("C3D, {}, {storage}", order.name()),
        facts: [first].into_iter().chain(parameters.facts()).collect(),
        parts: points.into_iter().chain(signals.map(Part::Signals)).collect(),
        annotations: events::events(bytes, order, &parameters, start_secs),
        warnings,
    })
}

/// Byte order of the file, and where its parameters begin.
fn processor(bytes: &[u8], path: &Path) -> Result<(Order, usize), FileError> {
    let Some(&[block, 0x50]) = bytes.first_chunk().filter(|_| bytes.len() >= BLOCK) else {
        let found = format!(
            "{} bytes that begin with {:02x?}",
            bytes.len(),
            &bytes[..bytes.len().min(2)]
        );
        return Err(damaged(path, "header")
            .found(found)
            .expected("512 bytes, the second of which is 50 (hexadecimal) in every C3D file"));
    };
    let start = usize::from(block).saturating_sub(1) * BLOCK;
    let byte = bytes.get(start + 3).copied().filter(|_| start > 0);
    let order = byte.and_then(Order::from_processor).ok_or_else(|| {
        let found = byte.map_or("none".into(), |byte| byte.to_string());
        let place = format!("processor of the parameters (byte {})", start + 3);
        damaged(path, place)
            .found(found)
            .expected("84 (PC), 85 (DEC) or 86 (SGI)")
    })?;
    Ok((order, start))
}

/// As many frames as the file says, or as many as fit if it does not say.
fn num_frames(layout: &Layout, body: &[u8], path: &Path) -> Result<usize, FileError> {
    if layout.analog_hz.is_none() && layout.num_channels > 0 {
        let hint = "write the rate into the file with the capture software: analog samples need one";
        return Err(FileError::at(path)
            .place("ANALOG:RATE")
            .found("no rate, nor POINT:RATE")
            .expected("a positive number of samples per second")
            .hint(hint));
    }
    let frame_bytes = layout.frame_bytes();
    if frame_bytes == 0 {
        return Err(damaged(path, "POINT:USED, ANALOG:USED")
            .found("no values")
            .expected("at least one point or analog channel"));
    }
    let num_frames = layout.num_frames.unwrap_or(body.len() / frame_bytes);
    if num_frames == 0
        || num_frames
            .checked_mul(frame_bytes)
            .is_none_or(|needed| needed > body.len())
    {
        let found = format!("{} bytes of frames", body.len());
        return Err(damaged(path, "frames")
            .found(found)
            .expected(format!("{num_frames} frames of {frame_bytes} bytes, at least one")));
    }
    Ok(num_frames)
}

fn damaged(path: &Path, place: impl Display) -> FileError {
    let hint = "the file is cut short or damaged; fetch it again, or export it again from the capture software";
    FileError::at(path).place(place).hint(hint)
}

/// From the section's start to what its third byte, a number of blocks, says; larger sections and those that
/// leave the byte 0 end where the frames begin.
fn parameter_section(bytes: &[u8], start: usize, data_start: usize) -> &[u8] {
    let rest = bytes.get(start..).unwrap_or_default();
    let until_data = data_start
        .checked_sub(start)
        .filter(|&length| length > 0)
        .unwrap_or(rest.len());
    let num_blocks = usize::from(rest.get(2).copied().unwrap_or(0));
    let length = if num_blocks == 0 || until_data > 255 * BLOCK {
        until_data
    } else {
        num_blocks * BLOCK
    };
    rest.get(..length).unwrap_or(rest)
}
