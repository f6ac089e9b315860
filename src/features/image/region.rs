//! A rectangle of an image: the region of interest.

use ndarray::{ArrayView2, s};
use serde::{Deserialize, Serialize};

use super::ImageInfo;
use crate::base::Problem;
use crate::signal::statistics::mean;

/// A rectangle of pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Name in the columns, such as `knee`.
    pub name: String,
    /// First line, and the one after the last.
    pub lines: [usize; 2],
    /// First column, and the one after the last.
    pub columns: [usize; 2],
}

impl Region {
    pub(super) fn check(&self, info: &ImageInfo) -> Result<(), Problem> {
        let reserved = ["histogram", "sobel", "motion-energy", "asymmetry"];
        if self.name.is_empty() || reserved.contains(&self.name.as_str()) {
            return Err(Problem::new("name", "a name that is no other feature's"));
        }
        for (key, [first, end], size) in [
            ("lines", self.lines, info.height),
            ("columns", self.columns, info.width),
        ] {
            if !(first < end && end <= size) {
                return Err(Problem::new(
                    key,
                    format!("first and end within 0 to {size}, the first less than the end"),
                ));
            }
        }
        Ok(())
    }

    /// Mean and maximum of the values in the rectangle; NaN if it lies outside of the image.
    pub fn statistics(&self, image: ArrayView2<f32>) -> [f64; 2] {
        let cut = |[first, end]: [usize; 2], size: usize| {
            let end = end.min(size);
            first.min(end)..end
        };
        let part = image.slice(s![cut(self.lines, image.nrows()), cut(self.columns, image.ncols())]);
        let values = || part.iter().map(|&value| f64::from(value));
        [mean(values()), values().fold(f64::NAN, f64::max)]
    }
}
