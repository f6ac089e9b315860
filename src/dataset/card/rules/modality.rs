//! How one modality is read: what all kinds have in common, and the keys of each kind.

use std::collections::BTreeMap;

use recoup_formats::WarningCode;
use recoup_formats::delimited::DelimitedLayout;
use recoup_formats::image::Color;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};

use super::column::ColumnRule;
use super::signal::{PointsRule, SignalRule, TimeUnit};
use super::visits::VisitsRule;
use crate::dataset::subjects::{Channel, ModalityKind, ModalitySpec};

/// Keys that every kind has.
const COMMON_KEYS: [&str; 5] = ["name", "kind", "file", "optional", "accept"];
/// Kinds of earlier cards, and what to write instead.
const RETIRED_KINDS: [(&str, &str); 6] = [
    (
        "wfdb",
        "write `kind = \"signal\"` with `file = \"RECORD.hea\"` in place of `record`; channels with `unit = \"adu\"` are \
         digital values, others physical ones, so `scale` goes",
    ),
    ("delimited-signal", "write `kind = \"signal\"`; the other keys stay"),
    ("delimited", "write `kind = \"series\"`; the other keys stay"),
    ("delimited-series", "write `kind = \"series\"`; the other keys stay"),
    (
        "clinical-table",
        "write `kind = \"table\"`; without `file` its channels are columns of the card's [table]",
    ),
    (
        "clinical",
        "write `kind = \"table\"`; without `file` its channels are columns of the card's [table]",
    ),
];

/// One modality: its name, its files, and how they are read.
#[derive(Debug, Clone)]
pub struct ModalityRule {
    /// Name, unique in the card.
    pub name: String,
    /// [Pattern](crate::dataset::card::FilePattern) of the files of a session, or the one file of a table of all
    /// subjects; a table without one has columns of the card's table.
    pub file: Option<String>,
    /// Whether a session may lack the modality.
    pub optional: bool,
    /// Warnings of readers that do not keep a file from being used, although they would.
    pub accept: Vec<WarningCode>,
    /// The kind and its own keys.
    pub content: ContentRule,
}

/// The kinds of modalities.
#[derive(Debug, Clone)]
pub enum ContentRule {
    /// Channels of any file with signals, tables with a row per sample among them; becomes a signal.
    Signal(SignalRule),
    /// A table per session with one row per event; becomes a series.
    Series(SeriesRule),
    /// Columns of a table of all subjects; becomes one row per session.
    Table(TableRowRule),
    /// Image files, one or more per session: frames, slices of a volume, the files of a DICOM series.
    Image(ImageRule),
    /// Markers, joints or keypoints of any file with points; becomes a signal with a channel per axis.
    Points(PointsRule),
    /// The annotations of any file that has some; becomes a series.
    Annotations(AnnotationsRule),
    /// Scores of several visits in long format; becomes one row per session.
    Visits(VisitsRule),
}

/// Keys of `kind = "series"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesRule {
    /// How the lines of the file are cut into fields.
    #[serde(default)]
    pub layout: DelimitedLayout,
    /// The column with the time on the session's clock.
    pub time: String,
    /// Unit of the time stamps.
    #[serde(default)]
    pub time_unit: TimeUnit,
    /// The columns to take.
    pub channels: Vec<ColumnRule>,
}

/// Keys of `kind = "table"`; `layout`, `id` and `session` are those of `file`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRowRule {
    /// How the lines of the file are cut into fields.
    pub layout: Option<DelimitedLayout>,
    /// The column with the subject's id.
    pub id: Option<String>,
    /// The column with the session's id; without one a row is for all sessions of its subject.
    pub session: Option<String>,
    /// The columns to take.
    pub channels: Vec<ColumnRule>,
}

/// Keys of `kind = "image"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRule {
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
}

/// Keys of `kind = "annotations"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnnotationsRule {
    /// Text of an annotation -> number in the channel `label`; others are left out.
    pub labels: BTreeMap<String, f32>,
}

#[derive(Deserialize)]
struct CommonKeys {
    name: String,
    kind: String,
    file: Option<String>,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    accept: Vec<String>,
}

impl<'de> Deserialize<'de> for ModalityRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut keys = toml::Table::deserialize(deserializer)?;
        let common = COMMON_KEYS.into_iter().filter_map(|key| keys.remove_entry(key));
        let common: CommonKeys = read(common.collect()).map_err(D::Error::custom)?;
        let content = ContentRule::read(&common.kind, keys).map_err(D::Error::custom)?;
        let code = |name: &String| {
            let known = || WarningCode::ALL.map(|code| format!("`{code}`")).join(", ");
            name.parse()
                .map_err(|()| D::Error::custom(format!("unknown warning `{name}`, expected one of {}", known())))
        };
        Ok(Self {
            accept: common.accept.iter().map(code).collect::<Result<_, _>>()?,
            name: common.name,
            file: common.file,
            optional: common.optional,
            content,
        })
    }
}

