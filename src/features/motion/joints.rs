//! From the channels of a signal to the paths of named points, cleaned.

use ndarray::{Array2, Array3, ArrayViewMut3};
use serde::{Deserialize, Serialize};

use super::clean::{fill_gaps, mask_low_confidence};
use crate::base::Problem;
use crate::dataset::subjects::Channel;

/// Cleaning of the points of a window, before any feature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cleaning {
    /// A point with less confidence counts as not seen; points without confidences always are. Default 0.3.
    pub min_confidence: f64,
    /// Gaps up to this length become a straight line between their neighbours; longer ones stay. Default 0.1.
    pub max_gap_secs: f64,
}

impl Default for Cleaning {
    fn default() -> Self {
        Self {
            min_confidence: 0.3,
            max_gap_secs: 0.1,
        }
    }
}

/// A length of the body that makes coordinates independent of where a person stands and how large the image shows them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// The origin is the middle of these points, such as both hips.
    pub root: Vec<String>,
    /// The unit is the distance from the origin to the middle of these points, such as both shoulders: the torso.
    pub top: Vec<String>,
}

/// Where points stand among the channels of a signal, which are called `NAME.x`, `NAME.y` and, if there are such,
/// `NAME.z` and `NAME.confidence`.
#[derive(Debug, Clone, PartialEq)]
pub struct Joints {
    unit: String,
    num_axes: usize,
    /// Channels of x, y and z, and of the confidence.
    points: Vec<(Vec<usize>, Option<usize>)>,
}

impl Joints {
    /// Finds the points called `names`, which stand in this order in [`Joints::positions`].
    ///
    /// # Errors
    /// Missing part, and what was expected: a point that is not there, and points of different dimensions.
    pub fn find(names: &[String], channels: &[Channel]) -> Result<Self, Problem> {
        let mut joints = Self {
            unit: "1".into(),
            num_axes: 0,
            points: Vec::new(),
        };
        for name in names {
            let channel = |part: &str| {
                let is_part = |channel: &Channel| channel.name.strip_prefix(name.as_str()) == Some(part);
                channels.iter().position(is_part)
            };
            let (Some(x), Some(y)) = (channel(".x"), channel(".y")) else {
                let known: Vec<&str> = channels
                    .iter()
                    .filter_map(|c| c.name.strip_suffix(".x"))
                    .take(40)
                    .collect();
                return Err(Problem::new(
                    name.clone(),
                    format!("a point with channels `.x` and `.y`, such as {}", known.join(", ")),
                ));
            };
            let axes: Vec<usize> = [Some(x), Some(y), channel(".z")].into_iter().flatten().collect();
            if joints.num_axes != 0 && joints.num_axes != axes.len() {
                return Err(Problem::new(
                    name.clone(),
                    format!("{} coordinates, as the other points have", joints.num_axes),
                ));
            }
            joints.num_axes = axes.len();
            joints.unit = channels
                .get(x)
                .map_or_else(|| "1".into(), |channel| channel.unit.clone());
            joints.points.push((axes, channel(".confidence")));
        }
        Ok(joints)
    }

    /// Unit of the coordinates.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// 2 in the plane, 3 in space; 0 without points.
    pub fn num_axes(&self) -> usize {
        self.num_axes
    }

    /// `[frames, points, axes]` of a window, which has the samples of each channel: masked, then gaps filled, NaN where missing.
    pub fn positions(&self, window: &[&[f64]], rate_hz: f64, cleaning: &Cleaning) -> Array3<f64> {
        let num_frames = window.first().map_or(0, |channel| channel.len());
        let value = |channel: usize, frame: usize| {
            window
                .get(channel)
                .and_then(|samples| samples.get(frame))
                .copied()
                .unwrap_or(f64::NAN)
        };
        let shape = (num_frames, self.points.len());
        let mut positions = Array3::from_shape_fn((shape.0, shape.1, self.num_axes), |(frame, point, axis)| {
            self.points[point]
                .0
                .get(axis)
                .map_or(f64::NAN, |&channel| value(channel, frame))
        });
        let confidence = Array2::from_shape_fn(shape, |(frame, point)| {
            self.points[point].1.map_or(1.0, |channel| value(channel, frame))
        });
        let view: ArrayViewMut3<f64> = positions.view_mut();
        mask_low_confidence(view, confidence.view(), cleaning.min_confidence);
        fill_gaps(positions.view_mut(), rate_hz, cleaning.max_gap_secs);
        positions
    }
}
