//! Putting a prepared folder in its place: all of it or nothing.

use std::io::ErrorKind;
use std::path::Path;

use tempfile::TempDir;

use super::folder::Folder;
use super::index::SUMS;
use crate::base::FileError;
use crate::base::file::{sync_folder, write_synced};
use crate::dataset::error::DataError;

/// Attempts against other processes that move the same damaged folder away, and may take ours with it.
const MAX_ATTEMPTS: usize = 3;

/// Lets `fill` write the files of a folder beside its final place, and gives their hashes; then syncs, renames and opens it.
pub(super) fn store(
    cache_dir: &Path,
    dir: &Path,
    fill: impl Fn(&Path) -> Result<String, DataError>,
) -> Result<Folder, DataError> {
    std::fs::create_dir_all(cache_dir).map_err(unwritable(cache_dir, "create"))?;
    let mut attempt = 1;
    loop {
        let building = temporary(cache_dir, ".building-")?;
        let sums = fill(building.path())?;
        match place(&building, &sums, cache_dir, dir).and_then(|()| Folder::open(dir)) {
            Err(_) if attempt < MAX_ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}

fn place(building: &TempDir, sums: &str, cache_dir: &Path, dir: &Path) -> Result<(), DataError> {
    write_synced(&building.path().join(SUMS), sums.as_bytes())?;
    sync_folder(building.path())?;
    if dir.exists() && Folder::open(dir).is_err() {
        // Renamed first: a reader sees the damaged folder whole or not at all, and deleting is not atomic.
        let trash = temporary(cache_dir, ".damaged-")?;
        match std::fs::rename(dir, trash.path().join("was")) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(FileError::io(dir, "move away")(error).into());
            }
            _ => {}
        }
    }
    match std::fs::rename(building.path(), dir) {
        // Another process was faster; the key says that its folder is the same.
        Err(_) if dir.join(SUMS).exists() => Ok(()),
        Err(error) => Err(FileError::io(dir, "create")(error).into()),
        Ok(()) => Ok(sync_folder(cache_dir)?),
    }
}

fn temporary(cache_dir: &Path, prefix: &str) -> Result<TempDir, DataError> {
    tempfile::Builder::new()
        .prefix(prefix)
        .tempdir_in(cache_dir)
        .map_err(unwritable(cache_dir, "write into"))
}

/// Error for a folder that cannot be written; a read-only dataset is prepared elsewhere.
fn unwritable(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> DataError {
    move |error| {
        let is_forbidden = matches!(
            error.kind(),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
        );
        let error = FileError::io(path, action)(error);
        match is_forbidden {
            true => error
                .hint(
                    "the dataset is read-only: put prepared tables elsewhere with `--prepared DIR` or RECOUP_PREPARED",
                )
                .into(),
            false => error.into(),
        }
    }
}
