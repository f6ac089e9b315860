//! WFDB records without what identifies their patient. Samples stay as they are, byte for byte.

use std::path::Path;

use super::annotations::read_annotations;
use super::beside::{header_that_names, is_header};
use crate::FileError;
use crate::strip::{Identity, StripOptions, Stripped, annotations_done, damaged};

/// Nothing: what a record says about its patient is in comments, which go.
///
/// # Errors
/// For an annotation file that is not one from the first byte to the last.
pub fn identity(bytes: &[u8], path: &Path) -> Result<Identity, FileError> {
    if !is_header(path) && header_that_names(path, true).is_none() {
        let is_whole = read_annotations(bytes, path)?.warnings.is_empty() && drop_notes(bytes).is_some();
        return is_whole
            .then(Identity::default)
            .ok_or_else(|| damaged(path, "annotations"));
    }
    Ok(Identity::default())
}

/// A header without comments, time and date and with the new names of its files; a signal file as it is, without the tags
/// of FLAC; an annotation file without its notes, unless they are kept.
///
/// # Errors
/// [`FileError`] for a header without a record line or with files that are not in its folder, and a damaged file.
pub fn strip(bytes: &[u8], path: &Path, options: &StripOptions) -> Result<Stripped, FileError> {
    let stripped = |bytes, sort, done, texts| Stripped {
        bytes,
        sort,
        done,
        texts,
    };
    if header_that_names(path, true).is_some() {
        let out = without_tags(bytes).ok_or_else(|| damaged(path, "FLAC"))?;
        return Ok(stripped(out, "WFDB signal", vec!["copied"], Vec::new()));
    }
    if is_header(path) {
        let out = clean_header(&renamed_record(bytes, path, options)?, path)?;
        if (options.names_patient)(&String::from_utf8_lossy(&out)) {
            return Err(FileError::at(path)
                .place("header")
                .found("the patient's id")
                .expected("a header without it")
                .hint("rename the record, its files and signals before"));
        }
        let done = vec!["comments, time and date dropped", "files renamed"];
        return Ok(stripped(out.clone(), "WFDB header", done, vec![out]));
    }
    let done = vec![annotations_done(options.keep_annotations)];
    if options.keep_annotations {
        let marks = read_annotations(bytes, path)?.marks;
        let texts = marks.into_iter().map(|mark| mark.text.into_bytes()).collect();
        return Ok(stripped(bytes.to_vec(), "WFDB annotations", done, texts));
    }
    let out = drop_notes(bytes).ok_or_else(|| damaged(path, "notes"))?;
    Ok(stripped(out, "WFDB annotations", done, Vec::new()))
}

/// A WFDB header (`.hea`) without comments, where ages and diagnoses stand, and without base time and date. Other
/// lines stay byte for byte.
///
/// # Errors
/// [`FileError`] when the record line is absent.
fn clean_header(bytes: &[u8], file: &Path) -> Result<Vec<u8>, FileError> {
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
    Ok(out)
}

