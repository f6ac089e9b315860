use std::io::Error;
use std::path::Path;
use std::time::SystemTime;

use recoup::base::shell_quoted;
use recoup::dataset::DataPaths;
use recoup::evaluation::{Level, table};
use recoup::experiment::ExperimentFile;
use recoup::experiment::config::{DataSource, TaskConfig};
use recoup::experiment::{ExperimentPlan, Program};
use recoup::launch::local::headline_metrics;
use recoup::launch::memory::{DeviceMemory, Size, bytes_per_replica, data_bytes, group_sizes};
use recoup::launch::signals::StopFlag;
use recoup::launch::{LocalOptions, run as launch};
use recoup::runs::{Manifest, RunDirectory, RunStatus, list_runs};
use recoup::simulate::Outcome;
use recoup_formats::printable;

use super::Usage;
use crate::cli::TrainArgs;

/// Trains an experiment.
pub fn run(args: TrainArgs, paths: &DataPaths) -> super::Result<()> {
    let file = ExperimentFile::load(&args.experiment, &args.overrides.set)?;
    // A dry run may be made where the device is not.
    let device = match args.device.open() {
        Err(error) if !args.dry_run => return Err(error.into()),
        device => device.ok(),
    };
    let memory = device.as_ref().map_or(DeviceMemory::UNKNOWN, DeviceMemory::of);
    let prepared = super::open_data(&file, paths, args.quiet)?;
    let plan = ExperimentPlan::new(&file, prepared, &args.out, &|_, _| {})?;
    check_names(&plan, &args.only)?;
    let max_replicas = args.max_replicas.map(|most| most as usize);
    let group_sizes = group_sizes(&plan, memory, max_replicas)?;
    let device = match device {
        Some(device) if !args.dry_run => device,
        _ => return super::print(&describe(&plan, memory, &group_sizes)),
    };
    let folder = args.out.join(&plan.config().name);
    let runs = list_runs(&folder)?;
    for warning in &runs.warnings {
        super::warn(&warning);
    }
    let directory = match &args.resume {
        None => RunDirectory::create(&folder, plan.hash(), SystemTime::now())?,
        Some(None) => newest_unfinished(&folder, runs.runs.clone(), &plan)?,
        Some(Some(run)) => RunDirectory::open(run)?,
    };
    let finished = |(_, manifest): &&(RunDirectory, Manifest)| manifest.status == RunStatus::Finished;
    let options = LocalOptions {
        max_replicas,
        only: args.only,
        // Each finished run has shown the test metrics once.
        test_evaluations_before: runs.runs.iter().filter(finished).count(),
        quiet: args.quiet,
    };
    let stop = StopFlag::install().map_err(|error| Error::other(format!("cannot listen for signals: {error}")))?;
    if !args.quiet {
        eprintln!("{} on {device:?}\nrun {}", summary(&plan), directory.root().display());
    }
    let outcome = launch(&plan, &device, &directory, &options, &stop)?;
    for warning in &outcome.warnings {
        super::warn(&warning);
    }
    if !outcome.diverged.is_empty() {
        eprintln!(
            "warning: diverged, evaluated with their last finite weights: {}",
            outcome.diverged.join(", ")
        );
    }
    if args.json {
        return super::print_json(&outcome.evaluation);
    }
    let metrics = headline_metrics(plan.classes().len());
    // With variants the table of their differences is the result; those of each fold are a command away.
    let tables = if outcome.ablations.is_empty() {
        format!(
            "Test subjects\n{}\nTest windows\n{}\n",
            table(&outcome.evaluation, Level::Subject, &metrics),
            table(&outcome.evaluation, Level::Window, &metrics)
        )
    } else {
        let tables: String = outcome
            .ablations
            .iter()
            .map(|ablation| format!("{ablation}\n"))
            .collect();
        let path = directory.root().display();
        format!("Test subjects, each variant against base\n\n{tables}Metrics of every fold: recoup evaluate {path}\n")
    };
    super::print(&format!("{tables}{}{}\n", best_auc(&plan), last_line(&directory)))
}

