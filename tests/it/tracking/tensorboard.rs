//! What the real TensorBoard shows of a run, over both of its loaders.

use super::{event_files, floats, golden, replica};
use recoup::figures::{Picture, confusion_matrix};
use recoup::tracking::{Chart, ChartCategory, DatasetRole, ExperimentSummary, MetricInfo, RunTracker, SessionStatus};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Runs `tests/python/read_events.py`; `loader` is "python" or "fast".
fn read_with_tensorboard(logdir: &Path, loader: &str) -> Value {
    let python = std::env::var("RECOUP_TEST_PYTHON").unwrap_or_else(|_| {
        panic!(
            "RECOUP_TEST_PYTHON is unset: run scripts/test.sh, which installs tests/python/requirements.txt and sets it"
        )
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/read_events.py");
    let output = Command::new(python)
        .arg(script)
        .arg(logdir)
        .arg(loader)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// One run with all there is to show: two folds of "base", one of "slow" that is interrupted after step 9 with a
/// checkpoint at step 5, its first file torn, and resumed.
fn write_demo_run(run: &Path) -> Picture {
    let replicas = |first_steps: [u64; 3]| {
        let [base_0, base_1, slow] = first_steps;
        vec![
            replica("base", 0.1, 0, base_0),
            replica("base", 0.1, 1, base_1),
            replica("slow", 0.01, 0, slow),
        ]
    };
    let mut tracker = RunTracker::open(run, replicas([0, 0, 0])).unwrap();
    for step in 0..10 {
        for index in 0..2 {
            let values = [
                ("train/loss", 1.0 / (step + 1) as f64),
                ("valid/auc", 0.5 + 0.25 * index as f64),
            ];
            tracker.log_scalars(index, step, &values).unwrap();
        }
        tracker
            .log_scalars(2, step, &[("train/loss", step as f64), ("valid/auc", f64::NAN)])
            .unwrap();
    }
    tracker.flush().unwrap();
    drop(tracker);
    let torn = &event_files(&run.join("tb/slow/repeat0-fold0-seed1"))[0];
    let file = fs::OpenOptions::new().write(true).open(torn).unwrap();
    file.set_len(file.metadata().unwrap().len() - 3).unwrap();

    let mut tracker = RunTracker::open(run, replicas([10, 10, 6])).unwrap();
    for step in 6..12 {
        tracker
            .log_scalars(2, step, &[("train/loss", 100.0 + step as f64), ("valid/auc", 0.25)])
            .unwrap();
    }
    let picture = confusion_matrix(&["a".to_owned(), "b".to_owned()], &[vec![3, 1], vec![0, 4]], "test").unwrap();
    let case = &golden()["pr_curves"][0];
    let labels: Vec<bool> = case["labels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|label| label.as_bool().unwrap())
        .collect();
    let events = tracker.events(2).unwrap();
    events
        .text("config", "| key | value |\n|---|---|\n| fold | 0 |")
        .unwrap();
    events
        .histogram("weights", 11, &floats(&golden()["histograms"][0]["values"]))
        .unwrap();
    events
        .image_png("confusion", 11, picture.width, picture.height, &picture.png)
        .unwrap();
    events
        .pr_curve(
            "pr",
            11,
            &labels,
            &floats(&case["scores"]),
            case["num_thresholds"].as_u64().unwrap() as usize,
        )
        .unwrap();

    let root = tracker.root_events().unwrap();
    root.experiment(&ExperimentSummary {
        name: "demo".to_owned(),
        description: "Does it work?".to_owned(),
        variants: replicas([0, 0, 0]).into_iter().map(|replica| replica.hparams).collect(),
        metrics: vec![MetricInfo {
            tag: "valid/auc".to_owned(),
            group: String::new(),
            display_name: "AUC".to_owned(),
            dataset: DatasetRole::Valid,
        }],
    })
    .unwrap();
    let chart = Chart {
        title: "loss".to_owned(),
        tag_patterns: vec!["train/.*".to_owned()],
    };
    root.custom_scalars(&[ChartCategory {
        title: "training".to_owned(),
        charts: vec![chart],
    }])
    .unwrap();
    tracker.finish(0, SessionStatus::Success).unwrap();
    tracker.finish(2, SessionStatus::Failure).unwrap();
    tracker.sync().unwrap();
    picture
}

fn check_scalars(shown: &Value) {
    let steps = |values: &Value| {
        values
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| pair[0].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    for run in ["base/repeat0-fold0-seed1", "base/repeat0-fold1-seed1"] {
        let base = &shown[run]["train/loss"];
        assert_eq!(steps(base), (0..10).collect::<Vec<_>>());
        assert_eq!(base[3], json!([3, 0.25]));
    }
    // The second attempt replaces what the first logged from step 6 on: each step once, in order.
    let resumed = &shown["slow/repeat0-fold0-seed1"]["train/loss"];
    let expected: Vec<Value> = (0..12)
        .map(|step| json!([step, if step < 6 { step as f64 } else { 100.0 + step as f64 }]))
        .collect();
    assert_eq!(*resumed, json!(expected));
}

fn check_server(server: &Value, picture: &Picture) {
    check_scalars(&server["scalars"]);
    assert_eq!(
        server["scalars"]["slow/repeat0-fold0-seed1"]["valid/auc"][0],
        json!([0, "NaN"])
    );

    let text = &server["text"]["slow/repeat0-fold0-seed1"]["config"];
    assert_eq!(text[0][0], 6);
    assert!(
        text[0][1].as_str().unwrap().contains("<td>fold</td>\n<td>0</td>"),
        "{text}"
    );

    let histogram = &server["histograms"]["slow/repeat0-fold0-seed1"]["weights"];
    let rows = histogram[0][1].as_array().unwrap();
    assert_eq!(histogram[0][0], 11);
    for (row, expected) in rows
        .iter()
        .zip(golden()["histograms"][0]["expected"].as_array().unwrap())
    {
        for column in 0..3 {
            assert!((row[column].as_f64().unwrap() - expected[column].as_f64().unwrap()).abs() < 1e-12);
        }
    }
    assert_eq!(rows.len(), 30);

    let image = &server["images"]["slow/repeat0-fold0-seed1"]["confusion"][0];
    assert_eq!(
        (&image["step"], &image["png_size"]),
        (&json!(11), &json!([picture.width, picture.height]))
    );
    assert_eq!(image["png_bytes"], json!(picture.png));

    let curve = &server["pr_curves"]["slow/repeat0-fold0-seed1"]["pr"][0];
    // The page leaves out the highest thresholds, which no score reaches.
    let expected = &golden()["pr_curves"][0]["expected"];
    let num_shown = (0..31)
        .filter(|&i| expected[0][i].as_f64().unwrap() + expected[1][i].as_f64().unwrap() > 0.0)
        .count();
    let rows = [
        "true_positives",
        "false_positives",
        "true_negatives",
        "false_negatives",
        "precision",
        "recall",
    ];
    for (name, expected) in rows.iter().zip(expected.as_array().unwrap()) {
        assert_eq!(floats(&curve[name]), floats(expected)[..num_shown], "{name}");
    }

    let layout = json!([{"title": "training", "closed": false, "chart": [{"title": "loss", "multiline": {"tag": ["train/.*"]}}]}]);
    assert_eq!(server["custom_scalars"]["category"], layout);
    check_hparams(server);
}

fn check_hparams(server: &Value) {
    assert_eq!(server["experiment"]["description"], "Does it work?");
    for info in server["experiment"]["hparamInfos"].as_array().unwrap() {
        let is_rate = info["name"] == "optimiser.learning_rate";
        assert_eq!(info["differs"], is_rate);
        match is_rate {
            true => assert_eq!(info["domainInterval"], json!({"minValue": 0.01, "maxValue": 0.1})),
            false => assert_eq!(info["domainDiscrete"], json!(["cnn"])),
        }
    }
    let groups = server["session_groups"]["sessionGroups"].as_array().unwrap();
    let group = |name: &str| groups.iter().find(|group| group["name"] == name).unwrap();
    assert_eq!(groups.len(), 2);
    // Two folds of one variant are one row: the mean of 0.5 and 0.75.
    assert_eq!(group("base")["metricValues"][0]["value"], 0.625);
    assert_eq!(group("base")["hparams"]["optimiser.learning_rate"], 0.1);
    assert_eq!(group("slow")["metricValues"][0]["value"], 0.25);
    let status = |name: &str, session: usize| group(name)["sessions"][session]["status"].as_str().unwrap().to_owned();
    assert_eq!(status("base", 0), "STATUS_SUCCESS");
    assert_eq!(status("base", 1), "STATUS_UNKNOWN");
    assert_eq!(status("slow", 0), "STATUS_FAILURE");
}

#[test]
fn tensorboard_shows_everything_that_was_logged() {
    let directory = TempDir::new().unwrap();
    let picture = write_demo_run(directory.path());
    for loader in ["python", "fast"] {
        let seen = read_with_tensorboard(&directory.path().join("tb"), loader);
        let scalars: serde_json::Map<String, Value> = seen["accumulator"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(run, tags)| (run.clone(), tags["scalars"].clone()))
            .collect();
        check_scalars(&Value::Object(scalars));
        check_server(&seen["server"], &picture);
    }
}
