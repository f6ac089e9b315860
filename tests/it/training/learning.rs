//! Learning is right, not only its operations.

use burn::tensor::Device;
use recoup::evaluation::{Metric, MetricSet, Scores, softmax};
use recoup::experiment::ExperimentPlan;
use recoup::models::matrix;
use recoup::training::Replica;
use recoup::training::step::Group;

use super::support::{EVERY_LAYER, WALKERS, data, plan_of, replicas, train_fresh};
use crate::walkers::Walkers;

const BY_HEART: Walkers = Walkers {
    num_subjects: 16,
    seed: 5,
    effect: 0.0,
    duration_secs: 6.0,
};

const FORCE: &str = "[[model.stream]]\nname = \"force\"\nmodality = \"force\"\n";
const STRIDE: &str = "[[model.stream]]\nname = \"stride\"\nmodality = \"stride\"\n";
const CLINICAL: &str = "[[model.stream]]\nname = \"clinical\"\nmodality = \"clinical\"\n";
const MOTION: &str = "[[model.stream]]\nname = \"motion\"\nmodality = \"motion\"\n";

/// An experiment with these streams that is given the chance to learn eight windows by heart.
fn by_heart(streams: &str) -> String {
    format!(
        r#"
name = "by-heart"
[data]
source = {{ kind = "dataset", name = "walkers" }}
window = {{ window_secs = 5.0, stride_secs = 5.0 }}
[split]
protocol = {{ kind = "hold-out", test_fraction = 0.25 }}
inner = {{ kind = "hold-out", valid_fraction = 0.3 }}
[model]
embedding_size = 16
{streams}
[training]
epochs = 300
batch_size = 8
optimizer = {{ kind = "adamw", learning_rate = 0.01, weight_decay = 0.0 }}
gradient_clip_norm = 1.0
"#
    )
}

/// Mean cross-entropy of each replica's training windows after training, with the newest weights.
fn final_train_loss(plan: &ExperimentPlan) -> f64 {
    let device = Device::flex();
    let mut replica = plan.base().replicas()[0].replica().clone();
    let mut eight = 8;
    replica.train.retain(|windows| {
        eight -= windows.len().min(eight);
        eight > 0 || windows.is_empty()
    });
    // Without a validation part the newest weights are the best.
    replica.valid.clear();
    let state = train_fresh(plan, &[&replica], 1, &device)
        .remove(&replica.name)
        .unwrap();
    let train = replica.train.concat();
    assert!((4..=8).contains(&train.len()), "{} windows", train.len());
    let scores = scores(
        plan,
        &replica,
        &state.tensors["best_weights"],
        &state.tensors["best_buffers"],
        &train,
        &device,
    );
    MetricSet::of(&scores).get(Metric::LogLoss).unwrap()
}

pub fn scores(
    plan: &ExperimentPlan,
    replica: &Replica,
    weights: &[f32],
    buffers: &[f32],
    windows: &[u32],
    device: &Device,
) -> Scores {
    let program = plan.base();
    let data = data(plan, program, device);
    let group = Group::new(program.model(), &data, vec![replica], &program.config().training);
    let (weights, buffers) = (matrix(weights.to_vec(), 1, device), matrix(buffers.to_vec(), 1, device));
    let predicted = group.predict(&weights, &buffers, &[windows], 8);
    let targets = windows
        .iter()
        .map(|&window| program.windows()[window as usize].class as usize)
        .collect();
    let rows = predicted[0].logits.chunks_exact(plan.classes().len());
    let probabilities = rows
        .flat_map(|row| softmax(row.iter().map(|&logit| f64::from(logit))))
        .collect();
    Scores::new(plan.classes().len(), targets, probabilities).unwrap()
}

