//! Numbers as categories.

use ndarray::{Array2, ArrayView1};

/// The values of a column, ascending, each once.
pub(super) fn categories(column: ArrayView1<f64>) -> Vec<f64> {
    let mut values: Vec<f64> = column.iter().copied().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

/// Replaces the columns at `chosen` by one 0/1 column per category.
pub(super) fn one_hot(values: &Array2<f64>, chosen: &[usize], categories: &[f64]) -> Array2<f64> {
    let is_chosen: Vec<bool> = (0..values.ncols()).map(|column| chosen.contains(&column)).collect();
    let width = is_chosen
        .iter()
        .map(|&chosen| if chosen { categories.len() } else { 1 })
        .sum();
    let mut out = Array2::zeros((values.nrows(), width));
    for (mut out, row) in out.rows_mut().into_iter().zip(values.rows()) {
        let fields = row.iter().zip(&is_chosen).flat_map(|(&value, &chosen)| {
            let hot = categories
                .iter()
                .filter(move |_| chosen)
                .map(move |&known| f64::from(u8::from(known == value)));
            hot.chain((!chosen).then_some(value))
        });
        for (slot, field) in out.iter_mut().zip(fields) {
            *slot = field;
        }
    }
    out
}

/// Position of a value among the categories; NaN if it is none of them.
pub(super) fn ordinal(value: f64, categories: &[f64]) -> f64 {
    categories
        .iter()
        .position(|&known| known == value)
        .map_or(f64::NAN, |position| position as f64)
}
