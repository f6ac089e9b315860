//! C3D, the format of motion capture: paths of markers, analog channels, force plates and events.
//!
//! Layout as in the *C3D File Format User Guide* (c3d.org): a header of one block of 512 bytes, parameters in named groups, and
//! frames of points and analog samples, as integers or floating-point numbers in the byte order of a PC, DEC or SGI machine.
//! Own code, as the crate `c3dio` 0.8.0 refuses files whose parameters do not begin in the second block, which the format
//! allows, and panics on broken bytes (22 of 6000 mutations).

mod bytes;
mod events;
mod parameters;
mod plates;
mod write;

use std::collections::HashSet;
use std::path::Path;

use ndarray::Array3;

use self::bytes::Order;
use self::parameters::Parameters;
pub use self::write::write_c3d;
use super::contents::{Contents, Part, Points, SignalChannel};
use crate::data::DataError;

const BLOCK: usize = 512;
const REPAIR: &str = "the file is cut short or damaged; fetch it again, or export it again from the capture software";

/// Reads a C3D file; `path` is for messages.
///
/// Points are in `POINT:UNITS`; one whose fourth word is negative was not seen and is NaN. A camera mask of 0 does not make a point
/// missing: interpolated points have it, as have all points of software without cameras. Analog values are
/// `(raw - OFFSET) * SCALE * GEN_SCALE`, with unsigned words where `ANALOG:FORMAT` says so. The channels of the force
/// plates follow in a part of their own, see [`Contents::parts`]: `plate1.Fx` to `plate1.COPz`, in the laboratory's axes. All
/// parameters become facts. Infinite values become NaN.
///
/// # Errors
/// [`DataError::File`] for another format, parameters that contradict their own lengths, and fewer bytes than frames.
pub fn read(bytes: &[u8], path: &Path) -> Result<Contents, DataError> {
    let wrong = |place: &str, found: String, expected: String, hint: &str| DataError::File {
        file: path.to_path_buf(),
        place: place.into(),
        found,
        expected,
        hint: hint.into(),
    };
    let Some(&[block, 0x50]) = bytes.first_chunk().filter(|_| bytes.len() >= BLOCK) else {
        let found = format!("{} bytes that begin with {:02x?}", bytes.len(), &bytes[..bytes.len().min(2)]);
        let expected = "a header of 512 bytes whose second is 50 (hexadecimal)".to_string();
        return Err(wrong("header", found, expected, "this is no C3D file, or its beginning is damaged"));
    };
    let start = usize::from(block).saturating_sub(1) * BLOCK;
    let processor = bytes.get(start + 3).copied().filter(|_| start > 0);
    let Some(order) = processor.and_then(Order::from_processor) else {
        let found = processor.map_or("none".into(), |byte| format!("{byte}"));
        let place = format!("processor of the parameters (byte {})", start + 3);
        return Err(wrong(&place, found, "84 (PC), 85 (DEC) or 86 (SGI)".into(), REPAIR));
    };
    let data_start = usize::from(order.word_at(bytes, 16) as u16).saturating_sub(1) * BLOCK;
    let section = parameter_section(bytes, start, data_start);
    let parameters = Parameters::parse(section, order)
        .map_err(|(at, found, expected)| wrong(&format!("byte {}", start + at), found, expected.into(), REPAIR))?;
    let mut warnings = Vec::new();
    let layout = Layout::new(bytes, order, &parameters, data_start, &mut warnings);
    if !(layout.rate_hz.is_finite() && layout.rate_hz > 0.0) {
        let expected = "a positive number of frames per second".into();
        return Err(wrong("POINT:RATE", layout.rate_hz.to_string(), expected, REPAIR));
    }
    let body = bytes.get(data_start..).filter(|_| data_start > 0).unwrap_or_default();
    let frame_bytes = layout.frame_bytes();
    if frame_bytes == 0 {
        let expected = "at least one point or analog channel".into();
        return Err(wrong("POINT:USED, ANALOG:USED", "0 and 0".into(), expected, REPAIR));
    }
    let num_frames = layout.num_frames.unwrap_or(body.len() / frame_bytes);
    if layout.num_frames.is_none() {
        warnings.push(format!("the number of frames is not stored; {num_frames} fit into the file"));
    }
    if num_frames == 0 || num_frames.checked_mul(frame_bytes).is_none_or(|needed| needed > body.len()) {
        let found = format!("{} bytes from byte {data_start} on", body.len());
        let expected = format!("{num_frames} frames of {frame_bytes} bytes, at least one");
        return Err(wrong("frames", found, expected, REPAIR));
    }
    let (points, analog) = layout.decode(body, num_frames, &parameters);
    let mut parts = Vec::new();
    if layout.num_points > 0 {
        let mut seen = HashSet::new();
        if let Some(twice) = points.names.iter().find(|name| !seen.insert(name.as_str())) {
            warnings.push(format!("several points are called `{twice}`"));
        }
    }
    let analog_hz = layout.rate_hz * layout.samples_per_frame as f64;
    let values: Vec<&[f64]> = analog.iter().map(|(_, values)| values.as_slice()).collect();
    let (plates, problems) = plates::plates(&parameters, &values, analog_hz, &points.unit);
    let analog: Vec<SignalChannel> = (analog.into_iter())
        .map(|(channel, values)| SignalChannel {
            name: channel.name,
            unit: channel.unit,
            rate_hz: analog_hz,
            values: values.into_iter().map(finite).collect(),
        })
        .collect();
    warnings.extend(problems);
    let start_secs = (layout.first_frame as f64 - 1.0) / layout.rate_hz;
    let annotations = events::events(bytes, order, &parameters, start_secs);
    if layout.num_points > 0 {
        parts.push(Part::Points(points));
    }
    parts.extend([analog, plates].into_iter().filter(|channels| !channels.is_empty()).map(Part::Signals));
    let storage = if layout.real { "real" } else { "integer" };
    let mut facts = vec![("first frame".into(), layout.first_frame.to_string())];
    facts.extend(parameters.facts());
    Ok(Contents { format: format!("C3D, {}, {storage}", order.name()), facts, parts, annotations, warnings })
}

