//! How frames lie in the file, and the values in them.

use ndarray::Array3;

use super::BLOCK;
use super::bytes::Order;
use super::parameters::Parameters;
use crate::rates::written_hz;
use crate::{Points, Warning, WarningCode};

/// How the frames lie in the file.
pub(super) struct Layout {
    order: Order,
    pub(super) num_points: usize,
    pub(super) num_channels: usize,
    pub(super) samples_per_frame: usize,
    /// `None` where the file does not tell.
    pub(super) num_frames: Option<usize>,
    /// Number of the first frame in the trial, from 1.
    pub(super) first_frame: usize,
    /// Frames per second; `None` where the file does not tell.
    pub(super) rate_hz: Option<f64>,
    /// Analog samples per second.
    pub(super) analog_hz: Option<f64>,
    /// Floating-point numbers, or else words that become coordinates by `scale`.
    pub(super) real: bool,
    scale: f64,
}

impl Layout {
    /// Parameters go before the header, whose words hold the same again.
    pub(super) fn new(
        header: &[u8],
        order: Order,
        parameters: &Parameters,
        data_start: usize,
        warnings: &mut Vec<Warning>,
    ) -> Self {
        let word = |number: usize| usize::from(order.word_at(header, 2 * (number - 1)) as u16);
        let mut choose = |what: &str, parameter: Option<usize>, header: usize| match parameter {
            Some(value) if value != header => {
                let text = format!("{what} is {value} in the parameters and {header} in the header");
                warnings.push(Warning::new(WarningCode::Contradiction, text));
                value
            }
            _ => header,
        };
        let num_points = choose("POINT:USED", parameters.count("POINT", "USED"), word(2));
        let per_frame = word(10);
        let channels = word(3).checked_div(per_frame).unwrap_or(0);
        let num_channels = choose("ANALOG:USED", parameters.count("ANALOG", "USED"), channels);
        let Rates {
            rate_hz,
            analog_hz,
            samples_per_frame,
        } = Rates::new(
            parameters,
            order.float_at(header, 20),
            num_channels,
            per_frame,
            warnings,
        );
        let stored = parameters
            .count("POINT", "DATA_START")
            .map(|block| block.saturating_sub(1) * BLOCK);
        if stored.is_some_and(|stored| stored != data_start && stored != 0) {
            let text = format!("POINT:DATA_START contradicts the header, which says byte {data_start}");
            warnings.push(Warning::new(WarningCode::Contradiction, text));
        }
        let scale = parameters.numbers("POINT", "SCALE").first().copied();
        let scale = scale
            .filter(|&scale| scale != 0.0)
            .unwrap_or_else(|| order.float_at(header, 12).into());
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
            analog_hz,
            real,
            scale: scale.abs(),
        }
    }

    /// Bytes of one frame; 0 for a frame without values, and for one longer than any file.
    pub(super) fn frame_bytes(&self) -> usize {
        let values = self.num_channels.checked_mul(self.samples_per_frame);
        let values = values.and_then(|analog| self.num_points.checked_mul(4)?.checked_add(analog));
        values.and_then(|values| values.checked_mul(self.width())).unwrap_or(0)
    }

    fn width(&self) -> usize {
        if self.real { 4 } else { 2 }
    }

    /// `body` has at least the bytes of `num_frames`.
    pub(super) fn decode(
        &self,
        body: &[u8],
        num_frames: usize,
        parameters: &Parameters,
    ) -> (Points, Vec<(Channel, Vec<f64>)>) {
        let width = self.width();
        let channels = self.channels(parameters);
        let num_samples = num_frames * self.samples_per_frame;
        let mut analog = vec![Vec::<f64>::with_capacity(num_samples); channels.len()];
        let mut positions = Array3::from_elem((num_frames, self.num_points, 3), f32::NAN);
        for (frame, mut positions) in body.chunks_exact(self.frame_bytes()).zip(positions.outer_iter_mut()) {
            let (points, samples) = frame.split_at(4 * self.num_points * width);
            for (point, mut position) in points.chunks_exact(4 * width).zip(positions.outer_iter_mut()) {
                if let Some(found) = self.point(point) {
                    position
                        .iter_mut()
                        .zip(found)
                        .for_each(|(value, found)| *value = finite(found));
                }
            }
            for sample in samples.chunks_exact((channels.len() * width).max(1)) {
                for ((raw, channel), values) in sample.chunks_exact(width).zip(&channels).zip(&mut analog) {
                    values.push((self.analog(raw, channel.unsigned) - channel.offset) * channel.scale);
                }
            }
        }
        let unit = parameters
            .texts("POINT", "UNITS")
            .into_iter()
            .find(|unit| !unit.is_empty());
        let points = Points {
            unit: unit.unwrap_or_else(|| "mm".into()),
            rate_hz: self.rate_hz,
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
        let unsigned = parameters
            .texts("ANALOG", "FORMAT")
            .first()
            .is_some_and(|format| format.eq_ignore_ascii_case("unsigned"));
        let offsets = if unsigned {
            parameters.unsigned("ANALOG", "OFFSET")
        } else {
            parameters.numbers("ANALOG", "OFFSET")
        };
        let scales = parameters.numbers("ANALOG", "SCALE");
        let general = parameters
            .numbers("ANALOG", "GEN_SCALE")
            .first()
            .copied()
            .unwrap_or(1.0);
        let units = parameters.texts("ANALOG", "UNITS");
        let names = names(parameters.texts("ANALOG", "LABELS"), self.num_channels, "analog");
        let channel = |(index, name): (usize, String)| Channel {
            name,
            unit: units
                .get(index)
                .filter(|unit| !unit.is_empty())
                .cloned()
                .unwrap_or_else(|| "1".into()),
            offset: offsets.get(index).copied().unwrap_or(0.0),
            scale: scales.get(index).copied().unwrap_or(1.0) * general,
            unsigned,
        };
        names.into_iter().enumerate().map(channel).collect()
    }
}

