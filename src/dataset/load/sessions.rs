//! The sessions of a dataset: who is in it is known at once, recordings are read one session at a time.

use std::collections::BTreeMap;
use std::path::Path;

use super::annotations::annotations;
use super::columns::columns;
use super::found::{FoundFiles, find_subjects};
use super::images::images;
use super::label::class;
use super::points::points;
use super::reading::Reading;
use super::samples::shifted;
use super::series::series;
use super::signal::signal;
use super::source::{Source, whose};
use super::stream::{BLOCK_BYTES, MIN_FILE_BYTES, SignalStream, open_stream};
use super::tables::Tables;
use crate::dataset::card::{AlignRule, Card, ContentRule, ModalityRule, PathGroups, SignalRule};
use crate::dataset::error::DataError;
use crate::dataset::subjects::{ModalityKind, ModalitySpec, Recording, Session};
use crate::dataset::warning::FileWarning;
use crate::signal::align::lag_secs;
use recoup_formats::order::natural_cmp;
use recoup_formats::{WarningCode, detect, open};

/// A subject before its files are read.
pub struct FoundSubject {
    /// Id, unique in the dataset.
    pub id: String,
    /// Hospital or laboratory, where the dataset tells.
    pub site: Option<String>,
    /// What ties subjects together.
    pub group: Option<String>,
    /// The sessions with a class, in natural order of their ids; at least one.
    pub sessions: Vec<FoundSession>,
}

/// A session before its files are read.
pub struct FoundSession {
    /// Id of its subject.
    pub subject: String,
    /// Id, unique in the subject.
    pub id: String,
    /// Index into the card's classes.
    pub class: usize,
    /// Files of each modality, in natural order.
    files: Vec<Vec<String>>,
}

/// A session with its recordings.
pub struct LoadedSession<'a> {
    /// The session; a recording that comes as a stream is lacking.
    pub session: Session,
    /// For each modality the recording that is to be read block by block.
    pub streams: Vec<Option<SignalStream<'a>>>,
    /// What the readers of its files tolerated, streams aside.
    pub warnings: Vec<FileWarning>,
}

/// The sessions of a dataset, found but not read.
pub struct SessionReader<'a> {
    source: Source<'a>,
    tables: Tables,
    subjects: Vec<FoundSubject>,
}

impl<'a> SessionReader<'a> {
    /// Finds the subjects of the dataset of `card` in `raw_dir`, their sessions and classes, and reads the tables of all
    /// subjects.
    ///
    /// # Errors
    /// Those of [`load_cohort`](super::load_cohort), as far as names of files and tables can be wrong.
    pub fn open(card: &'a Card, raw_dir: &'a Path) -> Result<Self, DataError> {
        let source = Source::open(card, raw_dir)?;
        let tables = Tables::read(&source)?;
        let mut subjects = Vec::new();
        for found in find_subjects(&source, &tables)? {
            let mut sessions = Vec::new();
            for FoundFiles { id, label, files } in found.sessions {
                if let Some(class) = class(&source, &tables, &found.id, &id, label.as_ref())? {
                    let subject = found.id.clone();
                    sessions.push(FoundSession {
                        subject,
                        id,
                        class,
                        files,
                    });
                }
            }
            if !sessions.is_empty() {
                let (id, site, group) = (found.id, found.site, found.group);
                subjects.push(FoundSubject {
                    id,
                    site,
                    group,
                    sessions,
                });
            }
        }
        if subjects.is_empty() {
            let problem = "no session has a label, and `unlabelled = \"leave-out\"` leaves out those without".into();
            return Err(card.error("label", problem, "correct the column, the item or the weeks"));
        }
        subjects.sort_by(|a, b| natural_cmp(&a.id, &b.id));
        Ok(Self {
            source,
            tables,
            subjects,
        })
    }

    /// The classes of the subjects whose files lie in one folder, by folder; folders of patterns with `{group}` or `{site}`,
    /// which say what a folder is, do not count.
    pub fn subjects_by_folder(&self) -> BTreeMap<String, BTreeMap<String, usize>> {
        let mut folders = BTreeMap::<String, BTreeMap<String, usize>>::new();
        let rules = &self.source.card.modalities;
        for session in self.subjects.iter().flat_map(|subject| &subject.sessions) {
            for (rule, files) in rules.iter().zip(&session.files) {
                let pattern = rule.pattern().unwrap_or_default();
                if pattern.contains("{group}") || pattern.contains("{site}") {
                    continue;
                }
                for (folder, _) in files.iter().filter_map(|file| file.rsplit_once('/')) {
                    let subjects = folders.entry(folder.to_string()).or_default();
                    subjects.insert(session.subject.clone(), session.class);
                }
            }
        }
        folders
    }

