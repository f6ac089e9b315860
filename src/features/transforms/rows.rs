//! Training rows, the only thing that a pipeline is fitted on.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use crate::cohort::split::TrainFold;

/// The rows of a table that belong to training subjects.
#[derive(Debug, Clone)]
pub struct TrainRows {
    pub(super) values: Array2<f64>,
    /// Position of each row's subject among the training subjects, which ascend by id.
    pub(super) subjects: Vec<usize>,
    pub(super) classes: Vec<usize>,
}

impl TrainRows {
    /// Keeps the rows of the training subjects of `values`, `[rows, columns]`. `subject_of_row` has positions in the
    /// list of subjects that the fold was made for, `class_of_row` class indices.
    ///
    /// # Errors
    /// When the lengths differ, a subject is outside the list, or no row is left.
    pub fn new(
        fold: &TrainFold,
        values: ArrayView2<f64>,
        subject_of_row: &[usize],
        class_of_row: &[usize],
    ) -> Result<Self, String> {
        let num_rows = values.nrows();
        if subject_of_row.len() != num_rows || class_of_row.len() != num_rows {
            let (subjects, classes) = (subject_of_row.len(), class_of_row.len());
            return Err(format!(
                "{num_rows} rows with {subjects} subjects and {classes} classes, expected one each"
            ));
        }
        if let Some(stranger) = subject_of_row.iter().find(|&&subject| subject >= fold.num_subjects()) {
            return Err(format!(
                "a row of subject {stranger}, but the split has {} subjects",
                fold.num_subjects()
            ));
        }
        let mut rank = vec![None; fold.num_subjects()];
        for (position, &subject) in fold.indices().iter().enumerate() {
            if let Some(slot) = rank.get_mut(subject) {
                *slot = Some(position);
            }
        }
        let (mut kept, mut subjects, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        for (row, (&subject, &class)) in subject_of_row.iter().zip(class_of_row).enumerate() {
            if let Some(position) = rank.get(subject).copied().flatten() {
                kept.push(row);
                subjects.push(position);
                classes.push(class);
            }
        }
        if kept.is_empty() {
            return Err(format!("none of {num_rows} rows belongs to a training subject"));
        }
        Ok(Self {
            values: finite(values.select(Axis(0), &kept)),
            subjects,
            classes,
        })
    }

    /// Number of rows.
    pub fn num_rows(&self) -> usize {
        self.values.nrows()
    }
}

/// Infinite values become missing ones.
pub(super) fn finite(mut values: Array2<f64>) -> Array2<f64> {
    values.mapv_inplace(|value| if value.is_finite() { value } else { f64::NAN });
    values
}

/// The finite values of a column.
pub(super) fn finite_values<'a>(column: ArrayView1<'a, f64>) -> impl Iterator<Item = f64> + 'a {
    column.into_iter().copied().filter(|value| value.is_finite())
}

/// Mean of the finite values of a column; `None` without any.
pub(super) fn finite_mean(column: ArrayView1<f64>) -> Option<f64> {
    let (sum, count) = finite_values(column).fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}
