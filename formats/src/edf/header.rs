//! The header of an EDF or BDF file: 256 bytes of the file, then 256 bytes for each signal, all of it text.

use std::fmt::Display;
use std::path::Path;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::annotations::{RecordMarks, are_lists};
use crate::text::decode;
use crate::{FileError, Warning, WarningCode};

/// Bytes of the file's part and of each signal's part.
const BLOCK: usize = 256;
/// Where the fields of the signals begin in their part, and how wide they are.
const LABEL: Field = Field(0, 16);
const TRANSDUCER: Field = Field(16, 80);
const UNIT: Field = Field(96, 8);
const PHYSICAL_MIN: Field = Field(104, 8);
const PHYSICAL_MAX: Field = Field(112, 8);
const DIGITAL_MIN: Field = Field(120, 8);
const DIGITAL_MAX: Field = Field(128, 8);
const PREFILTER: Field = Field(136, 80);
const NUM_SAMPLES: Field = Field(216, 8);

/// Bytes before a field in the part of its owner, and its own.
struct Field(usize, usize);

#[derive(Debug)]
pub(super) struct Header {
    /// 24 bits per sample instead of 16.
    pub bdf: bool,
    /// `EDF+C`, `EDF+D`, `BDF+C`, `BDF+D`, `24BIT` or nothing.
    pub variant: String,
    pub patient: String,
    pub recording: String,
    /// `None` where date or time cannot be.
    pub start: Option<NaiveDateTime>,
    pub start_text: String,
    /// `None` for -1, which is written while a recording runs.
    pub num_records: Option<usize>,
    pub record_secs: f64,
    pub signals: Vec<Signal>,
    /// Bytes before the first record.
    pub num_bytes: usize,
    pub warnings: Vec<Warning>,
}

#[derive(Debug)]
pub(super) struct Signal {
    pub name: String,
    pub transducer: String,
    pub unit: String,
    pub physical: [f64; 2],
    pub digital: [f64; 2],
    pub prefilter: String,
    /// Samples in each record.
    pub num_samples: usize,
    /// Bytes of a record before this signal.
    pub offset: usize,
    /// Holds annotations instead of samples.
    pub is_annotations: bool,
}

/// For messages.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub bytes: &'a [u8],
    pub path: &'a Path,
}

impl Source<'_> {
    pub fn error(&self, place: impl Display) -> FileError {
        FileError::at(self.path).place(place)
    }

    /// The text of a field, without the blanks or zeros that fill it. UTF-8, or windows-1252 where it is not (a micro sign).
    fn text(&self, start: usize, width: usize) -> Result<String, FileError> {
        let field = self.bytes.get(start..start + width).ok_or_else(|| {
            let expected = "a whole header of 256 bytes and 256 more for each signal";
            self.error("header")
                .found(format!("{} bytes", self.bytes.len()))
                .expected(expected)
                .hint("the file is cut off; fetch it again")
        })?;
        Ok(decode(field).trim_matches([' ', '\0']).to_string())
    }

    fn number<T: std::str::FromStr>(&self, start: usize, width: usize, what: &str) -> Result<T, FileError> {
        let text = self.text(start, width)?;
        text.trim_start_matches('+').parse().map_err(|_| {
            let hint = "the header is damaged, or the file is neither EDF nor BDF";
            self.error(format!("byte {start} ({what})"))
                .found(format!("`{text}`"))
                .expected("a number")
                .hint(hint)
        })
    }

    /// A number whose decimal mark may be a comma, as recorders with a German or French locale write it.
    fn decimal(&self, start: usize, width: usize, what: &str) -> Result<f64, FileError> {
        match self
            .text(start, width)?
            .replacen(',', ".", 1)
            .trim_start_matches('+')
            .parse()
        {
            Ok(number) => Ok(number),
            Err(_) => self.number(start, width, what),
        }
    }
}

