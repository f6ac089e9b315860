//! The runs below a folder.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use super::directory::{MANIFEST, RunDirectory, RunError};
use super::manifest::Manifest;

/// Folders deeper than this are not looked into.
const MAX_DEPTH: usize = 32;
/// Below a link: a run, or the runs of an experiment. A link to the root of a file system must not walk all of it.
const MAX_DEPTH_BELOW_LINK: usize = 2;

/// The runs below a folder, and what stands there that is none.
#[derive(Debug, Default)]
pub struct RunList {
    /// Runs with their manifests, oldest first by name within each experiment.
    pub runs: Vec<(RunDirectory, Manifest)>,
    /// Folders that were left out and why: damaged or missing manifests, folders that cannot be read.
    pub warnings: Vec<String>,
}

/// Lists the runs below `folder`; folders that are no runs are looked into.
///
/// Every folder is visited once, under its own name if it has one below `folder`: a link to a run is no second run, and
/// links that lead back end the walk. A folder that does not exist has no runs.
///
/// # Errors
/// `folder` itself cannot be read. Anything below it that cannot becomes a warning.
pub fn list_runs(folder: &Path) -> Result<RunList, RunError> {
    let mut walk = Walk::default();
    match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(RunList::default()),
        Err(error) => return Err(super::directory::io(folder, "list")(error)),
        Ok(_) => walk.open.push_back((folder.to_path_buf(), MAX_DEPTH)),
    }
    // Links wait until all folders have been seen under their own names.
    while let Some((folder, depth)) = walk.open.pop_front().or_else(|| walk.links.pop_front()) {
        walk.visit(&folder, depth);
    }
    let mut list = walk.list;
    list.runs.sort_by(|(a, _), (b, _)| a.root().cmp(b.root()));
    list.warnings.sort();
    Ok(list)
}

#[derive(Default)]
struct Walk {
    /// Folders to visit and how many levels below them.
    open: VecDeque<(PathBuf, usize)>,
    links: VecDeque<(PathBuf, usize)>,
    /// Paths without links.
    visited: BTreeSet<PathBuf>,
    list: RunList,
}

impl Walk {
    fn visit(&mut self, folder: &Path, depth: usize) {
        let warn = |error: std::io::Error| format!("{}: skipped: cannot be read: {error}", folder.display());
        match fs::canonicalize(folder) {
            Ok(real) if !self.visited.insert(real.clone()) => return,
            Ok(_) => {}
            Err(error) => return self.list.warnings.push(warn(error)),
        }
        let run = RunDirectory::at(folder);
        if folder.join(MANIFEST).exists() {
            match run.manifest() {
                Ok(manifest) => self.list.runs.push((run, manifest)),
                Err(error) => self.list.warnings.push(format!("skipped: {error}")),
            }
            return;
        }
        if run.split().is_file() || run.checkpoints().is_dir() {
            let warning = format!("{}: skipped: a run without {MANIFEST}", folder.display());
            return self.list.warnings.push(warning);
        }
        let Some(depth) = depth.checked_sub(1) else { return };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.list.warnings.push(warn(error)),
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.list.warnings.push(warn(error));
                    continue;
                }
            };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.open.push_back((entry.path(), depth)),
                Ok(kind) if kind.is_symlink() && entry.path().is_dir() => {
                    self.links.push_back((entry.path(), depth.min(MAX_DEPTH_BELOW_LINK)));
                }
                _ => {}
            }
        }
    }
}
