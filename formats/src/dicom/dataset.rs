//! A DICOM data set: elements, sequences of data sets, and fragments of compressed pixels, as they lie in the file.
//!
//! PS3.5 chapter 7. Values are borrowed from the file's bytes and interpreted when asked for.

use std::borrow::Cow;
use std::path::Path;

use dicom_core::dictionary::{DataDictionary as _, DataDictionaryEntry as _};
use dicom_dictionary_std::StandardDataDictionary;

use super::charset::Charset;
use crate::FileError;

/// Sequences inside sequences; real ones stay below ten, and each takes stack.
const MAX_DEPTH: usize = 32;
const UNDEFINED: u32 = u32::MAX;
const CHARACTER_SET: Tag = Tag(0x0008, 0x0005);
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);
pub(super) const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);

/// Group and element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Tag(pub u16, pub u16);

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({:04X},{:04X})", self.0, self.1)
    }
}

/// How elements are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding {
    /// The value representation stands in the file, not in the dictionary.
    pub explicit: bool,
    pub big_endian: bool,
    /// How texts are encoded, as a data set or one that it lies in says.
    pub charset: Charset,
}

pub(super) const EXPLICIT: Encoding = Encoding {
    explicit: true,
    big_endian: false,
    charset: Charset::UNKNOWN,
};
pub(super) const IMPLICIT: Encoding = Encoding {
    explicit: false,
    big_endian: false,
    charset: Charset::UNKNOWN,
};
pub(super) const EXPLICIT_BIG_ENDIAN: Encoding = Encoding {
    explicit: true,
    big_endian: true,
    charset: Charset::UNKNOWN,
};

#[derive(Debug, Clone)]
pub(super) struct Dataset<'b> {
    pub encoding: Encoding,
    /// In the order of the file.
    pub elements: Vec<Element<'b>>,
}

#[derive(Debug, Clone)]
pub(super) struct Element<'b> {
    pub tag: Tag,
    /// Value representation, `UN` where nobody knows it.
    pub vr: [u8; 2],
    pub value: Value<'b>,
}

