//! Annotation files in the MIT format, `annot(5)`: 16-bit little-endian words of a code (6 bits) and the samples since the
//! annotation before (10 bits), or of what belongs to the annotation before them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use super::RATES_HZ;
use crate::text::decode;
use crate::{Annotation, FileError, Warning, WarningCode};

/// The mnemonics of codes 0 to 41, as in the table of `annot(5)`; a space where there is none.
const SYMBOLS: &[u8; 42] = b" NLRaVFJASEj/Q~ | sT*D\"=pB^t+u?![]en@xf()r";

/// Codes of words that are no annotations.
const SKIP: u8 = 59;
const NUM: u8 = 60;
const SUB: u8 = 61;
const CHN: u8 = 62;
const AUX: u8 = 63;
const NOTE: u8 = 22;

/// Codes of types that have no meaning of their own.
const FREE: RangeInclusive<u8> = 42..=49;

/// The contents of an annotation file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Annotations {
    /// Time steps per second, where the file has its own; otherwise they are the frames of the record.
    pub rate_hz: Option<f64>,
    /// In the order of the file.
    pub marks: Vec<Mark>,
    /// Tolerated faults: an end that may be missing.
    pub warnings: Vec<Warning>,
}

/// One annotation.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Time steps since the start of the record.
    pub time: i64,
    /// The code of its type, 1 to 58.
    pub code: u8,
    /// Mnemonic of the type: the file's own, that of the standard, or the code in brackets.
    pub symbol: String,
    /// A subtype.
    pub subtype: i8,
    /// The signal it belongs to.
    pub channel: u8,
    /// A number of no fixed meaning.
    pub number: i8,
    /// Text, without closing zero bytes.
    pub text: String,
}

impl Annotations {
    /// The marks in ascending order of time; each text is the mnemonic, then a space and the mark's own text if it has one.
    ///
    /// `frame_hz` is the rate of the record's frames.
    pub fn in_secs(self, frame_hz: f64) -> Vec<Annotation> {
        let rate_hz = self.rate_hz.unwrap_or(frame_hz);
        let mut marks = self.marks;
        marks.sort_by_key(|mark| mark.time);
        let convert = |mark: Mark| {
            let text = if mark.text.is_empty() {
                mark.symbol
            } else {
                format!("{} {}", mark.symbol, mark.text)
            };
            Annotation {
                onset_secs: mark.time as f64 / rate_hz,
                duration_secs: None,
                text,
            }
        };
        marks.into_iter().map(convert).collect()
    }
}

/// Reads an annotation file (`.atr`, `.qrs` and the like).
///
/// Notes at time 0 that define the file's time resolution or its mnemonics are applied and left out.
///
/// # Errors
/// [`FileError`], with the byte, for text or a skip that goes beyond the end, and for a definition that cannot be.
pub fn read_annotations(bytes: &[u8], file: &Path) -> Result<Annotations, FileError> {
    let mut words = Words {
        bytes,
        file,
        position: 0,
    };
    let mut marks = Vec::<Mark>::new();
    let (mut time, mut ended) = (0, false);
    while let Some([low, high]) = words.next() {
        let (code, value) = (high >> 2, i64::from(low) | i64::from(high & 3) << 8);
        match code {
            // Code 0 without an interval is the end; with one it marks nothing, but time passes.
            0 if value == 0 => {
                ended = true;
                break;
            }
            SKIP => time += words.skip()?,
            NUM..=AUX => {
                let text = if code == AUX {
                    words.text(value as usize)?
                } else {
                    String::new()
                };
                match (code, marks.last_mut()) {
                    (NUM, Some(mark)) => mark.number = low as i8,
                    (SUB, Some(mark)) => mark.subtype = low as i8,
                    (CHN, Some(mark)) => mark.channel = low,
                    (_, Some(mark)) => mark.text = text,
                    (_, None) => {
                        return Err(words
                            .error()
                            .found(format!("code {code}"))
                            .expected("an annotation before it"));
                    }
                }
            }
            code => {
                time += value;
                // Number and channel hold until they change.
                let (number, channel) = marks.last().map_or((0, 0), |mark| (mark.number, mark.channel));
                marks.push(Mark {
                    time,
                    code,
                    symbol: String::new(),
                    subtype: 0,
                    channel,
                    number,
                    text: String::new(),
                });
            }
        }
    }
    let mut warnings = Vec::new();
    if !ended {
        let text = format!("{}: no end mark: the file may be cut short", file.display());
        warnings.push(Warning::new(WarningCode::Unclosed, text));
    }
    marks.retain(|mark| mark.code != 0);
    let (rate_hz, symbols) = define(&mut marks, file)?;
    for mark in &mut marks {
        mark.symbol = match (symbols.get(&mark.code), SYMBOLS.get(usize::from(mark.code))) {
            (Some(own), _) => own.clone(),
            (None, Some(&symbol)) if symbol != b' ' => char::from(symbol).into(),
            _ => format!("[{}]", mark.code),
        };
    }
    Ok(Annotations {
        rate_hz,
        marks,
        warnings,
    })
}

