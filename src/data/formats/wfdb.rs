//! WFDB records, the format of PhysioNet: a text header (`NAME.hea`) and binary signal files.
//!
//! Layouts as in the *WFDB Applications Guide*, `header(5)` and `signal(5)`. Read are single-segment records with one
//! sample per frame in formats 16, 24, 32, 61, 80, 160 and 212; the initial value and the 16-bit checksum that the header
//! holds for each signal must be those of the samples.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::data::DataError;

/// A record: its signals have one rate and one length.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Name in the header.
    pub name: String,
    /// Samples per second.
    pub rate_hz: f64,
    /// The signals, in the order of the header.
    pub signals: Vec<Signal>,
}

/// One signal of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// The file that holds it.
    pub file: PathBuf,
    /// Description in the header; empty if there is none.
    pub name: String,
    /// Unit of physical values; `mV` if the header gives none.
    pub unit: String,
    /// Digital units per physical unit; `None` for a signal that was not calibrated.
    pub gain: Option<f64>,
    /// Digital value of physical zero.
    pub baseline: i32,
    /// Digital value that stands for a missing sample.
    pub missing_code: i32,
    /// Digital values, missing code included.
    pub samples: Vec<i32>,
}

impl Signal {
    /// Digital values, NaN where missing.
    pub fn digital(&self) -> Vec<f32> {
        self.map(|sample| sample as f32)
    }

    /// Physical values `(digital - baseline) / gain` in [`Signal::unit`], NaN where missing; `None` without a gain.
    pub fn physical(&self) -> Option<Vec<f32>> {
        let gain = self.gain?;
        Some(self.map(|sample| ((f64::from(sample) - f64::from(self.baseline)) / gain) as f32))
    }

    fn map(&self, convert: impl Fn(i32) -> f32) -> Vec<f32> {
        let value = |&sample: &i32| {
            if sample == self.missing_code { f32::NAN } else { convert(sample) }
        };
        self.samples.iter().map(value).collect()
    }
}

/// Reads the record whose header is the file `header`.
///
/// # Errors
/// [`DataError::Io`] for a missing file, [`DataError::File`] for a header, size or checksum that does not hold.
pub fn read_record(header: &Path) -> Result<Record, DataError> {
    read_record_with(header, |path| std::fs::read(path).map_err(DataError::io(path, "read")))
}

/// As [`read_record`], through a function that returns a file's bytes.
///
/// # Errors
/// Those of [`read_record`] and of `read`.
pub fn read_record_with(
    header: &Path,
    read: impl Fn(&Path) -> Result<Vec<u8>, DataError>,
) -> Result<Record, DataError> {
    let bytes = read(header)?;
    let header_data = Header::parse(&String::from_utf8_lossy(&bytes), header)?;
    let mut groups = BTreeMap::<PathBuf, Vec<&SignalLine>>::new();
    for line in &header_data.signals {
        groups.entry(line.file.clone()).or_default().push(line);
    }
    let mut samples = BTreeMap::<usize, Vec<i32>>::new();
    let mut num_samples = header_data.num_samples;
    for (file, lines) in &groups {
        let decoded = decode_file(file, lines, num_samples, &read(file)?)?;
        let length = decoded.len() / lines.len();
        num_samples = Some(length);
        for (position, line) in lines.iter().enumerate() {
            samples.insert(line.index, decoded.iter().skip(position).step_by(lines.len()).copied().collect());
        }
    }
    let mut signals = Vec::new();
    for line in header_data.signals {
        let samples = samples.remove(&line.index).unwrap_or_default();
        line.verify(&samples, header)?;
        signals.push(Signal {
            missing_code: line.format.missing_code(),
            file: line.file,
            name: line.name,
            unit: line.unit,
            gain: line.gain,
            baseline: line.baseline,
            samples,
        });
    }
    Ok(Record { name: header_data.name, rate_hz: header_data.rate_hz, signals })
}

