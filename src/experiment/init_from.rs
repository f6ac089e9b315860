//! Transfer: replicas whose streams start from the trained weights of another run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::config::{DataSource, ExperimentConfig};
use super::error::InitFromError;
use super::file::ExperimentFile;
use super::program::{ReplicaKey, replica_name};
use crate::base::shell_quoted;
use crate::cohort::split::{Part, Split, Splits};
use crate::models::{Layout, ParamSpec};
use crate::runs::{Manifest, RunDirectory, RunStatus, list_runs};
use crate::training::checkpoint::StoredReplica;
use crate::training::{Columns, InitFromConfig, InitialWeights};

/// A finished run that a variant starts from.
pub(super) struct InitFrom {
    config: InitFromConfig,
    root: PathBuf,
    checkpoints: PathBuf,
    splits: Splits,
    /// Whether its subjects are those of this experiment.
    same_people: bool,
}

impl InitFrom {
    /// The run that `experiment` names in `training.init_from`, below the folder `runs`; `None` where it names none.
    ///
    /// # Errors
    /// A run that is not there, not finished or damaged, and a `replica` where every fold starts from its own.
    pub(super) fn open(experiment: &ExperimentConfig, runs: &Path) -> Result<Option<Self>, InitFromError> {
        let Some(config) = &experiment.training.init_from else {
            return Ok(None);
        };
        let run = finished_run(&runs.join(&config.run))?;
        let theirs =
            ExperimentFile::load(&run.experiment(), &[]).map_err(|error| InitFromError::Experiment(error.into()))?;
        let same_people = match (&theirs.config.data.source, &experiment.data.source) {
            (DataSource::Dataset(theirs), DataSource::Dataset(ours)) => theirs.name == ours.name,
            (DataSource::Simulated(theirs), DataSource::Simulated(ours)) => theirs.seed == ours.seed,
            _ => false,
        };
        if same_people && config.replica.is_some() {
            return Err(InitFromError::Unfit {
                key: "replica",
                problem: "the run is on the same subjects, so each replica starts from the one of its own fold".into(),
                hint: "leave `replica` out".into(),
            });
        }
        Ok(Some(Self {
            config: config.clone(),
            root: run.root().into(),
            checkpoints: run.checkpoints(),
            splits: Splits::read(&run.split())?,
            same_people,
        }))
    }

    /// The weights that the replica with this key, which is tested on the subjects `tested`, starts from.
    ///
    /// # Errors
    /// A replica that the run does not have, other streams or shapes, and weights that have seen a subject of `tested`.
    pub(super) fn weights(
        &self,
        key: ReplicaKey,
        tested: &BTreeSet<&str>,
        layout: &Layout,
    ) -> Result<InitialWeights, InitFromError> {
        let stored = self.replica(key, tested)?;
        let mut weights = InitialWeights {
            params: Vec::new(),
            buffers: Vec::new(),
            learning_rate_factor: self.config.learning_rate_factor as f32,
            stored,
        };
        for stream in &self.config.streams {
            let prefix = format!("{stream}.");
            if !layout.params().iter().any(|spec| spec.path.starts_with(&prefix)) {
                return Err(unfit(
                    format!("this experiment has no stream {stream:?}"),
                    "name streams of [[model.stream]]",
                ));
            }
            let stored = &weights.stored;
            weights
                .params
                .extend(columns(stream, layout.params(), stored.params())?);
            weights
                .buffers
                .extend(columns(stream, layout.buffers(), stored.buffers())?);
        }
        Ok(weights)
    }

