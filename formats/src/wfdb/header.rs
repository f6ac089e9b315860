//! The text header of a record, `header(5)` of the WFDB Applications Guide.

use std::fmt::Display;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use super::RATES_HZ;
use super::storage::Format;
use crate::text::decode;
use crate::{FileError, Warning, WarningCode};

/// A header: of signals, or of segments that have headers of their own.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) file: PathBuf,
    pub(super) name: String,
    pub(super) num_signals: usize,
    /// Frames per second; a signal may have several samples in each.
    pub(super) rate_hz: f64,
    /// `None` where the header leaves it to the size of the files.
    pub(super) num_frames: Option<usize>,
    pub(super) signals: Vec<SignalLine>,
    /// `None` in the header of a single segment.
    pub(super) segments: Option<Vec<SegmentLine>>,
    pub(super) facts: Vec<(String, String)>,
    pub(super) warnings: Vec<Warning>,
}

#[derive(Debug)]
pub(super) struct SignalLine {
    pub(super) line: usize,
    pub(super) file: PathBuf,
    /// Format field as it stands there.
    pub(super) storage: String,
    /// `None` for format 0: no samples, as in a layout header.
    pub(super) format: Option<Format>,
    pub(super) samples_per_frame: usize,
    /// Frames by which the samples stand too late in the file.
    pub(super) skew: usize,
    /// Bytes before the first sample; samples in FLAC files.
    pub(super) offset: usize,
    pub(super) gain: Option<f64>,
    pub(super) baseline: i32,
    pub(super) unit: String,
    pub(super) initial: Option<i32>,
    pub(super) checksum: Option<i32>,
    pub(super) name: String,
}

#[derive(Debug)]
pub(super) struct SegmentLine {
    pub(super) line: usize,
    pub(super) name: String,
    /// The segment's header; `None` for `~`, a gap.
    pub(super) file: Option<PathBuf>,
    pub(super) num_frames: usize,
}

/// One line of a header, for messages.
struct Place<'a> {
    file: &'a Path,
    number: usize,
}

/// The error for what a line of a header says.
pub(super) fn line_error(file: &Path, line: usize, found: impl Display) -> FileError {
    FileError::at(file)
        .place(format!("line {line}"))
        .found(format!("`{found}`"))
}

impl Place<'_> {
    fn error(&self, found: &str) -> FileError {
        line_error(self.file, self.number, found)
    }

    fn number<T: FromStr>(&self, text: &str, expected: &str) -> Result<T, FileError> {
        text.parse().map_err(|_| {
            self.error(text)
                .expected(expected)
                .hint("see header(5) of the WFDB Applications Guide")
        })
    }

    /// A file that does not leave the folder of the header.
    fn beside(&self, name: &str, ending: &str) -> Result<PathBuf, FileError> {
        let inside = Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if name.is_empty() || !inside || name.starts_with('~') || name.contains(['\\', ':', '\0']) {
            let hint = "files of a record may not lie outside its folder";
            return Err(self.error(name).expected("a file beside the header").hint(hint));
        }
        Ok(self.file.with_file_name(format!("{name}{ending}")))
    }
}

impl Header {
    pub(super) fn parse(bytes: &[u8], file: &Path) -> Result<Self, FileError> {
        let text = decode(bytes);
        let numbered = || {
            (1..)
                .zip(text.lines())
                .map(|(number, line)| (Place { file, number }, line.trim()))
        };
        let mut lines = numbered().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let (place, line) = lines.next().ok_or_else(|| {
            Place { file, number: 1 }
                .error("")
                .expected("a record line")
                .hint("the file is empty")
        })?;
        let (mut header, num_segments) = Self::parse_record(line, &place)?;
        let mut next = |expected: String| {
            let end = Place {
                file,
                number: text.lines().count() + 1,
            };
            let hint = "the header is cut short; fetch it again";
            lines
                .next()
                .ok_or_else(|| end.error("the end of the file").expected(expected).hint(hint))
        };
        if let Some(num_segments) = num_segments {
            let mut segments = Vec::new();
            for _ in 0..num_segments {
                let (place, line) = next(format!("{num_segments} segment lines"))?;
                segments.push(SegmentLine::parse(line, &place)?);
            }
            header.segments = Some(segments);
        } else {
            for _ in 0..header.num_signals {
                let (place, line) = next(format!("{} signal lines", header.num_signals))?;
                header.signals.push(SignalLine::parse(line, &place)?);
            }
        }
        if let Some((place, line)) = lines.next() {
            let warning = format!(
                "{}: line {}: `{line}` is one more line than announced",
                file.display(),
                place.number
            );
            header.warnings.push(Warning::new(WarningCode::OddHeader, warning));
        }
        let comments = numbered()
            .filter_map(|(_, line)| line.strip_prefix('#'))
            .map(|comment| comment.trim());
        header.facts.extend(
            comments
                .filter(|text| !text.is_empty())
                .map(|text| ("comment".into(), text.into())),
        );
        Ok(header)
    }