/// A WFDB header with the new names of the record, its segments and signal files, and no more lines than announced.
fn renamed_record(bytes: &[u8], path: &Path, options: &StripOptions) -> Result<Vec<u8>, FileError> {
    let new_name = options.new_name;
    let header = path.file_name().unwrap_or_default().to_string_lossy();
    let own = new_name(&header).unwrap_or_default();
    let own = own.strip_suffix(".hea").unwrap_or(&own).to_string();
    let missing = || {
        let hint = "fetch the whole record";
        FileError::at(path)
            .place("header")
            .found("a file that is not in the folder")
            .expected("files beside the header")
            .hint(hint)
    };
    let mut out = Vec::new();
    let mut left: Option<usize> = None;
    let mut of_segments = false;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let text = line.trim_ascii();
        if text.is_empty() || text.starts_with(b"#") {
            continue;
        }
        let cut = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        let (first, rest) = text.split_at(cut);
        let first = String::from_utf8_lossy(first);
        let new = match &mut left {
            None => {
                let segments = first.split_once('/').map(|(_, count)| count.to_string());
                let second = String::from_utf8_lossy(rest)
                    .split_whitespace()
                    .next()
                    .map(String::from);
                let count = segments
                    .as_ref()
                    .or(second.as_ref())
                    .and_then(|count| count.parse().ok());
                left = Some(count.unwrap_or(0));
                of_segments = segments.is_some();
                segments.map_or(own.clone(), |count| format!("{own}/{count}"))
            }
            Some(0) => continue,
            Some(left) => {
                *left -= 1;
                match first.as_ref() {
                    "~" => "~".into(),
                    segment if of_segments => {
                        let new = new_name(&format!("{segment}.hea")).ok_or_else(missing)?;
                        new.strip_suffix(".hea").unwrap_or(&new).to_string()
                    }
                    file => new_name(file).ok_or_else(missing)?,
                }
            }
        };
        out.extend(new.bytes());
        out.extend(rest);
        out.extend(line.get(line.trim_ascii_end().len()..).unwrap_or_default());
    }
    Ok(out)
}

/// A FLAC file without the blocks that hold texts and pictures; other files as they are.
fn without_tags(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(b"fLaC") {
        return Some(bytes.to_vec());
    }
    let mut out = b"fLaC".to_vec();
    let mut rest = bytes.get(4..)?;
    let mut last_at = 0;
    loop {
        let &[kind, a, b, c] = rest.first_chunk()?;
        let (block, after) = rest.split_at_checked(4 + u32::from_be_bytes([0, a, b, c]) as usize)?;
        // STREAMINFO and SEEKTABLE.
        if matches!(kind & 0x7f, 0 | 3) {
            last_at = out.len();
            out.push(kind & 0x7f);
            out.extend(block.get(1..)?);
        }
        rest = after;
        if kind & 0x80 != 0 {
            *out.get_mut(last_at)? |= 0x80;
            out.extend(rest);
            return Some(out);
        }
    }
}

/// A WFDB annotation file without its notes; the resolution of its time and the mnemonics of its types stay. What follows
/// the end goes. `None` for a file that is cut off.
fn drop_notes(bytes: &[u8]) -> Option<Vec<u8>> {
    const NOTE: u8 = 22;
    let (mut out, mut at) = (Vec::new(), 0);
    let mut code_before = 0;
    while let Some(&word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<2>) {
        let [low, high] = word;
        let (code, value) = (high >> 2, usize::from(low) | usize::from(high & 3) << 8);
        at += 2;
        match code {
            0 if value == 0 => break,
            59 => {
                out.extend(word);
                out.extend(bytes.get(at..at + 4)?);
                at += 4;
            }
            63 => {
                let text = bytes.get(at..at + value)?;
                at += value.next_multiple_of(2);
                let kept = if code_before == NOTE { definition(text) } else { None };
                if let Some(text) = kept.filter(|text| text.len() < 1024) {
                    let [low, high] = (text.len() as u16).to_le_bytes();
                    out.extend([low, 63 << 2 | high]);
                    out.extend(text.bytes());
                    out.resize(out.len().next_multiple_of(2), 0);
                }
            }
            60..=62 => out.extend(word),
            _ => {
                code_before = code;
                out.extend(word);
            }
        }
    }
    out.extend([0, 0]);
    Some(out)
}

/// The part of a note that readers need.
fn definition(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?.trim_end_matches('\0');
    if let Some(rate) = text.strip_prefix("## time resolution:") {
        return rate.trim().parse::<f64>().ok().map(|_| text.to_string());
    }
    if matches!(text, "## annotation type definitions" | "## end of definitions") {
        return Some(text.to_string());
    }
    let mut fields = text.split_whitespace();
    let (code, symbol) = (fields.next()?.parse::<u8>().ok()?, fields.next()?);
    (code < 59 && symbol.len() <= 4).then(|| format!("{code} {symbol}"))
}
