//! `metrics.jsonl`: every scalar that a run logged, one JSON object per line, append-only, one writer.
//!
//! ```text
//! {"replica":0,"variant":"base","repeat":0,"fold":0,"seed":1,"step":20,"wall_time_secs":1.7e9,"values":{"train/loss":0.61}}
//! {"replica":0,"variant":"base","repeat":0,"fold":0,"seed":1,"step":10,"wall_time_secs":1.7e9,"resumed":true,"values":{}}
//! ```
//!
//! A line with `"resumed": true` opens a later attempt of its replica: everything that replica logged before at that step
//! or later is superseded, because the new attempt computes it again.

use super::TrackingError;
use super::append::AppendFile;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::path::Path;

/// Values that one replica logged at one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricLine {
    /// Index of the replica within its run.
    pub replica: usize,
    /// Name of its variant.
    pub variant: String,
    /// Repeat of the cross-validation.
    pub repeat: usize,
    /// Fold of the repeat.
    pub fold: usize,
    /// Seed of the replica.
    pub seed: u64,
    /// Optimiser updates done.
    pub step: u64,
    /// When it was logged, in seconds since 1970-01-01 UTC.
    pub wall_time_secs: f64,
    /// Opens a later attempt of the replica at `step`. Never true in what [`read_metrics`] returns.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resumed: bool,
    /// Tag to value. JSON has no NaN and no infinity: they are the strings "NaN", "Infinity" and "-Infinity".
    #[serde(with = "values")]
    pub values: BTreeMap<String, f64>,
}

/// Reads `metrics.jsonl`, as it is or while a run writes it.
///
/// Returns lines in file order, without what a later attempt superseded; of several values for one (replica, step, tag) the
/// newest stays. A torn last line is skipped.
///
/// # Errors
/// [`TrackingError::BadLine`] for any other line that is not a metric line, [`TrackingError::Io`] if the file cannot be read.
pub fn read_metrics(path: &Path) -> Result<Vec<MetricLine>, TrackingError> {
    let bytes = fs::read(path).map_err(|error| TrackingError::io("read", path, error))?;
    let complete = &bytes[..complete_len(&bytes)];
    let mut lines = Vec::new();
    for (index, line) in complete.split_inclusive(|&byte| byte == b'\n').enumerate() {
        lines.push(serde_json::from_slice(line).map_err(|error| TrackingError::BadLine {
            path: path.to_owned(),
            line: index + 1,
            reason: error.to_string(),
        })?);
    }
    Ok(without_superseded(lines))
}

/// Walks from the newest line to the oldest, so that whatever comes first wins.
fn without_superseded(lines: Vec<MetricLine>) -> Vec<MetricLine> {
    let mut first_superseded_step: HashMap<usize, u64> = HashMap::new();
    let mut seen: HashSet<(usize, u64, String)> = HashSet::new();
    let mut kept = Vec::with_capacity(lines.len());
    for mut line in lines.into_iter().rev() {
        let limit = first_superseded_step.entry(line.replica).or_insert(u64::MAX);
        if line.resumed {
            *limit = line.step.min(*limit);
        } else if line.step < *limit {
            line.values
                .retain(|tag, _| seen.insert((line.replica, line.step, tag.clone())));
            if !line.values.is_empty() {
                kept.push(line);
            }
        }
    }
    kept.reverse();
    kept
}

/// Length of the file without its torn tail: what follows the last newline, and a last line that is not JSON (a page of
/// zeros that never reached the disk may end in a newline that did).
fn complete_len(bytes: &[u8]) -> usize {
    let Some(last_newline) = bytes.iter().rposition(|&byte| byte == b'\n') else {
        return 0;
    };
    let last_start = bytes[..last_newline]
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |newline| newline + 1);
    match serde_json::from_slice::<serde::de::IgnoredAny>(&bytes[last_start..last_newline]) {
        Ok(_) => last_newline + 1,
        Err(_) => last_start,
    }
}

/// The one writer of `metrics.jsonl`.
#[derive(Debug)]
pub(super) struct MetricsWriter {
    file: AppendFile,
    has_earlier_life: bool,
}

impl MetricsWriter {
    /// Opens or creates the file and cuts a torn tail off, so that the next line starts on its own.
    pub(super) fn open(path: &Path) -> Result<Self, TrackingError> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map_err(|error| TrackingError::io("open", path, error))?;
        let metadata = file
            .metadata()
            .map_err(|error| TrackingError::io("open", path, error))?;
        let mut has_earlier_life = false;
        // Not a regular file (a pipe, a device): nothing to read back, nothing to cut.
        if metadata.is_file() {
            let bytes = fs::read(path).map_err(|error| TrackingError::io("read", path, error))?;
            let complete_len = complete_len(&bytes);
            has_earlier_life = complete_len > 0;
            if complete_len < bytes.len() {
                file.set_len(complete_len as u64)
                    .map_err(|error| TrackingError::io("cut the torn last line of", path, error))?;
            }
        }
        Ok(Self {
            file: AppendFile::new(file, path.to_owned()),
            has_earlier_life,
        })
    }

    /// Whether lines of an earlier attempt were there when the file was opened.
    pub(super) fn has_earlier_life(&self) -> bool {
        self.has_earlier_life
    }

    pub(super) fn append(&mut self, line: &MetricLine) -> Result<(), TrackingError> {
        let mut bytes = serde_json::to_vec(line)
            .map_err(|error| TrackingError::io("encode a line of", self.file.path(), error.into()))?;
        bytes.push(b'\n');
        self.file.push(&bytes)
    }

    pub(super) fn flush(&mut self) -> Result<(), TrackingError> {
        self.file.flush()
    }

    pub(super) fn sync(&mut self) -> Result<(), TrackingError> {
        self.file.sync()
    }
}

/// A map of numbers in which the three non-finite ones are strings.
mod values {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::BTreeMap;

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"")]
    enum Number {
        Finite(f64),
        Text(String),
    }

    pub(super) fn serialize<S: Serializer>(values: &BTreeMap<String, f64>, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(values.len()))?;
        for (tag, &value) in values {
            match value {
                value if value.is_finite() => map.serialize_entry(tag, &value)?,
                value if value.is_nan() => map.serialize_entry(tag, "NaN")?,
                value if value > 0.0 => map.serialize_entry(tag, "Infinity")?,
                _ => map.serialize_entry(tag, "-Infinity")?,
            }
        }
        map.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
        let raw = BTreeMap::<String, Number>::deserialize(deserializer)?;
        let mut values = BTreeMap::new();
        for (tag, number) in raw {
            let value = match number {
                Number::Finite(value) => value,
                Number::Text(text) => match text.as_str() {
                    "NaN" => f64::NAN,
                    "Infinity" => f64::INFINITY,
                    "-Infinity" => f64::NEG_INFINITY,
                    _ => {
                        return Err(D::Error::custom(format!(
                            "value of \"{tag}\" is \"{text}\", expected a number, \"NaN\", \"Infinity\" or \"-Infinity\""
                        )));
                    }
                },
            };
            values.insert(tag, value);
        }
        Ok(values)
    }
}
