//! Writing a prepared folder: all of it or nothing.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{
    FORMAT, INDEX, Index, Prepared, PreparedSession, PreparedSubject, RowRange, SUMS, times_file, values_file,
};
use crate::base::FileError;
use crate::base::file::{sync_folder, write_synced};
use crate::base::hash::hex;
use crate::dataset::DataError;
use crate::dataset::subjects::{Cohort, ModalityKind, Session};

/// Writes a complete folder beside its final place, syncs it, and renames it.
pub(super) fn store(cohort: &Cohort, cache_dir: &Path, dir: &Path) -> Result<(), DataError> {
    std::fs::create_dir_all(cache_dir).map_err(FileError::io(cache_dir, "create"))?;
    let building = tempfile::Builder::new()
        .prefix(".building-")
        .tempdir_in(cache_dir)
        .map_err(FileError::io(cache_dir, "write into"))?;
    let sums = encode(cohort, Some(building.path()))?;
    write_synced(&building.path().join(SUMS), sums.as_bytes())?;
    sync_folder(building.path())?;
    if dir.exists() && Prepared::open(dir).is_err() {
        // Renamed first: a reader sees the damaged folder whole or not at all, and deleting is not atomic.
        let trash = tempfile::Builder::new()
            .prefix(".damaged-")
            .tempdir_in(cache_dir)
            .map_err(FileError::io(cache_dir, "write into"))?;
        match std::fs::rename(dir, trash.path().join("was")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
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

/// The text of `SHA256SUMS` for a cohort; with a folder, the files are written there as well.
pub(super) fn encode(cohort: &Cohort, dir: Option<&Path>) -> Result<String, DataError> {
    let mut index = Index {
        format: FORMAT,
        name: cohort.name.clone(),
        classes: cohort.classes.clone(),
        modalities: cohort.modalities.clone(),
        num_rows: Vec::new(),
        subjects: lay_out(cohort),
    };
    let mut sums = String::new();
    let mut finish = |file: HashedFile, name: String| -> Result<(), FileError> {
        sums.push_str(&format!("{}  {name}\n", file.finish()?));
        Ok(())
    };
    for modality in 0..cohort.modalities.len() {
        let recordings = || {
            let sessions = cohort.subjects.iter().flat_map(|subject| &subject.sessions);
            sessions.filter_map(move |session| session.recordings.get(modality)?.as_ref())
        };
        let num_rows: usize = recordings().map(|recording| recording.values.nrows()).sum();
        index
            .num_rows
            .push(u32::try_from(num_rows).map_err(|_| DataError::Cohort {
                cohort: cohort.name.clone(),
                place: format!("modality {modality}"),
                problem: format!("{num_rows} rows, expected at most {}", u32::MAX),
            })?);
        let mut values = HashedFile::create(dir, &values_file(modality))?;
        for recording in recordings() {
            values.write(bytemuck::cast_slice(
                recording.values.as_standard_layout().as_slice().unwrap_or_default(),
            ))?;
        }
        finish(values, values_file(modality))?;
        if cohort
            .modalities
            .get(modality)
            .is_some_and(|spec| spec.kind == ModalityKind::Series)
        {
            let mut times = HashedFile::create(dir, &times_file(modality))?;
            for recording in recordings() {
                times.write(bytemuck::cast_slice(
                    recording.times_secs.as_deref().unwrap_or_default(),
                ))?;
            }
            finish(times, times_file(modality))?;
        }
    }
    let json = serde_json::to_vec(&index).map_err(|error| FileError::io(Path::new(INDEX), "encode")(error.into()))?;
    let mut file = HashedFile::create(dir, INDEX)?;
    file.write(&json)?;
    finish(file, INDEX.into())?;
    Ok(sums)
}

/// Gives every session its rows, table by table in the order of the sessions.
fn lay_out(cohort: &Cohort) -> Vec<PreparedSubject> {
    let mut next = vec![0u32; cohort.modalities.len()];
    let mut place = |session: &Session| PreparedSession {
        id: session.id.clone(),
        class: session.class as u32,
        rows: (next.iter_mut().zip(&session.recordings))
            .map(|(next, recording)| match recording {
                None => RowRange::default(),
                Some(recording) => {
                    // Saturating, because `encode` reports a table that is too long.
                    let (start, count) = (*next, recording.values.nrows() as u32);
                    *next = start.saturating_add(count);
                    RowRange { start, count }
                }
            })
            .collect(),
    };
    (cohort.subjects.iter())
        .map(|subject| PreparedSubject {
            id: subject.id.clone(),
            site: subject.site.clone(),
            group: subject.group.clone(),
            sessions: subject.sessions.iter().map(&mut place).collect(),
        })
        .collect()
}

/// Hashes what is written, and writes it if there is a folder.
struct HashedFile {
    path: PathBuf,
    hasher: Sha256,
    file: Option<BufWriter<File>>,
}

impl HashedFile {
    fn create(dir: Option<&Path>, name: &str) -> Result<Self, FileError> {
        let path = dir.unwrap_or(Path::new("")).join(name);
        let file = match dir {
            Some(_) => Some(BufWriter::new(
                File::create(&path).map_err(FileError::io(&path, "write"))?,
            )),
            None => None,
        };
        Ok(Self {
            path,
            hasher: Sha256::new(),
            file,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.hasher.update(bytes);
        match &mut self.file {
            Some(file) => file.write_all(bytes).map_err(FileError::io(&self.path, "write")),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<String, FileError> {
        if let Some(file) = self.file {
            let written = file
                .into_inner()
                .map_err(|error| error.into_error())
                .and_then(|file| file.sync_all());
            written.map_err(FileError::io(&self.path, "write"))?;
        }
        Ok(hex(&self.hasher.finalize()))
    }
}
