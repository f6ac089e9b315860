//! TensorBoard event files, written by hand: no TensorFlow, no protoc.
//!
//! # File format
//! A file is a sequence of records `u64 length | u32 masked crc of the length | data | u32 masked crc of the data`, all
//! little endian, data being one `tensorflow.Event` message; the checksum is CRC-32C rotated and offset. The first event
//! states the version.
//! Source: tensorflow/core/lib/io/record_writer, tensorflow/core/util/event.proto, tensorboard/compat/proto.
//!
//! # What the readers can and cannot stand
//! *Constraints.* Both of TensorBoard's readers skip a torn last record, but lose everything appended behind it; they
//! read the files of one directory in name order; and when two files overlap in steps, the Python reader keeps both
//! curves unless each file says where its attempt starts.
//! *Choice.* One file per attempt of a run, never appended to later; its name sorts behind the files already there even if
//! the clock went back; its second event is `SessionLog START` with the first step of this attempt.
//! *Cost.* A run interrupted a thousand times leaves a thousand files.

mod hparams;
mod summaries;

pub use hparams::{DatasetRole, ExperimentSummary, HparamValue, MetricInfo, SessionStatus};
pub use summaries::HistogramBucket;

use super::TrackingError;
use super::append::AppendFile;
use super::protobuf::Message;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use summaries::Plugin;

/// Writes one TensorBoard run: one directory, one writer, one new file per attempt.
///
/// Scalars of one tag must be logged with growing steps. Nothing is visible to readers before [`flush`](Self::flush).
#[derive(Debug)]
pub struct EventWriter {
    file: AppendFile,
    first_step: u64,
}

/// A section of TensorBoard's CUSTOM SCALARS page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartCategory {
    /// Heading of the section.
    pub title: String,
    /// Charts.
    pub charts: Vec<Chart>,
}

/// One chart with a line for each tag of each run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Heading of the chart.
    pub title: String,
    /// Regular expressions; a tag that one of them matches is drawn.
    pub tag_patterns: Vec<String>,
}

impl EventWriter {
    /// Starts an attempt in `directory`, which is created if needed. `first_step` is the first step this attempt will log: what
    /// earlier files hold from there on is hidden by the readers.
    ///
    /// # Errors
    /// [`TrackingError::Io`] and [`TrackingError::NoSpace`], with the directory or the file.
    pub fn create(directory: &Path, first_step: u64) -> Result<Self, TrackingError> {
        fs::create_dir_all(directory).map_err(|error| TrackingError::io("create", directory, error))?;
        let mut unix_secs = (unix_time_secs() as u64).max(newest_unix_secs(directory)?.map_or(0, |newest| newest + 1));
        let host = host_name();
        let process = std::process::id();
        let file = loop {
            let path = directory.join(format!("events.out.tfevents.{unix_secs:010}.{host}.{process}.0"));
            match AppendFile::create_new(path)? {
                Some(file) => break file,
                None => unix_secs += 1,
            }
        };
        Self::begin(file, first_step)
    }

