//! Checkpoints: sets of files that appear whole or not at all.
//!
//! A checkpoint is a folder with `replicas.safetensors` (per replica: weights, optimiser state, buffers, best weights),
//! `state.json` (where each replica stands) and `manifest.json` (size and SHA-256 of the two). It is written beside its
//! place, synced and renamed; the manifest is checked before anything is read. Every tensor is stored per replica under
//! `<replica>/<what>`, so any replica can be taken out and resumed alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::{OptimizerConfig, Progress};
use crate::base::error::resumable;
use crate::base::file::{sync_folder, write_synced};
use crate::base::hash::digest as sha256;
use crate::base::{Class, Classified, FileError};
use crate::models::{Init, Layout, ParamSpec};

const FORMAT: u32 = 2;
const TENSORS: &str = "replicas.safetensors";
const STATE: &str = "state.json";
const MANIFEST: &str = "manifest.json";

/// Errors of writing and reading checkpoints.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file system said no.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is not what the manifest says, or not what this program wrote.
    #[error("{}: {message}", path.display())]
    Damaged {
        /// File.
        path: PathBuf,
        /// Problem: found and expected.
        message: String,
    },
    /// The checkpoint is of another experiment.
    #[error(
        "{}: the checkpoint is of another {what} ({found}, this one is {expected})\n\
         hint: resume with the experiment and options it was started with, or start a new run", path.display()
    )]
    Other {
        /// Checkpoint.
        path: PathBuf,
        /// Part that differs.
        what: &'static str,
        /// In the checkpoint.
        found: String,
        /// Now.
        expected: String,
    },
}

impl Classified for CheckpointError {
    fn class(&self) -> Class {
        Class::Failure
    }
}

/// Everything one replica needs to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaState {
    /// Where it stands.
    pub progress: Progress,
    /// Epochs completed.
    pub epoch: usize,
    /// Steps made in the present epoch.
    pub step_in_epoch: usize,
    /// Named vectors: `weights`, `best_weights` and, for each slot of the optimiser, `optimizer.<slot>` of P values,
    /// `buffers` and `best_buffers` of Q.
    pub tensors: BTreeMap<String, Vec<f32>>,
}