/// The signal files that a header names; none for a header that does not hold.
pub fn signal_files(header: &[u8], path: &Path) -> BTreeSet<PathBuf> {
    let parsed = Header::parse(&String::from_utf8_lossy(header), path);
    parsed.into_iter().flat_map(|header| header.signals).map(|line| line.file).collect()
}

/// Samples of one file, interleaved as they stand there.
fn decode_file(
    file: &Path,
    lines: &[&SignalLine],
    num_samples: Option<usize>,
    bytes: &[u8],
) -> Result<Vec<i32>, DataError> {
    let wrong = |place: &str, found: String, expected: String, hint: &str| DataError::File {
        file: file.to_path_buf(),
        place: place.into(),
        found,
        expected,
        hint: hint.into(),
    };
    let Some((first, rest)) = lines.split_first() else {
        return Ok(Vec::new());
    };
    if let Some(other) = rest.iter().find(|line| line.format != first.format || line.offset_bytes != first.offset_bytes)
    {
        let expected = format!("{:?}, offset {}, as signal 1 of this file", first.format, first.offset_bytes);
        let hint = "signals of one file share its format; correct the header";
        return Err(wrong("format", format!("{:?}, offset {}", other.format, other.offset_bytes), expected, hint));
    }
    let body = bytes.get(first.offset_bytes..).unwrap_or_default();
    let total = match num_samples {
        Some(num_samples) => num_samples.checked_mul(lines.len()),
        None => Some(first.format.num_values(body.len()) / lines.len() * lines.len()),
    };
    let num_bytes = total.and_then(|total| first.format.num_bytes(total));
    match (total, num_bytes) {
        (Some(total), Some(num_bytes)) if num_bytes <= body.len() => Ok(first.format.decode(body, total)),
        _ => {
            let expected = match num_bytes.and_then(|num_bytes| num_bytes.checked_add(first.offset_bytes)) {
                Some(expected) => format!("at least {expected} bytes for {} samples", num_samples.unwrap_or(0)),
                None => "a number of samples that a file can hold".into(),
            };
            Err(wrong("size", format!("{} bytes", bytes.len()), expected, "the file is cut short; fetch it again"))
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    F16,
    F24,
    F32,
    F61,
    F80,
    F160,
    F212,
}

impl Format {
    fn parse(code: &str) -> Option<Self> {
        Some(match code {
            "16" => Self::F16,
            "24" => Self::F24,
            "32" => Self::F32,
            "61" => Self::F61,
            "80" => Self::F80,
            "160" => Self::F160,
            "212" => Self::F212,
            _ => return None,
        })
    }

    /// The lowest value of each format.
    fn missing_code(self) -> i32 {
        match self {
            Self::F16 | Self::F61 | Self::F160 => -(1 << 15),
            Self::F24 => -(1 << 23),
            Self::F32 => i32::MIN,
            Self::F80 => -(1 << 7),
            Self::F212 => -(1 << 11),
        }
    }

    /// Twice the bytes of one value, as format 212 packs two values into three bytes.
    fn half_bytes(self) -> usize {
        match self {
            Self::F80 => 2,
            Self::F212 => 3,
            Self::F16 | Self::F61 | Self::F160 => 4,
            Self::F24 => 6,
            Self::F32 => 8,
        }
    }

    fn num_bytes(self, num_values: usize) -> Option<usize> {
        num_values.checked_mul(self.half_bytes()).map(|halves| halves.div_ceil(2))
    }

    fn num_values(self, num_bytes: usize) -> usize {
        num_bytes * 2 / self.half_bytes()
    }

    fn decode(self, bytes: &[u8], num_values: usize) -> Vec<i32> {
        let mut values: Vec<i32> = match self {
            Self::F16 => bytes.as_chunks().0.iter().map(|&pair| i16::from_le_bytes(pair).into()).collect(),
            Self::F61 => bytes.as_chunks().0.iter().map(|&pair| i16::from_be_bytes(pair).into()).collect(),
            // Offset binary: zero stands in the middle of the unsigned range.
            Self::F80 => bytes.iter().map(|&byte| i32::from(byte) - (1 << 7)).collect(),
            Self::F160 => {
                bytes.as_chunks().0.iter().map(|&pair| i32::from(u16::from_le_bytes(pair)) - (1 << 15)).collect()
            }
            Self::F24 => (bytes.as_chunks().0.iter())
                .map(|&[low, middle, high]| i32::from_le_bytes([0, low, middle, high]) >> 8)
                .collect(),
            Self::F32 => bytes.as_chunks().0.iter().map(|&word| i32::from_le_bytes(word)).collect(),
            Self::F212 => decode_212(bytes),
        };
        values.truncate(num_values);
        values
    }
}

/// Two 12-bit two's complement values in three bytes: the low bytes first and last, both high nibbles between them.
/// A file may end after the second byte, when the number of values is odd.
fn decode_212(bytes: &[u8]) -> Vec<i32> {
    let value = |low: u8, nibble: u8| (i32::from(low) << 20 | i32::from(nibble & 15) << 28) >> 20;
    let (triples, rest) = bytes.as_chunks();
    let pairs =
        triples.iter().flat_map(|&[first, nibbles, second]| [value(first, nibbles), value(second, nibbles >> 4)]);
    let mut values: Vec<i32> = pairs.collect();
    if let &[first, nibbles] = rest {
        values.push(value(first, nibbles));
    }
    values
}

#[derive(Debug)]
struct Header {
    name: String,
    rate_hz: f64,
    num_samples: Option<usize>,
    signals: Vec<SignalLine>,
}

#[derive(Debug)]
struct SignalLine {
    index: usize,
    line: usize,
    file: PathBuf,
    format: Format,
    offset_bytes: usize,
    gain: Option<f64>,
    baseline: i32,
    unit: String,
    initial: Option<i32>,
    checksum: Option<i32>,
    name: String,
}

/// One line of a header, for messages.
struct HeaderLine<'a> {
    file: &'a Path,
    number: usize,
}

impl HeaderLine<'_> {
    fn error(&self, found: &str, expected: &str, hint: &str) -> DataError {
        DataError::File {
            file: self.file.to_path_buf(),
            place: format!("line {}", self.number),
            found: format!("`{found}`"),
            expected: expected.into(),
            hint: hint.into(),
        }
    }

    fn number<T: std::str::FromStr>(&self, text: &str, expected: &str) -> Result<T, DataError> {
        text.parse().map_err(|_| self.error(text, expected, "see header(5) of the WFDB Applications Guide"))
    }
}

