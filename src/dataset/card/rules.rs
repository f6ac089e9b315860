//! What a card can say, table by table.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::clinical;
use crate::dataset::subjects::{Channel, ModalityKind, ModalitySpec};
use recoup_formats::delimited::DelimitedLayout;
use recoup_formats::image::Color;

mod contents;
mod visits;

pub use contents::{AlignRule, AnnotationsRule, Axis, FileChannelRule, PointsRule, SignalFileRule};
pub use visits::{ResponderRule, VisitsRule};

/// One more right content of a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// The file.
    pub file: String,
    /// Its SHA-256 in hex.
    pub sha256: String,
    /// Why this content is as good.
    pub reason: String,
}

/// Where the subjects come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SubjectRule {
    /// Every id in the card's table is a subject.
    Table {},
    /// These.
    List {
        /// Their ids.
        ids: Vec<String>,
    },
    /// Whatever `{subject}` matches in the modalities' files.
    Files {},
}

/// A table with one row per subject, or per session.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRule {
    /// The file.
    pub file: String,
    /// How its lines are cut into fields.
    #[serde(default)]
    pub layout: DelimitedLayout,
    /// The column with the subject's id.
    pub id: String,
    /// The column with the session's id; without one a row is for all sessions of its subject.
    pub session: Option<String>,
    /// The column with what ties subjects together, such as the family.
    pub group: Option<String>,
    /// The column with the subject's site.
    pub site: Option<String>,
}

/// How a session's class is found; the maps lead to names in [`Card::classes`](super::Card::classes).
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LabelRule {
    /// By a column of the table.
    Column {
        /// The column.
        column: String,
        /// Value of the column -> class; without a map the values are the classes.
        classes: Option<BTreeMap<String, String>>,
        /// What to do about a session without a value.
        #[serde(default)]
        unlabelled: Unlabelled,
    },
    /// By a number in a column of the table: the second of two classes from `at_least` on, the first below.
    Threshold {
        /// The column.
        column: String,
        /// The smallest number of the second class.
        at_least: f64,
        /// What to do about a session without a value.
        #[serde(default)]
        unlabelled: Unlabelled,
    },
    /// By the change of a score between two visits: the second of two classes where it got better by a minimal clinically
    /// important difference or more.
    Responder(Box<ResponderRule>),
    /// By the beginning of the subject's id; the longest that fits counts.
    IdPrefix {
        /// Prefix -> class.
        classes: BTreeMap<String, String>,
    },
    /// By what `{label}` matches in the names of the session's files.
    File {
        /// Text -> class; without a map the texts are the classes.
        classes: Option<BTreeMap<String, String>>,
    },
}

/// What to do about a session without a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unlabelled {
    /// It is an error.
    #[default]
    Error,
    /// It is no part of the cohort, nor is a subject without another session.
    LeaveOut,
}

/// How one modality is read. Files are named by a [`FilePattern`](super::FilePattern).
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ModalityRule {
    /// Signals of a WFDB record.
    Wfdb(WfdbRule),
    /// A file per session with rows at a constant rate; becomes a signal.
    DelimitedSignal(DelimitedSignalRule),
    /// A file per session with one row per event; becomes a series.
    Delimited(DelimitedRule),
    /// Columns of the card's table; becomes one row per session.
    ClinicalTable(ClinicalTableRule),
    /// Columns of a table of its own, with one row per subject or session; becomes one row per session.
    Table(OwnTableRule),
    /// Image files, one or more per session: frames, slices of a volume, the files of a DICOM series.
    Image(ImageRule),
    /// Channels of any file with signals; becomes a signal.
    Signal(SignalFileRule),
    /// Markers, joints or keypoints of any file with points; becomes a signal with a channel per axis.
    Points(PointsRule),
    /// The annotations of any file that has some; becomes a series.
    Annotations(AnnotationsRule),
    /// Scores of several visits in long format; becomes one row per session.
    Visits(VisitsRule),
}

/// Keys of `kind = "wfdb"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WfdbRule {
    /// Name of the modality.
    pub name: String,
    /// Pattern of the record's name, without `.hea`.
    pub record: String,
    /// Rate to resample to.
    pub rate_hz: f64,
    /// Digital or physical values.
    pub scale: Scale,
    /// What to do about samples that are missing.
    #[serde(default)]
    pub missing: MissingRule,
    /// Whether a session may lack the record.
    #[serde(default)]
    pub optional: bool,
    /// The signals to take, by the description in the header.
    pub channels: Vec<SignalRule>,
}

