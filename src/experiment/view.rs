//! The data as a variant sees it: its windows and feature tables, and these as each fold fits them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use super::ExperimentFile;
use super::config::ExperimentConfig;
use super::error::ExperimentError;
use super::task::Task;
use crate::base::Problems;
use crate::cohort::prepared::Prepared;
use crate::cohort::split::{Splits, SubjectInfo};
use crate::cohort::window::{Window, windows};
use crate::features::signals::Column;
use crate::features::tables::{self, FeatureTable, FittedTransforms, Progress};
use crate::features::transforms::{FitConfig, columns_after};

/// Shared by variants with the same windows and features.
pub(super) struct View {
    key: String,
    /// The cohort, with the feature tables as its last modalities.
    pub(super) prepared: Arc<Prepared>,
    /// All samples; their classes are those of the task.
    pub(super) windows: Arc<[Window]>,
    /// The tables, in the order of the last modalities.
    pub(super) tables: Vec<FeatureTable>,
    /// By table that has something to fit: what is fitted, what comes out, and that of each split, once it was asked for.
    fits: BTreeMap<usize, Fit>,
}

/// The feature tables of an experiment without a plan for training: one row per window or session of its task.
///
/// # Errors
/// [`ExperimentError::Problems`] with what is wrong in `[features]` or `[task]`, or the data's own errors.
pub fn feature_tables(
    file: &ExperimentFile,
    prepared: &Prepared,
    progress: Progress,
) -> Result<(Vec<FeatureTable>, Vec<Window>), ExperimentError> {
    let mut problems = Problems::default();
    let task = Task::new(&file.config, prepared, &mut problems);
    problems.require(
        !file.config.features.is_empty(),
        "features",
        || "there are none: name one, `[features.NAME]`",
    );
    file.check(&problems)?;
    let windows = task.windows(windows(prepared, file.config.data.window.as_ref())?);
    let tables = tables::extract(&file.config.features, prepared, &windows, progress).unwrap_or_else(|wrong| {
        problems.extend_below("features", wrong);
        Vec::new()
    });
    file.check(&problems)?;
    Ok((tables, windows))
}

struct Fit {
    steps: Vec<FitConfig>,
    columns: Vec<Column>,
    by_split: OnceLock<Result<Vec<Arc<FittedTransforms>>, String>>,
}

impl View {
    /// The view of `config`: one of `known` or a new one; `None` where its features have problems.
    pub(super) fn of(
        config: &ExperimentConfig,
        prepared: &Arc<Prepared>,
        task: &Task,
        known: &mut Vec<Arc<Self>>,
        problems: &mut Problems,
        progress: Progress,
    ) -> Result<Option<Arc<Self>>, ExperimentError> {
        let key = format!("{:?} {:?}", config.data.window, config.features);
        if let Some(view) = known.iter().find(|view| view.key == key) {
            return Ok(Some(view.clone()));
        }
        let mut windows = task.windows(windows(prepared, config.data.window.as_ref())?);
        let tables = match tables::extract(&config.features, prepared, &windows, progress) {
            Ok(tables) => tables,
            Err(wrong) => {
                problems.extend_below("features", wrong);
                return Ok(None);
            }
        };
        let mut fits = BTreeMap::new();
        let mut is_sound = true;
        for (at, table) in tables.iter().enumerate() {
            let steps = config
                .features
                .get(&table.name)
                .map(|config| config.fit.clone())
                .unwrap_or_default();
            if steps.is_empty() {
                continue;
            }
            match columns_after(&steps, &table.columns) {
                Ok(columns) => drop(fits.insert(
                    at,
                    Fit {
                        steps,
                        columns,
                        by_split: OnceLock::new(),
                    },
                )),
                Err(wrong) => {
                    is_sound = false;
                    wrong
                        .into_iter()
                        .for_each(|message| problems.add(format!("features.{}.fit", table.name), message));
                }
            }
        }
        let prepared = match tables.is_empty() {
            true => prepared.clone(),
            false => Arc::new(tables::with_features(prepared, &mut windows, &tables)),
        };
        let view = Arc::new(Self {
            key,
            prepared,
            windows: windows.into(),
            tables,
            fits,
        });
        known.extend(is_sound.then(|| view.clone()));
        Ok(is_sound.then_some(view))
    }

    fn fit(&self, modality: usize) -> Option<(usize, &Fit)> {
        let table = modality.checked_sub(self.prepared.modalities().len() - self.tables.len())?;
        Some((table, self.fits.get(&table)?))
    }

    /// The columns of a modality after what its folds fit; `None` where they fit nothing.
    pub(super) fn fitted_columns(&self, modality: usize) -> Option<&[Column]> {
        self.fit(modality).map(|(_, fit)| fit.columns.as_slice())
    }

    /// A modality as each split fits it, in their order; `None` where they fit nothing.
    pub(super) fn fitted(
        &self,
        modality: usize,
        splits: &Splits,
        everyone: &[SubjectInfo],
    ) -> Result<Option<&[Arc<FittedTransforms>]>, ExperimentError> {
        let Some((table, fit)) = self.fit(modality) else {
            return Ok(None);
        };
        let table = &self.tables[table];
        let fit_splits = || {
            let fitted = splits.splits().par_iter().map(|split| {
                let fold = split.train_fold(everyone).map_err(|error| error.to_string())?;
                let fitted = FittedTransforms::new(table, &fit.steps, &fold);
                Ok(Arc::new(fitted.map_err(|problem| format!("{split}: {problem}"))?))
            });
            // Collected first, so that of several errors always the same one is reported.
            let fitted: Vec<Result<_, String>> = fitted.collect();
            fitted.into_iter().collect()
        };
        match fit.by_split.get_or_init(fit_splits) {
            Ok(fitted) => Ok(Some(fitted)),
            Err(message) => Err(ExperimentError::Features {
                table: table.name.clone(),
                message: message.clone(),
            }),
        }
    }
}
