//! A cohort as memory-mapped tables: what training and features read.
//!
//! One folder per prepared cohort: `index.json` (everything but the values), one little-endian `f32` table
//! `[rows, columns]` per modality with all sessions below each other, one `f64` file of row times per series, and
//! `SHA256SUMS`, which `sha256sum --check` understands.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::base::FileError;
use crate::base::hash::digest;
use crate::dataset::DataError;
use crate::dataset::card::Card;
use crate::dataset::subjects::{Cohort, ModalityKind, ModalitySpec};

mod store;

use store::{encode, store};

#[cfg(target_endian = "big")]
compile_error!("tables are mapped as little-endian numbers");

/// Part of every key: raise it when the reading or the layout of tables changes.
const FORMAT: u32 = 1;
const INDEX: &str = "index.json";
const SUMS: &str = "SHA256SUMS";

/// Rows `start..start + count` of one modality's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct RowRange {
    /// First row.
    pub start: u32,
    /// Number of rows; 0 (then `start` is 0 too) where there are none.
    pub count: u32,
}

/// A subject of a prepared cohort.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PreparedSubject {
    /// Id, unique in the cohort.
    pub id: String,
    /// Hospital or laboratory, where the dataset tells.
    pub site: Option<String>,
    /// What ties subjects together, such as a family or a therapist: a split never separates them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The subject's sessions.
    pub sessions: Vec<PreparedSession>,
}

/// A session of a prepared cohort.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PreparedSession {
    /// Id, unique in the subject.
    pub id: String,
    /// Index into [`Prepared::classes()`].
    pub class: u32,
    /// One range per modality; empty where the session lacks it.
    pub rows: Vec<RowRange>,
}

/// Written to `index.json`.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    format: u32,
    name: String,
    classes: Vec<String>,
    modalities: Vec<ModalitySpec>,
    num_rows: Vec<u32>,
    subjects: Vec<PreparedSubject>,
}

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
    /// What it is; [`ModalityKind::Row`], although a session may have several rows.
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
    warnings: Vec<String>,
}

impl Prepared {
    /// Prepares `cohort` in `<cache_dir>/<hash>/`, or opens what an earlier call left there. The hash is that of the
    /// content: names, units, row ranges and every byte of the tables.
    ///
    /// A folder appears complete or not at all. One whose files do not have the hashes it lists is written anew, and
    /// [`Prepared::warnings`] says so.
    ///
    /// # Errors
    /// [`DataError::Cohort`] when the cohort contradicts itself, [`FileError`] when the cache cannot be written.
    pub fn build(cohort: &Cohort, cache_dir: &Path) -> Result<Self, DataError> {
        cohort.validate()?;
        let key = digest(encode(cohort, None)?.as_bytes());
        Self::open_or(cache_dir, &key, || Ok(Cow::Borrowed(cohort)))
    }

    /// Prepares the dataset of `card` whose files lie in `raw_dir`. The folder's name is the hash of the card's text,
    /// the hashes it declares for the files it needs, and the version of this format; so a second call reads neither
    /// the files nor anything else below `raw_dir` but the list of hashes. Files whose hashes nobody declares are read
    /// to be hashed.
    ///
    /// # Errors
    /// Those of [`load_cohort`](crate::dataset::load::load_cohort) and of [`Prepared::build`].
    pub fn from_card(card: &Card, raw_dir: &Path, cache_dir: &Path) -> Result<Self, DataError> {
        let key = digest(format!("{FORMAT}\n{}", card.source_key(raw_dir)?).as_bytes());
        Self::open_or(cache_dir, &key, || {
            let cohort = crate::dataset::load::load_cohort(card, raw_dir)?;
            cohort.validate()?;
            Ok(Cow::Owned(cohort))
        })
    }

