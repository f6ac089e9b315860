//! Modalities from files of any format.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::MissingRule;

/// Keys of `kind = "signal"`: EDF, BDF, WFDB (the file is the header), DICOM waveforms, analog channels of C3D.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalFileRule {
    /// Name of the modality.
    pub name: String,
    /// Pattern of the file's name.
    pub file: String,
    /// Rate to resample to, with a filter against aliasing.
    pub rate_hz: f64,
    /// What to do about samples that are missing.
    #[serde(default)]
    pub missing: MissingRule,
    /// Whether a session may lack the file.
    #[serde(default)]
    pub optional: bool,
    /// The channels to take.
    pub channels: Vec<FileChannelRule>,
    /// Puts the modality on the clock of another one.
    pub align: Option<AlignRule>,
}

/// One channel of a file with signals.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileChannelRule {
    /// Its name in the file.
    pub channel: String,
    /// Name of the channel, if not that in the file.
    pub name: Option<String>,
    /// The file's unit.
    pub unit: String,
}

impl FileChannelRule {
    /// Name of the channel.
    pub fn channel(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.channel)
    }
}

/// Shifts a recording in time, so that one of its channels fits best to a channel of another modality of the session:
/// the lag with the largest normalised cross-correlation. What the other modality does not reach back to is cut off; where the
/// recording begins later, it gets missing values.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlignRule {
    /// The modality whose clock counts.
    pub to: String,
    /// Its channel to compare with.
    pub to_channel: String,
    /// The channel of this modality that shows the same.
    pub channel: String,
    /// Largest shift that is looked at.
    pub max_lag_secs: f64,
}

/// Keys of `kind = "points"`: C3D, OpenPose and BlazePose JSON, Kinect and Vicon text.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointsRule {
    /// Name of the modality.
    pub name: String,
    /// Pattern of the file's name; with `*` the files of a session are frames, in natural order of their names.
    pub file: String,
    /// Frames per second, for formats that do not tell.
    pub file_rate_hz: Option<f64>,
    /// Rate to resample to, with a filter against aliasing.
    pub rate_hz: f64,
    /// The points to take.
    pub points: Vec<String>,
    /// The axes to take; the channels are called `POINT.x` and so on.
    #[serde(default = "axes")]
    pub axes: Vec<Axis>,
    /// The file's unit.
    pub unit: String,
    /// A point that was seen with less confidence is missing.
    #[serde(default)]
    pub min_confidence: f32,
    /// Gaps up to this length are bridged by straight lines.
    #[serde(default)]
    pub max_gap_secs: f64,
    /// What to do about longer gaps.
    #[serde(default)]
    pub missing: MissingRule,
    /// Whether a session may lack the file.
    #[serde(default)]
    pub optional: bool,
}

fn axes() -> Vec<Axis> {
    vec![Axis::X, Axis::Y]
}

/// An axis of a point's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// The first.
    X,
    /// The second.
    Y,
    /// The third, of points in space.
    Z,
}

impl Axis {
    /// What it adds to the name of a channel.
    pub fn name(self) -> &'static str {
        match self {
            Self::X => "x",
            Self::Y => "y",
            Self::Z => "z",
        }
    }
}

/// Keys of `kind = "annotations"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnnotationsRule {
    /// Name of the modality.
    pub name: String,
    /// Pattern of the file's name.
    pub file: String,
    /// Text of an annotation -> number in the channel `label`; others are left out.
    pub labels: BTreeMap<String, f32>,
    /// Whether a session may lack the file.
    #[serde(default)]
    pub optional: bool,
}
