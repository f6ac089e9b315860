//! From recordings to a feature table, in blocks of windows on all cores.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array2, ArrayView4};
use rayon::prelude::*;

use super::compute::{ComputeConfig, Extractor};
use super::config::{FeatureConfig, Per};
use super::{FeatureTable, RowKey};
use crate::base::Problem;
use crate::cohort::prepared::{Prepared, RowRange};
use crate::cohort::window::{Window, WindowConfig};
use crate::dataset::subjects::{Channel, ModalityKind};
use crate::features::signals::Column;
use crate::signal::filter::Filter;

/// Called with how many sessions are done, and of how many.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Checked extraction: modality, columns and kinds of features.
pub(super) struct Extraction<'a> {
    pub(super) config: &'a FeatureConfig,
    pub(super) prepared: &'a Prepared,
    pub(super) modality: usize,
    /// Columns of the modality's table.
    pub(super) channels: Vec<usize>,
    /// Names and units of these.
    pub(super) specs: Vec<Channel>,
    pub(super) filters: Vec<Filter>,
    pub(super) extractors: Vec<Extractor>,
    /// Height and width where what is computed is an image.
    image_size: Option<[usize; 2]>,
}

/// The windows of one session, as ranges of rows of the modality.
pub(super) struct Session {
    key: RowKey,
    pub(super) all: RowRange,
    pub(super) windows: Vec<(f64, RowRange)>,
}

impl<'a> Extraction<'a> {
    pub(super) fn new(config: &'a FeatureConfig, prepared: &'a Prepared) -> Result<Self, Problem> {
        let Some(modality) = prepared.modality(&config.modality) else {
            let names: Vec<&str> = prepared.modalities().iter().map(|spec| spec.name.as_str()).collect();
            let message = format!(
                "the data has no modality {:?}; it has {}",
                config.modality,
                names.join(", ")
            );
            return Err(Problem::new("modality", message));
        };
        let spec = &prepared.modalities()[modality];
        let channels = match &config.channels {
            None => (0..spec.channels.len()).collect(),
            Some(names) => {
                let position = |name: &String| {
                    let at = spec.channels.iter().position(|channel| channel.name == *name);
                    at.ok_or_else(|| Problem::new("channels", format!("{:?} has no channel {name:?}", spec.name)))
                };
                names.iter().map(position).collect::<Result<Vec<_>, _>>()?
            }
        };
        let specs: Vec<Channel> = channels.iter().map(|&at| spec.channels[at].clone()).collect();
        let filters = match spec.kind {
            ModalityKind::Signal { rate_hz } => {
                let design = |(at, filter): (usize, &crate::signal::filter::FilterConfig)| {
                    filter
                        .design(rate_hz)
                        .map_err(|problem| problem.below(format_args!("filter[{at}]")))
                };
                config.filter.iter().enumerate().map(design).collect::<Result<_, _>>()?
            }
            _ if config.filter.is_empty() && config.clean.is_none() => Vec::new(),
            _ => {
                return Err(Problem::new(
                    "filter",
                    format!("{:?} is no signal, and only signals are filtered", spec.name),
                ));
            }
        };
        let mut extractors = Vec::new();
        for (at, compute) in config.compute.iter().enumerate() {
            if !compute.fits(spec.kind) {
                let message = format!("is not for {:?}, which is {}", spec.name, kind_name(spec.kind));
                return Err(Problem::new(format!("compute[{at}].kind"), message));
            }
            let extractor = compute.extractor(&specs);
            extractors.push(extractor.map_err(|problem| problem.below(format_args!("compute[{at}]")))?);
        }
        let image_size = config.compute.iter().find_map(ComputeConfig::image_size);
        if image_size.is_some() && (config.compute.len() > 1 || config.per == Per::Session || !config.fit.is_empty()) {
            return Err(Problem::new(
                "compute",
                "an image stands alone, one per window, and nothing is fitted to it",
            ));
        }
        if config.compute.is_empty() && spec.kind != ModalityKind::Row {
            let message = format!("{:?} is {}: say what to compute of it", spec.name, kind_name(spec.kind));
            return Err(Problem::new("compute", message));
        }
        if config.window.is_some() && config.per == Per::Window {
            return Err(Problem::new(
                "window",
                "is for `per = \"session\"`; rows per window use those of the experiment",
            ));
        }
        Ok(Self {
            config,
            prepared,
            modality,
            channels,
            specs,
            filters,
            extractors,
            image_size,
        })
    }

