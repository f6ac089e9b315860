//! A DICOM file without what identifies its patient.
//!
//! The profile is in `profile.rs`; pixels, their compression and the byte order stay as they are. With shifted dates
//! this is the profile's option "Retain Longitudinal Temporal Information with Modified Dates": intervals are kept, and so
//! are the times of day.

use std::borrow::Cow;
use std::path::Path;

use chrono::{NaiveDate, TimeDelta};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::dataset::{Dataset, EXPLICIT, Element, Encoding, Tag, Value, is_short};
use super::file::Envelope;
use super::profile::{Action, action};
use crate::FileError;
use crate::strip::{Identity, StripOptions, Stripped};

const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
/// UIDs of the standard itself: classes, transfer syntaxes, coding schemes.
const STANDARD: &str = "1.2.840.10008.";
const BURNED_IN: Tag = Tag(0x0028, 0x0301);

/// How files of one patient are de-identified.
#[derive(Clone, Copy)]
pub struct Deidentification<'a> {
    /// Secret of the cohort: equal UIDs become equal ones, and nobody without the key can tell from which.
    pub key: &'a [u8],
    /// Name and ID of the patient in the new file: at most 64 letters, digits, `-` and `_`.
    pub pseudonym: &'a str,
    /// Days by which every date moves, one number for all files of a patient; `None` empties dates and times.
    pub shift_days: Option<i64>,
}

/// The bytes of the file without what identifies the patient; `path` is for messages. The Basic Application Level
/// Confidentiality Profile of PS3.15 annex E, or more: see `profile.rs`.
///
/// Pixels are not looked at: a file that says that text is burned into them is refused.
///
/// # Errors
/// [`FileError`] for a damaged file, a pseudonym that DICOM cannot hold, and burned-in text.
pub fn deidentify(bytes: &[u8], path: &Path, how: Deidentification) -> Result<Vec<u8>, FileError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if how.pseudonym.is_empty() || how.pseudonym.len() > 64 || !how.pseudonym.bytes().all(allowed) {
        let expected = "1 to 64 letters, digits, `-` and `_`";
        return Err(FileError::at(path)
            .place("pseudonym")
            .found(how.pseudonym)
            .expected(expected)
            .hint("choose another pseudonym"));
    }
    let envelope = Envelope::open(bytes, path)?;
    let dataset = envelope.dataset()?;
    if dataset.text(BURNED_IN).as_deref() == Some("YES") {
        let hint = "blacken the text in the pixels first, and set BurnedInAnnotation to NO";
        return Err(FileError::at(path)
            .place("BurnedInAnnotation")
            .found("YES")
            .expected("pixels without text")
            .hint(hint));
    }
    let mut clean = how.clean(&dataset, false);
    how.add_marks(&mut clean);
    // A deflated file is written plainly: its transfer syntax is no property of its pixels.
    let syntax = if envelope.transfer_syntax == DEFLATED {
        "1.2.840.10008.1.2.1"
    } else {
        &envelope.transfer_syntax
    };
    let mut out = vec![0; 128];
    out.extend(b"DICM");
    write_dataset(&meta(&clean, syntax), EXPLICIT, &mut out);
    // Numbers keep their byte order, whatever the transfer syntax says.
    let same_order = envelope.declared.big_endian == envelope.encoding.big_endian;
    write_dataset(
        &clean,
        if same_order {
            envelope.declared
        } else {
            envelope.encoding
        },
        &mut out,
    );
    Ok(out)
}

/// What names the patient and the images of a file; `path` is for messages.
///
/// # Errors
/// [`FileError`] for a damaged file.
pub fn identity(bytes: &[u8], path: &Path) -> Result<Identity, FileError> {
    const DIRECTORY: &str = "1.2.840.10008.1.3.10";
    let envelope = Envelope::open(bytes, path)?;
    let dataset = envelope.dataset()?;
    let text = |group, element| dataset.text(Tag(group, element)).unwrap_or_default().trim().to_string();
    let uids = [text(0x0008, 0x0018), text(0x0020, 0x000D), text(0x0020, 0x000E)];
    Ok(Identity {
        id: text(0x0010, 0x0020),
        is_binding: true,
        names: vec![text(0x0010, 0x0010)],
        uids: uids.into_iter().filter(|uid| !uid.is_empty()).collect(),
        is_index: bytes
            .get(..1024)
            .unwrap_or(bytes)
            .array_windows()
            .any(|window: &[u8; 20]| window == DIRECTORY.as_bytes()),
    })
}

