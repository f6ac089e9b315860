//! A small experiment with every kind of layer, and ways to train parts of it.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use recoup::cohort::prepared::Prepared;
use recoup::experiment::{ExperimentFile, ExperimentPlan, Program};
use recoup::training::checkpoint::{CheckpointStore, ReplicaState};
use recoup::training::step::Group;
use recoup::training::trainer::{EpochReport, Observer, ObserverError, StepReport, TrainError, Trainer, aligned};
use recoup::training::{DeviceData, Replica};

use crate::walkers::Walkers;

/// Every layer: 1-D and 2-D convolution, residual, pooling, each normalisation, LSTM over ragged series, CNN-LSTM,
/// spectrogram, MLP over rows with missing values, dropout, attention.
pub const EVERY_LAYER: &str = r#"
name = "law"
seeds = [0, 1, 2, 3, 4]

[data]
source = { kind = "dataset", name = "walkers" }
window = { window_secs = 5.0, stride_secs = 3.0 }

[features.level]
modality = "force"
compute = [{ kind = "statistics" }]
fit = [{ kind = "z-score" }, { kind = "impute-knn" }, { kind = "pca", components = 4, variance = 0.9 }]

[features.variability]
modality = "stride"
per = "session"
compute = [{ kind = "stride-statistics" }]

[split]
protocol = { kind = "stratified-group-k-fold", folds = 5 }

[model]
embedding_size = 5
dropout = 0.3
fusion = { kind = "attention", hidden_size = 3 }
head = { hidden_sizes = [7] }

[[model.stream]]
name = "force"
modality = "force"
[model.stream.encoder]
kind = "cnn"
pooling = "stats"
activation = "gelu"
blocks = [
    { channels = 4, kernel_size = 7, stride = 5, pool = { kind = "max", size = 2 } },
    { channels = 4, kernel_size = 3, dilation = 2, residual = true },
]

[[model.stream]]
name = "recurrent"
modality = "force"
[model.stream.encoder]
kind = "cnn-lstm"
cnn = { norm = { kind = "batch" }, blocks = [{ channels = 3, kernel_size = 9, stride = 25 }] }
lstm = { hidden_size = 3 }

[[model.stream]]
name = "spectrum"
modality = "force"
[model.stream.encoder]
kind = "spectrogram"
num_fft = 50
hop = 50
cnn = { norm = { kind = "layer" }, blocks = [{ channels = 3, kernel_size = 3, stride = 2 }] }

[[model.stream]]
name = "stride"
modality = "stride"
encoder = { kind = "lstm", hidden_size = 3, layers = 2, bidirectional = true, pooling = "mean" }

[[model.stream]]
name = "clinical"
modality = "clinical"
encoder = { kind = "mlp", hidden_sizes = [5] }

[[model.stream]]
name = "motion"
modality = "motion"
encoder = { kind = "cnn", blocks = [{ channels = 4, kernel_size = 3, stride = 2 }] }

[[model.stream]]
name = "level"
modality = "level"
encoder = { kind = "mlp", hidden_sizes = [5] }

[[model.stream]]
name = "variability"
modality = "variability"
encoder = { kind = "mlp", hidden_sizes = [5] }

[training]
epochs = 4
batch_size = 5
accumulate_steps = 2
windows_per_subject = 2
optimizer = { kind = "adamw", learning_rate = 0.02 }
schedule = { kind = "one-cycle" }
gradient_clip_norm = 1.0
label_smoothing = 0.1
class_weights = "balanced"
early_stopping = { patience_epochs = 1 }
"#;

/// The cohort of [`EVERY_LAYER`].
pub const WALKERS: Walkers = Walkers {
    num_subjects: 23,
    seed: 3,
    effect: 1.0,
    duration_secs: 11.0,
};

/// The plan of an experiment's text on [`WALKERS`]; prepared data goes below `folder`.
pub fn plan(text: &str, assignments: &[&str], folder: &Path) -> ExperimentPlan {
    plan_of(&WALKERS, text, assignments, folder)
}

/// The plan of an experiment's text, whatever source it names, on these walkers.
pub fn plan_of(walkers: &Walkers, text: &str, assignments: &[&str], folder: &Path) -> ExperimentPlan {
    let assignments: Vec<String> = assignments.iter().map(|assignment| assignment.to_string()).collect();
    let file = ExperimentFile::parse(Path::new("test.toml"), text, &assignments).unwrap();
    let prepared = Prepared::build(&walkers.generate(), folder).unwrap();
    ExperimentPlan::new(&file, prepared, Path::new("checkpoints"), &|_, _| {}).unwrap()
}

/// A program's data on a device.
pub fn data(plan: &ExperimentPlan, program: &Program, device: &Device) -> DeviceData {
    let (sources, windows) = (program.sources().to_vec(), program.windows().clone());
    DeviceData::new(program.prepared(), sources, windows, plan.classes().len(), device)
}