/// From the section's start to what its third byte, a number of blocks, says; larger sections and those that
/// leave the byte 0 end where the frames begin.
fn parameter_section(bytes: &[u8], start: usize, data_start: usize) -> &[u8] {
    let rest = bytes.get(start..).unwrap_or_default();
    let until_data = data_start.checked_sub(start).filter(|&length| length > 0).unwrap_or(rest.len());
    let num_blocks = usize::from(rest.get(2).copied().unwrap_or(0));
    let length = if num_blocks == 0 || until_data > 255 * BLOCK { until_data } else { num_blocks * BLOCK };
    rest.get(..length).unwrap_or(rest)
}

/// How the frames lie in the file.
struct Layout {
    order: Order,
    num_points: usize,
    num_channels: usize,
    samples_per_frame: usize,
    /// `None` where the file does not tell.
    num_frames: Option<usize>,
    /// Number of the first frame in the trial, from 1.
    first_frame: usize,
    rate_hz: f64,
    /// Floating-point numbers, or else words that become coordinates by `scale`.
    real: bool,
    scale: f64,
}

impl Layout {
    /// Parameters go before the header, whose words hold the same again.
    fn new(
        header: &[u8],
        order: Order,
        parameters: &Parameters,
        data_start: usize,
        warnings: &mut Vec<String>,
    ) -> Self {
        let word = |number: usize| usize::from(order.word_at(header, 2 * (number - 1)) as u16);
        let mut choose = |what: &str, parameter: Option<usize>, header: usize| match parameter {
            Some(value) if value != header => {
                warnings.push(format!("{what} is {value} in the parameters and {header} in the header"));
                value
            }
            _ => header,
        };
        let num_points = choose("POINT:USED", parameters.count("POINT", "USED"), word(2));
        let per_frame = word(10);
        let channels = word(3).checked_div(per_frame).unwrap_or(0);
        let num_channels = choose("ANALOG:USED", parameters.count("ANALOG", "USED"), channels);
        // A rate in samples per second stands beside the samples per frame; the frames follow the latter.
        let rate = |group: &str| parameters.numbers(group, "RATE").first().copied().filter(|&rate| rate > 0.0);
        let rate_hz = rate("POINT").unwrap_or_else(|| order.float_at(header, 20).into());
        let samples_per_frame = match rate("ANALOG") {
            Some(analog_hz) if per_frame == 0 && num_channels > 0 => {
                (analog_hz / rate_hz).round().clamp(1.0, 65535.0) as usize
            }
            _ => per_frame,
        };
        if let Some(analog_hz) = rate("ANALOG")
            && num_channels > 0
            && (analog_hz / rate_hz - samples_per_frame as f64).abs() > 1e-3
        {
            warnings.push(format!(
                "ANALOG:RATE is {analog_hz}, but frames at {rate_hz} Hz hold {samples_per_frame} samples"
            ));
        }
        let stored = parameters.count("POINT", "DATA_START").map(|block| block.saturating_sub(1) * BLOCK);
        if stored.is_some_and(|stored| stored != data_start && stored != 0) {
            warnings.push(format!("POINT:DATA_START contradicts the header, which says byte {data_start}"));
        }
        let scale = parameters.numbers("POINT", "SCALE").first().copied();
        let scale = scale.filter(|&scale| scale != 0.0).unwrap_or_else(|| order.float_at(header, 12).into());
        let (num_frames, first_frame) = frames(parameters, [word(4), word(5)]);
        let real = scale < 0.0;
        Self {
            order,
            num_points,
            num_channels,
            samples_per_frame,
            num_frames,
            first_frame,
            rate_hz,
            real,
            scale: scale.abs(),
        }
    }