/// Replicas by name, and what was wrong with newer snapshots that had to be skipped.
pub type Snapshot = (BTreeMap<String, ReplicaState>, Vec<String>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateFile {
    format: u32,
    experiment: String,
    params: Vec<(String, Vec<usize>)>,
    buffers: Vec<(String, Vec<usize>)>,
    replicas: BTreeMap<String, ReplicaEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplicaEntry {
    epoch: usize,
    step_in_epoch: usize,
    progress: Progress,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestEntry {
    bytes: u64,
    sha256: String,
}

/// The checkpoints of one run.
///
/// `latest/` holds snapshots of the group in training, numbered; `finished/` one checkpoint per replica that is done.
#[derive(Clone, Debug)]
pub struct CheckpointStore {
    root: PathBuf,
    experiment: String,
    layout: Layout,
    /// Name and length of every vector of a replica.
    vectors: BTreeMap<String, usize>,
}

/// Name in [`ReplicaState::tensors`] of an optimiser's slot.
pub(super) fn slot_key(name: &str) -> String {
    format!("optimizer.{name}")
}

impl CheckpointStore {
    /// A store below `root` for the experiment with this hash, whose replicas have this layout and optimiser.
    pub fn new(
        root: impl Into<PathBuf>,
        experiment: impl Into<String>,
        layout: &Layout,
        optimizer: &OptimizerConfig,
    ) -> Self {
        let (num_params, num_buffers) = (layout.num_params(), layout.num_buffers());
        let slots = optimizer
            .optimizer()
            .slot_names()
            .iter()
            .map(|name| (slot_key(name), num_params));
        let vectors = [
            ("weights", num_params),
            ("best_weights", num_params),
            ("buffers", num_buffers),
            ("best_buffers", num_buffers),
        ];
        Self {
            root: root.into(),
            experiment: experiment.into(),
            layout: layout.clone(),
            vectors: vectors
                .map(|(name, len)| (name.to_owned(), len))
                .into_iter()
                .chain(slots)
                .collect(),
        }
    }

    /// Writes a snapshot of replicas in training and removes all but the two newest.
    pub fn save(&self, replicas: &BTreeMap<String, ReplicaState>) -> Result<(), CheckpointError> {
        let snapshots = self.snapshots()?;
        let number = snapshots.last().map_or(0, |(number, _)| number + 1);
        self.write(&self.root.join("latest").join(format!("{number:08}")), replicas)?;
        // A snapshot goes only when two newer ones are complete.
        for (_, old) in snapshots.iter().rev().skip(1) {
            fs::remove_dir_all(old).map_err(io(old, "remove"))?;
        }
        Ok(())
    }

    /// Writes the final state of a replica; kept.
    pub fn finish(&self, name: &str, state: &ReplicaState) -> Result<(), CheckpointError> {
        let place = self.finished_path(name);
        if place.exists() {
            // Two attempts of one run end with the same bytes: the first to arrive stays.
            return Ok(());
        }
        self.write(&place, &BTreeMap::from([(name.to_owned(), state.clone())]))
    }

    /// The final state of a replica, if it is done. A damaged one is an error: it will not be trained again silently.
    pub fn finished(&self, name: &str) -> Result<Option<ReplicaState>, CheckpointError> {
        let place = self.finished_path(name);
        if !place.exists() {
            return Ok(None);
        }
        Ok(self.read(&place)?.remove(name))
    }

    /// The newest snapshot that is intact, and what was wrong with newer ones. `None` when there is no snapshot; when
    /// all are damaged the newest one's error, because starting from scratch must be somebody's decision.
    pub fn latest(&self) -> Result<Option<Snapshot>, CheckpointError> {
        let mut warnings = Vec::new();
        let mut first_error = None;
        for (_, path) in self.snapshots()?.into_iter().rev() {
            match self.read(&path) {
                Ok(replicas) => return Ok(Some((replicas, warnings))),
                Err(error @ CheckpointError::Other { .. }) => return Err(error),
                Err(error) => {
                    warnings.push(format!("skipped a damaged checkpoint: {error}"));
                    first_error.get_or_insert(error);
                }
            }
        }
        first_error.map_or(Ok(None), Err)
    }

    /// Removes the snapshots, once every replica is finished.
    pub fn clear_latest(&self) -> Result<(), CheckpointError> {
        let place = self.root.join("latest");
        match fs::remove_dir_all(&place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(&place, "remove")(error)),
            _ => Ok(()),
        }
    }

    fn finished_path(&self, name: &str) -> PathBuf {
        self.root.join("finished").join(name)
    }

    fn snapshots(&self) -> Result<Vec<(u64, PathBuf)>, CheckpointError> {
        let place = self.root.join("latest");
        let entries = match fs::read_dir(&place) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io(&place, "list"))?,
        };
        let mut snapshots = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io(&place, "list"))?;
            // Anything else, such as the remains of a write that was cut off, is not a number.
            if let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                snapshots.push((number, entry.path()));
            }
        }
        snapshots.sort();
        Ok(snapshots)
    }

    fn write(&self, place: &Path, replicas: &BTreeMap<String, ReplicaState>) -> Result<(), CheckpointError> {
        let parent = place.parent().unwrap_or(&self.root);
        fs::create_dir_all(parent).map_err(io(parent, "create"))?;
        let scratch = tempfile::Builder::new()
            .prefix(".partial-")
            .tempdir_in(parent)
            .map_err(io(parent, "write to"))?;
        let files = [(TENSORS, self.tensors(place, replicas)?), (STATE, self.state(replicas))];
        let mut manifest = BTreeMap::new();
        for (name, bytes) in &files {
            write_synced(&scratch.path().join(name), bytes).map_err(resumable)?;
            let entry = ManifestEntry {
                bytes: bytes.len() as u64,
                sha256: sha256(bytes),
            };
            manifest.insert(*name, entry);
        }
        write_synced(&scratch.path().join(MANIFEST), &json(&manifest)).map_err(resumable)?;
        sync_folder(scratch.path())?;
        let scratch = scratch.keep();
        fs::rename(&scratch, place).map_err(io(place, "put in place"))?;
        Ok(sync_folder(parent)?)
    }

    fn tensors(&self, place: &Path, replicas: &BTreeMap<String, ReplicaState>) -> Result<Vec<u8>, CheckpointError> {
        let damaged = |error: safetensors::SafeTensorError| CheckpointError::Damaged {
            path: place.into(),
            message: format!("the state cannot be written as safetensors: {error}"),
        };
        let mut views = Vec::new();
        for (replica, state) in replicas {
            for (what, values) in &state.tensors {
                let view = TensorView::new(Dtype::F32, vec![values.len()], bytemuck::cast_slice(values));
                views.push((format!("{replica}/{what}"), view.map_err(damaged)?));
            }
        }
        safetensors::serialize(views, None).map_err(damaged)
    }

    fn state(&self, replicas: &BTreeMap<String, ReplicaState>) -> Vec<u8> {
        let shapes = |specs: &[crate::models::ParamSpec]| {
            specs
                .iter()
                .map(|spec| (spec.path.clone(), spec.shape.clone()))
                .collect()
        };
        let entry = |state: &ReplicaState| ReplicaEntry {
            epoch: state.epoch,
            step_in_epoch: state.step_in_epoch,
            progress: state.progress.clone(),
        };
        json(&StateFile {
            format: FORMAT,
            experiment: self.experiment.clone(),
            params: shapes(self.layout.params()),
            buffers: shapes(self.layout.buffers()),
            replicas: replicas
                .iter()
                .map(|(name, state)| (name.clone(), entry(state)))
                .collect(),
        })
    }

    fn read(&self, place: &Path) -> Result<BTreeMap<String, ReplicaState>, CheckpointError> {
        let state = StateFile::read(place)?;
        self.check(place, &state)?;
        let replicas = state.replicas_with_tensors(place)?;
        for (name, replica) in &replicas {
            let found: BTreeMap<String, usize> = replica
                .tensors
                .iter()
                .map(|(name, values)| (name.clone(), values.len()))
                .collect();
            if found != self.vectors {
                let message = format!("replica {name} has values {found:?}, expected {:?}", self.vectors);
                return Err(damaged(place, TENSORS, message));
            }
        }
        Ok(replicas)
    }

    fn check(&self, place: &Path, state: &StateFile) -> Result<(), CheckpointError> {
        let other = |what, found: String, expected: String| {
            Err(CheckpointError::Other {
                path: place.into(),
                what,
                found,
                expected,
            })
        };
        if state.experiment != self.experiment {
            return other("experiment", state.experiment.clone(), self.experiment.clone());
        }
        let same = |stored: &[(String, Vec<usize>)], specs: &[crate::models::ParamSpec]| {
            stored.len() == specs.len()
                && stored
                    .iter()
                    .zip(specs)
                    .all(|((path, shape), spec)| *path == spec.path && *shape == spec.shape)
        };
        if !same(&state.params, self.layout.params()) || !same(&state.buffers, self.layout.buffers()) {
            let count = format!("{} parameter tensors", state.params.len());
            return other("model", count, format!("{}", self.layout.params().len()));
        }
        Ok(())
    }
}

