//! One format: how it is told from others, read, and rid of what identifies a person.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::FileError;
use crate::blocks::SignalBlocks;
use crate::contents::Contents;
use crate::keypoints::openpose::Person;
use crate::strip::Deidentify;

/// Bytes that must stand at places of a file, all of them.
pub type Signature = &'static [(usize, &'static [u8])];

/// Function that returns the bytes of a file as they are on disk.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> Result<Vec<u8>, FileError>;

/// Reader of several files as one sequence.
pub type ReadMany = fn(&[(PathBuf, Vec<u8>)], Person) -> Result<Contents, FileError>;

/// Opener of a file that is read in blocks of at most about so many bytes; `None` for one that has to be read whole.
pub type ReadBlocks = fn(&Path, usize) -> Result<Option<SignalBlocks>, FileError>;

/// The beginning of a file after decompression: its first 16 KiB, as many as the first lines of a wide table take, or all of it.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// The same as text, up to the last whole line; none where it is not UTF-8 or has control characters.
    pub text: Option<&'a str>,
}

/// Bytes of a [`Head`]: the signature of each format lies in the first 512, and texts show their columns.
pub(crate) const HEAD_BYTES: usize = 16 << 10;
/// Enough for the first lines of a text of a hundred thousand columns.
pub(crate) const MAX_HEAD_BYTES: usize = 4 << 20;

impl<'a> Head<'a> {
    /// The head of a file from its first bytes, decompressed.
    pub fn new(bytes: &'a [u8]) -> Self {
        let bytes = bytes.get(..MAX_HEAD_BYTES).unwrap_or(bytes);
        Self {
            bytes,
            text: text(bytes),
        }
    }
}

/// UTF-8 without control characters; a letter cut in two at the end, and the line that it stands in, do not count.
fn text(head: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(head.get(..error.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let whole = if head.len() < HEAD_BYTES {
        text.len()
    } else {
        text.rfind('\n').unwrap_or(text.len())
    };
    let is_control = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t' | '\u{c}');
    text.get(..whole).filter(|text| !text.contains(is_control))
}

/// A file to be read.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// All of its bytes, decompressed unless the format does that itself.
    pub bytes: &'a [u8],
    /// Its path, for messages and for the files beside it.
    pub path: &'a Path,
    /// Reads the files beside it.
    pub read_file: ReadFile<'a>,
}

/// A row of the registry.
pub struct Format {
    /// Name in messages and reports; no two formats share one.
    pub name: &'static str,
    /// Variants and extensions, as documents list them.
    pub reads: &'static str,
    /// Signatures that no other content has by chance.
    pub signatures: &'static [Signature],
    /// Whether a file without any known signature is of this format.
    pub sniff: fn(&Head) -> bool,
    /// Whether a file without a known signature belongs to a recording of this format, by what lies beside it. The flag
    /// says that its content looks like some format.
    pub owns: fn(&Path, &Head, bool) -> bool,
    /// Everything in the file.
    pub read: fn(&Input) -> Result<Contents, FileError>,
    /// Several files as one sequence, in its order; none for formats whose files stand alone.
    pub read_many: Option<ReadMany>,
    /// Reads the signals of a long recording in blocks; none for formats that are read whole.
    pub blocks: Option<ReadBlocks>,
    /// The files beside one that reading it may open, whether they are there or not.
    pub files_beside: fn(&Path) -> BTreeSet<PathBuf>,
    /// Whether `read` takes compressed bytes and decompresses no more than it needs.
    pub inflates: bool,
    /// How what identifies a person is removed.
    pub deidentify: Deidentify,
}

impl Format {
    /// A format that stands alone in its files and has no signature; the other columns are set by `..`.
    pub const fn new(name: &'static str, reads: &'static str, read: fn(&Input) -> Result<Contents, FileError>) -> Self {
        Self {
            name,
            reads,
            signatures: &[],
            sniff: |_| false,
            owns: |_, _, _| false,
            read,
            read_many: None,
            blocks: None,
            files_beside: |_| BTreeSet::new(),
            inflates: false,
            deidentify: Deidentify::Unknown,
        }
    }

    /// Whether one of the signatures stands at the beginning.
    pub fn has_signature(&self, head: &[u8]) -> bool {
        self.signatures.iter().any(|signature| holds(signature, head))
    }
}

/// Whether all bytes of a signature stand where they should.
pub(crate) fn holds(signature: Signature, head: &[u8]) -> bool {
    signature
        .iter()
        .all(|(at, magic)| head.get(*at..).is_some_and(|rest| rest.starts_with(magic)))
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Format {}

impl PartialOrd for Format {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Format {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(other.name)
    }
}

impl Hash for Format {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
