//! Data sets from their publisher: HTTPS or a folder, resumable, and never a byte that its hash does not vouch for.
//!
//! A file comes into `<file>.part`, is hashed *from the disk*, synced, and renamed. A cut download goes on with a range
//! request, in the same call or a later one. That the pieces belong together is settled by the hash, which holds
//! across calls and servers as an ETag would not: pieces with a wrong hash are dropped once and fetched again whole.
//! A whole file with a wrong hash is put aside as `<file>.rejected` (it often is a log-in page, and worth a look), is
//! never read by anything, and goes when the right one comes. A file already there is used if its hash is right and
//! replaced, once the new one is verified, if not. Two processes must not fetch into one folder; if they do, hashes
//! fail, and nothing wrong is used.

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod error;
mod hash_list;
mod http;

pub use error::FetchError;
pub use hash_list::parse_sha256sums;
pub use http::HttpOptions;

use hash_list::{is_sha256, safe};
use http::Http;

/// What to fetch and where to put it.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchPlan {
    /// Address that the files' paths are appended to, such as `https://physionet.org/files/gaitndd/1.0.0/`.
    pub base_url: String,
    /// The files.
    pub files: Vec<FileSpec>,
    /// Folder for the files; made if absent.
    pub to: PathBuf,
}

/// A file of a [`FetchPlan`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// Relative to the base address and to the folder, with `/`.
    pub path: String,
    /// The publisher's hash first; each further one with its reason.
    pub sha256: Vec<AcceptedHash>,
    /// In bytes, for progress only.
    #[serde(default)]
    pub size: Option<u64>,
}

/// A hash that a file may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedHash {
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// Why it is accepted though the publisher states another.
    #[serde(default)]
    pub reason: Option<String>,
}

impl FileSpec {
    /// A file with its publisher's hash.
    pub fn new(path: impl Into<String>, sha256: impl Into<String>) -> Self {
        let sha256 = vec![AcceptedHash {
            sha256: sha256.into(),
            reason: None,
        }];
        Self {
            path: path.into(),
            sha256,
            size: None,
        }
    }

    fn accepted(&self, found: &str) -> Option<&AcceptedHash> {
        self.sha256.iter().find(|hash| hash.sha256.eq_ignore_ascii_case(found))
    }

    fn check(&self) -> Result<(), FetchError> {
        let fail = |problem: String| {
            Err(FetchError::Plan {
                path: self.path.clone(),
                problem,
            })
        };
        if let Err(problem) = safe(&self.path) {
            return fail(problem.into());
        }
        if self.sha256.is_empty() {
            return fail("no SHA-256 is stated; nothing is fetched without one".into());
        }
        if let Some(wrong) = self.sha256.iter().find(|hash| !is_sha256(&hash.sha256)) {
            return fail(format!("{:?} is not a SHA-256 of 64 hexadecimal digits", wrong.sha256));
        }
        match self.sha256.iter().skip(1).find(|hash| hash.reason.is_none()) {
            Some(silent) => fail(format!(
                "the further hash {} is accepted without a reason; state it",
                silent.sha256
            )),
            None => Ok(()),
        }
    }
}

/// Where files come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The plan's base address.
    Http(HttpOptions),
    /// A folder that holds the files under their paths.
    LocalDir(PathBuf),
}

/// What happens, as it happens. Each event but [`Progress::File`] is about the file last named.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress<'a> {
    /// A file's turn has come.
    File {
        /// Path in the plan.
        path: &'a str,
        /// Which of the plan's files, from 0.
        index: usize,
        /// As stated in the plan, in bytes.
        size: Option<u64>,
    },
    /// More bytes are on disk.
    Bytes {
        /// All bytes on disk, those of earlier calls included.
        done: u64,
        /// Length of the file if the server states it.
        total: Option<u64>,
    },
    /// An attempt failed and another will follow.
    Retry {
        /// What went wrong.
        problem: &'a str,
        /// Which attempt will follow, from 1.
        attempt: u32,
        /// The wait before it.
        wait: Duration,
    },
    /// Pieces had a wrong hash together; the file is fetched again whole.
    Restart,
}

/// What [`fetch`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FetchReport {
    /// In the order of the plan.
    pub files: Vec<FetchedFile>,
}