    /// Bytes of one frame; 0 for a frame without values, and for one longer than any file.
    fn frame_bytes(&self) -> usize {
        let values = self.num_channels.checked_mul(self.samples_per_frame);
        let values = values.and_then(|analog| self.num_points.checked_mul(4)?.checked_add(analog));
        values.and_then(|values| values.checked_mul(self.width())).unwrap_or(0)
    }

    fn width(&self) -> usize {
        if self.real { 4 } else { 2 }
    }

    /// `body` has at least the bytes of `num_frames`.
    fn decode(&self, body: &[u8], num_frames: usize, parameters: &Parameters) -> (Points, Vec<(Channel, Vec<f64>)>) {
        let width = self.width();
        let channels = self.channels(parameters);
        let num_samples = num_frames * self.samples_per_frame;
        let mut analog = vec![Vec::<f64>::with_capacity(num_samples); channels.len()];
        let mut positions = Array3::from_elem((num_frames, self.num_points, 3), f32::NAN);
        for (frame, mut positions) in body.chunks_exact(self.frame_bytes()).zip(positions.outer_iter_mut()) {
            let (points, samples) = frame.split_at(4 * self.num_points * width);
            for (point, mut position) in points.chunks_exact(4 * width).zip(positions.outer_iter_mut()) {
                if let Some(found) = self.point(point) {
                    position.iter_mut().zip(found).for_each(|(value, found)| *value = finite(found));
                }
            }
            for sample in samples.chunks_exact((channels.len() * width).max(1)) {
                for ((raw, channel), values) in sample.chunks_exact(width).zip(&channels).zip(&mut analog) {
                    values.push((self.analog(raw, channel.unsigned) - channel.offset) * channel.scale);
                }
            }
        }
        let unit = parameters.texts("POINT", "UNITS").into_iter().find(|unit| !unit.is_empty());
        let points = Points {
            unit: unit.unwrap_or_else(|| "mm".into()),
            rate_hz: Some(self.rate_hz),
            names: names(parameters.texts("POINT", "LABELS"), self.num_points, "point"),
            positions,
            confidence: None,
        };
        (points, channels.into_iter().zip(analog).collect())
    }

