//! Features of images: of each image by itself, averaged over the images of a sample, and of their change over time.
//!
//! All are computed in `f64`. Names of columns are `PLANE-KIND-STATISTIC`, such as `gray-sobel-mean`.

mod asymmetry;
mod histogram;
mod motion;
mod region;
mod sobel;

use ndarray::{ArrayView2, ArrayView3, ArrayView4, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::asymmetry::asymmetry;
pub use self::histogram::{Histogram, histogram};
pub use self::motion::motion_energy;
pub use self::region::Region;
pub use self::sobel::{edge_statistics, sobel_magnitude};
use crate::base::Problem;
use crate::features::signals::Column;
use crate::signal::statistics::mean;

/// The images that samples are taken from.
#[derive(Debug, Clone, Copy)]
pub struct ImageInfo<'a> {
    /// Names of the planes.
    pub planes: &'a [String],
    /// Unit of the values.
    pub unit: &'a str,
    /// Images of the sample with the fewest.
    pub num_images: usize,
    /// Lines.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// A kind of feature of images, with its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ImageFeature {
    /// Mean, deviation, skewness, kurtosis and entropy of the values.
    Histogram {
        /// Bins of the entropy, of equal width.
        #[serde(default = "default_bins")]
        bins: usize,
        /// Lower edge of the first bin and upper edge of the last; values beyond fall into these.
        #[serde(default = "default_range")]
        range: [f64; 2],
    },
    /// Mean, deviation and maximum of the gradient's magnitude after Sobel, and the share of edges.
    Sobel {
        /// An edge is where the magnitude is greater than this.
        threshold: f64,
    },
    /// Mean, maximum and deviation over time of the mean absolute difference of successive images.
    MotionEnergy {},
    /// Mean absolute and mean signed difference between the left half and the mirrored right half.
    Asymmetry {},
    /// Mean and maximum in a rectangle.
    Region(Region),
}

fn default_bins() -> usize {
    256
}

fn default_range() -> [f64; 2] {
    [0.0, 1.0]
}

impl ImageFeature {
    /// The columns, plane after plane.
    pub fn columns(&self, info: &ImageInfo) -> Vec<Column> {
        let own = info.unit;
        let (kind, statistics): (&str, &[(&str, &str)]) = match self {
            Self::Histogram { .. } => (
                "histogram",
                &[
                    ("mean", own),
                    ("sd", own),
                    ("skewness", "1"),
                    ("kurtosis", "1"),
                    ("entropy", "bit"),
                ],
            ),
            Self::Sobel { .. } => (
                "sobel",
                &[("mean", own), ("sd", own), ("max", own), ("edge-share", "1")],
            ),
            Self::MotionEnergy {} => ("motion-energy", &[("mean", own), ("max", own), ("sd", own)]),
            Self::Asymmetry {} => ("asymmetry", &[("absolute", own), ("signed", own)]),
            Self::Region(region) => (&region.name, &[("mean", own), ("max", own)]),
        };
        let column = |plane: &String, (name, unit): &(&str, &str)| Column {
            name: format!("{plane}-{kind}-{name}"),
            unit: (*unit).to_owned(),
        };
        info.planes
            .iter()
            .flat_map(|plane| statistics.iter().map(move |statistic| column(plane, statistic)))
            .collect()
    }

    /// Why the features cannot be computed from these images: the key that is wrong and what was expected.
    ///
    /// # Errors
    /// The first problem.
    pub fn check(&self, info: &ImageInfo) -> Result<(), Problem> {
        let wrong = |key: &str, expected: String| Err(Problem::new(key, expected));
        match self {
            Self::Histogram { bins: 0 | 65_537.., .. } => wrong("bins", "1 to 65536".into()),
            Self::Histogram { range: [low, high], .. } if !((high - low).is_finite() && low < high) => {
                wrong("range", "two finite numbers, the lower first".into())
            }
            Self::Sobel { threshold } if !(*threshold >= 0.0 && threshold.is_finite()) => {
                wrong("threshold", "a finite number of at least 0".into())
            }
            Self::MotionEnergy {} if info.num_images < 2 => wrong(
                "kind",
                format!(
                    "at least two images per sample for `motion-energy`, not {}",
                    info.num_images
                ),
            ),
            Self::Asymmetry {} if info.width < 2 => wrong(
                "kind",
                format!("images of at least two columns for `asymmetry`, not {}", info.width),
            ),
            Self::Region(region) => region.check(info),
            _ => Ok(()),
        }
    }

    /// Appends one value per column. `images` are `[images, planes, lines, columns]`, all finite; every value but those
    /// of motion energy is the mean over the images. NaN for what the images do not define: no image, and motion of
    /// one.
    pub fn extract(&self, images: ArrayView4<f32>, values: &mut Vec<f64>) {
        for plane in images.axis_iter(Axis(1)) {
            match self {
                Self::Histogram { bins, range } => {
                    values.extend(average(plane, |image| histogram(image, *bins, *range).to_array()));
                }
                Self::Sobel { threshold } => {
                    let statistics =
                        |image: ArrayView2<f32>| edge_statistics(sobel_magnitude(image).view(), *threshold);
                    values.extend(average(plane, statistics));
                }
                Self::MotionEnergy {} => values.extend(motion::statistics(&motion_energy(plane))),
                Self::Asymmetry {} => values.extend(average(plane, asymmetry)),
                Self::Region(region) => values.extend(average(plane, |image| region.statistics(image))),
            }
        }
    }
}

/// Means over the images, on all cores; NaN without one. The sum has the order of the images, so the numbers do not
/// depend on how many cores there are.
fn average<const N: usize>(
    images: ArrayView3<f32>,
    statistics: impl Fn(ArrayView2<f32>) -> [f64; N] + Sync,
) -> [f64; N] {
    let images: Vec<_> = images.outer_iter().collect();
    let rows: Vec<[f64; N]> = images.par_iter().map(|image| statistics(*image)).collect();
    std::array::from_fn(|column| mean(rows.iter().filter_map(|row| row.get(column).copied())))
}