    /// `name[/segments] signals [rate[/counter rate[(counter base)]] [samples [time [date]]]]`
    fn parse_record(line: &str, place: &Place) -> Result<(Self, Option<usize>), FileError> {
        let mut fields = line.split_whitespace();
        let name = fields.next().unwrap_or_default();
        let (name, num_segments) = match name.split_once('/') {
            Some((name, number)) => (name, Some(place.number(number, "a number of segments")?)),
            None => (name, None),
        };
        if num_segments == Some(0) {
            return Err(place
                .error(line)
                .expected("at least one segment")
                .hint("correct the header"));
        }
        let num_signals = place.number(fields.next().unwrap_or_default(), "a number of signals")?;
        // 250 Hz is the format's default.
        let rate_field = fields.next().unwrap_or("250");
        let rate = rate_field.split(['/', '(']).next().unwrap_or(rate_field);
        let rate_hz: f64 = place.number(rate, "a rate in Hz")?;
        if !RATES_HZ.contains(&rate_hz) {
            return Err(place
                .error(rate)
                .expected("a positive rate in Hz")
                .hint("correct the header"));
        }
        let num_frames = fields
            .next()
            .map(|field| place.number(field, "a number of samples"))
            .transpose()?;
        let mut facts = vec![("record".into(), name.into())];
        if let Some((_, counter)) = rate_field.split_once('/') {
            facts.push(("counter".into(), counter.into()));
        }
        facts.extend(fields.next().map(|time| ("start time".into(), time.into())));
        facts.extend(fields.next().map(|date| ("start date".into(), date.into())));
        let header = Self {
            file: place.file.into(),
            name: name.into(),
            num_signals,
            rate_hz,
            // Zero stands for "unknown", as does no number at all.
            num_frames: num_frames.filter(|&number| number != 0),
            signals: Vec::new(),
            segments: None,
            facts,
            warnings: Vec::new(),
        };
        Ok((header, num_segments))
    }
}

impl SegmentLine {
    /// `name samples`; the name `~` stands for a gap.
    fn parse(line: &str, place: &Place) -> Result<Self, FileError> {
        let mut fields = line.split_whitespace();
        let name = fields.next().unwrap_or_default();
        let file = if name == "~" {
            None
        } else {
            Some(place.beside(name, ".hea")?)
        };
        let num_frames = place.number(fields.next().unwrap_or_default(), "a number of samples")?;
        Ok(Self {
            line: place.number,
            name: name.into(),
            file,
            num_frames,
        })
    }
}

