//! From an autoencoder's run to a classifier that starts from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use burn::tensor::Device;
use recoup::dataset::DataPaths;
use recoup::experiment::{ExperimentFile, ExperimentPlan, open_data};
use recoup::launch::signals::StopFlag;
use recoup::launch::{LocalOptions, run as launch};
use recoup::models::{Layout, ParamSpec};
use recoup::runs::RunDirectory;
use recoup::training::checkpoint::StoredModel;
use sha2::{Digest as _, Sha256};

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
init_from = {{ run = "{}", streams = ["emg"], learning_rate_factor = {factor} }}
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
fn a_run_that_does_not_fit_or_would_leak_is_refused() {
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
        message.contains("training.init_from.streams: this experiment has no stream \"gait\""),
        "{message}"
    );
    let message = refused("streams = [\"emg\"]", "streams = [\"clinical\"]");
    assert!(
        message.contains("training.init_from.streams: the run has no clinical.linear0.weight"),
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

/// SHA-256 of values.
fn digest<'a>(values: impl IntoIterator<Item = &'a f32>) -> String {
    let bytes: Vec<u8> = values.into_iter().flat_map(|value| value.to_le_bytes()).collect();
    format!("{:x?}", Sha256::digest(bytes))
}

fn of_emg(specs: &[ParamSpec], row: &[f32]) -> Vec<f32> {
    let mut first = 0;
    let mut values = Vec::new();
    for spec in specs {
        if spec.path.starts_with("emg.") {
            values.extend(&row[first..first + spec.len()]);
        }
        first += spec.len();
    }
    values
}

#[test]
fn a_plan_starts_from_the_stored_weights_whoever_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let source = train(here, "pretraining", &pretraining());
    let paths = DataPaths {
        datasets: here.join("datasets"),
        prepared: None,
    };
    let plan = |text: &str| {
        let file = ExperimentFile::parse(Path::new("x.toml"), text, &[]).unwrap();
        let prepared = open_data(&file, &paths, &|_, _| {}).unwrap();
        ExperimentPlan::new(&file, prepared, &here.join("checkpoints"), &|_, _| {}).unwrap()
    };
    // The experiment, seen from the folder of runs.
    let text = classifier(Path::new("pretraining"), "0.0");
    let transfer = plan(&text);
    let random = plan(
        &text
            .lines()
            .filter(|line| !line.starts_with("init_from"))
            .collect::<Vec<_>>()
            .join("\n"),
    );
    assert_ne!(transfer.hash(), random.hash());
    assert_ne!(
        transfer.hash(),
        plan(&text.replace("factor = 0.0", "factor = 1.0")).hash()
    );

    let layout = transfer.base().model().layout();
    let mut starts = Vec::new();
    for planned in transfer.base().replicas() {
        let [params, buffers] = planned.replica().first_values(layout).unwrap();
        let stored = model(&source, &planned.key().to_string());
        let values = |specs: &[(ParamSpec, Vec<f32>)]| {
            let own = specs.iter().filter(|(spec, _)| layout_has(layout, &spec.path));
            digest(own.flat_map(|(_, values)| values))
        };
        assert_eq!(digest(&of_emg(layout.params(), &params)), values(&stored.params));
        assert_eq!(digest(&of_emg(layout.buffers(), &buffers)), values(&stored.buffers));
        starts.push(digest(&params));
    }
    assert_eq!(starts.len(), 2);
    assert_ne!(starts[0], starts[1], "each fold starts from its own");

    // Through a launch, with nothing but the plan: a frozen stream ends as the stored weights are.
    let directory = RunDirectory::create(&here.join("launched"), transfer.hash(), SystemTime::now()).unwrap();
    let options = LocalOptions {
        quiet: true,
        ..LocalOptions::default()
    };
    launch(&transfer, &Device::flex(), &directory, &options, &StopFlag::default()).unwrap();
    for planned in transfer.base().replicas() {
        let key = planned.key().to_string();
        let (trained, stored) = (model(directory.root(), &key), model(&source, &key));
        for (spec, values) in trained.params.iter().filter(|(spec, _)| spec.path.starts_with("emg.")) {
            let (_, first) = stored.params.iter().find(|(there, _)| there.path == spec.path).unwrap();
            assert_eq!(values, first, "{key} {}", spec.path);
        }
    }

    // Other weights in the place of those that the plan names are refused, not trained on.
    let weights = source.join("state/base/finished/repeat0-fold0-seed0/replicas.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    let error = transfer.base().replicas()[0]
        .replica()
        .first_values(layout)
        .unwrap_err();
    assert!(error.to_string().contains("has SHA-256"), "{error}");
}

fn layout_has(layout: &Layout, path: &str) -> bool {
    path.starts_with("emg.")
        && layout
            .params()
            .iter()
            .chain(layout.buffers())
            .any(|spec| spec.path == path)
}

#[test]
fn a_dry_run_checks_the_weights_to_start_from_without_reading_them() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let source = train(here, "pretraining", &pretraining());
    fs::write(here.join("x.toml"), classifier(Path::new("pretraining"), "1.0")).unwrap();
    for fold in ["repeat0-fold0-seed0", "repeat0-fold1-seed0"] {
        let weights = source
            .join("state/base/finished")
            .join(fold)
            .join("replicas.safetensors");
        fs::remove_file(weights).unwrap();
    }
    succeed(here, &["train", "x.toml", "--dry-run"]);
    let message = fail(here, &["train", "x.toml", "-q"], 1);
    assert!(message.contains("replicas.safetensors: cannot read"), "{message}");
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
