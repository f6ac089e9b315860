//! One verb per file.

mod data;
mod deidentify;
mod devices;
mod evaluate;
mod features;
mod new;
mod runs;
mod show_file;
mod simulate;
mod train;

use std::io::Write as _;

use clap::CommandFactory as _;
use recoup_formats::printable;

use indicatif::{ProgressBar, ProgressStyle};
use recoup::base::{Class, Classified};
use recoup::cohort::Prepared;
use recoup::dataset::DataPaths;
use recoup::experiment::ExperimentFile;

use crate::cli::{Cli, Command};

/// A request that contradicts what is there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

impl Classified for Usage {
    fn class(&self) -> Class {
        Class::Input
    }
}

/// A check that found what makes results wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Findings(pub String);

impl Classified for Findings {
    fn class(&self) -> Class {
        Class::Failure
    }
}

/// The result of a command: its error may be that of any room.
pub type Result<T> = std::result::Result<T, Box<dyn Classified>>;

/// Carries out one command.
pub fn run(cli: Cli) -> Result<()> {
    let paths = DataPaths {
        datasets: cli.datasets,
        prepared: cli.prepared,
    };
    match cli.command {
        Command::Devices(json) => devices::run(json.json),
        Command::Data(command) => data::run(command, &paths),
        Command::Features(args) => features::run(args, &paths),
        Command::Train(args) => train::run(args, &paths),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Runs(command) => runs::run(command),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "recoup", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    }
}

/// Characters of the longest line of a message that is shown.
const MAX_LINE_CHARS: usize = 2_000;

/// The text of a message as a terminal may show it: values of files can hold control characters, and be of any length.
pub fn shown(message: &impl std::fmt::Display) -> String {
    let cut = |line: &str| match line.char_indices().nth(MAX_LINE_CHARS) {
        None => printable(line),
        Some((end, _)) => format!("{}… ({} more bytes)", printable(&line[..end]), line.len() - end),
    };
    let lines: Vec<String> = message.to_string().lines().map(cut).collect();
    lines.join("\n")
}

/// Tells the user something on stderr.
fn warn(warning: &impl std::fmt::Display) {
    eprintln!("warning: {}", shown(warning));
}

/// Opens the data of an experiment, with progress and its warnings on stderr.
fn open_data(file: &ExperimentFile, paths: &DataPaths, quiet: bool) -> Result<Prepared> {
    let bar = preparation_bar(quiet);
    let prepared = recoup::experiment::open_data(file, paths, &|done, all| advance(&bar, done, all));
    bar.finish_and_clear();
    let prepared = prepared?;
    warn_of(&prepared);
    Ok(prepared)
}

/// Warnings of a cohort, on stderr: what readers tolerated and what else is odd.
fn warn_of(prepared: &Prepared) {
    prepared.warnings().iter().for_each(|warning| warn(warning));
}

/// Appears once the first session is prepared: tables that are there already need none.
fn preparation_bar(quiet: bool) -> ProgressBar {
    let bar = if quiet {
        ProgressBar::hidden()
    } else {
        ProgressBar::no_length()
    };
    // The template is a constant that parses; a bar in indicatif's own style would do as well.
    if let Ok(style) = ProgressStyle::with_template("preparing {bar:40} {pos}/{len} sessions, {eta} left") {
        bar.set_style(style);
    }
    bar
}

fn advance(bar: &ProgressBar, done: usize, all: usize) {
    bar.set_length(all as u64);
    bar.set_position(done as u64);
}

/// Writes a result to stdout. A reader that has seen enough (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a result to stdout as JSON.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    print(&format!(
        "{}\n",
        serde_json::to_string_pretty(value).map_err(std::io::Error::from)?
    ))
}
