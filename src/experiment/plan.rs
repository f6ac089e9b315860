//! The checked plan: the only thing that runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ExperimentFile;
use super::config::{DataSource, ExperimentConfig};
use super::error::ExperimentError;
use super::program::{Draft, PlannedReplica, Program};
use super::task::Task;
use super::variant::{BASE_VARIANT, program_key};
use super::view::View;
use crate::base::Problems;
use crate::base::hash::digest;
use crate::cohort::prepared::Prepared;
use crate::cohort::split::Splits;
use crate::dataset::card::Card;
use crate::features::tables::Progress;

/// Where datasets lie.
#[derive(Clone, Debug)]
pub struct DataPaths {
    /// Folder with one folder per dataset; prepared data goes to `<name>/prepared` in it.
    pub datasets: PathBuf,
}

impl DataPaths {
    /// `<datasets>/<name>/card.toml`.
    pub fn card(&self, name: &str) -> PathBuf {
        self.datasets.join(name).join("card.toml")
    }

    /// `<datasets>/<name>/raw`: files as published.
    pub fn raw(&self, name: &str) -> PathBuf {
        self.datasets.join(name).join("raw")
    }

    /// `<datasets>/<name>/prepared`: tables as training reads them.
    pub fn prepared(&self, name: &str) -> PathBuf {
        self.datasets.join(name).join("prepared")
    }

    /// Opens the cohort of an experiment, prepared; the first time reads or simulates the recordings.
    pub fn open(&self, file: &ExperimentFile) -> Result<Prepared, ExperimentError> {
        match &file.config.data.source {
            DataSource::Simulated(config) => {
                let mut problems = Problems::default();
                problems.extend_below("data.source", config.problems());
                file.check(&problems)?;
                Ok(Prepared::build(&config.generate(), &self.prepared("simulated"))?)
            }
            DataSource::Dataset(dataset) => {
                let card = Card::load(&self.card(&dataset.name))?;
                Ok(Prepared::from_card(
                    &card,
                    &self.raw(&dataset.name),
                    &self.prepared(&dataset.name),
                )?)
            }
        }
    }
}

/// An experiment joined with its data, checked in full.
pub struct ExperimentPlan {
    /// The experiment.
    pub config: ExperimentConfig,
    /// SHA-256 of the resolved experiment and the split: what a checkpoint must match.
    pub hash: String,
    /// The data.
    pub prepared: Arc<Prepared>,
    /// Classes that are predicted.
    pub classes: Vec<String>,
    /// Who is trained on and tested, in every variant.
    pub splits: Splits,
    /// The variants in the order of the experiment, the base first.
    pub variants: Vec<Variant>,
    /// What is trained, in groups of variants that can train together.
    pub programs: Vec<Program>,
}

/// A variant and the experiment as it has it.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// The experiment with its change.
    pub config: ExperimentConfig,
}

impl ExperimentPlan {
    /// Joins an experiment with its data.
    ///
    /// # Errors
    /// [`ExperimentError::Problems`] with everything that is wrong, or the data's and the split's own errors.
    pub fn new(file: &ExperimentFile, prepared: Prepared) -> Result<Self, ExperimentError> {
        Self::with_progress(file, prepared, &|_, _| {})
    }

    /// As [`new`](Self::new), told how many sessions' features are computed.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with_progress(
        file: &ExperimentFile,
        prepared: Prepared,
        progress: Progress,
    ) -> Result<Self, ExperimentError> {
        let prepared = Arc::new(prepared);
        let config = file.config.clone();
        let mut problems = Problems::default();
        check_names(&config, &mut problems);
        let task = Task::new(&config, &prepared, &mut problems);
        let base = ExperimentConfig {
            variants: Vec::new(),
            ..config.clone()
        };
        let mut variants = vec![Variant {
            name: BASE_VARIANT.into(),
            config: base,
        }];
        for variant in &config.variants {
            match variant.apply(&config) {
                Ok(config) => variants.push(Variant {
                    name: variant.name.clone(),
                    config,
                }),
                Err(problem) => problems.extend([problem]),
            }
        }
        file.check(&problems)?;

        let mut drafts: Vec<Draft> = Vec::new();
        let mut views = Vec::new();
        for Variant { name, config } in &variants {
            let view = View::of(config, &prepared, &task, &mut views, &mut problems, progress)?;
            drafts.extend(Draft::new(name, config, view, &task, &mut problems));
        }
        file.check(&problems)?;

        let splits = Splits::make(&config.split, &task.subjects(&prepared), prepared.content_hash())?;
        let mut programs: Vec<(String, Program)> = Vec::new();
        let mut num_replicas = 0;
        for draft in drafts {
            let replicas = draft.replicas(&splits, task.classes.len(), num_replicas)?;
            num_replicas += replicas.len();
            let key = program_key(&draft.config);
            match programs.iter_mut().find(|(other, _)| *other == key) {
                Some((_, program)) => program.replicas.extend(replicas),
                None => programs.push((key, draft.program(task.classes.len(), replicas))),
            }
        }
        let resolved = toml::to_string(&config).unwrap_or_default();
        Ok(Self {
            hash: digest(format!("{resolved}\n{}", splits.hash()).as_bytes()),
            config,
            prepared,
            classes: task.classes,
            splits,
            variants,
            programs: programs.into_iter().map(|(_, program)| program).collect(),
        })
    }

    /// The experiment with every default filled in, as TOML.
    pub fn resolved_toml(&self) -> String {
        // The configuration came from TOML, so it can be written as TOML.
        toml::to_string(&self.config).unwrap_or_default()
    }

    /// All replicas, program by program.
    pub fn replicas(&self) -> impl Iterator<Item = &PlannedReplica> {
        self.programs.iter().flat_map(|program| &program.replicas)
    }

    /// The program of the experiment without changes.
    pub fn base(&self) -> &Program {
        // `new` makes one for the base before any other.
        &self.programs[0]
    }
}

fn check_names(config: &ExperimentConfig, problems: &mut Problems) {
    let safe = |name: &str| {
        !name.is_empty()
            && Path::new(name)
                .components()
                .all(|part| matches!(part, std::path::Component::Normal(_)))
    };
    if !safe(&config.name) {
        problems.add(
            "name",
            format!(
                "{:?} cannot name a folder of runs: use letters, digits, - and /",
                config.name
            ),
        );
    }
    if config.seeds.is_empty() {
        problems.add("seeds", "is empty: expected at least one seed");
    }
    for (at, seed) in config.seeds.iter().enumerate() {
        if config.seeds[..at].contains(seed) {
            problems.add("seeds", format!("has {seed} twice: the two replicas would be one"));
        }
    }
    for (at, variant) in config.variants.iter().enumerate() {
        let key = format!("variant.{}.name", variant.name);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if variant.name.is_empty() || variant.name.starts_with('.') || !variant.name.chars().all(plain) {
            problems.add(
                &key,
                format!(
                    "{:?} cannot name a folder: use letters, digits, -, _ and .",
                    variant.name
                ),
            );
        }
        if variant.name == BASE_VARIANT || config.variants[..at].iter().any(|other| other.name == variant.name) {
            problems.add(
                &key,
                "this name is taken: variants have names of their own, and base is the experiment itself",
            );
        }
    }
}
