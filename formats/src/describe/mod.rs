//! The content of a file in numbers that fit a screen: `recoup data show`.
//!
//! [`describe`] computes a [`Description`], which serialises to JSON in full and prints as text, shortened. Cells of
//! tables that look like names or free text, and header fields that look like a person's, are counted and not shown
//! unless [`DescribeOptions::personal`] asks for them.

mod columns;
mod text;

use std::collections::BTreeMap;

use ndarray::{Array4, ArrayView1, Axis};
use serde::Serialize;

use super::nifti::orientation_code;
use super::{Annotation, Contents, Images, Part, Points, SignalChannel, Warning};

pub use columns::{ColumnDescription, ColumnKind, column_numbers};
pub use text::{duration, short_number};

/// First annotations that are listed.
const NUM_FIRST: usize = 5;

/// Limits of what may be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DescribeOptions {
    /// Whether to show what may identify a person.
    pub personal: bool,
}

/// Numbers about a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// Format and variant.
    pub format: String,
    /// Further facts of the header; `None` for what is hidden.
    pub facts: Vec<(String, Option<String>)>,
    /// The data.
    pub parts: Vec<PartDescription>,
    /// Marks in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<AnnotationsDescription>,
    /// Faults that were tolerated.
    pub warnings: Vec<Warning>,
}

/// Numbers about one kind of data.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PartDescription {
    /// Signals.
    Signals {
        /// In the order of the file.
        channels: Vec<ChannelDescription>,
    },
    /// Points.
    Points(PointsDescription),
    /// Images.
    Images(ImagesDescription),
    /// A table.
    Table {
        /// Rows.
        num_rows: usize,
        /// In the order of the file.
        columns: Vec<ColumnDescription>,
    },
}

/// Smallest, largest and mean of the finite values; `None` without any.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Range {
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Arithmetic mean, summed in f64.
    pub mean: f64,
}

/// Values that are not finite.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// How many.
    pub count: usize,
    /// In how many stretches without a break.
    pub stretches: usize,
    /// Values in the longest of them.
    pub longest: usize,
}

/// One signal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChannelDescription {
    /// Name in the file.
    pub name: String,
    /// Unit of the values.
    pub unit: String,
    /// Samples per second.
    pub rate_hz: f64,
    /// Samples, missing ones included.
    pub num_samples: usize,
    /// Samples / rate.
    pub duration_secs: f64,
    /// Range of the finite values.
    pub range: Option<Range>,
    /// Samples that are not finite.
    pub missing: Missing,
}

/// Paths of points.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PointsDescription {
    /// Unit of the coordinates.
    pub unit: String,
    /// Frames per second.
    pub rate_hz: Option<f64>,
    /// Frames.
    pub num_frames: usize,
    /// 2 or 3.
    pub num_axes: usize,
    /// Ranges of x, y and z over all points and frames.
    pub ranges: Vec<Option<Range>>,
    /// Range of the confidence, for formats that have one.
    pub confidence: Option<Range>,
    /// Name of each point and the share of frames in which it was not seen.
    pub points: Vec<PointDescription>,
}

/// One point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PointDescription {
    /// Name in the file.
    pub name: String,
    /// Share of the frames, 0 to 1, without a position.
    pub missing_share: f64,
}

/// Images of one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImagesDescription {
    /// Images, slices or frames.
    pub num_images: usize,
    /// Volumes, among which the images are dealt out.
    pub num_volumes: usize,
    /// Pixels from top to bottom.
    pub num_lines: usize,
    /// Pixels from left to right.
    pub num_columns: usize,
    /// Names of the planes.
    pub planes: Vec<String>,
    /// Unit of the values.
    pub unit: String,
    /// Frames per second of a film, or volumes per second.
    pub rate_hz: Option<f64>,
    /// Range of the finite values.
    pub range: Option<Range>,
    /// Values that are not finite.
    pub num_missing: usize,
    /// Values that are shown as black and as white.
    pub display_range: Option<[f32; 2]>,
    /// Where columns, lines and slices go, one letter each: R/L, A/P, S/I for right/left, front/back, up/down.
    pub orientation: Option<String>,
    /// Millimetres between columns, lines and slices.
    pub spacing_mm: Option<[f64; 3]>,
    /// Voxel (column, line, slice) to millimetres.
    pub affine: Option<[[f64; 4]; 3]>,
}

/// Marks in time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnnotationsDescription {
    /// How many.
    pub count: usize,
    /// Onset of the first.
    pub first_secs: f64,
    /// Onset of the last.
    pub last_secs: f64,
    /// Each text and how often it occurs, the most frequent first.
    pub kinds: Vec<(String, usize)>,
    /// The first few.
    pub first: Vec<(f64, Option<f64>, String)>,
}