/// Frames and analog samples per second, and samples per frame.
struct Rates {
    rate_hz: Option<f64>,
    analog_hz: Option<f64>,
    samples_per_frame: usize,
}

impl Rates {
    /// The parameters, or for points the rate in the header. A rate in samples per second stands beside the samples per frame
    /// (`per_frame`, 0 for unknown); the frames follow the latter.
    fn new(
        parameters: &Parameters,
        header_hz: f32,
        num_channels: usize,
        per_frame: usize,
        warnings: &mut Vec<Warning>,
    ) -> Self {
        let positive = |stored: f32| Some(written_hz(stored)).filter(|rate| *rate > 0.0 && rate.is_finite());
        let rate = |group: &str| positive(*parameters.numbers(group, "RATE").first()? as f32);
        let point_hz = rate("POINT").or_else(|| positive(header_hz));
        let stated_hz = rate("ANALOG").filter(|_| num_channels > 0);
        let samples_per_frame = match (stated_hz, point_hz) {
            (Some(analog_hz), Some(point_hz)) if per_frame == 0 => {
                (analog_hz / point_hz).round().clamp(1.0, 65535.0) as usize
            }
            (Some(_), None) => per_frame.max(1),
            _ => per_frame,
        };
        let per_frame = samples_per_frame as f64;
        // A trial without points may leave their rate at 0.
        let rate_hz = point_hz.or_else(|| Some(stated_hz? / per_frame));
        let Some(frame_hz) = rate_hz else {
            let text = "the file does not tell its frames per second (POINT:RATE)";
            warnings.push(Warning::new(WarningCode::OddHeader, text));
            return Self {
                rate_hz,
                analog_hz: None,
                samples_per_frame,
            };
        };
        // Both are rounded to 32 bits: the rate of the samples is the stated one where they agree.
        let agrees = |analog_hz: &f64| (analog_hz / frame_hz / per_frame - 1.0).abs() < 1e-6;
        if let Some(analog_hz) = stated_hz.filter(|analog_hz| (analog_hz / frame_hz - per_frame).abs() > 1e-3) {
            let text =
                format!("ANALOG:RATE is {analog_hz}, but frames at {frame_hz} Hz hold {samples_per_frame} samples");
            warnings.push(Warning::new(WarningCode::Contradiction, text));
        }
        Self {
            rate_hz,
            analog_hz: stated_hz.filter(agrees).or(Some(frame_hz * per_frame)),
            samples_per_frame,
        }
    }
}

/// How the raw numbers of one channel become values.
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) unit: String,
    offset: f64,
    scale: f64,
    unsigned: bool,
}

/// The number of frames and the number of the first one. Words end at 65535, so that long trials have their
/// numbers in one of several other places: fields of two words, low one first, or a floating-point number.
fn frames(parameters: &Parameters, [first, last]: [usize; 2]) -> (Option<usize>, usize) {
    const MAX_WORD: usize = 65535;
    let field = |name: &str| match parameters.unsigned("TRIAL", name)[..] {
        [low, high, ..] => Some(low as usize + ((high as usize) << 16)),
        _ => None,
    };
    let fields = field("ACTUAL_START_FIELD")
        .zip(field("ACTUAL_END_FIELD"))
        .filter(|(start, end)| *start > 0 && end >= start);
    let num_frames = parameters
        .count("POINT", "LONG_FRAMES")
        .or_else(|| {
            fields
                .filter(|&(_, end)| end >= MAX_WORD)
                .map(|(start, end)| end - start + 1)
        })
        .or_else(|| {
            parameters
                .count("POINT", "FRAMES")
                .filter(|&count| count != 0 && count != MAX_WORD)
        })
        .or_else(|| {
            last.checked_sub(first)
                .map(|more| more + 1)
                .filter(|_| last != MAX_WORD)
        });
    (num_frames, fields.map_or(first, |(start, _)| start).max(1))
}

/// The first `count` labels; blank and absent ones become a number.
fn names(labels: Vec<String>, count: usize, what: &str) -> Vec<String> {
    let mut labels = labels.into_iter();
    let name = |number: usize| {
        labels
            .next()
            .filter(|label| !label.is_empty())
            .unwrap_or_else(|| format!("{what}{number}"))
    };
    (1..=count).map(name).collect()
}

/// NaN for what `f32` cannot hold.
pub(super) fn finite(value: f64) -> f32 {
    let value = value as f32;
    if value.is_finite() { value } else { f32::NAN }
}