/// Keys of `kind = "delimited-signal"`: the rate of the file is `file_rate_hz`, or follows from the column `time`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelimitedSignalRule {
    /// Name of the modality.
    pub name: String,
    /// Pattern of the file's name.
    pub file: String,
    /// How its lines are cut into fields.
    #[serde(default)]
    pub layout: DelimitedLayout,
    /// Rows per second.
    pub file_rate_hz: Option<f64>,
    /// The column with time stamps; the first row is the start of the session's clock.
    pub time: Option<String>,
    /// Unit of the time stamps.
    #[serde(default)]
    pub time_unit: TimeUnit,
    /// Largest gap between two time stamps that a straight line may bridge; without it, time stamps must be regular.
    pub max_gap_secs: Option<f64>,
    /// Rate to resample to.
    pub rate_hz: f64,
    /// What to do about values that are missing.
    #[serde(default)]
    pub missing: MissingRule,
    /// Whether a session may lack the file.
    #[serde(default)]
    pub optional: bool,
    /// The columns to take.
    pub channels: Vec<ColumnRule>,
}

/// Keys of `kind = "delimited"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelimitedRule {
    /// Name of the modality.
    pub name: String,
    /// Pattern of the file's name.
    pub file: String,
    /// How its lines are cut into fields.
    #[serde(default)]
    pub layout: DelimitedLayout,
    /// The column with the time on the session's clock.
    pub time: String,
    /// Unit of the time stamps.
    #[serde(default)]
    pub time_unit: TimeUnit,
    /// Whether a session may lack the file.
    #[serde(default)]
    pub optional: bool,
    /// The columns to take.
    pub channels: Vec<ColumnRule>,
}

/// Keys of `kind = "clinical-table"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClinicalTableRule {
    /// Name of the modality.
    pub name: String,
    /// Whether a session may lack a row.
    #[serde(default)]
    pub optional: bool,
    /// The columns to take.
    pub channels: Vec<ColumnRule>,
}

/// Keys of `kind = "table"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnTableRule {
    /// Name of the modality.
    pub name: String,
    /// The file.
    pub file: String,
    /// How its lines are cut into fields.
    #[serde(default)]
    pub layout: DelimitedLayout,
    /// The column with the subject's id.
    pub id: String,
    /// The column with the session's id; without one a row is for all sessions of its subject.
    pub session: Option<String>,
    /// Whether a session may lack a row.
    #[serde(default)]
    pub optional: bool,
    /// The columns to take.
    pub channels: Vec<ColumnRule>,
}

/// Keys of `kind = "image"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRule {
    /// Name of the modality.
    pub name: String,
    /// Pattern of the files' names; with `*` a session may have several images, kept in natural order of their names.
    pub file: String,
    /// Planes to keep.
    pub color: Color,
    /// Lines; an image with another size is resized.
    pub height: usize,
    /// Columns; an image with another size is resized.
    pub width: usize,
    /// `[slope, intercept]` from stored values to physical ones, as of a thermal camera. PNG, JPEG and TIFF are otherwise
    /// read as shares of the largest value a pixel can have.
    pub scale: Option<[f64; 2]>,
    /// Physical values that become 0 and 1, such as `[-160, 240]` HU for soft tissue; what lies beyond is clipped.
    pub range: Option<[f32; 2]>,
    /// First, last and step of the slices or frames to keep, counted from 0.
    pub slices: Option<[usize; 3]>,
    /// Whether a session may lack an image.
    #[serde(default)]
    pub optional: bool,
}

/// One signal of a WFDB record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalRule {
    /// Description of the signal in the header, and name of the channel.
    pub name: String,
    /// `adu` for digital values, otherwise the header's unit.
    pub unit: String,
}

/// One column of a delimited file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnRule {
    /// Name of the column.
    pub column: String,
    /// Name of the channel, if not that of the column.
    pub name: Option<String>,
    /// Unit of its numbers, `1` without one; that of `scale` where there is one.
    #[serde(default)]
    pub unit: String,
    /// The clinical scale whose scores these are: its unit, its range and its steps hold.
    pub scale: Option<clinical::Scale>,
    /// For words instead of numbers: word -> number.
    pub categories: Option<BTreeMap<String, f32>>,
    /// Smallest and largest number that make sense in this unit; anything else is an error.
    pub range: Option<[f32; 2]>,
}

/// Digital or physical values of a WFDB signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// The numbers of the analogue-digital converter.
    Digital,
    /// `(digital - baseline) / gain`, in the header's unit.
    Physical,
}

/// What to do about missing samples of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingRule {
    /// They are an error.
    #[default]
    Error,
    /// A straight line between the neighbours, the nearest value at the ends; before resampling.
    Interpolate,
    /// They stay NaN, as does every resampled value whose filter touches one.
    Mask,
}

/// Unit of time stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum TimeUnit {
    /// Seconds.
    #[default]
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
    /// Rows of the file's `file_rate_hz`: a sample counter.
    #[serde(rename = "sample")]
    Sample,
}

