//! Edges by the operator of Sobel: `Gx = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]`, correlated with the image, and its
//! transpose `Gy`; magnitude `sqrt(Gx^2 + Gy^2)`.
//!
//! The image goes on beyond its border as its own reflection at the edge of the outermost pixels (d c b a | a b c d | d
//! c b a, the mode "reflect" of scipy.ndimage), so the nearest pixel stands for one that is missing.

use ndarray::{Array2, ArrayView2};

use crate::signal::statistics::mean;

/// The gradient's magnitude at each pixel.
pub fn sobel_magnitude(image: ArrayView2<f32>) -> Array2<f64> {
    let (height, width) = image.dim();
    let mut magnitude = vec![0.0; height * width];
    fill(image, &mut magnitude);
    Array2::from_shape_vec((height, width), magnitude).unwrap_or_default()
}

/// Line by line: three lines of the image become their smoothed sum and their difference, and these one line of the
/// result.
fn fill(image: ArrayView2<f32>, magnitude: &mut [f64]) {
    let (height, width) = image.dim();
    let line = |y: usize| image.row(y).iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
    if height * width == 0 {
        return;
    }
    let (mut above, mut here) = (line(0), line(0));
    let (mut smooth, mut slope) = (vec![0.0; width], vec![0.0; width]);
    for (y, magnitude) in magnitude.chunks_exact_mut(width).enumerate() {
        let below = line((y + 1).min(height - 1));
        for (x, ((a, h), b)) in above.iter().zip(&here).zip(&below).enumerate() {
            smooth[x] = a + 2.0 * h + b;
            slope[x] = b - a;
        }
        for (x, magnitude) in magnitude.iter_mut().enumerate() {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
            let across = smooth[right] - smooth[left];
            let down = slope[left] + 2.0 * slope[x] + slope[right];
            *magnitude = (across * across + down * down).sqrt();
        }
        above = std::mem::replace(&mut here, below);
    }
}

/// Mean, population standard deviation and maximum of the magnitude, and the share of pixels where it exceeds the threshold.
pub fn edge_statistics(magnitude: ArrayView2<f64>, threshold: f64) -> [f64; 4] {
    let centre = mean(magnitude.iter().copied());
    let variance = mean(magnitude.iter().map(|value| (value - centre).powi(2)));
    let largest = magnitude.iter().copied().fold(f64::NAN, f64::max);
    let share = mean(magnitude.iter().map(|&value| if value > threshold { 1.0 } else { 0.0 }));
    [centre, variance.sqrt(), largest, share]
}
