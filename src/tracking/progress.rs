//! How far training is, for the person who waits: bars on a terminal, plain lines in a log file.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// A plain log gets a line about a group this often: half a minute keeps a night of training under a thousand lines.
const PLAIN_INTERVAL: Duration = Duration::from_secs(30);
/// No speed is shown earlier: the first steps compile kernels and fill caches.
const FIRST_SPEED_SECS: f64 = 1.0;
/// Time constant of the speed shown: long enough to be steady, short enough to notice another job on the GPU.
const SPEED_WINDOW_SECS: f64 = 20.0;

/// Shows one line or bar per group of replicas. It only informs: failing to write is not an error.
pub struct Progress {
    sink: Sink,
    groups: Vec<Group>,
}

enum Sink {
    Hidden,
    Bars(MultiProgress),
    Plain {
        writer: Box<dyn Write + Send>,
        interval: Duration,
    },
}

/// A group started by [`Progress::start_group`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupId(usize);

/// Where a group stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupStatus {
    /// Optimiser updates done.
    pub step: u64,
    /// Replicas still training.
    pub num_active: usize,
    /// Training loss, averaged over the active replicas.
    pub train_loss: Option<f64>,
    /// Name and value of the best validation metric so far.
    pub best_valid: Option<(String, f64)>,
}

struct Group {
    name: String,
    num_steps: u64,
    num_replicas: usize,
    started: Instant,
    pace: Pace,
    bar: Option<ProgressBar>,
    last_line: Option<Instant>,
}

impl Progress {
    /// Bars if stderr is a terminal, plain lines if not, nothing at all if `quiet`.
    pub fn new(quiet: bool) -> Self {
        let sink = if quiet {
            Sink::Hidden
        } else if io::stderr().is_terminal() {
            Sink::Bars(MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(5)))
        } else {
            Sink::Plain {
                writer: Box::new(io::stderr()),
                interval: PLAIN_INTERVAL,
            }
        };
        Self {
            sink,
            groups: Vec::new(),
        }
    }

    /// Plain lines to `writer`: the first and the last state of a group, and one line per `interval` in between.
    pub fn plain(writer: Box<dyn Write + Send>, interval: Duration) -> Self {
        Self {
            sink: Sink::Plain { writer, interval },
            groups: Vec::new(),
        }
    }

    /// Announces a group that trains from `first_step` (above 0 after a resume) to `num_steps`.
    pub fn start_group(&mut self, name: &str, first_step: u64, num_steps: u64, num_replicas: usize) -> GroupId {
        let bar = match &self.sink {
            Sink::Bars(bars) => {
                let bar = bars.add(
                    ProgressBar::new(num_steps)
                        .with_position(first_step)
                        .with_prefix(name.to_owned()),
                );
                bar.set_style(bar_style());
                Some(bar)
            }
            _ => None,
        };
        self.groups.push(Group {
            name: name.to_owned(),
            num_steps,
            num_replicas,
            started: Instant::now(),
            pace: Pace {
                step: first_step,
                ..Pace::default()
            },
            bar,
            last_line: None,
        });
        GroupId(self.groups.len() - 1)
    }

    /// Shows the new state of a group. Cheap enough to be called after each step.
    pub fn update(&mut self, id: GroupId, status: &GroupStatus) {
        let Some(group) = self.groups.get_mut(id.0) else { return };
        let now = Instant::now();
        group.pace.advance(now, status.step, status.num_active);
        match &mut self.sink {
            Sink::Hidden => {}
            Sink::Bars(_) => {
                if let Some(bar) = &group.bar {
                    bar.set_position(status.step);
                    bar.set_message(group.describe(status));
                }
            }
            Sink::Plain { writer, interval } => {
                if group.last_line.is_none_or(|last| now.duration_since(last) >= *interval) {
                    group.last_line = Some(now);
                    group.write_line(writer, &group.describe(status));
                }
            }
        }
    }

    /// Shows the last state of a group and how it ended, for example "done" or "stopped by a signal".
    pub fn finish_group(&mut self, id: GroupId, status: &GroupStatus, outcome: &str) {
        let Some(group) = self.groups.get_mut(id.0) else { return };
        group.pace.advance(Instant::now(), status.step, status.num_active);
        let duration = format!("{outcome} in {}", clock(group.started.elapsed().as_secs_f64()));
        let message = [duration]
            .into_iter()
            .chain(result_parts(status))
            .collect::<Vec<_>>()
            .join(", ");
        match &mut self.sink {
            Sink::Hidden => {}
            Sink::Bars(_) => {
                if let Some(bar) = group.bar.take() {
                    bar.set_position(status.step);
                    bar.abandon_with_message(message);
                }
            }
            Sink::Plain { writer, .. } => group.write_line(writer, &message),
        }
    }

    /// Prints a line above the bars, or in the log. Not shown if quiet.
    pub fn print(&mut self, line: &str) {
        match &mut self.sink {
            Sink::Hidden => {}
            Sink::Bars(bars) => {
                bars.println(line).ok();
            }
            Sink::Plain { writer, .. } => {
                writeln!(writer, "{line}").ok();
            }
        }
    }
}

