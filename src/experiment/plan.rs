//! The checked plan: the only thing that runs.

use std::path::Path;
use std::sync::Arc;

use super::config::ExperimentConfig;
use super::error::ExperimentError;
use super::file::ExperimentFile;
use super::init_from::InitFrom;
use super::program::{PlannedReplica, Program};
use super::task::Task;
use super::variant::{BASE_VARIANT, shared_config};
use super::variant_plan::VariantPlan;
use super::view::View;
use crate::base::Problems;
use crate::base::hash::digest;
use crate::cohort::prepared::Prepared;
use crate::cohort::split::Splits;
use crate::features::tables::Progress;

/// An experiment joined with its data and the weights that it starts from, checked in full.
///
/// There is one way to make a plan and none to change it, so what runs is what was checked and what the hash names:
///
/// ```compile_fail,E0616
/// fn rename(plan: &mut recoup::experiment::ExperimentPlan) {
///     plan.hash = String::new(); // error: field `hash` is private
/// }
/// ```
///
/// ```compile_fail,E0616
/// fn start_anew(plan: &mut recoup::experiment::ExperimentPlan) {
///     plan.programs.clear(); // error: field `programs` is private
/// }
/// ```
#[derive(Debug)]
pub struct ExperimentPlan {
    config: ExperimentConfig,
    hash: String,
    prepared: Arc<Prepared>,
    classes: Vec<String>,
    splits: Splits,
    variants: Vec<Variant>,
    programs: Vec<Program>,
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
    /// Joins an experiment with its data and, where it says `training.init_from`, with weights of a run below the folder
    /// `runs`. `progress` is told how many sessions' features are computed.
    ///
    /// # Errors
    /// [`ExperimentError::Problems`] with everything that is wrong, or the errors of the data, of the split, and of the
    /// run to start from.
    pub fn new(
        file: &ExperimentFile,
        prepared: Prepared,
        runs: &Path,
        progress: Progress,
    ) -> Result<Self, ExperimentError> {
        let prepared = Arc::new(prepared);
        let config = file.config.clone();
        let mut problems = Problems::default();
        check_names(&config, &mut problems);
        let task = Task::new(&config, &prepared, &mut problems);
        let variants = variants(&config, &mut problems);
        file.check(&problems)?;

        let mut plans: Vec<VariantPlan> = Vec::new();
        let mut views = Vec::new();
        for Variant { name, config } in &variants {
            let view = View::of(config, &prepared, &task, &mut views, &mut problems, progress)?;
            plans.extend(VariantPlan::new(name, config, view, &task, &mut problems));
        }
        file.check(&problems)?;

        let splits = Splits::make(&config.split, &task.subjects(&prepared), prepared.content_hash())?;
        let mut programs: Vec<(ExperimentConfig, Program)> = Vec::new();
        let mut num_replicas = 0;
        for plan in plans {
            let init_from = InitFrom::open(plan.config(), runs)?;
            let model = plan.model(task.classes.len());
            let replicas = plan.replicas(&splits, &model, init_from.as_ref(), num_replicas)?;
            num_replicas += replicas.len();
            let shared = shared_config(plan.config());
            match programs.iter_mut().find(|(other, _)| *other == shared) {
                Some((_, program)) => program.extend(replicas),
                None => programs.push((shared, plan.program(model, replicas))),
            }
        }
        let programs: Vec<Program> = programs.into_iter().map(|(_, program)| program).collect();
        Ok(Self {
            hash: hash(&config, &splits, &programs),
            config,
            prepared,
            classes: task.classes,
            splits,
            variants,
            programs,
        })
    }

    /// The experiment.
    pub fn config(&self) -> &ExperimentConfig {
        &self.config
    }

    /// SHA-256 of the resolved experiment, the splits and the weights to start from: what a checkpoint must match.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The data, without the feature tables of the variants.
    pub fn prepared(&self) -> &Arc<Prepared> {
        &self.prepared
    }

    /// Names of the classes that are predicted.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Who is trained on and tested, in every variant.
    pub fn splits(&self) -> &Splits {
        &self.splits
    }

    /// The variants in the order of the experiment, the base first.
    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// What is trained, in groups of variants that can train together.
    pub fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// The experiment with every default filled in, as TOML.
    pub fn resolved_toml(&self) -> String {
        resolved_toml(&self.config)
    }

    /// All replicas, program by program.
    pub fn replicas(&self) -> impl Iterator<Item = &PlannedReplica> {
        self.programs.iter().flat_map(Program::replicas)
    }

    /// The program of the experiment without changes.
    pub fn base(&self) -> &Program {
        // `new` makes one for the base before any other.
        &self.programs[0]
    }
}

/// The experiment without changes, then with each of them.
fn variants(config: &ExperimentConfig, problems: &mut Problems) -> Vec<Variant> {
    let base = ExperimentConfig {
        variants: Vec::new(),
        ..config.clone()
    };
    let mut variants = vec![Variant {
        name: BASE_VARIANT.into(),
        config: base,
    }];
    for variant in &config.variants {
        match variant.apply(config) {
            Ok(config) => variants.push(Variant {
                name: variant.name.clone(),
                config,
            }),
            Err(problem) => problems.extend([problem]),
        }
    }
    variants
}

fn resolved_toml(config: &ExperimentConfig) -> String {
    // The configuration came from TOML, so it can be written as TOML.
    toml::to_string(config).unwrap_or_default()
}

fn hash(config: &ExperimentConfig, splits: &Splits, programs: &[Program]) -> String {
    let hash = digest(format!("{}\n{}", resolved_toml(config), splits.hash()).as_bytes());
    let replicas = programs.iter().flat_map(Program::replicas);
    let mut weights: Vec<String> = replicas
        .filter_map(|planned| {
            let weights = planned.replica().init_from.as_ref()?;
            Some(format!("{} {}", planned.replica().name, weights.stored.digest()))
        })
        .collect();
    if weights.is_empty() {
        return hash;
    }
    weights.sort_unstable();
    digest(format!("{hash}\n{}", weights.join("\n")).as_bytes())
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
