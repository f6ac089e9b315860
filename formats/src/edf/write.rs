//! Writes EDF+C.

use std::fmt::Display;
use std::path::Path;

use chrono::NaiveDateTime;

use crate::Annotation;
use crate::FileError;

/// Bytes of a record that every reader takes.
const MAX_RECORD_BYTES: usize = 61_440;

/// A recording for [`write_edf`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EdfRecording {
    /// Code of the subject; empty for none.
    pub subject: String,
    /// Start of the recording, to the second.
    pub start: Option<NaiveDateTime>,
    /// The signals, all of one duration.
    pub signals: Vec<EdfSignal>,
    /// Marks in seconds from the start.
    pub annotations: Vec<Annotation>,
}

/// A signal in the numbers of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct EdfSignal {
    /// At most 16 characters of ASCII.
    pub name: String,
    /// At most 8 characters of ASCII.
    pub unit: String,
    /// Samples per second.
    pub rate_hz: f64,
    /// Physical values of the two digital values of `digital_range`; each must be a decimal number of at most 8 characters.
    pub physical_range: [f64; 2],
    /// Smallest and largest value that a sample may have; -32768 and 32767 from [`EdfSignal::from_physical`].
    pub digital_range: [i16; 2],
    /// The samples.
    pub digital: Vec<i16>,
}

impl EdfSignal {
    /// Rounds physical values to the 65536 steps of the smallest range of three digits that holds them; `None` if a value is
    /// not finite or beyond 10^6, where eight characters end.
    pub fn from_physical(name: &str, unit: &str, rate_hz: f64, values: &[f32]) -> Option<Self> {
        let largest = values
            .iter()
            .fold(0.0f64, |largest, &value| largest.max(f64::from(value).abs()));
        if values.iter().any(|value| !value.is_finite()) || largest > 1e6 {
            return None;
        }
        // Below 0.001 the smallest range that eight characters hold with a sign.
        let unit_of_digits = 10f64.powf(largest.max(1e-3).log10().floor() - 2.0);
        let limit = ((largest / unit_of_digits).ceil().max(1.0) * unit_of_digits * 1e5).round() / 1e5;
        let step = 2.0 * limit / 65535.0;
        let digital = |&value: &f32| ((f64::from(value) + limit) / step - 32768.0).round() as i16;
        let (name, unit) = (name.to_string(), unit.to_string());
        Some(Self {
            name,
            unit,
            rate_hz,
            physical_range: [-limit, limit],
            digital_range: [i16::MIN, i16::MAX],
            digital: values.iter().map(digital).collect(),
        })
    }
}

/// The bytes of an EDF+C file; `path` is for messages. Samples and annotations are read back exactly.
///
/// The duration of the records is the one nearest to one second that divides all signals, so that no sample is padded.
///
/// # Errors
/// [`FileError`] for a text or number that its field cannot hold, samples beyond their digital range, and signals
/// that differ in duration.
pub fn write_edf(recording: &EdfRecording, path: &Path) -> Result<Vec<u8>, FileError> {
    let writer = Writer { path };
    writer.check_annotations(&recording.annotations)?;
    let (num_records, record_secs) = writer.records(&recording.signals)?;
    let lists = lists(&recording.annotations, num_records, record_secs);
    // Two bytes for each sample.
    let num_marks = lists
        .iter()
        .map(|list| list.len().div_ceil(2))
        .max()
        .unwrap_or(0)
        .max(8);
    let mut bytes = writer.header(recording, num_records, record_secs, num_marks)?;
    for (index, mut list) in lists.into_iter().enumerate() {
        for signal in &recording.signals {
            let length = signal.digital.len() / num_records;
            let record = signal.digital.iter().skip(index * length).take(length);
            bytes.extend(record.flat_map(|sample| sample.to_le_bytes()));
        }
        list.resize(2 * num_marks, 0);
        bytes.extend(list);
    }
    Ok(bytes)
}

