//! Signals and points: samples at a constant rate.

use recoup_formats::delimited::DelimitedLayout;
use recoup_formats::keypoints::Person;
use serde::Deserialize;

use super::column::ColumnRule;
use crate::dataset::subjects::Channel;

/// Unit that asks for the numbers of the analog-digital converter.
pub(in crate::dataset) const DIGITAL_UNIT: &str = "adu";

/// Keys of `kind = "signal"`: EDF, BDF, WFDB (the file is the header), DICOM waveforms, analog channels of C3D, and tables
/// with a row per sample, whose rate is `file_rate_hz` or follows from the column `time`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalRule {
    /// Rate to resample to, with a filter against aliasing.
    pub rate_hz: f64,
    /// Rate of the file: what a table does not tell, and what another file must agree with.
    pub file_rate_hz: Option<f64>,
    /// What to do about samples that are missing.
    #[serde(default)]
    pub missing: MissingRule,
    /// How the lines of a table are cut into fields.
    pub layout: Option<DelimitedLayout>,
    /// The column of a table with time stamps; the first row is the start of the session's clock.
    pub time: Option<String>,
    /// Unit of the time stamps.
    pub time_unit: Option<TimeUnit>,
    /// Largest gap between two time stamps that a straight line may bridge; without it, time stamps must be regular.
    pub max_gap_secs: Option<f64>,
    /// The channels to take.
    pub channels: Vec<ColumnRule>,
    /// Puts the modality on the clock of another one.
    pub align: Option<AlignRule>,
}

impl SignalRule {
    /// The first key that only tables have.
    pub(in crate::dataset) fn table_key(&self) -> Option<&'static str> {
        let keys = [
            ("layout", self.layout.is_some()),
            ("time", self.time.is_some()),
            ("time_unit", self.time_unit.is_some()),
            ("max_gap_secs", self.max_gap_secs.is_some()),
        ];
        keys.into_iter().find(|(_, is_set)| *is_set).map(|(key, _)| key)
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

/// Keys of `kind = "points"`: C3D, OpenPose and BlazePose JSON, Kinect and Vicon text. With `*` in `file` the files of a
/// session are frames, in natural order of their names.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointsRule {
    /// Frames per second: what a format does not tell, and what another must agree with.
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
    /// Who is taken of several people in a frame of OpenPose; the most confident one if absent.
    pub person: Option<Person>,
}

fn axes() -> Vec<Axis> {
    vec![Axis::X, Axis::Y]
}

impl PointsRule {
    /// The axes of each point as channels.
    pub(super) fn channels(&self) -> Vec<Channel> {
        let axes_of = |point| self.axes.iter().map(move |axis| (point, axis.name()));
        let channel = |(point, axis): (&String, &str)| Channel {
            name: format!("{point}.{axis}"),
            unit: self.unit.clone(),
        };
        self.points.iter().flat_map(axes_of).map(channel).collect()
    }
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

impl TimeUnit {
    /// Seconds of one unit; samples have none of their own.
    pub(crate) fn secs(self) -> f64 {
        match self {
            Self::Seconds | Self::Sample => 1.0,
            Self::Milliseconds => 1e-3,
            Self::Microseconds => 1e-6,
        }
    }
}

impl std::fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Sample => "samples",
        })
    }
}
