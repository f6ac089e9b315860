//! Transfer: replicas whose streams start from the trained weights of another run.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::hash::digest;
use crate::base::{Class, Classified};
use crate::cohort::split::{Part, Split, SplitError, Splits};
use crate::experiment::config::DataSource;
use crate::experiment::program::{PlannedReplica, replica_name};
use crate::experiment::{ExperimentError, ExperimentFile, ExperimentPlan};
use crate::models::{Layout, ParamSpec};
use crate::runs::{RunDirectory, RunError, RunStatus, list_runs};
use crate::training::checkpoint::{CheckpointError, StoredModel};
use crate::training::{Start, StartConfig};

/// Why weights cannot be started from.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The run cannot be read.
    #[error("training.start.run: {0}")]
    Run(#[from] RunError),
    /// Its experiment cannot be read.
    #[error("training.start.run: {0}")]
    Experiment(Box<ExperimentError>),
    /// Its splits cannot be read.
    #[error("training.start.run: {0}")]
    Split(#[from] SplitError),
    /// Its weights cannot be read.
    #[error("training.start.run: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// It does not fit this experiment.
    #[error("training.start.{key}: {problem}\nhint: {hint}")]
    Unfit {
        /// Key below `training.start`.
        key: &'static str,
        /// What was found.
        problem: String,
        /// What to do.
        hint: String,
    },
}

impl Classified for StartError {
    fn class(&self) -> Class {
        Class::Input
    }
}

/// Gives every replica whose variant has a `training.start` its weights, and makes them part of the plan's hash.
///
/// # Errors
/// A run that is not there, not finished, or that has other streams or shapes; and one whose weights have seen a subject
/// that a replica here is tested on.
pub fn attach(plan: &mut ExperimentPlan) -> Result<(), StartError> {
    let configs: HashMap<String, StartConfig> = plan
        .variants
        .iter()
        .filter_map(|variant| Some((variant.name.clone(), variant.config.training.start.clone()?)))
        .collect();
    let mut seen = String::new();
    for (variant, config) in &configs {
        let source = Source::open(config, plan)?;
        for program in &mut plan.programs {
            for planned in program
                .replicas
                .iter_mut()
                .filter(|planned| planned.variant == *variant)
            {
                let tested = planned
                    .replica
                    .test
                    .iter()
                    .map(|&window| program.windows[window as usize].subject);
                let tested: BTreeSet<&str> = tested
                    .map(|at| plan.prepared.subjects()[at as usize].id.as_str())
                    .collect();
                let model = source.model(config, planned, &tested)?;
                let start = fit(config, &model, program.model.layout())?;
                seen.push_str(&fingerprint(&planned.replica.name, &start));
                planned.replica.start = Some(Arc::new(start));
            }
        }
    }
    if !seen.is_empty() {
        // Maps have no order of their own.
        let mut lines: Vec<&str> = seen.lines().collect();
        lines.sort_unstable();
        plan.hash = digest(format!("{}\n{}", plan.hash, lines.join("\n")).as_bytes());
    }
    Ok(())
}

fn fingerprint(name: &str, start: &Start) -> String {
    let values = start.params.iter().chain(&start.buffers).flat_map(|(_, values)| values);
    let bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
    format!("{name} {}\n", digest(&bytes))
}

/// The run that weights come from.
struct Source {
    root: PathBuf,
    state: PathBuf,
    splits: Splits,
    /// Whether its subjects are those of this experiment.
    same_people: bool,
}

impl Source {
    fn open(config: &StartConfig, plan: &ExperimentPlan) -> Result<Self, StartError> {
        let run = finished_run(&config.run)?;
        let experiment =
            ExperimentFile::load(&run.experiment(), &[]).map_err(|error| StartError::Experiment(error.into()))?;
        let experiment = experiment.config;
        let same_people = match (&experiment.data.source, &plan.config.data.source) {
            (DataSource::Dataset(theirs), DataSource::Dataset(ours)) => theirs.name == ours.name,
            (DataSource::Simulated(theirs), DataSource::Simulated(ours)) => theirs.seed == ours.seed,
            _ => false,
        };
        let splits = Splits::read(&run.split())?;
        if same_people && config.replica.is_some() {
            return Err(StartError::Unfit {
                key: "replica",
                problem: "the run is on the same subjects, so each replica starts from the one of its own fold".into(),
                hint: "leave `replica` out".into(),
            });
        }
        Ok(Self {
            root: run.root().into(),
            state: run.checkpoints(),
            splits,
            same_people,
        })
    }

    /// The trained model for `planned`, which is tested on `tested`.
    fn model(
        &self,
        config: &StartConfig,
        planned: &PlannedReplica,
        tested: &BTreeSet<&str>,
    ) -> Result<StoredModel, StartError> {
        let place = match &config.replica {
            _ if self.same_people => planned.place(),
            Some(replica) => replica.clone(),
            None => "repeat0-fold0-seed0".into(),
        };
        let name = replica_name(&config.variant, &place);
        if self.same_people {
            self.check_unseen(&name, planned, tested)?;
        }
        let programs = std::fs::read_dir(&self.state).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = programs
            .map(|entry| entry.path().join("finished").join(&name))
            .collect();
        folders.retain(|folder| folder.is_dir());
        match folders.first() {
            Some(folder) => Ok(StoredModel::read(folder, &name)?),
            None => Err(StartError::Unfit {
                key: if config.replica.is_some() { "replica" } else { "run" },
                problem: format!("{} has no finished replica {name}", self.root.display()),
                hint: "the two experiments need the same splits and seeds; `recoup runs show` lists a run".into(),
            }),
        }
    }

    /// No subject that is tested here may have been trained or selected on there.
    fn check_unseen(&self, name: &str, planned: &PlannedReplica, tested: &BTreeSet<&str>) -> Result<(), StartError> {
        let place = (planned.repeat, planned.fold, planned.inner);
        let is_there = |split: &&Split| (split.repeat(), split.fold(), split.inner()) == place;
        let Some(split) = self.splits.splits().iter().find(is_there) else {
            return Ok(());
        };
        let seen = [Part::Train, Part::Valid].into_iter().flat_map(|part| split.ids(part));
        match seen.into_iter().find(|id| tested.contains(id.as_str())) {
            None => Ok(()),
            Some(id) => Err(StartError::Unfit {
                key: "run",
                problem: format!(
                    "{name} of {} was trained on subject {id:?}, whom the same replica here is tested on",
                    self.root.display()
                ),
                hint: "both experiments need the same [split], [task] and data.source".into(),
            }),
        }
    }
}

/// The run at `path`, or the newest finished one below it.
fn finished_run(path: &Path) -> Result<RunDirectory, StartError> {
    let is_finished = |run: &RunDirectory| Ok::<_, RunError>(run.manifest()?.status == RunStatus::Finished);
    if let Ok(run) = RunDirectory::open(path) {
        return match is_finished(&run)? {
            true => Ok(run),
            false => Err(StartError::Unfit {
                key: "run",
                problem: format!("{} is not finished", path.display()),
                hint: format!(
                    "recoup train {} --resume={}",
                    run.experiment().display(),
                    path.display()
                ),
            }),
        };
    }
    let mut newest = None;
    for run in list_runs(path)? {
        if is_finished(&run)? {
            newest = Some(run);
        }
    }
    newest.ok_or_else(|| StartError::Unfit {
        key: "run",
        problem: format!("{} is no run and holds no finished one", path.display()),
        hint: "give the directory of a run, or of an experiment that was trained; `recoup runs list` shows them".into(),
    })
}

/// The columns of `layout` that the streams take from `model`.
fn fit(config: &StartConfig, model: &StoredModel, layout: &Layout) -> Result<Start, StartError> {
    let mut start = Start {
        learning_rate_factor: config.learning_rate_factor as f32,
        ..Start::default()
    };
    for stream in &config.streams {
        let prefix = format!("{stream}.");
        let own = |specs: &[ParamSpec]| specs.iter().any(|spec| spec.path.starts_with(&prefix));
        if !own(layout.params()) {
            return Err(unfit(
                format!("this experiment has no stream {stream:?}"),
                "name streams of [[model.stream]]",
            ));
        }
        start.params.extend(columns(stream, layout.params(), &model.params)?);
        start.buffers.extend(columns(stream, layout.buffers(), &model.buffers)?);
    }
    Ok(start)
}

fn columns(
    stream: &str,
    specs: &[ParamSpec],
    stored: &[(ParamSpec, Vec<f32>)],
) -> Result<Vec<(usize, Vec<f32>)>, StartError> {
    let (prefix, decoder) = (format!("{stream}."), format!("{stream}.decoder."));
    let mut first = 0;
    let mut columns = Vec::new();
    for spec in specs {
        let column = first;
        first += spec.len();
        if !spec.path.starts_with(&prefix) {
            continue;
        }
        match stored.iter().find(|(there, _)| there.path == spec.path) {
            Some((there, values)) if there.shape == spec.shape => columns.push((column, values.clone())),
            Some((there, _)) => {
                let problem = format!("{} is {:?} there and {:?} here", spec.path, there.shape, spec.shape);
                return Err(unfit(
                    problem,
                    "the stream's channels, encoder and model.embedding_size must be the same",
                ));
            }
            // A decoder is a tool of the pretraining; one that is new here starts at random.
            None if spec.path.starts_with(&decoder) => {}
            None => {
                let problem = format!("the run has no {}", spec.path);
                return Err(unfit(
                    problem,
                    "the stream must have the same name and encoder in both experiments",
                ));
            }
        }
    }
    Ok(columns)
}

fn unfit(problem: String, hint: &str) -> StartError {
    StartError::Unfit {
        key: "streams",
        problem,
        hint: hint.into(),
    }
}