impl Group {
    fn write_line(&self, writer: &mut dyn Write, message: &str) {
        writeln!(
            writer,
            "{}: step {}/{}, {message}",
            self.name, self.pace.step, self.num_steps
        )
        .ok();
    }

    /// The most important comes first: a narrow terminal cuts the rest off.
    fn describe(&self, status: &GroupStatus) -> String {
        let left = self
            .pace
            .remaining_secs(self.num_steps)
            .map(|secs| format!("{} left", clock(secs)));
        let active = format!("{}/{} replicas", status.num_active, self.num_replicas);
        let speed = self
            .pace
            .replica_steps_per_sec()
            .map(|speed| format!("{} replica-steps/s", short(speed)));
        let parts = left
            .into_iter()
            .chain(result_parts(status))
            .chain([active])
            .chain(speed);
        parts.collect::<Vec<_>>().join(", ")
    }
}

fn result_parts(status: &GroupStatus) -> impl Iterator<Item = String> {
    let loss = status.train_loss.map(|loss| format!("train loss {}", short(loss)));
    let best = status
        .best_valid
        .as_ref()
        .map(|(name, value)| format!("best {name} {}", short(*value)));
    loss.into_iter().chain(best)
}

fn bar_style() -> ProgressStyle {
    // The template is a constant of ours; should a later indicatif reject it, the default bar is as good.
    ProgressStyle::with_template("{prefix:.bold} {bar:16.cyan/dim} {pos}/{len} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Speed of a group: an average in which what lies [`SPEED_WINDOW_SECS`] back counts 1/e. The clock starts with the
/// first update, so that waiting for the device does not count.
#[derive(Debug, Default)]
struct Pace {
    step: u64,
    last: Option<Instant>,
    measured_secs: f64,
    weight: f64,
    steps_per_sec: f64,
    replica_steps_per_sec: f64,
}

impl Pace {
    fn advance(&mut self, now: Instant, step: u64, num_active: usize) {
        let num_steps = step.saturating_sub(self.step) as f64;
        self.step = step;
        let Some(last) = self.last.replace(now) else { return };
        let secs = now.duration_since(last).as_secs_f64().max(1e-9);
        let keep = (-secs / SPEED_WINDOW_SECS).exp();
        let rate = (1.0 - keep) * num_steps / secs;
        self.measured_secs += secs;
        self.weight = keep * self.weight + (1.0 - keep);
        self.steps_per_sec = keep * self.steps_per_sec + rate;
        self.replica_steps_per_sec = keep * self.replica_steps_per_sec + rate * num_active as f64;
    }

    fn replica_steps_per_sec(&self) -> Option<f64> {
        self.is_known().then(|| self.replica_steps_per_sec / self.weight)
    }

    fn remaining_secs(&self, num_steps: u64) -> Option<f64> {
        let remaining = num_steps.saturating_sub(self.step) as f64;
        self.is_known().then(|| remaining * self.weight / self.steps_per_sec)
    }

    fn is_known(&self) -> bool {
        self.measured_secs >= FIRST_SPEED_SECS && self.steps_per_sec > 0.0
    }
}

/// Four significant digits.
fn short(value: f64) -> String {
    match value.abs() {
        size if !value.is_finite() || size == 0.0 => format!("{value}"),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.2e}"),
        size => format!("{value:.*}", (3 - size.log10().floor() as i32).max(0) as usize),
    }
}

/// "45s", "3m05s", "2h07m".
fn clock(secs: f64) -> String {
    let secs = secs.round() as u64;
    match secs {
        0..60 => format!("{secs}s"),
        60..3600 => format!("{}m{:02}s", secs / 60, secs % 60),
        _ => format!("{}h{:02}m", secs / 3600, secs / 60 % 60),
    }
}
