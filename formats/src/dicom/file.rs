//! The envelope of a data set: preamble, file meta information, transfer syntax.

use std::borrow::Cow;
use std::io::Read as _;
use std::path::Path;

use super::dataset::{Dataset, EXPLICIT, EXPLICIT_BIG_ENDIAN, Encoding, IMPLICIT, Parser, Tag};
use crate::{FileError, Warning, WarningCode};

const TRANSFER_SYNTAX: Tag = Tag(0x0002, 0x0010);
/// The most that deflate can make of a byte, and the most that is taken.
const DEFLATE_RATIO: u64 = 1032;
const MAX_INFLATED: u64 = 1 << 31;

/// A file before its data set is read.
pub(super) struct Envelope<'b> {
    pub path: &'b Path,
    /// UID of the transfer syntax; a guess where the file does not tell.
    pub transfer_syntax: String,
    /// How the data set is written.
    pub encoding: Encoding,
    /// How it should be, by its transfer syntax.
    pub declared: Encoding,
    /// Bytes of the data set, inflated.
    pub body: Cow<'b, [u8]>,
    pub warnings: Vec<Warning>,
}

impl<'b> Envelope<'b> {
    pub fn open(bytes: &'b [u8], path: &'b Path) -> Result<Self, FileError> {
        let has_preamble = bytes.get(128..132) == Some(b"DICM");
        let start = if has_preamble { 132 } else { 0 };
        let parser = Parser {
            bytes,
            path,
            encoding: EXPLICIT,
        };
        let is_meta = |tag: Tag| tag.0 == 2;
        let starts_with_meta = has_preamble || bytes.get(..2) == Some(&[2, 0]);
        let (meta, body_at) = if starts_with_meta {
            parser.dataset(start, bytes.len(), false, 0, is_meta)?
        } else {
            (
                Dataset {
                    encoding: EXPLICIT,
                    elements: Vec::new(),
                },
                0,
            )
        };
        let raw = bytes.get(body_at..).unwrap_or_default();
        let mut warnings = Vec::new();
        let mut warn = |text: &str| warnings.push(Warning::new(WarningCode::OddHeader, text));
        if !has_preamble {
            warn("the file has no preamble `DICM` of 128 bytes");
        }
        let (transfer_syntax, declared) = match meta.text(TRANSFER_SYNTAX) {
            Some(uid) => {
                let encoding = match uid.as_str() {
                    "1.2.840.10008.1.2" => IMPLICIT,
                    "1.2.840.10008.1.2.2" => EXPLICIT_BIG_ENDIAN,
                    _ => EXPLICIT,
                };
                (uid, encoding)
            }
            None => {
                let guess = guess(raw).ok_or_else(|| {
                    let start = raw.get(..8).unwrap_or(raw);
                    parser
                        .error(body_at)
                        .found(format!("bytes {start:02x?}"))
                        .expected("the first element of a data set, or `DICM` at byte 128")
                })?;
                warn("the file does not tell its transfer syntax; it was guessed");
                guess
            }
        };
        let body = if transfer_syntax == "1.2.840.10008.1.2.1.99" {
            inflate(raw, path)?
        } else {
            Cow::Borrowed(raw)
        };
        // Some writers compress the pixels and leave the data set implicit.
        let encoding = match guess(&body) {
            Some((_, found)) if found != declared => {
                warn("the data set is not encoded as its transfer syntax says");
                found
            }
            _ => declared,
        };
        Ok(Self {
            path,
            transfer_syntax,
            encoding,
            declared,
            body,
            warnings,
        })
    }

    pub fn dataset(&self) -> Result<Dataset<'_>, FileError> {
        let parser = Parser {
            bytes: &self.body,
            path: self.path,
            encoding: self.encoding,
        };
        Ok(parser.dataset(0, self.body.len(), false, 0, |_| true)?.0)
    }
}

/// The first group of a data set is a small number, and an explicit representation is two capitals.
fn guess(bytes: &[u8]) -> Option<(String, Encoding)> {
    let &[first, second, _, _, vr0, vr1, ..] = bytes else {
        return None;
    };
    let explicit = vr0.is_ascii_uppercase() && vr1.is_ascii_uppercase();
    let (uid, encoding) = match (first, second, explicit) {
        (2..=0x20, 0, true) => ("1.2.840.10008.1.2.1", EXPLICIT),
        (2..=0x20, 0, false) => ("1.2.840.10008.1.2", IMPLICIT),
        (0, 2..=0x20, true) => ("1.2.840.10008.1.2.2", EXPLICIT_BIG_ENDIAN),
        _ => return None,
    };
    Some((uid.into(), encoding))
}

fn inflate<'b>(bytes: &[u8], path: &Path) -> Result<Cow<'b, [u8]>, FileError> {
    let most = (bytes.len() as u64 * DEFLATE_RATIO).min(MAX_INFLATED);
    let mut inflated = Vec::new();
    let result = flate2::read::DeflateDecoder::new(bytes)
        .take(most)
        .read_to_end(&mut inflated);
    result.map_err(|error| {
        FileError::at(path)
            .place("deflated data set")
            .found(error)
            .expected("a deflate stream")
            .hint("the file is damaged or cut off; fetch it again")
    })?;
    Ok(Cow::Owned(inflated))
}