    /// Starts an attempt in a file already open for writing (a pipe, for example); `path` is what errors name.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn from_file(file: File, path: PathBuf, first_step: u64) -> Result<Self, TrackingError> {
        Self::begin(AppendFile::new(file, path), first_step)
    }

    fn begin(file: AppendFile, first_step: u64) -> Result<Self, TrackingError> {
        const SESSION_START: u64 = 1;
        let mut writer = Self { file, first_step };
        writer.record(&Message::new().double(1, unix_time_secs()).bytes(3, "brain.Event:2"))?;
        let session_log = Message::new().varint(1, SESSION_START);
        writer.record(
            &Message::new()
                .double(1, unix_time_secs())
                .varint(2, first_step)
                .message(7, &session_log),
        )?;
        Ok(writer)
    }

    /// The file of this attempt.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Logs one number. TensorBoard stores f32; NaN and infinities are shown as such.
    ///
    /// # Errors
    /// This and all methods below return [`TrackingError::Io`] or [`TrackingError::NoSpace`] when the buffer had to be
    /// written and could not be; the value stays buffered.
    pub fn scalar(&mut self, tag: &str, step: u64, value: f64) -> Result<(), TrackingError> {
        self.scalars(step, &[(tag, value)])
    }

    /// Logs several numbers of one step in one record.
    ///
    /// # Errors
    /// As [`scalar`](Self::scalar).
    pub fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<(), TrackingError> {
        // `simple_value` and not the newer tensor form: TensorBoard converts it, and scripts that call
        // `EventAccumulator.Scalars` see nothing else.
        self.summary(
            step,
            values
                .iter()
                .map(|(tag, value)| Message::new().bytes(1, tag).float(2, *value as f32)),
        )
    }

    /// Stores a markdown text (tables included) at the first step of this attempt.
    ///
    /// # Errors
    /// As [`scalar`](Self::scalar).
    pub fn text(&mut self, tag: &str, markdown: &str) -> Result<(), TrackingError> {
        let tensor = summaries::string_tensor(&[markdown.as_bytes()]);
        self.plugin_value(tag, self.first_step, &Plugin::text(), &tensor)
    }

    /// Counts finite values in 30 buckets of equal width and stores them.
    ///
    /// # Errors
    /// As [`scalar`](Self::scalar).
    pub fn histogram(&mut self, tag: &str, step: u64, values: &[f32]) -> Result<(), TrackingError> {
        self.histogram_buckets(tag, step, &HistogramBucket::count(values, 30))
    }

    /// Stores a histogram counted elsewhere, lowest bucket first.
    ///
    /// # Errors
    /// As [`scalar`](Self::scalar).
    pub fn histogram_buckets(
        &mut self,
        tag: &str,
        step: u64,
        buckets: &[HistogramBucket],
    ) -> Result<(), TrackingError> {
        self.plugin_value(tag, step, &Plugin::histograms(), &summaries::histogram_tensor(buckets))
    }

    /// Stores a PNG picture with its size in pixels.
    ///
    /// # Errors
    /// As [`scalar`](Self::scalar).
    pub fn image_png(
        &mut self,
        tag: &str,
        step: u64,
        width: u32,
        height: u32,
        png: &[u8],
    ) -> Result<(), TrackingError> {
        let tensor = summaries::string_tensor(&[width.to_string().as_bytes(), height.to_string().as_bytes(), png]);
        self.plugin_value(tag, step, &Plugin::images(), &tensor)
    }

    /// Stores precision and recall at `num_thresholds` thresholds `i / (num_thresholds - 1)`; a sample counts as
    /// predicted positive when its score is at least the threshold.
    ///
    /// # Errors
    /// [`TrackingError::Invalid`] unless there is one score in `[0, 1]` per label and `num_thresholds` is at least 2; else as
    /// [`scalar`](Self::scalar).
    pub fn pr_curve(
        &mut self,
        tag: &str,
        step: u64,
        labels: &[bool],
        scores: &[f32],
        num_thresholds: usize,
    ) -> Result<(), TrackingError> {
        let tensor = summaries::pr_curve_tensor(tag, labels, scores, num_thresholds)?;
        self.plugin_value(tag, step, &Plugin::pr_curves(num_thresholds), &tensor)
    }

    /// States the hyperparameters of this run for the HPARAMS page. Runs with one `group_name` (seeds and folds of one
    /// variant) are shown as one row of averages. Absent values are left out, not written as "none": one text among
    /// numbers turns the whole column into text. Of several attempts of one run the first statement counts.
    ///
    /// # Errors
    /// As [`scalar`](Self::scalar).
    pub fn hparams(&mut self, hparams: &[(String, HparamValue)], group_name: &str) -> Result<(), TrackingError> {
        let content = hparams::session_start(hparams, group_name, unix_time_secs());
        self.hparams_value("_hparams_/session_start_info", content)
    }

    /// States how this run ended. Call it once, when no later attempt will follow: readers keep the first status they see.
    ///
    /// # Errors
    /// As [`scalar`](Self::scalar).
    pub fn session_end(&mut self, status: SessionStatus) -> Result<(), TrackingError> {
        self.hparams_value(
            "_hparams_/session_end_info",
            hparams::session_end(status, unix_time_secs()),
        )
    }

    /// Describes the columns of the HPARAMS page. Belongs into the root run, above the runs of the replicas.
    ///
    /// # Errors
    /// [`TrackingError::Invalid`] when a hyperparameter has values of two kinds, or when there is no hyperparameter or no
    /// metric (TensorBoard then shows an empty page); else as [`scalar`](Self::scalar).
    pub fn experiment(&mut self, experiment: &ExperimentSummary) -> Result<(), TrackingError> {
        let content = hparams::experiment(experiment, unix_time_secs())?;
        self.hparams_value("_hparams_/experiment", content)
    }

    /// Arranges the charts of the CUSTOM SCALARS page. Belongs into the root run.
    ///
    /// # Errors
    /// As [`scalar`](Self::scalar).
    pub fn custom_scalars(&mut self, layout: &[ChartCategory]) -> Result<(), TrackingError> {
        let tensor = summaries::scalar_string_tensor(summaries::custom_scalars_layout(layout).as_bytes());
        self.plugin_value(
            "custom_scalars__config__",
            self.first_step,
            &Plugin::custom_scalars(),
            &tensor,
        )
    }

    /// Makes everything logged so far visible to readers.
    ///
    /// # Errors
    /// As [`scalar`](Self::scalar).
    pub fn flush(&mut self) -> Result<(), TrackingError> {
        self.file.flush()
    }

    /// [`flush`](Self::flush), then waits until it would survive a power failure. Called with a checkpoint.
    ///
    /// # Errors
    /// As [`scalar`](Self::scalar).
    pub fn sync(&mut self) -> Result<(), TrackingError> {
        self.file.sync()
    }

    fn hparams_value(&mut self, tag: &str, content: Message) -> Result<(), TrackingError> {
        self.plugin_value(
            tag,
            self.first_step,
            &Plugin::hparams(content),
            &summaries::empty_tensor(),
        )
    }

    fn plugin_value(&mut self, tag: &str, step: u64, plugin: &Plugin, tensor: &Message) -> Result<(), TrackingError> {
        let value = Message::new()
            .bytes(1, tag)
            .message(8, tensor)
            .message(9, &plugin.metadata());
        self.summary(step, [value])
    }

    fn summary(&mut self, step: u64, values: impl IntoIterator<Item = Message>) -> Result<(), TrackingError> {
        let summary = Message::new().repeated(1, values);
        self.record(
            &Message::new()
                .double(1, unix_time_secs())
                .varint(2, step)
                .message(5, &summary),
        )
    }

    fn record(&mut self, event: &Message) -> Result<(), TrackingError> {
        self.file.push(&frame(event.as_bytes()))
    }
}

/// One record around `data`.
fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked_crc(&length).to_le_bytes());
    record.extend_from_slice(data);
    record.extend_from_slice(&masked_crc(data).to_le_bytes());
    record
}

/// CRC-32C, masked so that a checksum stored inside checksummed data does no harm.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Seconds in the name of the newest event file of a directory.
fn newest_unix_secs(directory: &Path) -> Result<Option<u64>, TrackingError> {
    let mut newest = None;
    for entry in fs::read_dir(directory).map_err(|error| TrackingError::io("list", directory, error))? {
        let name = entry
            .map_err(|error| TrackingError::io("list", directory, error))?
            .file_name();
        let secs = name
            .to_str()
            .and_then(|name| name.strip_prefix("events.out.tfevents."))
            .and_then(|rest| rest.split('.').next())
            .and_then(|secs| secs.parse::<u64>().ok());
        newest = newest.max(secs);
    }
    Ok(newest)
}

/// Seconds since 1970-01-01 UTC; 0 if the clock stands before that.
pub(super) fn unix_time_secs() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

/// Only tells people where a file was written, so a machine without a readable name is "localhost".
fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_default();
    let name: String = name
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
        .collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}