impl Header {
    pub fn parse(source: Source) -> Result<Self, FileError> {
        let bdf = match source.bytes.get(..8) {
            Some(b"0       ") => false,
            Some(b"\xffBIOSEMI") => true,
            other => {
                let found = other.map_or("fewer than 8 bytes".into(), |start| {
                    format!("{:?}", String::from_utf8_lossy(start))
                });
                let expected = "`0` and seven blanks (EDF) or byte 255 and `BIOSEMI` (BDF)";
                return Err(source
                    .error("byte 0 (version)")
                    .found(found)
                    .expected(expected)
                    .hint("this is neither EDF nor BDF"));
            }
        };
        let num_bytes = num_header_bytes(source)?;
        let num_signals = num_bytes / BLOCK - 1;
        source.text(num_bytes - 1, 1)?;
        let num_records: i64 = source.number(236, 8, "number of records")?;
        let record_secs: f64 = source.decimal(244, 8, "seconds of a record")?;
        if !(record_secs.is_finite() && record_secs >= 0.0) {
            let place = "byte 244 (seconds of a record)";
            return Err(source
                .error(place)
                .found(record_secs)
                .expected("0 or more")
                .hint("the header is damaged"));
        }
        let start_text = format!("{} {}", source.text(168, 8)?, source.text(176, 8)?);
        let mut header = Self {
            bdf,
            variant: source.text(192, 44)?.chars().take(5).collect(),
            patient: source.text(8, 80)?,
            recording: source.text(88, 80)?,
            start: parse_start(&start_text),
            start_text,
            num_records: usize::try_from(num_records).ok(),
            record_secs,
            signals: Vec::new(),
            num_bytes,
            warnings: Vec::new(),
        };
        let mut offset = 0;
        for index in 0..num_signals {
            let signal = header.signal(source, index, num_signals, offset)?;
            offset = header.end(&signal);
            if signal.num_samples > 0 && !signal.is_annotations && header.record_secs == 0.0 {
                let hint = "only a file of annotations may have records without duration; the header is damaged";
                return Err(source
                    .error("byte 244 (seconds of a record)")
                    .found("0")
                    .expected("more than 0")
                    .hint(hint));
            }
            header.signals.push(signal);
        }
        header.find_annotations(source);
        header.warnings.extend(decimal_commas(source, num_signals));
        Ok(header)
    }

    /// Some writers of annotations forget to call the file EDF+: a signal of their label that holds lists in the first
    /// record is one.
    fn find_annotations(&mut self, source: Source) {
        let width = self.width();
        if source.bytes.len() < self.num_bytes.saturating_add(self.record_bytes()) {
            return;
        }
        for signal in self.signals.iter_mut().filter(|signal| !signal.is_annotations) {
            let start = self.num_bytes + signal.offset;
            let record = source
                .bytes
                .get(start..start + signal.num_samples * width)
                .unwrap_or_default();
            if is_annotations_label(&signal.name) && are_lists(record) {
                signal.is_annotations = true;
                let text = format!(
                    "`{}` is read as annotations, although the header does not say EDF+ or BDF+",
                    signal.name
                );
                self.warnings.push(Warning::new(WarningCode::OddHeader, text));
            }
        }
    }

    /// The fields of all signals lie together: first every label, then every transducer, and so on.
    fn signal(&self, source: Source, index: usize, num_signals: usize, offset: usize) -> Result<Signal, FileError> {
        let at = |field: &Field| BLOCK + field.0 * num_signals + field.1 * index;
        let text = |field: Field| source.text(at(&field), field.1);
        let number =
            |field: Field, what: &str| source.decimal(at(&field), field.1, &format!("signal {}: {what}", index + 1));
        let name = text(LABEL)?;
        let samples = format!("signal {}: samples in a record", index + 1);
        let is_annotations = self.is_plus() && is_annotations_label(&name);
        // The limits of annotations mean nothing, and some writers leave them out.
        let (physical, digital) = if is_annotations {
            ([-1.0, 1.0], [-1.0, 1.0])
        } else {
            (
                [
                    number(PHYSICAL_MIN, "physical minimum")?,
                    number(PHYSICAL_MAX, "physical maximum")?,
                ],
                [
                    number(DIGITAL_MIN, "digital minimum")?,
                    number(DIGITAL_MAX, "digital maximum")?,
                ],
            )
        };
        Ok(Signal {
            name,
            transducer: text(TRANSDUCER)?,
            unit: text(UNIT)?,
            physical,
            digital,
            prefilter: text(PREFILTER)?,
            num_samples: source.number::<u32>(at(&NUM_SAMPLES), NUM_SAMPLES.1, &samples)? as usize,
            offset,
            is_annotations,
        })
    }

