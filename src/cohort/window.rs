//! Windows: the samples that models see, as ranges of rows in each modality's table.

use serde::{Deserialize, Serialize};

use super::prepared::{Prepared, PreparedSession, PreparedSubject, RowRange};
use crate::base::{Class, Classified};
use crate::dataset::subjects::ModalityKind;

/// A window configuration that no window can satisfy.
#[derive(Debug, thiserror::Error)]
#[error("windows: {problem}\nhint: {hint}")]
pub struct WindowError {
    /// The value, or the session that is too short.
    pub problem: String,
    /// What to do about it.
    pub hint: String,
}

impl Classified for WindowError {
    fn class(&self) -> Class {
        Class::Input
    }
}

/// How sessions are cut into windows. Without one (`None` where a configuration is expected), a session is one window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowConfig {
    /// Length of a window.
    pub window_secs: f64,
    /// From the start of one window to the start of the next; less than the length means overlap.
    pub stride_secs: f64,
}

/// One sample: a stretch of one session in every modality.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Index into [`Prepared::subjects`].
    pub subject: u32,
    /// Index into the subject's sessions.
    pub session: u32,
    /// The session's class.
    pub class: u32,
    /// Start on the session's clock.
    pub start_secs: f64,
    /// One range of table rows per modality; empty where the window has none of it.
    pub rows: Vec<RowRange>,
}

/// Cuts every session into windows, in the order of subjects, sessions and time.
///
/// Windows start at 0, `stride_secs`, 2 `stride_secs`, ... on the session's clock as long as each signal of the session
/// covers them whole (a session without signals: as long as its last row of a series does). A window holds the samples
/// of its stretch (`window_secs * rate_hz`, rounded, the same number in each window), the rows of a series whose times lie in
/// `[start, start + window_secs)`, and all rows of any other modality. A session with neither signals nor series is one window.
///
/// # Errors
/// When a length is not positive, shorter than a sample, or longer than a session, which it names.
pub fn windows(prepared: &Prepared, config: Option<&WindowConfig>) -> Result<Vec<Window>, WindowError> {
    if let Some(config) = config {
        config.check(prepared)?;
    }
    let mut windows = Vec::new();
    for (subject, subject_data) in (0u32..).zip(prepared.subjects()) {
        for (session, session_data) in (0u32..).zip(&subject_data.sessions) {
            let cutter = SessionCutter {
                prepared,
                session: session_data,
                config,
            };
            let before = windows.len();
            windows.extend(cutter.cut().map(|(start_secs, rows)| Window {
                subject,
                session,
                class: session_data.class,
                start_secs,
                rows,
            }));
            if windows.len() == before {
                return Err(cutter.too_short(subject_data));
            }
        }
    }
    Ok(windows)
}

impl WindowConfig {
    fn check(&self, prepared: &Prepared) -> Result<(), WindowError> {
        for (key, value) in [("window_secs", self.window_secs), ("stride_secs", self.stride_secs)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(WindowError {
                    problem: format!("{key} is {value}, expected a positive number"),
                    hint: "leave the windows out to use whole sessions".into(),
                });
            }
        }
        for spec in prepared.modalities() {
            if let ModalityKind::Signal { rate_hz } = spec.kind
                && ((self.window_secs * rate_hz).round() < 1.0 || (self.stride_secs * rate_hz).round() < 1.0)
            {
                return Err(WindowError {
                    problem: format!(
                        "window_secs {} or stride_secs {} is less than one sample of `{}` at {rate_hz} Hz",
                        self.window_secs, self.stride_secs, spec.name
                    ),
                    hint: format!("use at least {} seconds", 1.0 / rate_hz),
                });
            }
        }
        Ok(())
    }
}

struct SessionCutter<'a> {
    prepared: &'a Prepared,
    session: &'a PreparedSession,
    config: Option<&'a WindowConfig>,
}

impl<'a> SessionCutter<'a> {
    /// Start and rows of each window.
    fn cut(&self) -> impl Iterator<Item = (f64, Vec<RowRange>)> + use<'a> {
        let (prepared, session) = (self.prepared, self.session);
        let config = self.config.filter(|_| self.duration_secs().is_some()).copied();
        let end_secs = self.duration_secs().unwrap_or(0.0);
        (0u64..)
            .map_while(move |index| match config {
                None => (index == 0).then(|| (0.0, session.rows.clone())),
                Some(config) => {
                    let start_secs = index as f64 * config.stride_secs;
                    (start_secs <= end_secs).then_some(())?;
                    let rows = (session.rows.iter().enumerate())
                        .map(|(modality, &all)| rows_of(prepared, modality, all, start_secs, config.window_secs))
                        .collect::<Option<Vec<_>>>()?;
                    Some((start_secs, rows))
                }
            })
            .fuse()
    }

    /// The shortest signal, or without one the last row of a series; `None` for sessions without a clock.
    fn duration_secs(&self) -> Option<f64> {
        let (mut signals, mut series) = (None::<f64>, None::<f64>);
        for (modality, (spec, rows)) in self.prepared.modalities().iter().zip(&self.session.rows).enumerate() {
            match spec.kind {
                _ if rows.count == 0 => {}
                ModalityKind::Signal { rate_hz } => {
                    let secs = f64::from(rows.count) / rate_hz;
                    signals = Some(signals.map_or(secs, |shortest| shortest.min(secs)));
                }
                ModalityKind::Series => {
                    let last = times_of(self.prepared, modality, *rows).last().copied();
                    series = series.into_iter().chain(last).reduce(f64::max);
                }
                ModalityKind::Row | ModalityKind::Image { .. } => {}
            }
        }
        signals.or(series)
    }

    fn too_short(&self, subject: &PreparedSubject) -> WindowError {
        WindowError {
            problem: format!(
                "subject `{}`, session `{}` lasts {:.3} s, expected at least window_secs = {}",
                subject.id,
                self.session.id,
                self.duration_secs().unwrap_or(0.0),
                self.config.map_or(0.0, |config| config.window_secs),
            ),
            hint: "use shorter windows, or leave the session out of the cohort".into(),
        }
    }
}

/// The rows of one modality in a window; `None` when a signal does not cover it.
fn rows_of(prepared: &Prepared, modality: usize, all: RowRange, start_secs: f64, window_secs: f64) -> Option<RowRange> {
    match prepared.modalities().get(modality)?.kind {
        _ if all.count == 0 => Some(RowRange::default()),
        ModalityKind::Row | ModalityKind::Image { .. } => Some(all),
        ModalityKind::Signal { rate_hz } => {
            let (first, count) = (
                (start_secs * rate_hz).round() as u64,
                (window_secs * rate_hz).round() as u64,
            );
            (first + count <= u64::from(all.count)).then(|| RowRange {
                start: all.start + first as u32,
                count: count as u32,
            })
        }
        ModalityKind::Series => {
            let times = times_of(prepared, modality, all);
            let first = times.partition_point(|&t| t < start_secs);
            let end = times.partition_point(|&t| t < start_secs + window_secs);
            Some(match end - first {
                0 => RowRange::default(),
                count => RowRange {
                    start: all.start + first as u32,
                    count: count as u32,
                },
            })
        }
    }
}

fn times_of(prepared: &Prepared, modality: usize, rows: RowRange) -> &[f64] {
    let (start, count) = (rows.start as usize, rows.count as usize);
    prepared
        .times_secs(modality)
        .and_then(|times| times.get(start..start + count))
        .unwrap_or_default()
}
