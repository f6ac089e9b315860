//! The content of a file, whatever its format: the one type that every reader fills, cards choose from and
//! `recoup data show` draws.

use std::collections::BTreeMap;

use ndarray::{Array2, Array3, Array4};

use super::delimited::DelimitedTable;
use crate::{Warning, WarningCode};

/// Everything that a reader finds in a file.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Format and variant, such as `EDF+C` or `C3D, DEC, integer`.
    pub format: String,
    /// Further facts of the header, as name and value, in the order of the file.
    pub facts: Vec<(String, String)>,
    /// The data.
    pub parts: Vec<Part>,
    /// Marks in time, ascending.
    pub annotations: Vec<Annotation>,
    /// Tolerated faults by kind: data that are missing, cut off or contradictory.
    pub warnings: Vec<Warning>,
}

/// One kind of data in a file.
#[derive(Debug, Clone)]
pub enum Part {
    /// Samples at constant rates.
    Signals(Vec<SignalChannel>),
    /// Points in the plane or in space: markers, joints, keypoints.
    Points(Points),
    /// Images, slices of a volume or frames of a film.
    Images(Images),
    /// Rows of fields.
    Table(DelimitedTable),
}

/// One signal; the channels of a file may differ in rate.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalChannel {
    /// Name in the file, trimmed.
    pub name: String,
    /// Unit of the values; `1` for numbers without one.
    pub unit: String,
    /// Samples per second.
    pub rate_hz: f64,
    /// Physical values from the start of the file's clock; NaN where the file has none.
    pub values: Vec<f32>,
}

/// The paths of named points.
#[derive(Debug, Clone)]
pub struct Points {
    /// Unit of the coordinates: `mm`, `m`, `px`.
    pub unit: String,
    /// Frames per second; `None` where the file does not tell.
    pub rate_hz: Option<f64>,
    /// Names of the points.
    pub names: Vec<String>,
    /// `[frames, points, 2 or 3]`, the axes x, y, z; NaN where a point was not seen.
    pub positions: Array3<f32>,
    /// `[frames, points]`, 0 to 1; `None` for formats that have none.
    pub confidence: Option<Array2<f32>>,
}

/// Images of one size.
#[derive(Debug, Clone)]
pub struct Images {
    /// Names of the planes: `gray`; `red`, `green`, `blue`.
    pub planes: Vec<String>,
    /// Unit of the values after rescaling: `HU`, `degC`; `1` for shares of the largest value that pixels can have, and
    /// for numbers without a unit.
    pub unit: String,
    /// Frames per second of a film, or volumes per second.
    pub rate_hz: Option<f64>,
    /// `[images, planes, lines, columns]`; the slices of a volume are images in ascending order of their third axis.
    pub values: Array4<f32>,
    /// Volumes that follow each other in `values`, each with the same number of slices; 1 for other images.
    pub num_volumes: usize,
    /// Voxel index (column, line, slice) to millimetres: x to the right of the patient, y to the front, z up (RAS+).
    pub affine: Option<[[f64; 4]; 3]>,
    /// Values that are shown as black and as white, where the file says so.
    pub display_range: Option<[f32; 2]>,
}

/// A mark in time.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// Seconds from the start of the file's clock; may be negative.
    pub onset_secs: f64,
    /// Seconds; `None` for a moment.
    pub duration_secs: Option<f64>,
    /// Text of the mark.
    pub text: String,
}

impl Part {
    /// The signals, where it is signals.
    pub fn signals(&self) -> &[SignalChannel] {
        match self {
            Self::Signals(channels) => channels,
            _ => &[],
        }
    }
}

impl Images {
    /// Millimetres from one voxel to the next along columns, lines and slices: the lengths of the affine's columns.
    pub fn spacing_mm(&self) -> Option<[f64; 3]> {
        let affine = self.affine?;
        Some(std::array::from_fn(|voxel| {
            affine.iter().map(|row| row[voxel].powi(2)).sum::<f64>().sqrt()
        }))
    }
}

/// Gives each of several equal names its number, from 0, as MNE does: `EMG`, `EMG` become `EMG-0`, `EMG-1`. No name of one
/// file can then stand for two things; empty names are none. The warning names them; `what` is their plural.
pub(crate) fn number_duplicates<'n>(what: &str, names: impl Iterator<Item = &'n mut String>) -> Option<Warning> {
    let names: Vec<&mut String> = names.collect();
    let mut counts = BTreeMap::<String, usize>::new();
    for name in &names {
        *counts.entry((*name).clone()).or_default() += 1;
    }
    counts.retain(|name, count| *count > 1 && !name.is_empty());
    let told: Vec<String> = (counts.iter())
        .map(|(name, count)| format!("{count} are called `{name}`"))
        .collect();
    let mut seen = BTreeMap::<String, usize>::new();
    for name in names.into_iter().filter(|name| counts.contains_key(*name)) {
        let number = seen.entry(name.clone()).or_default();
        name.push_str(&format!("-{number}"));
        *number += 1;
    }
    let text = format!(
        "{what}: {}; they got numbers, such as `{}-0`",
        told.join(", "),
        counts.first_key_value()?.0
    );
    Some(Warning::new(WarningCode::DuplicateNames, text))
}