impl Header {
    fn parse(text: &str, file: &Path) -> Result<Self, DataError> {
        let mut lines = (1..)
            .zip(text.lines())
            .map(|(number, line)| (HeaderLine { file, number }, line.trim()))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let (place, line) = lines
            .next()
            .ok_or_else(|| HeaderLine { file, number: 1 }.error("", "a record line", "the file is empty"))?;
        let mut fields = line.split_whitespace();
        let name = fields.next().unwrap_or_default().to_string();
        if name.contains('/') {
            return Err(place.error(&name, "a record of one segment", "read the segments' own headers"));
        }
        let num_signals: usize = place.number(fields.next().unwrap_or_default(), "a number of signals")?;
        // `rate/counter(base)`: only the rate concerns the samples; 250 Hz is the format's default.
        let rate = fields.next().map_or("250", |field| field.split(['/', '(']).next().unwrap_or(field));
        let rate_hz: f64 = place.number(rate, "a rate in Hz")?;
        if !(rate_hz.is_finite() && rate_hz > 0.0) {
            return Err(place.error(rate, "a positive rate in Hz", "correct the header"));
        }
        let num_samples = fields.next().map(|field| place.number(field, "a number of samples")).transpose()?;
        let mut signals = Vec::new();
        for index in 0..num_signals {
            let (place, line) = lines.next().ok_or_else(|| {
                let place = HeaderLine { file, number: text.lines().count() + 1 };
                let expected = format!("{num_signals} signal lines");
                place.error("the end of the file", &expected, "the header is cut short; fetch it again")
            })?;
            signals.push(SignalLine::parse(index, line, &place)?);
        }
        // Zero stands for "unknown", as does no number at all.
        Ok(Self { name, rate_hz, num_samples: num_samples.filter(|&number| number != 0), signals })
    }
}

