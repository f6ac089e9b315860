use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use serde::Serialize;

use super::manifest::Manifest;
use crate::base::error::resumable;
use crate::base::file::write_atomic;
use crate::base::{Class, Classified, FileError};

/// Name of the file that makes a folder a run.
pub(super) const MANIFEST: &str = "manifest.json";

/// Errors of a run directory.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The file system said no.
    #[error(transparent)]
    File(#[from] FileError),
    /// A document of the run is not what this program writes.
    #[error("{}: not a record of a run: {message}", path.display())]
    Document {
        /// File.
        path: PathBuf,
        /// Expectation of the parser.
        message: String,
    },
    /// There is no such run.
    #[error("{}: not a run directory (it has no manifest.json)\nhint: `recoup runs list` shows the runs there are", path.display())]
    NotARun {
        /// As given.
        path: PathBuf,
    },
}

impl Classified for RunError {
    fn class(&self) -> Class {
        match self {
            Self::NotARun { .. } => Class::Input,
            Self::File(_) | Self::Document { .. } => Class::Failure,
        }
    }
}

/// Paths inside `checkpoints/<experiment>/<run>/`; nothing else knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDirectory {
    root: PathBuf,
}

impl RunDirectory {
    /// A new directory below `folder`, named by the time (UTC) and the beginning of the experiment's hash. Two runs
    /// started in one second get two directories: creation is exclusive.
    pub fn create(folder: &Path, hash: &str, now: SystemTime) -> Result<Self, RunError> {
        fs::create_dir_all(folder).map_err(io(folder, "create"))?;
        let base = format!("{}-{}", timestamp(now), hash.get(..8).unwrap_or(hash));
        for attempt in 1..1000 {
            let name = if attempt == 1 {
                base.clone()
            } else {
                format!("{base}-{attempt}")
            };
            let root = folder.join(name);
            match fs::create_dir(&root) {
                Ok(()) => return Ok(Self { root }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io(&root, "create")(error)),
            }
        }
        let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        Err(io(&folder.join(base), "create")(source))
    }

    /// The run at `root`, whether it exists or not.
    pub(super) fn at(root: &Path) -> Self {
        Self { root: root.into() }
    }

    /// An existing run.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, RunError> {
        let run = Self { root: root.into() };
        if run.manifest_path().is_file() {
            Ok(run)
        } else {
            Err(RunError::NotARun { path: run.root })
        }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The resolved experiment.
    pub fn experiment(&self) -> PathBuf {
        self.root.join("experiment.toml")
    }

    /// The frozen splits.
    pub fn split(&self) -> PathBuf {
        self.root.join("split.json")
    }

    /// Fits on the training subjects: scalers, and transforms of features.
    pub fn fitted(&self) -> PathBuf {
        self.root.join("fitted.json")
    }

    /// TensorBoard's log directory.
    pub fn tensorboard(&self) -> PathBuf {
        self.root.join("tb")
    }

    /// Checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("state")
    }

    /// Stored predictions.
    pub fn predictions(&self) -> PathBuf {
        self.root.join(super::predictions::FILE_NAME)
    }

    /// Metrics derived from the predictions.
    pub fn evaluation(&self) -> PathBuf {
        self.root.join("metrics.json")
    }

    /// The comparison of variants, as `json` or `md`.
    pub fn ablation(&self, extension: &str) -> PathBuf {
        self.root.join("ablation").with_extension(extension)
    }

    /// A picture.
    pub fn figure(&self, name: &str) -> PathBuf {
        self.root.join("figures").join(format!("{name}.png"))
    }

    fn manifest_path(&self) -> PathBuf {
        self.root.join(MANIFEST)
    }

    /// Reads the manifest.
    pub fn manifest(&self) -> Result<Manifest, RunError> {
        let path = self.manifest_path();
        let text = fs::read(&path).map_err(io(&path, "read"))?;
        serde_json::from_slice(&text).map_err(|error| RunError::Document {
            path,
            message: error.to_string(),
        })
    }

    /// Replaces the manifest.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), RunError> {
        write_json(&self.manifest_path(), manifest)
    }
}

/// [`write_document`] of a value as JSON.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), RunError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| RunError::Document {
        path: path.into(),
        message: error.to_string(),
    })?;
    bytes.push(b'\n');
    write_document(path, &bytes)
}

/// Writes a document so that readers see the old one or the new one: beside its place, synced, renamed.
pub fn write_document(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).map_err(io(folder, "create"))?;
    write_atomic(path, |file| file.write_all(bytes)).map_err(|error| resumable(error).into())
}

pub(super) fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> RunError {
    let error = FileError::io(path, action);
    move |source| resumable(error(source)).into()
}

/// `YYYYMMDD-HHMMSS` in UTC.
fn timestamp(now: SystemTime) -> String {
    let secs = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let time = i64::try_from(secs)
        .ok()
        .and_then(|secs| DateTime::from_timestamp(secs, 0));
    time.unwrap_or_default().format("%Y%m%d-%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timestamps_are_calendar_dates() {
        let at = |secs| timestamp(UNIX_EPOCH + Duration::from_secs(secs));
        // date -u -d @SECS +%Y%m%d-%H%M%S
        assert_eq!(at(0), "19700101-000000");
        assert_eq!(at(951_782_399), "20000228-235959");
        assert_eq!(at(951_827_696), "20000229-123456");
        assert_eq!(at(1_795_381_200), "20261122-210000");
        assert_eq!(at(4_107_542_399), "21000228-235959");
        assert_eq!(at(4_107_542_400), "21000301-000000");
    }
}
