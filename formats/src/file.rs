//! Files that are regular ones to read, and whole or not there when written.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

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
/// `write` fills a temporary file in the same folder, which is then synced and renamed. The mode is that of any other new file:
/// 0666 less the umask.
///
/// # Errors
/// When the folder or the disk refuses, and whatever `write` fails with; `path` is then what it was before.
pub fn write_atomic(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), FileError> {
    replace(path, write).map_err(FileError::io(path, "write"))
}

fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the umask; the default is 0600
    let mut temporary = builder.prefix(".partial-").tempfile_in(folder)?;
    write(temporary.as_file_mut())?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Makes renames and new files in a folder durable.
///
/// # Errors
/// When the system cannot open or sync it.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
