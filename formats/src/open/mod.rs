//! Any file: its format by its bytes, its reader by its format.
//!
//! Extensions lie and are missing, so the first bytes decide. Only where they say nothing does a name count: the files of
//! a WFDB record are read through the header beside them.

mod detect;
mod folder;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::keypoints::Person;
use super::{Contents, c3d, delimited, dicom, edf, image, keypoints, nifti, parquet, skeleton, wfdb};
use crate::FileError;
use crate::blocks::SignalBlocks;
use crate::file::{open_regular, read_regular};

pub use detect::{Format, detect};

/// Enough to know a format: the signature of each lies in the first 512 bytes, and texts show their columns.
const HEAD_BYTES: usize = 16 << 10;
/// Enough for the first lines of a text of a hundred thousand columns.
const MAX_HEAD_BYTES: usize = 4 << 20;
/// Size to which a compressed file may grow.
const MAX_INFLATED_BYTES: u64 = 8 << 30;

/// Reads a file of any supported format, compressed by gzip or not, or a folder: a sequence of images, a DICOM series or
/// the frames of OpenPose.
///
/// A WFDB record may be named by its header, by one of its signal or annotation files, or without extension.
///
/// # Errors
/// [`FileError`] for what cannot be read from disk; [`FileError`] for a format that is not read, with what it
/// looks like and how to convert it, and whatever the format's own reader finds wrong.
pub fn open(path: &Path) -> Result<Contents, FileError> {
    if path.is_dir() {
        return folder::open(path);
    }
    let record = path.with_file_name(format!(
        "{}.hea",
        path.file_name().unwrap_or_default().to_string_lossy()
    ));
    if !path.exists() && record.is_file() {
        return wfdb::contents_with(&record, read_file);
    }
    let head = head(path)?;
    if let Some(header) = header_that_names(path).filter(|_| !detect::has_signature(&head)) {
        return wfdb::contents_with(&header, read_file);
    }
    let header = path.with_extension("hea");
    let format = match detect(&head, path) {
        Ok(format) => format,
        // An annotation file has no signature and any extension: the record with these annotations.
        Err(_) if header.is_file() => {
            let is_annotations = |file: &Path| file.extension().is_some_and(|extension| extension == "atr");
            return wfdb::contents_with(&header, |file| {
                read_file(if is_annotations(file) { path } else { file })
            });
        }
        // Nor have the values of a NIfTI pair.
        Err(_)
            if path.extension().is_some_and(|extension| extension == "img") && path.with_extension("hdr").is_file() =>
        {
            return open(&path.with_extension("hdr"));
        }
        Err(error) => return Err(error),
    };
    let bytes = read_file(path)?;
    // The reader of NIfTI decompresses no more than the header asks for.
    let inflates = is_gzip(&bytes) && format != Format::Nifti;
    let bytes = if inflates {
        inflate(&bytes, path, MAX_INFLATED_BYTES)?
    } else {
        bytes
    };
    read(format, &bytes, path, &read_file)
}

fn read_file(path: &Path) -> Result<Vec<u8>, FileError> {
    read_regular(path)
}

/// As [`open`] of a file, through a function that returns a file's bytes.
///
/// # Errors
/// Errors of [`open`] and of `read_file`.
pub fn open_with(path: &Path, read_file: &dyn Fn(&Path) -> Result<Vec<u8>, FileError>) -> Result<Contents, FileError> {
    let bytes = read_file(path)?;
    let header = path.with_extension("hea");
    let format = match detect(&head_of(&bytes), path) {
        Ok(format) => format,
        // An annotation file has no signature: the record beside it, with these annotations.
        Err(_) if header != path && header.is_file() => {
            let is_annotations = |file: &Path| file.extension().is_some_and(|extension| extension == "atr");
            return wfdb::contents_with(&header, |file| {
                read_file(if is_annotations(file) { path } else { file })
            });
        }
        Err(error) => return Err(error),
    };
    let inflates = is_gzip(&bytes) && format != Format::Nifti;
    let bytes = if inflates {
        inflate(&bytes, path, MAX_INFLATED_BYTES)?
    } else {
        bytes
    };
    read(format, &bytes, path, read_file)
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
    match detect(&start, path)? {
        Format::Edf => edf::blocks(path, max_bytes).map(Some),
        Format::Wfdb => wfdb::blocks(path, max_bytes),
        _ => Ok(None),
    }
}

/// The files beside one that reading it may open, whether they are there or not: all of a WFDB record for its header or its
/// annotations, the values of a NIfTI pair for its header. None where the file names none that make sense.
pub fn parts_of(path: &Path) -> BTreeSet<PathBuf> {
    let header = path.with_extension("hea");
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("hdr") => BTreeSet::from([path.with_extension("img")]),
        Some("hea") => wfdb::record_files(path),
        _ if header.is_file() && head(path).is_ok_and(|head| detect(&head, path).is_err()) => {
            let mut files = wfdb::record_files(&header);
            files.insert(header);
            files
        }
        _ => BTreeSet::new(),
    }
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
    folder::read_files(&formats, files, person).unwrap_or_else(|| {
        let names: Vec<_> = formats.iter().map(|format| format.name()).collect();
        Err(FileError::at(files.first().map_or(Path::new(""), |(path, _)| path))
            .place("files of one session")
            .found(names.join(", "))
            .expected(folder::SEQUENCES)
            .hint("let the pattern match one file per session"))
    })
}

fn read(
    format: Format,
    bytes: &[u8],
    path: &Path,
    read_file: &dyn Fn(&Path) -> Result<Vec<u8>, FileError>,
) -> Result<Contents, FileError> {
    match format {
        Format::Wfdb => wfdb::contents_with(path, read_file),
        Format::Edf => edf::read(bytes, path),
        Format::Image => image::read(bytes, path),
        Format::Nifti if path.extension().is_some_and(|extension| extension == "hdr") => {
            nifti::read_pair(bytes, &read_file(&path.with_extension("img"))?, path)
        }
        Format::Nifti => nifti::read(bytes, path),
        Format::C3d => c3d::read(bytes, path),
        Format::Dicom => dicom::read(bytes, path),
        Format::OpenPose => keypoints::read_openpose(&[(path.to_path_buf(), bytes.to_vec())], Person::default()),
        Format::Keypoints => keypoints::read(bytes, path),
        Format::Skeleton => skeleton::read(bytes, path),
        Format::Parquet => parquet::contents(bytes, path),
        Format::Delimited => delimited::contents(bytes, path),
    }
}

/// The first bytes, after decompression: 16 KiB, or as many as the first lines of a text take.
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
        if error.is_some() || head.len() < end || end >= MAX_HEAD_BYTES || !detect::has_long_lines(&head) {
            return (head, error);
        }
        end *= 4;
    }
}

const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// True for the first bytes of a gzip stream.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP_MAGIC)
}

/// Unpacks gzip.
///
/// # Errors
/// [`FileError`] for a damaged stream, and for one that holds more than `max_bytes`.
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

/// The header in the same folder that names this file as one of its signal files, the one with the same stem first.
fn header_that_names(path: &Path) -> Option<PathBuf> {
    if path.extension().is_some_and(|extension| extension == "hea") {
        return None;
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut headers: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    headers.retain(|path| path.extension().is_some_and(|extension| extension == "hea"));
    headers.sort_by_key(|header| (header.file_stem() != path.file_stem(), header.clone()));
    headers.into_iter().find(|header| {
        let files = wfdb::signal_files(&head(header).unwrap_or_default(), header);
        files.iter().any(|file| file.file_name() == path.file_name())
    })
}
