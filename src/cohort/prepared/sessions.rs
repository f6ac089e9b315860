//! From the files of a dataset to the tables, session by session: reading on all cores, writing in order, in bounded memory.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rayon::prelude::*;

use super::spool::Spool;
use super::writer::FolderWriter;
use crate::dataset::error::DataError;
use crate::dataset::load::{FoundSession, SessionReader};
use crate::dataset::subjects::Session;
use crate::dataset::warning::FileWarning;

/// Bytes of files that are read together, while those before them are written.
const MAX_BATCH_BYTES: u64 = 8 << 20;

/// A session as it waits to be written.
struct Ready {
    session: Session,
    spools: Vec<Option<Spool>>,
    warnings: Vec<FileWarning>,
}

/// Reads a session; what is too long for memory goes to files in `dir`.
fn read(reader: &SessionReader, session: &FoundSession, dir: &Path) -> Result<Ready, DataError> {
    let loaded = reader.read_in_blocks(session)?;
    let (mut spools, mut warnings) = (Vec::new(), loaded.warnings);
    for stream in loaded.streams {
        spools.push(match stream {
            None => None,
            Some(mut stream) => {
                let spool = Spool::fill(&mut stream, dir)?;
                warnings.extend(stream.into_warnings());
                Some(spool)
            }
        });
    }
    Ok(Ready {
        session: loaded.session,
        spools,
        warnings,
    })
}

/// Reads and writes all sessions, and gives the warnings of their readers.
pub(super) fn write(
    reader: &SessionReader,
    writer: &mut FolderWriter,
    dir: &Path,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<FileWarning>, DataError> {
    let subjects = reader.subjects();
    let sessions: Vec<&FoundSession> = subjects.iter().flat_map(|subject| &subject.sessions).collect();
    let (mut warnings, mut subjects) = (Vec::new(), subjects.iter());
    let mut last_subject = String::new();
    let done = AtomicUsize::new(0);
    let read_batch = |batch: &[&FoundSession]| -> Vec<Result<Ready, DataError>> {
        let read_one = |session: &&FoundSession| {
            let loaded = read(reader, session, dir);
            progress(done.fetch_add(1, Relaxed) + 1, sessions.len());
            loaded
        };
        batch.par_iter().map(read_one).collect()
    };
    let mut append = |batch: &[&FoundSession], loaded: Vec<Result<Ready, DataError>>| {
        for (found, loaded) in batch.iter().zip(loaded) {
            let loaded = loaded?;
            if last_subject != found.subject {
                last_subject.clone_from(&found.subject);
                if let Some(subject) = subjects.next() {
                    writer.subject(&subject.id, subject.site.as_deref(), subject.group.as_deref());
                }
            }
            writer.session(&loaded.session, loaded.spools)?;
            warnings.extend(loaded.warnings);
        }
        Ok::<(), DataError>(())
    };
    let mut before: (&[&FoundSession], _) = (&[], Vec::new());
    for batch in batches(&sessions, |session| reader.num_bytes(session)) {
        let (written, loaded) = rayon::join(|| append(before.0, std::mem::take(&mut before.1)), || read_batch(batch));
        written?;
        before = (batch, loaded);
    }
    append(before.0, before.1)?;
    Ok(warnings)
}

/// Neighbours that have [`MAX_BATCH_BYTES`] together; a larger session is alone.
fn batches<S>(sessions: &[S], num_bytes: impl Fn(&S) -> u64) -> Vec<&[S]> {
    let (mut batches, mut start, mut sum) = (Vec::new(), 0, 0);
    for (index, session) in sessions.iter().enumerate() {
        let size = num_bytes(session);
        if index > start && sum + size > MAX_BATCH_BYTES {
            batches.extend(sessions.get(start..index));
            (start, sum) = (index, 0);
        }
        sum += size;
    }
    batches.extend(sessions.get(start..).filter(|rest| !rest.is_empty()));
    batches
}
