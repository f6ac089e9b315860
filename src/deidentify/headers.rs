//! Headers of signal files. Samples stay as they are, byte for byte.

use std::path::Path;

use chrono::{Datelike as _, NaiveDate};

use super::known::KnownIds;
use super::{Deidentifier, dates};
use crate::base::FileError;

impl Deidentifier {
    /// A WFDB header (`.hea`) without comments, where ages and diagnoses stand, and without base time and date. Other
    /// lines stay byte for byte.
    ///
    /// # Errors
    /// [`FileError`] when the record line is absent, or the patient's id stands in what is left: the record's
    /// name, or that of a file or signal.
    pub fn wfdb_header(&self, patient: &str, bytes: &[u8], file: &Path) -> Result<Vec<u8>, FileError> {
        let mut out = Vec::new();
        let mut has_record = false;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let text = line.trim_ascii();
            if text.starts_with(b"#") {
                continue;
            }
            if has_record || text.is_empty() {
                out.extend_from_slice(line);
                continue;
            }
            has_record = true;
            // name signals rate samples | time date
            let mut fields = text.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
            let kept: Vec<&[u8]> = fields.by_ref().take(4).collect();
            if fields.next().is_none() {
                out.extend_from_slice(line);
                continue;
            }
            out.extend(kept.join(&b' '));
            let end = line.len() - line.trim_ascii_end().len();
            out.extend_from_slice(line.get(line.len() - end..).unwrap_or_default());
        }
        if !has_record {
            let hint = "is this the header of a WFDB record?";
            return Err(FileError::at(file)
                .place("line 1")
                .found("no record line")
                .expected("name, number of signals, rate")
                .hint(hint));
        }
        let text = String::from_utf8_lossy(&out);
        let mut id = KnownIds::default();
        id.add(patient, "");
        match id.stands_in(&text) || (super::is_distinctive(patient) && text.contains(patient)) {
            false => Ok(out),
            true => {
                let hint = "rename the record, its files and signals before";
                Err(FileError::at(file)
                    .place("header")
                    .found("the patient's id")
                    .expected("a header without it")
                    .hint(hint))
            }
        }
    }

    /// The header of an EDF, EDF+ or BDF file, in place: the patient becomes the pseudonym, the recording keeps its
    /// shifted date only, the start date is shifted; times of day stay. All other bytes stay. Tells whether the file
    /// has a signal of annotations, whose texts are not touched and may identify.
    ///
    /// # Errors
    /// [`FileError`] when the header is cut off or its start date is none; `bytes` are then what they were.
    pub fn edf_header(&self, patient: &str, bytes: &mut [u8], file: &Path) -> Result<bool, FileError> {
        let hint = "is this a whole EDF or BDF file?";
        let Some(header) = bytes.first_chunk_mut::<256>() else {
            return Err(FileError::at(file)
                .place("byte 0")
                .found("less than 256 bytes")
                .expected("a header")
                .hint(hint));
        };
        let (version, rest) = header.split_at_mut(8);
        let (patient_field, rest) = rest.split_at_mut(80);
        let (recording_field, rest) = rest.split_at_mut(80);
        let (date_field, rest) = rest.split_at_mut(8);
        if version != b"0       " && version != b"\xffBIOSEMI" {
            return Err(FileError::at(file)
                .place("byte 0")
                .found("another format")
                .expected("`0` or BIOSEMI")
                .hint(hint));
        }
        let date = std::str::from_utf8(date_field).ok().and_then(two_digit_date);
        let moved = date.and_then(|date| dates::move_date(date, self.shift_days(patient)));
        let moved = moved.ok_or_else(|| {
            FileError::at(file)
                .place("byte 168")
                .found("no date")
                .expected("a start date, dd.mm.yy")
                .hint(hint)
        })?;
        let is_plus = rest.get(16..20).is_some_and(|kind| kind == b"EDF+" || kind == b"BDF+");
        let signals = rest
            .get(76..80)
            .and_then(|field| std::str::from_utf8(field).ok()?.trim().parse::<usize>().ok());
        let pseudonym = self.pseudonym(patient);
        // EDF+ has subfields: code, sex, birth date, name; and `Startdate`, code, technician, equipment.
        fill(
            patient_field,
            &if is_plus {
                format!("{pseudonym} X X X")
            } else {
                pseudonym
            },
        );
        let recording = format!("Startdate {:02}-{}-{} X X X", moved.day(), month(moved), moved.year());
        fill(recording_field, if is_plus { &recording } else { "" });
        fill(
            date_field,
            &format!("{:02}.{:02}.{:02}", moved.day(), moved.month(), moved.year() % 100),
        );
        let labels = bytes
            .get(256..)
            .unwrap_or_default()
            .chunks_exact(16)
            .take(signals.unwrap_or(0));
        Ok(labels
            .map(<[u8]>::trim_ascii_end)
            .any(|label| label.ends_with(b" Annotations")))
    }
}

/// `dd.mm.yy` of the years 1985 to 2084.
fn two_digit_date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split('.').map(|part| part.trim().parse::<u32>().ok());
    let (day, month, year) = (parts.next()??, parts.next()??, parts.next()??);
    let century = if year >= 85 { 1900 } else { 2000 };
    NaiveDate::from_ymd_opt(century + i32::try_from(year).ok()?, month, day)
}

/// As EDF+ has it: English, in capitals.
fn month(date: NaiveDate) -> String {
    date.format("%b").to_string().to_ascii_uppercase()
}

/// Text from the left, then spaces.
pub(super) fn fill(field: &mut [u8], text: &str) {
    let bytes = text.bytes().chain(std::iter::repeat(b' '));
    field.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
}
