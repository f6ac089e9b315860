//! A cohort as memory-mapped tables: what training and features read.
//!
//! One folder per prepared cohort: `index.json` (everything but the values), one little-endian `f32` table
//! `[rows, columns]` per modality with all sessions below each other, one `f64` file of row times per series, and
//! `SHA256SUMS`, which `sha256sum --check` understands.

use std::path::Path;
use std::sync::Arc;

use crate::base::hash::digest;
use crate::dataset::card::Card;
use crate::dataset::error::DataError;
use crate::dataset::load::SessionReader;
use crate::dataset::subjects::{Cohort, ModalitySpec};
use crate::dataset::warning::{FileWarning, summary};

mod folder;
mod index;
mod sessions;
mod spool;
mod store;
mod writer;

use folder::{Folder, Mapped, content_hash};
use index::Index;
use store::store;
use writer::FolderWriter;

pub use index::{PreparedSession, PreparedSubject, RowRange};

#[cfg(target_endian = "big")]
compile_error!("tables are mapped as little-endian numbers");

/// Part of the key of a dataset: raise it when readers give other values or warnings.
const READERS: u32 = 2;

#[derive(Clone)]
struct Table {
    values: Values,
    times_secs: Option<Arc<Mapped>>,
}

#[derive(Clone)]
enum Values {
    Mapped(Arc<Mapped>),
    Computed(Arc<[f32]>),
}

/// A modality that was computed from others: one row per window or session.
pub struct Computed {
    /// Name, kind and channels; the kind is [`ModalityKind::Row`](crate::dataset::subjects::ModalityKind::Row), although a session may have several rows.
    pub spec: ModalitySpec,
    /// `[rows, spec.num_columns()]`, NaN where a value is missing.
    pub values: Vec<f32>,
    /// Rows of each session of each subject; empty where it has none.
    pub rows: Vec<Vec<RowRange>>,
}

/// A cohort on disk, mapped into memory; cheap to open, and the operating system keeps one copy for all processes.
pub struct Prepared {
    index: Index,
    tables: Vec<Table>,
    hash: String,
    file_warnings: Vec<FileWarning>,
    warnings: Vec<String>,
}

impl Prepared {
    /// Prepares `cohort` in `<cache_dir>/<hash>/`, or opens what an earlier call left there. The hash is that of the
    /// content: names, units, row ranges and every byte of the tables.
    ///
    /// A folder appears complete or not at all. One whose files do not have the hashes it lists, or that contradicts
    /// itself, is written anew, and [`Prepared::warnings`] says so.
    ///
    /// # Errors
    /// [`DataError::Cohort`] when the cohort contradicts itself, [`DataError::Io`] when the cache cannot be written.
    pub fn build(cohort: &Cohort, cache_dir: &Path) -> Result<Self, DataError> {
        cohort.validate()?;
        let key = content_hash(&encode(cohort, None)?);
        let dir = cache_dir.join(&key);
        let found = Self::open(&dir).and_then(|prepared| match prepared.hash == key {
            true => Ok(prepared),
            false => {
                let found = format!("content {}", prepared.hash);
                Err(index::damaged(&dir, "name", found, "the name of the folder".into()))
            }
        });
        Self::or_store(found, cache_dir, &dir, &|building| encode(cohort, Some(building)))
    }

    /// Prepares the dataset of `card` whose files lie in `raw_dir`. The folder's name is the hash of the card's text,
    /// the hashes it declares for the files it needs, and the version of the readers; so a second call reads neither
    /// the files nor anything else below `raw_dir` but the list of hashes. Files whose hashes nobody declares are read
    /// to be hashed.
    ///
    /// Sessions are read on all cores, as many at a time as fit a fixed memory, and written in order.
    ///
    /// # Errors
    /// Errors of [`load_cohort`](crate::dataset::load::load_cohort) and of [`Prepared::build`].
    pub fn from_card(card: &Card, raw_dir: &Path, cache_dir: &Path) -> Result<Self, DataError> {
        Self::from_card_with(card, raw_dir, cache_dir, &|_, _| {})
    }