#[test]
fn every_model_learns_eight_windows_by_heart() {
    let cnn =
        "encoder = { kind = \"cnn\", pooling = \"max\", blocks = [{ channels = 16, kernel_size = 9, stride = 8 }] }\n";
    let batch_norm = "encoder = { kind = \"cnn\", norm = { kind = \"batch\" }, pooling = \"stats\", blocks = [{ channels = 16, kernel_size = 9, stride = 8 }] }\n";
    let lstm = "encoder = { kind = \"lstm\", hidden_size = 16, bidirectional = true }\n";
    let cnn_lstm = "[model.stream.encoder]\nkind = \"cnn-lstm\"\ncnn = { blocks = [{ channels = 8, kernel_size = 9, stride = 20 }] }\nlstm = { hidden_size = 16 }\n";
    let spectrogram = "[model.stream.encoder]\nkind = \"spectrogram\"\nnum_fft = 64\nhop = 32\ncnn = { pooling = \"max\", blocks = [{ channels = 16, kernel_size = 3 }] }\n";
    let mlp = "encoder = { kind = \"mlp\", hidden_sizes = [16] }\n";
    let image =
        "encoder = { kind = \"cnn\", pooling = \"max\", blocks = [{ channels = 16, kernel_size = 3, stride = 2 }] }\n";
    let models = [
        ("cnn", format!("{FORCE}{cnn}")),
        ("cnn with batch norm", format!("{FORCE}{batch_norm}")),
        ("lstm", format!("{STRIDE}{lstm}")),
        ("cnn-lstm", format!("{FORCE}{cnn_lstm}")),
        ("spectrogram", format!("{FORCE}{spectrogram}")),
        ("mlp", format!("{CLINICAL}{mlp}")),
        ("image cnn", format!("{MOTION}{image}")),
        (
            "attention",
            format!(
                "fusion = {{ kind = \"attention\", hidden_size = 8 }}\n{CLINICAL}{mlp}{STRIDE}{lstm}{MOTION}{image}"
            ),
        ),
        (
            "gated",
            format!(
                "fusion = {{ kind = \"gated\", hidden_size = 16 }}\nmodality_dropout = 0.2\n{CLINICAL}{mlp}{STRIDE}{lstm}{MOTION}{image}"
            ),
        ),
        (
            "cross-attention",
            format!(
                "fusion = {{ kind = \"cross-attention\", hidden_size = 16 }}\n{CLINICAL}{mlp}{STRIDE}{lstm}{MOTION}{image}"
            ),
        ),
        (
            "bottleneck",
            format!(
                "fusion = {{ kind = \"bottleneck\", hidden_size = 16 }}\n{CLINICAL}{mlp}{STRIDE}{lstm}{MOTION}{image}"
            ),
        ),
        (
            "concat",
            format!("fusion = {{ kind = \"concat\" }}\n{CLINICAL}{mlp}{STRIDE}{lstm}{MOTION}{image}"),
        ),
    ];
    for (name, streams) in models {
        let folder = tempfile::tempdir().unwrap();
        let loss = final_train_loss(&plan_of(&BY_HEART, &by_heart(&streams), &[], folder.path()));
        assert!(
            loss < 0.05,
            "{name}: training loss {loss} after 300 steps on eight windows"
        );
    }
}

/// AUC of the test windows of all replicas.
fn test_aucs(plan: &ExperimentPlan) -> Vec<f64> {
    let device = Device::flex();
    let mut all: Vec<Replica> = replicas(plan).into_iter().cloned().collect();
    // Without a validation part the newest weights are the best.
    all.iter_mut().for_each(|replica| replica.valid.clear());
    let states = train_fresh(plan, &all.iter().collect::<Vec<_>>(), all.len(), &device);
    all.iter()
        .map(|replica| {
            let state = &states[&replica.name].tensors;
            let scores = scores(
                plan,
                replica,
                &state["best_weights"],
                &state["best_buffers"],
                &replica.test,
                &device,
            );
            MetricSet::of(&scores).get(Metric::AucRoc).unwrap()
        })
        .collect()
}

/// The law's experiment with enough subjects and effect to be learned.
const LEARNABLE: [&str; 5] = [
    "seeds=[0]",
    "training.epochs=16",
    "training.batch_size=16",
    "training.early_stopping.patience_epochs=16",
    "training.optimizer.learning_rate=0.01",
];

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn planted_classes_are_found_and_permuted_labels_fall_to_chance() {
    let folder = tempfile::tempdir().unwrap();
    let walkers = Walkers {
        num_subjects: 100,
        effect: 3.0,
        ..WALKERS
    };
    let found = mean(&test_aucs(&plan_of(&walkers, EVERY_LAYER, &LEARNABLE, folder.path())));
    assert!(found > 0.85, "AUC {found} where the classes are 3 deviations apart");

    let mut permuted = LEARNABLE.to_vec();
    permuted.push("task.permute_labels=1");
    let plan = plan_of(&walkers, EVERY_LAYER, &permuted, folder.path());
    let aucs = test_aucs(&plan);
    let chance = mean(&aucs);
    // 100 test subjects in all, 50 of each class: the standard error of an AUC at chance is
    // sqrt((50 + 50 + 1) / (12 * 50 * 50)) = 0.058 for one sample of that size; three of them.
    assert!(
        (chance - 0.5).abs() < 0.174,
        "AUC {chance} on permuted labels: {aucs:?}"
    );
}
