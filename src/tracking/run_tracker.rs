//! One run, many replicas: each scalar goes to the TensorBoard run of its replica and to `metrics.jsonl`.

use super::TrackingError;
use super::jsonl::{MetricLine, MetricsWriter};
use super::tensorboard::{EventWriter, HparamValue, SessionStatus, unix_time_secs};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Description of one replica for the tracker.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackedReplica {
    /// Name of the variant: its directory below `tb/`.
    pub variant: String,
    /// Group on the HPARAMS page, which averages the replicas of a group: the same for all folds and seeds of one
    /// configuration, another for any other.
    pub group: String,
    /// Repeat of the cross-validation.
    pub repeat: usize,
    /// Fold of the repeat.
    pub fold: usize,
    /// Seed.
    pub seed: u64,
    /// Hyperparameters of the variant, without repeat, fold and seed. May be empty.
    pub hparams: Vec<(String, HparamValue)>,
    /// First step that this attempt logs: 0, or the one after the checkpoint it resumes from. Everything that an earlier
    /// attempt logged from there on is superseded.
    pub first_step: u64,
}

/// Sends what replicas log to TensorBoard and to `metrics.jsonl`. Nothing is visible to readers before
/// [`flush`](Self::flush), which is meant to be called once per log interval.
///
/// The TensorBoard file of a replica is created when it first logs, so replicas that were done before a restart cost
/// nothing, and is closed by [`finish`](Self::finish): open files are as many as replicas train together.
#[derive(Debug)]
pub struct RunTracker {
    tensorboard_directory: PathBuf,
    metrics: MetricsWriter,
    root: Option<EventWriter>,
    replicas: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    replica: TrackedReplica,
    has_logged: bool,
    events: Option<EventWriter>,
}

impl RunTracker {
    /// Opens the run in `run_directory`, which is created if needed. The index of a replica must be the same in every
    /// attempt of the run.
    ///
    /// # Errors
    /// [`TrackingError::Invalid`] if two replicas are the same or a variant is no directory name; [`TrackingError::Io`] and
    /// [`TrackingError::NoSpace`] with the file.
    pub fn open(run_directory: &Path, replicas: Vec<TrackedReplica>) -> Result<Self, TrackingError> {
        check(&replicas)?;
        fs::create_dir_all(run_directory).map_err(|error| TrackingError::io("create", run_directory, error))?;
        Ok(Self {
            tensorboard_directory: run_directory.join("tb"),
            metrics: MetricsWriter::open(&run_directory.join("metrics.jsonl"))?,
            root: None,
            replicas: replicas
                .into_iter()
                .map(|replica| Slot {
                    replica,
                    has_logged: false,
                    events: None,
                })
                .collect(),
        })
    }

    /// Logs scalars of one replica after `step` optimiser updates. Of one tag given twice the last value counts.
    ///
    /// # Errors
    /// [`TrackingError::Invalid`] for an unknown replica; else as [`flush`](Self::flush), and only when a buffer is full.
    pub fn log_scalars(&mut self, replica: usize, step: u64, values: &[(&str, f64)]) -> Result<(), TrackingError> {
        let slot = slot(&mut self.replicas, replica)?;
        if !slot.has_logged && self.metrics.has_earlier_life() {
            let opens_life = slot.replica.line(replica, slot.replica.first_step, &[]);
            self.metrics.append(&MetricLine {
                resumed: true,
                ..opens_life
            })?;
        }
        slot.has_logged = true;
        self.metrics.append(&slot.replica.line(replica, step, values))?;
        slot.events(&self.tensorboard_directory)?.scalars(step, values)
    }

    /// The TensorBoard run of one replica, for figures, histograms, PR curves and texts.
    ///
    /// # Errors
    /// [`TrackingError::Invalid`] for an unknown replica; else as [`EventWriter::create`].
    pub fn events(&mut self, replica: usize) -> Result<&mut EventWriter, TrackingError> {
        slot(&mut self.replicas, replica)?.events(&self.tensorboard_directory)
    }

    /// The root TensorBoard run, for what belongs to the experiment: its table, chart layout, texts and summary figures.
    ///
    /// # Errors
    /// As [`EventWriter::create`].
    pub fn root_events(&mut self) -> Result<&mut EventWriter, TrackingError> {
        let first_step = self
            .replicas
            .iter()
            .map(|slot| slot.replica.first_step)
            .min()
            .unwrap_or(0);
        open_once(&mut self.root, || {
            EventWriter::create(&self.tensorboard_directory, first_step)
        })
    }