/// [`deidentify`] with shifted dates.
///
/// # Errors
/// Those of [`deidentify`].
pub fn strip(bytes: &[u8], path: &Path, options: &StripOptions) -> Result<Stripped, FileError> {
    let how = Deidentification {
        key: options.key,
        pseudonym: options.pseudonym,
        shift_days: Some(options.shift_days),
    };
    Ok(Stripped {
        bytes: deidentify(bytes, path, how)?,
        sort: "DICOM",
        done: vec!["PS3.15 Basic Profile", "dates shifted", "pixels not looked at"],
        texts: Vec::new(),
    })
}

impl Deidentification<'_> {
    fn clean<'b>(&self, dataset: &Dataset<'b>, nested: bool) -> Dataset<'b> {
        let element = |element: &Element<'b>| {
            let new = |text: String| Some(text_element(element.tag, &element.vr, text));
            match (action(element.tag, element.vr, nested), &element.value) {
                (Action::Remove, _) => None,
                (Action::Keep, _) => Some(element.clone()),
                (Action::Empty, _) => new(String::new()),
                (Action::Pseudonym, _) => new(self.pseudonym.into()),
                // Items of unknown representation are little-endian even in a big-endian file, and go.
                (Action::Items, Value::Items(items))
                    if items
                        .iter()
                        .all(|item| item.encoding.big_endian == dataset.encoding.big_endian) =>
                {
                    let items = items.iter().map(|item| self.clean(item, true)).collect();
                    Some(Element {
                        value: Value::Items(items),
                        ..element.clone()
                    })
                }
                (Action::Uid, _) => new(each(dataset, element.tag, |uid| self.uid(uid))),
                (Action::Date, _) => new(each(dataset, element.tag, |date| self.date(date))),
                (Action::Time, _) => match self.shift_days {
                    Some(_) => new(each(dataset, element.tag, |time| {
                        if is_time(time) { time.into() } else { String::new() }
                    })),
                    None => new(String::new()),
                },
                (Action::Items, _) => None,
            }
        };
        Dataset {
            encoding: dataset.encoding,
            elements: dataset.elements.iter().filter_map(element).collect(),
        }
    }

    /// The new UID: `2.25.` and 128 bits of a keyed hash as a decimal number (PS3.5 B.2).
    pub fn uid(&self, uid: &str) -> String {
        let is_standard = uid.starts_with(STANDARD) && uid.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if uid.is_empty() || is_standard {
            return uid.into();
        }
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key) else {
            return String::new();
        };
        mac.update(b"uid:");
        mac.update(uid.as_bytes());
        let hash = mac.finalize().into_bytes();
        let number = hash
            .iter()
            .take(16)
            .fold(0u128, |number, &byte| number << 8 | u128::from(byte));
        format!("2.25.{number}")
    }

    /// `YYYYMMDD`, or that with a time behind it; what is less than a date becomes empty.
    fn date(&self, text: &str) -> String {
        let parse = |text: &str| {
            let (day, rest) = text.split_at_checked(8)?;
            let date = NaiveDate::parse_from_str(day, "%Y%m%d").ok()?;
            let date = date.checked_add_signed(TimeDelta::try_days(self.shift_days?)?)?;
            (rest.is_empty() || is_time(rest)).then(|| format!("{}{rest}", date.format("%Y%m%d")))
        };
        parse(text).unwrap_or_default()
    }

    /// Says what was done (PS3.15 E.1.1), and names the patient where the file did not.
    fn add_marks(&self, dataset: &mut Dataset) {
        let (times, option) = match self.shift_days {
            Some(_) => ("MODIFIED", "; dates shifted"),
            None => ("REMOVED", ""),
        };
        let method = format!("PS3.15 Basic Profile{option}");
        let marks = [
            (Tag(0x0010, 0x0010), b"PN", self.pseudonym),
            (Tag(0x0010, 0x0020), b"LO", self.pseudonym),
            (Tag(0x0012, 0x0062), b"CS", "YES"),
            (Tag(0x0012, 0x0063), b"LO", &method),
            (Tag(0x0028, 0x0303), b"CS", times),
        ];
        for (tag, vr, text) in marks {
            dataset.elements.retain(|element| element.tag != tag);
            dataset.elements.push(text_element(tag, vr, text.into()));
        }
        dataset.elements.sort_by_key(|element| element.tag);
    }
}

