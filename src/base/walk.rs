//! Files below a folder, without following links out of it or in circles.

use std::fmt;
use std::fs::{self, FileType};
use std::path::Path;

use recoup_formats::FileError;
use recoup_formats::order::natural_cmp;

/// Files below a folder, and what else lies there.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Paths of files relative to the folder, with `/` between folders, in natural order (`P2` before `P10`).
    pub files: Vec<String>,
    /// Links, pipes and devices, which are not read, in the same order.
    pub skipped: Vec<Skipped>,
}

/// Lines of [`Walk::summary`].
const MAX_LINES: usize = 3;

impl Walk {
    /// What was skipped, for people: the first entries, and the number of the others.
    pub fn summary(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.skipped.iter().take(MAX_LINES).map(ToString::to_string).collect();
        match self.skipped.len().saturating_sub(MAX_LINES) {
            0 => {}
            more => lines.push(format!("{more} more links, pipes or devices are not read")),
        }
        lines
    }
}

/// An entry of a folder that is neither a file nor a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Relative to the folder of the walk.
    pub path: String,
    /// What it is, and what to do about it.
    pub what: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not read: it is {}", self.path.escape_debug(), self.what)
    }
}

/// Lists all files below `dir`; names that begin with a dot count only if `hidden`.
///
/// `dir` itself may be a link. Below it a link to a folder is not followed, nor one to a file outside of `dir` or to a
/// file that counts under its own name. A link to a hidden file inside of `dir` counts as that file: git-annex keeps the
/// files of a dataset so.
///
/// # Errors
/// [`FileError`] for a folder that cannot be read, and for a name that is not UTF-8.
pub fn walk(dir: &Path, hidden: bool) -> Result<Walk, FileError> {
    let root = fs::canonicalize(dir).map_err(FileError::io(dir, "read"))?;
    let mut found = Walk::default();
    let mut folders = vec![String::new()];
    while let Some(prefix) = folders.pop() {
        let folder = if prefix.is_empty() {
            dir.to_path_buf()
        } else {
            dir.join(&prefix)
        };
        for entry in fs::read_dir(&folder).map_err(FileError::io(&folder, "read"))? {
            let entry = entry.map_err(FileError::io(&folder, "read"))?;
            let name = entry.file_name();
            if !hidden && name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = format!("{prefix}{}", name.to_str().ok_or_else(|| not_utf8(&entry.path()))?);
            let kind = entry.file_type().map_err(FileError::io(&entry.path(), "read"))?;
            if kind.is_dir() {
                folders.push(format!("{path}/"));
            } else if kind.is_file() {
                found.files.push(path);
            } else {
                match special(kind, &entry.path(), &root, hidden) {
                    None => found.files.push(path),
                    Some(what) => found.skipped.push(Skipped { path, what }),
                }
            }
        }
    }
    found.files.sort_by(|a, b| natural_cmp(a, b));
    found.skipped.sort_by(|a, b| natural_cmp(&a.path, &b.path));
    Ok(found)
}

/// What an entry is that is neither a file nor a folder; `None` for a link that counts as a file.
fn special(kind: FileType, path: &Path, root: &Path, hidden: bool) -> Option<String> {
    if !kind.is_symlink() {
        return Some("a pipe, socket or device".into());
    }
    let Ok(target) = fs::canonicalize(path) else {
        return Some("a link that leads nowhere or in a circle".into());
    };
    let Ok(inside) = target.strip_prefix(root) else {
        return Some(format!(
            "a link out of the folder, to {target:?}; copy what it leads to into the folder, or make the folder itself the link"
        ));
    };
    if !target.is_file() {
        return Some("a link to a folder inside the same folder, whose files are read under their own names".into());
    }
    let is_listed = hidden || !inside.iter().any(|part| part.as_encoded_bytes().starts_with(b"."));
    is_listed.then(|| {
        format!(
            "a link to {:?}, which is read under its own name",
            inside.to_string_lossy()
        )
    })
}

fn not_utf8(path: &Path) -> FileError {
    FileError::at(path.parent().unwrap_or(path))
        .place(format!("name {:?}", path.file_name().unwrap_or_default()))
        .found("bytes that are not UTF-8")
        .expected("a name in UTF-8")
        .hint("rename the file or folder; `convmv` converts all names from an old character set")
}