    /// As [`from_card`](Self::from_card), told how many sessions of all are prepared.
    ///
    /// # Errors
    /// Errors of [`from_card`](Self::from_card).
    pub fn from_card_with(
        card: &Card,
        raw_dir: &Path,
        cache_dir: &Path,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Self, DataError> {
        let key = digest(format!("{READERS}\n{}", card.source_key(raw_dir)?).as_bytes());
        let dir = cache_dir.join(key);
        Self::or_store(Self::open(&dir), cache_dir, &dir, &|building| {
            let reader = SessionReader::open(card, raw_dir)?;
            let mut writer = FolderWriter::new(&card.name, &card.classes, reader.modalities(), Some(building))?;
            let mut warnings = reader.skipped()?;
            warnings.extend(sessions::write(&reader, &mut writer, building, progress)?);
            writer.finish(&warnings)
        })
    }

    /// What was found, or where nothing was or it is damaged, what `fill` writes.
    fn or_store(
        found: Result<Self, DataError>,
        cache_dir: &Path,
        dir: &Path,
        fill: &dyn Fn(&Path) -> Result<String, DataError>,
    ) -> Result<Self, DataError> {
        let rebuilt = match found {
            Ok(prepared) => return Ok(prepared),
            Err(error) if dir.exists() => Some(format!("prepared data is damaged and was built anew: {error}")),
            Err(_) => None,
        };
        let mut prepared = Self::from(store(cache_dir, dir, fill)?);
        prepared.warnings.splice(0..0, rebuilt);
        Ok(prepared)
    }

    /// Opens a folder that [`Prepared::build`] or [`Prepared::from_card`] wrote, after checking the hash of every file, and
    /// that names, ranges of rows and sizes of tables hold together.
    ///
    /// # Errors
    /// [`DataError`] for a missing file, or for one that is not what the folder lists.
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        Folder::open(dir).map(Self::from)
    }

    /// The same cohort with more modalities, behind those it has. They live in memory only, and
    /// [`content_hash`](Self::content_hash) stays that of the recordings, from which they can be computed again.
    pub fn with(&self, computed: Vec<Computed>) -> Self {
        let mut index = self.index.clone();
        let mut tables = self.tables.clone();
        for modality in computed {
            index
                .num_rows
                .push((modality.values.len() / modality.spec.num_columns().max(1)) as u32);
            index.modalities.push(modality.spec);
            for (subject, rows) in index.subjects.iter_mut().zip(modality.rows) {
                subject
                    .sessions
                    .iter_mut()
                    .zip(rows)
                    .for_each(|(session, rows)| session.rows.push(rows));
            }
            tables.push(Table {
                values: Values::Computed(modality.values.into()),
                times_secs: None,
            });
        }
        Self {
            index,
            tables,
            hash: self.hash.clone(),
            file_warnings: self.file_warnings.clone(),
            warnings: self.warnings.clone(),
        }
    }

    /// Name of the dataset.
    pub fn name(&self) -> &str {
        &self.index.name
    }

