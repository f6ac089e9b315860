//! Whole-training benchmark: the model of an experiment trained by Recoup, replicas together or in groups, and what
//! PyTorch needs to train the same (`benches/torch`). `scripts/bench-training.sh` runs both sides; see the README here.

mod export;
mod stages;
mod work;

use std::path::PathBuf;
use std::time::Instant;

use clap::{Parser, Subcommand};
use serde_json::json;

use work::{Losses, Work};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The experiment whose model, data, split and training are timed.
    #[arg(long, global = true, default_value = "experiments/quickstart.toml")]
    experiment: PathBuf,
    /// Folder with one folder per dataset.
    #[arg(long, global = true, default_value = "datasets")]
    datasets: PathBuf,
    /// Seeds per fold.
    #[arg(long, global = true, default_value_t = 1)]
    seeds: u64,
    /// Epochs of every replica; none stops early.
    #[arg(long, global = true, default_value_t = 5)]
    epochs: usize,
    /// What `cargo bench` passes to every benchmark.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

/// What to do; the result is one line of JSON on the standard output.
#[derive(Subcommand)]
enum Command {
    /// Write what PyTorch needs to train the same: windows, orders, first weights, the experiment.
    Export {
        /// Folder to write to.
        folder: PathBuf,
    },
    /// Losses of the first steps without dropout.
    Losses {
        /// How many steps.
        #[arg(long, default_value_t = 20)]
        steps: u64,
    },
    /// Seconds to train all replicas in groups of each size, one size after the other.
    Train {
        /// Replicas per group.
        #[arg(long, value_delimiter = ',')]
        groups: Vec<usize>,
    },
    /// Milliseconds of a training step and of its parts.
    Stages {
        /// Replicas in the step.
        #[arg(long, default_value_t = 1)]
        replicas: usize,
        /// Timings of each part.
        #[arg(long, default_value_t = 20)]
        repeats: usize,
    },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let has_dropout = !matches!(arguments.command, Command::Losses { .. });
    let work = Work::new(
        &arguments.experiment,
        &arguments.datasets,
        arguments.seeds,
        arguments.epochs,
        has_dropout,
    )?;
    let result = match arguments.command {
        Command::Export { folder } => export::write(&work, &folder)?,
        Command::Losses { steps } => json!(work.train_until(Some(steps))?),
        Command::Train { groups } => {
            let mut secs = Vec::new();
            for group_size in groups {
                let start = Instant::now();
                work.train(group_size, &mut Losses::default())?;
                secs.push(json!({ "group_size": group_size, "secs": start.elapsed().as_secs_f64() }));
            }
            json!({ "replicas": work.replicas.len(), "steps": work.num_steps(), "timings": secs })
        }
        Command::Stages { replicas, repeats } => json!(stages::time(&work, replicas, repeats)),
    };
    println!("{result}");
    Ok(())
}
