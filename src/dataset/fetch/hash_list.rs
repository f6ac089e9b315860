//! Lists of paths and hashes, which come from outside.

use std::collections::BTreeSet;

use super::FetchError;

/// Paths and hashes of a list as `sha256sum` writes it: hash, blanks, `*` for binary, path.
pub fn parse_sha256sums(text: &str) -> Result<Vec<(String, String)>, FetchError> {
    let mut files = Vec::new();
    let mut paths = BTreeSet::new();
    for (line, content) in text
        .lines()
        .enumerate()
        .filter(|(_, content)| !content.trim().is_empty())
    {
        let fail = |problem: String| {
            Err(FetchError::List {
                line: line + 1,
                problem,
            })
        };
        let Some((hash, path)) = content.split_once([' ', '\t']) else {
            return fail(format!("{content:?} has no path"));
        };
        if !is_sha256(hash) {
            return fail(format!("{hash:?} is not a SHA-256"));
        }
        let path = path.trim_start();
        let path = path.strip_prefix('*').unwrap_or(path);
        let path = path.strip_prefix("./").unwrap_or(path);
        if let Err(problem) = safe(path) {
            return fail(format!("path {path:?} {problem}"));
        }
        if !paths.insert(path) {
            return fail(format!("path {path:?} is listed twice"));
        }
        files.push((path.to_owned(), hash.to_ascii_lowercase()));
    }
    Ok(files)
}

pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Hash lists come from outside: their paths must stay inside the folder, on any system.
pub(super) fn safe(path: &str) -> Result<(), &'static str> {
    let bad = |name: &str| matches!(name, "" | "." | "..");
    match path {
        _ if path.split('/').any(bad) => Err("is not a plain relative path; it must stay inside the folder"),
        _ if path.contains(['\\', ':']) || path.contains(char::is_control) => {
            Err("has a backslash, colon or control character; it must be a plain relative path")
        }
        _ if path.ends_with(".part") || path.ends_with(".rejected") => {
            Err("ends in .part or .rejected, which are for unfinished files")
        }
        _ => Ok(()),
    }
}
