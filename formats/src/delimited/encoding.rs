//! Bytes as text: UTF-8, UTF-16 in both byte orders with or without a mark, and windows-1252.
//!
//! Different bytes stay different: nothing becomes U+FFFD. What is in none of these encodings, or in a mixture of them, is an
//! error with its line.

use std::borrow::Cow;
use std::path::Path;

use encoding_rs::{UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::FileError;
use crate::format::HEAD_BYTES;

/// The encoding of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without a byte-order mark.
    Utf8,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
    /// What Windows in Western Europe and America calls ANSI: Latin-1 with letters in place of its control codes.
    Windows1252,
}

/// Bytes that are looked at to tell UTF-16 without a mark.
const SAMPLE_BYTES: usize = 4096;

/// Bytes that windows-1252 does not use.
const UNUSED: [u8; 5] = [0x81, 0x8d, 0x8f, 0x90, 0x9d];

impl Encoding {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16, low byte first",
            Self::Utf16Be => "UTF-16, high byte first",
            Self::Windows1252 => "windows-1252",
        }
    }
}

/// The text without its byte-order mark, and its encoding; `file` is for messages.
///
/// # Errors
/// [`FileError`] with the line of a NUL, of a byte that no encoding knows, and of UTF-8 and other text in one file.
pub fn decode<'b>(bytes: &'b [u8], file: &Path) -> Result<(Cow<'b, str>, Encoding), FileError> {
    let refused = |text: &str, found: String, expected: &str| {
        FileError::at(file)
            .place(format!("line {}", 1 + num_line_ends(text)))
            .found(found)
            .expected(expected)
            .hint("save the file as text (CSV) in UTF-8")
    };
    let marked = match bytes {
        [0xff, 0xfe, ..] => Some(Encoding::Utf16Le),
        [0xfe, 0xff, ..] => Some(Encoding::Utf16Be),
        _ => unmarked_utf16(bytes),
    };
    let (text, encoding) = match marked {
        Some(encoding) => {
            let decoder = if encoding == Encoding::Utf16Le {
                UTF_16LE
            } else {
                UTF_16BE
            };
            let (text, is_broken) = decoder.decode_with_bom_removal(bytes);
            if is_broken {
                let before = text.split(char::REPLACEMENT_CHARACTER).next().unwrap_or_default();
                return Err(refused(before, "half a letter of UTF-16".into(), "whole letters"));
            }
            (text, encoding)
        }
        None => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            match std::str::from_utf8(bytes) {
                Ok(text) => (Cow::Borrowed(text), Encoding::Utf8),
                Err(error) => {
                    let text = windows_1252(bytes, error.valid_up_to())
                        .map_err(|(before, found)| refused(&before, found, "text in UTF-8, UTF-16 or windows-1252"))?;
                    (Cow::Owned(text), Encoding::Windows1252)
                }
            }
        }
    };
    match text.find('\0') {
        Some(at) => {
            let before = text.get(..at).unwrap_or_default();
            Err(refused(before, "a NUL, which no text has".into(), "text"))
        }
        None => Ok((text, encoding)),
    }
}

/// As [`decode`] of the beginning of a file, whose last letter may be cut; `None` for what is no text.
pub fn decode_head(head: &[u8]) -> Option<Cow<'_, str>> {
    let whole = match std::str::from_utf8(head) {
        Err(error) if error.error_len().is_none() => head.get(..error.valid_up_to())?,
        _ => head,
    };
    let decoded = decode(whole, Path::new(""));
    // Half a pair of surrogates, or half of one.
    let decoded = decoded.or_else(|error| decode(head.get(..head.len() / 2 * 2 - 2).ok_or(error)?, Path::new("")));
    Some(decoded.ok()?.0)
}

/// Text without control characters, from the first bytes of a file; the last line of many may be cut and does not count.
pub(crate) fn head_text(head: &[u8]) -> Option<Cow<'_, str>> {
    let text = decode_head(head)?;
    let end = match head.len() < HEAD_BYTES {
        true => text.len(),
        false => text.rfind(['\n', '\r']).unwrap_or(text.len()),
    };
    let is_control = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t' | '\u{c}');
    if text.get(..end)?.contains(is_control) {
        return None;
    }
    Some(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..end)?),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    })
}

/// Line ends of any kind; `\r\n` is one.
fn num_line_ends(text: &str) -> usize {
    let feeds = text.bytes().filter(|&byte| byte == b'\n').count();
    let pairs = text.matches("\r\n").count();
    feeds + text.bytes().filter(|&byte| byte == b'\r').count() - pairs
}

/// Western text has zeros in every second byte.
fn unmarked_utf16(bytes: &[u8]) -> Option<Encoding> {
    let sample = bytes.get(..SAMPLE_BYTES).unwrap_or(bytes);
    let zeros = |parity: usize| sample.iter().skip(parity).step_by(2).filter(|&&byte| byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let most = sample.len() / 2 * 7 / 10;
    match bytes.len().is_multiple_of(2) && sample.len() >= 4 {
        true if odd > most && even == 0 => Some(Encoding::Utf16Le),
        true if even > most && odd == 0 => Some(Encoding::Utf16Be),
        _ => None,
    }
}

/// What is no UTF-8 from byte `invalid_at` on; or the text before a byte that does not belong there, and which it is.
fn windows_1252(bytes: &[u8], invalid_at: usize) -> Result<String, (String, String)> {
    let text = |bytes: &[u8]| WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned();
    let wrong = |at: usize, what: &str| {
        let byte = bytes.get(at).copied().unwrap_or_default();
        let before = text(bytes.get(..at).unwrap_or_default());
        Err((before, format!("byte {byte:02x} (hexadecimal){what}")))
    };
    if let Some(at) = bytes.iter().position(|byte| UNUSED.contains(byte)) {
        return wrong(at, "");
    }
    // Letters of several bytes do not stand in windows-1252 by chance.
    match bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii()) {
        true => wrong(invalid_at, ", which is no UTF-8, beside letters in UTF-8"),
        false => Ok(text(bytes)),
    }
}
