//! What files hold, from their first bytes and, for one of each sort, all of them.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::names::Frames;
use super::opened::Opened;
use crate::base::FileError;
use crate::dataset::card::TimeUnit;
use crate::dataset::error::DataError;
use crate::dataset::rate::constant_rate;
use recoup_formats::delimited::Header;
use recoup_formats::image::{Color, image_size};
use recoup_formats::sniff::{Sniffed, sniff, sniff_head};
use recoup_formats::{delimited, detect, open, parquet, wfdb};

/// Images whose size is looked at.
const NUM_IMAGES: usize = 20;

/// What a file is, at first sight.
pub(super) enum Kind {
    /// Recordings with the same signature are of one modality.
    Known {
        signature: String,
    },
    /// Read through another file.
    Part,
    Unknown,
}

/// What the files of a group hold; `Text` and `Wfdb` as the first of them does.
pub(super) enum Content {
    Text {
        sniffed: Sniffed,
        time: Option<TimeColumn>,
    },
    Wfdb {
        rate_hz: f64,
        channels: Vec<(String, String)>,
        calibrated: bool,
    },
    Image {
        height: usize,
        width: usize,
        color: Color,
        same_size: bool,
    },
    Opened(Opened),
    Damaged {
        problem: String,
    },
}

/// The column of time stamps.
pub(super) struct TimeColumn {
    pub(super) index: usize,
    pub(super) unit: TimeUnit,
    /// `None` for irregular time stamps.
    pub(super) rate_hz: Option<f64>,
}

/// Looks at the beginning of every file.
pub(super) fn kinds(raw: &Path, files: &[String]) -> Result<Vec<Kind>, DataError> {
    let mut parts = BTreeSet::new();
    for file in files
        .iter()
        .filter(|file| file.ends_with(".hea") || file.ends_with(".hdr"))
    {
        parts.extend(open::parts_of(&raw.join(file)));
    }
    let kind = |file: &String| {
        let path = raw.join(file);
        if parts.contains(&path) {
            return Ok(Kind::Part);
        }
        if file.ends_with(".hea") {
            return Ok(Kind::Known {
                signature: "wfdb".into(),
            });
        }
        let bytes = first_bytes(&path)?;
        if matches!(bytes.get(..4), Some([0x89, b'P', b'N', b'G'] | [0xff, 0xd8, 0xff, _])) {
            return Ok(Kind::Known {
                signature: "image".into(),
            });
        }
        let head = open::head(&path)?;
        let opened = detect(&head, &path).ok();
        if let Some(format) =
            opened.filter(|format| ![&delimited::format::FORMAT, &wfdb::format::FORMAT].contains(format))
        {
            return Ok(Kind::Known {
                signature: format.name.into(),
            });
        }
        // Tables are not read compressed.
        let is_table = opened.is_some() && !bytes.starts_with(&[0x1f, 0x8b]);
        let size = std::fs::metadata(&path).map_err(FileError::io(&path, "read"))?.len();
        let sniffed = is_table
            .then(|| sniff_head(&head, (head.len() as u64) < size))
            .flatten();
        Ok(match sniffed {
            None => Kind::Unknown,
            Some(Sniffed { layout, table, .. }) => {
                let columns = match layout.header {
                    Header::Numbers => table.columns.len().to_string(),
                    _ => table.columns.join("\u{1}"),
                };
                Kind::Known {
                    signature: format!("{:?}\u{1}{columns}", layout.separator),
                }
            }
        })
    };
    files.iter().map(kind).collect()
}

fn first_bytes(path: &Path) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(FileError::io(path, "read"))?;
    file.take(4)
        .read_to_end(&mut bytes)
        .map_err(FileError::io(path, "read"))?;
    Ok(bytes)
}

/// Reads the first of some files that are alike.
pub(super) fn read(raw: &Path, files: &[&str]) -> Result<Content, DataError> {
    let Some(first) = files.first() else {
        return Ok(Content::Damaged {
            problem: "no file".into(),
        });
    };
    let path = raw.join(first);
    let bytes = std::fs::read(&path).map_err(FileError::io(&path, "read"))?;
    if first.ends_with(".hea") {
        return Ok(match wfdb::read_record(&path) {
            // Of segments, or of several samples per frame.
            Err(_) => opened(&path),
            Ok(record) => {
                let calibrated = record.signals.iter().all(|signal| signal.gain.is_some());
                let channel = |signal: &wfdb::Signal| (signal.name.clone(), signal.unit.clone());
                let channels = record.signals.iter().map(channel).collect();
                Content::Wfdb {
                    rate_hz: record.rate_hz,
                    channels,
                    calibrated,
                }
            }
        });
    }
    if let Some((height, width, color)) = image_size(&bytes) {
        let mut same_size = true;
        for file in files.iter().take(NUM_IMAGES) {
            let path = raw.join(file);
            let bytes = std::fs::read(&path).map_err(FileError::io(&path, "read"))?;
            same_size &= image_size(&bytes).is_none_or(|(h, w, _)| (h, w) == (height, width));
        }
        return Ok(Content::Image {
            height,
            width,
            color,
            same_size,
        });
    }
    if let Some(sniffed) = sniff_table(&bytes, &path).filter(|_| bytes.starts_with(PARQUET)) {
        return Ok(Content::Text {
            time: time_column(&sniffed),
            sniffed,
        });
    }
    if detect(&open::head(&path)?, &path)
        .is_ok_and(|format| ![&delimited::format::FORMAT, &wfdb::format::FORMAT].contains(&format))
    {
        return Ok(opened(&path));
    }
    Ok(match sniff(&bytes) {
        Some(sniffed) => Content::Text {
            time: time_column(&sniffed),
            sniffed,
        },
        None => Content::Damaged {
            problem: format!("`{first}` is not a table throughout"),
        },
    })
}