    /// Names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.index.classes
    }

    /// The modalities, in the order of the tables.
    pub fn modalities(&self) -> &[ModalitySpec] {
        &self.index.modalities
    }

    /// Index of the modality called `name`.
    pub fn modality(&self, name: &str) -> Option<usize> {
        self.index.modalities.iter().position(|spec| spec.name == name)
    }

    /// The subjects in natural order of their ids.
    pub fn subjects(&self) -> &[PreparedSubject] {
        &self.index.subjects
    }

    /// Number of rows of a modality's table; 0 for a modality that does not exist.
    pub fn num_rows(&self, modality: usize) -> usize {
        self.index.num_rows.get(modality).map_or(0, |&rows| rows as usize)
    }

    /// The table of a modality, row by row: `[num_rows, spec.num_columns()]`, NaN where a value is missing. Empty for a
    /// modality that does not exist.
    pub fn table(&self, modality: usize) -> &[f32] {
        self.tables.get(modality).map_or(&[], |table| match &table.values {
            Values::Mapped(mapped) => bytemuck::cast_slice(mapped.bytes()),
            Values::Computed(values) => values,
        })
    }

    /// Some rows of a modality's table, `[rows.count, spec.num_columns()]`; `None` outside the table.
    pub fn values(&self, modality: usize, rows: RowRange) -> Option<&[f32]> {
        let columns = self.index.modalities.get(modality)?.num_columns();
        let (start, count) = (rows.start as usize, rows.count as usize);
        self.table(modality).get(start * columns..(start + count) * columns)
    }

    /// Seconds on each session's clock, one per row of a series; `None` for every other kind.
    pub fn times_secs(&self, modality: usize) -> Option<&[f64]> {
        let times = self.tables.get(modality)?.times_secs.as_ref()?;
        Some(bytemuck::cast_slice(times.bytes()))
    }

    /// SHA-256 of the content, in hex: equal hashes mean equal names, units, row ranges and values.
    pub fn content_hash(&self) -> &str {
        &self.hash
    }

    /// Lines that the caller should show: a damaged folder that was rebuilt, classes that no session has, subjects with
    /// sessions of several classes, and what readers tolerated, by kind.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What the readers of files tolerated, in the order of the sessions.
    pub fn file_warnings(&self) -> &[FileWarning] {
        &self.file_warnings
    }
}

impl From<Folder> for Prepared {
    fn from(folder: Folder) -> Self {
        let table = |table: folder::MappedTable| Table {
            values: Values::Mapped(table.values),
            times_secs: table.times_secs,
        };
        let mut warnings = remarks(&folder.index);
        warnings.extend(summary(&folder.warnings));
        Self {
            index: folder.index,
            tables: folder.tables.into_iter().map(table).collect(),
            hash: folder.hash,
            warnings,
            file_warnings: folder.warnings,
        }
    }
}

/// What is odd about the labels of a cohort.
fn remarks(index: &Index) -> Vec<String> {
    let sessions = || index.subjects.iter().flat_map(|subject| &subject.sessions);
    let is_empty = |class: usize| sessions().all(|session| session.class as usize != class);
    let empty = index.classes.iter().enumerate().filter(|(class, _)| is_empty(*class));
    let mut remarks: Vec<String> = empty
        .map(|(_, class)| {
            format!(
                "no session is of class `{class}`, so it can neither be learnt nor scored; take it out of `classes`, or \
                 correct the values that [label] maps to it"
            )
        })
        .collect();
    let is_mixed = |subject: &&PreparedSubject| {
        let mut classes = subject.sessions.iter().map(|session| session.class);
        let first = classes.next();
        classes.any(|class| Some(class) != first)
    };
    let mixed: Vec<&str> = index
        .subjects
        .iter()
        .filter(is_mixed)
        .map(|subject| subject.id.as_str())
        .collect();
    remarks.extend(several_classes(&mixed, index.subjects.len()));
    remarks
}

/// What can be scored where some of `num_subjects` subjects have sessions of several classes; nothing where none has.
pub fn several_classes(mixed: &[&str], num_subjects: usize) -> Option<String> {
    const MAX_IDS: usize = 5;
    let first = mixed.get(..MAX_IDS.min(mixed.len()))?.join(", ");
    let more = if mixed.len() > MAX_IDS { ", ..." } else { "" };
    (!mixed.is_empty()).then(|| {
        format!(
            "{} of {num_subjects} subjects have sessions of several classes ({first}{more}): a score of the subject needs \
             one class; to score sessions instead, let `{{subject}}` in the card's patterns match the session, and \
             `{{group}}` the person, whose sessions no split separates",
            mixed.len()
        )
    })
}

/// The text of `SHA256SUMS` for a cohort; with a folder, the files are written there as well.
fn encode(cohort: &Cohort, dir: Option<&Path>) -> Result<String, DataError> {
    let mut writer = FolderWriter::new(&cohort.name, &cohort.classes, cohort.modalities.clone(), dir)?;
    for subject in &cohort.subjects {
        writer.subject(&subject.id, subject.site.as_deref(), subject.group.as_deref());
        for session in &subject.sessions {
            writer.session(session, Vec::new())?;
        }
    }
    writer.finish(&[])
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("name", &self.index.name)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}
