//! Motion as an image, for convolutional networks: points by frames, the coordinates as colours.

use ndarray::Array4;
use serde::{Deserialize, Serialize};

use super::clean::normalise;
use super::joints::{Body, Cleaning, Joints};
use crate::base::Problem;
use crate::dataset::subjects::Channel;
use recoup_formats::Images;
use recoup_formats::image::Image;

/// How the points of a window become an image: one plane per axis, one line per point, one column per frame.
///
/// Coordinates are centred and scaled by `body`, brought to the size by a triangle filter, and mapped linearly so that
/// `range` (in torso lengths) becomes 0 to 1; what lies outside is cut off. Missing points leave NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MotionImage {
    /// The points from the first line to the last; neighbours in the body should be neighbours here.
    pub points: Vec<String>,
    /// Origin and unit of the coordinates.
    pub body: Body,
    /// Lines of the image.
    pub height: usize,
    /// Columns of the image.
    pub width: usize,
    /// Coordinates that become 0 and 1, in torso lengths; `[-2.0, 2.0]` holds most bodies.
    #[serde(default = "default_range")]
    pub range: [f64; 2],
    /// Before all else.
    #[serde(default)]
    pub cleaning: Cleaning,
}

fn default_range() -> [f64; 2] {
    [-2.0, 2.0]
}

impl MotionImage {
    /// Finds the points among a signal's channels, for [`MotionImage::draw`].
    ///
    /// # Errors
    /// The key or point that is wrong, and what was expected.
    pub fn find(&self, channels: &[Channel]) -> Result<Joints, Problem> {
        if self.height == 0 || self.width == 0 || self.points.is_empty() {
            return Err(Problem::new("height, width, points", "at least one each"));
        }
        if self.range.iter().any(|limit| !limit.is_finite()) || self.range[0] >= self.range[1] {
            return Err(Problem::new("range", "two numbers, the first less than the second"));
        }
        if self.body.root.is_empty() || self.body.top.is_empty() {
            return Err(Problem::new("body", "at least one point in `root` and in `top`"));
        }
        let names: Vec<String> = [&self.points, &self.body.root, &self.body.top]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        Joints::find(&names, channels)
    }

    /// The image of a window; `joints` are those that [`MotionImage::find`] found for its signal.
    pub fn draw(&self, joints: &Joints, window: &[&[f64]], rate_hz: f64) -> Images {
        let mut positions = joints.positions(window, rate_hz, &self.cleaning);
        let (num_points, num_root) = (self.points.len(), self.body.root.len());
        let root: Vec<usize> = (num_points..num_points + num_root).collect();
        let top: Vec<usize> = (num_points + num_root..positions.dim().1).collect();
        normalise(positions.view_mut(), &root, &top);
        let [low, high] = self.range;
        let (num_frames, _, num_axes) = positions.dim();
        let mut values = Vec::with_capacity(num_axes * self.height * self.width);
        for axis in 0..num_axes {
            let pixel = |index: usize| positions[[index % num_frames, index / num_frames, axis]] as f32;
            let plane = Image {
                height: num_points,
                width: num_frames,
                values: (0..num_points * num_frames).map(pixel).collect(),
            };
            let share = |value: f32| ((f64::from(value) - low) / (high - low)).clamp(0.0, 1.0) as f32;
            values.extend(plane.resized(self.height, self.width).values.into_iter().map(share));
        }
        let shape = (1, num_axes, self.height, self.width);
        Images {
            planes: ["x", "y", "z"].into_iter().take(num_axes).map(String::from).collect(),
            unit: "1".into(),
            rate_hz: None,
            values: Array4::from_shape_vec(shape, values).unwrap_or_else(|_| Array4::from_elem(shape, f32::NAN)),
            num_volumes: 1,
            affine: None,
            display_range: Some([0.0, 1.0]),
        }
    }
}