    /// The signals that hold samples.
    pub fn sampled(&self) -> impl Iterator<Item = &Signal> {
        self.signals.iter().filter(|signal| !signal.is_annotations)
    }

    /// Time and annotations of a record, from its annotation signals.
    pub fn marks(&self, record: &[u8]) -> RecordMarks {
        let mut marks = RecordMarks::default();
        let lists = self.signals.iter().filter(|signal| signal.is_annotations);
        for (index, signal) in lists.enumerate() {
            let bytes = record.get(signal.offset..self.end(signal)).unwrap_or_default();
            marks.read(bytes, index == 0);
        }
        marks
    }

    /// Bytes of one sample.
    pub fn width(&self) -> usize {
        if self.bdf { 3 } else { 2 }
    }

    /// Bytes of a record up to the end of `signal`; at most 10^8 samples of at most 9999 signals fit the fields.
    pub fn end(&self, signal: &Signal) -> usize {
        signal.offset + signal.num_samples * self.width()
    }

    /// Bytes of a record.
    pub fn record_bytes(&self) -> usize {
        self.signals.last().map_or(0, |signal| self.end(signal))
    }

    fn is_plus(&self) -> bool {
        let plus = if self.bdf {
            ["BDF+C", "BDF+D"]
        } else {
            ["EDF+C", "EDF+D"]
        };
        plus.contains(&self.variant.as_str())
    }

    /// Records may have pauses between them.
    pub fn is_discontinuous(&self) -> bool {
        self.is_plus() && self.variant.ends_with('D')
    }

    /// Format and variant.
    pub fn format(&self) -> String {
        match (self.is_plus(), self.bdf) {
            (true, _) => self.variant.clone(),
            (false, true) => "BDF".into(),
            (false, false) => "EDF".into(),
        }
    }
}

/// A warning where the numbers of the header have commas.
fn decimal_commas(source: Source, num_signals: usize) -> Option<Warning> {
    let limits = BLOCK + PHYSICAL_MIN.0 * num_signals..BLOCK + PREFILTER.0 * num_signals;
    let numbers = [source.bytes.get(244..252)?, source.bytes.get(limits)?].concat();
    let text = "numbers of the header have a decimal comma";
    numbers
        .contains(&b',')
        .then(|| Warning::new(WarningCode::OddHeader, text))
}

/// Bytes before the first record, by the first 256 of them.
pub(super) fn num_header_bytes(source: Source) -> Result<usize, FileError> {
    let num_signals: usize = source.number(252, 4, "number of signals")?;
    let (num_bytes, declared) = (
        BLOCK * (num_signals + 1),
        source.number::<usize>(184, 8, "bytes of the header")?,
    );
    if declared != num_bytes {
        let expected = format!("{num_bytes} for {num_signals} signals");
        return Err(source
            .error("byte 184 (bytes of the header)")
            .found(declared)
            .expected(expected)
            .hint("the header is damaged"));
    }
    Ok(num_bytes)
}

fn is_annotations_label(name: &str) -> bool {
    matches!(name, "EDF Annotations" | "BDF Annotations")
}

/// `dd.mm.yy hh.mm.ss`; years from 85 are of the 20th century.
fn parse_start(text: &str) -> Option<NaiveDateTime> {
    let numbers: Option<Vec<u32>> = text
        .split(['.', ' ', ':', '/', '-'])
        .map(|part| part.parse().ok())
        .collect();
    let &[day, month, year, hour, minute, second] = numbers?.as_slice() else {
        return None;
    };
    let year = if year >= 85 { 1900 + year } else { 2000 + year };
    let date = NaiveDate::from_ymd_opt(year.try_into().ok()?, month, day)?;
    Some(date.and_time(NaiveTime::from_hms_opt(hour, minute, second)?))
}