    /// The subjects in natural order of their ids.
    pub fn subjects(&self) -> &[FoundSubject] {
        &self.subjects
    }

    /// What has a name that a modality asks for, but is not read: links out of the folder, pipes, devices.
    ///
    /// # Errors
    /// [`DataError::Card`] for a pattern that is none.
    pub fn skipped(&self) -> Result<Vec<FileWarning>, DataError> {
        let mut skipped = Vec::new();
        for rule in &self.source.card.modalities {
            let Some(pattern) = self.source.card.pattern(rule)? else {
                continue;
            };
            let fits = |path: &str| pattern.matches(path, &PathGroups::default()).is_some();
            skipped.extend(
                self.source
                    .skipped
                    .iter()
                    .filter(|entry| fits(&entry.path))
                    .map(|entry| FileWarning {
                        code: WarningCode::LeftOut,
                        modality: rule.name.clone(),
                        file: entry.path.clone(),
                        text: format!("it is {}", entry.what),
                    }),
            );
        }
        Ok(skipped)
    }

    /// The modalities of the cohort, in the order of each session's recordings.
    pub fn modalities(&self) -> Vec<ModalitySpec> {
        self.source.card.modalities.iter().map(ModalityRule::spec).collect()
    }

    /// Bytes of files that reading a session takes into memory together, by the sizes of the files; long recordings are read
    /// in blocks.
    pub fn num_bytes(&self, session: &FoundSession) -> u64 {
        let rules = self.source.card.modalities.iter().zip(&session.files).enumerate();
        let of_modality = |(index, (_, files)): (usize, (&ModalityRule, &Vec<String>))| {
            let sum = files.iter().map(|file| self.file_bytes(file)).sum();
            match self.streams(index, sum) && files.first().is_some_and(|file| self.has_blocks(file)) {
                true => BLOCK_BYTES as u64,
                false => sum,
            }
        };
        rules.map(of_modality).sum()
    }

    fn file_bytes(&self, file: &str) -> u64 {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let path = self.source.raw_dir.join(file);
        size(&path) + open::parts_of(&path).iter().map(|path| size(path)).sum::<u64>()
    }

    fn has_blocks(&self, file: &str) -> bool {
        let path = self.source.raw_dir.join(file);
        let format = open::head(&path).and_then(|head| detect(&head, &path));
        format.is_ok_and(|format| format.blocks.is_some())
    }

    /// Whether a modality's files of so many bytes come as a stream, if their format has blocks: long signals that are
    /// neither aligned nor aligned to.
    fn streams(&self, index: usize, num_bytes: u64) -> bool {
        let rules = &self.source.card.modalities;
        let Some(rule) = rules.get(index).filter(|_| num_bytes >= MIN_FILE_BYTES) else {
            return false;
        };
        let aligns_to = |other: &ModalityRule| match &other.content {
            ContentRule::Signal(keys) => keys.align.as_ref().is_some_and(|align| align.to == rule.name),
            _ => false,
        };
        let is_alone = |keys: &SignalRule| keys.align.is_none() && keys.table_key().is_none();
        let is_signal = matches!(&rule.content, ContentRule::Signal(keys) if is_alone(keys));
        is_signal && !rules.iter().any(aligns_to)
    }

