//! Scaling by the window where samples are missing.

use burn::tensor::Device;
use ndarray::Array2;
use recoup::cohort::prepared::Prepared;
use recoup::dataset::subjects::{Channel, Cohort, ModalityKind, ModalitySpec, Recording, Session, Subject};
use recoup::evaluation::{Metric, MetricSet};
use recoup::experiment::{ExperimentFile, ExperimentPlan};
use recoup::training::Replica;

use super::learning::scores;
use super::support::{replicas, train_fresh};

const NUM_SAMPLES: usize = 400;

const EXPERIMENT: &str = r#"
name = "gaps"
[data]
source = { kind = "dataset", name = "gaps" }
[split]
protocol = { kind = "hold-out", test_fraction = 0.5 }
inner = { kind = "none" }
[model]
embedding_size = 8
fusion = { kind = "concat" }
[[model.stream]]
name = "force"
modality = "force"
scaling = "window"
[model.stream.encoder]
kind = "cnn"
pooling = "stats"
blocks = [
    { channels = 8, kernel_size = 9, stride = 2 },
    { channels = 8, kernel_size = 7, stride = 2 },
]
[training]
epochs = 60
batch_size = 16
optimizer = { kind = "adamw", learning_rate = 3e-3, weight_decay = 0.01 }
"#;

/// 60 subjects of two frequencies, 6 and 14 Hz, on levels of 0 to 1000 N, with a gap of this many of 400 samples.
fn cohort(gap: usize) -> Cohort {
    let subject = |index: usize| {
        let class = index % 2;
        let level = (index * 389 % 1001) as f64;
        let rate = std::f64::consts::TAU * [6.0, 14.0][class] / 100.0;
        let sample = |at: usize| {
            let noise = ((index * 7919 + at * 104_729) % 1000) as f64 / 1000.0 - 0.5;
            (level + (rate * at as f64 + index as f64).sin() + noise) as f32
        };
        let mut values: Vec<f32> = (0..NUM_SAMPLES).map(sample).collect();
        let first = index * 37 % (NUM_SAMPLES - gap);
        values[first..first + gap].fill(f32::NAN);
        Subject {
            id: format!("P{index:02}"),
            site: None,
            group: None,
            sessions: vec![Session {
                id: "1".into(),
                class,
                recordings: vec![Some(Recording {
                    times_secs: None,
                    values: Array2::from_shape_vec((NUM_SAMPLES, 1), values).unwrap(),
                })],
            }],
        }
    };
    Cohort {
        name: "gaps".into(),
        classes: vec!["no".into(), "yes".into()],
        modalities: vec![ModalitySpec {
            name: "force".into(),
            kind: ModalityKind::Signal { rate_hz: 100.0 },
            channels: vec![Channel {
                name: "force".into(),
                unit: "N".into(),
            }],
        }],
        subjects: (0..60).map(subject).collect(),
    }
}

/// AUC of the test subjects.
fn test_auc(gap: usize) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let file = ExperimentFile::parse("test.toml".as_ref(), EXPERIMENT, &[]).unwrap();
    let prepared = Prepared::build(&cohort(gap), folder.path()).unwrap();
    let plan = ExperimentPlan::new(&file, prepared, "checkpoints".as_ref(), &|_, _| {}).unwrap();
    let replica: &Replica = replicas(&plan)[0];
    let device = Device::flex();
    let state = train_fresh(&plan, &[replica], 1, &device)
        .remove(&replica.name)
        .unwrap();
    let [weights, buffers] = ["best_weights", "best_buffers"].map(|name| &state.tensors[name]);
    let scores = scores(&plan, replica, weights, buffers, &replica.test, &device);
    MetricSet::of(&scores).get(Metric::AucRoc).unwrap()
}

/// Issue 12, case 83: with statistics over a gap that was filled before, the AUC was 0.57.
#[test]
fn a_gap_does_not_hide_what_a_window_shows() {
    let [whole, with_gaps] = [0, 20].map(test_auc);
    assert!(
        whole > 0.98 && with_gaps > 0.98,
        "{whole} without gaps, {with_gaps} with"
    );
}