/// The keys as a rule; an unknown one is told beside all that are known.
fn read<R: DeserializeOwned>(keys: toml::Table) -> Result<R, String> {
    keys.try_into().map_err(|error: toml::de::Error| {
        let message = error.message();
        let Some((unknown, own)) = message
            .strip_prefix("unknown field `")
            .and_then(|rest| rest.split_once('`'))
        else {
            return message.to_string();
        };
        let own = own.split('`').skip(1).step_by(2);
        let known: Vec<String> = COMMON_KEYS
            .into_iter()
            .chain(own)
            .map(|key| format!("`{key}`"))
            .collect();
        format!("unknown field `{unknown}`, expected one of {}", known.join(", "))
    })
}

impl ContentRule {
    const KINDS: [&str; 7] = ["signal", "series", "table", "image", "points", "annotations", "visits"];

    fn read(kind: &str, keys: toml::Table) -> Result<Self, String> {
        Ok(match kind {
            "signal" => Self::Signal(read(keys)?),
            "series" => Self::Series(read(keys)?),
            "table" => Self::Table(read(keys)?),
            "image" => Self::Image(read(keys)?),
            "points" => Self::Points(read(keys)?),
            "annotations" => Self::Annotations(read(keys)?),
            "visits" => Self::Visits(read(keys)?),
            kind => {
                let known = Self::KINDS.map(|kind| format!("`{kind}`")).join(", ");
                return Err(format!("unknown kind `{kind}`, expected one of {known}"));
            }
        })
    }
}

/// What to write in place of a kind that was given up.
pub(in crate::dataset::card) fn retired_kind(kind: &str) -> Option<&'static str> {
    let (_, instead) = RETIRED_KINDS.into_iter().find(|(name, _)| *name == kind)?;
    Some(instead)
}

impl ModalityRule {
    /// Whether `file` is one table of all subjects rather than a pattern of files per session.
    fn is_of_all(&self) -> bool {
        matches!(self.content, ContentRule::Table(_) | ContentRule::Visits(_))
    }

    /// The pattern of the files of a session; `None` for tables of all subjects.
    pub fn pattern(&self) -> Option<&str> {
        self.file.as_deref().filter(|_| !self.is_of_all())
    }

    /// The one file of all subjects that the modality reads.
    pub fn table_file(&self) -> Option<&str> {
        self.file.as_deref().filter(|_| self.is_of_all())
    }

    /// Whether several files of one session are one recording: images and slices, and frames of poses.
    pub(in crate::dataset) fn takes_several_files(&self) -> bool {
        match &self.content {
            ContentRule::Image(_) => true,
            ContentRule::Points(_) => self.file.as_ref().is_some_and(|pattern| pattern.contains('*')),
            _ => false,
        }
    }

    /// The columns or channels that the card describes one by one.
    pub fn columns(&self) -> &[ColumnRule] {
        match &self.content {
            ContentRule::Signal(rule) => &rule.channels,
            ContentRule::Series(rule) => &rule.channels,
            ContentRule::Table(rule) => &rule.channels,
            _ => &[],
        }
    }

    /// The modality as the cohort describes it.
    pub fn spec(&self) -> ModalitySpec {
        let channel = |name: &str, unit: &str| Channel {
            name: name.into(),
            unit: unit.into(),
        };
        let columns = || {
            self.columns()
                .iter()
                .map(|rule| channel(rule.channel(), rule.unit()))
                .collect()
        };
        let (kind, channels) = match &self.content {
            ContentRule::Signal(rule) => (ModalityKind::Signal { rate_hz: rule.rate_hz }, columns()),
            ContentRule::Series(_) => (ModalityKind::Series, columns()),
            ContentRule::Table(_) => (ModalityKind::Row, columns()),
            ContentRule::Image(ImageRule {
                height, width, color, ..
            }) => {
                let (height, width) = (*height, *width);
                let planes = color.planes().iter().map(|plane| channel(plane, "1"));
                (ModalityKind::Image { height, width }, planes.collect())
            }
            ContentRule::Points(rule) => (ModalityKind::Signal { rate_hz: rule.rate_hz }, rule.channels()),
            ContentRule::Annotations(_) => {
                let channels = vec![channel("label", "1"), channel("duration", "s")];
                (ModalityKind::Series, channels)
            }
            ContentRule::Visits(rule) => (ModalityKind::Row, rule.channels()),
        };
        ModalitySpec {
            name: self.name.clone(),
            kind,
            channels,
        }
    }
}