/// Entry of a file in the manifest of the checkpoint at `place`.
fn listed(place: &Path, name: &str) -> Result<ManifestEntry, CheckpointError> {
    let path = place.join(MANIFEST);
    let bytes = fs::read(&path).map_err(io(&path, "read"))?;
    let mut manifest: BTreeMap<String, ManifestEntry> =
        serde_json::from_slice(&bytes).map_err(|error| damaged(place, MANIFEST, error.to_string()))?;
    let entry = manifest.remove(name);
    entry.ok_or_else(|| damaged(place, MANIFEST, format!("does not list {name}")))
}

/// The bytes of a file of the checkpoint at `place`, as its manifest lists them.
fn verified(place: &Path, name: &str) -> Result<Vec<u8>, CheckpointError> {
    let entry = listed(place, name)?;
    let path = place.join(name);
    let bytes = fs::read(&path).map_err(io(&path, "read"))?;
    let found = sha256(&bytes);
    if entry.sha256 == found {
        return Ok(bytes);
    }
    Err(damaged(
        place,
        name,
        format!(
            "damaged: {} bytes with SHA-256 {found}, the manifest lists {} bytes with {}",
            bytes.len(),
            entry.bytes,
            entry.sha256
        ),
    ))
}

fn damaged(place: &Path, name: &str, message: String) -> CheckpointError {
    CheckpointError::Damaged {
        path: place.join(name),
        message,
    }
}

impl StateFile {
    fn read(place: &Path) -> Result<Self, CheckpointError> {
        let state: Self = serde_json::from_slice(&verified(place, STATE)?)
            .map_err(|error| damaged(place, STATE, error.to_string()))?;
        if state.format != FORMAT {
            let (found, expected) = (state.format.to_string(), FORMAT.to_string());
            return Err(CheckpointError::Other {
                path: place.into(),
                what: "format",
                found,
                expected,
            });
        }
        Ok(state)
    }