/// Best AUC that any method can reach on simulated patients; empty for other data.
fn best_auc(plan: &ExperimentPlan) -> String {
    match &plan.config().data.source {
        DataSource::Simulated(config)
            if config.outcome == Outcome::Response && plan.config().task == TaskConfig::default() =>
        {
            let best = config.best_auc().all;
            format!(
                "The best AUC there is for simulated patients like these: {:.3}.\n",
                best.auc
            )
        }
        _ => String::new(),
    }
}

/// Where the run lies and how to look at it.
fn last_line(directory: &RunDirectory) -> String {
    format!(
        "Run: {}   TensorBoard: tensorboard --logdir {}",
        printable(&directory.root().display().to_string()),
        shell_quoted(&directory.tensorboard())
    )
}

fn check_names(plan: &ExperimentPlan, only: &[String]) -> Result<(), Usage> {
    let names = || plan.replicas().map(|planned| &planned.replica().name);
    let known = |name: &String| names().any(|known| known == name);
    match only.iter().find(|name| !known(name)) {
        None => Ok(()),
        Some(name) => {
            let (first, last) = (
                names().next().map_or("", |name| name),
                names().last().map_or("", |name| name),
            );
            Err(Usage(format!(
                "--only {name}: the experiment has no such replica; it has {first} to {last}"
            )))
        }
    }
}

fn newest_unfinished(
    folder: &Path,
    runs: Vec<(RunDirectory, Manifest)>,
    plan: &ExperimentPlan,
) -> Result<RunDirectory, Usage> {
    let goes_on =
        |manifest: &Manifest| manifest.status != RunStatus::Finished && manifest.experiment_hash == plan.hash();
    let newest = runs.into_iter().rev().find(|(_, manifest)| goes_on(manifest));
    newest.map(|(run, _)| run).ok_or_else(|| {
        Usage(format!(
            "--resume: no unfinished run of this experiment in {}\n\
             hint: options that change the experiment (--set) must be those of the run; leave --resume out to start a new one",
            folder.display()
        ))
    })
}

fn summary(plan: &ExperimentPlan) -> String {
    let base = plan.base();
    let variants = match plan.variants().len() {
        1 => String::new(),
        count => format!("{count} variants in {} programs x ", plan.programs().len()),
    };
    format!(
        "{}: {} replicas ({variants}{} splits x {} seeds), {} parameters each, {} windows of {} subjects, classes {}",
        plan.config().name,
        plan.replicas().count(),
        plan.splits().splits().len(),
        plan.config().seeds.len(),
        base.model().layout().num_params(),
        base.windows().len(),
        plan.splits().subjects().len(),
        plan.classes().join(", ")
    )
}

/// The plan in words and the experiment as it would run.
fn describe(plan: &ExperimentPlan, memory: DeviceMemory, group_sizes: &[usize]) -> String {
    let data = Size(data_bytes(plan));
    let mut text = format!("{}\nmemory: {memory}; data about {data}\n", summary(plan));
    for (program, &group_size) in plan.programs().iter().zip(group_sizes) {
        text.push_str(&describe_program(program, group_size));
    }
    text.push_str(&format!("experiment:\n\n{}", plan.resolved_toml()));
    text
}

fn describe_program(program: &Program, group_size: usize) -> String {
    let bytes = bytes_per_replica(program);
    let mut text = format!(
        "\nprogram {}: {} replicas\nmemory: about {} per replica; groups of {group_size}: about {}\nstreams:\n",
        program.name(),
        program.replicas().len(),
        Size(bytes),
        Size(bytes * group_size as f64)
    );
    for (stream, source) in program.config().model.stream.iter().zip(program.sources()) {
        text.push_str(&format!(
            "  {} <- {}: {:?}\n",
            stream.name, stream.modality, source.shape
        ));
    }
    text.push_str("parameters of one replica:\n");
    for spec in program.model().layout().params() {
        text.push_str(&format!("  {:<48} {:?}\n", spec.path, spec.shape));
    }
    text.push_str("replicas:\n");
    for planned in program.replicas() {
        let replica = planned.replica();
        let train: usize = replica.train.iter().map(Vec::len).sum();
        text.push_str(&format!(
            "  {:<32} windows: train {train}, valid {}, test {}\n",
            replica.name,
            replica.valid.len(),
            replica.test.len()
        ));
    }
    text
}