fn opened(path: &Path) -> Content {
    match Opened::read(path) {
        Ok(opened) => Content::Opened(opened),
        Err(error) => Content::Damaged {
            problem: error.to_string(),
        },
    }
}

const PARQUET: &[u8] = b"PAR1";

/// A table of text or Parquet, whose layout is then the plain one.
pub(super) fn sniff_table(bytes: &[u8], path: &Path) -> Option<Sniffed> {
    match bytes.starts_with(PARQUET) {
        true => parquet::read(bytes, path).ok().map(Sniffed::from),
        false => sniff(bytes),
    }
}

/// A column that ascends and is called like time, or the first one where columns have no names.
fn time_column(sniffed: &Sniffed) -> Option<TimeColumn> {
    let unnamed = sniffed.layout.header == Header::Numbers;
    sniffed.table.columns.iter().enumerate().find_map(|(index, name)| {
        let name = name.to_lowercase();
        let called = ["time", "sec", "stamp", "sample", "frame", "elapsed"]
            .iter()
            .any(|word| name.contains(word))
            || ["t", "ms", "us", "s", "index"].contains(&name.as_str());
        if !(called || unnamed && index == 0) {
            return None;
        }
        let times = sniffed
            .numbers(index)
            .filter(|times| times.len() == sniffed.table.num_rows())?;
        let steps: Vec<f64> = times
            .windows(2)
            .filter_map(|pair| Some(pair.last()? - pair.first()?))
            .collect();
        if steps.is_empty() || steps.iter().any(|step| *step <= 0.0) {
            return None;
        }
        let ones = steps.iter().all(|step| *step == 1.0);
        let mean = steps.iter().sum::<f64>() / steps.len() as f64;
        let says = |units: &[&str]| {
            name.split(|c: char| !c.is_alphanumeric())
                .any(|word| units.contains(&word))
        };
        let unit = match () {
            () if ["sample", "frame", "index"].iter().any(|word| name.contains(word)) => TimeUnit::Sample,
            () if says(&["us", "usec", "microseconds"]) => TimeUnit::Microseconds,
            () if says(&["ms", "msec", "milliseconds"]) => TimeUnit::Milliseconds,
            () if says(&["s", "sec", "secs", "seconds"]) => TimeUnit::Seconds,
            () if ones => TimeUnit::Sample,
            () if mean >= 5.0 => TimeUnit::Milliseconds,
            () => TimeUnit::Seconds,
        };
        let start = times.first().copied().unwrap_or(0.0);
        let secs: Vec<f64> = times.iter().map(|time| (time - start) * unit.secs()).collect();
        let rate_hz = if unit == TimeUnit::Sample {
            None
        } else {
            constant_rate(&secs)
        };
        Some(TimeColumn { index, unit, rate_hz })
    })
}

impl Content {
    /// Whether several files may be one recording.
    pub(super) fn frames(&self) -> Frames {
        match self {
            Self::Image { .. } => Frames::Maybe,
            Self::Opened(opened) => opened.frames(),
            Self::Text { .. } | Self::Wfdb { .. } | Self::Damaged { .. } => Frames::No,
        }
    }

    /// Whether rows come at a constant rate, as far as the file tells.
    pub(super) fn is_signal(&self) -> bool {
        match self {
            Self::Text { time: Some(time), .. } => time.rate_hz.is_some() || time.unit == TimeUnit::Sample,
            Self::Text { time: None, .. } | Self::Wfdb { .. } => true,
            Self::Image { .. } | Self::Opened(_) | Self::Damaged { .. } => false,
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { sniffed, time } => {
                let (rows, columns) = (sniffed.table.num_rows(), sniffed.table.columns.len());
                write!(f, "text, {rows} rows of {columns} columns")?;
                match sniffed.layout.header {
                    Header::Numbers => f.write_str(" without a header")?,
                    _ => write!(f, " ({})", sniffed.table.columns.join(", "))?,
                }
                let Some(time) = time else {
                    return f.write_str(", none of them time stamps");
                };
                let name = sniffed.table.columns.get(time.index).map_or("", String::as_str);
                match time.rate_hz {
                    Some(rate_hz) => write!(f, ", time stamps in `{name}` at {rate_hz} Hz if they are {}", time.unit),
                    None if time.unit == TimeUnit::Sample => write!(f, ", a counter of samples in `{name}`"),
                    None => write!(f, ", irregular time stamps in `{name}`"),
                }
            }
            Self::Wfdb { rate_hz, channels, .. } => {
                let channels: Vec<String> = channels.iter().map(|(name, unit)| format!("{name} [{unit}]")).collect();
                write!(f, "WFDB records at {rate_hz} Hz: {}", channels.join(", "))
            }
            Self::Image {
                height,
                width,
                color,
                same_size,
            } => {
                let size = if *same_size { "" } else { " and other sizes" };
                write!(
                    f,
                    "images, {} plane(s) of {height} lines and {width} columns{size}",
                    color.planes().len()
                )
            }
            Self::Opened(opened) => opened.fmt(f),
            Self::Damaged { problem } => write!(f, "not readable: {problem}"),
        }
    }
}
