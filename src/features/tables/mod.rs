//! Feature tables by name: `[features.NAME]` of an experiment. They become modalities like any other.
//!
//! Signals are read from the prepared tables in blocks of windows, with what the filters need on both sides, so that
//! memory does not grow with the length of a recording; blocks and sessions are computed on all cores, and each row depends
//! on its own samples only.

mod compute;
mod config;
mod fitted;
mod run;
mod signal;

use std::collections::BTreeMap;

use ndarray::Array2;

pub use compute::ComputeConfig;
pub use config::{FeatureConfig, Per};
pub use fitted::FittedTransforms;
pub use run::Progress;

use crate::base::Problems;
use crate::cohort::prepared::{Computed, Prepared, RowRange};
use crate::cohort::window::Window;
use crate::dataset::subjects::{Channel, ModalityKind, ModalitySpec};
use crate::features::signals::Column;

/// The `[features]` of an experiment.
pub type FeatureConfigs = BTreeMap<String, FeatureConfig>;

/// Which window or session a row is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowKey {
    /// Index into [`Prepared::subjects`].
    pub subject: u32,
    /// Index into the subject's sessions.
    pub session: u32,
    /// The class to predict.
    pub class: u32,
    /// Start of the window on the session's clock; 0 for a session.
    pub start_secs: f64,
}

/// A table of features: one row per window or session.
#[derive(Clone, Debug)]
pub struct FeatureTable {
    /// Name in `[features]`.
    pub name: String,
    /// Names and units of the columns.
    pub columns: Vec<Column>,
    /// `[rows, columns]`, NaN where a value is not defined.
    pub values: Array2<f64>,
    /// Window or session of each row, in the order of the windows.
    pub rows: Vec<RowKey>,
    /// Whether there is a recording behind each row.
    pub present: Vec<bool>,
    /// Unit that a row stands for.
    pub per: Per,
    /// Height and width where each row is an image, plane by plane.
    pub image_size: Option<[usize; 2]>,
}

/// Computes all tables, for the windows of an experiment.
///
/// # Errors
/// Everything that is wrong, with keys below `features`.
pub fn extract(
    configs: &FeatureConfigs,
    prepared: &Prepared,
    windows: &[Window],
    progress: Progress,
) -> Result<Vec<FeatureTable>, Problems> {
    let mut tables: Vec<FeatureTable> = Vec::new();
    let mut problems = Problems::default();
    for (name, config) in configs {
        problems.require(
            prepared.modality(name).is_none(),
            name,
            || "is the name of a modality of the data already",
        );
        if config.join.is_empty() {
            let table =
                run::Extraction::new(config, prepared).and_then(|extraction| extraction.table(name, windows, progress));
            match table {
                Ok(table) => tables.push(table),
                Err(problem) => problems.extend([problem.below(name)]),
            }
        }
    }
    for (name, config) in configs.iter().filter(|(_, config)| !config.join.is_empty()) {
        let part = |part: &String| tables.iter().find(|table| table.name == *part);
        let parts: Vec<&FeatureTable> = config.join.iter().filter_map(part).collect();
        let own = FeatureConfig {
            join: config.join.clone(),
            fit: config.fit.clone(),
            ..Default::default()
        };
        if *config != own {
            problems.add(name, "joins tables, so it has only the keys `join` and `fit`");
        } else if parts.len() == config.join.len() {
            tables.push(join(name, &parts, windows));
        } else if problems.is_empty() {
            let known: Vec<&str> = configs
                .iter()
                .filter(|(_, c)| c.join.is_empty())
                .map(|(name, _)| name.as_str())
                .collect();
            let message = format!("expected tables that are computed of a modality: {}", known.join(", "));
            problems.add(format!("{name}.join"), message);
        }
    }
    problems.or(tables)
}