    /// Position of a point; `None` if it was not seen. The fourth word holds residual and cameras, and is negative for
    /// a point without them; real files hold it as a number, some as the unsigned 65535.
    fn point(&self, point: &[u8]) -> Option<[f64; 3]> {
        if self.real {
            let (&[x, y, z, word], _) = point.as_chunks().0.split_first_chunk()?;
            let word = self.order.float(word);
            // Negative numbers between -1 and 0 are rounding.
            let missing = word.is_nan() || ((word as i32) & 0x8000) != 0 || word <= -1.0;
            (!missing).then(|| [x, y, z].map(|value| self.order.float(value).into()))
        } else {
            let (&[x, y, z, word], _) = point.as_chunks().0.split_first_chunk()?;
            let seen = self.order.word(word) >= 0;
            seen.then(|| [x, y, z].map(|value| f64::from(self.order.word(value)) * self.scale))
        }
    }

    fn analog(&self, raw: &[u8], unsigned: bool) -> f64 {
        if self.real {
            self.order.float_at(raw, 0).into()
        } else {
            let word = self.order.word_at(raw, 0);
            if unsigned { f64::from(word as u16) } else { word.into() }
        }
    }

    fn channels(&self, parameters: &Parameters) -> Vec<Channel> {
        if self.samples_per_frame == 0 {
            return Vec::new();
        }
        let unsigned =
            parameters.texts("ANALOG", "FORMAT").first().is_some_and(|format| format.eq_ignore_ascii_case("unsigned"));
        let offsets =
            if unsigned { parameters.unsigned("ANALOG", "OFFSET") } else { parameters.numbers("ANALOG", "OFFSET") };
        let scales = parameters.numbers("ANALOG", "SCALE");
        let general = parameters.numbers("ANALOG", "GEN_SCALE").first().copied().unwrap_or(1.0);
        let units = parameters.texts("ANALOG", "UNITS");
        let names = names(parameters.texts("ANALOG", "LABELS"), self.num_channels, "analog");
        let channel = |(index, name): (usize, String)| Channel {
            name,
            unit: units.get(index).filter(|unit| !unit.is_empty()).cloned().unwrap_or_else(|| "1".into()),
            offset: offsets.get(index).copied().unwrap_or(0.0),
            scale: scales.get(index).copied().unwrap_or(1.0) * general,
            unsigned,
        };
        names.into_iter().enumerate().map(channel).collect()
    }
}

/// How the raw numbers of one channel become values.
struct Channel {
    name: String,
    unit: String,
    offset: f64,
    scale: f64,
    unsigned: bool,
}

/// The number of frames and the number of the first one. Words end at 65535, so that long trials have their
/// numbers in one of several other places: fields of two words, low one first, or a floating-point number.
fn frames(parameters: &Parameters, [first, last]: [usize; 2]) -> (Option<usize>, usize) {
    const MOST: usize = 65535;
    let field = |name: &str| match parameters.unsigned("TRIAL", name)[..] {
        [low, high, ..] => Some(low as usize + ((high as usize) << 16)),
        _ => None,
    };
    let fields =
        field("ACTUAL_START_FIELD").zip(field("ACTUAL_END_FIELD")).filter(|(start, end)| *start > 0 && end >= start);
    let num_frames = parameters
        .count("POINT", "LONG_FRAMES")
        .or_else(|| fields.filter(|&(_, end)| end > MOST).map(|(start, end)| end - start + 1))
        .or_else(|| parameters.count("POINT", "FRAMES").filter(|&count| count != 0 && count != MOST))
        .or_else(|| last.checked_sub(first).map(|more| more + 1).filter(|_| last != MOST));
    (num_frames, fields.map_or(first, |(start, _)| start).max(1))
}

/// The first `count` labels; blank and absent ones become a number.
fn names(labels: Vec<String>, count: usize, what: &str) -> Vec<String> {
    let mut labels = labels.into_iter();
    let name =
        |number: usize| labels.next().filter(|label| !label.is_empty()).unwrap_or_else(|| format!("{what}{number}"));
    (1..=count).map(name).collect()
}

fn finite(value: f64) -> f32 {
    let value = value as f32;
    if value.is_finite() { value } else { f32::NAN }
}