/// The annotations of each record: the record's own time, then an equal share of all.
fn lists(annotations: &[Annotation], num_records: usize, record_secs: f64) -> Vec<Vec<u8>> {
    let mut shares = annotations.chunks(annotations.len().div_ceil(num_records).max(1));
    let list = |index: usize| {
        let onset_secs = format!("{:.7}", index as f64 * record_secs);
        let mut list = format!("+{}\x14\x14\0", onset_secs.trim_end_matches('0').trim_end_matches('.'));
        for annotation in shares.next().unwrap_or_default() {
            let sign = if annotation.onset_secs.is_sign_negative() {
                ""
            } else {
                "+"
            };
            list.push_str(&format!("{sign}{}", annotation.onset_secs));
            list.extend(annotation.duration_secs.map(|secs| format!("\x15{secs}")));
            list.push_str(&format!("\x14{}\x14\0", annotation.text));
        }
        list.into_bytes()
    };
    (0..num_records).map(list).collect()
}

struct Writer<'a> {
    path: &'a Path,
}

impl Writer<'_> {
    fn error(&self, place: impl Display) -> FileError {
        let hint = "EDF cannot hold it; change what is to be written";
        FileError::at(self.path).place(place).hint(hint)
    }

    fn check_annotations(&self, annotations: &[Annotation]) -> Result<(), FileError> {
        for annotation in annotations {
            if annotation.text.is_empty() || annotation.text.contains(['\0', '\x14', '\x15']) {
                let expected = "text without the control characters 0, 20 and 21";
                return Err(self
                    .error("annotation")
                    .found(format!("{:?}", annotation.text))
                    .expected(expected));
            }
            let secs = [Some(annotation.onset_secs), annotation.duration_secs];
            if let Some(secs) = secs.into_iter().flatten().find(|secs| !secs.is_finite()) {
                return Err(self
                    .error("annotation")
                    .found(format!("{secs} s"))
                    .expected("a finite time"));
            }
        }
        Ok(())
    }

    fn check_ranges(&self, signal: &EdfSignal) -> Result<(), FileError> {
        let range = signal.physical_range;
        if range.iter().any(|limit| decimal(*limit).is_none()) || range[0] == range[1] {
            let place = format!("physical range of `{}`", signal.name);
            return Err(self
                .error(place)
                .found(format!("{range:?}"))
                .expected("two different numbers of at most 8 characters"));
        }
        let ([low, high], place) = (signal.digital_range, format!("digital range of `{}`", signal.name));
        if low >= high {
            return Err(self
                .error(place)
                .found(format!("{low} to {high}"))
                .expected("an ascending range"));
        }
        match signal.digital.iter().find(|sample| !(low..=high).contains(*sample)) {
            None => Ok(()),
            Some(sample) => Err(self
                .error(place)
                .found(format!("a sample of {sample}"))
                .expected(format!("{low} to {high}"))),
        }
    }

    /// Number and seconds of the records.
    fn records(&self, signals: &[EdfSignal]) -> Result<(usize, f64), FileError> {
        let Some(first) = signals.first() else {
            return Err(self.error("signals").found("none").expected("at least one"));
        };
        let mut divisor = 0;
        for signal in signals {
            let secs = signal.digital.len() as f64 / signal.rate_hz;
            let expected = first.digital.len() as f64 / first.rate_hz;
            if !(secs > 0.0 && (secs - expected).abs() < 1e-9 * expected) {
                let expected = format!("{expected} s, as the first signal, and more than 0");
                return Err(self
                    .error(format!("signal `{}`", signal.name))
                    .found(format!("{secs} s"))
                    .expected(expected));
            }
            self.check_ranges(signal)?;
            divisor = greatest_common_divisor(divisor, signal.digital.len());
        }
        let all: usize = signals.iter().map(|signal| signal.digital.len()).sum();
        let secs = |num_records: usize| first.digital.len() as f64 / first.rate_hz / num_records as f64;
        let fits = |&num_records: &usize| {
            let secs = secs(num_records);
            let written = decimal(secs).and_then(|text| text.parse::<f64>().ok());
            all / num_records * 2 <= MAX_RECORD_BYTES
                && written.is_some_and(|written| (written - secs).abs() < 1e-9 * secs)
        };
        let small = (1..)
            .take_while(|small| small * small <= divisor)
            .filter(|small| divisor.is_multiple_of(*small));
        let divisors = small.flat_map(|small| [small, divisor / small]).filter(fits);
        let nearest = divisors.min_by(|&one, &other| secs(one).ln().abs().total_cmp(&secs(other).ln().abs()));
        let num_records = nearest.ok_or_else(|| {
            let expected = "a duration that equal records divide, each of a decimal number of seconds of 8 characters";
            self.error("signals")
                .found(format!("{} samples at {} Hz", first.digital.len(), first.rate_hz))
                .expected(expected)
        })?;
        Ok((num_records, secs(num_records)))
    }

    fn header(
        &self,
        recording: &EdfRecording,
        num_records: usize,
        record_secs: f64,
        num_marks: usize,
    ) -> Result<Vec<u8>, FileError> {
        let signals = &recording.signals;
        // The fields of the patient and of the recording are words; X is for what is not known.
        let subject = match recording.subject.split_whitespace().collect::<Vec<_>>().join("_") {
            empty if empty.is_empty() => "X".into(),
            subject => subject,
        };
        let start = recording
            .start
            .map(|start| (start.format("%d.%m.%y%H.%M.%S"), start.format("%d-%b-%Y")));
        let (time, day) = start.map_or(("01.01.8500.00.00".into(), "X".into()), |(time, day)| {
            (time.to_string(), day.to_string())
        });
        let mut bytes = Vec::new();
        let mut field = |name: &str, text: String, width: usize| {
            if text.len() > width || !text.bytes().all(|byte| (32..127).contains(&byte)) {
                return Err(self
                    .error(name)
                    .found(format!("{text:?}"))
                    .expected(format!("at most {width} characters of ASCII")));
            }
            bytes.extend(format!("{text:width$}").bytes());
            Ok(())
        };
        field("version", "0".into(), 8)?;
        field("subject", format!("{subject} X X X"), 80)?;
        field("recording", format!("Startdate {} X X X", day.to_uppercase()), 80)?;
        field("start", time, 16)?;
        field("bytes of the header", (256 * (signals.len() + 2)).to_string(), 8)?;
        field("variant", "EDF+C".into(), 44)?;
        field("number of records", num_records.to_string(), 8)?;
        field("seconds of a record", decimal(record_secs).unwrap_or_default(), 8)?;
        field("number of signals", (signals.len() + 1).to_string(), 4)?;
        // All signals' first field, all their second field, and so on; the annotations come last.
        let mut column = |name: &str, width: usize, last: String, text: &dyn Fn(&EdfSignal) -> String| {
            signals
                .iter()
                .map(text)
                .chain([last])
                .try_for_each(|text| field(name, text, width))
        };
        column("name", 16, "EDF Annotations".into(), &|signal| signal.name.clone())?;
        column("transducer", 80, String::new(), &|_| String::new())?;
        column("unit", 8, String::new(), &|signal| signal.unit.clone())?;
        column("physical minimum", 8, "-1".into(), &|signal| {
            signal.physical_range[0].to_string()
        })?;
        column("physical maximum", 8, "1".into(), &|signal| {
            signal.physical_range[1].to_string()
        })?;
        column("digital minimum", 8, i16::MIN.to_string(), &|signal| {
            signal.digital_range[0].to_string()
        })?;
        column("digital maximum", 8, i16::MAX.to_string(), &|signal| {
            signal.digital_range[1].to_string()
        })?;
        column("filter", 80, String::new(), &|_| String::new())?;
        column("samples of a record", 8, num_marks.to_string(), &|signal| {
            (signal.digital.len() / num_records).to_string()
        })?;
        column("reserved", 32, String::new(), &|_| String::new())?;
        Ok(bytes)
    }
}

/// A number in at most 8 characters; `None` if it takes more.
fn decimal(value: f64) -> Option<String> {
    let text = value.to_string();
    (text.len() <= 8 && value.is_finite()).then_some(text)
}

fn greatest_common_divisor(one: usize, other: usize) -> usize {
    if other == 0 {
        one
    } else {
        greatest_common_divisor(other, one % other)
    }
}