/// Tables side by side, one row per window, or per session where all of them have one per session; columns are called
/// `table.column`.
pub fn join(name: &str, parts: &[&FeatureTable], windows: &[Window]) -> FeatureTable {
    let columns = parts.iter().flat_map(|part| {
        let column = |column: &Column| Column {
            name: format!("{}.{}", part.name, column.name),
            unit: column.unit.clone(),
        };
        part.columns.iter().map(column)
    });
    let columns: Vec<Column> = columns.collect();
    let per_session = parts.iter().all(|part| part.per == Per::Session);
    let (per, rows) = match parts.first() {
        // The tables of one experiment have rows for the same sessions.
        Some(first) if per_session => (Per::Session, first.rows.clone()),
        _ => (Per::Window, windows.iter().map(RowKey::of).collect::<Vec<_>>()),
    };
    let mut values = Array2::from_elem((rows.len(), columns.len()), f64::NAN);
    let mut present = vec![false; rows.len()];
    let mut first = 0;
    for part in parts {
        let part_rows = if per_session {
            (0..rows.len()).collect()
        } else {
            part.row_of_windows(windows)
        };
        for (at, row) in part_rows.into_iter().enumerate() {
            present[at] |= part.present[row];
            let mut place = values.row_mut(at);
            place
                .slice_mut(ndarray::s![first..first + part.columns.len()])
                .assign(&part.values.row(row));
        }
        first += part.columns.len();
    }
    FeatureTable {
        name: name.into(),
        columns,
        values,
        rows,
        present,
        per,
        image_size: None,
    }
}

impl RowKey {
    fn of(window: &Window) -> Self {
        let &Window {
            subject,
            session,
            class,
            start_secs,
            ..
        } = window;
        Self {
            subject,
            session,
            class,
            start_secs,
        }
    }
}

impl FeatureTable {
    /// The row of each window.
    fn row_of_windows(&self, windows: &[Window]) -> Vec<usize> {
        match self.per {
            Per::Window => (0..windows.len()).collect(),
            Per::Session => {
                let mut row = 0;
                let of = |window: &Window| {
                    while (self.rows[row].subject, self.rows[row].session) != (window.subject, window.session) {
                        row += 1;
                    }
                    row
                };
                windows.iter().map(of).collect()
            }
        }
    }

    /// The table as a modality of `prepared`.
    fn computed(&self, prepared: &Prepared) -> Computed {
        let channel = |column: &Column| Channel {
            name: column.name.clone(),
            unit: column.unit.clone(),
        };
        let (kind, channels) = match self.image_size {
            None => (ModalityKind::Row, self.columns.iter().map(channel).collect()),
            Some([height, width]) => {
                let plane = |column: &Column| {
                    let name = column.name.split('.').next().unwrap_or_default();
                    Channel {
                        name: name.into(),
                        unit: column.unit.clone(),
                    }
                };
                let planes = self.columns.iter().step_by(height * width).map(plane);
                (ModalityKind::Image { height, width }, planes.collect())
            }
        };
        let mut rows: Vec<Vec<RowRange>> = prepared
            .subjects()
            .iter()
            .map(|subject| vec![RowRange::default(); subject.sessions.len()])
            .collect();
        for (row, key) in (0u32..).zip(&self.rows) {
            let range = &mut rows[key.subject as usize][key.session as usize];
            *range = match range.count {
                0 => RowRange { start: row, count: 1 },
                count => RowRange {
                    count: count + 1,
                    ..*range
                },
            };
        }
        Computed {
            spec: ModalitySpec {
                name: self.name.clone(),
                kind,
                channels,
            },
            values: self.values.iter().map(|&value| value as f32).collect(),
            rows,
        }
    }
}

/// The cohort with the tables as modalities, and the windows with their rows.
pub fn with_features(prepared: &Prepared, windows: &mut [Window], tables: &[FeatureTable]) -> Prepared {
    for table in tables {
        let rows = table.row_of_windows(windows);
        for (window, row) in windows.iter_mut().zip(rows) {
            let range = RowRange {
                start: row as u32,
                count: 1,
            };
            window
                .rows
                .push(if table.present[row] { range } else { RowRange::default() });
        }
    }
    prepared.with(tables.iter().map(|table| table.computed(prepared)).collect())
}