/// Applies and removes the notes at time 0 that describe the file.
fn define(marks: &mut Vec<Mark>, file: &Path) -> Result<(Option<f64>, BTreeMap<u8, String>), FileError> {
    let (mut rate_hz, mut symbols, mut inside, mut wrong) = (None, BTreeMap::new(), false, None);
    marks.retain(|mark| {
        if mark.code != NOTE || mark.time != 0 {
            return true;
        }
        let text = mark.text.as_str();
        if let Some(resolution) = text.strip_prefix("## time resolution:") {
            let rate = resolution.trim().parse().ok().filter(|rate| RATES_HZ.contains(rate));
            wrong = wrong.take().or(rate.is_none().then(|| text.to_string()));
            rate_hz = rate_hz.or(rate);
        } else if text == "## annotation type definitions" {
            inside = true;
        } else if text == "## end of definitions" {
            inside = false;
        } else {
            let mut fields = text.split_whitespace();
            match (fields.next().and_then(|code| code.parse().ok()), fields.next()) {
                // Old files define types that the standard leaves open outside of any block.
                (Some(code), Some(symbol)) if inside || FREE.contains(&code) => {
                    drop(symbols.insert(code, symbol.into()))
                }
                _ if inside => wrong = wrong.take().or(Some(text.into())),
                _ => return true,
            }
        }
        false
    });
    match wrong {
        None => Ok((rate_hz, symbols)),
        Some(found) => Err(FileError::at(file)
            .place("notes at time 0")
            .found(format!("`{found}`"))
            .expected("a positive rate, or a code and its mnemonic")
            .hint("see annot(5) of the WFDB Applications Guide")),
    }
}

struct Words<'a> {
    bytes: &'a [u8],
    file: &'a Path,
    position: usize,
}

impl Words<'_> {
    fn next(&mut self) -> Option<[u8; 2]> {
        let word = *self.bytes.get(self.position..)?.first_chunk()?;
        self.position += 2;
        Some(word)
    }

    fn error(&self) -> FileError {
        FileError::at(self.file)
            .place(format!("byte {}", self.position.saturating_sub(2)))
            .hint("the file is cut short or no annotation file in the MIT format; fetch it again")
    }

    /// A 32-bit interval, its high word first.
    fn skip(&mut self) -> Result<i64, FileError> {
        let error = self
            .error()
            .found("the end of the file")
            .expected("an interval of four bytes");
        let (Some([c, d]), Some([a, b])) = (self.next(), self.next()) else {
            return Err(error);
        };
        Ok(i32::from_le_bytes([a, b, c, d]).into())
    }

    /// Text of so many bytes, and one more if they are odd: UTF-8, or windows-1252.
    fn text(&mut self, length: usize) -> Result<String, FileError> {
        let Some(bytes) = self.bytes.get(self.position..).and_then(|rest| rest.get(..length)) else {
            return Err(self
                .error()
                .found(format!("a text of {length} bytes"))
                .expected("one within the file"));
        };
        self.position += length.next_multiple_of(2);
        let bytes = &bytes[..bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)];
        Ok(decode(bytes).into_owned())
    }
}
