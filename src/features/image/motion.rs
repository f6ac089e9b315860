//! Motion energy of a film: how much its images differ from one to the next.

use ndarray::{ArrayView3, Axis, Zip};

use crate::signal::statistics::mean;

/// `E_t = mean |I_t - I_{t-1}|` over all pixels, for each image `[images, lines, columns]` but the first.
pub fn motion_energy(images: ArrayView3<f32>) -> Vec<f64> {
    let pairs = images.outer_iter().zip(images.outer_iter().skip(1));
    let energy = |(before, after): (ndarray::ArrayView2<f32>, ndarray::ArrayView2<f32>)| {
        let mut sum = 0.0;
        Zip::from(before)
            .and(after)
            .for_each(|&before, &after| sum += (f64::from(after) - f64::from(before)).abs());
        sum / (images.len_of(Axis(1)) * images.len_of(Axis(2))) as f64
    };
    pairs.map(energy).collect()
}

/// Mean, maximum and population standard deviation over time; NaN without a pair of images.
pub fn statistics(energy: &[f64]) -> [f64; 3] {
    let centre = mean(energy.iter().copied());
    let variance = mean(energy.iter().map(|value| (value - centre).powi(2)));
    [centre, energy.iter().copied().fold(f64::NAN, f64::max), variance.sqrt()]
}