    /// The table for these windows of the experiment.
    pub(super) fn table(&self, name: &str, windows: &[Window], progress: Progress) -> Result<FeatureTable, Problem> {
        let sessions = self.sessions(windows);
        let columns = self.check(&sessions)?;
        let done = AtomicUsize::new(0);
        let values: Vec<Vec<f64>> = sessions
            .par_iter()
            .map(|session| {
                let rows = self.session(session, columns.len());
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, sessions.len());
                rows
            })
            .collect();
        let aggregated = self.config.per == Per::Session && self.config.window.is_some();
        let columns = if aggregated {
            aggregate_columns(&columns)
        } else {
            columns
        };
        let (mut rows, mut present) = (Vec::new(), Vec::new());
        for session in &sessions {
            match self.config.per {
                Per::Session => {
                    rows.push(session.key);
                    present.push(session.all.count > 0);
                }
                Per::Window => {
                    rows.extend(session.windows.iter().map(|(start_secs, _)| RowKey {
                        start_secs: *start_secs,
                        ..session.key
                    }));
                    present.extend(session.windows.iter().map(|(_, range)| range.count > 0));
                }
            }
        }
        let values = values.concat();
        let shape = (rows.len(), columns.len());
        let values =
            Array2::from_shape_vec(shape, values).map_err(|error| Problem::new("compute", error.to_string()))?;
        let (name, image_size, per) = (name.into(), self.image_size, self.config.per);
        Ok(FeatureTable {
            name,
            columns,
            values,
            rows,
            present,
            per,
            image_size,
        })
    }

    /// The sessions of the experiment's windows, in their order.
    fn sessions(&self, windows: &[Window]) -> Vec<Session> {
        let mut sessions: Vec<Session> = Vec::new();
        for window in windows {
            let (subject, session, class) = (window.subject, window.session, window.class);
            if sessions
                .last()
                .is_none_or(|last| (last.key.subject, last.key.session) != (subject, session))
            {
                let all = self.prepared.subjects()[subject as usize].sessions[session as usize].rows[self.modality];
                sessions.push(Session {
                    key: RowKey {
                        subject,
                        session,
                        class,
                        start_secs: 0.0,
                    },
                    all,
                    windows: Vec::new(),
                });
            }
            if let (Per::Window, Some(last)) = (self.config.per, sessions.last_mut()) {
                last.windows.push((window.start_secs, window.rows[self.modality]));
            }
        }
        if self.config.per == Per::Session {
            for session in &mut sessions {
                session.windows = match self.config.window {
                    Some(config) => self.cut(session.all, config),
                    None => vec![(0.0, session.all)],
                };
            }
        }
        sessions
    }

    /// Windows of one session in this modality alone.
    fn cut(&self, all: RowRange, config: WindowConfig) -> Vec<(f64, RowRange)> {
        let starts = (0u32..).map(|index| f64::from(index) * config.stride_secs);
        match self.prepared.modalities()[self.modality].kind {
            ModalityKind::Signal { rate_hz } => {
                let count = ((config.window_secs * rate_hz).round() as u32).max(1);
                let range = |secs: f64| {
                    let first = (secs * rate_hz).round() as u32;
                    (first.saturating_add(count) <= all.count).then(|| {
                        (
                            secs,
                            RowRange {
                                start: all.start + first,
                                count,
                            },
                        )
                    })
                };
                starts.map_while(range).collect()
            }
            ModalityKind::Series => {
                let times = &self.prepared.times_secs(self.modality).unwrap_or_default()[rows(all)];
                let end = times.last().copied().unwrap_or(f64::NEG_INFINITY);
                let range = |secs: f64| {
                    let first = times.partition_point(|&time| time < secs) as u32;
                    let count = times.partition_point(|&time| time < secs + config.window_secs) as u32 - first;
                    (
                        secs,
                        RowRange {
                            start: all.start + first,
                            count,
                        },
                    )
                };
                starts.take_while(|&secs| secs <= end).map(range).collect()
            }
            _ => vec![(0.0, all)],
        }
    }

    /// The columns, if everything can be computed.
    fn check(&self, sessions: &[Session]) -> Result<Vec<Column>, Problem> {
        let counts = sessions
            .iter()
            .flat_map(|session| &session.windows)
            .map(|(_, range)| range.count as usize);
        let shortest = counts.filter(|&count| count > 0).min().unwrap_or(0);
        if self.extractors.is_empty() {
            let column = |channel: &Channel| Column {
                name: channel.name.clone(),
                unit: channel.unit.clone(),
            };
            return Ok(self.specs.iter().map(column).collect());
        }
        let mut columns = Vec::new();
        for (at, extractor) in self.extractors.iter().enumerate() {
            let found = extractor.columns(&self.prepared.modalities()[self.modality], &self.specs, shortest);
            columns.extend(found.map_err(|problem| problem.below(format_args!("compute[{at}]")))?);
        }
        let twice = columns
            .iter()
            .enumerate()
            .find(|(at, column)| columns[..*at].iter().any(|other| other.name == column.name));
        match twice {
            Some((_, column)) => Err(Problem::new(
                "compute",
                format!(
                    "column {:?} is computed twice: move one of both into a table of its own and put the tables side by \
                     side with `join`",
                    column.name
                ),
            )),
            None => Ok(columns),
        }
    }

    /// The rows of one session, one after the other.
    fn session(&self, session: &Session, width: usize) -> Vec<f64> {
        let rows = match self.prepared.modalities()[self.modality].kind {
            ModalityKind::Signal { rate_hz } => self.of_signal(session, rate_hz, width),
            kind => {
                let row = |(_, range): &(f64, RowRange)| self.of_rows(kind, *range, width);
                session.windows.iter().flat_map(row).collect()
            }
        };
        match self.config.per == Per::Session && self.config.window.is_some() {
            true => aggregate(&rows, width),
            false => rows,
        }
    }

    fn of_rows(&self, kind: ModalityKind, range: RowRange, width: usize) -> Vec<f64> {
        let mut values = Vec::with_capacity(width);
        if let Some(table) = self.prepared.values(self.modality, range).filter(|_| range.count > 0) {
            let num_columns = self.prepared.modalities()[self.modality].num_columns();
            let column = |at: usize| -> Vec<f64> {
                table
                    .iter()
                    .skip(at)
                    .step_by(num_columns)
                    .map(|&v| f64::from(v))
                    .collect()
            };
            match kind {
                ModalityKind::Series => {
                    let columns: Vec<Vec<f64>> = self.channels.iter().map(|&at| column(at)).collect();
                    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
                    self.extractors
                        .iter()
                        .for_each(|one| one.of_series(&self.specs, &columns, &mut values));
                }
                ModalityKind::Image { height, width } => {
                    let shape = (range.count as usize, num_columns / (height * width), height, width);
                    if let Ok(images) = ArrayView4::from_shape(shape, table) {
                        self.extractors
                            .iter()
                            .for_each(|one| one.of_images(images, &mut values));
                    }
                }
                _ => values.extend(self.channels.iter().map(|&at| f64::from(table[at]))),
            }
        }
        values.resize(width, f64::NAN);
        values
    }
}

