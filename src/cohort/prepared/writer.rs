//! Writing the files of a prepared folder, session by session.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::index::{
    FORMAT, INDEX, Index, PreparedSession, PreparedSubject, RowRange, WARNINGS, times_file, values_file,
};
use super::spool::Spool;
use crate::base::FileError;
use crate::base::hash::hex;
use crate::dataset::error::DataError;
use crate::dataset::subjects::{ModalityKind, ModalitySpec, Recording, Session, check_names, check_session};
use crate::dataset::warning::FileWarning;

/// Appends sessions to the tables of all modalities, and hashes them; without a folder they are hashed only.
pub(super) struct FolderWriter<'a> {
    dir: Option<&'a Path>,
    index: Index,
    tables: Vec<TableFiles>,
}

/// The files of one modality.
struct TableFiles {
    values: HashedFile,
    times_secs: Option<HashedFile>,
}

impl<'a> FolderWriter<'a> {
    pub(super) fn new(
        name: &str,
        classes: &[String],
        modalities: Vec<ModalitySpec>,
        dir: Option<&'a Path>,
    ) -> Result<Self, DataError> {
        check_names(classes, &modalities).map_err(contradiction(name))?;
        let tables = modalities.iter().enumerate().map(|(modality, spec)| {
            let values = HashedFile::create(dir, values_file(modality))?;
            let times_secs = match spec.kind {
                ModalityKind::Series => Some(HashedFile::create(dir, times_file(modality))?),
                _ => None,
            };
            Ok(TableFiles { values, times_secs })
        });
        Ok(Self {
            tables: tables.collect::<Result<_, DataError>>()?,
            dir,
            index: Index {
                format: FORMAT,
                name: name.to_string(),
                classes: classes.to_vec(),
                num_rows: vec![0; modalities.len()],
                modalities,
                subjects: Vec::new(),
            },
        })
    }

    /// Begins a subject, whose sessions follow.
    pub(super) fn subject(&mut self, id: &str, site: Option<&str>, group: Option<&str>) {
        self.index.subjects.push(PreparedSubject {
            id: id.to_string(),
            site: site.map(String::from),
            group: group.map(String::from),
            sessions: Vec::new(),
        });
    }

    /// Appends a session of the subject that was begun last. `spools` has the recordings that are not in memory, one entry for
    /// each modality or none at all.
    pub(super) fn session(&mut self, session: &Session, spools: Vec<Option<Spool>>) -> Result<(), DataError> {
        let Index {
            name,
            modalities,
            classes,
            subjects,
            num_rows,
            ..
        } = &mut self.index;
        let Some(subject) = subjects.last_mut() else {
            return Ok(());
        };
        check_session(modalities, classes.len(), &subject.id, session).map_err(contradiction(name))?;
        let mut rows = Vec::new();
        let spools = spools.into_iter().chain(std::iter::repeat_with(|| None));
        let recordings = session.recordings.iter().zip(spools).zip(&mut self.tables);
        for (modality, ((recording, spool), table)) in recordings.enumerate() {
            let count = match (recording, &spool) {
                (Some(recording), _) => recording.values.nrows(),
                (None, Some(spool)) => spool.num_rows,
                (None, None) => {
                    rows.push(RowRange::default());
                    continue;
                }
            };
            let Some(next) = num_rows.get_mut(modality) else {
                continue;
            };
            let count = u32::try_from(count).ok();
            let Some((count, end)) = count.and_then(|count| Some((count, next.checked_add(count)?))) else {
                let problem = format!("more rows than {}, the most that a table can have", u32::MAX);
                return Err(contradiction(name)((format!("modality {modality}"), problem)));
            };
            rows.push(RowRange { start: *next, count });
            *next = end;
            match (recording, spool) {
                (Some(recording), _) => table.append(recording)?,
                (None, spool) => spool.map_or(Ok(()), |spool| spool.copy(|bytes| table.values.write(bytes)))?,
            }
        }
        subject.sessions.push(PreparedSession {
            id: session.id.clone(),
            class: session.class as u32,
            rows,
        });
        Ok(())
    }

    /// Writes the index and the warnings; the text of `SHA256SUMS`.
    pub(super) fn finish(self, warnings: &[FileWarning]) -> Result<String, DataError> {
        let mut sums = String::new();
        let mut add = |file: HashedFile| {
            let name = file.name.clone();
            file.finish().map(|hash| sums.push_str(&format!("{hash}  {name}\n")))
        };
        for TableFiles { values, times_secs } in self.tables {
            add(values)?;
            times_secs.map(&mut add).transpose()?;
        }
        add(HashedFile::json(self.dir, INDEX, &self.index)?)?;
        if !warnings.is_empty() {
            add(HashedFile::json(self.dir, WARNINGS, &warnings)?)?;
        }
        Ok(sums)
    }
}

fn contradiction(cohort: &str) -> impl FnOnce((String, String)) -> DataError {
    let cohort = cohort.to_string();
    move |(place, problem)| DataError::Cohort { cohort, place, problem }
}

impl TableFiles {
    fn append(&mut self, recording: &Recording) -> Result<(), DataError> {
        let values = recording.values.as_standard_layout();
        self.values
            .write(bytemuck::cast_slice(values.as_slice().unwrap_or_default()))?;
        match &mut self.times_secs {
            Some(file) => file.write(bytemuck::cast_slice(
                recording.times_secs.as_deref().unwrap_or_default(),
            )),
            None => Ok(()),
        }
    }
}

/// Hashes what is written, and writes it if there is a folder.
struct HashedFile {
    name: String,
    path: PathBuf,
    hasher: Sha256,
    file: Option<BufWriter<File>>,
}

impl HashedFile {
    fn create(dir: Option<&Path>, name: String) -> Result<Self, DataError> {
        let path = dir.unwrap_or(Path::new("")).join(&name);
        let file = dir
            .map(|_| File::create(&path).map_err(FileError::io(&path, "write")))
            .transpose()?;
        Ok(Self {
            name,
            path,
            hasher: Sha256::new(),
            file: file.map(BufWriter::new),
        })
    }

    fn json(dir: Option<&Path>, name: &str, value: &impl serde::Serialize) -> Result<Self, DataError> {
        let json = serde_json::to_vec(value).map_err(|error| FileError::io(Path::new(name), "encode")(error.into()))?;
        let mut file = Self::create(dir, name.into())?;
        file.write(&json)?;
        Ok(file)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.hasher.update(bytes);
        match &mut self.file {
            Some(file) => Ok(file.write_all(bytes).map_err(FileError::io(&self.path, "write"))?),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<String, DataError> {
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