    fn replica(&self, key: ReplicaKey, tested: &BTreeSet<&str>) -> Result<StoredReplica, InitFromError> {
        let theirs = match &self.config.replica {
            _ if self.same_people => key.to_string(),
            Some(replica) => replica.clone(),
            None => "repeat0-fold0-seed0".into(),
        };
        let name = replica_name(&self.config.variant, &theirs);
        if self.same_people {
            self.check_unseen(&name, key, tested)?;
        }
        let programs = std::fs::read_dir(&self.checkpoints).into_iter().flatten().flatten();
        let folders = programs.map(|entry| entry.path().join("finished").join(&name));
        match folders.into_iter().find(|folder| folder.is_dir()) {
            Some(folder) => Ok(StoredReplica::open(&folder, &name)?),
            None => Err(InitFromError::Unfit {
                key: if self.config.replica.is_some() {
                    "replica"
                } else {
                    "run"
                },
                problem: format!("{} has no finished replica {name}", self.root.display()),
                hint: "the two experiments need the same splits and seeds; `recoup runs show` lists a run".into(),
            }),
        }
    }

    /// No subject that is tested here may have been trained or selected on there.
    fn check_unseen(&self, name: &str, key: ReplicaKey, tested: &BTreeSet<&str>) -> Result<(), InitFromError> {
        let is_same =
            |split: &&Split| (split.repeat(), split.fold(), split.inner()) == (key.repeat, key.fold, key.inner);
        let Some(split) = self.splits.splits().iter().find(is_same) else {
            return Ok(());
        };
        let seen = [Part::Train, Part::Valid].into_iter().flat_map(|part| split.ids(part));
        match seen.into_iter().find(|id| tested.contains(id.as_str())) {
            None => Ok(()),
            Some(id) => Err(InitFromError::Unfit {
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
fn finished_run(path: &Path) -> Result<RunDirectory, InitFromError> {
    let is_finished = |manifest: &Manifest| manifest.status == RunStatus::Finished;
    if let Ok(run) = RunDirectory::open(path) {
        if is_finished(&run.manifest()?) {
            return Ok(run);
        }
        return Err(InitFromError::Unfit {
            key: "run",
            problem: format!("{} is not finished", path.display()),
            hint: format!(
                "recoup train {} --resume={}",
                shell_quoted(&run.experiment()),
                shell_quoted(path)
            ),
        });
    }
    let mut list = list_runs(path)?;
    list.runs.retain(|(_, manifest)| is_finished(manifest));
    if let Some((run, _)) = list.runs.pop() {
        return Ok(run);
    }
    let damaged: String = list.warnings.iter().map(|warning| format!("\n{warning}")).collect();
    Err(InitFromError::Unfit {
        key: "run",
        problem: format!("{} is no run and holds no finished one{damaged}", path.display()),
        hint: "name an experiment that was trained, or one of its runs, as a path below the folder of runs (--out); \
               `recoup runs list` shows them"
            .into(),
    })
}

/// The columns of `specs` that the stream takes from `stored`.
fn columns(stream: &str, specs: &[ParamSpec], stored: &[ParamSpec]) -> Result<Vec<Columns>, InitFromError> {
    let (prefix, decoder) = (format!("{stream}."), format!("{stream}.decoder."));
    let mut next = 0;
    let mut columns = Vec::new();
    for spec in specs {
        let first = next;
        next += spec.len();
        if !spec.path.starts_with(&prefix) {
            continue;
        }
        match stored.iter().position(|there| there.path == spec.path) {
            Some(at) if stored[at].shape == spec.shape => columns.push(Columns {
                first,
                len: spec.len(),
                stored: at,
            }),
            Some(at) => {
                let (there, here) = (&stored[at].shape, &spec.shape);
                return Err(unfit(
                    format!("{} is {there:?} there and {here:?} here", spec.path),
                    "the stream's channels, encoder and model.embedding_size must be the same",
                ));
            }
            // A decoder is a tool of the pretraining; one that is new here starts at random.
            None if spec.path.starts_with(&decoder) => {}
            None => {
                return Err(unfit(
                    format!("the run has no {}", spec.path),
                    "the stream must have the same name and encoder in both experiments",
                ));
            }
        }
    }
    Ok(columns)
}

fn unfit(problem: String, hint: &str) -> InitFromError {
    InitFromError::Unfit {
        key: "streams",
        problem,
        hint: hint.into(),
    }
}
