//! Any file: its format by its bytes, its reader by its format.

mod folder;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::FileError;
use crate::blocks::SignalBlocks;
use crate::contents::Contents;
use crate::delimited::encoding::head_text;
use crate::file::{open_regular, read_regular};
use crate::format::{Format, HEAD_BYTES, Input, MAX_HEAD_BYTES, ReadFile};
use crate::keypoints::Person;
use crate::registry::{FORMATS, detect, reader_of};

/// What a compressed file may grow to.
pub const MAX_INFLATED_BYTES: u64 = 8 << 30;

/// Reads a file of any supported format, compressed by gzip or not, or a folder: a sequence of images, a DICOM series or
/// the frames of OpenPose.
///
/// A WFDB record may be named by its header, by one of its signal or annotation files, or without extension.
///
/// # Errors
/// [`FileError`] for what cannot be read from disk, for a format that is not read, with what it looks like and how to convert
/// it, and whatever the format's own reader finds wrong.
pub fn open(path: &Path) -> Result<Contents, FileError> {
    if path.is_dir() {
        return folder::open(path);
    }
    let record = path.with_file_name(format!(
        "{}.hea",
        path.file_name().unwrap_or_default().to_string_lossy()
    ));
    let path = match !path.exists() && record.is_file() {
        true => &record,
        false => path,
    };
    // Of a large file that no reader knows, no more than the beginning is read.
    let format = reader_of(&head(path)?, path)?;
    read(format, &read_file(path)?, path, &read_file)
}

/// As [`open`] of a file, through a function that returns a file's bytes.
///
/// # Errors
/// Those of [`open`] and of `read_file`.
pub fn open_with(path: &Path, read_file: ReadFile) -> Result<Contents, FileError> {
    let bytes = read_file(path)?;
    read(reader_of(&head_of(&bytes), path)?, &bytes, path, read_file)
}

fn read(format: &Format, bytes: &[u8], path: &Path, read_file: ReadFile) -> Result<Contents, FileError> {
    let inflated = match is_gzip(bytes) && !format.inflates {
        true => Some(inflate(bytes, path, MAX_INFLATED_BYTES)?),
        false => None,
    };
    (format.read)(&Input {
        bytes: inflated.as_deref().unwrap_or(bytes),
        path,
        read_file,
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>, FileError> {
    read_regular(path)
}

/// Opens the signals of a file to be read in blocks, each from at most about `max_bytes` of the file, so that a recording may be
/// longer than memory. `None` where the file has to be read whole: compressed files, records of segments and in FLAC, and all
/// formats but EDF, BDF and the header of a WFDB record.
///
/// # Errors
/// Errors of [`open`], as far as they do not concern samples.
pub fn blocks(path: &Path, max_bytes: usize) -> Result<Option<SignalBlocks>, FileError> {
    let mut start = Vec::new();
    open_regular(path)?
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut start)
        .map_err(FileError::io(path, "read"))?;
    if is_gzip(&start) {
        return Ok(None);
    }
    match detect(&start, path)?.blocks {
        Some(blocks) => blocks(path, max_bytes),
        None => Ok(None),
    }
}

/// The files beside one that reading it may open, whether they are there or not: all of a WFDB record for its header or its
/// annotations, the values of a NIfTI pair for its header. None where the file names none that make sense.
pub fn parts_of(path: &Path) -> BTreeSet<PathBuf> {
    let format = head(path).and_then(|head| reader_of(&head, path));
    format.map_or(BTreeSet::new(), |format| (format.files_beside)(path))
}

/// The files of one series or sequence: images, slices of a DICOM volume, frames of OpenPose, of which `person` is taken.
///
/// # Errors
/// [`FileError`] when they are none of these, and those of the format's reader.
pub fn open_files(files: &[(PathBuf, Vec<u8>)], person: Person) -> Result<Contents, FileError> {
    let formats = files
        .iter()
        .map(|(path, bytes)| detect(&head_of(bytes), path))
        .collect::<Result<BTreeSet<_>, _>>()?;
    if let Some(read_many) = folder::sequence_of(&formats) {
        return read_many(files, person);
    }
    let names: Vec<_> = formats.iter().map(|format| format.name).collect();
    Err(FileError::at(files.first().map_or(Path::new(""), |(path, _)| path))
        .place("files of one session")
        .found(names.join(", "))
        .expected(folder::SEQUENCES)
        .hint("let the pattern match one file per session"))
}

/// The first bytes of a file on disk, after decompression: 16 KiB, or as many as the first lines of a text take.
///
/// # Errors
/// [`FileError`] for a file that cannot be read.
pub fn head(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut file = open_regular(path)?;
    let mut start = Vec::new();
    let read = file.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut start);
    read.map_err(FileError::io(path, "read"))?;
    let is_gzip = is_gzip(&start);
    let whole = std::io::Cursor::new(start).chain(file);
    // What comes before damage in a compressed file is enough.
    if is_gzip {
        return Ok(head_from(MultiGzDecoder::new(whole)).0);
    }
    match head_from(whole) {
        (_, Some(error)) => Err(FileError::io(path, "read")(error)),
        (head, None) => Ok(head),
    }
}

/// As [`head`], of a file in memory.
pub fn head_of(bytes: &[u8]) -> Vec<u8> {
    match is_gzip(bytes) {
        true => head_from(MultiGzDecoder::new(bytes)).0,
        false => head_from(bytes).0,
    }
}

/// The bytes up to the first error, and this.
fn head_from(mut reader: impl std::io::Read) -> (Vec<u8>, Option<std::io::Error>) {
    let (mut head, mut end) = (Vec::new(), HEAD_BYTES);
    loop {
        let missing = (end - head.len()) as u64;
        let error = reader.by_ref().take(missing).read_to_end(&mut head).err();
        if error.is_some() || head.len() < end || end >= MAX_HEAD_BYTES || !has_long_lines(&head) {
            return (head, error);
        }
        end *= 4;
    }
}

/// Whether these are the first bytes of a text with so few lines that more are needed to see its columns.
fn has_long_lines(head: &[u8]) -> bool {
    const NUM_LINES: usize = 4;
    let begins_table = |text: &str| !text.trim_start().starts_with(['{', '[', '<']);
    let is_short = |text: &str| text.split(['\n', '\r']).nth(NUM_LINES).is_none();
    !FORMATS.iter().any(|format| format.has_signature(head))
        && head_text(head).is_some_and(|text| begins_table(&text) && is_short(&text))
}

const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// Whether the bytes are compressed by gzip.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP_MAGIC)
}

/// Decompresses the members of a gzip file.
///
/// # Errors
/// [`FileError`] for a damaged stream, and one of more than `max_bytes`.
pub fn inflate(bytes: &[u8], path: &Path, max_bytes: u64) -> Result<Vec<u8>, FileError> {
    let mut inflated = Vec::new();
    let wrong = FileError::at(path)
        .place("gzip")
        .hint("fetch it again, or unpack it yourself");
    match MultiGzDecoder::new(bytes)
        .take(max_bytes + 1)
        .read_to_end(&mut inflated)
    {
        Err(error) => Err(wrong.found(error).expected("a whole gzip file")),
        Ok(_) if inflated.len() as u64 > max_bytes => Err(wrong
            .found(format!("more than {max_bytes} bytes"))
            .expected("at most as many")),
        Ok(_) => Ok(inflated),
    }
}
