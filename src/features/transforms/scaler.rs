use serde::{Deserialize, Serialize};

use crate::cohort::prepared::Prepared;
use crate::cohort::split::TrainFold;

/// z-score per channel: `(x - mean) / std` with the mean and population standard deviation (`ddof = 0`) of all finite
/// values of the training subjects. A missing value becomes 0 after scaling, which imputes the training mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaler {
    /// One per channel.
    pub mean: Vec<f64>,
    /// One per channel; 1 where the training values are constant, so that a constant channel becomes 0.
    pub std: Vec<f64>,
}

impl Scaler {
    /// Fits one modality of the training subjects; `columns` selects and orders the table's columns. The positions
    /// in `fold` refer to [`Prepared::subjects`].
    pub fn fit(fold: &TrainFold, prepared: &Prepared, modality: usize, columns: &[usize]) -> Self {
        let width = prepared.modalities()[modality].num_columns();
        Self::fit_table(fold, prepared, modality, prepared.table(modality), width, columns)
    }

    /// As [`fit`](Self::fit), of a table that has the rows of a modality but values of its own: features after the
    /// fitted transforms of a fold. `table` is `[rows, width]`.
    pub fn fit_table(
        fold: &TrainFold,
        prepared: &Prepared,
        modality: usize,
        table: &[f32],
        width: usize,
        columns: &[usize],
    ) -> Self {
        let rows = || {
            fold.indices()
                .iter()
                .filter_map(|&subject| prepared.subjects().get(subject))
                .flat_map(|subject| &subject.sessions)
                .filter_map(|session| {
                    let rows = session.rows.get(modality)?;
                    let (start, count) = (rows.start as usize * width, rows.count as usize * width);
                    table.get(start..start + count)
                })
                .flat_map(move |values| values.chunks_exact(width))
        };
        // Two passes: the one-pass formula loses the variance of channels with a large offset.
        let average = |value: &dyn Fn(usize, f64) -> f64| {
            let mut sums = vec![(0.0, 0u64); columns.len()];
            for row in rows() {
                for (slot, &column) in columns.iter().enumerate() {
                    let x = f64::from(row[column]);
                    if x.is_finite() {
                        sums[slot].0 += value(slot, x);
                        sums[slot].1 += 1;
                    }
                }
            }
            let mean = |(sum, count): (f64, u64)| if count == 0 { 0.0 } else { sum / count as f64 };
            sums.into_iter().map(mean).collect::<Vec<f64>>()
        };
        let mean = average(&|_, x| x);
        let variance = average(&|slot, x| (x - mean[slot]).powi(2));
        let std = variance
            .into_iter()
            .map(|variance| if variance > 0.0 { variance.sqrt() } else { 1.0 })
            .collect();
        Self { mean, std }
    }
}