impl SignalLine {
    /// `file format[xN][:skew][+offset] [gain[(baseline)][/unit] [bits [zero [initial [checksum [block [name]]]]]]]`
    fn parse(line: &str, place: &Place) -> Result<Self, FileError> {
        let mut fields = line.split_whitespace();
        let name = fields.next().unwrap_or_default();
        let storage = fields.next().unwrap_or_default();
        let (rest, offset) = storage.split_once('+').unwrap_or((storage, "0"));
        let (rest, skew) = rest.split_once(':').unwrap_or((rest, "0"));
        let (code, samples_per_frame) = rest.split_once('x').unwrap_or((rest, "1"));
        let none = name == "~" && code == "0";
        let file = if none {
            place.file.into()
        } else {
            place.beside(name, "")?
        };
        let format = Format::parse(code);
        if format.is_none() && !none {
            return Err(place
                .error(storage)
                .expected(format!("format {}", Format::CODES))
                .hint("correct the header"));
        }
        let samples_per_frame = place.number(samples_per_frame, "a number of samples per frame")?;
        if samples_per_frame == 0 {
            return Err(place
                .error(storage)
                .expected("at least one sample per frame")
                .hint("correct the header"));
        }
        let calibration = fields.next().unwrap_or("0");
        let (calibration, unit) = calibration.split_once('/').unwrap_or((calibration, "mV"));
        let (gain_text, baseline) = match calibration.split_once('(') {
            Some((gain, baseline)) => (gain, Some(baseline.trim_end_matches(')'))),
            None => (calibration, None),
        };
        let gain: f64 = place.number(gain_text, "a gain")?;
        if !gain.is_finite() {
            return Err(place
                .error(gain_text)
                .expected("a finite gain")
                .hint("correct the header"));
        }
        let mut integers = fields
            .by_ref()
            .take(5)
            .map(|field| place.number::<i32>(field, "an integer"));
        let mut integer = || integers.next().transpose();
        let (_bits, zero, initial, checksum) = (integer()?, integer()?, integer()?, integer()?);
        // A size of blocks matters to tapes only.
        let _block = integer()?;
        let baseline = baseline.map(|text| place.number(text, "a baseline")).transpose()?;
        Ok(Self {
            line: place.number,
            file,
            storage: storage.into(),
            format,
            samples_per_frame,
            skew: place.number(skew, "a skew in frames")?,
            offset: place.number(offset, "a byte offset")?,
            gain: (gain != 0.0).then_some(gain),
            baseline: baseline.or(zero).unwrap_or(0),
            unit: unit.into(),
            initial,
            checksum,
            name: fields.collect::<Vec<_>>().join(" "),
        })
    }

    /// A contradiction to the initial value or the checksum of the header, as far as it has them: the place, what was found
    /// there and what the header says. `first` is the first sample of the file, `sum` that of all its samples.
    pub(super) fn contradiction(&self, format: Format, first: i32, sum: i16) -> Option<(&'static str, i32, i32)> {
        // Writers put zero or the 16-bit code into the header for a missing first sample. In format 8 the initial value
        // is where the differences start from.
        let tolerated = first == format.missing_code() && matches!(self.initial, Some(0 | -0x8000));
        let is_wrong = |&initial: &i32| initial != first && !tolerated && format != Format::F8;
        // Some writers keep the sum unsigned: equal in the lower 16 bits is equal.
        let is_other = |&checksum: &i32| checksum as i16 != sum;
        let initial = self.initial.filter(is_wrong);
        let initial = initial.map(|initial| ("first sample", first, initial));
        initial.or_else(|| Some(("checksum", sum.into(), self.checksum.filter(is_other)?)))
    }

    /// Compares the samples of the file with the header: an error where they do not agree, or a warning in `tolerated`.
    pub(super) fn verify(
        &self,
        format: Format,
        samples: &[i32],
        header: &Path,
        tolerated: Option<&mut Vec<Warning>>,
    ) -> Result<(), FileError> {
        let first = samples.first().copied().unwrap_or(0);
        let contradiction = self.contradiction(format, first, sum(samples));
        if let Some(warnings) = tolerated {
            warnings.extend(contradiction.map(|contradiction| self.warning(contradiction, header)));
            return Ok(());
        }
        let Some((place, found, expected)) = contradiction else {
            return Ok(());
        };
        let expected = format!("{expected} ({}, line {})", header.display(), self.line);
        Err(FileError::at(&self.file)
            .place(place)
            .found(found)
            .expected(expected)
            .hint("file and header do not belong together, or the file is damaged; fetch both again"))
    }

    /// A contradiction that is tolerated.
    pub(super) fn warning(&self, (place, found, expected): (&str, i32, i32), header: &Path) -> Warning {
        let (file, header) = (self.file.display(), header.display());
        let text = format!(
            "{file}: {place}: found {found}, expected {expected} ({header}, line {})",
            self.line
        );
        Warning::new(WarningCode::Checksum, text)
    }
}

/// The sum of samples as headers hold it, in 16 bits.
pub(super) fn sum(samples: &[i32]) -> i16 {
    samples
        .iter()
        .fold(0i16, |sum, &sample| sum.wrapping_add(sample as i16))
}