fn rows(range: RowRange) -> Range<usize> {
    range.start as usize..(range.start + range.count) as usize
}

fn kind_name(kind: ModalityKind) -> &'static str {
    match kind {
        ModalityKind::Row => "a row of a table",
        ModalityKind::Signal { .. } => "a signal",
        ModalityKind::Series => "a series",
        ModalityKind::Image { .. } => "an image",
    }
}

fn aggregate_columns(columns: &[Column]) -> Vec<Column> {
    let of = |suffix: &'static str| {
        columns.iter().map(move |column| Column {
            name: format!("{}.{suffix}", column.name),
            unit: column.unit.clone(),
        })
    };
    of("mean").chain(of("sd")).collect()
}

/// Mean and standard deviation (`ddof = 0`) of each column over the rows where it is defined; NaN where it never is.
fn aggregate(rows: &[f64], width: usize) -> Vec<f64> {
    let moments = |at: usize| {
        let values = || {
            rows.iter()
                .skip(at)
                .step_by(width)
                .copied()
                .filter(|value| value.is_finite())
        };
        let count = values().count() as f64;
        let mean = values().sum::<f64>() / count;
        (
            mean,
            (values().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt(),
        )
    };
    let (means, stds): (Vec<f64>, Vec<f64>) = (0..width).map(moments).unzip();
    [means, stds].concat()
}
