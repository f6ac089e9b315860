//! Files that are regular ones to read, and whole or not there when written.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::FileError;

/// Opens a regular file for reading. A pipe, a socket or a device is refused: to open one can wait for ever, and to read it
/// never ends. Links are followed.
///
/// # Errors
/// When the system refuses, and [`FileError`] for what is no regular file.
pub fn open_regular(path: &Path) -> Result<File, FileError> {
    let metadata = std::fs::metadata(path).map_err(FileError::io(path, "read"))?;
    if !metadata.is_file() {
        let kind = if metadata.is_dir() {
            "a folder"
        } else {
            "a pipe, a socket or a device"
        };
        return Err(FileError::at(path)
            .place("file")
            .found(kind)
            .expected("a regular file")
            .hint("copy what it holds into a file"));
    }
    File::open(path).map_err(FileError::io(path, "read"))
}

/// The bytes of a [regular file](open_regular).
///
/// # Errors
/// When it cannot be opened or read.
pub fn read_regular(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let mut file = open_regular(path)?;
    file.read_to_end(&mut bytes).map_err(FileError::io(path, "read"))?;
    Ok(bytes)
}

/// Writes a file so that a crash leaves either what was there before or all of the new content.
///
/// `write` fills a temporary file in the same folder, which is then synced and renamed. The mode is that of any other new
/// file: 0666 less the umask.
///
/// # Errors
/// When the folder or the disk refuses, and whatever `write` fails with; `path` is then what it was before.
pub fn write_atomic(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), FileError> {
    put(path, write, |file| file.persist(path).map_err(|error| error.error))
}

/// As [`write_atomic`], for a file that must not be there yet.
///
/// # Errors
/// Those of [`write_atomic`]; of the kind [`io::ErrorKind::AlreadyExists`] for a file that is there, which stays as it is.
pub fn write_new(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), FileError> {
    put(path, write, |file| {
        file.persist_noclobber(path).map_err(|error| error.error)
    })
}

fn put(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
    persist: impl FnOnce(NamedTempFile) -> io::Result<File>,
) -> Result<(), FileError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the umask; the default is 0600
    let written = builder.prefix(".partial-").tempfile_in(folder).and_then(|mut file| {
        write(file.as_file_mut())?;
        file.as_file().sync_all()?;
        persist(file)
    });
    written.map_err(FileError::io(path, "write"))?;
    sync_folder(folder)
}

/// Writes and syncs a file of a folder that is not in its place yet.
///
/// # Errors
/// When the folder or the disk refuses.
pub fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(FileError::io(path, "write"))
}

/// Makes renames and new files in a folder durable; Windows has no such call and needs none.
///
/// # Errors
/// When the system cannot open or sync it.
pub fn sync_folder(folder: &Path) -> Result<(), FileError> {
    if cfg!(unix) {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(FileError::io(folder, "sync"))?;
    }
    Ok(())
}