#[derive(Debug, Clone)]
pub(super) enum Value<'b> {
    Bytes(Cow<'b, [u8]>),
    Items(Vec<Dataset<'b>>),
    /// The offset table, then the fragments.
    Fragments(Vec<&'b [u8]>),
}

/// Reads a data set from a file's bytes.
#[derive(Clone, Copy)]
pub(super) struct Parser<'b> {
    pub bytes: &'b [u8],
    pub path: &'b Path,
    pub encoding: Encoding,
}

impl<'b> Parser<'b> {
    pub fn error(&self, at: usize) -> FileError {
        FileError::at(self.path)
            .place(format!("byte {at} of the data set"))
            .hint("the file is damaged or cut off, or it is not DICOM; fetch it again")
    }

    fn take(&self, at: usize, length: usize, end: usize) -> Result<&'b [u8], FileError> {
        let stop = at.checked_add(length).filter(|&stop| stop <= end);
        stop.and_then(|stop| self.bytes.get(at..stop)).ok_or_else(|| {
            let expected = format!("{length} bytes, as the element before them says");
            self.error(at)
                .found(format!("{} bytes", end.saturating_sub(at)))
                .expected(expected)
        })
    }

    fn u16(&self, at: usize, end: usize) -> Result<u16, FileError> {
        let bytes: [u8; 2] = self.take(at, 2, end)?.try_into().unwrap_or_default();
        Ok(if self.encoding.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    }

    fn u32(&self, at: usize, end: usize) -> Result<u32, FileError> {
        let bytes: [u8; 4] = self.take(at, 4, end)?.try_into().unwrap_or_default();
        Ok(if self.encoding.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }

    fn tag(&self, at: usize, end: usize) -> Result<Tag, FileError> {
        Ok(Tag(self.u16(at, end)?, self.u16(at + 2, end)?))
    }

    /// Elements from `at` to `end`, or to the end of an item of undefined length; and where they stop. Only those that
    /// `wanted` accepts are read; the first other one stops the reading.
    pub fn dataset(
        &self,
        mut at: usize,
        end: usize,
        open: bool,
        depth: usize,
        wanted: impl Fn(Tag) -> bool,
    ) -> Result<(Dataset<'b>, usize), FileError> {
        if depth > MAX_DEPTH {
            return Err(self
                .error(at)
                .found("a deeper sequence")
                .expected(format!("at most {MAX_DEPTH} sequences in sequences")));
        }
        let mut parser = *self;
        let mut dataset = Dataset {
            encoding: self.encoding,
            elements: Vec::new(),
        };
        while at < end {
            let tag = self.tag(at, end)?;
            if open && tag == ITEM_END {
                return Ok((dataset, at + 8));
            }
            if !wanted(tag) {
                return Ok((dataset, at));
            }
            let (element, next) = parser.element(tag, at, end, depth)?;
            dataset.elements.push(element);
            if tag == CHARACTER_SET {
                let values = dataset.text(tag).unwrap_or_default();
                parser.encoding.charset = Charset::parse(&values);
                dataset.encoding = parser.encoding;
            }
            at = next;
        }
        if open {
            return Err(self
                .error(at)
                .found("the end")
                .expected("the end of an item (FFFE,E00D)"));
        }
        Ok((dataset, at))
    }

    fn element(&self, tag: Tag, at: usize, end: usize, depth: usize) -> Result<(Element<'b>, usize), FileError> {
        if tag.0 == 0xFFFE {
            return Err(self.error(at).found(tag).expected("an element of a data set"));
        }
        let (vr, length, value_at) = if self.encoding.explicit {
            let written: [u8; 2] = self.take(at + 4, 2, end)?.try_into().unwrap_or_default();
            if is_short(written) {
                (written, u32::from(self.u16(at + 6, end)?), at + 8)
            } else {
                (written, self.u32(at + 8, end)?, at + 12)
            }
        } else {
            (dictionary_vr(tag), self.u32(at + 4, end)?, at + 8)
        };
        // UN hides what the dictionary may know; sequences inside it are always implicit.
        let hidden = vr == *b"UN" && self.encoding.explicit;
        let known = if hidden { dictionary_vr(tag) } else { vr };
        let inner = if hidden {
            Self {
                encoding: Encoding {
                    charset: self.encoding.charset,
                    ..IMPLICIT
                },
                ..*self
            }
        } else {
            *self
        };
        let element = |vr, value| Element { tag, vr, value };
        if length == UNDEFINED && tag == PIXEL_DATA && known != *b"SQ" {
            let (fragments, next) = self.fragments(value_at, end)?;
            return Ok((element(vr, Value::Fragments(fragments)), next));
        }
        if length == UNDEFINED || known == *b"SQ" {
            let stop = if length == UNDEFINED {
                end
            } else {
                value_at + self.take(value_at, length as usize, end)?.len()
            };
            let (items, next) = inner.items(value_at, stop, length == UNDEFINED, depth)?;
            return Ok((element(*b"SQ", Value::Items(items)), next));
        }
        let bytes = self.take(value_at, length as usize, end)?;
        Ok((
            element(known, Value::Bytes(Cow::Borrowed(bytes))),
            value_at + bytes.len(),
        ))
    }

    fn items(
        &self,
        mut at: usize,
        end: usize,
        open: bool,
        depth: usize,
    ) -> Result<(Vec<Dataset<'b>>, usize), FileError> {
        let mut items = Vec::new();
        while at < end {
            let (tag, length) = (self.tag(at, end)?, self.u32(at + 4, end)?);
            match tag {
                SEQUENCE_END if open => return Ok((items, at + 8)),
                ITEM => {
                    let open_item = length == UNDEFINED;
                    let stop = if open_item {
                        end
                    } else {
                        at + 8 + self.take(at + 8, length as usize, end)?.len()
                    };
                    let (item, next) = self.dataset(at + 8, stop, open_item, depth + 1, |_| true)?;
                    items.push(item);
                    at = next;
                }
                _ => {
                    return Err(self
                        .error(at)
                        .found(tag)
                        .expected("an item (FFFE,E000) or the end of a sequence"));
                }
            }
        }
        if open {
            return Err(self
                .error(at)
                .found("the end")
                .expected("the end of a sequence (FFFE,E0DD)"));
        }
        Ok((items, at))
    }

    /// Fragments may lack their end where the file ends with them.
    fn fragments(&self, mut at: usize, end: usize) -> Result<(Vec<&'b [u8]>, usize), FileError> {
        let mut fragments = Vec::new();
        while at < end {
            let (tag, length) = (self.tag(at, end)?, self.u32(at + 4, end)?);
            match tag {
                SEQUENCE_END => return Ok((fragments, at + 8)),
                ITEM => fragments.push(self.take(at + 8, length as usize, end)?),
                _ => {
                    return Err(self
                        .error(at)
                        .found(tag)
                        .expected("a fragment (FFFE,E000) or the end of the fragments"));
                }
            }
            at += 8 + length as usize;
        }
        Ok((fragments, at))
    }
}

/// Value representations whose length takes two bytes.
pub(super) fn is_short(vr: [u8; 2]) -> bool {
    const SHORT: [&[u8; 2]; 21] = [
        b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
        b"ST", b"TM", b"UI", b"UL", b"US",
    ];
    SHORT.contains(&&vr)
}

/// `US` for what depends on the sign of pixels: such numbers are read with the sign in mind.
fn dictionary_vr(tag: Tag) -> [u8; 2] {
    let entry = StandardDataDictionary.by_tag(dicom_core::Tag(tag.0, tag.1));
    entry.map_or(*b"UN", |entry| entry.vr().relaxed().to_bytes())
}

impl<'b> Dataset<'b> {
    pub fn get(&self, tag: Tag) -> Option<&Element<'b>> {
        self.elements.iter().find(|element| element.tag == tag)
    }

    pub fn bytes(&self, tag: Tag) -> Option<&[u8]> {
        match &self.get(tag)?.value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The items of a sequence; none where there is no such sequence.
    pub fn items(&self, tag: Tag) -> &[Dataset<'b>] {
        match self.get(tag).map(|element| &element.value) {
            Some(Value::Items(items)) => items,
            _ => &[],
        }
    }

    /// A text without what pads it; `None` where it is empty. Its encoding is that of the data set.
    pub fn text(&self, tag: Tag) -> Option<String> {
        let bytes = self.bytes(tag)?;
        let text = self.encoding.charset.decode(bytes);
        let text = text.trim_matches([' ', '\0']);
        (!text.is_empty()).then(|| text.to_string())
    }

    /// All numbers of an element, whatever its representation; empty where one is not a number.
    pub fn numbers(&self, tag: Tag) -> Vec<f64> {
        let Some(Element {
            vr,
            value: Value::Bytes(bytes),
            ..
        }) = self.get(tag)
        else {
            return Vec::new();
        };
        let big_endian = self.encoding.big_endian;
        match vr {
            b"US" | b"OW" => integers(bytes, 16, false, big_endian)
                .map(|value| value as f64)
                .collect(),
            b"SS" => integers(bytes, 16, true, big_endian)
                .map(|value| value as f64)
                .collect(),
            b"UL" | b"OL" => integers(bytes, 32, false, big_endian)
                .map(|value| value as f64)
                .collect(),
            b"SL" => integers(bytes, 32, true, big_endian)
                .map(|value| value as f64)
                .collect(),
            b"FL" | b"OF" => integers(bytes, 32, false, big_endian)
                .map(|bits| f32::from_bits(bits as u32).into())
                .collect(),
            b"FD" | b"OD" => {
                let order = if big_endian {
                    f64::from_be_bytes
                } else {
                    f64::from_le_bytes
                };
                bytes.as_chunks().0.iter().map(|&bytes| order(bytes)).collect()
            }
            _ => {
                let Some(text) = self.text(tag) else {
                    return Vec::new();
                };
                let numbers: Option<Vec<f64>> = text.split('\\').map(|part| part.trim().parse().ok()).collect();
                numbers.unwrap_or_default()
            }
        }
    }

    /// The first number.
    pub fn number(&self, tag: Tag) -> Option<f64> {
        self.numbers(tag).first().copied().filter(|number| number.is_finite())
    }

    /// The first number, where it is a whole one that a count can be.
    pub fn count(&self, tag: Tag) -> Option<usize> {
        let number = self.number(tag)?;
        (number >= 0.0 && number.fract() == 0.0 && number < 4e9).then_some(number as usize)
    }
}

/// Integers of 8, 16 or 32 bits.
pub(super) fn integers(bytes: &[u8], bits: usize, signed: bool, big_endian: bool) -> impl Iterator<Item = i64> {
    let width = (bits / 8).max(1);
    bytes.chunks_exact(width).map(move |chunk| {
        let fold = |value: i64, &byte: &u8| value << 8 | i64::from(byte);
        let value = if big_endian {
            chunk.iter().fold(0, fold)
        } else {
            chunk.iter().rev().fold(0, fold)
        };
        let unused = 64 - 8 * width;
        if signed { value << unused >> unused } else { value }
    })
}