    /// States how a replica ended and closes its TensorBoard file. Not called for a replica that will be resumed.
    ///
    /// # Errors
    /// [`TrackingError::Invalid`] for an unknown replica; else as [`flush`](Self::flush).
    pub fn finish(&mut self, replica: usize, status: SessionStatus) -> Result<(), TrackingError> {
        let slot = slot(&mut self.replicas, replica)?;
        let events = slot.events(&self.tensorboard_directory)?;
        events.session_end(status)?;
        events.sync()?;
        slot.events = None;
        self.metrics.sync()
    }

    /// Makes everything logged so far visible to readers.
    ///
    /// # Errors
    /// [`TrackingError::Io`] and [`TrackingError::NoSpace`] with the first file that failed; the others are flushed all the
    /// same, and what could not be written stays buffered.
    pub fn flush(&mut self) -> Result<(), TrackingError> {
        let metrics = self.metrics.flush();
        self.writers().map(EventWriter::flush).fold(metrics, Result::and)
    }

    /// [`flush`](Self::flush), then waits until it would survive a power failure. Called with a checkpoint, before the
    /// checkpoint says up to which step is logged.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn sync(&mut self) -> Result<(), TrackingError> {
        let metrics = self.metrics.sync();
        self.writers().map(EventWriter::sync).fold(metrics, Result::and)
    }

    fn writers(&mut self) -> impl Iterator<Item = &mut EventWriter> {
        self.root
            .iter_mut()
            .chain(self.replicas.iter_mut().filter_map(|slot| slot.events.as_mut()))
    }
}

impl Slot {
    fn events(&mut self, tensorboard_directory: &Path) -> Result<&mut EventWriter, TrackingError> {
        let replica = &self.replica;
        open_once(&mut self.events, || {
            let mut events = EventWriter::create(&tensorboard_directory.join(replica.run_name()), replica.first_step)?;
            if !replica.hparams.is_empty() {
                events.hparams(&replica.hparams, &replica.group)?;
            }
            Ok(events)
        })
    }
}

impl TrackedReplica {
    /// Directory of its TensorBoard run below `tb/`.
    fn run_name(&self) -> String {
        format!(
            "{}/repeat{}-fold{}-seed{}",
            self.variant, self.repeat, self.fold, self.seed
        )
    }

    fn line(&self, replica: usize, step: u64, values: &[(&str, f64)]) -> MetricLine {
        MetricLine {
            replica,
            variant: self.variant.clone(),
            repeat: self.repeat,
            fold: self.fold,
            seed: self.seed,
            step,
            wall_time_secs: unix_time_secs(),
            resumed: false,
            values: values.iter().map(|&(tag, value)| (tag.to_owned(), value)).collect(),
        }
    }
}

fn slot(replicas: &mut [Slot], index: usize) -> Result<&mut Slot, TrackingError> {
    let num_replicas = replicas.len();
    replicas.get_mut(index).ok_or_else(|| {
        TrackingError::invalid(
            format!("replica {index} is unknown: the run has {num_replicas} replicas"),
            "give the index of the replica within the run, not within its group",
        )
    })
}

/// `Option::get_or_insert_with` for a fallible constructor.
fn open_once(
    writer: &mut Option<EventWriter>,
    open: impl FnOnce() -> Result<EventWriter, TrackingError>,
) -> Result<&mut EventWriter, TrackingError> {
    let opened = match writer.take() {
        Some(opened) => opened,
        None => open()?,
    };
    Ok(writer.insert(opened))
}

fn check(replicas: &[TrackedReplica]) -> Result<(), TrackingError> {
    let mut names = HashSet::new();
    for replica in replicas {
        let variant = &replica.variant;
        if variant.is_empty() || variant.starts_with('.') || variant.contains(['/', '\\', '\0']) {
            return Err(TrackingError::invalid(
                format!("variant \"{variant}\" cannot name a directory"),
                "use a name without slashes that does not start with a dot",
            ));
        }
        if !names.insert(replica.run_name()) {
            return Err(TrackingError::invalid(
                format!("two replicas are {}", replica.run_name()),
                "variant, repeat, fold and seed together must be different for each replica of a run",
            ));
        }
    }
    Ok(())
}
