//! A feature table as one fold has it.

use std::sync::Arc;

use super::FeatureTable;
use crate::cohort::split::TrainFold;
use crate::features::transforms::{FitConfig, Pipeline, TrainRows};

/// The transforms that a fold fitted, and the table that comes out.
#[derive(Clone, Debug)]
pub struct FittedTransforms {
    /// Transforms, fitted on the rows of training subjects.
    pub pipeline: Pipeline,
    /// All rows transformed, `[rows, columns]`.
    pub values: Arc<[f32]>,
}

impl FittedTransforms {
    /// Fits on the training rows of `table` and transforms all of them.
    ///
    /// # Errors
    /// The step that cannot be fitted on these rows.
    pub fn new(table: &FeatureTable, config: &[FitConfig], fold: &TrainFold) -> Result<Self, String> {
        // A row without a recording would teach that everything is missing.
        let present: Vec<usize> = (0..table.rows.len()).filter(|&row| table.present[row]).collect();
        let of = |value: &dyn Fn(usize) -> u32| present.iter().map(|&row| value(row) as usize).collect::<Vec<_>>();
        let (subjects, classes) = (of(&|row| table.rows[row].subject), of(&|row| table.rows[row].class));
        let values = table.values.select(ndarray::Axis(0), &present);
        let train = TrainRows::new(fold, values.view(), &subjects, &classes)?;
        let pipeline = Pipeline::fit(config, &table.columns, &train)?;
        let values = pipeline.transform(table.values.view())?;
        Ok(Self {
            pipeline,
            values: values.iter().map(|&value| value as f32).collect(),
        })
    }
}
