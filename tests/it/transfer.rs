//! From an autoencoder's run to a classifier that starts from it.

use std::fs;
use std::path::{Path, PathBuf};

use recoup::training::checkpoint::StoredModel;

use crate::cli::{fail, only_run, succeed};

const DATA: &str = r#"
[data]
source = { kind = "simulated", num_subjects = 40, anomalies = 0.3 }
[split]
protocol = { kind = "stratified-group-k-fold", folds = 2 }
"#;

const STREAM: &str = r#"
[[model.stream]]
name = "emg"
modality = "emg"
[model.stream.encoder]
kind = "cnn"
norm = { kind = "batch" }
blocks = [{ channels = 4, kernel_size = 9, stride = 50 }]
"#;

/// An autoencoder of the EMG; its validation does not see a class.
fn pretraining() -> String {
    format!(
        r#"name = "pretraining"
{DATA}
[model]
embedding_size = 6
{STREAM}
[model.stream.decoder]
kind = "mlp"
hidden_sizes = [8]
[training]
epochs = 3
batch_size = 8
optimizer = {{ kind = "adamw", learning_rate = 0.01 }}
loss = [{{ kind = "reconstruction" }}]
monitor = "valid/reconstruction"
"#
    )
}

/// A classifier of EMG and clinical row whose EMG stream starts from `run`.
fn classifier(run: &Path, factor: &str) -> String {
    format!(
        r#"name = "classifier{factor}"
{DATA}
[model]
embedding_size = 6
{STREAM}
[[model.stream]]
name = "clinical"
modality = "clinical"
encoder = {{ kind = "mlp", hidden_sizes = [4] }}
[training]
epochs = 3
batch_size = 8
gradient_clip_norm = 0.1
optimizer = {{ kind = "adamw", learning_rate = 0.01, weight_decay = 0.1 }}
start = {{ run = "{}", streams = ["emg"], learning_rate_factor = {factor} }}
"#,
        run.display()
    )
}

fn train(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = format!("{name}.toml");
    fs::write(folder.join(&file), text).unwrap();
    succeed(folder, &["train", &file, "-q"]);
    only_run(folder, name)
}

fn model(run: &Path, replica: &str) -> StoredModel {
    StoredModel::read(&run.join("state/base/finished").join(replica), replica).unwrap()
}

#[test]
fn a_frozen_stream_stays_as_it_was_trained_and_a_slow_one_moves_less() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let source = train(here, "pretraining", &pretraining());
    let fold = "repeat0-fold1-seed0";
    let stored = model(&source, fold);
    let other_fold = model(&source, "repeat0-fold0-seed0");
    assert_ne!(stored.params, other_fold.params);

    let distance = |factor: &str| -> f64 {
        let run = train(here, &format!("classifier{factor}"), &classifier(&source, factor));
        let trained = model(&run, fold);
        let moved = |found: &[(recoup::models::ParamSpec, Vec<f32>)],
                     from: &[(recoup::models::ParamSpec, Vec<f32>)]| {
            let own = found.iter().filter(|(spec, _)| spec.path.starts_with("emg."));
            let pairs = own.map(|(spec, values)| (values, &from.iter().find(|(s, _)| s.path == spec.path).unwrap().1));
            pairs
                .flat_map(|(a, b)| a.iter().zip(b))
                .map(|(a, b)| f64::from(a - b).abs())
                .sum::<f64>()
        };
        assert!(
            trained.buffers.iter().any(|(spec, _)| spec.path.starts_with("emg.")),
            "batch norm has buffers"
        );
        moved(&trained.params, &stored.params) + moved(&trained.buffers, &stored.buffers)
    };
    assert_eq!(distance("0.0"), 0.0, "frozen weights and statistics keep every bit");
    let (slow, full) = (distance("0.1"), distance("1.0"));
    assert!(
        0.0 < slow && slow < full,
        "moved by {slow} at a tenth of the rate, by {full} at the whole"
    );
}

#[test]
fn a_start_that_does_not_fit_or_would_leak_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let source = train(here, "pretraining", &pretraining());
    let good = classifier(&source, "1.0");
    let refused = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        fs::write(here.join("bad.toml"), good.replace(from, to)).unwrap();
        fail(here, &["train", "bad.toml", "--dry-run"], 2)
    };
    let message = refused("folds = 2 }", "folds = 2 }\nseed = 5");
    assert!(message.contains("was trained on subject"), "{message}");
    assert!(
        message.contains("hint: both experiments need the same [split], [task] and data.source"),
        "{message}"
    );
    let message = refused("streams = [\"emg\"]", "streams = [\"gait\"]");
    assert!(
        message.contains("training.start.streams: this experiment has no stream \"gait\""),
        "{message}"
    );
    let message = refused("streams = [\"emg\"]", "streams = [\"clinical\"]");
    assert!(
        message.contains("training.start.streams: the run has no clinical.linear0.weight"),
        "{message}"
    );
    let message = refused("embedding_size = 6", "embedding_size = 7");
    assert!(
        message.contains("emg.embed.weight is [4, 6] there and [4, 7] here"),
        "{message}"
    );
    let message = refused(
        "streams = [\"emg\"]",
        "replica = \"repeat0-fold0-seed0\", streams = [\"emg\"]",
    );
    assert!(
        message.contains("each replica starts from the one of its own fold"),
        "{message}"
    );
    let message = refused("name = \"classifier1.0\"", "name = \"classifier1.0\"\nseeds = [4]");
    assert!(
        message.contains("has no finished replica repeat0-fold0-seed4"),
        "{message}"
    );
    let message = refused("run = \"", "run = \"nowhere/");
    assert!(message.contains("is no run and holds no finished one"), "{message}");
}

#[test]
fn an_autoencoder_knows_planted_anomalies_by_their_reconstruction_error() {
    let folder = tempfile::tempdir().unwrap();
    let text = pretraining()
        .replace("anomalies = 0.3", "anomalies = 0.2, outcome = \"anomaly\"")
        .replace("num_subjects = 40", "num_subjects = 80");
    fs::write(folder.path().join("anomaly.toml"), text).unwrap();
    let printed = succeed(
        folder.path(),
        &["train", "anomaly.toml", "-q", "--json", "--set", "training.epochs=20"],
    );
    let evaluation: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let auc = evaluation["variants"][0]["mean"]["subject"]["auc_roc"]["estimate"]
        .as_f64()
        .unwrap();
    // 16 of 80 are anomalous: at chance the standard error is sqrt(81 / (12 * 16 * 64)) = 0.081; three of them.
    assert!(auc > 0.5 + 0.243, "AUC of the planted artefacts {auc}");
    let metrics = fs::read_to_string(only_run(folder.path(), "pretraining").join("metrics.jsonl")).unwrap();
    assert!(
        metrics.contains("valid/reconstruction") && !metrics.contains("valid/log_loss"),
        "labels were looked at"
    );
}