/// A file that is there and verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FetchedFile {
    /// Path in the plan.
    pub path: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// How it came.
    pub outcome: Outcome,
    /// Bytes received or copied in this call.
    pub received: u64,
    /// The reason of the hash that was accepted in place of the publisher's.
    pub accepted: Option<String>,
}

/// How a file came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Outcome {
    /// It was, with an accepted hash.
    AlreadyThere,
    /// In one piece.
    Fetched,
    /// In pieces.
    Resumed {
        /// Bytes on disk when the last piece was asked for.
        from: u64,
    },
    /// From a folder.
    Copied,
}

impl fmt::Display for FetchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there = self
            .files
            .iter()
            .filter(|file| file.outcome == Outcome::AlreadyThere)
            .count();
        let bytes: u64 = self.files.iter().map(|file| file.received).sum();
        write!(
            f,
            "{} files verified, {there} of them already there, {bytes} bytes received",
            self.files.len()
        )?;
        for file in &self.files {
            if let Some(reason) = &file.accepted {
                write!(
                    f,
                    "\n{}: not the publisher's bytes, accepted as {}: {reason}",
                    file.path, file.sha256
                )?;
            }
        }
        Ok(())
    }
}

enum Origin<'a> {
    Http(Http),
    Folder(&'a Path),
}

/// Fetches the files one after another and stops at the first that cannot be had; what is there stays.
pub fn fetch(
    plan: &FetchPlan,
    source: &Source,
    mut progress: impl FnMut(Progress<'_>),
) -> Result<FetchReport, FetchError> {
    let mut paths = BTreeSet::new();
    for spec in &plan.files {
        spec.check()?;
        if !paths.insert(&spec.path) {
            let problem = "is listed twice".into();
            return Err(FetchError::Plan {
                path: spec.path.clone(),
                problem,
            });
        }
    }
    let origin = match source {
        Source::Http(options) => Origin::Http(Http::new(options)),
        Source::LocalDir(folder) => Origin::Folder(folder),
    };
    let mut files = Vec::new();
    for (index, spec) in plan.files.iter().enumerate() {
        progress(Progress::File {
            path: &spec.path,
            index,
            size: spec.size,
        });
        let target = Target::new(&plan.to, spec)?;
        let (sha256, outcome, received) = match (target.verified()?, &origin) {
            (Some(sha256), _) => (sha256, Outcome::AlreadyThere, 0),
            (None, Origin::Http(http)) => target.download(http, &url(&plan.base_url, &spec.path), &mut progress)?,
            (None, Origin::Folder(folder)) => target.copy(folder)?,
        };
        let accepted = spec.accepted(&sha256).and_then(|hash| hash.reason.clone());
        files.push(FetchedFile {
            path: spec.path.clone(),
            sha256,
            outcome,
            received,
            accepted,
        });
    }
    Ok(FetchReport { files })
}

/// The text of a hash list, `name` below `base_url` or in the folder; for lists whose own hash is not known. What it
/// says is as trustworthy as the connection.
pub fn fetch_hash_list(base_url: &str, name: &str, source: &Source) -> Result<String, FetchError> {
    let folder = tempfile::tempdir().map_err(|error| FetchError::io(std::env::temp_dir(), error))?;
    let path = match source {
        Source::LocalDir(folder) => folder.join(name),
        Source::Http(options) => {
            let path = folder.path().join("list");
            Http::new(options).download(&url(base_url, name), &path, &mut |_| ())?;
            path
        }
    };
    fs::read_to_string(&path).map_err(|error| FetchError::io(path, error))
}

/// SHA-256 of a file, in hexadecimal.
pub fn sha256_file(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(num_bytes) => hasher.update(buffer.get(..num_bytes).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hasher
        .finalize()
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
}

fn url(base: &str, path: &str) -> String {
    let mut url = format!("{}/", base.trim_end_matches('/'));
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => url.push(byte.into()),
            // Writing to a string cannot fail.
            _ => _ = write!(url, "%{byte:02X}"),
        }
    }
    url
}

/// A file's place: itself, `.part` and `.rejected`.
struct Target<'a> {
    spec: &'a FileSpec,
    path: PathBuf,
    part: PathBuf,
    rejected: PathBuf,
}