/// Describes what a reader found.
pub fn describe(contents: &Contents, options: DescribeOptions) -> Description {
    let shown = |(name, value): &(String, String)| {
        // What EDF calls the recording names the technician.
        let is_personal = columns::looks_personal(name) || name == "recording";
        let value = (options.personal || !is_personal).then(|| value.clone());
        (name.clone(), value)
    };
    Description {
        format: contents.format.clone(),
        facts: contents.facts.iter().map(shown).collect(),
        parts: contents.parts.iter().map(|part| describe_part(part, options)).collect(),
        annotations: describe_annotations(&contents.annotations),
        warnings: contents.warnings.clone(),
    }
}

fn describe_part(part: &Part, options: DescribeOptions) -> PartDescription {
    match part {
        Part::Signals(channels) => PartDescription::Signals {
            channels: channels.iter().map(describe_channel).collect(),
        },
        Part::Points(points) => PartDescription::Points(describe_points(points)),
        Part::Images(images) => PartDescription::Images(describe_images(images)),
        Part::Table(table) => PartDescription::Table {
            num_rows: table.num_rows(),
            columns: (0..table.columns.len())
                .map(|index| columns::describe(table, index, options))
                .collect(),
        },
    }
}

impl Range {
    fn of<V: Into<f64>>(values: impl Iterator<Item = V>) -> Option<Self> {
        let (mut min, mut max, mut sum, mut count) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0_usize);
        for value in values.map(Into::into).filter(|value: &f64| value.is_finite()) {
            (min, max, sum, count) = (min.min(value), max.max(value), sum + value, count + 1);
        }
        (count > 0).then(|| Self {
            min,
            max,
            mean: sum / count as f64,
        })
    }
}

impl Missing {
    fn of(values: &[f32]) -> Self {
        let mut missing = Self::default();
        for stretch in values
            .split(|value| value.is_finite())
            .filter(|stretch| !stretch.is_empty())
        {
            missing.count += stretch.len();
            missing.stretches += 1;
            missing.longest = missing.longest.max(stretch.len());
        }
        missing
    }
}

fn describe_channel(channel: &SignalChannel) -> ChannelDescription {
    ChannelDescription {
        name: channel.name.clone(),
        unit: channel.unit.clone(),
        rate_hz: channel.rate_hz,
        num_samples: channel.values.len(),
        duration_secs: channel.values.len() as f64 / channel.rate_hz,
        range: Range::of(channel.values.iter().copied()),
        missing: Missing::of(&channel.values),
    }
}

fn describe_points(points: &Points) -> PointsDescription {
    let (num_frames, num_points, num_axes) = points.positions.dim();
    let is_unseen = |position: ArrayView1<f32>| position.iter().any(|value| !value.is_finite());
    let point = |index: usize| PointDescription {
        name: points
            .names
            .get(index)
            .cloned()
            .unwrap_or_else(|| (index + 1).to_string()),
        missing_share: match num_frames {
            0 => 1.0,
            _ => {
                let paths = points.positions.index_axis(Axis(1), index);
                paths.rows().into_iter().filter(|&position| is_unseen(position)).count() as f64 / num_frames as f64
            }
        },
    };
    PointsDescription {
        unit: points.unit.clone(),
        rate_hz: points.rate_hz,
        num_frames,
        num_axes,
        ranges: points
            .positions
            .axis_iter(Axis(2))
            .map(|axis| Range::of(axis.iter().copied()))
            .collect(),
        confidence: points
            .confidence
            .as_ref()
            .and_then(|values| Range::of(values.iter().copied())),
        points: (0..num_points).map(point).collect(),
    }
}

fn describe_images(images: &Images) -> ImagesDescription {
    let values: &Array4<f32> = &images.values;
    let (num_images, _, num_lines, num_columns) = values.dim();
    ImagesDescription {
        num_images,
        num_volumes: images.num_volumes,
        num_lines,
        num_columns,
        planes: images.planes.clone(),
        unit: images.unit.clone(),
        rate_hz: images.rate_hz,
        range: Range::of(values.iter().copied()),
        num_missing: values.iter().filter(|value| !value.is_finite()).count(),
        display_range: images.display_range,
        orientation: images.affine.as_ref().and_then(orientation_code),
        spacing_mm: images.spacing_mm(),
        affine: images.affine,
    }
}

fn describe_annotations(annotations: &[Annotation]) -> Option<AnnotationsDescription> {
    let (first, last) = annotations.first().zip(annotations.last())?;
    let mut counts = BTreeMap::<&str, usize>::new();
    for annotation in annotations {
        *counts.entry(&annotation.text).or_default() += 1;
    }
    let mut kinds: Vec<(String, usize)> = counts
        .into_iter()
        .map(|(text, count)| (text.to_owned(), count))
        .collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let listed = annotations.iter().take(NUM_FIRST);
    Some(AnnotationsDescription {
        count: annotations.len(),
        first_secs: first.onset_secs,
        last_secs: last.onset_secs,
        kinds,
        first: listed
            .map(|mark| (mark.onset_secs, mark.duration_secs, mark.text.clone()))
            .collect(),
    })
}
