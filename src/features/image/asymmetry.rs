//! Left against right, in particular the temperature difference of a thermal image.

use ndarray::ArrayView2;

use crate::signal::statistics::mean;

/// Mean of `|L - R'|` and mean of `L - R'` over the pixels of the left half `L` and of the mirrored right half `R'`; a
/// column in the middle belongs to neither. Left is where columns start: the subject's right if they face the camera.
pub fn asymmetry(image: ArrayView2<f32>) -> [f64; 2] {
    let half = image.ncols() / 2;
    let difference = |line: ndarray::ArrayView1<'_, f32>| -> Vec<f64> {
        let pairs = line.iter().take(half).zip(line.iter().rev());
        pairs
            .map(|(&left, &right)| f64::from(left) - f64::from(right))
            .collect()
    };
    let differences: Vec<f64> = image.rows().into_iter().flat_map(difference).collect();
    [
        mean(differences.iter().map(|value| value.abs())),
        mean(differences.iter().copied()),
    ]
}
