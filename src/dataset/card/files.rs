//! What lies below a folder.

use std::path::Path;

use crate::base::FileError;
use crate::dataset::error::DataError;

/// Deeper folders are taken for a loop of links.
const MAX_DEPTH: usize = 32;

/// Paths of all files below `dir`, relative to it, with `/` between folders, ascending. Hidden files and folders (their
/// names begin with a dot) do not count, nor do names that are not UTF-8.
///
/// # Errors
/// [`FileError`] for a folder that cannot be read.
pub(crate) fn list_files(dir: &Path) -> Result<Vec<String>, DataError> {
    let mut files = Vec::new();
    let mut folders = vec![(String::new(), 0)];
    while let Some((prefix, depth)) = folders.pop() {
        let folder = if prefix.is_empty() {
            dir.to_path_buf()
        } else {
            dir.join(&prefix)
        };
        for entry in std::fs::read_dir(&folder).map_err(FileError::io(&folder, "read"))? {
            let entry = entry.map_err(FileError::io(&folder, "read"))?;
            let Some(name) = entry
                .file_name()
                .to_str()
                .filter(|name| !name.starts_with('.'))
                .map(String::from)
            else {
                continue;
            };
            let path = format!("{prefix}{name}");
            // Follows links; one that leads nowhere is no file.
            match std::fs::metadata(entry.path()) {
                Ok(metadata) if metadata.is_dir() && depth < MAX_DEPTH => folders.push((format!("{path}/"), depth + 1)),
                Ok(metadata) if metadata.is_file() => files.push(path),
                _ => {}
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}
