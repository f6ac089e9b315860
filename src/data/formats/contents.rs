//! What a file holds, whatever its format: the one type that every reader fills, cards choose from and
//! `recoup data show` draws.

use ndarray::{Array2, Array3, Array4};

use super::delimited::DelimitedTable;

/// Everything that a reader finds in a file.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Format and variant, such as `EDF+C` or `C3D, DEC, integer`.
    pub format: String,
    /// What else the header tells, as name and value, in the order of the file.
    pub facts: Vec<(String, String)>,
    /// The data.
    pub parts: Vec<Part>,
    /// Marks in time, ascending.
    pub annotations: Vec<Annotation>,
    /// What is missing, cut off or contradictory, and was tolerated.
    pub warnings: Vec<String>,
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
    /// Frames per second of a film.
    pub rate_hz: Option<f64>,
    /// `[images, planes, lines, columns]`; the slices of a volume are images in ascending order of their third axis.
    pub values: Array4<f32>,
    /// Voxel index (column, line, slice) to millimetres in the scanner's space.
    pub affine: Option<[[f64; 4]; 3]>,
    /// What is shown as black and as white, where the file says so.
    pub display_range: Option<[f32; 2]>,
}

/// A mark in time.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// Seconds from the start of the file's clock; may be negative.
    pub onset_secs: f64,
    /// Seconds; `None` for a moment.
    pub duration_secs: Option<f64>,
    /// What is marked.
    pub text: String,
}

/// Where an axis of a volume goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnatomicalAxis {
    /// The scanner's axis that lies nearest: 0 to the right, 1 to the front, 2 up.
    pub axis: usize,
    /// Whether the index grows in the direction of that axis.
    pub forward: bool,
}

impl AnatomicalAxis {
    /// Letters of the beginning and of the end of the axis, such as `L` and `R`.
    pub fn letters(self) -> [char; 2] {
        let [low, high] = [['L', 'R'], ['P', 'A'], ['I', 'S']][self.axis.min(2)];
        if self.forward { [low, high] } else { [high, low] }
    }
}

impl Images {
    /// Millimetres from one voxel to the next along columns, lines and slices: the lengths of the affine's columns.
    pub fn spacing_mm(&self) -> Option<[f64; 3]> {
        let affine = self.affine?;
        Some(std::array::from_fn(|voxel| affine.iter().map(|row| row[voxel] * row[voxel]).sum::<f64>().sqrt()))
    }

    /// The scanner's axis that each of columns, lines and slices follows most closely, each taken once, the closest
    /// pair first; `None` without an affine or with one that is flat.
    pub fn orientation(&self) -> Option<[AnatomicalAxis; 3]> {
        let affine = self.affine?;
        let spacing = self.spacing_mm().filter(|spacing| spacing.iter().all(|mm| mm.is_finite() && *mm > 0.0))?;
        let mut found = [None; 3];
        for _ in 0..3 {
            let mut best: Option<(f64, usize, usize)> = None;
            for voxel in (0..3).filter(|&voxel| found[voxel].is_none()) {
                let is_free = |axis: &usize| found.iter().flatten().all(|taken: &AnatomicalAxis| taken.axis != *axis);
                for axis in (0..3).filter(is_free) {
                    let cosine = affine[axis][voxel] / spacing[voxel];
                    if best.is_none_or(|(most, _, _)| cosine.abs() > most.abs()) {
                        best = Some((cosine, voxel, axis));
                    }
                }
            }
            let (cosine, voxel, axis) = best?;
            found[voxel] = Some(AnatomicalAxis { axis, forward: cosine > 0.0 });
        }
        let [Some(columns), Some(lines), Some(slices)] = found else { return None };
        Some([columns, lines, slices])
    }
}
