//! Hashes of contents.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use recoup_formats::FileError;
use sha2::{Digest, Sha256};

/// Bytes of a file that are in memory at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// SHA-256 in lower-case hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of a file's content in lower-case hex, read in blocks.
pub(crate) fn digest_file(path: &Path) -> Result<String, FileError> {
    let mut file = File::open(path).map_err(FileError::io(path, "read"))?;
    let size = file.metadata().map_err(FileError::io(path, "read"))?.len();
    let mut block = vec![0; usize::try_from(size).map_or(BLOCK_BYTES, |size| size.clamp(1, BLOCK_BYTES))];
    let mut hasher = Sha256::new();
    loop {
        match file.read(&mut block).map_err(FileError::io(path, "read"))? {
            0 => return Ok(hex(&hasher.finalize())),
            count => hasher.update(block.get(..count).unwrap_or_default()),
        }
    }
}