impl SignalLine {
    /// `file format[xN][:skew][+offset] [gain[(baseline)][/unit] [bits [zero [initial [checksum [block [name]]]]]]]`
    fn parse(index: usize, line: &str, place: &HeaderLine) -> Result<Self, DataError> {
        let mut fields = line.split_whitespace();
        let name = fields.next().unwrap_or_default();
        if name.starts_with(['/', '\\', '~']) || name.contains("..") {
            return Err(place.error(name, "a file beside the header", "signal files may not lie outside the dataset"));
        }
        let storage = fields.next().unwrap_or_default();
        let (storage_code, offset) = storage.split_once('+').unwrap_or((storage, "0"));
        let format = Format::parse(storage_code).ok_or_else(|| {
            let hint =
                "convert the record with `xform -O 16`; other formats, skew and several samples per frame are not read";
            place.error(storage, "format 16, 24, 32, 61, 80, 160 or 212", hint)
        })?;
        let calibration = fields.next().unwrap_or("0");
        let (calibration, unit) = calibration.split_once('/').unwrap_or((calibration, "mV"));
        let (gain, baseline) = match calibration.split_once('(') {
            Some((gain, baseline)) => (gain, Some(baseline.trim_end_matches(')'))),
            None => (calibration, None),
        };
        let gain: f64 = place.number(gain, "a gain")?;
        let mut integers = fields.by_ref().take(5).map(|field| place.number::<i32>(field, "an integer"));
        let mut integer = || integers.next().transpose();
        let (_bits, zero, initial, checksum) = (integer()?, integer()?, integer()?, integer()?);
        let _block = integer()?;
        let baseline = baseline.map(|text| place.number(text, "a baseline")).transpose()?;
        Ok(Self {
            index,
            line: place.number,
            file: place.file.with_file_name(name),
            format,
            offset_bytes: place.number(offset, "a byte offset")?,
            gain: (gain.is_finite() && gain != 0.0).then_some(gain),
            baseline: baseline.or(zero).unwrap_or(0),
            unit: unit.to_string(),
            initial,
            checksum,
            name: fields.collect::<Vec<_>>().join(" "),
        })
    }

    /// Compares the samples with the initial value and the checksum of the header, as far as it has them.
    fn verify(&self, samples: &[i32], header: &Path) -> Result<(), DataError> {
        let wrong = |place: &str, found: i32, expected: i32| DataError::File {
            file: self.file.clone(),
            place: place.into(),
            found: found.to_string(),
            expected: format!("{expected} ({}, line {})", header.display(), self.line),
            hint: "file and header do not belong together, or the file is damaged; fetch both again".into(),
        };
        let first = samples.first().copied().unwrap_or(0);
        // Converters from 16-bit sources left their own code for a missing first sample in the header.
        let both_missing = first == self.format.missing_code() && self.initial == Some(-(1 << 15));
        if let Some(initial) = self.initial.filter(|&initial| initial != first && !both_missing) {
            return Err(wrong("first sample", first, initial));
        }
        let sum = samples.iter().fold(0i16, |sum, &sample| sum.wrapping_add(sample as i16));
        match self.checksum {
            // Some writers keep the sum unsigned: equal in the lower 16 bits is equal.
            Some(checksum) if checksum as i16 != sum => Err(wrong("checksum", sum.into(), checksum)),
            _ => Ok(()),
        }
    }
}
