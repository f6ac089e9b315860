//! Training against PyTorch: from the same first weights, twenty steps of a CNN and of an LSTM through the real path
//! (gather, loss, tape, clipping, AdamW) give PyTorch's losses and weights. The reference is made by
//! `tests/golden/training.py`.

use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::{Bool, Device, Tensor, TensorData};
use ndarray::Array2;
use recoup::cohort::prepared::Prepared;
use recoup::cohort::window::windows;
use recoup::dataset::subjects::{Channel, Cohort, ModalityKind, ModalitySpec, Recording, Session, Subject};
use recoup::features::transforms::Scaler;
use recoup::models::{InputShape, Model, ModelConfig, Scaling, matrix};
use recoup::training::optimizer::{AdamwConfig, OptimizerStep, ReplicaStep};
use recoup::training::step::{Group, floats};
use recoup::training::{DeviceData, Hyperparameters, OptimizerConfig, Replica, StreamSource, TrainingConfig};
use serde::Deserialize;
use serde_json::json;

const CHANNELS: usize = 3;
const OPTIMIZER: OptimizerConfig = OptimizerConfig::Adamw(AdamwConfig {
    learning_rate: 1e-3,
    weight_decay: 0.01,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
});

#[derive(Deserialize)]
struct Golden {
    class_weights: Vec<f64>,
    label_smoothing: f64,
    gradient_clip_norm: f64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    /// Per sample, row by row, as long as the sample is.
    rows: Vec<Vec<f32>>,
    targets: Vec<usize>,
    batches: Vec<Vec<u32>>,
    parameters: Vec<Parameter>,
    losses: Vec<f32>,
    gradient_norms: Vec<f32>,
}

#[derive(Deserialize)]
struct Parameter {
    path: String,
    shape: Vec<usize>,
    initial: Vec<f32>,
    #[serde(rename = "final")]
    last: Vec<f32>,
}

impl Golden {
    fn read() -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/training.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    fn replica(&self, name: &str) -> Replica {
        Replica {
            name: name.into(),
            seed: 0,
            hyper: Hyperparameters {
                learning_rate: OPTIMIZER.learning_rate(),
                weight_decay: OPTIMIZER.weight_decay(),
                dropout: 0.0,
                label_smoothing: self.label_smoothing,
                class_weights: self.class_weights.clone(),
            },
            scalers: vec![Scaler {
                mean: vec![0.0; CHANNELS],
                std: vec![1.0; CHANNELS],
            }],
            fitted: vec![None],
            train: Vec::new(),
            valid: Vec::new(),
            test: Vec::new(),
            init_from: None,
        }
    }
}

impl Case {
    fn longest(&self) -> usize {
        self.rows.iter().map(|rows| rows.len() / CHANNELS).max().unwrap()
    }

    /// One subject per sample.
    fn cohort(&self, num_classes: usize) -> Cohort {
        let lengths = self.rows.iter().map(|rows| rows.len() / CHANNELS);
        let ragged = lengths.min() < Some(self.longest());
        let subject = |(index, rows): (usize, &Vec<f32>)| {
            let length = rows.len() / CHANNELS;
            Subject {
                id: format!("s{index}"),
                site: None,
                group: None,
                sessions: vec![Session {
                    id: "1".into(),
                    class: self.targets[index],
                    recordings: vec![Some(Recording {
                        times_secs: ragged.then(|| (0..length).map(|row| row as f64).collect()),
                        values: Array2::from_shape_vec((length, CHANNELS), rows.clone()).unwrap(),
                    })],
                }],
            }
        };
        let channel = |index: usize| Channel {
            name: format!("c{index}"),
            unit: "1".into(),
        };
        Cohort {
            name: self.name.clone(),
            classes: (0..num_classes).map(|class| format!("class{class}")).collect(),
            modalities: vec![ModalitySpec {
                name: "signal".into(),
                kind: if ragged {
                    ModalityKind::Series
                } else {
                    ModalityKind::Signal { rate_hz: 1.0 }
                },
                channels: (0..CHANNELS).map(channel).collect(),
            }],
            subjects: self.rows.iter().enumerate().map(subject).collect(),
        }
    }

    fn model(&self, shape: InputShape, num_classes: usize) -> Model {
        let encoder = match self.name.as_str() {
            "cnn" => json!({
                "kind": "cnn",
                "norm": { "kind": "group", "num_groups": 2 },
                "blocks": [
                    { "channels": 4, "kernel_size": 5, "stride": 2 },
                    { "channels": 8, "kernel_size": 4, "stride": 2 },
                ],
            }),
            "lstm" => json!({ "kind": "lstm", "hidden_size": 5, "bidirectional": true }),
            other => panic!("no encoder for {other}"),
        };
        let config: ModelConfig = serde_json::from_value(json!({
            "embedding_size": 6,
            "fusion": { "kind": "concat" },
            "head": { "hidden_sizes": [5] },
            "stream": [{ "name": "signal", "modality": "signal", "encoder": encoder }],
        }))
        .unwrap();
        assert!(config.problems(&[shape]).is_empty());
        Model::new(&config, &[shape], num_classes)
    }

