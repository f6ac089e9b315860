//! EDF, EDF+ and BDF files without what identifies their patient. Samples stay as they are, byte for byte.

use std::path::Path;

use chrono::{Datelike as _, NaiveDate, TimeDelta};

use super::read;
use crate::FileError;
use crate::strip::{Identity, StripOptions, Stripped, annotations_done, damaged};

/// What the header says about its patient: code and name.
///
/// # Errors
/// None; a header that is cut off says nothing.
pub fn identity(bytes: &[u8], _: &Path) -> Result<Identity, FileError> {
    let field = String::from_utf8_lossy(bytes.get(8..88).unwrap_or_default())
        .trim()
        .to_string();
    let mut fields = field.split_whitespace();
    let id = fields
        .next()
        .filter(|code| *code != "X")
        .unwrap_or_default()
        .to_string();
    let is_plus = matches!(bytes.get(192..196), Some(b"EDF+" | b"BDF+"));
    // EDF+ has sex and birth date between code and name.
    let names = fields.skip(if is_plus { 2 } else { 0 }).map(String::from).collect();
    Ok(Identity {
        id,
        names,
        ..Identity::default()
    })
}

/// The file with the pseudonym, shifted dates and no free text; texts of annotations stay if asked for.
///
/// # Errors
/// [`FileError`] for a header that does not hold.
pub fn strip(bytes: &[u8], path: &Path, options: &StripOptions) -> Result<Stripped, FileError> {
    let mut out = bytes.to_vec();
    let has_marks = clean_header(&mut out, path, options.pseudonym, options.shift_days)?;
    clean_texts(&mut out, options.keep_annotations).ok_or_else(|| damaged(path, "header"))?;
    let header_bytes = out.len().min(256 * (1 + num_signals(&out)));
    let mut texts = vec![out.get(..header_bytes).unwrap_or_default().to_vec()];
    let mut done = vec!["patient and recording replaced", "dates shifted", "transducers dropped"];
    if has_marks {
        done.push(annotations_done(options.keep_annotations));
        if options.keep_annotations {
            let found = read(&out, path)?.annotations;
            texts.extend(found.into_iter().map(|mark| mark.text.into_bytes()));
        }
    }
    Ok(Stripped {
        bytes: out,
        sort: "EDF",
        done,
        texts,
    })
}

fn num_signals(bytes: &[u8]) -> usize {
    let field = bytes.get(252..256).and_then(|field| std::str::from_utf8(field).ok());
    field.and_then(|field| field.trim().parse().ok()).unwrap_or(0)
}

/// The header of an EDF, EDF+ or BDF file, in place: the patient becomes the pseudonym, the recording keeps its
/// shifted date only, the start date is shifted; times of day stay. All other bytes stay. Tells whether the file
/// has a signal of annotations, whose texts are not touched and may identify.
///
/// # Errors
/// [`FileError`] when the header is cut off or its start date is none; `bytes` are then what they were.
pub fn clean_header(bytes: &mut [u8], file: &Path, pseudonym: &str, shift_days: i64) -> Result<bool, FileError> {
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
    let moved = date.and_then(|date| date.checked_add_signed(TimeDelta::try_days(shift_days)?));
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
    // EDF+ has subfields: code, sex, birth date, name; and `Startdate`, code, technician, equipment.
    fill(
        patient_field,
        &if is_plus {
            format!("{pseudonym} X X X")
        } else {
            pseudonym.to_string()
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

/// An EDF, EDF+ or BDF file whose header is cleaned already, without free text: transducers, reserved fields and what
/// follows the last record go, and annotations unless `keep`; the time of each record stays. `None` for a header that does
/// not hold.
fn clean_texts(bytes: &mut Vec<u8>, keep: bool) -> Option<()> {
    let number = |bytes: &[u8], at: usize, width: usize| -> Option<i64> {
        std::str::from_utf8(bytes.get(at..at + width)?)
            .ok()?
            .trim()
            .trim_start_matches('+')
            .parse()
            .ok()
    };
    let num_signals = usize::try_from(number(bytes, 252, 4)?).ok()?;
    let num_records = number(bytes, 236, 8)?;
    let header_bytes = 256 * (num_signals + 1);
    let wide = bytes.first() == Some(&0xff);
    let field = |offset: usize, width: usize, index: usize| 256 + offset * num_signals + width * index;
    let mut signals = Vec::new();
    let mut offset = 0;
    for index in 0..num_signals {
        let samples = usize::try_from(number(bytes, field(216, 8, index), 8)?).ok()?;
        let end = samples
            .checked_mul(if wide { 3 } else { 2 })
            .and_then(|length| length.checked_add(offset))?;
        let label = bytes.get(field(0, 16, index)..)?.get(..16)?;
        signals.push((offset..end, label.trim_ascii_end().ends_with(b" Annotations")));
        offset = end;
        fill(bytes.get_mut(field(16, 80, index)..)?.get_mut(..80)?, "");
        fill(bytes.get_mut(field(224, 32, index)..)?.get_mut(..32)?, "");
    }
    // `EDF+C` and the like, `24BIT`; the rest is free.
    let reserved = bytes.get_mut(192..236)?;
    let known: &[&[u8]] = &[b"EDF+C", b"EDF+D", b"BDF+C", b"BDF+D", b"24BIT"];
    let kept = if known.iter().any(|kind| reserved.starts_with(kind)) {
        5
    } else {
        0
    };
    fill(reserved.get_mut(kept..)?, "");
    bytes.get(..header_bytes)?;
    let data_bytes = bytes.len() - header_bytes;
    let records = data_bytes.checked_div(offset).unwrap_or(0);
    let records = usize::try_from(num_records).map_or(records, |promised| promised.min(records));
    bytes.truncate(header_bytes + records * offset);
    if !keep && offset > 0 {
        for record in bytes.get_mut(header_bytes..)?.chunks_exact_mut(offset) {
            for (index, (range, _)) in signals.iter().filter(|(_, marks)| *marks).enumerate() {
                drop_texts(record.get_mut(range.clone())?, index == 0);
            }
        }
    }
    Some(())
}

/// Keeps the time of the record, which the first list of the first signal holds.
fn drop_texts(lists: &mut [u8], has_time: bool) {
    let time: Vec<u8> = lists
        .iter()
        .copied()
        .take_while(|&byte| byte != 0x14 && byte != 0x15)
        .collect();
    let signed = matches!(time.first(), Some(b'+' | b'-'));
    let number = signed && time.iter().skip(1).all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let first = lists.get(time.len()..time.len() + 2) == Some(b"\x14\x14");
    let kept = if has_time && first && number {
        [&time[..], b"\x14\x14"].concat()
    } else {
        Vec::new()
    };
    let bytes = kept.into_iter().chain(std::iter::repeat(0));
    lists.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
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
fn fill(field: &mut [u8], text: &str) {
    let bytes = text.bytes().chain(std::iter::repeat(b' '));
    field.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
}
