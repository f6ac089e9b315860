use recoup::runs::{Manifest, RunDirectory, RunStatus, list_runs};
use recoup_formats::printable;
use serde_json::json;

use crate::cli::RunsCommand;

/// Lists and shows runs.
pub fn run(command: RunsCommand) -> super::Result<()> {
    match command {
        RunsCommand::List { folder, json } => {
            let list = list_runs(&folder)?;
            for warning in &list.warnings {
                super::warn(&warning);
            }
            let row = |(run, manifest): (RunDirectory, Manifest)| (run.root().display().to_string(), manifest);
            let rows: Vec<(String, Manifest)> = list.runs.into_iter().map(row).collect();
            if json.json {
                let list: Vec<_> = rows
                    .iter()
                    .map(|(path, manifest)| json!({"run": path, "manifest": manifest}))
                    .collect();
                return super::print_json(&list);
            }
            let line = |(path, manifest): &(String, Manifest)| {
                format!(
                    "{:<12} {:>4} replicas  {}\n",
                    status(manifest.status),
                    manifest.num_replicas,
                    printable(path)
                )
            };
            super::print(&rows.iter().map(line).collect::<String>())
        }
        RunsCommand::Show { run, json } => {
            let run = RunDirectory::open(run)?;
            let manifest = run.manifest()?;
            if json.json {
                return super::print_json(&manifest);
            }
            let parts = [
                ("experiment", run.experiment()),
                ("splits", run.split()),
                ("predictions", run.predictions()),
                ("metrics", run.evaluation()),
                ("TensorBoard", run.tensorboard()),
                ("checkpoints", run.checkpoints()),
            ];
            let mut text = format!(
                "{}\n",
                serde_json::to_string_pretty(&manifest).map_err(std::io::Error::from)?
            );
            for (name, path) in parts {
                let there = if path.exists() { "" } else { " (not there)" };
                text.push_str(&format!("{name:<12} {}{there}\n", path.display()));
            }
            super::print(&text)
        }
    }
}

fn status(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "running",
        RunStatus::Interrupted => "interrupted",
        RunStatus::Finished => "finished",
    }
}