    /// The replicas with what the tensor file beside this one holds of them.
    fn replicas_with_tensors(self, place: &Path) -> Result<BTreeMap<String, ReplicaState>, CheckpointError> {
        let bytes = verified(place, TENSORS)?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(place, TENSORS, error.to_string()))?;
        let mut replicas: BTreeMap<String, ReplicaState> = self
            .replicas
            .into_iter()
            .map(|(name, entry)| {
                let state = ReplicaState {
                    progress: entry.progress,
                    epoch: entry.epoch,
                    step_in_epoch: entry.step_in_epoch,
                    tensors: BTreeMap::new(),
                };
                (name, state)
            })
            .collect();
        for (key, view) in tensors.tensors() {
            let (name, what) = key.rsplit_once('/').unwrap_or((&key, ""));
            let (Some(state), Dtype::F32) = (replicas.get_mut(name), view.dtype()) else {
                return Err(damaged(place, TENSORS, format!("unexpected tensor {key:?}")));
            };
            state
                .tensors
                .insert(what.into(), bytemuck::pod_collect_to_vec(view.data()));
        }
        Ok(replicas)
    }
}

/// A finished replica on disk: names and shapes of its best weights. The weights are read by [`load`](Self::load).
#[derive(Clone, Debug)]
pub struct StoredReplica {
    place: PathBuf,
    name: String,
    digest: String,
    params: Vec<ParamSpec>,
    buffers: Vec<ParamSpec>,
}

impl StoredReplica {
    /// Opens the checkpoint of the finished replica `name` at `place`, whatever its experiment.
    ///
    /// # Errors
    /// A checkpoint that is missing, damaged, of another format, or does not hold the replica.
    pub fn open(place: &Path, name: &str) -> Result<Self, CheckpointError> {
        let state = StateFile::read(place)?;
        if !state.replicas.contains_key(name) {
            return Err(damaged(place, STATE, format!("does not hold replica {name}")));
        }
        let specs = |shapes: Vec<(String, Vec<usize>)>| {
            let spec = |(path, shape)| ParamSpec {
                path,
                shape,
                init: Init::Constant(0.0),
            };
            shapes.into_iter().map(spec).collect()
        };
        Ok(Self {
            place: place.into(),
            name: name.into(),
            digest: listed(place, TENSORS)?.sha256,
            params: specs(state.params),
            buffers: specs(state.buffers),
        })
    }

    /// Parameters; their first values are not stored.
    pub fn params(&self) -> &[ParamSpec] {
        &self.params
    }

    /// Buffers.
    pub fn buffers(&self) -> &[ParamSpec] {
        &self.buffers
    }

    /// SHA-256 of the file that holds the weights.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Reads the weights, and checks that they are those that were there when the checkpoint was opened.
    ///
    /// # Errors
    /// A file that is missing, was changed, or ends too early.
    pub fn load(&self) -> Result<StoredModel, CheckpointError> {
        let path = self.place.join(TENSORS);
        let bytes = fs::read(&path).map_err(io(&path, "read"))?;
        let wrong = |message: String| damaged(&self.place, TENSORS, message);
        let found = sha256(&bytes);
        if found != self.digest {
            return Err(wrong(format!("has SHA-256 {found}, but had {}", self.digest)));
        }
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
        let cut = |what: &str, specs: &[ParamSpec]| {
            let row = match tensors.tensor(&format!("{}/{what}", self.name)) {
                Ok(view) if view.dtype() == Dtype::F32 => bytemuck::pod_collect_to_vec(view.data()),
                // A model without buffers stores none.
                _ => Vec::<f32>::new(),
            };
            let mut first = 0;
            let mut cut = Vec::new();
            for spec in specs {
                let values = row.get(first..first + spec.len());
                let values = values.ok_or_else(|| wrong(format!("{what} ends before {}", spec.path)))?;
                first += spec.len();
                cut.push((spec.clone(), values.to_vec()));
            }
            Ok::<_, CheckpointError>(cut)
        };
        Ok(StoredModel {
            params: cut("best_weights", &self.params)?,
            buffers: cut("best_buffers", &self.buffers)?,
        })
    }
}

/// The best weights of one finished replica with the names they have in its model: what another model can start from.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredModel {
    /// Parameters; their first values are not stored.
    pub params: Vec<(ParamSpec, Vec<f32>)>,
    /// Buffers.
    pub buffers: Vec<(ParamSpec, Vec<f32>)>,
}

impl StoredModel {
    /// Reads the checkpoint of the finished replica `name` at `place`, whatever its experiment.
    ///
    /// # Errors
    /// A checkpoint that is missing, damaged, of another format, or does not hold the replica.
    pub fn read(place: &Path, name: &str) -> Result<Self, CheckpointError> {
        StoredReplica::open(place, name)?.load()
    }
}

fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> CheckpointError {
    let error = FileError::io(path, action);
    move |source| resumable(error(source)).into()
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Maps with string keys and plain numbers: serialisation has no way to fail.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