impl ModalityRule {
    /// Name of the modality.
    pub fn name(&self) -> &str {
        match self {
            Self::Wfdb(rule) => &rule.name,
            Self::DelimitedSignal(rule) => &rule.name,
            Self::Delimited(rule) => &rule.name,
            Self::ClinicalTable(rule) => &rule.name,
            Self::Table(rule) => &rule.name,
            Self::Image(rule) => &rule.name,
            Self::Signal(rule) => &rule.name,
            Self::Points(rule) => &rule.name,
            Self::Annotations(rule) => &rule.name,
            Self::Visits(rule) => &rule.name,
        }
    }

    /// Whether a session may lack the modality.
    pub fn optional(&self) -> bool {
        match self {
            Self::Wfdb(rule) => rule.optional,
            Self::DelimitedSignal(rule) => rule.optional,
            Self::Delimited(rule) => rule.optional,
            Self::ClinicalTable(rule) => rule.optional,
            Self::Table(rule) => rule.optional,
            Self::Image(rule) => rule.optional,
            Self::Signal(rule) => rule.optional,
            Self::Points(rule) => rule.optional,
            Self::Annotations(rule) => rule.optional,
            Self::Visits(rule) => rule.optional,
        }
    }

    /// The pattern of the modality's files and its key; `None` for tables.
    pub fn pattern(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Wfdb(rule) => Some(("record", format!("{}.hea", rule.record))),
            Self::DelimitedSignal(rule) => Some(("file", rule.file.clone())),
            Self::Delimited(rule) => Some(("file", rule.file.clone())),
            Self::Image(rule) => Some(("file", rule.file.clone())),
            Self::Signal(rule) => Some(("file", rule.file.clone())),
            Self::Points(rule) => Some(("file", rule.file.clone())),
            Self::Annotations(rule) => Some(("file", rule.file.clone())),
            Self::ClinicalTable(_) | Self::Table(_) | Self::Visits(_) => None,
        }
    }

    /// The one file of all subjects that the modality reads.
    pub fn table_file(&self) -> Option<&str> {
        match self {
            Self::Table(rule) => Some(&rule.file),
            Self::Visits(rule) => Some(&rule.file),
            _ => None,
        }
    }

    /// The modality's columns of delimited text.
    pub fn columns(&self) -> &[ColumnRule] {
        match self {
            Self::DelimitedSignal(rule) => &rule.channels,
            Self::Delimited(rule) => &rule.channels,
            Self::ClinicalTable(rule) => &rule.channels,
            Self::Table(rule) => &rule.channels,
            _ => &[],
        }
    }

    /// The modality as the cohort describes it.
    pub fn spec(&self) -> ModalitySpec {
        let kind = match self {
            Self::Wfdb(WfdbRule { rate_hz, .. })
            | Self::DelimitedSignal(DelimitedSignalRule { rate_hz, .. })
            | Self::Signal(SignalFileRule { rate_hz, .. })
            | Self::Points(PointsRule { rate_hz, .. }) => ModalityKind::Signal { rate_hz: *rate_hz },
            Self::Delimited(_) | Self::Annotations(_) => ModalityKind::Series,
            Self::ClinicalTable(_) | Self::Table(_) | Self::Visits(_) => ModalityKind::Row,
            Self::Image(ImageRule { height, width, .. }) => ModalityKind::Image {
                height: *height,
                width: *width,
            },
        };
        let channel = |name: &str, unit: &str| Channel {
            name: name.into(),
            unit: unit.into(),
        };
        let channels = match self {
            Self::Wfdb(rule) => rule
                .channels
                .iter()
                .map(|rule| channel(&rule.name, &rule.unit))
                .collect(),
            Self::Image(rule) => rule.color.planes().iter().map(|plane| channel(plane, "1")).collect(),
            Self::Signal(rule) => rule
                .channels
                .iter()
                .map(|rule| channel(rule.channel(), &rule.unit))
                .collect(),
            Self::Points(rule) => {
                let names = rule
                    .points
                    .iter()
                    .flat_map(|point| rule.axes.iter().map(move |axis| (point, axis.name())));
                names
                    .map(|(point, axis)| channel(&format!("{point}.{axis}"), &rule.unit))
                    .collect()
            }
            Self::Annotations(_) => vec![channel("label", "1"), channel("duration", "s")],
            Self::Visits(rule) => rule.channels(),
            _ => self
                .columns()
                .iter()
                .map(|rule| channel(rule.channel(), rule.unit()))
                .collect(),
        };
        ModalitySpec {
            name: self.name().to_string(),
            kind,
            channels,
        }
    }
}

impl ColumnRule {
    /// Name of the channel.
    pub fn channel(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.column)
    }

    /// Unit of its numbers.
    pub fn unit(&self) -> &str {
        match self.scale {
            Some(scale) if self.unit.is_empty() => scale.unit(),
            _ => &self.unit,
        }
    }
}
