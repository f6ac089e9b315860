//! Another size, by a triangle filter.

use super::Image;

impl Image {
    /// The image with another size, by a triangle filter ("bilinear"): pixels are squares with the value at their
    /// centre, and the filter reaches one pixel to either side, of the coarser of the two grids, so that making an
    /// image smaller averages. Weights are cut off at the edges and sum to one. Lines first, then columns, rounded to
    /// `f32` after each; the same numbers as Pillow's `resize(..., BILINEAR)` of images of mode "F".
    pub fn resized(&self, height: usize, width: usize) -> Self {
        let mut image = self.clone();
        if width != image.width {
            let weights = weights(image.width, width);
            let lines = image.values.chunks_exact(image.width.max(1));
            image.values = lines
                .flat_map(|line| weights.iter().map(|weights| weights.apply(line.iter())))
                .collect();
            image.width = width;
        }
        if height != image.height {
            let weights = weights(image.height, height);
            let planes = image.values.chunks_exact((image.height * image.width).max(1));
            let mut values = Vec::new();
            for plane in planes {
                for weights in &weights {
                    let column = |column| weights.apply(plane.iter().skip(column).step_by(image.width));
                    values.extend((0..image.width).map(column));
                }
            }
            image.values = values;
            image.height = height;
        }
        image
    }
}

/// Weights of the old pixels in one pixel of the new image.
struct Weights {
    first: usize,
    weights: Vec<f64>,
}

impl Weights {
    fn apply<'v>(&self, values: impl Iterator<Item = &'v f32>) -> f32 {
        let weighted = values
            .skip(self.first)
            .zip(&self.weights)
            .map(|(value, weight)| f64::from(*value) * weight);
        weighted.sum::<f64>() as f32
    }
}

fn weights(from: usize, to: usize) -> Vec<Weights> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let pixel = |index: usize| {
        let centre = (index as f64 + 0.5) * scale;
        let first = (centre - reach + 0.5).max(0.0) as usize;
        let end = ((centre + reach + 0.5) as usize).min(from);
        let weight = |source: usize| (1.0 - ((source as f64 + 0.5 - centre) / reach).abs()).max(0.0);
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        Weights {
            first,
            weights: weights.into_iter().map(|weight| weight / sum).collect(),
        }
    };
    (0..to).map(pixel).collect()
}