    /// Reads the recordings of a session into memory.
    ///
    /// # Errors
    /// Errors of [`load_cohort`](super::load_cohort).
    pub fn read(&self, session: &FoundSession) -> Result<LoadedSession<'_>, DataError> {
        self.read_session(session, false)
    }

    /// Reads the recordings of a session into memory, but long ones as streams.
    ///
    /// # Errors
    /// Errors of [`load_cohort`](super::load_cohort); those of a stream come with its rows.
    pub fn read_in_blocks(&self, session: &FoundSession) -> Result<LoadedSession<'_>, DataError> {
        self.read_session(session, true)
    }

    fn read_session(&self, session: &FoundSession, in_blocks: bool) -> Result<LoadedSession<'_>, DataError> {
        let (mut recordings, mut streams, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (rule, files)) in self.source.card.modalities.iter().zip(&session.files).enumerate() {
            let stream = match (&rule.content, files.as_slice()) {
                (ContentRule::Signal(keys), [file])
                    if in_blocks && self.streams(index, self.file_bytes(file)) && self.has_blocks(file) =>
                {
                    open_stream(Reading::new(&self.source, rule), keys, file)?
                }
                _ => None,
            };
            let reading = Reading::new(&self.source, rule);
            recordings.push(match &stream {
                None => self.recording(&reading, index, session, files)?,
                Some(_) => None,
            });
            streams.push(stream);
            warnings.extend(reading.into_warnings());
        }
        self.align(&mut recordings, session)?;
        let session = Session {
            id: session.id.clone(),
            class: session.class,
            recordings,
        };
        Ok(LoadedSession {
            session,
            streams,
            warnings,
        })
    }

    fn recording(
        &self,
        reading: &Reading,
        index: usize,
        session: &FoundSession,
        files: &[String],
    ) -> Result<Option<Recording>, DataError> {
        let (rule, subject) = (reading.rule, session.subject.as_str());
        let table = match (&rule.content, &rule.file) {
            (ContentRule::Table(_), None) => self.tables.card.as_ref(),
            _ => self.tables.modalities.get(index).and_then(Option::as_ref),
        };
        if let Some(table) = table {
            if rule.optional && table.row(subject, &session.id).is_none() {
                return Ok(None);
            }
            let row = std::iter::once(table.required_row(subject, &session.id)?);
            let values = columns(reading, &table.table, &table.layout, row)?;
            return Ok(Some(untimed(values)));
        }
        if let Some(rows) = self.tables.visits.get(index).and_then(Option::as_ref) {
            return rows.recording(subject, rule.optional);
        }
        let Some(file) = files.first() else {
            return match rule.optional {
                true => Ok(None),
                false => Err(self.source.missing_file(rule, &whose(subject, &session.id))),
            };
        };
        Ok(Some(match &rule.content {
            ContentRule::Signal(keys) => untimed(signal(reading, keys, file)?),
            ContentRule::Series(keys) => series(reading, keys, file)?,
            ContentRule::Image(keys) => untimed(images(reading, keys, files)?),
            ContentRule::Points(keys) => untimed(points(reading, keys, files)?),
            ContentRule::Annotations(keys) => return annotations(reading, keys, files),
            ContentRule::Table(_) | ContentRule::Visits(_) => return Ok(None),
        }))
    }

    /// Moves the recordings whose rules ask for it onto the clock of another one.
    fn align(&self, recordings: &mut [Option<Recording>], session: &FoundSession) -> Result<(), DataError> {
        let rules = &self.source.card.modalities;
        for (index, rule) in rules.iter().enumerate() {
            let ContentRule::Signal(keys) = &rule.content else {
                continue;
            };
            let Some(align) = &keys.align else { continue };
            let Some(lag_secs) = self.lag_secs(recordings, session, index, align)? else {
                continue;
            };
            // What the recording shows later than the other one does has to come earlier.
            let SignalRule { rate_hz, missing, .. } = keys;
            let shift = -(lag_secs * rate_hz).round() as isize;
            if let Some(Some(recording)) = recordings.get_mut(index) {
                recording.values = shifted(&recording.values, shift, *missing);
            }
        }
        Ok(())
    }

    /// By how much a recording is later than the one it is aligned to; `None` without one of the two.
    fn lag_secs(
        &self,
        recordings: &[Option<Recording>],
        session: &FoundSession,
        index: usize,
        align: &AlignRule,
    ) -> Result<Option<f64>, DataError> {
        let rules = &self.source.card.modalities;
        let column = |modality: usize, channel: &str| {
            let spec = rules.get(modality)?.spec();
            let ModalityKind::Signal { rate_hz } = spec.kind else {
                return None;
            };
            let column = spec.channels.iter().position(|known| known.name == channel)?;
            let recording = recordings.get(modality)?.as_ref()?;
            Some((recording.values.column(column).to_vec(), rate_hz))
        };
        let other = rules.iter().position(|other| other.name == align.to).unwrap_or(index);
        let (Some((reference, reference_hz)), Some((own, own_hz))) =
            (column(other, &align.to_channel), column(index, &align.channel))
        else {
            return Ok(None);
        };
        match lag_secs(&reference, reference_hz, &own, own_hz, align.max_lag_secs) {
            Ok(found) => Ok(Some(found.lag_secs)),
            Err(problem) => {
                let problem = format!("{}: {problem}", whose(&session.subject, &session.id));
                let hint = "name channels that show the same events, or leave `align` out";
                let name = rules.get(index).map_or("", |rule| &rule.name);
                Err(self.source.card.error(format!("modality.{name}.align"), problem, hint))
            }
        }
    }
}

fn untimed(values: ndarray::Array2<f32>) -> Recording {
    Recording {
        times_secs: None,
        values,
    }
}