/// Scores by a function of the validation logits, and stops after a number of steps.
pub struct Script {
    /// Steps until the observer asks to stop; `None`: never.
    pub steps_left: std::cell::Cell<Option<u64>>,
    /// Training losses in the order of their reports.
    pub losses: BTreeMap<String, Vec<f64>>,
}

impl Script {
    /// Stops after `steps` steps.
    pub fn new(steps: Option<u64>) -> Self {
        Self {
            steps_left: steps.into(),
            losses: BTreeMap::new(),
        }
    }
}

impl Observer for Script {
    fn steps(&mut self, reports: &[StepReport]) -> Result<(), ObserverError> {
        for report in reports {
            self.losses.entry(report.replica.clone()).or_default().push(report.loss);
        }
        Ok(())
    }

    /// Any function of a replica's own logits will do for a score; this one goes up and down.
    fn epoch(&mut self, reports: &[EpochReport]) -> Result<Vec<Option<f64>>, ObserverError> {
        let score = |report: &EpochReport| report.valid_logits.first().map(|logit| f64::from(logit.abs()));
        Ok(reports.iter().map(score).collect())
    }

    fn interrupted(&self) -> bool {
        let left = self.steps_left.get().map(|left| left.saturating_sub(1));
        self.steps_left.set(left);
        left == Some(0)
    }
}

/// Trains these replicas of the base program in groups of at most `group_size`, from what `store` holds.
pub fn train(
    plan: &ExperimentPlan,
    replicas: &[&Replica],
    group_size: usize,
    device: &Device,
    store: &CheckpointStore,
    script: &mut Script,
) -> Result<BTreeMap<String, ReplicaState>, TrainError> {
    train_of(plan, plan.base(), replicas, group_size, device, store, script)
}

/// The store below `folder` of the base program of a plan.
pub fn store(plan: &ExperimentPlan, folder: &Path) -> CheckpointStore {
    program_store(plan, plan.base(), folder)
}

fn program_store(plan: &ExperimentPlan, program: &Program, folder: &Path) -> CheckpointStore {
    let optimizer = &program.config().training.optimizer;
    CheckpointStore::new(folder, plan.hash(), program.model().layout(), optimizer)
}

/// All replicas of a program, trained together in a store of its own.
pub fn train_program(plan: &ExperimentPlan, program: &Program, device: &Device) -> BTreeMap<String, ReplicaState> {
    let folder = tempfile::tempdir().unwrap();
    let store = program_store(plan, program, folder.path());
    let replicas: Vec<&Replica> = program.replicas().iter().map(|planned| planned.replica()).collect();
    train_of(
        plan,
        program,
        &replicas,
        replicas.len(),
        device,
        &store,
        &mut Script::new(None),
    )
    .unwrap()
}

fn train_of(
    plan: &ExperimentPlan,
    program: &Program,
    replicas: &[&Replica],
    group_size: usize,
    device: &Device,
    store: &CheckpointStore,
    script: &mut Script,
) -> Result<BTreeMap<String, ReplicaState>, TrainError> {
    let data = data(plan, program, device);
    let states = store.latest()?.map(|(states, _)| states).unwrap_or_default();
    let mut done = BTreeMap::new();
    let mut left = Vec::new();
    for &replica in replicas {
        match store.finished(&replica.name)? {
            Some(state) => _ = done.insert(replica.name.clone(), state),
            None => left.push(replica),
        }
    }
    for group in aligned(&left, &states)
        .into_values()
        .flat_map(|all| all.chunks(group_size).map(<[_]>::to_vec).collect::<Vec<_>>())
    {
        let group = Group::new(program.model(), &data, group, &program.config().training);
        let trainer = Trainer::new(group, store, 3, &states)?;
        done.extend(trainer.run(script)?);
    }
    Ok(done)
}

/// [`train`] in a store of its own, to the end.
pub fn train_fresh(
    plan: &ExperimentPlan,
    replicas: &[&Replica],
    group_size: usize,
    device: &Device,
) -> BTreeMap<String, ReplicaState> {
    let folder = tempfile::tempdir().unwrap();
    let store = store(plan, folder.path());
    train(plan, replicas, group_size, device, &store, &mut Script::new(None)).unwrap()
}

/// All replicas of a plan.
pub fn replicas(plan: &ExperimentPlan) -> Vec<&Replica> {
    plan.replicas().map(|planned| planned.replica()).collect()
}

/// Fails with the first tensor, and the first value in it, that is not the same bytes.
pub fn assert_same_bytes(a: &ReplicaState, b: &ReplicaState, what: &str) {
    assert_eq!(a.progress, b.progress, "{what}: progress");
    assert_eq!(
        a.tensors.keys().collect::<Vec<_>>(),
        b.tensors.keys().collect::<Vec<_>>()
    );
    for (name, values) in &a.tensors {
        let other = &b.tensors[name];
        assert_eq!(values.len(), other.len(), "{what}: {name}");
        let differs = |(x, y): (&f32, &f32)| x.to_bits() != y.to_bits();
        if let Some(at) = values.iter().zip(other).position(differs) {
            panic!("{what}: {name}[{at}] is {:e} and {:e}", values[at], other[at]);
        }
    }
}