impl<'a> Target<'a> {
    fn new(folder: &Path, spec: &'a FileSpec) -> Result<Self, FetchError> {
        let path = folder.join(&spec.path);
        let beside = |suffix| folder.join(format!("{}.{suffix}", spec.path));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| FetchError::io(parent, error))?;
        }
        Ok(Self {
            spec,
            part: beside("part"),
            rejected: beside("rejected"),
            path,
        })
    }

    fn hash(path: &Path) -> Result<String, FetchError> {
        sha256_file(path).map_err(|error| FetchError::io(path, error))
    }

    fn verified(&self) -> Result<Option<String>, FetchError> {
        match self.path.exists() {
            true => Ok(Some(Self::hash(&self.path)?).filter(|hash| self.spec.accepted(hash).is_some())),
            false => Ok(None),
        }
    }

    fn download(
        &self,
        http: &Http,
        url: &str,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(String, Outcome, u64), FetchError> {
        let (mut received, mut restarted) = (0, false);
        loop {
            let transfer = http.download(url, &self.part, progress)?;
            received += transfer.received;
            let hash = Self::hash(&self.part)?;
            match (self.spec.accepted(&hash), transfer.resumed_from) {
                (Some(_), from) => {
                    self.promote()?;
                    let outcome = if from > 0 {
                        Outcome::Resumed { from }
                    } else {
                        Outcome::Fetched
                    };
                    return Ok((hash, outcome, received));
                }
                (None, from) if from == 0 || restarted => return Err(self.reject(hash)?),
                (None, _) => {
                    restarted = true;
                    progress(Progress::Restart);
                    fs::remove_file(&self.part).map_err(|error| FetchError::io(&self.part, error))?;
                }
            }
        }
    }

    fn copy(&self, folder: &Path) -> Result<(String, Outcome, u64), FetchError> {
        let from = folder.join(&self.spec.path);
        if !from.is_file() {
            return Err(FetchError::Missing {
                path: self.spec.path.clone(),
                folder: folder.into(),
            });
        }
        // Not `fs::copy`: a read-only source would make the copy read-only.
        let mut reader = File::open(&from).map_err(|error| FetchError::io(&from, error))?;
        let copied = File::create(&self.part).and_then(|mut part| io::copy(&mut reader, &mut part));
        let size = copied.map_err(|error| FetchError::io(&self.part, error))?;
        let hash = Self::hash(&self.part)?;
        if self.spec.accepted(&hash).is_none() {
            fs::remove_file(&self.part).map_err(|error| FetchError::io(&self.part, error))?;
            let hint = "the folder's file is damaged, edited or of another version; get it again";
            return Err(self.rejection(hash, None, hint));
        }
        self.promote()?;
        Ok((hash, Outcome::Copied, size))
    }

    /// `.part` becomes the file, safe against a loss of power.
    fn promote(&self) -> Result<(), FetchError> {
        let io = |error| FetchError::io(&self.path, error);
        File::open(&self.part).and_then(|file| file.sync_all()).map_err(io)?;
        fs::rename(&self.part, &self.path).map_err(io)?;
        match fs::remove_file(&self.rejected) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io(error)),
            _ => Ok(()),
        }
    }

    fn reject(&self, found: String) -> Result<FetchError, FetchError> {
        fs::rename(&self.part, &self.rejected).map_err(|error| FetchError::io(&self.rejected, error))?;
        let mut start = Vec::new();
        // For the hint only: whatever cannot be read shows no web page.
        _ = File::open(&self.rejected).and_then(|file| file.take(64).read_to_end(&mut start));
        let hint = match start.trim_ascii_start().first() {
            Some(b'<') => "the server sent a web page; the files may need an account, a log-in or an agreement",
            _ => "the publisher's file changed, or a cache between gave another; compare before accepting its hash",
        };
        Ok(self.rejection(found, Some(self.rejected.clone()), hint))
    }

    fn rejection(&self, found: String, kept: Option<PathBuf>, hint: &'static str) -> FetchError {
        let expected: Vec<_> = self.spec.sha256.iter().map(|hash| hash.sha256.as_str()).collect();
        FetchError::Rejected {
            path: self.spec.path.clone(),
            expected: expected.join(" or "),
            found,
            kept,
            hint,
        }
    }
}