    fn weights(&self, model: &Model, values: impl Fn(&Parameter) -> &Vec<f32>) -> Vec<f32> {
        let here: Vec<_> = model
            .layout()
            .params()
            .iter()
            .map(|spec| (&spec.path, &spec.shape))
            .collect();
        let there: Vec<_> = self
            .parameters
            .iter()
            .map(|golden| (&golden.path, &golden.shape))
            .collect();
        assert_eq!(here, there);
        self.parameters
            .iter()
            .flat_map(|parameter| values(parameter).clone())
            .collect()
    }

    /// The samples of a step in two micro-batches with a hole in each, which change nothing.
    fn micro_batches(&self, step: usize) -> Vec<Vec<Option<u32>>> {
        let batch = &self.batches[step % self.batches.len()];
        let micro = |samples: &[u32]| samples.iter().map(|&sample| Some(sample)).chain([None]).collect();
        batch.chunks(batch.len() / 2).map(micro).collect()
    }
}

fn assert_close(found: f32, expected: f32, tolerance: f32, what: &str) {
    let difference = (found - expected).abs();
    assert!(
        difference <= tolerance,
        "{what}: {found}, PyTorch {expected}, off by {difference:e}"
    );
}

fn agrees(name: &str) {
    let golden = Golden::read();
    let case = golden.cases.iter().find(|case| case.name == name).unwrap();
    let num_classes = golden.class_weights.len();
    let folder = tempfile::tempdir().unwrap();
    let cohort = case.cohort(num_classes);
    let prepared = Prepared::build(&cohort, folder.path()).unwrap();
    let shape = InputShape::Sequence {
        channels: CHANNELS,
        length: case.longest(),
        fixed: cohort.modalities[0].kind != ModalityKind::Series,
    };
    let source = StreamSource {
        modality: 0,
        columns: (0..CHANNELS).collect(),
        shape,
        scaling: Scaling::Train,
        fitted: false,
    };
    let device = Device::flex();
    let samples: Arc<[_]> = windows(&prepared, None).unwrap().into();
    let data = DeviceData::new(&prepared, vec![source], samples, num_classes, &device);
    let model = case.model(shape, num_classes);
    let replicas = ["first", "second"].map(|name| golden.replica(name));
    // The test makes the steps; of the training table the group reads precision and losses, which are the defaults.
    let text = "epochs = 1\nbatch_size = 1\noptimizer = { kind = \"sgd\", learning_rate = 1.0 }";
    let config: TrainingConfig = toml::from_str(text).unwrap();
    let group = Group::new(&model, &data, replicas.iter().collect(), &config);

    let row = case.weights(&model, |parameter| &parameter.initial);
    let mut weights = matrix(row.repeat(2), 2, &device);
    let buffers = matrix(Vec::new(), 2, &device);
    let mut slots = OPTIMIZER.fresh_slots(&weights);
    let trusted = Tensor::<2, Bool>::from_data(TensorData::from([[true], [true]]), &device);
    for (index, (&loss, &norm)) in case.losses.iter().zip(&case.gradient_norms).enumerate() {
        // The second replica sees its samples in another order, so equal results are not one replica read twice.
        let micro_batches: Vec<_> = case
            .micro_batches(index)
            .into_iter()
            .map(|indices| vec![indices.clone(), indices.into_iter().rev().collect()])
            .collect();
        let made = group.gradients(&weights, &buffers, &[index as u64; 2], &micro_batches);
        let part = ReplicaStep {
            step: index as u64,
            learning_rate: OPTIMIZER.learning_rate(),
            weight_decay: OPTIMIZER.weight_decay(),
            active: true,
        };
        let stepped = OPTIMIZER.step(OptimizerStep {
            replicas: &[part; 2],
            max_norm: Some(golden.gradient_clip_norm),
            trusted: &trusted,
            factors: None,
            weights,
            gradient: made.gradient,
            slots,
        });
        (weights, slots) = (stepped.weights, stepped.slots);
        for (replica, (found, found_norm)) in floats(made.losses).into_iter().zip(floats(stepped.norms)).enumerate() {
            let place = format!("{name}, replica {replica}, step {index}");
            assert_close(found, loss, 1e-5, &format!("{place}, loss"));
            assert_close(found_norm, norm, 1e-5, &format!("{place}, gradient norm"));
        }
    }
    let found = floats(weights);
    let expected = case.weights(&model, |parameter| &parameter.last);
    for (replica, found) in found.chunks(expected.len()).enumerate() {
        for (index, (&found, &expected)) in found.iter().zip(&expected).enumerate() {
            assert_close(
                found,
                expected,
                1e-4,
                &format!("{name}, replica {replica}, weight {index}"),
            );
        }
    }
}

#[test]
fn cnn_trains_as_in_pytorch() {
    agrees("cnn");
}

#[test]
fn lstm_trains_as_in_pytorch() {
    agrees("lstm");
}