    fn open_or<'a>(
        cache_dir: &Path,
        key: &str,
        cohort: impl FnOnce() -> Result<Cow<'a, Cohort>, DataError>,
    ) -> Result<Self, DataError> {
        let dir = cache_dir.join(key);
        let mut warnings = Vec::new();
        if dir.exists() {
            match Self::open(&dir) {
                Ok(prepared) => return Ok(prepared),
                Err(error) => warnings.push(format!("prepared data is damaged and was built anew: {error}")),
            }
        }
        let cohort = cohort()?;
        // Again, because of other processes that move the same damaged folder away, and may take ours with it.
        let build = || store(&cohort, cache_dir, &dir).and_then(|()| Self::open(&dir));
        let prepared = build().or_else(|_| build()).or_else(|_| build())?;
        Ok(Self { warnings, ..prepared })
    }

    /// Opens a folder that [`Prepared::build`] or [`Prepared::from_card`] wrote, after checking the hash of every file.
    ///
    /// # Errors
    /// [`FileError`] for a missing file, [`FileError`] for one that is not what the folder lists.
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        let sums_path = dir.join(SUMS);
        let sums = std::fs::read_to_string(&sums_path).map_err(FileError::io(&sums_path, "read"))?;
        let mut mapped: HashMap<&str, Mapped> = HashMap::new();
        for (number, line) in sums.lines().enumerate() {
            let (expected, file) = line.split_once("  ").ok_or_else(|| {
                damaged(
                    &sums_path,
                    format!("line {}", number + 1),
                    line.into(),
                    "`hash  file`".into(),
                )
            })?;
            let path = dir.join(file);
            let bytes = Mapped::open(&path)?;
            let found = digest(bytes.bytes());
            if found != expected {
                return Err(damaged(
                    &path,
                    "content".into(),
                    format!("sha256 {found}"),
                    expected.into(),
                ));
            }
            mapped.insert(file, bytes);
        }
        let index_path = dir.join(INDEX);
        let index = mapped.remove(INDEX).ok_or_else(|| unlisted(&sums_path, INDEX))?;
        let index: Index = serde_json::from_slice(index.bytes()).map_err(|error| {
            damaged(
                &index_path,
                format!("line {}", error.line()),
                error.to_string(),
                format!("an index of format {FORMAT}"),
            )
        })?;
        if index.format != FORMAT {
            return Err(damaged(
                &index_path,
                "format".into(),
                index.format.to_string(),
                FORMAT.to_string(),
            ));
        }
        let mut tables = Vec::new();
        for (modality, (spec, &num_rows)) in index.modalities.iter().zip(&index.num_rows).enumerate() {
            let mut take = |file: String, num_bytes: usize| {
                let values = mapped
                    .remove(file.as_str())
                    .ok_or_else(|| unlisted(&sums_path, &file))?;
                match values.bytes().len() {
                    found if found == num_bytes => Ok(values),
                    found => Err(damaged(
                        &dir.join(&file),
                        "size".into(),
                        format!("{found} bytes"),
                        num_bytes.to_string(),
                    )),
                }
            };
            let num_rows = num_rows as usize;
            let values = take(values_file(modality), num_rows * spec.num_columns() * size_of::<f32>())?;
            let times_secs = match spec.kind {
                ModalityKind::Series => Some(Arc::new(take(times_file(modality), num_rows * size_of::<f64>())?)),
                _ => None,
            };
            tables.push(Table {
                values: Values::Mapped(Arc::new(values)),
                times_secs,
            });
        }
        Ok(Self {
            index,
            tables,
            hash: digest(sums.as_bytes()),
            warnings: Vec::new(),
        })
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

    /// What the caller should show: a damaged folder that was rebuilt.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("name", &self.index.name)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// A read-only file in memory.
struct Mapped(memmap2::Mmap);

impl Mapped {
    #[allow(unsafe_code)]
    fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(FileError::io(path, "read"))?;
        // SAFETY: a mapping is undefined when the file changes below it. Files of a prepared folder are written once,
        // under another name, and never opened for writing again: damaged folders are moved away, not changed.
        let map = unsafe { memmap2::Mmap::map(&file) };
        Ok(map.map(Self).map_err(FileError::io(path, "map"))?)
    }

    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

fn damaged(file: &Path, place: String, found: String, expected: String) -> DataError {
    let hint = "remove this folder; it is built again from the dataset";
    FileError::at(file)
        .place(place)
        .found(found)
        .expected(expected)
        .hint(hint)
        .into()
}

fn unlisted(sums: &Path, file: &str) -> DataError {
    damaged(sums, file.into(), "no such line".into(), "the hash of this file".into())
}

fn values_file(modality: usize) -> String {
    format!("{modality}.f32")
}

fn times_file(modality: usize) -> String {
    format!("{modality}.times.f64")
}
