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

use recoup::base::{Class, Classified};

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
    let paths = recoup::dataset::DataPaths { datasets: cli.datasets };
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