/// Applies `change` to each value of an element.
fn each(dataset: &Dataset, tag: Tag, change: impl Fn(&str) -> String) -> String {
    let text = dataset.text(tag).unwrap_or_default();
    text.split('\\')
        .map(|value| change(value.trim_matches([' ', '\0'])))
        .collect::<Vec<_>>()
        .join("\\")
}

/// Digits with a fraction and an offset from UTC.
fn is_time(text: &str) -> bool {
    text.len() <= 21
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'-' | b':'))
}

fn text_element<'b>(tag: Tag, vr: &[u8; 2], text: String) -> Element<'b> {
    let mut bytes = text.into_bytes();
    if bytes.len() % 2 == 1 {
        bytes.push(if vr == b"UI" { 0 } else { b' ' });
    }
    Element {
        tag,
        vr: *vr,
        value: Value::Bytes(Cow::Owned(bytes)),
    }
}

/// File meta information of PS3.10 7.1, without the name of whoever wrote the file.
fn meta<'b>(dataset: &Dataset, transfer_syntax: &str) -> Dataset<'b> {
    let uid = |tag, from: Tag| text_element(tag, b"UI", dataset.text(from).unwrap_or_default());
    let bytes = |tag, vr: &[u8; 2], bytes: &[u8]| Element {
        tag,
        vr: *vr,
        value: Value::Bytes(Cow::Owned(bytes.to_vec())),
    };
    let mut elements = vec![
        bytes(Tag(2, 1), b"OB", &[0, 1]),
        uid(Tag(2, 2), Tag(0x0008, 0x0016)),
        uid(Tag(2, 3), Tag(0x0008, 0x0018)),
        text_element(Tag(2, 0x10), b"UI", transfer_syntax.into()),
        // A UUID of this program.
        text_element(
            Tag(2, 0x12),
            b"UI",
            "2.25.95834621904728611307421508871406293842".into(),
        ),
    ];
    let mut written = Vec::new();
    write_dataset(
        &Dataset {
            encoding: EXPLICIT,
            elements: elements.clone(),
        },
        EXPLICIT,
        &mut written,
    );
    elements.insert(0, bytes(Tag(2, 0), b"UL", &(written.len() as u32).to_le_bytes()));
    Dataset {
        encoding: EXPLICIT,
        elements,
    }
}

fn write_dataset(dataset: &Dataset, encoding: Encoding, out: &mut Vec<u8>) {
    let u16 = |value: u16| {
        if encoding.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let u32 = |value: usize| {
        let value = u32::try_from(value).unwrap_or(u32::MAX);
        if encoding.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let item = |tag: Tag, length: usize, out: &mut Vec<u8>| {
        out.extend([u16(tag.0), u16(tag.1)].concat());
        out.extend(u32(length));
    };
    for element in &dataset.elements {
        out.extend([u16(element.tag.0), u16(element.tag.1)].concat());
        let mut value = Vec::new();
        // A length of all ones stands for fragments, which end with a mark.
        let length = match &element.value {
            Value::Bytes(bytes) => {
                value.extend_from_slice(bytes);
                bytes.len()
            }
            Value::Items(items) => {
                for content in items {
                    let mut bytes = Vec::new();
                    write_dataset(content, encoding, &mut bytes);
                    item(Tag(0xFFFE, 0xE000), bytes.len(), &mut value);
                    value.extend(bytes);
                }
                value.len()
            }
            Value::Fragments(fragments) => {
                for fragment in fragments {
                    item(Tag(0xFFFE, 0xE000), fragment.len(), &mut value);
                    value.extend_from_slice(fragment);
                }
                item(Tag(0xFFFE, 0xE0DD), 0, &mut value);
                usize::MAX
            }
        };
        if encoding.explicit {
            // Implicit values may be longer than a short representation can say.
            let fits = !is_short(element.vr) || length <= usize::from(u16::MAX);
            let vr = if fits { element.vr } else { *b"UN" };
            out.extend(vr);
            if is_short(vr) {
                out.extend(u16(length as u16));
            } else {
                out.extend([0, 0]);
                out.extend(u32(length));
            }
        } else {
            out.extend(u32(length));
        }
        out.extend(value);
    }
}
