//! The checked plan: the only thing that runs.

use std::collections::BTreeSet;
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
    resolved_toml: String,
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
    /// Name.
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
        check_num_replicas(file, &splits, &variants)?;
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
        let resolved_toml = toml::to_string(&config).map_err(|error| ExperimentError::Syntax {
            path: file.path.clone(),
            message: error.to_string(),
        })?;
        Ok(Self {
            hash: hash(&resolved_toml, &splits, &programs),
            resolved_toml,
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

    /// Programs: groups of variants that can train together.
    pub fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// The experiment with every default filled in, as TOML.
    pub fn resolved_toml(&self) -> &str {
        &self.resolved_toml
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

fn hash(resolved_toml: &str, splits: &Splits, programs: &[Program]) -> String {
    let hash = digest(format!("{resolved_toml}\n{}", splits.hash()).as_bytes());
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

/// Most bytes of a folder's name; file systems allow 255, and runs add an ending.
const MAX_NAME_BYTES: usize = 200;
const MAX_SEEDS: usize = 10_000;
const MAX_VARIANTS: usize = 1_000;
const MAX_REPLICAS: usize = 100_000;

fn check_names(config: &ExperimentConfig, problems: &mut Problems) {
    let is_folder = |part: &str| !part.is_empty() && part != "." && part != ".." && part.len() <= MAX_NAME_BYTES;
    let is_safe = config.name.split('/').all(is_folder) && !config.name.contains(|c: char| c.is_control() || c == '\\');
    problems.require(is_safe, "name", || {
        format!(
            "{:?} cannot name a folder of runs: use letters, digits, - and /, at most {MAX_NAME_BYTES} bytes between two /",
            config.name
        )
    });
    problems.require(
        !config.seeds.is_empty(),
        "seeds",
        || "is empty: expected at least one seed",
    );
    problems.require(config.seeds.len() <= MAX_SEEDS, "seeds", || {
        format!("has {} seeds, expected at most {MAX_SEEDS}", config.seeds.len())
    });
    let mut seen = BTreeSet::new();
    if let Some(seed) = config.seeds.iter().find(|&&seed| !seen.insert(seed)) {
        problems.add("seeds", format!("has {seed} twice: the two replicas would be one"));
    }
    problems.require(config.variants.len() <= MAX_VARIANTS, "variant", || {
        format!("there are {}, expected at most {MAX_VARIANTS}", config.variants.len())
    });
    let mut taken = BTreeSet::from([BASE_VARIANT]);
    for variant in &config.variants {
        let name = &*variant.name;
        let key = format!("variant.{name}.name");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_folder = is_folder(name) && !name.starts_with('.') && name.chars().all(is_plain);
        problems.require(is_folder, &key, || {
            format!("{name:?} cannot name a folder: use letters, digits, -, _ and .")
        });
        problems.require(
            taken.insert(name),
            &key,
            || "this name is taken: variants have names of their own, and base is the experiment itself",
        );
    }
}

/// Refuses more replicas than a run can hold, before anything is made for each of them.
fn check_num_replicas(file: &ExperimentFile, splits: &Splits, variants: &[Variant]) -> Result<(), ExperimentError> {
    let (num_splits, num_seeds, num_variants) = (splits.splits().len(), file.config.seeds.len(), variants.len());
    let num_replicas = num_splits.saturating_mul(num_seeds).saturating_mul(num_variants);
    let mut problems = Problems::default();
    problems.require(num_replicas <= MAX_REPLICAS, "seeds", || {
        format!(
            "{num_splits} splits x {num_seeds} seeds x {num_variants} variants are {num_replicas} replicas, expected at \
             most {MAX_REPLICAS}"
        )
    });
    file.check(&problems)
}
